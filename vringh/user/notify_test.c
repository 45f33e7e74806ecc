// SPDX-License-Identifier: GPL-2.0-only
/*
 * When each side wants to be told: vr_kick_on() and vr_kick_off() (2.7.10),
 * vr_interrupt() (2.7.7).
 */
#include "kselftest_harness.h"
#include "unit.h"

#define NUM	16

#define EXPECT_FLAGS(_flags) \
	EXPECT_EQ(_flags, unit_get16(&self->unit, &self->unit.used->flags))
#define EXPECT_AVAIL_EVENT(_idx) \
	EXPECT_EQ(_idx, unit_get16(&self->unit, unit_avail_event(&self->unit)))

/* A ring that goes on from @base, which the driver may have reached. */
static int start_at(struct unit *u, u16 base)
{
	unit_put16(u, &u->avail->idx, base);
	unit_put16(u, &u->used->idx, base);
	return unit_start(u, base);
}

static int kick_on(struct unit *u)
{
	return vr_kick_on(&u->vr);
}

static int kick_off(struct unit *u)
{
	return vr_kick_off(&u->vr);
}

static int interrupt(struct unit *u)
{
	return vr_interrupt(&u->vr);
}

/* Take and give back @n chains, as many at a time as the ring has. */
static int use(struct unit *u, u32 n)
{
	struct vr_done done[NUM];

	while (n) {
		u32 batch = min_t(u32, n, NUM);

		unit_offer_many(u, batch);
		for (u32 i = 0; i < batch; i++) {
			if (unit_pop(u) != 1)
				return -1;
			done[i] = (struct vr_done) { u->chain.ticket, 0 };
		}
		if (vr_push(&u->vr, done, batch))
			return -1;
		n -= batch;
	}
	return 0;
}

/* Rules of notifications that are the same with and without event index. */
FIXTURE(kick) {
	struct unit unit;
};

FIXTURE_VARIANT(kick) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(kick, user) { USER };
FIXTURE_VARIANT_ADD(kick, user_big) { USER, BIG };
FIXTURE_VARIANT_ADD(kick, kernel) { KERNEL };
FIXTURE_VARIANT_ADD(kick, kernel_big) { KERNEL, BIG };
FIXTURE_VARIANT_ADD(kick, user_event) { USER, EVENT };
FIXTURE_VARIANT_ADD(kick, user_big_event) { USER, BIG, EVENT };
FIXTURE_VARIANT_ADD(kick, kernel_event) { KERNEL, EVENT };
FIXTURE_VARIANT_ADD(kick, kernel_big_event) { KERNEL, BIG, EVENT };

FIXTURE_SETUP(kick)
{
	unit_init(&self->unit, &variant->kind, NUM);
	ASSERT_EQ(0, unit_start(&self->unit, 0));
}

FIXTURE_TEARDOWN(kick)
{
	unit_fini(&self->unit);
}

static bool has_event(const struct unit *u)
{
	return u->config.features & FEATURE(VIRTIO_RING_F_EVENT_IDX);
}

/* Does the device want a notification of the chain at @position? (2.7.10) */
static bool wants_kick(const struct unit *u, u16 position)
{
	if (has_event(u))
		return unit_get16(u, unit_avail_event(u)) == position;
	return !(unit_get16(u, &u->used->flags) & VRING_USED_F_NO_NOTIFY);
}

TEST_F(kick, on_asks_for_the_next_chain)
{
	struct unit *u = &self->unit;

	EXPECT_EQ(0, kick_on(u));
	EXPECT_TRUE(wants_kick(u, 0));
	ASSERT_EQ(0, use(u, 5));
	EXPECT_EQ(0, kick_off(u));
	EXPECT_EQ(0, kick_on(u));
	EXPECT_TRUE(wants_kick(u, 5));
}

TEST_F(kick, off_asks_for_none)
{
	struct unit *u = &self->unit;

	EXPECT_EQ(0, kick_on(u));
	ASSERT_EQ(0, use(u, 1));
	EXPECT_EQ(0, kick_off(u));
	for (u16 i = 1; i < 100; i++) {
		EXPECT_FALSE(wants_kick(u, i))
			TH_LOG("%u", i);
	}
}

/* 2.7.10.1: with VIRTIO_RING_F_EVENT_IDX the device sets flags to 0. */
TEST_F(kick, flags_are_not_used_with_event_index)
{
	struct unit *u = &self->unit;

	EXPECT_EQ(0, kick_off(u));
	EXPECT_FLAGS(has_event(u) ? 0 : VRING_USED_F_NO_NOTIFY);
	EXPECT_EQ(0, kick_on(u));
	EXPECT_FLAGS(0);
}

TEST_F(kick, event_index_is_not_used_without_the_feature)
{
	struct unit *u = &self->unit;

	unit_put16(u, unit_avail_event(u), 0x1234);
	ASSERT_EQ(0, use(u, 3));
	EXPECT_EQ(0, kick_off(u));
	EXPECT_AVAIL_EVENT(0x1234);
	EXPECT_EQ(0, kick_on(u));
	EXPECT_AVAIL_EVENT(has_event(u) ? 3 : 0x1234);
}

TEST_F(kick, on_says_if_there_is_a_new_chain)
{
	struct unit *u = &self->unit;

	unit_offer_many(u, 1);
	EXPECT_EQ(1, kick_on(u));
	EXPECT_EQ(1, kick_on(u));
	EXPECT_EQ(1, unit_pop(u));
	EXPECT_EQ(0, kick_on(u));
	unit_offer_many(u, 1);
	EXPECT_EQ(1, kick_on(u));
}

/* Or a device that leaves some for later would never sleep. */
TEST_F(kick, on_does_not_count_chains_that_were_seen)
{
	struct unit *u = &self->unit;

	unit_offer_many(u, 3);
	EXPECT_EQ(1, unit_pop(u));
	EXPECT_EQ(0, kick_on(u));
	EXPECT_TRUE(wants_kick(u, 3));
	unit_offer_many(u, 1);
	EXPECT_EQ(1, kick_on(u));
	EXPECT_EQ(1, unit_pop(u));
	EXPECT_EQ(1, unit_pop(u));
	EXPECT_EQ(1, kick_on(u));
	EXPECT_EQ(1, unit_pop(u));
	EXPECT_EQ(0, unit_pop(u));
	EXPECT_EQ(0, kick_on(u));
	EXPECT_TRUE(wants_kick(u, 4));
}

TEST_F(kick, on_does_not_count_a_chain_that_could_not_be_read)
{
	struct unit *u = &self->unit;
	const struct desc desc = { 0x1000, 1, 0, 0 };

	unit_chain(u, true, &desc, 1);
	u->fail_read = 1;
	u->read_error = -EAGAIN;
	EXPECT_EQ(-EAGAIN, unit_pop(u));
	EXPECT_EQ(0, kick_on(u));
	EXPECT_TRUE(wants_kick(u, 1));
	EXPECT_EQ(1, unit_pop(u));
}

TEST_F(kick, index_goes_on_from_65535_to_0)
{
	struct unit *u = &self->unit;

	for (u32 base = 0x10000 - 4; base < 0x10000 + 4; base++) {
		ASSERT_EQ(0, start_at(u, base));
		EXPECT_EQ(0, kick_on(u));
		EXPECT_TRUE(wants_kick(u, base));
		unit_offer_many(u, 1);
		EXPECT_EQ(1, kick_on(u));
		EXPECT_EQ(1, unit_pop(u));
		EXPECT_EQ(0, kick_on(u));
		EXPECT_TRUE(wants_kick(u, base + 1));
	}
}

TEST_F(kick, chains_come_whether_on_or_off)
{
	EXPECT_EQ(0, kick_off(&self->unit));
	EXPECT_EQ(0, use(&self->unit, 3));
	EXPECT_EQ(0, kick_on(&self->unit));
	EXPECT_EQ(0, use(&self->unit, 3));
}

TEST_F(kick, on_and_off_take_nothing)
{
	struct unit *u = &self->unit;
	struct vr before = u->vr;

	unit_offer_many(u, 2);
	EXPECT_EQ(1, kick_on(u));
	EXPECT_EQ(0, kick_off(u));
	EXPECT_STREQ(FINE, unit_unchanged(&before, &u->vr));
}

TEST_F(kick, user_access_that_fails_changes_nothing)
{
	struct unit *u = &self->unit;
	u32 accesses;

	EXPECT_STREQ(FINE, unit_sweep(u, kick_on, 0));
	unit_offer_many(u, 1);
	EXPECT_STREQ(FINE, unit_sweep(u, kick_on, 1));
	hooks_reset();
	EXPECT_EQ(0, kick_off(u));
	accesses = hooks.accesses;
	EXPECT_EQ(u->space == VR_USER && !has_event(u), accesses);
	hooks.fail = accesses + 1;
	EXPECT_EQ(accesses ? -EFAULT : 0, kick_off(u));
}

struct offer {
	struct unit *unit;
	bool offered;
	bool wanted;
};

/* The driver offers a chain at the last moment, and looks if it is to kick. */
static void offer_late(void *context, const void *from, size_t size)
{
	struct offer *offer = context;
	struct unit *u = offer->unit;

	(void)size;
	if (from != &u->avail->idx || offer->offered)
		return;
	offer->offered = true;
	unit_offer_many(u, 1);
	offer->wanted = wants_kick(u, 0);
}

/* The request is stored before the index is looked at (2.7.13.4.1 is the other half). */
TEST_F(kick, on_misses_no_chain)
{
	struct offer offer = { .unit = &self->unit };

	EXPECT_EQ(0, kick_off(&self->unit));
	unit_put16(&self->unit, unit_avail_event(&self->unit), 0x5555);
	hooks.context = &offer;
	hooks.load = offer_late;
	EXPECT_EQ(1, kick_on(&self->unit));
	EXPECT_TRUE(offer.wanted);
}

/* What the driver is told, without event index: by the flags (2.7.7). */
FIXTURE(flags) {
	struct unit unit;
};

FIXTURE_VARIANT(flags) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(flags, user) { USER };
FIXTURE_VARIANT_ADD(flags, user_big) { USER, BIG };
FIXTURE_VARIANT_ADD(flags, kernel) { KERNEL };
FIXTURE_VARIANT_ADD(flags, kernel_big) { KERNEL, BIG };

FIXTURE_SETUP(flags)
{
	unit_init(&self->unit, &variant->kind, NUM);
	ASSERT_EQ(0, unit_start(&self->unit, 0));
}

FIXTURE_TEARDOWN(flags)
{
	unit_fini(&self->unit);
}

TEST_F(flags, driver_is_told_unless_it_said_no)
{
	struct unit *u = &self->unit;

	for (u32 i = 0; i < 3; i++) {
		unit_put16(u, &u->avail->flags, 0);
		ASSERT_EQ(0, use(u, 1));
		EXPECT_EQ(1, interrupt(u));
		unit_put16(u, &u->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
		ASSERT_EQ(0, use(u, 1));
		EXPECT_EQ(0, interrupt(u));
	}
}

TEST_F(flags, no_is_one_bit)
{
	struct unit *u = &self->unit;

	ASSERT_EQ(0, use(u, 1));
	for (u32 bit = 0; bit < 16; bit++) {
		unit_put16(u, &u->avail->flags, 1 << bit);
		EXPECT_EQ(bit != 0, interrupt(u));
		unit_put16(u, &u->avail->flags, ~(1 << bit));
		EXPECT_EQ(bit == 0, interrupt(u));
	}
}

TEST_F(flags, event_index_does_not_matter)
{
	struct unit *u = &self->unit;

	for (u32 i = 0; i < 3; i++) {
		ASSERT_EQ(0, use(u, 1));
		unit_put16(u, unit_used_event(u), i + 2);
		unit_put16(u, &u->avail->flags, 0);
		EXPECT_EQ(1, interrupt(u));
		unit_put16(u, unit_used_event(u), i);
		unit_put16(u, &u->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
		EXPECT_EQ(0, interrupt(u));
	}
}

TEST_F(flags, word_is_loaded_once_and_no_other)
{
	struct unit *u = &self->unit;

	ASSERT_EQ(0, use(u, 1));
	hooks_watch(u->avail, AVAIL_SIZE(NUM));
	hooks_watch(u->used, USED_SIZE(NUM));
	EXPECT_EQ(1, interrupt(u));
	EXPECT_STREQ(FINE, unit_loaded(u->avail, AVAIL_SIZE(NUM),
				       &u->avail->flags, 2));
	EXPECT_STREQ(FINE, unit_loaded(u->used, USED_SIZE(NUM), NULL, 0));
}

TEST_F(flags, user_access_that_fails_leaves_the_question)
{
	ASSERT_EQ(0, use(&self->unit, 1));
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, interrupt, 1));
	unit_put16(&self->unit, &self->unit.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, interrupt, 0));
}

/* What the driver is told with event index (2.7.7, 2.7.7.2). */
FIXTURE(event) {
	struct unit unit;
};

FIXTURE_VARIANT(event) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(event, user) { USER, EVENT };
FIXTURE_VARIANT_ADD(event, user_big) { USER, BIG, EVENT };
FIXTURE_VARIANT_ADD(event, kernel) { KERNEL, EVENT };
FIXTURE_VARIANT_ADD(event, kernel_big) { KERNEL, BIG, EVENT };

/* A ring whose first question, which is special, was answered. */
static int begin_at(struct unit *u, u16 base)
{
	if (start_at(u, base))
		return -1;
	return interrupt(u) == 1 ? 0 : -1;
}

FIXTURE_SETUP(event)
{
	unit_init(&self->unit, &variant->kind, NUM);
	ASSERT_EQ(0, begin_at(&self->unit, 0));
}

FIXTURE_TEARDOWN(event)
{
	unit_fini(&self->unit);
}

static void wait_for(const struct unit *u, u16 event)
{
	unit_put16(u, unit_used_event(u), event);
}

TEST_F(event, driver_is_told_of_the_chain_it_waits_for)
{
	struct unit *u = &self->unit;

	wait_for(u, 3);
	for (u32 i = 0; i < 10; i++) {
		ASSERT_EQ(0, use(u, 1));
		EXPECT_EQ(i == 3, interrupt(u)) TH_LOG("%u", i);
	}
}

TEST_F(event, driver_is_told_of_each_chain_if_it_waits_for_each)
{
	for (u32 i = 0; i < 10; i++) {
		wait_for(&self->unit, i);
		ASSERT_EQ(0, use(&self->unit, 1));
		EXPECT_EQ(1, interrupt(&self->unit)) TH_LOG("%u", i);
	}
}

/* All that were given back since the last question, each way to have it among them. */
TEST_F(event, one_question_is_for_all_since_the_last)
{
	struct unit *u = &self->unit;

	for (u32 n = 1; n <= 20; n++) {
		for (u32 event = 0; event <= 24; event++) {
			ASSERT_EQ(0, begin_at(u, 2));
			for (u32 i = 0; i < n; i++) {
				ASSERT_EQ(0, use(u, 1))
					TH_LOG("%u", i);
			}
			wait_for(u, event);
			EXPECT_EQ(event >= 2 && event < 2 + n, interrupt(u))
				TH_LOG("%u used, event %u", n, event);
			EXPECT_EQ(0, interrupt(u));
		}
	}
}

TEST_F(event, no_answer_counts_as_an_answer)
{
	struct unit *u = &self->unit;

	wait_for(u, 100);
	ASSERT_EQ(0, use(u, 2));
	EXPECT_EQ(0, interrupt(u));
	wait_for(u, 1);
	ASSERT_EQ(0, use(u, 1));
	EXPECT_EQ(0, interrupt(u));
}

TEST_F(event, no_chain_is_none_to_tell_of)
{
	for (u32 event = 0xfff0; event < 0x10010; event++) {
		wait_for(&self->unit, event);
		EXPECT_EQ(0, interrupt(&self->unit)) TH_LOG("%#x", event);
	}
}

TEST_F(event, index_goes_on_from_65535_to_0)
{
	struct unit *u = &self->unit;

	for (u32 base = 0x10000 - 6; base < 0x10000 + 2; base++) {
		for (u32 event = 0x10000 - 10; event < 0x10000 + 10; event++) {
			ASSERT_EQ(0, begin_at(u, base));
			ASSERT_EQ(0, use(u, 4));
			wait_for(u, event);
			EXPECT_EQ(event >= base && event < base + 4, interrupt(u))
				TH_LOG("base %#x, event %#x", base, event);
		}
	}
}

/* 2.7.7.2: the flags are ignored. */
TEST_F(event, flags_do_not_matter)
{
	struct unit *u = &self->unit;

	unit_put16(u, &u->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	wait_for(u, 0);
	ASSERT_EQ(0, use(u, 1));
	EXPECT_EQ(1, interrupt(u));
	unit_put16(u, &u->avail->flags, 0);
	ASSERT_EQ(0, use(u, 1));
	EXPECT_EQ(0, interrupt(u));
}

/* Nobody knows what was told before. */
TEST_F(event, first_question_after_start_is_answered_yes)
{
	struct unit *u = &self->unit;

	for (u32 event = 0; event < 0x10000; event += 0x1111) {
		ASSERT_EQ(0, start_at(u, 7));
		wait_for(u, event);
		ASSERT_EQ(0, use(u, 1));
		EXPECT_EQ(1, interrupt(u)) TH_LOG("%#x", event);
		wait_for(u, 100);
		ASSERT_EQ(0, use(u, 1));
		EXPECT_EQ(0, interrupt(u));
	}
}

/* By then the event, a number of 16 bits, may have been met and left behind again. */
TEST_F(event, more_than_65535_chains_are_always_told_of)
{
	struct unit *u = &self->unit;

	wait_for(u, 0xffff);
	ASSERT_EQ(0, use(u, 65535));
	EXPECT_EQ(0, interrupt(u));

	for (u32 event = 0; event < 0x10000; event += 0x5555) {
		ASSERT_EQ(0, begin_at(u, 0));
		wait_for(u, event);
		ASSERT_EQ(0, use(u, 65536 + 2));
		EXPECT_EQ(1, interrupt(u)) TH_LOG("%#x", event);
		ASSERT_EQ(0, use(u, 1));
		EXPECT_EQ(0, interrupt(u)) TH_LOG("%#x", event);
	}
	ASSERT_EQ(0, begin_at(u, 0));
	wait_for(u, 0x8000);
	ASSERT_EQ(0, use(u, 65536));
	EXPECT_EQ(1, interrupt(u));
}

TEST(chains_not_given_back_are_none_to_tell_of)
{
	const struct unit_kind kind = { .space = VR_USER, .event = true };
	struct unit unit, *u = &unit;

	unit_init(u, &kind, NUM);
	ASSERT_EQ(0, begin_at(u, 0));
	wait_for(u, 1);
	ASSERT_EQ(0, use(u, 1));
	EXPECT_EQ(0, interrupt(u));
	hooks.fail = hooks.accesses + 2;
	EXPECT_EQ(-EFAULT, unit_push(u, 0));
	EXPECT_EQ(0, interrupt(u));
	EXPECT_EQ(0, unit_push(u, 0));
	EXPECT_EQ(1, interrupt(u));
	unit_fini(u);
}

TEST_F(event, word_is_loaded_once_and_no_other)
{
	struct unit *u = &self->unit;

	ASSERT_EQ(0, use(u, 1));
	hooks_watch(u->avail, AVAIL_SIZE(NUM));
	hooks_watch(u->used, USED_SIZE(NUM));
	hooks.flip = true;
	EXPECT_EQ(1, interrupt(u));
	EXPECT_STREQ(FINE, unit_loaded(u->avail, AVAIL_SIZE(NUM),
				       unit_used_event(u), 2));
	EXPECT_STREQ(FINE, unit_loaded(u->used, USED_SIZE(NUM), NULL, 0));
}

TEST_F(event, user_access_that_fails_leaves_the_question)
{
	wait_for(&self->unit, 1);
	ASSERT_EQ(0, use(&self->unit, 2));
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, interrupt, 1));
	EXPECT_STREQ(FINE, unit_sweep(&self->unit, interrupt, 0));
}

/* VIRTIO_F_NOTIFY_ON_EMPTY, of legacy devices. */
FIXTURE(empty) {
	struct unit unit;
};

FIXTURE_VARIANT(empty) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(empty, user) { USER, ON_EMPTY };
FIXTURE_VARIANT_ADD(empty, user_event) { USER, ON_EMPTY, EVENT };
FIXTURE_VARIANT_ADD(empty, kernel) { KERNEL, ON_EMPTY };
FIXTURE_VARIANT_ADD(empty, kernel_event) { KERNEL, ON_EMPTY, EVENT };

FIXTURE_SETUP(empty)
{
	unit_init(&self->unit, &variant->kind, NUM);
	ASSERT_EQ(0, begin_at(&self->unit, 0));
}

FIXTURE_TEARDOWN(empty)
{
	unit_fini(&self->unit);
}

/* The driver wants no interrupts, in either language. */
static void hush(const struct unit *u)
{
	unit_put16(u, &u->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	wait_for(u, 0x8000);
}

TEST_F(empty, driver_is_told_when_the_ring_is_drained)
{
	hush(&self->unit);
	for (u32 i = 0; i < 3; i++) {
		ASSERT_EQ(0, use(&self->unit, 3));
		EXPECT_EQ(1, interrupt(&self->unit));
	}
}

TEST_F(empty, driver_is_not_told_before_that)
{
	struct unit *u = &self->unit;

	hush(u);
	unit_offer_many(u, 2);
	ASSERT_EQ(1, unit_pop(u));
	ASSERT_EQ(0, unit_push(u, 0));
	EXPECT_EQ(0, interrupt(u));
	ASSERT_EQ(1, unit_pop(u));
	ASSERT_EQ(0, unit_push(u, 0));
	EXPECT_EQ(1, interrupt(u));
}

TEST_F(empty, driver_is_told_what_it_waits_for_too)
{
	struct unit *u = &self->unit;

	hush(u);
	unit_offer_many(u, 3);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(1, unit_pop(u));
		ASSERT_EQ(0, unit_push(u, 0));
		EXPECT_EQ(i, interrupt(u));
		unit_put16(u, &u->avail->flags, 0);
		wait_for(u, 1);
	}
}

TEST_F(empty, only_if_it_was_agreed_upon)
{
	struct unit *u = &self->unit;

	u->config.features &= ~FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY);
	ASSERT_EQ(0, begin_at(u, 0));
	hush(u);
	ASSERT_EQ(0, use(u, 3));
	EXPECT_EQ(0, interrupt(u));
}

TEST_HARNESS_MAIN
