// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel that is short of memory: requests wait for it, and none fails or is lost.
 * That takes a kernel that can fail allocations (CONFIG_FAILSLAB,
 * CONFIG_FAIL_PAGE_ALLOC); here they fail for the worker, and for nobody else.
 */
#include <endian.h>
#include <glob.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/request.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define DEBUGFS		"/sys/kernel/debug"

#define IN_FLIGHT	16

/* Sectors from one request to the next. */
#define STRIDE		1024

#define REQUEST_LEN	(50 * PAGE)

static const char *const faults[] = { "failslab", "fail_page_alloc" };

/*
 * Allocations that fail
 */

static int set_fault(const char *fault, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", fault, name);
	return write_file(path, "%s", value);
}

/* Those of the threads that were told to fail do so: in so many of 100 cases. */
static int fail_memory(int percent)
{
	char value[16];
	int ret = 0;

	snprintf(value, sizeof(value), "%d", percent);
	for (unsigned int i = 0; !ret && i < ARRAY_SIZE(faults); i++)
		ret = set_fault(faults[i], "probability", value);
	return ret;
}

/*
 * A kernel that counts what is allocated allocates memory for that as well, and warns of it
 * if it gets none: where the code of that begins, and the next. Both are "0" if there is none.
 */
static void find_counting(char begin[32], char end[32])
{
	FILE *file = fopen("/proc/kallsyms", "r");
	unsigned long at, first = 0, behind = 0;
	char line[256], *name;

	while (file && !behind && fgets(line, sizeof(line), file)) {
		at = strtoul(line, &name, 16);
		if (!strcmp(name, " t alloc_tagging_slab_alloc_hook\n"))
			first = at;
		else if (first && at > first)
			behind = at;
	}
	if (file)
		fclose(file);
	snprintf(begin, 32, "%#lx", first);
	snprintf(end, 32, "%#lx", behind);
}

static int spare_the_count(void)
{
	char begin[32], end[32];
	int ret = 0;

	find_counting(begin, end);
	for (unsigned int i = 0; !ret && strcmp(begin, "0") && i < ARRAY_SIZE(faults); i++)
		ret = set_fault(faults[i], "reject-start", begin) ?:
		      set_fault(faults[i], "reject-end", end);
	return ret;
}

/* NULL, or why allocations cannot fail. */
static const char *set_up_faults(void)
{
	static const struct { const char *name, *value; } rows[] = {
		{ "probability", "0" }, { "interval", "1" }, { "times", "-1" }, { "verbose", "0" },
		{ "task-filter", "1" }, { "ignore-gfp-wait", "0" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		if (set_fault(faults[i], "probability", "0"))
			return "n/a: this kernel cannot fail allocations";
		for (unsigned int j = 0; j < ARRAY_SIZE(rows); j++)
			if (set_fault(faults[i], rows[j].name, rows[j].value))
				return "this kernel fails allocations in another way";
	}
	if (spare_the_count())
		return "this kernel cannot spare those that it counts with";
	return set_fault("fail_page_alloc", "min-order", "0") ? "only large pages can fail" : NULL;
}

static bool is_worker(const char *comm)
{
	FILE *file = fopen(comm, "r");
	char name[32] = "";

	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return !strncmp(name, "vblk-", 5);
}

/* Have all workers fail whose files of /proc match: how many that are. */
static int fail_in(const char *pattern)
{
	glob_t found;
	int n = 0;

	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *comm = found.gl_pathv[i];
		char path[128];

		if (!is_worker(comm))
			continue;
		snprintf(path, sizeof(path), "%.*s/make-it-fail",
			 (int)(strrchr(comm, '/') - comm), comm);
		n += !write_file(path, "1");
	}
	globfree(&found);
	return n;
}

/*
 * Requests that need memory
 */

FIXTURE(shortage) {
	struct disk disk;
	struct guest guest;
	struct guest_queue *queue;
	struct request requests[IN_FLIGHT];
};

#define SELF FIXTURE_DATA(shortage)

FIXTURE_VARIANT(shortage) {
	bool defer;
};

FIXTURE_VARIANT_ADD(shortage, direct) {};
FIXTURE_VARIANT_ADD(shortage, deferred) { .defer = true };

/* Those to bounce, those of many pages, those with a range. */
static void make_requests(SELF *self)
{
	struct virtio_blk_discard_write_zeroes range = { .num_sectors = htole32(8) };

	for (unsigned int i = 0; i < IN_FLIGHT; i++) {
		struct request *request = &self->requests[i];

		*request = (struct request) {
			.type = i % 4 < 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
			.sector = i * STRIDE, .len = REQUEST_LEN,
			.data = request_alloc(&self->guest, REQUEST_LEN, i % 2),
		};
		data_fill(&self->guest, request->data, REQUEST_LEN, i);
		if (i % 5)
			continue;
		request->type = VIRTIO_BLK_T_WRITE_ZEROES;
		request->len = sizeof(range);
		range.sector = htole64(i * STRIDE);
		guest_put(&self->guest, request->data, &range, sizeof(range));
	}
}

FIXTURE_SETUP(shortage)
{
	/* It needs memory only for what was never written. */
	const struct disk_setup brd = { .kind = DISK_BRD };
	const struct guest_setup setup = {};
	char *image = disk_buffer(IN_FLIGHT * STRIDE * SECTOR);
	const char *why = set_up_faults() ?: disk_make(&self->disk, &brd);

	if (why)
		SKIP(return, "%s", why);
	data_make(image, IN_FLIGHT * STRIDE * SECTOR, 1);
	ASSERT_TRUE(disk_write(&self->disk, image, IN_FLIGHT * STRIDE * SECTOR, 0));
	ASSERT_EQ(0, set_defer(variant->defer));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	self->queue = &self->guest.queues[0];
	make_requests(self);
	/* Threads of the owner, or of the kernel. */
	ASSERT_EQ(1, fail_in("/proc/self/task/*/comm") ?: fail_in("/proc/[0-9]*/comm"));
}

FIXTURE_TEARDOWN(shortage)
{
	EXPECT_EQ(0, fail_memory(0));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	guest_close(&self->guest);
	disk_remove(&self->disk);
	set_defer(false);
}

/* All of them, with one notification. */
static int submit(SELF *self)
{
	int ret = 0;

	for (int i = 0; !ret && i < IN_FLIGHT; i++)
		ret = request_add(self->queue, &self->requests[i]);
	guest_kick(self->queue);
	return ret;
}

static bool all_are_well(const SELF *self)
{
	for (int i = 0; i < IN_FLIGHT; i++) {
		const struct request *request = &self->requests[i];

		if (request->status == VIRTIO_BLK_S_OK && !request->damaged)
			continue;
		ksft_print_msg("request %d, type %u: status %d\n", i, request->type,
			       request->status);
		return false;
	}
	return true;
}

/* How often the queue had to wait for memory. */
static long stalls(const SELF *self)
{
	return guest_count(self->queue, "stalls");
}

/* At first there is none: all are done when there is some, without another notification. */
TEST_F(shortage, requests_wait_for_memory)
{
	for (int round = 0; round < 5; round++) {
		long before = stalls(self);

		ASSERT_EQ(0, fail_memory(100));
		ASSERT_EQ(0, submit(self));
		ASSERT_TRUE(BECOMES_TRUE(stalls(self) >= before + 3));
		EXPECT_EQ(0, request_poll(self->queue));
		ASSERT_EQ(0, fail_memory(0));
		ASSERT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(all_are_well(self));
	}
}

/* There is some, now and then. */
TEST_F(shortage, requests_cope_with_little_memory)
{
	long end = now_ms() + test_ms();

	ASSERT_EQ(0, fail_memory(5));
	while (now_ms() < end || !stalls(self)) {
		ASSERT_EQ(0, submit(self));
		ASSERT_EQ(0, request_wait_all(self->queue));
		ASSERT_TRUE(all_are_well(self));
	}
}

/* What waits was not taken, as far as others know: it is done after the next start. */
TEST_F(shortage, queue_that_waits_can_be_stopped)
{
	for (int round = 0; round < 3; round++) {
		int base = (__u16)self->queue->drv.taken;
		long before = stalls(self);

		ASSERT_EQ(0, fail_memory(100));
		ASSERT_EQ(0, submit(self));
		ASSERT_TRUE(BECOMES_TRUE(stalls(self) >= before + 1));
		EXPECT_EQ(base, guest_stop_queue(self->queue));
		ASSERT_EQ(0, fail_memory(0));
		ASSERT_EQ(0, guest_detach(&self->guest));
		EXPECT_TRUE(guest_balances(&self->guest));
		EXPECT_EQ(0, request_poll(self->queue));
		ASSERT_EQ(0, guest_set_addresses(self->queue));
		ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
		ASSERT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(all_are_well(self));
	}
}

/* Nobody waits for memory who wants to close the device. */
TEST_F(shortage, close_does_not_wait_for_memory)
{
	long begin;

	ASSERT_EQ(0, fail_memory(100));
	ASSERT_EQ(0, submit(self));
	ASSERT_TRUE(BECOMES_TRUE(stalls(self) >= 1));
	begin = now_ms();
	EXPECT_EQ(0, close(self->guest.fd));
	EXPECT_GT(prompt_ms(), now_ms() - begin);
	self->guest.fd = -1;
	guest_close(&self->guest);
	ASSERT_EQ(0, fail_memory(0));

	/* One more, for what comes after each test. */
	ASSERT_EQ(0, guest_open(&self->guest, &(struct guest_setup) {}));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
