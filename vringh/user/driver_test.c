// SPDX-License-Identifier: GPL-2.0-only
/* The driver that everything else is tested with: against a device made by hand. */
#include "kselftest_harness.h"
#include "../env.h"
#include "driver.h"

#define NUM	16

FIXTURE(driver) {
	struct drv drv;
	void *mem;
	int tokens[NUM];
	u16 used;	/* the used idx */
};

FIXTURE_VARIANT(driver) {
	bool big_endian;
	bool event;
};

FIXTURE_VARIANT_ADD(driver, little) { .event = false };
FIXTURE_VARIANT_ADD(driver, big) { .big_endian = true };
FIXTURE_VARIANT_ADD(driver, little_event) { .event = true };
FIXTURE_VARIANT_ADD(driver, big_event) { .big_endian = true, .event = true };

FIXTURE_SETUP(driver)
{
	u64 features = variant->event ? 1ULL << VIRTIO_RING_F_EVENT_IDX : 0;

	ASSERT_EQ(0, posix_memalign(&self->mem, 4096, drv_ring_size(NUM)));
	memset(self->mem, 0xa5, drv_ring_size(NUM));
	ASSERT_EQ(0, drv_init(&self->drv, self->mem, NUM, features, variant->big_endian));
}

FIXTURE_TEARDOWN(driver)
{
	drv_fini(&self->drv);
	free(self->mem);
}

/* Numbers of the ring, as this device has them. */
static u16 of16(const struct drv *drv, u16 x)
{
	return drv->swap ? swab16(x) : x;
}

static u32 of32(const struct drv *drv, u32 x)
{
	return drv->swap ? swab32(x) : x;
}

static u64 of64(const struct drv *drv, u64 x)
{
	return drv->swap ? swab64(x) : x;
}

/* Write an element of the used ring, and the index behind it. */
static void give_back(struct drv *drv, u16 *used, u32 id, u32 len)
{
	struct vring_used_elem *elem = &drv->used->ring[*used % drv->num];

	elem->id = of32(drv, id);
	elem->len = of32(drv, len);
	drv->used->idx = of16(drv, ++*used);
}

static u16 head(const struct drv *drv, u16 position)
{
	return of16(drv, drv->avail->ring[position % drv->num]);
}

/* Add chain number @i, of one buffer of 100 bytes to write; publish it. */
static int offer(struct drv *drv, int *token)
{
	struct drv_buf buf = { 0x1000, 100 };
	int err = drv_add(drv, &buf, 0, 1, NULL, 0, token);

	drv_publish(drv);
	return err;
}

#define EXPECT_DESC(_desc, _addr, _len, _flags) do {			\
	const struct vring_desc *_d = _desc;				\
	EXPECT_EQ(_addr, of64(&self->drv, _d->addr));			\
	EXPECT_EQ(_len, of32(&self->drv, _d->len));			\
	EXPECT_EQ(_flags, of16(&self->drv, _d->flags));			\
} while (0)

/* The descriptor behind @desc in its chain. */
static const struct vring_desc *behind(const struct drv *drv, const struct vring_desc *desc)
{
	return &drv->desc[of16(drv, desc->next)];
}

TEST(ring_has_a_power_of_two_up_to_32768)
{
	const u32 bad[] = { 0, 3, 6, 32767, 32769, 65536, 0x80000000 };
	struct drv drv;
	void *mem;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, drv_init(&drv, NULL, bad[i], 0, false))
			TH_LOG("%zu", i);
	}
	for (u32 num = 1; num <= 32768; num *= 2) {
		ASSERT_EQ(0, posix_memalign(&mem, 4096, drv_ring_size(num)));
		EXPECT_EQ(0, drv_init(&drv, mem, num, 0, false));
		EXPECT_EQ(num, drv.nr_free);
		drv_fini(&drv);
		free(mem);
	}
}

/* 2.7.2 */
TEST_F(driver, has_the_layout_of_legacy_devices)
{
	for (u32 num = 1; num <= 32768; num *= 2) {
		EXPECT_EQ(vring_size(num, 4096), drv_ring_size(num))
			TH_LOG("%u", num);
	}
	EXPECT_EQ(self->mem, self->drv.desc);
	EXPECT_EQ((char *)self->mem + 16 * NUM, (char *)self->drv.avail);
	EXPECT_EQ((char *)self->mem + 4096, (char *)self->drv.used);
}

/* 2.7.3 */
TEST_F(driver, version_1_is_never_big_endian)
{
	struct drv drv;

	ASSERT_EQ(0, drv_init(&drv, self->mem, NUM, 1ULL << VIRTIO_F_VERSION_1, true));
	EXPECT_EQ(VR_HOST_BIG_ENDIAN, drv.swap);
	drv_fini(&drv);
}

/* 2.7.6.1, 2.7.7.1: the flags and the index are 0 at first. */
TEST_F(driver, begins_with_an_empty_ring)
{
	const char *byte = self->mem;

	for (size_t i = 0; i < drv_ring_size(NUM); i++) {
		ASSERT_EQ(0, byte[i])
			TH_LOG("%zu", i);
	}
}

TEST_F(driver, describes_a_chain)
{
	const struct drv_buf bufs[] = {
		{ 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 }, { 0x4000, 4 },
	};
	struct drv *drv = &self->drv;
	const struct vring_desc *desc;

	EXPECT_EQ(0, drv_add(drv, bufs, 1, 3, NULL, 0, self));
	EXPECT_EQ(NUM - 4, drv->nr_free);
	desc = &drv->desc[head(drv, 0)];
	EXPECT_DESC(desc, 0x1000, 1, VRING_DESC_F_NEXT);
	desc = behind(drv, desc);
	EXPECT_DESC(desc, 0x2000, 2, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	desc = behind(drv, desc);
	EXPECT_DESC(desc, 0x3000, 3, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	desc = behind(drv, desc);
	EXPECT_DESC(desc, 0x4000, 4, VRING_DESC_F_WRITE);
}

/* 2.7.5.3.1 */
TEST_F(driver, describes_a_table)
{
	const struct drv_buf bufs[] = {
		{ 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 }, { 0x4000, 4 },
	};
	struct vring_desc desc[3];
	struct drv_table table = { desc, 0x123400000000 };
	struct drv *drv = &self->drv;
	const struct vring_desc *first;

	EXPECT_EQ(0, drv_add(drv, bufs, 3, 1, &table, 1, self));
	EXPECT_EQ(NUM - 2, drv->nr_free);
	first = &drv->desc[head(drv, 0)];
	EXPECT_DESC(first, 0x1000, 1, VRING_DESC_F_NEXT);
	EXPECT_DESC(behind(drv, first), table.addr, 3 * 16, VRING_DESC_F_INDIRECT);
	EXPECT_DESC(&desc[0], 0x2000, 2, VRING_DESC_F_NEXT);
	EXPECT_EQ(1, of16(drv, desc[0].next));
	EXPECT_DESC(&desc[1], 0x3000, 3, VRING_DESC_F_NEXT);
	EXPECT_EQ(2, of16(drv, desc[1].next));
	EXPECT_DESC(&desc[2], 0x4000, 4, VRING_DESC_F_WRITE);
}

TEST_F(driver, describes_nothing_but_something)
{
	struct drv_buf buf = { 0x1000, 1 };
	struct drv_table table = { NULL, 0 };

	EXPECT_EQ(-EINVAL, drv_add(&self->drv, &buf, 0, 0, NULL, 0, self));
	EXPECT_EQ(-EINVAL, drv_add(&self->drv, &buf, 1, 0, &table, 1, self));
	EXPECT_EQ(NUM, self->drv.nr_free);
}

TEST_F(driver, shows_chains_when_it_is_told_to)
{
	struct drv_buf buf = { 0x1000, 1 };
	struct drv *drv = &self->drv;

	for (u32 i = 0; i < 3; i++) {
		EXPECT_EQ(0, drv_add(drv, &buf, 1, 0, NULL, 0, self));
		EXPECT_EQ(0, drv->avail->idx);
	}
	drv_publish(drv);
	EXPECT_EQ(3, of16(drv, drv->avail->idx));
}

TEST_F(driver, has_as_many_descriptors_as_the_ring)
{
	const struct drv_buf bufs[NUM + 1] = { { 0x1000, 1 } };
	struct drv *drv = &self->drv;
	struct drv_used used;

	EXPECT_EQ(-ENOSPC, drv_add(drv, bufs, NUM + 1, 0, NULL, 0, self));
	for (u32 i = 0; i < 5; i++) {
		EXPECT_EQ(0, drv_add(drv, bufs, 3, 0, NULL, 0, &self->tokens[i]));
		EXPECT_EQ(NUM - 3 * (i + 1), drv->nr_free);
	}
	EXPECT_EQ(-ENOSPC, drv_add(drv, bufs, 2, 0, NULL, 0, self));
	EXPECT_EQ(0, drv_add(drv, bufs, 1, 0, NULL, 0, &self->tokens[5]));
	EXPECT_EQ(-ENOSPC, drv_add(drv, bufs, 1, 0, NULL, 0, self));
	drv_publish(drv);
	give_back(drv, &self->used, head(drv, 2), 0);
	EXPECT_EQ(1, drv_take(drv, &used));
	EXPECT_EQ(&self->tokens[2], (int *)used.token);
	EXPECT_EQ(3, drv->nr_free);
	EXPECT_EQ(0, drv_add(drv, bufs, 3, 0, NULL, 0, self));
	EXPECT_EQ(-ENOSPC, drv_add(drv, bufs, 1, 0, NULL, 0, self));
}

/* Each descriptor is used by one chain at most, whatever comes back when. */
TEST_F(driver, never_uses_a_descriptor_twice)
{
	const struct drv_buf bufs[3] = { { 0x1000, 1 } };
	struct drv *drv = &self->drv;
	struct drv_used used;

	for (u32 round = 0; round < 1000; round++) {
		u32 first = drv->published % NUM, seen = 0, flight = 0, chains = 0;
		u16 heads[NUM];

		while (!drv_add(drv, bufs, (round + chains) % 3 + 1, 0, NULL, 0, self))
			chains++;
		drv_publish(drv);
		for (u32 i = 0; i < chains; i++) {
			u16 at = heads[i] = head(drv, first + i);

			for (;; at = of16(drv, drv->desc[at].next), flight++) {
				seen |= 1U << at;
				if (!(of16(drv, drv->desc[at].flags) & VRING_DESC_F_NEXT))
					break;
			}
			flight++;
		}
		ASSERT_EQ((int)flight, __builtin_popcount(seen));
		ASSERT_EQ(NUM - flight, drv->nr_free);
		for (u32 i = 0; i < chains; i++)
			give_back(drv, &self->used, heads[(i + round) % chains], 0);
		for (u32 i = 0; i < chains; i++) {
			ASSERT_EQ(1, drv_take(drv, &used))
				TH_LOG("%u", i);
		}
		ASSERT_EQ(0, drv_take(drv, &used));
		ASSERT_EQ(NUM, drv->nr_free);
	}
}

TEST_F(driver, takes_back_what_comes_when_it_comes)
{
	const u16 order[] = { 2, 0, 3, 1 };
	struct drv *drv = &self->drv;
	struct drv_used used;

	for (u32 i = 0; i < 4; i++) {
		ASSERT_EQ(0, offer(drv, &self->tokens[i]))
			TH_LOG("%u", i);
	}
	EXPECT_EQ(0, drv_take(drv, &used));
	for (u32 i = 0; i < 4; i++)
		give_back(drv, &self->used, head(drv, order[i]), order[i] * 10);
	for (u32 i = 0; i < 4; i++) {
		EXPECT_EQ(1, drv_take(drv, &used));
		EXPECT_EQ(&self->tokens[order[i]], (int *)used.token);
		EXPECT_EQ(order[i] * 10, used.len);
	}
	EXPECT_EQ(0, drv_take(drv, &used));
}

TEST_F(driver, indices_go_on_from_65535_to_0)
{
	struct drv *drv = &self->drv;
	struct drv_used used;

	for (u32 i = 0; i < 2 * 65536 + 10; i++) {
		ASSERT_EQ(0, offer(drv, self->tokens));
		ASSERT_EQ((i + 1) & 0xffff, of16(drv, drv->avail->idx));
		give_back(drv, &self->used, head(drv, i), 0);
		ASSERT_EQ(1, drv_take(drv, &used));
		ASSERT_EQ(0, drv_take(drv, &used));
	}
}

/* A device that does what no device may is reported, as often as it is asked. */
#define EXPECT_PROTOCOL_ERROR() do {					\
	struct drv_used _used;						\
	EXPECT_EQ(-EPROTO, drv_take(&self->drv, &_used));		\
	EXPECT_EQ(-EPROTO, drv_take(&self->drv, &_used));		\
} while (0)

TEST_F(driver, reports_more_than_is_in_flight)
{
	struct drv_used used;
	struct drv *drv = &self->drv;

	drv->used->idx = of16(drv, 1);
	EXPECT_PROTOCOL_ERROR();
	ASSERT_EQ(0, offer(drv, self->tokens));
	ASSERT_EQ(0, offer(drv, self->tokens));
	drv->used->idx = of16(drv, 3);
	EXPECT_PROTOCOL_ERROR();
	drv->used->idx = of16(drv, 0xffff);
	EXPECT_PROTOCOL_ERROR();
	give_back(drv, &self->used, head(drv, 0), 0);
	EXPECT_EQ(1, drv_take(drv, &used));
	drv->used->idx = 0;
	EXPECT_PROTOCOL_ERROR();
}

TEST_F(driver, reports_what_is_not_in_flight)
{
	const struct drv_buf bufs[2] = { { 0x1000, 1 }, { 0x2000, 2 } };
	struct drv *drv = &self->drv;
	struct drv_used used;
	u16 first, second;

	ASSERT_EQ(0, drv_add(drv, bufs, 2, 0, NULL, 0, self));
	drv_publish(drv);
	first = head(drv, 0);
	second = of16(drv, drv->desc[first].next);
	for (u32 id = 0; id < 2 * NUM; id++) {
		u16 idx = self->used;

		if (id == first)
			continue;
		give_back(drv, &idx, id, 0);
		EXPECT_PROTOCOL_ERROR();
	}
	give_back(drv, &self->used, first, 0);
	EXPECT_EQ(1, drv_take(drv, &used));
	ASSERT_EQ(0, drv_add(drv, bufs, 1, 0, NULL, 0, self));
	drv_publish(drv);
	give_back(drv, &self->used, second, 0);
	EXPECT_PROTOCOL_ERROR();
}

TEST_F(driver, reports_numbers_outside_of_the_table)
{
	const u32 bad[] = { NUM, 0x8000, 0xffff, 0x10000, 0xffff0000, 0xffffffff };
	struct drv *drv = &self->drv;

	ASSERT_EQ(0, offer(drv, self->tokens));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		u16 idx = self->used;

		give_back(drv, &idx, bad[i], 0);
		EXPECT_PROTOCOL_ERROR();
	}
}

TEST_F(driver, reports_what_it_has_not_shown)
{
	struct drv_buf buf = { 0x1000, 1 };
	struct drv *drv = &self->drv;

	ASSERT_EQ(0, offer(drv, self->tokens));
	ASSERT_EQ(0, drv_add(drv, &buf, 1, 0, NULL, 0, self));
	give_back(drv, &self->used, head(drv, 1), 0);
	EXPECT_PROTOCOL_ERROR();
}

TEST_F(driver, reports_what_comes_back_twice)
{
	struct drv *drv = &self->drv;
	struct drv_used used;

	ASSERT_EQ(0, offer(drv, self->tokens));
	ASSERT_EQ(0, offer(drv, self->tokens));
	give_back(drv, &self->used, head(drv, 0), 0);
	give_back(drv, &self->used, head(drv, 0), 0);
	EXPECT_EQ(1, drv_take(drv, &used));
	EXPECT_PROTOCOL_ERROR();
}

/* 2.7.8.2 */
TEST_F(driver, reports_more_written_than_there_was_room)
{
	const struct drv_buf bufs[] = { { 0x1000, 1000 }, { 0x2000, 20 }, { 0x3000, 30 } };
	struct vring_desc desc[3];
	struct drv_table table = { desc, 0x1234 };
	struct drv *drv = &self->drv;
	struct drv_used used;

	for (u32 i = 0; i < 2; i++) {
		u16 idx = self->used;

		ASSERT_EQ(0, drv_add(drv, bufs, 1, 2, i ? &table : NULL, 0, self));
		drv_publish(drv);
		give_back(drv, &idx, head(drv, i), 51);
		EXPECT_PROTOCOL_ERROR();
		give_back(drv, &self->used, head(drv, i), 50);
		EXPECT_EQ(1, drv_take(drv, &used));
		EXPECT_EQ(50, used.len);
	}
}

static void set_avail_event(struct drv *drv, u16 event)
{
	__virtio16 *at = (void *)&drv->used->ring[NUM];

	*at = of16(drv, event);
}

/* 2.7.10 */
TEST_F(driver, kicks_as_the_device_wants_it)
{
	struct drv *drv = &self->drv;

	drv->used->flags = variant->event ? 0xffff : 0;
	set_avail_event(drv, 3);
	for (u32 i = 0; i < NUM; i++) {
		ASSERT_EQ(0, offer(drv, self->tokens));
		EXPECT_EQ(variant->event ? i == 3 : true, drv_must_kick(drv));
		EXPECT_FALSE(drv_must_kick(drv));
	}
}

TEST_F(driver, does_not_kick_if_the_device_wants_none)
{
	struct drv *drv = &self->drv;

	set_avail_event(drv, variant->event ? 0xffff : 0);
	drv->used->flags = of16(drv, VRING_USED_F_NO_NOTIFY);
	for (u32 i = 0; i < NUM; i++) {
		ASSERT_EQ(0, offer(drv, self->tokens));
		EXPECT_FALSE(drv_must_kick(drv));
	}
}

TEST_F(driver, kicks_for_any_chain_that_is_new)
{
	struct drv *drv = &self->drv;
	struct drv_used used;

	for (u32 base = 0; base < 70000; base += NUM) {
		ASSERT_EQ(0, offer(drv, self->tokens));
		drv_must_kick(drv);
		for (u32 i = 1; i < NUM; i++) {
			ASSERT_EQ(0, offer(drv, self->tokens))
				TH_LOG("%u", i);
		}
		set_avail_event(drv, base + base / NUM % 20);
		ASSERT_EQ(variant->event ? base / NUM % 20 - 1 < NUM - 1 : true,
			  drv_must_kick(drv)) TH_LOG("%u", base);
		for (u32 i = 0; i < NUM; i++)
			give_back(drv, &self->used, head(drv, base + i), 0);
		while (drv_take(drv, &used) == 1)
			;
	}
}

static u16 used_event(const struct drv *drv)
{
	return of16(drv, drv->avail->ring[NUM]);
}

/* 2.7.7.1: the flags are 0 with event index. */
TEST_F(driver, asks_for_interrupts)
{
	struct drv *drv = &self->drv;
	struct drv_used used;

	ASSERT_EQ(0, offer(drv, self->tokens));
	give_back(drv, &self->used, head(drv, 0), 0);
	EXPECT_EQ(1, drv_take(drv, &used));
	drv_disable_interrupt(drv);
	EXPECT_EQ(variant->event ? 0 : VRING_AVAIL_F_NO_INTERRUPT, of16(drv, drv->avail->flags));
	EXPECT_EQ(0, used_event(drv));
	EXPECT_TRUE(drv_enable_interrupt(drv, 0));
	EXPECT_EQ(0, drv->avail->flags);
	EXPECT_EQ(variant->event ? 1 : 0, used_event(drv));
	EXPECT_TRUE(drv_enable_interrupt(drv, 5));
	EXPECT_EQ(0, drv->avail->flags);
	EXPECT_EQ(variant->event ? 6 : 0, used_event(drv));
}

TEST_F(driver, knows_if_an_interrupt_may_not_come)
{
	struct drv *drv = &self->drv;

	for (u32 i = 0; i < 3; i++) {
		ASSERT_EQ(0, offer(drv, self->tokens))
			TH_LOG("%u", i);
	}
	EXPECT_TRUE(drv_enable_interrupt(drv, 0));
	give_back(drv, &self->used, head(drv, 0), 0);
	EXPECT_FALSE(drv_enable_interrupt(drv, 0));
	EXPECT_EQ(variant->event, drv_enable_interrupt(drv, 1));
	give_back(drv, &self->used, head(drv, 1), 0);
	EXPECT_FALSE(drv_enable_interrupt(drv, 1));
	EXPECT_EQ(variant->event, drv_enable_interrupt(drv, 2));
}

TEST_HARNESS_MAIN
