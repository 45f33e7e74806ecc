// SPDX-License-Identifier: GPL-2.0-only
/* What vr_push() writes: the used ring (2.7.8). */
#include "kselftest_harness.h"
#include "unit.h"

#define NUM	8
#define USED	USED_SIZE(NUM)

FIXTURE(push) {
	struct unit unit;
	struct vr_done done[NUM];	/* of chains taken, in the order of their heads */
};

FIXTURE_VARIANT(push) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(push, user) { USER };
FIXTURE_VARIANT_ADD(push, user_big) { USER, BIG };
FIXTURE_VARIANT_ADD(push, kernel) { KERNEL };
FIXTURE_VARIANT_ADD(push, kernel_big) { KERNEL, BIG };

/* Take all chains of the ring anew, where it goes on from @base. */
static int take_all(struct unit *u, struct vr_done *done, u16 base)
{
	unit_put16(u, &u->avail->idx, base);
	unit_put16(u, &u->used->idx, base);
	if (unit_start(u, base))
		return -1;
	unit_offer_many(u, NUM);
	for (u32 i = 0; i < NUM; i++) {
		if (unit_pop(u) != 1)
			return -1;
		done[(base + i) % NUM] = (struct vr_done) { u->chain.ticket, 100 + i };
	}
	return 0;
}

FIXTURE_SETUP(push)
{
	unit_init(&self->unit, &variant->kind, NUM);
	ASSERT_EQ(0, take_all(&self->unit, self->done, 0));
}

FIXTURE_TEARDOWN(push)
{
	unit_fini(&self->unit);
}

#define EXPECT_ELEMENT(_i, _id, _len) do {				\
	const struct vring_used_elem *_e = &self->unit.used->ring[_i];	\
	EXPECT_EQ(_id, unit_get32(&self->unit, &_e->id));		\
	EXPECT_EQ(_len, unit_get32(&self->unit, &_e->len));		\
} while (0)

#define EXPECT_INDEX(_idx) \
	EXPECT_EQ(_idx, unit_get16(&self->unit, &self->unit.used->idx))

TEST_F(push, element_says_which_chain_and_how_much)
{
	self->done[5].len = 0x87654321;
	EXPECT_EQ(0, vr_push(&self->unit.vr, &self->done[5], 1));
	EXPECT_ELEMENT(0, 5, 0x87654321);
	EXPECT_INDEX(1);
}

TEST_F(push, length_may_be_anything)
{
	const u32 len[] = { 0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff };

	for (u32 i = 0; i < ARRAY_SIZE(len); i++) {
		self->done[i].len = len[i];
		EXPECT_EQ(0, vr_push(&self->unit.vr, &self->done[i], 1));
		EXPECT_ELEMENT(i, i, len[i]);
	}
}

TEST_F(push, chains_may_come_back_in_any_order)
{
	const u32 order[] = { 6, 0, 7, 1, 5, 2, 4, 3 };

	for (u32 i = 0; i < NUM; i++) {
		EXPECT_EQ(0, vr_push(&self->unit.vr, &self->done[order[i]], 1));
		EXPECT_ELEMENT(i, order[i], 100 + order[i]);
		EXPECT_INDEX(i + 1);
	}
}

TEST_F(push, many_at_once_come_in_their_order)
{
	for (u32 n = 1; n <= NUM; n++) {
		memset(self->unit.used, 0, USED);
		ASSERT_EQ(0, take_all(&self->unit, self->done, 0));
		EXPECT_EQ(0, vr_push(&self->unit.vr, self->done, n));
		EXPECT_INDEX(n);
		for (u32 i = 0; i < NUM; i++)
			EXPECT_ELEMENT(i, i < n ? i : 0, i < n ? 100 + i : 0);
	}
}

TEST_F(push, none_at_all_changes_nothing)
{
	struct vr before = self->unit.vr;
	char used[USED];

	memcpy(used, self->unit.used, USED);
	EXPECT_EQ(0, vr_push(&self->unit.vr, self->done, 0));
	EXPECT_EQ(0, vr_push(&self->unit.vr, NULL, 0));
	EXPECT_STREQ(FINE, unit_unchanged(&before, &self->unit.vr));
	EXPECT_EQ(0, memcmp(used, self->unit.used, USED));
}

TEST_F(push, many_may_cross_the_end_of_the_ring)
{
	for (u16 base = 0; base < NUM; base++) {
		ASSERT_EQ(0, take_all(&self->unit, self->done, base));
		EXPECT_EQ(0, vr_push(&self->unit.vr, self->done, NUM));
		EXPECT_INDEX(base + NUM);
		for (u32 i = 0; i < NUM; i++)
			EXPECT_ELEMENT((base + i) % NUM, i, self->done[i].len);
	}
}

TEST_F(push, index_goes_on_from_65535_to_0)
{
	for (u32 base = 0x10000 - NUM; base <= 0x10000; base++) {
		ASSERT_EQ(0, take_all(&self->unit, self->done, base));
		EXPECT_EQ(0, vr_push(&self->unit.vr, self->done, NUM));
		EXPECT_INDEX((base + NUM) & 0xffff);
		for (u32 i = 0; i < NUM; i++)
			EXPECT_ELEMENT((base + i) % NUM, i, self->done[i].len);
	}
}

TEST_F(push, index_goes_all_around)
{
	struct unit *u = &self->unit;

	EXPECT_EQ(0, vr_push(&u->vr, self->done, NUM));
	for (u32 i = NUM; i < 2 * 65536; i += NUM) {
		unit_offer_many(u, NUM);
		for (u32 k = 0; k < NUM; k++) {
			ASSERT_EQ(1, unit_pop(u))
				TH_LOG("%u", k);
		}
		ASSERT_EQ(0, vr_push(&u->vr, self->done, NUM));
	}
	EXPECT_INDEX(0);
}

TEST_F(push, nothing_else_is_written)
{
	struct unit *u = &self->unit;
	struct vring_desc desc[NUM];
	char avail[AVAIL_SIZE(NUM)];

	memset(u->used, 0x5a, USED);
	memcpy(desc, u->desc, sizeof(desc));
	memcpy(avail, u->avail, sizeof(avail));
	EXPECT_EQ(0, vr_push(&u->vr, &self->done[3], 2));
	EXPECT_ELEMENT(0, 3, 103);
	EXPECT_ELEMENT(1, 4, 104);
	EXPECT_INDEX(2);
	EXPECT_EQ(0x5a5a, unit_get16(u, &u->used->flags));
	for (u32 i = 2; i < NUM; i++)
		EXPECT_ELEMENT(i, 0x5a5a5a5a, 0x5a5a5a5a);
	EXPECT_EQ(0x5a5a, unit_get16(u, unit_avail_event(u)));
	EXPECT_EQ(0, memcmp(desc, u->desc, sizeof(desc)));
	EXPECT_EQ(0, memcmp(avail, u->avail, sizeof(avail)));
}

/* The used ring is the device's: what a driver writes there is not read. */
TEST_F(push, index_is_not_what_the_driver_wrote)
{
	struct unit *u = &self->unit;

	EXPECT_EQ(0, vr_push(&u->vr, self->done, 2));
	unit_put16(u, &u->used->idx, 0x7777);
	hooks_watch(u->used, USED);
	EXPECT_EQ(0, vr_push(&u->vr, &self->done[2], 1));
	EXPECT_INDEX(3);
	EXPECT_ELEMENT(2, 2, 102);
	EXPECT_STREQ(FINE, unit_loaded(u->used, USED, NULL, 0));
}

TEST_F(push, taking_does_not_move_the_index)
{
	struct unit *u = &self->unit;

	EXPECT_EQ(0, vr_push(&u->vr, self->done, NUM));
	unit_offer_many(u, NUM);
	for (u32 i = 0; i < NUM; i++) {
		EXPECT_EQ(1, unit_pop(u))
			TH_LOG("%u", i);
	}
	EXPECT_INDEX(NUM);
}

static int push_three(struct unit *u)
{
	const struct vr_done done[] = { { u->chain.ticket, 1 }, { u->chain.ticket, 2 },
				  { u->chain.ticket, 3 } };

	return vr_push(&u->vr, done, 3);
}

TEST_F(push, user_access_that_fails_gives_nothing_back)
{
	struct unit *u = &self->unit;
	struct vr before;

	for (u32 n = 1; n <= 4; n++) {
		before = u->vr;
		hooks.accesses = 0;
		hooks.fail = n;
		EXPECT_EQ(u->space == VR_USER ? -EFAULT : 0, push_three(u));
		if (u->space == VR_KERNEL)
			break;
		EXPECT_STREQ(FINE, unit_unchanged(&before, &u->vr));
		EXPECT_INDEX(0);
	}
}

TEST_F(push, user_access_that_fails_may_be_repeated)
{
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, push_three, 0));
	EXPECT_INDEX(3);
	for (u32 i = 0; i < 3; i++)
		EXPECT_ELEMENT(i, 7, i + 1);
}

/* The first failure after the index moved on in the ring's own mind. */
TEST(chain_that_could_not_be_given_back_makes_no_room)
{
	const struct unit_kind kind = { .space = VR_USER };
	struct vr_done done[NUM];
	struct unit unit, *u = &unit;

	unit_init(u, &kind, NUM);
	ASSERT_EQ(0, take_all(u, done, 0));
	hooks.fail = hooks.accesses + 2;
	EXPECT_EQ(-EFAULT, unit_push(u, 0));
	unit_offer(u, 0);
	EXPECT_STREQ(FINE, unit_broken(u, VR_BAD_INDEX));
	EXPECT_EQ(0, unit_push(u, 0));
	EXPECT_EQ(1, unit_pop(u));
	unit_fini(u);
}

struct order {
	struct unit *unit;
	u32 accesses;
	bool bad;
};

/* Elements come first, then the index, which is what the driver looks at. */
static void see_order(void *context, const void *at, size_t size)
{
	struct order *order = context;
	struct unit *u = order->unit;
	u32 i = order->accesses++;

	if (i < 3)
		order->bad |= at != &u->used->ring[i] || size != 8 || u->used->idx;
	else
		order->bad |= at != &u->used->idx || size != 2 ||
			      unit_get32(u, &u->used->ring[2].len) != 3;
}

TEST_F(push, elements_are_written_before_the_index)
{
	struct order order = { .unit = &self->unit };

	hooks.context = &order;
	hooks.access = see_order;
	EXPECT_EQ(0, push_three(&self->unit));
	EXPECT_FALSE(order.bad);
	EXPECT_EQ(variant->kind.space == VR_USER ? 4 : 0, order.accesses);
}

TEST_F(push, ring_may_have_every_size)
{
	struct unit *u = &self->unit;

	for (u32 num = 1; num <= 32768; num *= 2) {
		unit_fini(u);
		unit_init(u, &variant->kind, num);
		ASSERT_EQ(0, unit_start(u, 0));
		for (u32 i = 0; i < 3 * num; i++) {
			unit_offer_many(u, 1);
			ASSERT_EQ(1, unit_pop(u));
			ASSERT_EQ(0, unit_push(u, i));
			ASSERT_EQ(i % num, unit_get32(u, &u->used->ring[i % num].id));
			ASSERT_EQ(i, unit_get32(u, &u->used->ring[i % num].len));
			ASSERT_EQ((u16)(i + 1), unit_get16(u, &u->used->idx));
		}
	}
}

TEST_HARNESS_MAIN
