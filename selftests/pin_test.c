// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of the guest that stay pinned: fewer are pinned, and what is read or written
 * is what the owner has there all the same, whatever it does to its memory.
 */
#include <sys/mman.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/privileges.h"
#include "lib/traffic.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

/* What the module has when it is loaded. */
#define PINS	256

#define SEED	7
#define HUGE_PAGES	((long)(HUGE / PAGE))
#define OTHERS	16	/* few enough to share no slot with the page */
#define PIECES	60	/* of a request: more than it has room for by itself */
#define SLOW_US	300000UL

static struct disk disk, slow;
static const char *why_not;

FIXTURE(pin) {
	struct guest guest;
	struct guest_queue *queue;
	__u64 data;	/* a page in the middle of others */
	char *at;	/* where the owner has it */
};

FIXTURE_VARIANT(pin) {
	bool shared;
	bool huge;
};

/* Memory of the owner's own, and a file in memory; in pages, and in huge ones. */
FIXTURE_VARIANT_ADD(pin, private) {};
FIXTURE_VARIANT_ADD(pin, shared) { .shared = true };
FIXTURE_VARIANT_ADD(pin, huge) { .huge = true };
FIXTURE_VARIANT_ADD(pin, huge_shared) { .shared = true, .huge = true };

/* What a test of huge pages needs of the machine. */
#define THP	"/sys/kernel/mm/transparent_hugepage/"

FIXTURE_SETUP(pin)
{
	struct guest_setup setup = { .huge = variant->huge };
	size_t len = PAGE;

	if (why_not)
		SKIP(return, "%s", why_not);
	if (variant->huge && (write_file(THP "enabled", "madvise") ||
			      write_file(THP "shmem_enabled", "advise")))
		SKIP(return, "n/a: this kernel has no huge pages for those who ask");
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	self->queue = &self->guest.queues[0];
	self->data = variant->shared ? GUEST_NEXT + MIB : request_alloc(&self->guest, 3 * PAGE, 0) +
							  PAGE;
	self->at = guest_at(&self->guest, self->data, &len);
	data_fill(&self->guest, self->data, PAGE, SEED);
	ASSERT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 8, self->data, PAGE));
}

FIXTURE_TEARDOWN(pin)
{
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	EXPECT_EQ(0, guest_count(self->queue, "kept"));
	guest_close(&self->guest);
	set_parameter("pins", PINS);
	set_parameter("pin_data", 1);
}

#define SELF FIXTURE_DATA(pin)

/* From now on there is room for so many. */
static int attach_anew(SELF *self, unsigned int pins)
{
	return guest_detach(&self->guest) ?: set_parameter("pins", pins) ?:
	       guest_attach(&self->guest, disk.fd);
}

/* Read what was written, to where the owner has @self->data now. */
static bool reads_well(const SELF *self)
{
	memset(self->at, 0, PAGE);
	return request_do(self->queue, VIRTIO_BLK_T_IN, 8, self->data, PAGE) == VIRTIO_BLK_S_OK &&
	       data_is(&self->guest, self->data, PAGE, SEED);
}

/* Write what is there now, and read it again by another way. */
static bool writes_well(const SELF *self, __u64 seed)
{
	char *buffer = disk_buffer(PAGE), want[PAGE];

	data_make(want, PAGE, seed);
	memcpy(self->at, want, PAGE);
	return request_do(self->queue, VIRTIO_BLK_T_OUT, 8, self->data, PAGE) == VIRTIO_BLK_S_OK &&
	       disk_read(&disk, buffer, PAGE, 8 * SECTOR) && !memcmp(buffer, want, PAGE);
}

TEST_F(pin, is_made_once)
{
	long pinned;

	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(reads_well(self));
	EXPECT_LT(variant->huge ? HUGE_PAGES - 1 : 0, guest_count(self->queue, "kept"));
	pinned = guest_count(self->queue, "pinned");
	for (int i = 0; i < 10; i++) {
		ASSERT_TRUE(reads_well(self));
		ASSERT_TRUE(writes_well(self, SEED));
	}
	/* But for the room of other headers and statuses. */
	EXPECT_GE(pinned + 2, guest_count(self->queue, "pinned"));
}

/* A read, with header and status at a place of their own. */
static int reads_to(const SELF *self, __u64 data)
{
	const struct drv_buf buf = { data, PAGE };

	return request_do_in(self->queue, VIRTIO_BLK_T_IN, 8, &buf, 1);
}

/* How many pages that takes to pin. */
static long pins_to_read(struct __test_metadata *_metadata, const SELF *self, __u64 data)
{
	long before = guest_count(self->queue, "pinned");

	ASSERT_EQ(VIRTIO_BLK_S_OK, reads_to(self, data));
	return guest_count(self->queue, "pinned") - before;
}

/* Whatever is read to in it, and however much. */
TEST_F(pin, is_made_of_a_huge_page)
{
	__u64 data = GUEST_NEXT + 8 * MIB;
	const struct drv_buf much = { data + 8 * PAGE, 64 * PAGE };

	if (!variant->huge)
		SKIP(return, "n/a: it has none");
	guest_set(&self->guest, data, 0, HUGE);
	for (int i = 0; i < 4; i++)
		pins_to_read(_metadata, self, data + i * PAGE);
	for (int i = 0; i < HUGE_PAGES; i += 7)
		EXPECT_EQ(0, pins_to_read(_metadata, self, data + i * PAGE));
	for (int i = 0; i < 3; i++) {
		long before = guest_count(self->queue, "pinned");

		EXPECT_EQ(VIRTIO_BLK_S_OK,
			  request_do_in(self->queue, VIRTIO_BLK_T_IN, 8, &much, 1));
		EXPECT_EQ(before, guest_count(self->queue, "pinned"));
	}
}

/* Write each page, all by one request, so often that those are kept that can be. */
static void write_again(struct __test_metadata *_metadata, const SELF *self,
			const struct drv_buf *pieces, int nr)
{
	for (int i = 0; i < nr; i++)
		data_fill(&self->guest, pieces[i].addr, PAGE, SEED + i);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  request_do_in(self->queue, VIRTIO_BLK_T_OUT, 8, pieces, nr));
}

/* Read them again: how many were pinned for that. */
static long pinned_again(const SELF *self, const struct drv_buf *pieces, int nr)
{
	long pinned = guest_count(self->queue, "pinned");

	for (int i = 0; i < nr; i++)
		guest_set(&self->guest, pieces[i].addr, 0, PAGE);
	if (request_do_in(self->queue, VIRTIO_BLK_T_IN, 8, pieces, nr) != VIRTIO_BLK_S_OK)
		return -1;
	for (int i = 0; i < nr; i++)
		if (!data_is(&self->guest, pieces[i].addr, PAGE, SEED + i))
			return -1;
	return guest_count(self->queue, "pinned") - pinned;
}

/*
 * And in however many pieces: here in turns in one huge page and in the next. Of pages that
 * are not huge one request may have a 32nd of those there may be.
 */
TEST_F(pin, is_made_for_many_pieces)
{
	const __u64 data = GUEST_NEXT + 9 * MIB;	/* no slot is one of rings and headers */
	struct drv_buf pieces[PIECES];

	for (int i = 0; i < PIECES; i++)
		pieces[i] = (struct drv_buf) { data + i % 2 * HUGE + 3 * i * PAGE, PAGE };
	ASSERT_EQ(0, attach_anew(self, variant->huge ? PINS : 32 * PIECES));
	write_again(_metadata, self, pieces, PIECES);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, pinned_again(self, pieces, PIECES));
	if (variant->huge)
		return;
	ASSERT_EQ(0, attach_anew(self, 16 * PIECES));
	for (int i = 0; i < 4; i++)
		EXPECT_LE(PIECES, pinned_again(self, pieces, PIECES));
}

/*
 * And of all but one, where two of a request have the same slot; huge ones as in
 * is_not_made_by_two_pages_in_turns.
 */
TEST_F(pin, is_made_of_what_can_be_kept)
{
	__u64 first = GUEST_NEXT + 10 * MIB + 128 * PAGE;
	const struct drv_buf pieces[] = {
		{ first, PAGE }, { first + 16 * PAGE, PAGE },
		{ first + (variant->huge ? 2 * HUGE : PINS * PAGE), PAGE },
		{ first + 32 * PAGE, PAGE }, { first + 64 * PAGE, PAGE },
	};

	if (variant->huge)
		ASSERT_EQ(0, attach_anew(self, 2));
	write_again(_metadata, self, pieces, ARRAY_SIZE(pieces));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(1, pinned_again(self, pieces, ARRAY_SIZE(pieces)));
}

/* So much would be too much for whoever has a limit. */
TEST_F(pin, is_not_made_of_a_huge_page_where_memory_is_limited)
{
	struct rlimit limit = { 4 * MIB, 4 * MIB };

	ASSERT_EQ(0, guest_detach(&self->guest));
	ASSERT_EQ(0, lose_privileges());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	for (int i = 0; i < 10; i++)
		ASSERT_TRUE(reads_well(self));
	EXPECT_LT(0, guest_count(self->queue, "kept"));
	EXPECT_GT(HUGE_PAGES, guest_count(self->queue, "kept"));
}

/* And not before, as long as it is. */
TEST_F(pin, ends_when_it_is_not_used)
{
	long pinned;

	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(reads_well(self));
	pinned = guest_count(self->queue, "pinned");
	for (long end = now_ms() + 3000; now_ms() < end; sleep_ms(10))
		ASSERT_TRUE(reads_well(self));
	/* But for the page of the header, which who notifies needs. */
	EXPECT_GE(pinned + 1, guest_count(self->queue, "pinned"));
	EXPECT_TRUE(BECOMES_TRUE(!guest_count(self->queue, "kept")));
}

/* What is used once need not stay. */
TEST_F(pin, is_made_when_a_page_is_used_again)
{
	__u64 data = GUEST_NEXT + 8 * MIB + 128 * PAGE;

	guest_set(&self->guest, data, 0, PAGE);
	EXPECT_LT(0, pins_to_read(_metadata, self, data));
	EXPECT_LT(0, pins_to_read(_metadata, self, data));
	EXPECT_EQ(0, pins_to_read(_metadata, self, data));
}

/*
 * They have the same slot, which the first keeps as long as it is used. Huge ones are the
 * second and the fourth of four of which each two share one: headers have the other.
 */
TEST_F(pin, is_not_made_by_two_pages_in_turns)
{
	const long size = variant->huge ? HUGE_PAGES : 1;
	__u64 first = GUEST_NEXT + 10 * MIB + 128 * PAGE, second = first + PINS * PAGE;
	long kept;

	if (variant->huge) {
		second = first + 2 * HUGE;
		ASSERT_EQ(0, attach_anew(self, 2));
	}
	guest_set(&self->guest, first, 0, PAGE);
	guest_set(&self->guest, second, 0, PAGE);
	/* That all are huge is seen by the first that is kept. */
	for (int i = 0; i < 4; i++)
		pins_to_read(_metadata, self, first);
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(1, pins_to_read(_metadata, self, second));
		EXPECT_EQ(0, pins_to_read(_metadata, self, first));
	}
	/* Then it has it. */
	kept = guest_count(self->queue, "kept");
	EXPECT_LT(size, kept);
	EXPECT_EQ(1, pins_to_read(_metadata, self, second));
	EXPECT_EQ(size, pins_to_read(_metadata, self, second));
	EXPECT_EQ(0, pins_to_read(_metadata, self, second));
	EXPECT_EQ(kept, guest_count(self->queue, "kept"));
}

/* But the page of the status is. */
TEST_F(pin, is_not_made_for_data)
{
	long pinned, unpinned;

	ASSERT_EQ(0, set_parameter("pin_data", 0));
	ASSERT_TRUE(reads_well(self));
	pinned = guest_count(self->queue, "pinned");
	unpinned = guest_count(self->queue, "unpinned");
	for (int i = 0; i < 10; i++)
		ASSERT_TRUE(reads_well(self));
	EXPECT_LE(pinned + 10, guest_count(self->queue, "pinned"));
	/* What ended elsewhere is let go of when the worker next looks, or has time. */
	EXPECT_TRUE(BECOMES_TRUE(guest_count(self->queue, "unpinned") >= unpinned + 10));
	EXPECT_LT(0, guest_count(self->queue, "kept"));
}

TEST_F(pin, is_not_made_at_all)
{
	ASSERT_EQ(0, attach_anew(self, 0));
	ASSERT_TRUE(reads_well(self));
	EXPECT_EQ(0, guest_count(self->queue, "kept"));
}

/* Many pages at a time, and room for one of them, and for a huge one. */
TEST_F(pin, has_to_be_shared)
{
	struct traffic traffic = { .queue = self->queue, .sectors = disk.sectors, .slots = 16 };
	const char *error;

	ASSERT_EQ(0, attach_anew(self, 1));
	ASSERT_EQ(0, traffic_start(&traffic));
	sleep_ms(test_ms());
	error = traffic_stop(&traffic);
	EXPECT_EQ(NULL, error)
		TH_LOG("%s", error);
	EXPECT_GE(variant->huge ? HUGE_PAGES + 1 : 1, guest_count(self->queue, "kept"));
}

/*
 * Soon, as the worker lets go of what ended when there is nothing better to do. Of a huge
 * page, all is.
 */
static bool keeps_soon(const SELF *self, long kept)
{
	if (kept >= HUGE_PAGES - 1)
		return BECOMES_TRUE(guest_count(self->queue, "kept") <= kept + 1 - HUGE_PAGES);
	return BECOMES_TRUE(guest_count(self->queue, "kept") == kept);
}

/* As a balloon does: the guest has a new page afterwards. */
TEST_F(pin, ends_when_the_page_goes)
{
	int advice = variant->shared ? MADV_REMOVE : MADV_DONTNEED;

	for (int i = 0; i < 10; i++) {
		long kept;

		ASSERT_TRUE(reads_well(self));
		ASSERT_TRUE(reads_well(self));
		kept = guest_count(self->queue, "kept");
		ASSERT_EQ(0, madvise(self->at, PAGE, advice));
		EXPECT_TRUE(keeps_soon(self, kept - 1))
			TH_LOG("%ld of %ld", guest_count(self->queue, "kept"), kept);
		ASSERT_TRUE(guest_is(&self->guest, self->data, 0, PAGE));
		ASSERT_TRUE(writes_well(self, i));
		ASSERT_TRUE(writes_well(self, SEED));
	}
}

/* With all of the guest's memory, as when it is restarted. */
TEST_F(pin, ends_when_all_pages_go)
{
	const struct guest_region *region = &self->guest.regions[variant->shared ? NEXT : MAIN];

	for (int i = 0; i < 5; i++) {
		ASSERT_TRUE(reads_well(self));
		ASSERT_EQ(0, madvise(region->mem, region->size, MADV_DONTNEED));
		ASSERT_TRUE(reads_well(self));
	}
}

TEST_F(pin, ends_when_other_memory_comes)
{
	for (int i = 0; i < 5; i++) {
		ASSERT_TRUE(reads_well(self));
		ASSERT_EQ(self->at, mmap(self->at, PAGE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		ASSERT_TRUE(guest_is(&self->guest, self->data, 0, PAGE));
		ASSERT_TRUE(reads_well(self));
		ASSERT_TRUE(writes_well(self, i));
		ASSERT_TRUE(writes_well(self, SEED));
	}
}

/* Nobody may write there, so no page is kept; to read it is still fine. */
TEST_F(pin, is_not_made_of_what_is_read_only)
{
	ASSERT_TRUE(reads_well(self));
	ASSERT_EQ(0, mprotect(self->at, PAGE, PROT_READ));
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  request_do(self->queue, VIRTIO_BLK_T_OUT, 16, self->data, PAGE));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  request_do(self->queue, VIRTIO_BLK_T_IN, 8, self->data, PAGE));
	ASSERT_EQ(0, mprotect(self->at, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_TRUE(reads_well(self));
}

/* What is in flight goes on with the page that it has, and the last one lets go of it. */
TEST_F(pin, outlives_the_page)
{
	struct request request = {
		.type = VIRTIO_BLK_T_IN, .sector = 8, .data = self->data, .len = PAGE,
	};

	ASSERT_TRUE(reads_well(self));
	ASSERT_EQ(0, guest_detach(&self->guest));
	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	ASSERT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &request));
	ASSERT_EQ(0, request_add(self->queue, &request));
	guest_kick(self->queue);
	/* The page, and that of the status. */
	for (long end = now_ms() + LIMIT_MS; guest_count(self->queue, "kept") < 2;)
		ASSERT_GT(end, now_ms());
	ASSERT_EQ(0, madvise(self->at, PAGE, MADV_DONTNEED));
	memset(self->at, 0x11, PAGE);
	/* It has a page, and so has the next one. */
	ASSERT_EQ(0, request_wait(self->queue, &request));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request.status);
	ASSERT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	ASSERT_TRUE(reads_well(self));
}

/* Whom the worker serves next has another page, though it is at work for others. */
TEST_F(pin, ends_while_the_worker_is_at_work)
{
	struct request others[OTHERS], last = {
		.type = VIRTIO_BLK_T_IN, .sector = 8, .data = self->data, .len = PAGE,
	};
	int advice = variant->shared ? MADV_REMOVE : MADV_DONTNEED;

	for (int i = 0; i < OTHERS; i++)
		others[i] = (struct request) {
			.type = VIRTIO_BLK_T_IN, .sector = 16, .len = PAGE,
			.data = request_alloc(&self->guest, PAGE, 0),
		};
	ASSERT_TRUE(reads_well(self));
	for (long end = now_ms() + test_ms(); now_ms() < end;) {
		for (int i = 0; i < OTHERS; i++)
			ASSERT_EQ(0, request_add(self->queue, &others[i]));
		guest_kick(self->queue);
		ASSERT_EQ(0, madvise(self->at, PAGE, advice));
		ASSERT_EQ(0, request_add(self->queue, &last));
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
		ASSERT_EQ(VIRTIO_BLK_S_OK, last.status);
		ASSERT_TRUE(data_is(&self->guest, self->data, PAGE, SEED));
	}
}

/* A child has the page as it was, and the parent goes on with it. */
TEST_F(pin, survives_a_fork)
{
	struct traffic traffic = { .queue = self->queue, .sectors = disk.sectors, .slots = 4 };
	const char *error;

	ASSERT_EQ(0, traffic_start(&traffic));
	for (long end = now_ms() + test_ms(); now_ms() < end;) {
		pid_t pid = fork();
		int status = -1;

		if (!pid) {
			guest_set(&self->guest, GUEST_MAIN, 0x66, 4 * MIB);
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
	}
	error = traffic_stop(&traffic);
	EXPECT_EQ(NULL, error)
		TH_LOG("%s", error);
}

/* The guest's memory is told anew while requests are in flight. */
TEST_F(pin, survives_a_new_table)
{
	struct traffic traffic = { .queue = self->queue, .sectors = disk.sectors, .slots = 4 };
	struct guest_region regions[GUEST_REGIONS + 1];
	char *more = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *error;

	memcpy(regions, self->guest.regions, sizeof(self->guest.regions));
	regions[GUEST_REGIONS] = (struct guest_region) { GUEST_HOLE, MIB, more };
	ASSERT_EQ(0, traffic_start(&traffic));
	for (long end = now_ms() + test_ms(); now_ms() < end;) {
		ASSERT_EQ(0, guest_set_regions(&self->guest, regions, GUEST_REGIONS + 1));
		sleep_ms(2);
		ASSERT_EQ(0, guest_set_memory(&self->guest));
		sleep_ms(2);
	}
	error = traffic_stop(&traffic);
	EXPECT_EQ(NULL, error)
		TH_LOG("%s", error);
	munmap(more, MIB);
}

int main(int argc, char **argv)
{
	const struct disk_setup fast_setup = { .kind = DISK_NULL_BLK, .latency_us = 5 };
	const struct disk_setup slow_setup = { .kind = DISK_NULL_BLK, .latency_us = SLOW_US };

	need_device();
	why_not = disk_share(&disk, &fast_setup) ?: disk_share(&slow, &slow_setup);
	return test_harness_run(argc, argv);
}
