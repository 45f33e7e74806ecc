// SPDX-License-Identifier: GPL-2.0-only
/* Where a ring begins, stops, and goes on: vr_init(), vr_start(), vr_base(), vr_bind_...(). */
#include "kselftest_harness.h"
#include "unit.h"

#define NUM	8
#define USED	USED_SIZE(NUM)

static int init(u32 num, u32 base, u64 features)
{
	struct vr_config config = { .num = num, .base = base, .features = features };
	struct vr vr;

	memset(&vr, 0xff, sizeof(vr));
	return vr_init(&vr, &config);
}

/* 2.7: a power of two, 32768 at most. */
TEST(ring_has_a_power_of_two_up_to_32768)
{
	for (u32 num = 0; num <= 3 * 65536; num++) {
		bool good = num && !(num & (num - 1)) && num <= 32768;

		ASSERT_EQ(good ? 0 : -EINVAL, init(num, 0, 0)) TH_LOG("%u", num);
	}
	for (u32 bit = 16; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, init(1U << bit, 0, 0))
			TH_LOG("bit %u", bit);
	}
	EXPECT_EQ(-EINVAL, init(0xffffffff, 0, 0));
}

TEST(base_has_16_bits)
{
	EXPECT_EQ(0, init(1, 0xffff, 0));
	EXPECT_EQ(0, init(32768, 0xffff, 0));
	EXPECT_EQ(-EINVAL, init(1, 0x10000, 0));
	EXPECT_EQ(-EINVAL, init(1, 0x80000000, 0));
	EXPECT_EQ(-EINVAL, init(1, 0xffffffff, 0));
}

TEST(features_of_other_layouts_are_refused)
{
	EXPECT_EQ(-EOPNOTSUPP, init(8, 0, FEATURE(VIRTIO_F_RING_PACKED)));
	EXPECT_EQ(-EOPNOTSUPP, init(8, 0, FEATURE(VIRTIO_F_IN_ORDER)));
	EXPECT_EQ(-EOPNOTSUPP, init(8, 0, ~0ULL));
}

TEST(features_of_devices_do_not_matter)
{
	for (u32 bit = 0; bit < 64; bit++)
		if (bit != VIRTIO_F_RING_PACKED && bit != VIRTIO_F_IN_ORDER) {
			EXPECT_EQ(0, init(8, 0, FEATURE(bit)))
				TH_LOG("bit %u", bit);
		}
}

TEST(base_is_what_it_was_told)
{
	struct vr_config config = { .num = 8 };
	struct vr vr;

	for (config.base = 0; config.base < 0x10000; config.base += 0x1111) {
		EXPECT_EQ(0, vr_init(&vr, &config));
		EXPECT_EQ(config.base, vr_base(&vr));
	}
}

/* 2.7.3 */
TEST(version_1_is_never_big_endian)
{
	struct vr_seg seg = { 0x1000, 0x123 };
	struct unit_kind kind = { .space = VR_USER };
	struct unit unit;

	unit_init(&unit, &kind, NUM);
	unit.config.big_endian = true;
	ASSERT_EQ(0, unit_start(&unit, 0));
	unit_desc(&unit, unit.desc, (struct desc) { 0x1000, 0x123, WRITE, 0 });
	unit_offer(&unit, 0);
	EXPECT_STREQ(FINE, unit_good(&unit, 0, 1, &seg));
	unit_fini(&unit);
}

FIXTURE(start) {
	struct unit unit;
};

FIXTURE_VARIANT(start) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(start, user) { USER };
FIXTURE_VARIANT_ADD(start, user_big) { USER, BIG };
FIXTURE_VARIANT_ADD(start, kernel) { KERNEL };
FIXTURE_VARIANT_ADD(start, kernel_big) { KERNEL, BIG };
FIXTURE_VARIANT_ADD(start, user_event) { USER, EVENT };
FIXTURE_VARIANT_ADD(start, kernel_event) { KERNEL, EVENT };

FIXTURE_SETUP(start)
{
	unit_init(&self->unit, &variant->kind, NUM);
}

FIXTURE_TEARDOWN(start)
{
	unit_fini(&self->unit);
}

/* A driver that offered @offered chains, and has @used of them back. */
static void after(struct unit *u, u16 offered, u16 used)
{
	unit_put16(u, &u->avail->idx, offered);
	unit_put16(u, &u->used->idx, used);
}

static const char *takes(struct unit *u, u16 head)
{
	struct vr_seg seg = { 0x1000 * head, 16 };

	return unit_good(u, 0, 1, &seg);
}

TEST_F(start, goes_on_where_base_says)
{
	struct unit *u = &self->unit;

	for (u32 base = 0; base < 0x10000; base += 0x333) {
		after(u, base, base);
		ASSERT_EQ(0, unit_start(u, base));
		EXPECT_EQ(0, unit_pop(u));
		unit_offer_many(u, 2);
		EXPECT_STREQ(FINE, takes(u, base % NUM));
		EXPECT_STREQ(FINE, takes(u, (base + 1) % NUM));
		EXPECT_EQ(0, unit_pop(u));
	}
}

TEST_F(start, takes_what_was_offered_before)
{
	struct unit *u = &self->unit;

	unit_offer_many(u, 3);
	ASSERT_EQ(0, unit_start(u, 0));
	EXPECT_EQ(3, vr_pending(&u->vr));
	for (u16 i = 0; i < 3; i++) {
		EXPECT_STREQ(FINE, takes(u, i))
			TH_LOG("%u", i);
	}
	EXPECT_EQ(0, unit_pop(u));
}

TEST_F(start, gives_back_where_the_used_index_says)
{
	struct unit *u = &self->unit;

	for (u32 used = 0xfff0; used < 0x10010; used++) {
		after(u, used + 3, used);
		ASSERT_EQ(0, unit_start(u, (used + 3) & 0xffff));
		unit_offer_many(u, 1);
		EXPECT_EQ(1, unit_pop(u));
		EXPECT_EQ(0, unit_push(u, 77));
		EXPECT_EQ((used + 1) & 0xffff, unit_get16(u, &u->used->idx));
		EXPECT_EQ(77, unit_get32(u, &u->used->ring[used % NUM].len));
	}
}

/* Those in flight were taken by somebody, once, and have not been given back. */
TEST_F(start, refuses_more_in_flight_than_the_ring)
{
	struct unit *u = &self->unit;

	for (u32 base = 0x10000 - 2 * NUM; base <= 0x10000 + 2 * NUM; base++) {
		for (u32 flight = 0; flight <= NUM; flight++) {
			after(u, base, base - flight);
			EXPECT_EQ(0, unit_start(u, base & 0xffff)) TH_LOG("%#x %u", base, flight);
		}
		after(u, base, base - NUM - 1);
		EXPECT_EQ(-EPROTO, unit_start(u, base & 0xffff));
		after(u, base, base - 0x8000);
		EXPECT_EQ(-EPROTO, unit_start(u, base & 0xffff));
	}
}

TEST_F(start, refuses_more_given_back_than_taken)
{
	after(&self->unit, 5, 5);
	EXPECT_EQ(-EPROTO, unit_start(&self->unit, 4));
	after(&self->unit, 0, 0);
	EXPECT_EQ(-EPROTO, unit_start(&self->unit, 0xffff));
}

TEST_F(start, counts_those_in_flight)
{
	struct unit *u = &self->unit;

	for (u32 used = 0xfff8; used <= 0x10004; used++) {
		after(u, used + 5, used);
		ASSERT_EQ(0, unit_start(u, (used + 5) & 0xffff));
		unit_put16(u, &u->avail->idx, used + NUM + 1);
		EXPECT_STREQ(FINE, unit_broken(u, VR_BAD_INDEX))
			TH_LOG("%#x", used);
		unit_offer_many(u, NUM - 5);
		for (u32 i = used + 5; i < used + NUM; i++) {
			EXPECT_STREQ(FINE, takes(u, i % NUM))
				TH_LOG("%#x", i);
		}
		EXPECT_EQ(0, unit_pop(u));
	}
}

TEST_F(start, lets_the_driver_notify)
{
	unit_put16(&self->unit, &self->unit.used->flags, 0xffff);
	ASSERT_EQ(0, unit_start(&self->unit, 0));
	EXPECT_EQ(0, unit_get16(&self->unit, &self->unit.used->flags));
}

TEST_F(start, that_is_refused_writes_nothing)
{
	struct unit *u = &self->unit;
	char used[USED];

	memset(u->used, 0x5a, USED);
	memcpy(used, u->used, USED);
	EXPECT_EQ(-EPROTO, unit_start(u, 0));
	EXPECT_EQ(0, memcmp(used, u->used, USED));
}

TEST_F(start, writes_nothing_but_the_flags)
{
	struct unit *u = &self->unit;
	char used[USED];

	memset(u->used, 0x5a, USED);
	after(u, 0x5a5a, 0x5a5a);
	unit_put16(u, unit_used_event(u), 0x1234);
	memcpy(used, u->used, USED);
	memset(used, 0, 2);
	ASSERT_EQ(0, unit_start(u, 0x5a5a));
	memcpy(used + USED - 2, unit_avail_event(u), 2);
	EXPECT_EQ(0, memcmp(used, u->used, USED));
	EXPECT_EQ(0x1234, unit_get16(u, unit_used_event(u)));
}

static int start(struct unit *u)
{
	return vr_start(&u->vr);
}

TEST_F(start, user_access_that_fails_changes_nothing)
{
	struct unit *u = &self->unit;

	after(u, 7, 2);
	ASSERT_EQ(0, unit_start(u, 7));
	EXPECT_STREQ(FINE, unit_sweep(u, start, 0));
}

TEST_F(start, word_of_the_index_is_loaded_once)
{
	struct unit *u = &self->unit;

	after(u, 7, 2);
	hooks_watch(u->used, USED);
	hooks.flip = true;
	ASSERT_EQ(0, unit_start(u, 7));
	EXPECT_STREQ(FINE, unit_loaded(u->used, USED, &u->used->idx, 2));
}

/* Save the base, and have another device go on: no chain is lost or comes twice. */
TEST_F(start, base_makes_a_round_trip)
{
	struct unit *u = &self->unit;
	struct vr_done done;

	ASSERT_EQ(0, unit_start(u, 0));
	for (u32 i = 0; i < 70000; i += 3) {
		u32 base = vr_base(&u->vr);

		ASSERT_EQ(i & 0xffff, base);
		ASSERT_EQ(0, unit_start(u, base));
		unit_offer_many(u, 3);
		ASSERT_STREQ(FINE, takes(u, i % NUM));
		done = (struct vr_done) { u->chain.ticket, 5 };
		ASSERT_STREQ(FINE, takes(u, (i + 1) % NUM));
		ASSERT_EQ(0, unit_push(u, 6));
		ASSERT_EQ(0, vr_push(&u->vr, &done, 1));
		ASSERT_EQ(0, unit_start(u, vr_base(&u->vr)));
		ASSERT_STREQ(FINE, takes(u, (i + 2) % NUM));
		ASSERT_EQ(0, unit_push(u, 7));
		ASSERT_EQ((i + 3) & 0xffff, unit_get16(u, &u->used->idx));
	}
}

TEST_F(start, chains_in_flight_are_not_taken_again)
{
	struct unit *u = &self->unit;

	ASSERT_EQ(0, unit_start(u, 0));
	unit_offer_many(u, 3);
	EXPECT_STREQ(FINE, takes(u, 0));
	EXPECT_STREQ(FINE, takes(u, 1));
	ASSERT_EQ(0, unit_start(u, vr_base(&u->vr)));
	EXPECT_STREQ(FINE, takes(u, 2));
	EXPECT_EQ(0, unit_pop(u));
}

static void bind_avail(struct unit *u, enum vr_space space)
{
	vr_bind_avail(&u->vr, space, &u->at);
}

static void bind_used(struct unit *u, enum vr_space space)
{
	vr_bind_used(&u->vr, space, &u->at);
}

/* Each side is reached in a way of its own, which may change at any time. */
TEST_F(start, sides_are_bound_each_by_itself)
{
	struct unit *u = &self->unit;

	ASSERT_EQ(0, unit_start(u, 0));
	for (u32 i = 0; i < 100; i++) {
		unsigned long accesses = 0;

		if (i % 2)
			bind_avail(u, i & 4 ? VR_USER : VR_KERNEL);
		if (i % 3)
			bind_used(u, i & 8 ? VR_USER : VR_KERNEL);
		unit_offer_many(u, 1);
		hooks.accesses = 0;
		ASSERT_STREQ(FINE, takes(u, i % NUM));
		accesses = u->vr.avail.ops == vr_split_ops(VR_USER, u->swap) ? 3 : 0;
		EXPECT_EQ(accesses, hooks.accesses);
		hooks.accesses = 0;
		ASSERT_EQ(0, unit_push(u, i));
		accesses = u->vr.used.ops == vr_split_ops(VR_USER, u->swap) ? 2 : 0;
		EXPECT_EQ(accesses, hooks.accesses);
		EXPECT_EQ(i, unit_get32(u, &u->used->ring[i % NUM].len));
	}
}

TEST_F(start, binding_forgets_nothing)
{
	struct unit *u = &self->unit;

	ASSERT_EQ(0, unit_start(u, 0));
	unit_offer_many(u, 3);
	EXPECT_STREQ(FINE, takes(u, 0));
	bind_avail(u, VR_USER);
	bind_avail(u, VR_KERNEL);
	EXPECT_STREQ(FINE, takes(u, 1));
	EXPECT_EQ(0, unit_push(u, 1));
	bind_used(u, VR_KERNEL);
	bind_used(u, VR_USER);
	EXPECT_EQ(0, unit_push(u, 2));
	EXPECT_EQ(2, unit_get16(u, &u->used->idx));
	EXPECT_STREQ(FINE, takes(u, 2));
}

/* The same ring, mapped at other addresses. */
TEST_F(start, sides_may_move)
{
	struct unit *u = &self->unit;
	struct unit old;

	ASSERT_EQ(0, unit_start(u, 0));
	unit_offer_many(u, 2);
	EXPECT_STREQ(FINE, takes(u, 0));
	old = *u;
	unit_init(u, &variant->kind, NUM);
	memcpy(u->desc, old.desc, NUM * sizeof(*u->desc));
	memcpy(u->avail, old.avail, AVAIL_SIZE(NUM));
	memcpy(u->used, old.used, USED);
	u->vr = old.vr;
	u->vr.context = u;
	u->chain.ticket = old.chain.ticket;
	unit_fini(&old);
	bind_avail(u, u->space);
	EXPECT_STREQ(FINE, takes(u, 1));
	bind_used(u, u->space);
	EXPECT_EQ(0, unit_push(u, 9));
	EXPECT_EQ(9, unit_get32(u, &u->used->ring[0].len));
	EXPECT_EQ(0, vr_kick_on(&u->vr));
}

TEST_HARNESS_MAIN
