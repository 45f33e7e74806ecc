// SPDX-License-Identifier: GPL-2.0-only
/* What is only about indirect tables (2.7.5.3). */
#include "kselftest_harness.h"
#include "unit.h"

#define NUM	64
#define SIZE	sizeof(struct vring_desc)

FIXTURE(table) {
	struct unit unit;
};

FIXTURE_VARIANT(table) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(table, user) { USER };
FIXTURE_VARIANT_ADD(table, user_big) { USER, BIG };
FIXTURE_VARIANT_ADD(table, kernel) { KERNEL };
FIXTURE_VARIANT_ADD(table, kernel_big) { KERNEL, BIG };

FIXTURE_SETUP(table)
{
	unit_init(&self->unit, &variant->kind, NUM);
	ASSERT_EQ(0, unit_start(&self->unit, 0));
}

FIXTURE_TEARDOWN(table)
{
	unit_fini(&self->unit);
}

/* What the table is to be, and descriptors of the ring from 0 on, where the chain begins. */
#define IN_TABLE(...) do {						\
	const struct desc _descs[] = { __VA_ARGS__ };			\
	unit_table(&self->unit, _descs, ARRAY_SIZE(_descs));		\
} while (0)

#define OFFER(...) do {							\
	const struct desc _descs[] = { __VA_ARGS__ };			\
	unit_chain(&self->unit, false, _descs, ARRAY_SIZE(_descs));	\
} while (0)

#define EXPECT_GOOD(_nr_out, _nr_in, ...) do {				\
	const struct vr_seg _segs[] = { __VA_ARGS__ };			\
	EXPECT_STREQ(FINE, unit_good(&self->unit, _nr_out, _nr_in, _segs));	\
} while (0)

#define EXPECT_BAD(_fault) EXPECT_STREQ(FINE, unit_bad(&self->unit, 0, _fault))

/* A table of @nr, each with the next, all to write but the first. */
static void fill(struct unit *u, u32 nr, struct vr_seg *segs)
{
	unit_table(u, NULL, nr);
	for (u32 i = 0; i < nr; i++) {
		struct desc desc = { 0x1000 * i, i, NEXT | (i ? WRITE : 0), i + 1 };

		if (i == nr - 1)
			desc.flags &= ~NEXT;
		unit_desc(u, unit_in_table(u, i), desc);
		segs[i] = (struct vr_seg) { desc.addr, desc.len };
	}
}

TEST_F(table, may_follow_direct_buffers)
{
	IN_TABLE({ 0x3000, 3, NEXT, 1 }, { 0x4000, 4, WRITE, 0 });
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT, 2 }, { TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_GOOD(3, 1, { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 }, { 0x4000, 4 });
}

TEST_F(table, may_follow_direct_buffers_to_write)
{
	IN_TABLE({ 0x3000, 3, NEXT | WRITE, 1 }, { 0x4000, 4, WRITE, 0 });
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT | WRITE, 2 },
	      { TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_GOOD(1, 3, { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 }, { 0x4000, 4 });
}

TEST_F(table, order_of_buffers_goes_on_into_it)
{
	IN_TABLE({ 0x3000, 3, NEXT, 1 }, { 0x4000, 4, WRITE, 0 });
	OFFER({ 0x2000, 2, NEXT | WRITE, 1 }, { TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_BAD_ORDER);
}

/* 2.7.5.3.2: the flag of the descriptor that refers to the table is ignored. */
TEST_F(table, write_flag_means_nothing)
{
	IN_TABLE({ 0x3000, 3, NEXT, 1 }, { 0x4000, 4, WRITE, 0 });
	OFFER({ 0x1000, 1, NEXT, 1 }, { TABLE, 2 * SIZE, INDIRECT | WRITE, 0 });
	EXPECT_GOOD(2, 1, { 0x1000, 1 }, { 0x3000, 3 }, { 0x4000, 4 });
}

TEST_F(table, write_flag_is_not_needed_after_buffers_to_write)
{
	IN_TABLE({ 0x3000, 3, NEXT | WRITE, 1 }, { 0x4000, 4, WRITE, 0 });
	OFFER({ 0x1000, 1, NEXT | WRITE, 1 }, { TABLE, 2 * SIZE, INDIRECT | WRITE, 0 });
	EXPECT_GOOD(0, 3, { 0x1000, 1 }, { 0x3000, 3 }, { 0x4000, 4 });
	OFFER({ 0x1000, 1, NEXT | WRITE, 1 }, { TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_GOOD(0, 3, { 0x1000, 1 }, { 0x3000, 3 }, { 0x4000, 4 });
}

TEST_F(table, next_of_its_descriptor_means_nothing)
{
	IN_TABLE({ 0x3000, 3, 0, 0 });
	OFFER({ TABLE, SIZE, INDIRECT, 0xffff });
	EXPECT_GOOD(1, 0, { 0x3000, 3 });
}

TEST_F(table, unknown_flags_mean_nothing)
{
	IN_TABLE({ 0x3000, 3, 0xfff8, 0 });
	OFFER({ TABLE, SIZE, 0xfff8 | INDIRECT, 0 });
	EXPECT_GOOD(1, 0, { 0x3000, 3 });
}

/* 2.7.5.3.1: nothing can follow a table. */
TEST_F(table, with_a_next_descriptor_is_bad)
{
	IN_TABLE({ 0x3000, 3, 0, 0 });
	OFFER({ TABLE, SIZE, INDIRECT | NEXT, 1 }, { 0x4000, 4, WRITE, 0 });
	EXPECT_BAD(VR_NOT_LAST);
	EXPECT_EQ(0, self->unit.nr_reads);
}

TEST_F(table, within_a_table_is_bad)
{
	IN_TABLE({ TABLE + SIZE, SIZE, INDIRECT, 0 }, { 0x3000, 3, 0, 0 });
	OFFER({ TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_NESTED);
	IN_TABLE({ 0x1000, 1, WRITE | NEXT, 1 }, { TABLE, SIZE, INDIRECT | WRITE | NEXT, 0 });
	OFFER({ TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_NESTED);
}

TEST_F(table, without_the_feature_is_bad)
{
	struct unit *u = &self->unit;

	u->config.features &= ~FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	ASSERT_EQ(0, unit_start(u, 0));
	IN_TABLE({ 0x3000, 3, 0, 0 });
	OFFER({ 0x1000, 1, NEXT, 1 }, { TABLE, SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_NOT_AGREED);
	EXPECT_EQ(0, u->nr_reads);
}

TEST_F(table, of_nothing_is_bad)
{
	OFFER({ TABLE, 0, INDIRECT, 0 });
	EXPECT_BAD(VR_BAD_TABLE);
	EXPECT_EQ(0, self->unit.nr_reads);
}

TEST_F(table, of_a_part_of_a_descriptor_is_bad)
{
	const u32 bad[] = { 1, 15, 17, 31, 33, 16 * 65536 - 1, 16 * 65536 + 1, 0xffffffff };

	unit_table(&self->unit, NULL, 4);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		OFFER({ TABLE, bad[i], INDIRECT, 0 });
		EXPECT_STREQ(FINE, unit_bad(&self->unit, 0, VR_BAD_TABLE)) TH_LOG("%u", bad[i]);
	}
	EXPECT_EQ(0, self->unit.nr_reads);
}

TEST_F(table, of_65536_is_good)
{
	struct unit *u = &self->unit;

	unit_table(u, NULL, 65536);
	unit_desc(u, unit_in_table(u, 0), (struct desc) { 0x1000, 1, NEXT, 0xffff });
	unit_desc(u, unit_in_table(u, 0xffff), (struct desc) { 0x2000, 2, NEXT | WRITE, 0x8000 });
	unit_desc(u, unit_in_table(u, 0x8000), (struct desc) { 0x3000, 3, WRITE, 0 });
	OFFER({ TABLE, 65536 * SIZE, INDIRECT, 0 });
	EXPECT_GOOD(1, 2, { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 });
}

TEST_F(table, of_more_than_65536_is_bad)
{
	unit_table(&self->unit, NULL, 65537);
	OFFER({ TABLE, 65537 * SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_BAD_TABLE);
	OFFER({ TABLE, 0xfffffff0, INDIRECT, 0 });
	EXPECT_BAD(VR_BAD_TABLE);
	EXPECT_EQ(0, self->unit.nr_reads);
}

TEST_F(table, beyond_the_end_of_addresses_is_bad)
{
	const struct desc bad[] = {
		{ -16ULL, 2 * SIZE, INDIRECT, 0 },
		{ -1ULL, SIZE, INDIRECT, 0 },
		{ -16ULL * 65535, 65536 * SIZE, INDIRECT, 0 },
	};

	unit_table(&self->unit, NULL, 65536);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		self->unit.guest.base = bad[i].addr;
		OFFER(bad[i]);
		EXPECT_BAD(VR_BAD_TABLE) TH_LOG("%zu", i);
	}
	EXPECT_EQ(0, self->unit.nr_reads);
}

TEST_F(table, right_before_the_end_of_addresses_is_good)
{
	IN_TABLE({ 0x3000, 3, 0, 0 });
	self->unit.guest.base = -32ULL;
	OFFER({ -32ULL, SIZE, INDIRECT, 0 });
	EXPECT_GOOD(1, 0, { 0x3000, 3 });
}

TEST_F(table, needs_no_alignment)
{
	IN_TABLE({ 0x3000, 3, 0, 0 });
	self->unit.guest.base = TABLE + 7;
	OFFER({ TABLE + 7, SIZE, INDIRECT, 0 });
	EXPECT_GOOD(1, 0, { 0x3000, 3 });
}

TEST_F(table, that_the_driver_does_not_have_is_bad)
{
	IN_TABLE({ 0x3000, 3, 0, 0 });
	OFFER({ TABLE + SIZE, SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_NO_TABLE);
	OFFER({ 0, SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_NO_TABLE);
}

TEST_F(table, that_the_driver_has_in_part_is_bad_if_the_rest_is_needed)
{
	struct vr_seg segs[33];

	fill(&self->unit, 33, segs);
	self->unit.guest.size = 32 * SIZE;
	OFFER({ TABLE, 33 * SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_NO_TABLE);
}

/* Any error but -EFAULT is one for now: the chain stays. */
TEST_F(table, that_cannot_be_read_now_can_be_read_later)
{
	const int errors[] = { -EAGAIN, -EINTR, -ENOMEM };
	struct unit *u = &self->unit;
	struct vr_seg segs[33];
	struct vr before;

	fill(u, 33, segs);
	OFFER({ TABLE, 33 * SIZE, INDIRECT, 0 });
	for (u32 i = 0; i < 9; i++) {
		memcpy(&before, &u->vr, sizeof(before));
		u->nr_reads = 0;
		u->fail_read = i % 3 + 1;
		u->read_error = errors[i / 3];
		EXPECT_EQ(errors[i / 3], unit_pop(u));
		EXPECT_STREQ(FINE, unit_only_looked(&before, &u->vr));
		EXPECT_EQ(i % 3 + 1, u->nr_reads);
	}
	u->fail_read = 0;
	EXPECT_STREQ(FINE, unit_good(u, 1, 32, segs));
}

TEST_F(table, counts_together_with_direct_buffers)
{
	struct unit *u = &self->unit;

	IN_TABLE({ 0x3000, 3, NEXT, 1 }, { 0x4000, 4, 0, 0 });
	unit_room(u, 4);
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT, 2 }, { TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_GOOD(4, 0, { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 }, { 0x4000, 4 });
	unit_room(u, 3);
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT, 2 }, { TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_TOO_LONG);
	unit_room(u, 2);
	OFFER({ 0x1000, 1, NEXT, 1 }, { 0x2000, 2, NEXT, 2 }, { TABLE, 2 * SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_TOO_LONG);
}

/* The descriptor of the table is none of the chain's buffers. */
TEST_F(table, takes_no_room_of_its_own)
{
	IN_TABLE({ 0x3000, 3, 0, 0 });
	unit_room(&self->unit, 1);
	OFFER({ TABLE, SIZE, INDIRECT, 0 });
	EXPECT_GOOD(1, 0, { 0x3000, 3 });
}

TEST_F(table, loop_is_bad_though_it_leads_through_the_whole_table)
{
	struct vr_seg segs[NUM];

	fill(&self->unit, 40, segs);
	unit_desc(&self->unit, unit_in_table(&self->unit, 39),
		  (struct desc) { 0, 0, NEXT | WRITE, 1 });
	OFFER({ TABLE, 40 * SIZE, INDIRECT, 0 });
	EXPECT_BAD(VR_TOO_LONG);
}

TEST_F(table, of_every_size_is_read_whole_once)
{
	struct unit *u = &self->unit;
	struct vr_seg segs[NUM];

	for (u32 nr = 1; nr <= NUM; nr++) {
		fill(u, nr, segs);
		hooks_watch(u->guest.mem, u->guest.size);
		OFFER({ TABLE, nr * SIZE, INDIRECT, 0 });
		ASSERT_STREQ(FINE, unit_good(u, 1, nr - 1, segs)) TH_LOG("%u", nr);
		ASSERT_STREQ(FINE, unit_loaded(u->guest.mem, u->guest.size,
					       u->guest.mem, u->guest.size));
		ASSERT_EQ(0, unit_push(u, 0));
		hooks_reset();
	}
}

/* Whatever the chain's way through it. */
TEST_F(table, is_read_within_its_bounds)
{
	const u16 way[] = { 0, 32, 15, 16, 31, 1, 17, 2, 30, 14, 33, 3, 18, 34 };
	struct vr_seg segs[ARRAY_SIZE(way)];
	struct unit *u = &self->unit;

	unit_table(u, NULL, 35);
	for (u32 i = 0; i < ARRAY_SIZE(way); i++) {
		struct desc desc = { 0x1000 * way[i], i, WRITE, 0 };

		if (i + 1 < ARRAY_SIZE(way)) {
			desc.flags |= NEXT;
			desc.next = way[i + 1];
		}
		unit_desc(u, unit_in_table(u, way[i]), desc);
		segs[i] = (struct vr_seg) { desc.addr, desc.len };
	}
	OFFER({ TABLE, 35 * SIZE, INDIRECT, 0 });
	EXPECT_STREQ(FINE, unit_good(u, 0, ARRAY_SIZE(way), segs));
	ASSERT_LE(u->nr_reads, ARRAY_SIZE(way));
	for (u32 i = 0; i < u->nr_reads; i++) {
		EXPECT_GE(u->reads[i].from, TABLE);
		EXPECT_LE(u->reads[i].from + u->reads[i].len, TABLE + 35 * SIZE);
	}
}

/* Two descriptors, any two places of a table of 34. */
TEST_F(table, chain_may_jump_from_anywhere_to_anywhere)
{
	struct unit *u = &self->unit;

	for (u16 from = 0; from < 34; from++) {
		for (u16 to = 1; to < 34; to++) {
			const struct vr_seg segs[] = {
				{ 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 },
			};

			if (from == to)
				continue;
			unit_table(u, NULL, 34);
			unit_desc(u, unit_in_table(u, 0), (struct desc) { 0x1000, 1, NEXT, from });
			unit_desc(u, unit_in_table(u, from), (struct desc) { 0x2000, 2, NEXT, to });
			unit_desc(u, unit_in_table(u, to), (struct desc) { 0x3000, 3, 0, 0 });
			OFFER({ TABLE, 34 * SIZE, INDIRECT, 0 });
			ASSERT_STREQ(FINE, from ? unit_good(u, 3, 0, segs) :
						  unit_good(u, 2, 0, segs + 1))
				TH_LOG("from %u to %u", from, to);
			ASSERT_EQ(0, unit_push(u, 0));
		}
	}
}

TEST_HARNESS_MAIN
