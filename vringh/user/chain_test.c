// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a chain may be, and what vr_pop() tells of it. All is the same for chains in
 * the ring and for those in an indirect table; what is only about the latter is in
 * table_test.c.
 */
#include "kselftest_harness.h"
#include "unit.h"

#define NUM	64

FIXTURE(chain) {
	struct unit unit;
};

FIXTURE_VARIANT(chain) {
	struct unit_kind kind;
	bool indirect;
};

FIXTURE_VARIANT_ADD(chain, user) { USER };
FIXTURE_VARIANT_ADD(chain, user_big) { USER, BIG };
FIXTURE_VARIANT_ADD(chain, kernel) { KERNEL };
FIXTURE_VARIANT_ADD(chain, kernel_big) { KERNEL, BIG };
FIXTURE_VARIANT_ADD(chain, user_indirect) { USER, .indirect = true };
FIXTURE_VARIANT_ADD(chain, user_big_indirect) { USER, BIG, .indirect = true };
FIXTURE_VARIANT_ADD(chain, kernel_indirect) { KERNEL, .indirect = true };
FIXTURE_VARIANT_ADD(chain, kernel_big_indirect) { KERNEL, BIG, .indirect = true };

FIXTURE_SETUP(chain)
{
	unit_init(&self->unit, &variant->kind, NUM);
	ASSERT_EQ(0, unit_start(&self->unit, 0));
}

FIXTURE_TEARDOWN(chain)
{
	unit_fini(&self->unit);
}

/* Offer a chain of these descriptors. */
#define OFFER(...) do {							\
	const struct desc _descs[] = { __VA_ARGS__ };			\
	OFFER_ALL(_descs, ARRAY_SIZE(_descs));				\
} while (0)

#define OFFER_ALL(_all, _nr) unit_chain(&self->unit, variant->indirect, _all, _nr)

#define EXPECT_GOOD(_nr_out, _nr_in, ...) do {				\
	const struct vr_seg _segs[] = { __VA_ARGS__ };			\
	EXPECT_STREQ(FINE, unit_good(&self->unit, _nr_out, _nr_in, _segs));	\
} while (0)

#define EXPECT_BAD(_fault) EXPECT_STREQ(FINE, unit_bad(&self->unit, 0, _fault))

TEST_F(chain, one_buffer_to_read)
{
	OFFER({ 0x123456789abcdef0, 0x87654321, 0, 0 });
	EXPECT_GOOD(1, 0, { 0x123456789abcdef0, 0x87654321 });
}

TEST_F(chain, one_buffer_to_write)
{
	OFFER({ 0x123456789abcdef0, 0x87654321, WRITE, 0 });
	EXPECT_GOOD(0, 1, { 0x123456789abcdef0, 0x87654321 });
}

/* 2.7.4.2 */
TEST_F(chain, buffers_to_read_come_first)
{
	OFFER({ 0x1000, 1, NEXT, 1 },
	      { 0x2000, 20, NEXT, 2 },
	      { 0x3000, 300, NEXT | WRITE, 3 },
	      { 0x4000, 4000, NEXT | WRITE, 4 },
	      { 0x5000, 50000, WRITE, 0 });
	EXPECT_GOOD(2, 3, { 0x1000, 1 }, { 0x2000, 20 },
		    { 0x3000, 300 }, { 0x4000, 4000 }, { 0x5000, 50000 });
}

TEST_F(chain, goes_where_next_says)
{
	OFFER({ 0x1000, 1, NEXT, 3 },
	      { 0x2000, 2, WRITE, 0 },
	      { 0x3000, 3, NEXT, 4 },
	      { 0x4000, 4, NEXT, 2 },
	      { 0x5000, 5, NEXT | WRITE, 1 });
	EXPECT_GOOD(3, 2, { 0x1000, 1 }, { 0x4000, 4 }, { 0x3000, 3 },
		    { 0x5000, 5 }, { 0x2000, 2 });
}

TEST_F(chain, ends_where_the_flag_is_not_whatever_next_says)
{
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, WRITE, 0xffff });
	EXPECT_GOOD(1, 1, { 0x1000, 1 }, { 0x2000, 2 });
}

TEST_F(chain, descriptors_that_are_not_in_it_do_not_matter)
{
	OFFER({ 0x1000, 1, NEXT, 2 },
	      { ~0ULL, ~0U, 0xffff, 0xffff },
	      { 0x3000, 3, WRITE, 0 },
	      { ~0ULL, ~0U, 0xffff, 0xffff });
	EXPECT_GOOD(1, 1, { 0x1000, 1 }, { 0x3000, 3 });
}

/* 2.7.5: there are only three flags. */
TEST_F(chain, unknown_flags_do_not_matter)
{
	OFFER({ 0x1000, 1, 0xfff8 | NEXT, 1 },
	      { 0x2000, 2, 0xfff8 | NEXT | WRITE, 2 },
	      { 0x3000, 3, 0xfff8 | WRITE, 0 });
	EXPECT_GOOD(1, 2, { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 });
}

TEST_F(chain, empty_buffers_are_buffers)
{
	OFFER({ 0x1000, 0, NEXT, 1 },
	      { 0x2000, 5, NEXT, 2 },
	      { 0x3000, 0, NEXT, 3 },
	      { 0x4000, 0, NEXT | WRITE, 4 },
	      { 0, 0, WRITE, 0 });
	EXPECT_GOOD(3, 2, { 0x1000, 0 }, { 0x2000, 5 }, { 0x3000, 0 }, { 0x4000, 0 }, { 0, 0 });
}

TEST_F(chain, lengths_add_up_beyond_32_bits)
{
	OFFER({ 0x1000, 0xffffffff, NEXT, 1 },
	      { 0x2000, 0xffffffff, NEXT, 2 },
	      { 0x3000, 3, NEXT, 3 },
	      { 0x4000, 0xffffffff, NEXT | WRITE, 4 },
	      { 0x5000, 0xfffffffe, WRITE, 0 });
	EXPECT_GOOD(3, 2, { 0x1000, 0xffffffff }, { 0x2000, 0xffffffff }, { 0x3000, 3 },
		    { 0x4000, 0xffffffff }, { 0x5000, 0xfffffffe });
	EXPECT_EQ(0x200000001ULL, self->unit.chain.out_len);
	EXPECT_EQ(0x1fffffffdULL, self->unit.chain.in_len);
}

TEST_F(chain, buffers_may_be_anywhere)
{
	OFFER({ 0, 0xffffffff, NEXT, 1 }, { ~0ULL, 2, NEXT | WRITE, 2 },
	      { ~0ULL - 0xfff, 0xffffffff, WRITE, 0 });
	EXPECT_GOOD(1, 2, { 0, 0xffffffff }, { ~0ULL, 2 }, { ~0ULL - 0xfff, 0xffffffff });
}

TEST_F(chain, nothing_is_left_of_the_chain_before)
{
	OFFER({ 0x1000, 7, NEXT, 1 }, { 0x2000, 7, NEXT | WRITE, 2 }, { 0x3000, 7, WRITE, 0 });
	EXPECT_GOOD(1, 2, { 0x1000, 7 }, { 0x2000, 7 }, { 0x3000, 7 });
	OFFER({ 0x4000, 1, 0, 0 });
	EXPECT_GOOD(1, 0, { 0x4000, 1 });
	OFFER({ 0x5000, 2, WRITE, 0 });
	EXPECT_GOOD(0, 1, { 0x5000, 2 });
}

/* Descriptors of 0x1000 * i and i bytes, each with the next. */
static void fill(struct desc *descs, struct vr_seg *segs, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		descs[i] = (struct desc) { 0x1000 * i, i, NEXT | (i < nr / 2 ? 0 : WRITE), i + 1 };
		segs[i] = (struct vr_seg) { descs[i].addr, descs[i].len };
	}
	descs[nr - 1].flags &= ~NEXT;
}

/* 2.7.5.2, 2.7.5.3.1: a chain is no longer than the ring. */
TEST_F(chain, as_long_as_the_caller_takes)
{
	struct desc descs[NUM];
	struct vr_seg segs[NUM];

	for (u32 max = 1; max <= NUM; max++) {
		unit_room(&self->unit, max);
		fill(descs, segs, max);
		OFFER_ALL(descs, max);
		ASSERT_STREQ(FINE, unit_good(&self->unit, max / 2, max - max / 2, segs));
		ASSERT_EQ(0, unit_push(&self->unit, 0));
	}
}

TEST_F(chain, one_more_than_the_caller_takes_is_bad)
{
	struct desc descs[NUM];
	struct vr_seg segs[NUM];

	for (u32 max = 1; max < NUM; max++) {
		unit_room(&self->unit, max);
		fill(descs, segs, max + 1);
		OFFER_ALL(descs, max + 1);
		ASSERT_STREQ(FINE, unit_bad(&self->unit, 0, VR_TOO_LONG));
	}
}

TEST_F(chain, empty_buffers_count)
{
	unit_room(&self->unit, 2);
	OFFER({ 0, 0, NEXT, 1 }, { 0, 0, NEXT, 2 }, { 0, 0, 0, 0 });
	EXPECT_BAD(VR_TOO_LONG);
}

/* 2.7.5.2: a driver makes no loops. */
TEST_F(chain, loop_of_one_is_bad)
{
	OFFER({ 0x1000, 1, NEXT, 0 });
	EXPECT_BAD(VR_TOO_LONG);
}

TEST_F(chain, loop_of_two_is_bad)
{
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT, 0 });
	EXPECT_BAD(VR_TOO_LONG);
}

TEST_F(chain, loop_of_all_is_bad)
{
	struct desc descs[NUM];
	struct vr_seg segs[NUM];

	fill(descs, segs, NUM);
	for (u32 i = 0; i < NUM; i++)
		descs[i].flags = NEXT | WRITE;
	descs[NUM - 1].next = 0;
	OFFER_ALL(descs, NUM);
	EXPECT_BAD(VR_TOO_LONG);
}

TEST_F(chain, loop_behind_its_beginning_is_bad)
{
	OFFER({ 0x1000, 1, NEXT, 1 },
	      { 0x2000, 2, NEXT, 2 },
	      { 0x3000, 3, NEXT | WRITE, 3 },
	      { 0x4000, 4, NEXT | WRITE, 2 });
	EXPECT_BAD(VR_TOO_LONG);
}

TEST_F(chain, loop_of_empty_buffers_is_bad)
{
	OFFER({ 0x1000, 0, NEXT | WRITE, 1 }, { 0x2000, 0, NEXT | WRITE, 0 });
	EXPECT_BAD(VR_TOO_LONG);
}

TEST_F(chain, next_outside_of_the_table_is_bad)
{
	struct desc descs[2] = { { 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT, 0 } };
	u32 size = variant->indirect ? 2 : NUM;
	const u16 bad[] = { size, size + 1, 0x7fff, 0x8000, 0xffff };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		descs[1].next = bad[i];
		OFFER_ALL(descs, 2);
		EXPECT_STREQ(FINE, unit_bad(&self->unit, 0, VR_BAD_NEXT)) TH_LOG("%u", bad[i]);
	}
}

TEST_F(chain, next_may_be_the_last_of_the_table)
{
	const struct desc descs[NUM] = {
		[0] = { 0x1000, 1, NEXT, NUM - 1 },
		[NUM - 1] = { 0x2000, 2, WRITE, 0 },
	};

	OFFER_ALL(descs, NUM);
	EXPECT_GOOD(1, 1, { 0x1000, 1 }, { 0x2000, 2 });
}

/* 2.7.4.2 */
TEST_F(chain, readable_after_writable_is_bad)
{
	OFFER({ 0x1000, 1, NEXT | WRITE, 1 }, { 0x2000, 2, 0, 0 });
	EXPECT_BAD(VR_BAD_ORDER);
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT | WRITE, 2 }, { 0x3000, 3, NEXT, 3 },
	      { 0x4000, 4, WRITE, 0 });
	EXPECT_BAD(VR_BAD_ORDER);
}

TEST_F(chain, empty_buffers_have_an_order)
{
	OFFER({ 0x1000, 0, NEXT | WRITE, 1 }, { 0x2000, 0, 0, 0 });
	EXPECT_BAD(VR_BAD_ORDER);
}

/* Words that are loaded for the chain, by their place. */
#define EXPECT_LOADED(_mem, _size, _from, _len) \
	EXPECT_STREQ(FINE, unit_loaded(_mem, _size, _from, _len))

static void watch(struct unit *u)
{
	hooks_watch(u->desc, NUM * sizeof(*u->desc));
	hooks_watch(u->avail, AVAIL_SIZE(NUM));
	hooks_watch(u->used, USED_SIZE(NUM));
	if (u->guest.mem)
		hooks_watch(u->guest.mem, u->guest.size);
}

/* Each word that a chain consists of is loaded once, and no other. */
TEST_F(chain, words_are_loaded_once)
{
	struct unit *u = &self->unit;
	struct desc descs[33];
	struct vr_seg segs[33];
	u32 direct = variant->indirect ? 1 : 33;

	fill(descs, segs, 33);
	OFFER_ALL(descs, 33);
	watch(u);
	EXPECT_STREQ(FINE, unit_good(u, 16, 17, segs));
	EXPECT_LOADED(u->desc, NUM * sizeof(*u->desc), u->desc, direct * sizeof(*u->desc));
	EXPECT_LOADED(u->avail, AVAIL_SIZE(NUM), &u->avail->idx, 4);
	EXPECT_LOADED(u->used, USED_SIZE(NUM), NULL, 0);
	if (variant->indirect)
		EXPECT_LOADED(u->guest.mem, u->guest.size, u->guest.mem, u->guest.size);
}

/* A driver that changes each word as soon as it was loaded changes nothing. */
TEST_F(chain, words_may_change_after_they_were_loaded)
{
	struct desc descs[33];
	struct vr_seg segs[33];

	fill(descs, segs, 33);
	OFFER_ALL(descs, 33);
	watch(&self->unit);
	hooks.flip = true;
	EXPECT_STREQ(FINE, unit_good(&self->unit, 16, 17, segs));
	hooks.flip = false;
	EXPECT_EQ(0, unit_push(&self->unit, 0));
	EXPECT_EQ(0, unit_get32(&self->unit, &self->unit.used->ring[0].id));
}

TEST_F(chain, bad_one_whose_words_change_is_as_bad)
{
	OFFER({ 0x1000, 1, NEXT | WRITE, 1 }, { 0x2000, 2, 0, 0 });
	watch(&self->unit);
	hooks.flip = true;
	EXPECT_EQ(-EBADMSG, unit_pop(&self->unit));
	EXPECT_EQ(VR_BAD_ORDER, (int)self->unit.chain.fault);
}

TEST_F(chain, user_access_that_fails_changes_nothing)
{
	const struct vr_seg segs[] = { { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 } };

	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT, 2 }, { 0x3000, 3, WRITE, 0 });
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, unit_pop, 1));
	EXPECT_STREQ(FINE, unit_is(&self->unit, 2, 1, segs));
	EXPECT_EQ(0, unit_pop(&self->unit));
}

TEST_F(chain, user_access_that_fails_does_not_take_a_bad_one)
{
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT, 0xffff });
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, unit_pop, -EBADMSG));
	EXPECT_EQ(VR_BAD_NEXT, (int)self->unit.chain.fault);
	EXPECT_EQ(0, unit_pop(&self->unit));
}

/* 2.7.6: what is not the device's is not written. */
TEST_F(chain, memory_of_the_driver_stays_as_it_is)
{
	struct unit *u = &self->unit;
	struct vring_desc desc[NUM];
	char avail[AVAIL_SIZE(NUM)], used[USED_SIZE(NUM)];

	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT | WRITE, 2 }, { 0x3000, 3, NEXT, 3 });
	memset(u->used, 0x5a, sizeof(used));
	memcpy(desc, u->desc, sizeof(desc));
	memcpy(avail, u->avail, sizeof(avail));
	memcpy(used, u->used, sizeof(used));
	EXPECT_EQ(-EBADMSG, unit_pop(u));
	EXPECT_EQ(0, unit_pop(u));
	EXPECT_EQ(0, memcmp(desc, u->desc, sizeof(desc)));
	EXPECT_EQ(0, memcmp(avail, u->avail, sizeof(avail)));
	EXPECT_EQ(0, memcmp(used, u->used, sizeof(used)));
}

TEST_HARNESS_MAIN
