// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that end only when the disk is polled for them, as null_blk has it: all end,
 * whatever happens to the queue, its worker and the disk meanwhile.
 */
#include <signal.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/traffic.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define QUEUES		2
#define IN_FLIGHT	32

/* The slow one does one read of so much in 20 ms: all take 640 ms. */
#define SLOW_READ	(4 * PAGE)

static struct disk disk, slow, stacked, keeping, interrupting;
static const char *why_not;

FIXTURE(polled) {
	struct guest guest;
	struct guest_queue *queue;
	struct request requests[IN_FLIGHT];
	struct traffic traffic[QUEUES];
};

#define SELF FIXTURE_DATA(polled)

FIXTURE_VARIANT(polled) {
	bool defer;
};

FIXTURE_VARIANT_ADD(polled, direct) {};
FIXTURE_VARIANT_ADD(polled, deferred) { .defer = true };

FIXTURE_SETUP(polled)
{
	const struct guest_setup setup = { .queues = QUEUES };

	if (why_not)
		SKIP(return, "%s", why_not);
	ASSERT_EQ(0, set_parameter("poll_disk", 1));
	ASSERT_EQ(0, set_defer(variant->defer));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	self->queue = &self->guest.queues[0];
}

FIXTURE_TEARDOWN(polled)
{
	guest_close(&self->guest);
	EXPECT_TRUE(BECOMES_TRUE(read_number("/sys/module/vhost_blk/refcnt") == 0));
	set_defer(false);
	set_parameter("poll_disk", 0);
}

/* Reads of @len bytes each, @stride from one to the next. */
static int begin_reads(SELF *self, long stride, __u32 len)
{
	long at = stride < 0 ? -stride * IN_FLIGHT : 0;
	int ret = 0;

	for (int i = 0; i < IN_FLIGHT && !ret; i++) {
		self->requests[i] = (struct request) {
			.type = VIRTIO_BLK_T_IN, .sector = (at + i * stride) / SECTOR, .len = len,
			.data = request_alloc(&self->guest, len, 0),
		};
		ret = request_add(self->queue, &self->requests[i]);
	}
	guest_kick(self->queue);
	return ret;
}

static bool are_done_well(const SELF *self)
{
	for (int i = 0; i < IN_FLIGHT; i++)
		if (!self->requests[i].done || self->requests[i].status != VIRTIO_BLK_S_OK)
			return false;
	return true;
}

static int begin_traffic(SELF *self)
{
	int ret = 0;

	for (int i = 0; i < QUEUES && !ret; i++) {
		self->traffic[i] = (struct traffic) {
			.queue = &self->guest.queues[i],
			.sector = i * disk.sectors / QUEUES, .sectors = disk.sectors / QUEUES,
			.discards = true, .seed = i,
		};
		ret = traffic_start(&self->traffic[i]);
	}
	return ret;
}

static const char *end_traffic(SELF *self)
{
	const char *error = NULL;

	for (int i = 0; i < QUEUES; i++) {
		const char *wrong = traffic_stop(&self->traffic[i]);

		if (wrong)
			error = wrong;
	}
	return error;
}

static bool all_flow(const SELF *self)
{
	for (int i = 0; i < QUEUES; i++)
		if (!traffic_flows(&self->traffic[i], 20))
			return false;
	return true;
}

static long polled(const SELF *self)
{
	return guest_count(self->queue, "polled");
}

TEST_F(polled, each_is_polled_for)
{
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	ASSERT_EQ(0, begin_reads(self, 16 * PAGE, PAGE));
	ASSERT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(are_done_well(self));
	EXPECT_EQ(IN_FLIGHT, polled(self));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
}

/* The block layer has them in one, of which only the first or the last can be asked for. */
TEST_F(polled, neighbours_are)
{
	static const long strides[] = { PAGE, -(long)PAGE };

	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	for (unsigned int i = 0; i < ARRAY_SIZE(strides); i++) {
		ASSERT_EQ(0, begin_reads(self, strides[i], PAGE));
		ASSERT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(are_done_well(self));
		EXPECT_EQ((i + 1) * IN_FLIGHT, polled(self));
	}
}

/* Which has each of them polled by itself. */
TEST_F(polled, those_of_device_mapper_are)
{
	ASSERT_EQ(0, guest_attach(&self->guest, stacked.fd));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, begin_reads(self, i % 2 ? PAGE : 16 * PAGE, PAGE));
		ASSERT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(are_done_well(self));
	}
	EXPECT_EQ(10 * IN_FLIGHT, polled(self));
}

/* Device mapper begins them by a thread of its own, and who asks for one meanwhile may crash. */
TEST_F(polled, those_that_may_be_kept_for_later_are_not)
{
	ASSERT_EQ(1, disk_attribute(&keeping, "queue/io_poll"));
	ASSERT_EQ(0, guest_attach(&self->guest, keeping.fd));
	ASSERT_EQ(0, begin_reads(self, 16 * PAGE, PAGE));
	ASSERT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(are_done_well(self));
	EXPECT_EQ(0, polled(self));
}

TEST_F(polled, is_off_by_default)
{
	ASSERT_EQ(0, set_parameter("poll_disk", 0));
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(0, polled(self));
}

TEST_F(polled, a_disk_that_interrupts_is_not)
{
	ASSERT_EQ(0, guest_attach(&self->guest, interrupting.fd));
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(0, polled(self));
}

/* Without VIRTIO_BLK_F_FLUSH, each write is to be durable. */
TEST_F(polled, what_is_durable_is_not)
{
	const struct guest_setup setup = {
		.without = 1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_CONFIG_WCE,
	};
	__u64 data;

	guest_close(&self->guest);
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	self->queue = &self->guest.queues[0];
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	data = request_alloc(&self->guest, PAGE, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, data, PAGE));
	EXPECT_EQ(0, polled(self));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_IN, 0, data, PAGE));
	EXPECT_EQ(1, polled(self));
}

/* Requests of all kinds and sizes, while it is switched on and off. */
TEST_F(polled, verified)
{
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	ASSERT_EQ(0, begin_traffic(self));
	for (long end = now_ms() + test_ms(); now_ms() < end;) {
		EXPECT_TRUE(all_flow(self));
		ASSERT_EQ(0, set_parameter("poll_disk", 0));
		EXPECT_TRUE(all_flow(self));
		ASSERT_EQ(0, set_parameter("poll_disk", 1));
	}
	EXPECT_EQ(NULL, end_traffic(self));
	EXPECT_LT(0, polled(self));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
}

/* For which the disk waits until nothing is in flight. */
TEST_F(polled, the_queues_of_the_disk_change)
{
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	ASSERT_EQ(0, begin_traffic(self));
	for (int i = 0; i < 10; i++) {
		EXPECT_TRUE(all_flow(self));
		EXPECT_EQ(0, disk_configure(&disk, "submit_queues", 1 + i % 2));
	}
	EXPECT_EQ(NULL, end_traffic(self));
	EXPECT_LT(0, polled(self));
}

/* Then it is asked for interrupts, whether it says so before or only when it refuses. */
TEST_F(polled, the_disk_has_no_more_queues_for_it)
{
	if (null_blk_is_old())
		SKIP(return, "n/a: null_blk of this kernel cannot be without them");
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	ASSERT_EQ(0, begin_traffic(self));
	for (int i = 0; i < 10; i++) {
		EXPECT_TRUE(all_flow(self));
		EXPECT_EQ(0, disk_configure(&disk, "poll_queues", i % 2));
	}
	EXPECT_EQ(NULL, end_traffic(self));
	ASSERT_EQ(0, disk_configure(&disk, "poll_queues", 0));
	EXPECT_TRUE(request_works(self->queue));
	ASSERT_EQ(0, disk_configure(&disk, "poll_queues", 1));
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(0, guest_count(self->queue, "failed"));
}

/* All are with the disk then, and some of them for a while. */
static int begin_slow_reads(SELF *self)
{
	int ret = guest_attach(&self->guest, slow.fd) ?: begin_reads(self, 16 * PAGE, SLOW_READ);

	return ret ?: BECOMES_TRUE(polled(self) == IN_FLIGHT) ? 0 : ETIMEDOUT;
}

TEST_F(polled, another_worker_goes_on)
{
	struct vhost_worker_state worker;

	if (null_blk_is_old())
		SKIP(return, NOT_SLOW);
	ASSERT_EQ(0, begin_slow_reads(self));
	ASSERT_EQ(0, attempt(self->guest.fd, VHOST_NEW_WORKER, &worker));
	for (__u32 i = 0; i < QUEUES; i++) {
		struct vhost_vring_worker state = { i, worker.worker_id };

		ASSERT_EQ(0, attempt(self->guest.fd, VHOST_ATTACH_VRING_WORKER, &state));
	}
	EXPECT_LT(guest_count(self->queue, "ended"), IN_FLIGHT);
	ASSERT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(are_done_well(self));
}

TEST_F(polled, stop_waits_for_them)
{
	if (null_blk_is_old())
		SKIP(return, NOT_SLOW);
	ASSERT_EQ(0, begin_slow_reads(self));
	EXPECT_EQ(IN_FLIGHT, guest_stop_queue(self->queue));
	EXPECT_EQ(IN_FLIGHT, request_poll(self->queue));
	EXPECT_TRUE(are_done_well(self));
	EXPECT_EQ(IN_FLIGHT, guest_count(self->queue, "given"));
}

/* And they end, or the module could not be unloaded, nor the disk be removed. */
TEST_F(polled, close_does_not_wait_for_them)
{
	if (null_blk_is_old())
		SKIP(return, NOT_SLOW);
	ASSERT_EQ(0, begin_slow_reads(self));
	ASSERT_EQ(0, close(self->guest.fd));
	self->guest.fd = -1;
	EXPECT_EQ(1, read_number("/sys/module/vhost_blk/refcnt"));
}

TEST_F(polled, killed_owner_does_not_wait_for_them)
{
	int status;
	pid_t pid;

	if (null_blk_is_old())
		SKIP(return, NOT_SLOW);
	pid = fork();
	if (!pid) {
		const struct guest_setup setup = { .queues = QUEUES };

		if (guest_open(&self->guest, &setup) || begin_slow_reads(self))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

/* The disk's own timer would find in a few seconds what nobody polls for. */
static const char *give_time(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/queue/io_timeout", name);
	return write_file(path, "%u", 600000) ? "the disk's timer cannot be set" : NULL;
}

/*
 * A null_blk that is limited forgets what it refused, if its timer comes while it does so and
 * all that it has taken ends in batches, after which nobody goes on. So it is reminded.
 */
static void remind(const char *name)
{
	char path[96];

	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(3, ~0U, 0);	/* or the disks could not be removed */
	snprintf(path, sizeof(path), "/sys/kernel/debug/block/%s/state", name);
	for (;;) {
		write_file(path, "run");
		sleep_ms(100);
	}
}

int main(int argc, char **argv)
{
	const struct disk_setup fast = { .kind = DISK_NULL_BLK, .cache = true };
	const struct disk_setup limited = { .kind = DISK_NULL_BLK, .mbps = 1 };
	const struct disk_setup mapped = { .kind = DISK_NULL_BLK, .stacked = true };
	const struct disk_setup keeps = { .kind = DISK_NULL_BLK, .stacked = true, .waits = true };
	const struct disk_setup none = { .kind = DISK_NULL_BLK, .no_poll = true };

	need_device();
	why_not = disk_share(&disk, &fast) ?: disk_share(&slow, &limited) ?:
		  disk_share(&stacked, &mapped) ?: disk_share(&keeping, &keeps) ?:
		  disk_share(&interrupting, &none) ?:
		  give_time(disk.name) ?: give_time(slow.name) ?: give_time(stacked.lower);
	if (!why_not)
		remind(slow.name);
	return test_harness_run(argc, argv);
}
