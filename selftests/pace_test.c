// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a worker looks for requests, sleeps, and tells the driver, where requests come one
 * after the other, as scheduler and clock have it. What they do to it now and then is not
 * what is asked for: the best of some tries counts. A kernel that is slower than its own
 * clock expects, as one that looks for data races, has no such figures.
 */
#include <limits.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/device.h"
#include "lib/disk.h"
#include "lib/group.h"
#include "lib/request.h"
#include "lib/trace.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define TRIES 30

FIXTURE(pace) {
	struct disk disk;
	struct guest guest;
};

FIXTURE_SETUP(pace)
{
	const struct disk_setup none = { .kind = DISK_DEV_NULL };
	const struct guest_setup setup = { .queues = 2 };

	ASSERT_EQ(NULL, disk_make(&self->disk, &none));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
}

FIXTURE_TEARDOWN(pace)
{
	set_parameter("at_kick", 1);
	guest_close(&self->guest);
	disk_remove(&self->disk);
}

/* Lines of the trace that have @word. */
static int traced(const char *word)
{
	int n = 0;

	if (!trace_read())
		return -1;
	for (const char *at = trace_text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

/* Of workers, and of what wakes them later. */
static bool trace_wakings(void)
{
	return trace_event("sched/sched_waking", "comm ~ \"vblk-*\"") &&
	       trace_event("workqueue/workqueue_queue_work", "workqueue ~ \"vhost-blk*\"");
}

#define WAKINGS()	(traced("sched_waking: ") + traced("workqueue_queue_work: "))

/* Nothing wakes who has nothing to do, also if there was something before. */
TEST_F(pace, sleeps_while_there_is_nothing_to_do)
{
	const char *why = trace_begin();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_TRUE(trace_wakings());
	ASSERT_EQ(0, guest_set_busyloop(&self->guest.queues[1], 1000));
	for (int i = 0; i < 10; i++)
		ASSERT_TRUE(request_works(&self->guest.queues[i % 2]));
	EXPECT_LT(0, WAKINGS());
	/* But to let go of pages that are not used any more. */
	for (int i = 0; i < 2; i++)
		ASSERT_TRUE(BECOMES_TRUE(!guest_count(&self->guest.queues[i], "kept")));
	sleep_ms(500);
	ASSERT_TRUE(trace_clear());
	sleep_ms(1500);
	EXPECT_EQ(0, WAKINGS())
		TH_LOG("%s", trace_text);
	trace_end();
}

/*
 * Who finds the next request by looking for it need not be woken. Where something else has
 * to be done he does not look all the time.
 */
TEST_F(pace, polls_where_requests_follow_each_other)
{
	const char *why = trace_begin();
	int wakings = 200;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_TRUE(trace_wakings());
	ASSERT_EQ(0, set_parameter("at_kick", 0));
	ASSERT_EQ(0, guest_set_busyloop(&self->guest.queues[0], 10000));
	for (int try = 0; try < TRIES && wakings >= 100; try++) {
		ASSERT_TRUE(trace_clear());
		for (int i = 0; i < 200; i++)
			ASSERT_TRUE(request_works(&self->guest.queues[0]));
		wakings = traced("sched_waking: ");
	}
	EXPECT_GT(100, wakings);
	trace_end();
}

/* One read after the other; the driver looks for the end of each, or waits to be told. */
static bool reads(struct guest_queue *queue, int nr, bool waits)
{
	struct request request = {
		.type = VIRTIO_BLK_T_IN, .data = request_alloc(queue->guest, 0, 0),
	};
	long end = now_ms() + 60000;

	for (int i = 0; i < nr; i++) {
		if (request_add(queue, &request))
			return false;
		guest_kick(queue);
		while (!waits && !request.done && now_ms() < end)
			if (!request_poll(queue))
				sched_yield();
		if (request_wait_all(queue))
			return false;
	}
	return true;
}

/* Though each is given back before it offers the next. */
TEST_F(pace, does_not_interrupt_who_goes_on)
{
	const struct guest_setup setup = { .without = FEATURE(VIRTIO_RING_F_EVENT_IDX) };
	struct guest_queue *queue;
	struct guest guest;
	long told = 1000;

	ASSERT_EQ(0, set_parameter("at_kick", 0));
	ASSERT_EQ(0, guest_open(&guest, &setup));
	ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
	queue = &guest.queues[0];
	ASSERT_EQ(0, guest_set_busyloop(queue, 10000));
	for (int try = 0; try < TRIES && told >= 250; try++) {
		told = guest_count(queue, "interrupts");
		ASSERT_TRUE(reads(queue, 1000, false));
		told = guest_count(queue, "interrupts") - told;
	}
	EXPECT_GT(250, told);
	/* But it is told in the end. */
	EXPECT_TRUE(BECOMES_TRUE(guest_signals(queue->call)));
	guest_close(&guest);
}

/*
 * Nor is it taken for one that waits, where it waited for a few, as one whose CPU had others
 * to run seems to. Likewise.
 */
TEST_F(pace, does_not_forget_who_goes_on)
{
	const struct guest_setup setup = { .without = FEATURE(VIRTIO_RING_F_EVENT_IDX) };
	struct guest_queue *queue;
	struct guest guest;
	long at_kick = 1000;

	for (int try = 0; try < TRIES && at_kick >= 100; try++) {
		ASSERT_EQ(0, guest_open(&guest, &setup));
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
		queue = &guest.queues[0];
		ASSERT_EQ(0, guest_set_busyloop(queue, 10000));
		ASSERT_TRUE(reads(queue, 100, false));
		ASSERT_TRUE(reads(queue, 8, true));
		ASSERT_TRUE(reads(queue, 1000, false));
		at_kick = guest_count(queue, "at-kick");
		guest_close(&guest);
	}
	EXPECT_GT(100, at_kick);
}

/* It could take 10 ms for each, and does for a few, to see whether it still waits. */
TEST_F(pace, tells_who_waits)
{
	long best = 3000, begin, took;

	ASSERT_EQ(0, set_parameter("at_kick", 0));
	ASSERT_EQ(0, guest_set_busyloop(&self->guest.queues[0], 10000));
	for (int try = 0; try < TRIES && best >= 1500; try++) {
		begin = now_ms();
		ASSERT_TRUE(reads(&self->guest.queues[0], 300, true));
		took = now_ms() - begin;
		best = took < best ? took : best;
	}
	EXPECT_GT(1500, best);
}

/* Time of the CPUs, in microseconds, for 800 ms with requests so many ms after each other. */
static long rare_requests(struct guest_queue *queue, int ms, __u32 busyloop)
{
	long before = group_time();

	if (guest_set_busyloop(queue, busyloop))
		return -1;
	for (int i = 0; i < 800; i += ms) {
		if (!request_works(queue))
			return -1;
		sleep_ms(ms);
	}
	return group_time() - before;
}

/* To look for the next request for 10 ms costs nothing where it comes after 20, or 5. */
TEST_F(pace, does_not_poll_where_that_is_no_use)
{
	static const int intervals[] = { 20, 5 };
	const char *why = group_enter();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, set_parameter("at_kick", 0));
	for (unsigned int i = 0; i < ARRAY_SIZE(intervals); i++) {
		const struct guest_setup one = {};
		const int ms = intervals[i];
		long without, with = LONG_MAX;
		struct guest guest;

		ASSERT_EQ(0, guest_open(&guest, &one));
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
		without = rare_requests(&guest.queues[0], ms, 0);
		/* What else the machine does is counted, too, now and then: the best counts. */
		for (int n = 0; n < TRIES && with >= without + 200000; n++) {
			long next = rare_requests(&guest.queues[0], ms, 10000);

			with = next < with ? next : with;
		}
		EXPECT_LE(0, without);
		EXPECT_LE(0, with);
		EXPECT_GT(without + 200000, with)
			TH_LOG("every %d ms: %ld us without, %ld with", ms, without, with);
		guest_close(&guest);
	}
	group_leave();
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
