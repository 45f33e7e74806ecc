// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who notifies a queue begins a request that is alone: it, and when the worker does so
 * instead. However it is, who notifies waits for nothing.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/request.h"
#include "lib/stranger.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

/* What who notifies begins at most. */
#define FEW		4
#define MUCH		(64 * 1024)

/* After it could begin nothing, the worker serves so often first. */
#define PAUSE		16

/* Headers and statuses are in one page, as drivers have them; the data is behind. */
#define HEADERS		GUEST_MAIN
#define STATUSES	(GUEST_MAIN + 2048)
#define DATA		(GUEST_MAIN + PAGE)

static struct disk disk, slow, limited, waiting;
static const char *why_not;

FIXTURE(kicker) {
	struct guest guest;
	struct guest_queue *queue;
	pthread_t thread;
	bool stop;
};

#define SELF FIXTURE_DATA(kicker)

FIXTURE_SETUP(kicker)
{
	const struct guest_setup setup = { .without = 1ULL << VIRTIO_RING_F_EVENT_IDX };

	if (why_not)
		SKIP(return, "%s", why_not);
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	self->queue = &self->guest.queues[0];
}

FIXTURE_TEARDOWN(kicker)
{
	guest_close(&self->guest);
	EXPECT_TRUE(BECOMES_TRUE(read_number("/sys/module/vhost_blk/refcnt") == 0));
	set_parameter("at_kick", 1);
	set_parameter("poll_disk", 0);
}

/* Show the device a request, with header and status there. */
static int add_at(SELF *self, __u64 head, __u64 status, struct virtio_blk_outhdr header,
		  __u64 data, __u32 len)
{
	const struct drv_buf bufs[] = { { head, HEADER }, { data, len }, { status, 1 } };
	const struct drv_buf flush[] = { { head, HEADER }, { status, 1 } };
	const bool out = header.type == VIRTIO_BLK_T_OUT;

	guest_put(&self->guest, head, &header, HEADER);
	guest_set(&self->guest, status, STATUS_NONE, 1);
	if (header.type == VIRTIO_BLK_T_FLUSH)
		return request_add_raw(self->queue, flush, 1, 1);
	return request_add_raw(self->queue, bufs, 1 + out, 2 - out);
}

/* The @n-th of those in flight. */
static int add(SELF *self, unsigned int n, __u32 type, __u64 data, __u32 len)
{
	const struct virtio_blk_outhdr header = { .type = type, .sector = n * PAGE / SECTOR };

	return add_at(self, HEADERS + n * HEADER, STATUSES + n, header, data, len);
}

static int add_read(SELF *self, unsigned int n)
{
	return add(self, n, VIRTIO_BLK_T_IN, DATA + n * PAGE, PAGE);
}

static bool is_well(const SELF *self, unsigned int n)
{
	return guest_is(&self->guest, STATUSES + n, VIRTIO_BLK_S_OK, 1);
}

/* It is told of the end, and does not look for it before: who does might go on at once. */
static bool does_all(SELF *self, __u32 type, __u32 len)
{
	struct pollfd told = { .fd = self->queue->call, .events = POLLIN };
	int ret = add(self, 0, type, DATA, len);

	guest_kick(self->queue);
	return !ret && poll(&told, 1, LIMIT_MS) == 1 && guest_signals(self->queue->call) &&
	       !request_wait_all(self->queue) && is_well(self, 0);
}

static bool does(SELF *self, __u32 type)
{
	return does_all(self, type, PAGE);
}

static bool reads(SELF *self)
{
	return does(self, VIRTIO_BLK_T_IN);
}

/* Not all that may be is: the worker wakes up now and then, and is at it then. */
static long at_kick(const SELF *self)
{
	return guest_count(self->queue, "at-kick");
}

/*
 * Attach a disk, and read until who notifies is welcome: 0 if that comes. That is after PAUSE,
 * or some more of those where the worker is late and takes a driver for one that goes on.
 */
static int begin(SELF *self, const struct disk *what)
{
	int ret = guest_attach(&self->guest, what->fd);

	/* What is not in memory yet would have to be waited for. */
	guest_set(&self->guest, DATA, 0, 32 * PAGE);
	for (int i = 0; !ret && i < 16 * PAUSE; i++) {
		ret = !reads(self);
		if (at_kick(self) > 0)
			return 0;
	}
	return ret ?: ETIME;
}

TEST_F(kicker, begins_a_request_that_is_alone)
{
	static const __u32 types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH };
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	for (int i = 0; i < 30; i++)
		EXPECT_TRUE(does(self, types[i % 3]));
	EXPECT_LE(before + 25, at_kick(self));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
}

/* Nor does it turn it away for the next. */
TEST_F(kicker, gives_back_what_the_disk_refuses)
{
	struct virtio_blk_outhdr header = { .sector = disk.sectors };
	const struct drv_buf bufs[] = {
		{ HEADERS, HEADER }, { DATA, PAGE }, { STATUSES, 1 },
	};
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	guest_put(&self->guest, HEADERS, &header, HEADER);
	ASSERT_EQ(0, request_add_raw(self->queue, bufs, 1, 2));
	guest_kick(self->queue);
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(guest_is(&self->guest, STATUSES, VIRTIO_BLK_S_IOERR, 1));
	EXPECT_TRUE(reads(self));
	EXPECT_EQ(before + 2, at_kick(self));
}

TEST_F(kicker, is_interrupted_where_the_disk_ends_it)
{
	long before;

	ASSERT_EQ(0, begin(self, &slow));
	before = at_kick(self);
	for (int i = 0; i < 10; i++)
		EXPECT_TRUE(reads(self));
	EXPECT_LE(before + 8, at_kick(self));
	EXPECT_EQ(guest_count(self->queue, "taken"), guest_count(self->queue, "direct"));
}

TEST_F(kicker, leaves_many_to_the_worker)
{
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	for (int i = 0; i < FEW; i++)
		ASSERT_EQ(0, add_read(self, i));
	guest_kick(self->queue);
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_EQ(before + FEW, at_kick(self));

	for (int i = 0; i < FEW + 1; i++)
		ASSERT_EQ(0, add_read(self, i));
	guest_kick(self->queue);
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_EQ(before + FEW, at_kick(self));
	for (int i = 0; i < FEW + 1; i++)
		EXPECT_TRUE(is_well(self, i));
}

TEST_F(kicker, leaves_to_the_worker_what_is_behind_another)
{
	long before;

	ASSERT_EQ(0, begin(self, &slow));
	before = at_kick(self);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, add_read(self, i));
		guest_kick(self->queue);
	}
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_EQ(before + 1, at_kick(self));
}

TEST_F(kicker, leaves_much_to_the_worker)
{
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	ASSERT_EQ(0, add(self, 0, VIRTIO_BLK_T_IN, DATA, MUCH));
	ASSERT_EQ(0, add(self, 1, VIRTIO_BLK_T_IN, DATA + MUCH, PAGE));
	guest_kick(self->queue);
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(is_well(self, 0) && is_well(self, 1));
	EXPECT_EQ(before + 1, at_kick(self));

	ASSERT_EQ(0, add(self, 0, VIRTIO_BLK_T_IN, DATA, MUCH + PAGE));
	guest_kick(self->queue);
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(is_well(self, 0));
	EXPECT_EQ(before + 1, at_kick(self));
}

/* And tries again when that has served for a while. */
TEST_F(kicker, leaves_other_types_to_the_worker)
{
	const struct drv_buf serial = { DATA, VIRTIO_BLK_ID_BYTES };
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do_in(self->queue, VIRTIO_BLK_T_GET_ID, 0, &serial, 1));
	for (int i = 0; i < PAUSE / 2; i++)
		EXPECT_TRUE(reads(self));
	EXPECT_EQ(before, at_kick(self));
	for (int i = 0; i < PAUSE; i++)
		EXPECT_TRUE(reads(self));
	EXPECT_LT(before, at_kick(self));
}

/* With the header at @head, and the status behind it. */
static bool reads_with_header_at(SELF *self, __u64 head)
{
	const struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	const __u64 status = head + HEADER;
	int ret = add_at(self, head, status, header, DATA, PAGE);

	guest_kick(self->queue);
	return !ret && !request_wait_all(self->queue) &&
	       guest_is(&self->guest, status, VIRTIO_BLK_S_OK, 1);
}

/* As Linux has one in 32 of. */
TEST_F(kicker, begins_what_has_its_header_in_another_page)
{
	const __u64 end = DATA + 20 * PAGE;
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	for (int i = 0; i < 30; i++)
		EXPECT_TRUE(reads_with_header_at(self, end - (i % 2 ? HEADER : HEADER / 2)));
	EXPECT_LE(before + 25, at_kick(self));
}

/* Whoever is to bring it may be who notifies. */
TEST_F(kicker, does_not_wait_for_memory)
{
	struct guest_region *high = &self->guest.regions[HIGH];
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register all = {
		.range = { (unsigned long)high->mem, high->size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_zeropage zero = { .range = { (unsigned long)high->mem + PAGE, PAGE } };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct pollfd fault = { .fd = uffd, .events = POLLIN };
	long before;

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &all))
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	ASSERT_EQ(0, add(self, 0, VIRTIO_BLK_T_IN, GUEST_HIGH + PAGE, PAGE));
	guest_kick(self->queue);
	EXPECT_EQ(1, poll(&fault, 1, LIMIT_MS));
	EXPECT_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(is_well(self, 0));
	EXPECT_EQ(before, at_kick(self));
	EXPECT_EQ(0, guest_count(self->queue, "stalls"));
	close(uffd);
}

/* As far as the kernel knows: it may be written to all the time. */
static int move_ring(const SELF *self, int n)
{
	return mprotect(self->queue->ring, self->queue->ring_size,
			PROT_READ | PROT_WRITE | (n % 2 ? PROT_EXEC : 0));
}

/* The ring is not where it was, so it is not mapped until the worker has seen to that. */
TEST_F(kicker, does_not_touch_a_ring_that_moved)
{
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	ASSERT_EQ(0, move_ring(self, 1));
	EXPECT_TRUE(reads(self));
	EXPECT_EQ(before, at_kick(self));
	EXPECT_LT(1, guest_count(self->queue, "maps"));
}

/* From now on, or ever since. */
TEST_F(kicker, may_be_switched_off)
{
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	ASSERT_EQ(0, set_parameter("at_kick", 0));
	EXPECT_TRUE(reads(self));
	before = at_kick(self);
	EXPECT_TRUE(reads(self));
	EXPECT_EQ(before, at_kick(self));
	EXPECT_EQ(0, guest_restart(&self->guest, disk.fd));
	EXPECT_TRUE(reads(self));
	EXPECT_EQ(before, at_kick(self));
}

/*
 * Though the worker would wait for the next: who waits for each request offers none. How many
 * of 30 were begun.
 */
static long begins_what_the_worker_would_find(SELF *self, const struct disk *what)
{
	long before;

	if (guest_set_busyloop(self->queue, 10000) || begin(self, what))
		return -1;
	before = at_kick(self);
	for (int i = 0; i < 30; i++)
		if (!reads(self))
			return -1;
	return at_kick(self) - before;
}

TEST_F(kicker, begins_what_the_worker_would_find)
{
	EXPECT_LE(25, begins_what_the_worker_would_find(self, &disk));
}

TEST_F(kicker, begins_what_the_worker_would_find_on_a_disk_that_interrupts)
{
	EXPECT_LE(25, begins_what_the_worker_would_find(self, &slow));
}

/*
 * By the worker, for PAUSE in a row: after 1024, then after 2048 more, and so on. As often
 * again after a kick that found nothing, because the worker was awake for something else and
 * faster, which it is now and then. After each 1024 would be six times at least.
 */
TEST_F(kicker, is_looked_at_ever_less_often)
{
	int looks = 0, row = 0;
	long before;

	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	for (int i = 0; i < 7000; i++) {
		long now;

		ASSERT_TRUE(reads(self));
		now = at_kick(self);
		row = now == before ? row + 1 : 0;
		looks += row == PAUSE;
		before = now;
		if (row)
			sleep_ms(5);	/* for the worker to sleep */
	}
	EXPECT_LE(2, looks);
	EXPECT_GT(6, looks);
}

TEST_F(kicker, polls_the_disk)
{
	long before;

	ASSERT_EQ(0, set_parameter("poll_disk", 1));
	ASSERT_EQ(0, begin(self, &disk));
	before = at_kick(self);
	for (int i = 0; i < 30; i++)
		EXPECT_TRUE(reads(self));
	EXPECT_LE(before + 25, at_kick(self));
	EXPECT_EQ(guest_count(self->queue, "taken"), guest_count(self->queue, "polled"));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
}

/* The disk does 20 KiB at a time, and has the next one wait for the rest of 20 ms. */
TEST_F(kicker, does_not_poll_the_disk_for_long)
{
	int same = 0;

	if (null_blk_is_old())
		SKIP(return, NOT_SLOW);
	ASSERT_EQ(0, set_parameter("poll_disk", 1));
	ASSERT_EQ(0, begin(self, &limited));
	for (int i = 0; i < 10 * PAUSE && same < 4 * PAUSE; i++) {
		long before = at_kick(self);

		ASSERT_TRUE(does_all(self, VIRTIO_BLK_T_IN, 4 * PAGE));
		same = at_kick(self) == before ? same + 1 : 0;
	}
	EXPECT_EQ(4 * PAUSE, same);
	EXPECT_EQ(guest_count(self->queue, "taken"), guest_count(self->queue, "polled"));
}

TEST_F(kicker, is_not_welcome_where_the_disk_may_have_to_be_waited_for)
{
	ASSERT_EQ(0, guest_attach(&self->guest, waiting.fd));
	for (int i = 0; i < 2 * PAUSE; i++)
		EXPECT_TRUE(reads(self));
	EXPECT_EQ(0, at_kick(self));
}

/* The stranger has something else where requests go, and in the end still has. */
static int fill(const struct guest *guest)
{
	guest_set(guest, GUEST_MAIN, 0x5a, 64 * PAGE);
	return 0;
}

static int is_filled(const struct guest *guest)
{
	return !guest_is(guest, GUEST_MAIN, 0x5a, 64 * PAGE);
}

/* As with a bridge, whose queues the VMM's threads notify. */
TEST_F(kicker, may_be_another_process)
{
	struct stranger stranger;
	long before;

	ASSERT_EQ(0, stranger_start(&stranger, self->queue, fill, is_filled));
	ASSERT_EQ(0, begin(self, &disk));
	for (int i = 0; i < 4; i++) {
		data_fill(&self->guest, DATA + i * PAGE, PAGE, i);
		ASSERT_EQ(0, add(self, i, VIRTIO_BLK_T_OUT, DATA + i * PAGE, PAGE));
	}
	guest_kick(self->queue);
	ASSERT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(reads(self));
	before = at_kick(self);
	/* Pages of data that are kept after a while, and others that are not. */
	for (int i = 0; i < 200 && at_kick(self) < before + 20; i++) {
		guest_set(&self->guest, DATA + i % 4 * PAGE, 0, PAGE);
		ASSERT_EQ(0, add_read(self, i % 4));
		ASSERT_EQ(0, stranger_kick(&stranger, self->queue));
		EXPECT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(is_well(self, i % 4));
		EXPECT_TRUE(data_is(&self->guest, DATA + i % 4 * PAGE, PAGE, i % 4));
	}
	EXPECT_LE(before + 20, at_kick(self));
	EXPECT_EQ(0, stranger_end(&stranger));
}

/* Its tables are read where the owner has them, too. */
TEST_F(kicker, may_be_another_process_with_tables)
{
	struct request request = {
		.type = VIRTIO_BLK_T_IN, .sector = 0, .len = SECTOR, .framing = framings,
		.data = request_alloc(&self->guest, SECTOR, 1024),
	};
	struct stranger stranger;
	long before;

	ASSERT_EQ(0, stranger_start(&stranger, self->queue, fill, is_filled));
	while (request.framing->how != INDIRECT)
		request.framing++;
	ASSERT_EQ(0, begin(self, &disk));
	for (int i = 0; i < 2 * PAUSE; i++)
		ASSERT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &request));
	before = at_kick(self);
	for (int i = 0; i < 200 && at_kick(self) < before + 20; i++) {
		ASSERT_EQ(0, request_add(self->queue, &request));
		ASSERT_EQ(0, stranger_kick(&stranger, self->queue));
		EXPECT_EQ(0, request_wait(self->queue, &request));
		EXPECT_EQ(VIRTIO_BLK_S_OK, request.status);
		EXPECT_FALSE(request.damaged);
	}
	EXPECT_LE(before + 20, at_kick(self));
	EXPECT_EQ(0, stranger_end(&stranger));
}

/* Bad chains, rings that move, pages that go: nothing is written to the wrong process. */
TEST_F(kicker, of_another_process_keeps_to_the_owners_memory)
{
	const struct drv_buf bad = { HEADERS, HEADER };
	long end = now_ms() + test_ms();
	struct stranger stranger;

	ASSERT_EQ(0, stranger_start(&stranger, self->queue, fill, is_filled));
	ASSERT_EQ(0, begin(self, &disk));
	for (int i = 0; now_ms() < end; i++) {
		if (i % 5 == 0)
			ASSERT_EQ(0, madvise(self->guest.regions[MAIN].mem, 64 * PAGE,
					     MADV_DONTNEED));
		if (i % 7 == 0)
			ASSERT_EQ(0, move_ring(self, i));
		if (i % 3 == 0)
			ASSERT_EQ(0, request_add_raw(self->queue, &bad, 1, 0));
		ASSERT_EQ(0, add_read(self, 0));
		ASSERT_EQ(0, stranger_kick(&stranger, self->queue));
		ASSERT_EQ(0, request_wait_all(self->queue));
		ASSERT_TRUE(is_well(self, 0));
	}
	EXPECT_EQ(0, stranger_end(&stranger));
}

static void *kick_and_exit(void *arg)
{
	SELF *self = arg;

	guest_kick(self->queue);
	return NULL;
}

TEST_F(kicker, may_end_at_once)
{
	ASSERT_EQ(0, begin(self, &disk));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, add_read(self, 0));
		ASSERT_EQ(0, pthread_create(&self->thread, NULL, kick_and_exit, self));
		EXPECT_EQ(0, pthread_join(self->thread, NULL));
		EXPECT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(is_well(self, 0));
	}
}

TEST_F(kicker, may_be_killed)
{
	for (int i = 0; i < 20; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			const struct guest_setup setup = {};

			if (guest_open(&self->guest, &setup) || begin(self, &slow) ||
			    add_read(self, 0))
				_exit(1);
			guest_kick(self->queue);
			kill(getpid(), SIGKILL);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

static void *kick_for_ever(void *arg)
{
	SELF *self = arg;

	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED))
		eventfd_write(self->queue->kick, 1);
	return NULL;
}

/* The queue, its worker and the device go, while somebody notifies. */
TEST_F(kicker, goes_on_while_all_else_ends)
{
	const struct guest_setup setup = { .without = 1ULL << VIRTIO_RING_F_EVENT_IDX };
	long end = now_ms() + test_ms();

	for (int i = 0; now_ms() < end; i++) {
		ASSERT_EQ(0, begin(self, &disk));
		self->stop = false;
		ASSERT_EQ(0, pthread_create(&self->thread, NULL, kick_for_ever, self));
		for (int n = 0; n < 20; n++)
			EXPECT_TRUE(reads(self));
		if (i % 3 == 0)
			EXPECT_EQ(0, reset_owner(self->guest.fd));
		if (i % 3 == 1)
			EXPECT_EQ(0, guest_detach(&self->guest));
		if (i % 3 != 0)
			EXPECT_EQ(0, close(self->guest.fd));
		__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
		EXPECT_EQ(0, pthread_join(self->thread, NULL));
		if (i % 3 != 0)
			self->guest.fd = -1;
		guest_close(&self->guest);
		ASSERT_EQ(0, guest_open(&self->guest, &setup));
	}
}

int main(int argc, char **argv)
{
	const struct disk_setup fast = { .kind = DISK_NULL_BLK, .cache = true };
	const struct disk_setup late = { .kind = DISK_NULL_BLK, .latency_us = 20000 };
	const struct disk_setup limit = { .kind = DISK_NULL_BLK, .mbps = 1 };
	const struct disk_setup waits = { .kind = DISK_NULL_BLK, .stacked = true, .waits = true };

	need_device();
	why_not = disk_share(&disk, &fast) ?: disk_share(&slow, &late) ?:
		  disk_share(&limited, &limit) ?: disk_share(&waiting, &waits);
	return test_harness_run(argc, argv);
}
