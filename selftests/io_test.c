// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data, on every kind of disk: each type of request, whatever the sizes, the
 * alignment, the cut into buffers. The host looks at the disk behind the back of
 * vhost-blk.
 */
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/request.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

/* Sizes of requests, at most. */
#define BIG		(4 * MIB)
#define BIGGER		(5 * MIB + 8 * PAGE)

/* Where on the disk; what is around it must not change. */
#define PLACE		(8 * MIB)
#define AROUND		(2 * PAGE)

enum { NULL_512, NULL_IRQ, NULL_4096, NULL_SMALL, RAM, LOOP, SCSI_4096, NO_DISK, DISKS };

static const struct disk_setup setups[DISKS] = {
	[NULL_512] = { .kind = DISK_NULL_BLK },
	[NULL_IRQ] = { .kind = DISK_NULL_BLK, .latency_us = 5 },
	[NULL_4096] = { .kind = DISK_NULL_BLK, .block_size = 4096 },
	[NULL_SMALL] = { .kind = DISK_NULL_BLK, .max_kb = 8 },
	[RAM] = { .kind = DISK_BRD },
	[LOOP] = { .kind = DISK_LOOP },
	[SCSI_4096] = { .kind = DISK_SCSI, .block_size = 4096 },
	[NO_DISK] = { .kind = DISK_DEV_NULL },
};

/* Made once, for all tests. */
static struct disk disks[DISKS];
static const char *why_not[DISKS];

FIXTURE(io) {
	struct disk *disk;
	struct guest guest;
	struct guest_queue *queue;
	unsigned int block;
	bool spoiled_by_512;
	char *host;		/* BIGGER bytes and what is around, as they are on the disk */
};

#define SELF FIXTURE_DATA(io)

FIXTURE_VARIANT(io) {
	int disk;
	bool defer;
};

FIXTURE_VARIANT_ADD(io, null_blk_512) { .disk = NULL_512 };
FIXTURE_VARIANT_ADD(io, null_blk_irq) { .disk = NULL_IRQ };
FIXTURE_VARIANT_ADD(io, null_blk_irq_deferred) { .disk = NULL_IRQ, .defer = true };
FIXTURE_VARIANT_ADD(io, null_blk_4096) { .disk = NULL_4096 };
FIXTURE_VARIANT_ADD(io, null_blk_small_requests) { .disk = NULL_SMALL };
FIXTURE_VARIANT_ADD(io, brd) { .disk = RAM };
FIXTURE_VARIANT_ADD(io, loop) { .disk = LOOP };
FIXTURE_VARIANT_ADD(io, scsi_4096) { .disk = SCSI_4096 };
FIXTURE_VARIANT_ADD(io, dev_null) { .disk = NO_DISK };

FIXTURE_SETUP(io)
{
	const struct guest_setup setup = {};

	if (why_not[variant->disk])
		SKIP(return, "%s", why_not[variant->disk]);
	self->disk = &disks[variant->disk];
	self->block = self->disk->block_size;
	/*
	 * Linux kernel commit "null_blk: set dma alignment to logical block size" (in
	 * v6.15): before, buffers that are aligned to less are too much for it.
	 */
	self->spoiled_by_512 = variant->disk == NULL_4096 &&
			       disk_attribute(self->disk, "queue/dma_alignment") < 4095;
	self->host = disk_buffer(BIGGER + 2 * AROUND);
	ASSERT_NE(NULL, self->host);
	ASSERT_EQ(0, set_defer(variant->defer));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk->fd));
	self->queue = &self->guest.queues[0];
}

FIXTURE_TEARDOWN(io)
{
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	guest_close(&self->guest);
	set_defer(false);
}

/* One of many requests of a test: size, alignment, framing. */
struct sample {
	__u32 len;
	__u32 offset;
	const struct framing *framing;
	__u64 seed;
};

/*
 * The samples, one after the other: every framing with every size, as far as a ring of
 * 256 has room for it, and with some of the alignments each time. Big ones take long,
 * so each framing has but one of them.
 */
static bool next_sample(const SELF *self, struct sample *sample)
{
	static const __u32 offsets[] = { 0, 512, 1, 4095, 3 };
	const __u32 small[] = { self->block, 3 * self->block, 16 * self->block,
				17 * self->block, 31 * 4096 };
	static const __u32 big[] = { MIB, BIG, BIGGER, MIB + 16 * PAGE };
	struct request request = { .type = VIRTIO_BLK_T_OUT };
	const unsigned int each = 2 * ARRAY_SIZE(small) + 1;

	for (;;) {
		unsigned int i = sample->seed++, framing = i / each, size = i % each;

		if (framing >= nr_framings)
			return false;
		sample->framing = &framings[framing];
		sample->offset = offsets[(framing + i) % ARRAY_SIZE(offsets)];
		sample->len = size / 2 < ARRAY_SIZE(small) ? small[size / 2] :
							     big[framing % ARRAY_SIZE(big)];
		if (sample->offset == 512 && self->spoiled_by_512)
			continue;
		request.len = sample->len;
		request.framing = sample->framing;
		if (request_count(&request) <= 254)
			return true;
	}
}

static struct request request_for(struct guest *guest, const struct sample *sample, __u32 type)
{
	guest->top = GUEST_MAIN;
	return (struct request) {
		.type = type,
		.sector = PLACE / SECTOR,
		.data = request_alloc(guest, sample->len, sample->offset),
		.len = sample->len,
		.framing = sample->framing,
	};
}

static const char *describe(const struct sample *sample)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s, %u bytes, %u behind a page", sample->framing->name,
		 sample->len, sample->offset);
	return text;
}

/* What is read of no disk is what was in the buffer, or zeroes: nothing of the host. */
static void read_nothing(struct __test_metadata *_metadata, SELF *self)
{
	struct sample sample = {};

	while (next_sample(self, &sample)) {
		struct request request = request_for(&self->guest, &sample, VIRTIO_BLK_T_IN);

		guest_set(&self->guest, request.data, 0xaa, request.len);
		ASSERT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &request))
			TH_LOG("%s", describe(&sample));
		ASSERT_TRUE(guest_is(&self->guest, request.data, 0xaa, request.len) ||
			    guest_is(&self->guest, request.data, 0, request.len))
			TH_LOG("%s", describe(&sample));
	}
}

TEST_F(io, read_gives_what_is_there)
{
	struct sample sample = {};

	if (variant->disk == NO_DISK) {
		read_nothing(_metadata, self);
		return;
	}
	data_make(self->host, BIGGER, 1);
	ASSERT_TRUE(disk_write(self->disk, self->host, BIGGER, PLACE));
	while (next_sample(self, &sample)) {
		struct request request = request_for(&self->guest, &sample, VIRTIO_BLK_T_IN);
		char *there = malloc(sample.len);

		guest_set(&self->guest, request.data, 0xaa, request.len);
		ASSERT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &request))
			TH_LOG("%s", describe(&sample));
		EXPECT_EQ(request.len + 1, request.used)
			TH_LOG("%s", describe(&sample));
		guest_get(&self->guest, there, request.data, request.len);
		ASSERT_EQ(0, memcmp(there, self->host, request.len))
			TH_LOG("%s", describe(&sample));
		free(there);
	}
}

TEST_F(io, write_changes_that_and_nothing_else)
{
	struct sample sample = {};
	char *expected = malloc(BIGGER + 2 * AROUND);

	if (variant->disk == NO_DISK)
		SKIP(return, "n/a: it keeps nothing");
	memset(self->host, 0x5a, BIGGER + 2 * AROUND);
	ASSERT_TRUE(disk_write(self->disk, self->host, BIGGER + 2 * AROUND, PLACE - AROUND));
	memcpy(expected, self->host, BIGGER + 2 * AROUND);
	while (next_sample(self, &sample)) {
		struct request request = request_for(&self->guest, &sample, VIRTIO_BLK_T_OUT);
		__u32 len = sample.len + 2 * AROUND;

		data_make(expected + AROUND, sample.len, sample.seed);
		guest_put(&self->guest, request.data, expected + AROUND, request.len);
		ASSERT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &request))
			TH_LOG("%s", describe(&sample));
		EXPECT_EQ(1, request.used)
			TH_LOG("%s", describe(&sample));
		ASSERT_TRUE(disk_read(self->disk, self->host, len, PLACE - AROUND));
		ASSERT_EQ(0, memcmp(expected, self->host, len))
			TH_LOG("%s", describe(&sample));
	}
}

/* Each part of a request lies across the place where one region ends in the middle. */
TEST_F(io, buffers_cross_regions)
{
	const __u32 len = 8 * PAGE;

	for (__u32 before = 0; before < len + 64; before += before < 64 ? 1 : 2003) {
		struct request request = {
			.type = VIRTIO_BLK_T_OUT,
			.sector = PLACE / SECTOR,
			.data = GUEST_NEXT - before,
			.len = len,
			.framing = &framings[before % nr_framings],
		};

		data_fill(&self->guest, request.data, len, before);
		ASSERT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &request))
			TH_LOG("%u bytes, %s", before, request.framing->name);
		request.type = VIRTIO_BLK_T_IN;
		guest_set(&self->guest, request.data, 0, len);
		ASSERT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &request))
			TH_LOG("%u bytes, %s", before, request.framing->name);
		ASSERT_TRUE(variant->disk == NO_DISK ||
			    data_is(&self->guest, request.data, len, before))
			TH_LOG("%u bytes, %s", before, request.framing->name);
	}
}

/* Does the disk have what is in host, from AROUND in front of PLACE on? */
static bool is_on_disk(const SELF *self, __u32 len)
{
	char *there = disk_buffer(len);
	bool same = there && disk_read(self->disk, there, len, PLACE - AROUND) &&
		    !memcmp(there, self->host, len);

	munmap(there, len);
	return same;
}

/* Places in the guest's memory with room for 4 pages, apart from each other. */
#define SCATTERED(i)	(GUEST_MAIN + MIB + (i) * 5 * PAGE)

/* @nr buffers of @len bytes all over the memory, the first at its end: none follows another. */
static int run_scattered(SELF *self, __u32 type, __u32 nr, __u32 len)
{
	struct drv_buf bufs[256];

	for (__u32 i = 0; i < nr; i++)
		bufs[i] = (struct drv_buf) { SCATTERED(nr - i), len };
	return request_do_in(self->queue, type, PLACE / SECTOR, bufs, nr);
}

/* More of them than one bio has room for, in segments or in pages. */
TEST_F(io, buffers_all_over_the_memory)
{
	const struct { __u32 nr, len; } rows[] = {
		{ 2, PAGE }, { 5, PAGE }, { 8, PAGE }, { 252, PAGE }, { 252, 2 * PAGE },
		{ 252, 4 * PAGE }, { 8, self->block }, { 252, self->block }, { 100, 3 * PAGE },
	};

	if (variant->disk == NO_DISK)
		SKIP(return, "n/a: it keeps nothing");
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		__u32 nr = rows[i].nr, len = rows[i].len, all = nr * len + 2 * AROUND;

		if (len % PAGE && self->spoiled_by_512)
			continue;
		memset(self->host, 0x5a, all);
		ASSERT_TRUE(disk_write(self->disk, self->host, all, PLACE - AROUND));
		for (__u32 j = 0; j < nr; j++) {
			data_fill(&self->guest, SCATTERED(nr - j), len, 1000 * i + 4 * j);
			guest_get(&self->guest, self->host + AROUND + j * len, SCATTERED(nr - j),
				  len);
		}
		ASSERT_EQ(VIRTIO_BLK_S_OK, run_scattered(self, VIRTIO_BLK_T_OUT, nr, len))
			TH_LOG("%u buffers of %u bytes", nr, len);
		EXPECT_TRUE(is_on_disk(self, all))
			TH_LOG("%u buffers of %u bytes", nr, len);
		for (__u32 j = 0; j < nr; j++)
			guest_set(&self->guest, SCATTERED(nr - j), 0xaa, len);
		ASSERT_EQ(VIRTIO_BLK_S_OK, run_scattered(self, VIRTIO_BLK_T_IN, nr, len));
		for (__u32 j = 0; j < nr; j++) {
			ASSERT_TRUE(data_is(&self->guest, SCATTERED(nr - j), len, 1000 * i + 4 * j))
				TH_LOG("buffer %u of %u of %u bytes", j, nr, len);
		}
	}
}

TEST_F(io, buffers_beyond_4_gigabytes)
{
	const __u64 data = GUEST_HIGH + 8 * PAGE;

	data_fill(&self->guest, data, 8 * PAGE, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  request_do(self->queue, VIRTIO_BLK_T_OUT, PLACE / SECTOR, data, 8 * PAGE));
	if (variant->disk != NO_DISK)
		guest_set(&self->guest, data, 0, 8 * PAGE);
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  request_do(self->queue, VIRTIO_BLK_T_IN, PLACE / SECTOR, data, 8 * PAGE));
	EXPECT_TRUE(data_is(&self->guest, data, 8 * PAGE, 1));
}

/* Write zeroes to, or discard, some blocks; the rest must not change. */
static int run_range(SELF *self, __u32 type, __u32 flags, __u64 at, __u32 len)
{
	struct virtio_blk_discard_write_zeroes range = {
		.sector = at / SECTOR, .num_sectors = len / SECTOR, .flags = flags,
	};
	__u64 data = request_alloc(&self->guest, sizeof(range), 0);

	guest_put(&self->guest, data, &range, sizeof(range));
	return request_do(self->queue, type, 0, data, sizeof(range));
}

static bool is_zero(const char *at, size_t len)
{
	return !*at && !memcmp(at, at + 1, len - 1);
}

TEST_F(io, written_zeroes_are_read_as_zeroes)
{
	const __u32 sizes[] = { self->block, 3 * self->block, 64 * 1024, 3 * MIB };

	if (variant->disk == NO_DISK)
		SKIP(return, "n/a: it keeps nothing");
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		__u32 len = sizes[i / 2], all = len + 2 * AROUND;

		memset(self->host, 0x5a, all);
		ASSERT_TRUE(disk_write(self->disk, self->host, all, PLACE - AROUND));
		EXPECT_EQ(VIRTIO_BLK_S_OK,
			  run_range(self, VIRTIO_BLK_T_WRITE_ZEROES, i % 2, PLACE, len))
			TH_LOG("%u bytes, flags %u", len, i % 2);
		ASSERT_TRUE(disk_read(self->disk, self->host, all, PLACE - AROUND));
		EXPECT_TRUE(is_zero(self->host + AROUND, len))
			TH_LOG("%u bytes, flags %u", len, i % 2);
		memset(self->host + AROUND, 0x5a, len);
		EXPECT_EQ(0, memcmp(self->host, self->host + 1, all - 1));
	}
}

TEST_F(io, discard_leaves_the_rest_alone)
{
	const __u32 len = MIB, all = len + 2 * AROUND;
	bool none = variant->disk == NO_DISK;

	memset(self->host, 0x5a, all);
	ASSERT_TRUE(disk_write(self->disk, self->host, all, PLACE - AROUND));
	EXPECT_EQ(VIRTIO_BLK_S_OK, run_range(self, VIRTIO_BLK_T_DISCARD, 0, PLACE, len));
	if (none)
		return;
	ASSERT_TRUE(disk_read(self->disk, self->host, all, PLACE - AROUND));
	/* What is discarded may be anything: in all of these, what it was, or zeroes. */
	memset(self->host + AROUND, 0x5a, len);
	EXPECT_EQ(0, memcmp(self->host, self->host + 1, all - 1));
}

TEST_F(io, flush)
{
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_FLUSH, 0,
					      request_alloc(&self->guest, 0, 0), 0));
}

/* The last block can be read and written, the one behind it cannot. */
TEST_F(io, ends_where_the_disk_ends)
{
	const __u32 types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT };
	__u64 end = self->disk->sectors, step = self->block / SECTOR;
	__u64 data = request_alloc(&self->guest, 4 * PAGE, 0);

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		const struct { __u64 sector; __u32 len; int status; } rows[] = {
			{ end - step, self->block, VIRTIO_BLK_S_OK },
			{ end - 2 * step, 2 * self->block, VIRTIO_BLK_S_OK },
			{ end, 0, VIRTIO_BLK_S_OK },
			{ end - step, 2 * self->block, VIRTIO_BLK_S_IOERR },
			{ end, self->block, VIRTIO_BLK_S_IOERR },
			{ end + step, 0, VIRTIO_BLK_S_IOERR },
			{ ~0ULL / SECTOR - step + 1, self->block, VIRTIO_BLK_S_IOERR },
			{ 1ULL << 55, self->block, VIRTIO_BLK_S_IOERR },
			{ 1ULL << 63, self->block, VIRTIO_BLK_S_IOERR },
			{ -step, self->block, VIRTIO_BLK_S_IOERR },
			{ -step, 2 * self->block, VIRTIO_BLK_S_IOERR },
		};

		for (unsigned int j = 0; j < ARRAY_SIZE(rows); j++) {
			EXPECT_EQ(rows[j].status, request_do(self->queue, types[i], rows[j].sector,
							     data, rows[j].len))
				TH_LOG("type %u, sector %llu, %u bytes", types[i], rows[j].sector,
				       rows[j].len);
		}
	}
}

/* Who is the only one to want something has room for it, at once. */
TEST_F(io, large_ones_need_not_wait)
{
	__u64 data = request_alloc(&self->guest, 4 * MIB, 0);

	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, data, 4 * MIB));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_IN, 0, data, 4 * MIB));
	EXPECT_EQ(0, guest_count(self->queue, "overflows"));
}

TEST_F(io, parts_of_a_block_are_refused)
{
	__u64 data = request_alloc(&self->guest, 4 * PAGE, 0);

	if (self->block == SECTOR)
		SKIP(return, "n/a: its blocks are sectors");
	for (__u32 type = VIRTIO_BLK_T_IN; type <= VIRTIO_BLK_T_OUT; type++) {
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, request_do(self->queue, type, 0, data, SECTOR));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, request_do(self->queue, type, 1, data, self->block));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, request_do(self->queue, type, 1, data,
							 self->block - SECTOR));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, request_do(self->queue, type, 0, data,
							 self->block + SECTOR));
	}
	EXPECT_TRUE(request_works(self->queue));
}

/* As many as there is room for, again and again, and each is answered. */
TEST_F(io, all_in_flight_are_answered)
{
	enum { IN_FLIGHT = 64, ROUNDS = 20 };
	struct request requests[IN_FLIGHT];
	__u32 len = self->block;

	for (int i = 0; i < IN_FLIGHT; i++)
		requests[i] = (struct request) {
			.sector = (i * (__u64)len + PLACE) / SECTOR,
			.data = request_alloc(&self->guest, len, 0),
			.len = len,
		};
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < IN_FLIGHT; i++) {
			requests[i].type = round % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
			if (round % 2 == 0)
				data_fill(&self->guest, requests[i].data, len, round * 1000 + i);
			ASSERT_EQ(0, request_add(self->queue, &requests[i]));
			if (i % 3 == 0)
				guest_kick(self->queue);
		}
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
		for (int i = 0; i < IN_FLIGHT; i++) {
			ASSERT_TRUE(requests[i].done);
			EXPECT_EQ(VIRTIO_BLK_S_OK, requests[i].status);
			EXPECT_FALSE(requests[i].damaged);
			EXPECT_TRUE(data_is(&self->guest, requests[i].data, len,
					    round / 2 * 2000 + i));
		}
	}
}

/* What ends in an interrupt is given back there, if that is possible. */
TEST_F(io, ends_where_the_disk_says_so)
{
	ASSERT_TRUE(request_works(self->queue));
	if (variant->disk == NULL_IRQ)
		EXPECT_EQ(!variant->defer, guest_count(self->queue, "direct"));
}

int main(int argc, char **argv)
{
	need_device();
	for (int i = 0; i < DISKS; i++)
		why_not[i] = disk_share(&disks[i], &setups[i]);
	return test_harness_run(argc, argv);
}
