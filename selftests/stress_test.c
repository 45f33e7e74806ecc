// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verified I/O of all kinds on four queues at once, for VBLK_TEST_SECONDS, with a
 * seed of VBLK_TEST_SEED.
 */
#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/traffic.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 100000

#define QUEUES 4

FIXTURE(stress) {
	struct disk disk;
	struct guest guest;
	struct traffic traffic[QUEUES];
};

FIXTURE_VARIANT(stress) {
	struct disk_setup disk;
	bool defer;
	__u32 workers;
};

FIXTURE_VARIANT_ADD(stress, irq) {
	.disk = { .kind = DISK_NULL_BLK, .megabytes = 192, .latency_us = 5, .cache = true },
	.workers = 1,
};

FIXTURE_VARIANT_ADD(stress, irq_deferred) {
	.disk = { .kind = DISK_NULL_BLK, .megabytes = 192, .latency_us = 5 },
	.workers = 4, .defer = true,
};

/* It has room for one request, so that nearly all have to wait for it. */
FIXTURE_VARIANT_ADD(stress, crowded) {
	.disk = { .kind = DISK_NULL_BLK, .megabytes = 192, .latency_us = 5, .depth = 1 },
	.workers = 2,
};

FIXTURE_VARIANT_ADD(stress, inline) {
	.disk = { .kind = DISK_NULL_BLK, .megabytes = 192 }, .workers = 2,
};

FIXTURE_VARIANT_ADD(stress, brd) {
	.disk = { .kind = DISK_BRD, .megabytes = 192 }, .workers = 4,
};

FIXTURE_VARIANT_ADD(stress, loop) {
	.disk = { .kind = DISK_LOOP, .megabytes = 192, .block_size = 4096 }, .workers = 1,
};

FIXTURE_VARIANT_ADD(stress, scsi) {
	.disk = { .kind = DISK_SCSI, .megabytes = 192, .block_size = 4096 }, .workers = 4,
};

/* Queue by queue, to the workers in turn. */
static int use_workers(const struct guest *guest, __u32 workers)
{
	struct vhost_worker_state worker;
	int ret = 0;

	for (__u32 i = 1; i < workers && !ret; i++)
		ret = attempt(guest->fd, VHOST_NEW_WORKER, &worker);
	for (__u32 i = 0; i < QUEUES && !ret; i++) {
		struct vhost_vring_worker state = { i, i % workers };

		ret = attempt(guest->fd, VHOST_ATTACH_VRING_WORKER, &state);
	}
	return ret;
}

FIXTURE_SETUP(stress)
{
	const struct guest_setup setup = { .queues = QUEUES };
	const char *why = disk_make(&self->disk, &variant->disk);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, set_defer(variant->defer));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, use_workers(&self->guest, variant->workers));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
}

FIXTURE_TEARDOWN(stress)
{
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	guest_close(&self->guest);
	disk_remove(&self->disk);
	set_defer(false);
}

TEST_F(stress, verified)
{
	const char *given = getenv("VBLK_TEST_SEED");
	long seed = given ? strtol(given, NULL, 0) : now_ms();
	unsigned long done = 0;

	for (__u32 i = 0; i < QUEUES; i++) {
		self->traffic[i] = (struct traffic) {
			.queue = &self->guest.queues[i],
			.sector = i * self->disk.sectors / QUEUES,
			.sectors = self->disk.sectors / QUEUES,
			.block = self->disk.block_size,
			.max_len = 512 * 1024,
			.discards = disk_attribute(&self->disk, "queue/discard_max_bytes") > 0,
			.seed = seed * QUEUES + i,
		};
		ASSERT_EQ(0, traffic_start(&self->traffic[i]));
	}
	for (long end = now_ms() + test_ms(); now_ms() < end;)
		sleep_ms(100);
	for (__u32 i = 0; i < QUEUES; i++) {
		const char *error = traffic_stop(&self->traffic[i]);

		EXPECT_EQ(NULL, error)
			TH_LOG("%s", error);
		done += self->traffic[i].done;
	}
	TH_LOG("seed %ld: %lu requests", seed, done);
	if (variant->disk.depth == 1)
		EXPECT_LT(0, guest_count(&self->guest.queues[0], "overflows"));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
