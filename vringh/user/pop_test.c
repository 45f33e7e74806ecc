// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which chains vr_pop() takes, and when: the avail ring. What a chain may be is in
 * chain_test.c.
 */
#include "kselftest_harness.h"
#include "unit.h"

#define NUM	8

FIXTURE(pop) {
	struct unit unit;
};

FIXTURE_VARIANT(pop) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(pop, user) { USER };
FIXTURE_VARIANT_ADD(pop, user_big) { USER, BIG };
FIXTURE_VARIANT_ADD(pop, kernel) { KERNEL };
FIXTURE_VARIANT_ADD(pop, kernel_big) { KERNEL, BIG };

FIXTURE_SETUP(pop)
{
	unit_init(&self->unit, &variant->kind, NUM);
	ASSERT_EQ(0, unit_start(&self->unit, 0));
}

FIXTURE_TEARDOWN(pop)
{
	unit_fini(&self->unit);
}

/* Pop a chain of unit_offer_many(), which begins at @head. */
static const char *takes(struct unit *u, u16 head)
{
	struct vr_seg seg = { 0x1000 * head, 16 };

	return unit_good(u, 0, 1, &seg);
}

/* Have the driver say that @idx chains were offered. */
static void claim(struct unit *u, u16 idx)
{
	unit_put16(u, &u->avail->idx, idx);
}

static int pending(struct unit *u)
{
	return vr_pending(&u->vr);
}

TEST_F(pop, nothing_is_offered)
{
	struct vr before = self->unit.vr;

	EXPECT_EQ(0, unit_pop(&self->unit));
	EXPECT_STREQ(FINE, unit_unchanged(&before, &self->unit.vr));
}

TEST_F(pop, chains_come_as_they_were_offered)
{
	const u16 heads[] = { 5, 0, 7, 3, 1, 2, 6, 4 };

	unit_offer_many(&self->unit, NUM);
	claim(&self->unit, 0);
	self->unit.offered = 0;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		unit_offer(&self->unit, heads[i]);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		EXPECT_STREQ(FINE, takes(&self->unit, heads[i]))
			TH_LOG("%zu", i);
	}
	EXPECT_EQ(0, unit_pop(&self->unit));
}

TEST_F(pop, chain_is_not_taken_before_the_index_says_so)
{
	unit_offer_many(&self->unit, 3);
	claim(&self->unit, 2);
	EXPECT_STREQ(FINE, takes(&self->unit, 0));
	EXPECT_STREQ(FINE, takes(&self->unit, 1));
	EXPECT_EQ(0, unit_pop(&self->unit));
	claim(&self->unit, 3);
	EXPECT_STREQ(FINE, takes(&self->unit, 2));
}

TEST_F(pop, index_is_loaded_once_for_all_that_it_offers)
{
	unit_offer_many(&self->unit, 5);
	hooks_watch(self->unit.avail, AVAIL_SIZE(NUM));
	for (u16 i = 0; i < 5; i++) {
		EXPECT_STREQ(FINE, takes(&self->unit, i))
			TH_LOG("%u", i);
	}
	EXPECT_EQ(1, hooks_loads(&self->unit.avail->idx));
	EXPECT_EQ(0, unit_pop(&self->unit));
	EXPECT_EQ(2, hooks_loads(&self->unit.avail->idx));
}

TEST_F(pop, base_counts_what_was_taken)
{
	struct unit *u = &self->unit;

	EXPECT_EQ(0, vr_base(&u->vr));
	unit_offer_many(u, 2);
	EXPECT_EQ(0, vr_base(&u->vr));
	EXPECT_STREQ(FINE, takes(u, 0));
	EXPECT_EQ(1, vr_base(&u->vr));
	unit_put16(u, &u->desc[1].flags, NEXT);
	unit_put16(u, &u->desc[1].next, NUM);
	EXPECT_EQ(-EBADMSG, unit_pop(u));
	EXPECT_EQ(2, vr_base(&u->vr));
	EXPECT_EQ(0, unit_push(u, 0));
	EXPECT_EQ(2, vr_base(&u->vr));
}

TEST_F(pop, bad_chains_do_not_stop_the_ring)
{
	struct unit *u = &self->unit;

	for (u32 i = 0; i < 3 * NUM; i++) {
		unit_offer_many(u, 2);
		unit_put16(u, &u->desc[2 * i % NUM].flags, NEXT);
		unit_put16(u, &u->desc[2 * i % NUM].next, 2 * i % NUM);
		EXPECT_EQ(-EBADMSG, unit_pop(u));
		EXPECT_EQ(0, unit_push(u, 0));
		EXPECT_STREQ(FINE, takes(u, (2 * i + 1) % NUM));
		EXPECT_EQ(0, unit_push(u, 16));
	}
	EXPECT_EQ(6 * NUM, unit_get16(u, &u->used->idx));
}

TEST_F(pop, whole_ring_may_be_offered)
{
	unit_offer_many(&self->unit, NUM);
	for (u16 i = 0; i < NUM; i++) {
		EXPECT_STREQ(FINE, takes(&self->unit, i))
			TH_LOG("%u", i);
	}
	EXPECT_EQ(0, unit_pop(&self->unit));
}

/* 2.7.13.3: the index counts chains, of which a ring has no more than descriptors. */
TEST_F(pop, index_that_jumps_beyond_the_ring_is_broken)
{
	const u16 bad[] = { NUM + 1, NUM + 2, 0x7fff, 0x8000, 0xfffe, 0xffff };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		claim(&self->unit, bad[i]);
		EXPECT_STREQ(FINE, unit_broken(&self->unit, VR_BAD_INDEX)) TH_LOG("%u", bad[i]);
	}
}

TEST_F(pop, index_that_goes_back_is_broken)
{
	unit_offer_many(&self->unit, 3);
	for (u16 i = 0; i < 3; i++) {
		EXPECT_STREQ(FINE, takes(&self->unit, i))
			TH_LOG("%u", i);
	}
	for (u16 idx = 0; idx < 3; idx++) {
		claim(&self->unit, idx);
		EXPECT_STREQ(FINE, unit_broken(&self->unit, VR_BAD_INDEX)) TH_LOG("%u", idx);
	}
}

TEST_F(pop, ring_goes_on_if_the_index_is_mended)
{
	unit_offer_many(&self->unit, 2);
	claim(&self->unit, NUM + 1);
	EXPECT_STREQ(FINE, unit_broken(&self->unit, VR_BAD_INDEX));
	claim(&self->unit, 2);
	EXPECT_STREQ(FINE, takes(&self->unit, 0));
	EXPECT_STREQ(FINE, takes(&self->unit, 1));
	EXPECT_EQ(0, unit_pop(&self->unit));
}

/* A driver cannot have more chains in flight than it has descriptors. */
TEST_F(pop, more_in_flight_than_the_ring_is_broken)
{
	for (u32 taken = 1; taken <= NUM; taken++) {
		unit_offer_many(&self->unit, 1);
		EXPECT_STREQ(FINE, takes(&self->unit, taken - 1));
		claim(&self->unit, NUM + 1);
		EXPECT_STREQ(FINE, unit_broken(&self->unit, VR_BAD_INDEX)) TH_LOG("%u", taken);
		claim(&self->unit, taken);
		EXPECT_EQ(0, unit_pop(&self->unit));
	}
}

TEST_F(pop, chain_given_back_makes_room_for_one)
{
	struct unit *u = &self->unit;

	unit_offer_many(u, NUM);
	for (u16 i = 0; i < NUM; i++) {
		EXPECT_STREQ(FINE, takes(u, i))
			TH_LOG("%u", i);
	}
	for (u32 i = 0; i < 5 * NUM; i++) {
		EXPECT_EQ(0, unit_push(u, 0));
		claim(u, NUM + i + 2);
		EXPECT_STREQ(FINE, unit_broken(u, VR_BAD_INDEX));
		unit_offer_many(u, 1);
		EXPECT_STREQ(FINE, takes(u, i % NUM));
	}
}

/* What a driver says of the used ring does not count: it is the device's. */
TEST_F(pop, driver_cannot_make_room)
{
	struct unit *u = &self->unit;

	unit_offer_many(u, NUM);
	for (u16 i = 0; i < NUM; i++) {
		EXPECT_STREQ(FINE, takes(u, i))
			TH_LOG("%u", i);
	}
	unit_put16(u, &u->used->idx, NUM);
	claim(u, NUM + 1);
	EXPECT_STREQ(FINE, unit_broken(u, VR_BAD_INDEX));
}

TEST_F(pop, head_outside_of_the_table_is_broken)
{
	const u16 bad[] = { NUM, NUM + 1, 0x7fff, 0x8000, 0xfffe, 0xffff };
	struct unit *u = &self->unit;

	unit_offer_many(u, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		unit_put16(u, &u->avail->ring[0], bad[i]);
		EXPECT_STREQ(FINE, unit_broken(u, VR_BAD_HEAD)) TH_LOG("%u", bad[i]);
	}
	unit_put16(u, &u->avail->ring[0], 0);
	EXPECT_STREQ(FINE, takes(u, 0));
}

TEST_F(pop, same_head_twice_is_two_chains)
{
	struct unit *u = &self->unit;

	unit_offer_many(u, 1);
	unit_offer(u, 0);
	EXPECT_STREQ(FINE, takes(u, 0));
	EXPECT_STREQ(FINE, takes(u, 0));
	EXPECT_EQ(0, unit_push(u, 1));
	EXPECT_EQ(0, unit_push(u, 2));
	EXPECT_EQ(2, unit_get16(u, &u->used->idx));
}

TEST_F(pop, index_goes_on_from_65535_to_0)
{
	struct unit *u = &self->unit;

	for (u32 i = 0; i < 2 * 65536 + 3 * NUM; i++) {
		ASSERT_EQ(i & 0xffff, vr_base(&u->vr));
		unit_offer_many(u, 1);
		ASSERT_STREQ(FINE, takes(u, i % NUM)) TH_LOG("%u", i);
		ASSERT_EQ(0, unit_push(u, 0));
	}
}

TEST_F(pop, whole_ring_may_be_offered_across_65536)
{
	struct unit *u = &self->unit;

	for (u32 i = 0x10000 - 2 * NUM; i < 0x10000 + 2 * NUM; i++) {
		unit_put16(u, &u->avail->idx, i);
		unit_put16(u, &u->used->idx, i);
		ASSERT_EQ(0, unit_start(u, i & 0xffff));
		unit_offer_many(u, NUM);
		for (u32 k = 0; k < NUM; k++) {
			EXPECT_STREQ(FINE, takes(u, (i + k) % NUM))
				TH_LOG("%u", k);
		}
		claim(u, i + NUM + 1);
		EXPECT_STREQ(FINE, unit_broken(u, VR_BAD_INDEX)) TH_LOG("%#x", i);
	}
}

/* Two times around; one more than the ring has is broken. */
TEST_F(pop, ring_may_have_every_size)
{
	struct unit *u = &self->unit;

	for (u32 num = 1; num <= 32768; num *= 2) {
		unit_fini(u);
		unit_init(u, &variant->kind, num);
		ASSERT_EQ(0, unit_start(u, 0));
		for (u32 k = 0; k < 2; k++) {
			unit_offer_many(u, num);
			for (u32 i = 0; i < num; i++) {
				ASSERT_STREQ(FINE, takes(u, i))
					TH_LOG("%u of %u", i, num);
			}
			claim(u, u->offered + 1);
			ASSERT_STREQ(FINE, unit_broken(u, VR_BAD_INDEX)) TH_LOG("%u", num);
			claim(u, u->offered);
			for (u32 i = 0; i < num; i++) {
				ASSERT_EQ(0, unit_push(u, 0))
					TH_LOG("%u", i);
			}
		}
	}
}

TEST_F(pop, word_of_the_index_may_change_after_it_was_loaded)
{
	unit_offer_many(&self->unit, 2);
	hooks_watch(&self->unit.avail->idx, sizeof(__virtio16));
	hooks.flip = true;
	EXPECT_STREQ(FINE, takes(&self->unit, 0));
	EXPECT_STREQ(FINE, takes(&self->unit, 1));
	EXPECT_EQ(1, hooks_loads(&self->unit.avail->idx));
}

TEST_F(pop, user_access_that_fails_does_not_mend_the_ring)
{
	claim(&self->unit, NUM + 1);
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, unit_pop, -EPROTO));
	claim(&self->unit, 1);
	unit_put16(&self->unit, &self->unit.avail->ring[0], NUM);
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, unit_pop, -EPROTO));
}

TEST_F(pop, pending_is_how_many_there_are)
{
	struct unit *u = &self->unit;

	EXPECT_EQ(0, vr_pending(&u->vr));
	unit_offer_many(u, 3);
	EXPECT_EQ(3, vr_pending(&u->vr));
	EXPECT_STREQ(FINE, takes(u, 0));
	EXPECT_EQ(2, vr_pending(&u->vr));
	unit_offer_many(u, 1);
	EXPECT_STREQ(FINE, takes(u, 1));
	EXPECT_EQ(1, vr_pending(&u->vr));
	EXPECT_STREQ(FINE, takes(u, 2));
	EXPECT_EQ(1, vr_pending(&u->vr));
	EXPECT_STREQ(FINE, takes(u, 3));
	EXPECT_EQ(0, vr_pending(&u->vr));
}

/* What came since it last looked it does not know of. */
TEST_F(pop, seen_is_how_many_are_left)
{
	struct unit *u = &self->unit;

	unit_offer_many(u, 3);
	EXPECT_EQ(0, vr_seen(&u->vr));
	EXPECT_STREQ(FINE, takes(u, 0));
	EXPECT_EQ(2, vr_seen(&u->vr));
	unit_offer_many(u, 1);
	EXPECT_STREQ(FINE, takes(u, 1));
	EXPECT_EQ(1, vr_seen(&u->vr));
	EXPECT_STREQ(FINE, takes(u, 2));
	EXPECT_EQ(0, vr_seen(&u->vr));
	EXPECT_STREQ(FINE, takes(u, 3));
	EXPECT_EQ(0, vr_seen(&u->vr));
}

TEST_F(pop, pending_chain_may_be_a_bad_one)
{
	unit_offer(&self->unit, NUM);
	EXPECT_EQ(1, vr_pending(&self->unit.vr));
	claim(&self->unit, 0x8000);
	EXPECT_EQ(0x8000, vr_pending(&self->unit.vr));
}

TEST_F(pop, pending_takes_nothing)
{
	struct unit *u = &self->unit;
	struct vr before = u->vr;

	EXPECT_EQ(0, vr_pending(&u->vr));
	unit_offer_many(u, 1);
	EXPECT_EQ(1, vr_pending(&u->vr));
	EXPECT_EQ(1, vr_pending(&u->vr));
	EXPECT_STREQ(FINE, unit_unchanged(&before, &u->vr));
	EXPECT_STREQ(FINE, takes(u, 0));
}

TEST_F(pop, pending_loads_the_index_at_most)
{
	struct unit *u = &self->unit;

	unit_offer_many(u, 2);
	hooks_watch(u->avail, AVAIL_SIZE(NUM));
	EXPECT_EQ(2, vr_pending(&u->vr));
	EXPECT_STREQ(FINE, unit_loaded(u->avail, AVAIL_SIZE(NUM), &u->avail->idx, 2));
	EXPECT_STREQ(FINE, takes(u, 0));
	EXPECT_EQ(1, vr_pending(&u->vr));
	EXPECT_EQ(2, hooks_loads(&u->avail->idx));
}

TEST_F(pop, pending_that_fails_changes_nothing)
{
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, pending, 0));
	unit_offer_many(&self->unit, 1);
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, pending, 1));
}

TEST_HARNESS_MAIN
