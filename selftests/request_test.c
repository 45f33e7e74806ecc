// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of requests: what each type may be and what it is answered with.
 */
#include <endian.h>
#include <linux/fs.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/request.h"
#include "lib/trace.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define OK	VIRTIO_BLK_S_OK
#define IOERR	VIRTIO_BLK_S_IOERR
#define UNSUPP	VIRTIO_BLK_S_UNSUPP

/* Types without a name in the headers. */
#define TYPE_FLUSH_OUT	5
#define TYPE_LIFETIME	10

/* Made once, for all tests that need no other. */
static struct disk shared;
static const char *why_not;

FIXTURE(request) {
	struct disk *disk;
	struct guest guest;
	struct guest_queue *queue;
	__u64 data;	/* of the guest, for 64 KiB */
};

#define SELF FIXTURE_DATA(request)

FIXTURE_SETUP(request)
{
	/* Few drivers accept that: to be interrupted by whatever ends while the ring is empty. */
	const struct guest_setup setup = { .without = FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY) };

	if (why_not)
		SKIP(return, "%s", why_not);
	self->disk = &shared;
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk->fd));
	self->queue = &self->guest.queues[0];
	self->data = request_alloc(&self->guest, 65536, 0);
}

FIXTURE_TEARDOWN(request)
{
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	guest_close(&self->guest);
}

/* A request with data that begins with @from. */
static int run_with(SELF *self, __u32 type, const void *from, __u32 len)
{
	guest_put(&self->guest, self->data, from, len);
	return request_do(self->queue, type, 0, self->data, len);
}

#define RANGE(_sector, _nr, _flags) ((struct virtio_blk_discard_write_zeroes) {	\
	.sector = htole64(_sector), .num_sectors = htole32(_nr), .flags = htole32(_flags) })

static int run_range(SELF *self, __u32 type, __u64 sector, __u32 nr, __u32 flags)
{
	struct virtio_blk_discard_write_zeroes range = RANGE(sector, nr, flags);

	return run_with(self, type, &range, sizeof(range));
}

/*
 * Types
 */

/* Each of the following is refused, and the next request is none the worse for it. */
TEST_F(request, of_unknown_type_is_unsupported)
{
	for (__u32 type = 0; type < 64; type++) {
		struct request request = { .type = type, .data = self->data, .len = PAGE };

		switch (type) {
		case VIRTIO_BLK_T_IN:
		case VIRTIO_BLK_T_OUT:
		case VIRTIO_BLK_T_FLUSH:
		case VIRTIO_BLK_T_GET_ID:
		case VIRTIO_BLK_T_DISCARD:
		case VIRTIO_BLK_T_WRITE_ZEROES:
		case VIRTIO_BLK_T_SECURE_ERASE:
			continue;
		default:
			break;
		}
		guest_set(&self->guest, self->data, 0x77, PAGE);
		EXPECT_EQ(UNSUPP, request_run(self->queue, &request))
			TH_LOG("type %u", type);
		EXPECT_TRUE(guest_is(&self->guest, self->data, 0x77, PAGE));
		/* The status is not the first byte, so nothing can be claimed. */
		EXPECT_EQ(0, request.used)
			TH_LOG("type %u", type);
	}
	EXPECT_EQ(UNSUPP, request_do(self->queue, 0x7fffffff, 0, self->data, 0));
	EXPECT_EQ(UNSUPP, request_do(self->queue, 1 << 30, 0, self->data, 0));
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(request, may_have_the_barrier_bit)
{
	data_fill(&self->guest, self->data, PAGE, 1);
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT | VIRTIO_BLK_T_BARRIER, 0,
				 self->data, PAGE));
	guest_set(&self->guest, self->data, 0, PAGE);
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_IN | VIRTIO_BLK_T_BARRIER, 0,
				 self->data, PAGE));
	EXPECT_TRUE(data_is(&self->guest, self->data, PAGE, 1));
}

TEST_F(request, with_nothing_to_do_is_done)
{
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_IN, 0, self->data, 0));
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, 0));
}

/* Only whole sectors; else nothing is read or written. */
TEST_F(request, of_odd_length_is_an_error)
{
	static const __u32 lens[] = { 1, 2, 16, 255, 511, 513, 1023, 1025, 4095, 4097, 65535 };

	for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
		struct request request = {
			.type = VIRTIO_BLK_T_IN, .data = self->data, .len = lens[i],
		};

		guest_set(&self->guest, self->data, 0x77, lens[i]);
		EXPECT_EQ(IOERR, request_run(self->queue, &request))
			TH_LOG("%u bytes", lens[i]);
		EXPECT_EQ(0, request.used);
		EXPECT_TRUE(guest_is(&self->guest, self->data, 0x77, lens[i]));
		request.type = VIRTIO_BLK_T_OUT;
		EXPECT_EQ(IOERR, request_run(self->queue, &request))
			TH_LOG("%u bytes", lens[i]);
		EXPECT_EQ(1, request.used);
	}
	EXPECT_TRUE(request_works(self->queue));
}

/* Data in the wrong direction: a read with bytes to read, a write with some to write. */
TEST_F(request, of_both_directions_is_an_error)
{
	struct virtio_blk_outhdr *header;
	struct drv_buf bufs[] = {
		{ self->data, HEADER }, { self->data + PAGE, SECTOR },
		{ self->data + 2 * PAGE, SECTOR }, { self->data + 3 * PAGE, 1 },
	};
	size_t len = HEADER;

	header = (void *)guest_at(&self->guest, self->data, &len);
	for (__u32 type = VIRTIO_BLK_T_IN; type <= VIRTIO_BLK_T_OUT; type++) {
		*header = (struct virtio_blk_outhdr) { .type = htole32(type) };
		guest_set(&self->guest, bufs[2].addr, 0x77, SECTOR);
		guest_set(&self->guest, bufs[3].addr, STATUS_NONE, 1);
		ASSERT_EQ(0, request_add_raw(self->queue, bufs, 2, 2));
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(guest_is(&self->guest, bufs[3].addr, IOERR, 1))
			TH_LOG("type %u", type);
		EXPECT_EQ(0, self->queue->stray_used);
		EXPECT_TRUE(guest_is(&self->guest, bufs[2].addr, 0x77, SECTOR));
	}
}

/* The status is the last byte, however many there are for no data. */
TEST_F(request, has_its_status_in_the_last_byte)
{
	struct virtio_blk_discard_write_zeroes range = RANGE(8, 8, 0);
	struct request request = { .data = self->data, .slack = 7 };

	request.type = VIRTIO_BLK_T_FLUSH;
	EXPECT_EQ(OK, request_run(self->queue, &request));
	EXPECT_EQ(0, request.used);
	guest_put(&self->guest, self->data, &range, sizeof(range));
	request.type = VIRTIO_BLK_T_DISCARD;
	request.len = sizeof(range);
	EXPECT_EQ(OK, request_run(self->queue, &request));
	EXPECT_EQ(0, request.used);
	request.type = VIRTIO_BLK_T_OUT;
	request.len = SECTOR;
	EXPECT_EQ(IOERR, request_run(self->queue, &request));
	EXPECT_EQ(0, request.used);
}

TEST_F(request, gets_the_serial)
{
	struct vhost_blk_settings settings = {
		.fields = VHOST_BLK_SERIAL, .serial = "twenty bytes, no NUL",
	};
	char id[VIRTIO_BLK_ID_BYTES] = "vhost-blk";

	for (int round = 0; round < 2; round++) {
		for (__u32 len = 0; len <= 64; len++) {
			__u32 told = len < sizeof(id) ? len : sizeof(id);
			struct request request = {
				.type = VIRTIO_BLK_T_GET_ID, .data = self->data, .len = len,
			};
			char there[sizeof(id)];

			guest_set(&self->guest, self->data, 0x77, 65);
			ASSERT_EQ(OK, request_run(self->queue, &request))
				TH_LOG("%u bytes", len);
			guest_get(&self->guest, there, self->data, told);
			EXPECT_EQ(0, memcmp(id, there, told))
				TH_LOG("%u bytes", len);
			EXPECT_TRUE(guest_is(&self->guest, self->data + told, 0x77, len - told) ||
				    len == told);
			EXPECT_EQ(told + (len == told), request.used)
				TH_LOG("%u bytes", len);
		}
		memcpy(id, settings.serial, sizeof(id));
		ASSERT_EQ(0, attempt(self->guest.fd, VHOST_BLK_SET_CONFIG, &settings));
	}
}

/*
 * Ranges: discard, write zeroes
 */

static const __u32 range_types[] = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES };

TEST_F(request, ranges_end_where_the_disk_ends)
{
	__u64 end = self->disk->sectors;
	const struct { __u64 sector; __u32 nr; int status; } rows[] = {
		{ 0, 1, OK }, { end - 1, 1, OK }, { end, 0, OK }, { 0, 0, OK },
		{ end, 1, IOERR }, { end - 1, 2, IOERR }, { end + 1, 0, IOERR },
		{ ~0ULL, 1, IOERR }, { ~0ULL, 0, IOERR }, { 1ULL << 55, 1, IOERR },
		{ 1ULL << 63, 8, IOERR }, { 0, ~0U, IOERR }, { 1, ~0U, IOERR },
		{ -8ULL, 16, IOERR },
	};

	for (unsigned int t = 0; t < ARRAY_SIZE(range_types); t++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
			EXPECT_EQ(rows[i].status, run_range(self, range_types[t], rows[i].sector,
							    rows[i].nr, 0))
				TH_LOG("type %u, %llu, %u", range_types[t], rows[i].sector,
				       rows[i].nr);
		}
	}
}

TEST_F(request, ranges_have_no_unknown_flags)
{
	for (int bit = 0; bit < 32; bit++) {
		EXPECT_EQ(UNSUPP, run_range(self, VIRTIO_BLK_T_DISCARD, 0, 8, 1U << bit))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(bit ? UNSUPP : OK,
			  run_range(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 1U << bit))
			TH_LOG("bit %d", bit);
	}
}

TEST_F(request, ranges_are_whole_and_not_too_many)
{
	struct virtio_blk_discard_write_zeroes ranges[65];
	__u32 max = 64 * sizeof(ranges[0]);

	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++)
		ranges[i] = RANGE(16 * i, 8, 0);
	for (unsigned int t = 0; t < ARRAY_SIZE(range_types); t++) {
		for (__u32 len = 0; len <= sizeof(ranges); len += len < 40 ? 1 : 4) {
			bool good = len && len % sizeof(ranges[0]) == 0 && len <= max;

			EXPECT_EQ(good ? OK : IOERR, run_with(self, range_types[t], ranges, len))
				TH_LOG("type %u, %u bytes", range_types[t], len);
		}
	}
}

/* If one is wrong, none is done. */
TEST_F(request, ranges_are_all_checked_before_one_is_done)
{
	const struct virtio_blk_discard_write_zeroes wrong[] = {
		RANGE(self->disk->sectors, 1, 0), RANGE(0, 1, 2), RANGE(~0ULL, 1, 0),
	};

	data_fill(&self->guest, self->data, PAGE, 5);
	ASSERT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, PAGE));
	for (unsigned int i = 0; i < 3 * ARRAY_SIZE(wrong); i++) {
		struct virtio_blk_discard_write_zeroes ranges[] = {
			RANGE(0, 8, 0), RANGE(0, 8, 0), RANGE(0, 8, 0),
		};

		ranges[i % 3] = wrong[i / 3];
		for (unsigned int t = 0; t < ARRAY_SIZE(range_types); t++)
			EXPECT_NE(OK, run_with(self, range_types[t], ranges, sizeof(ranges)));
	}
	guest_set(&self->guest, self->data, 0, PAGE);
	ASSERT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_IN, 0, self->data, PAGE));
	EXPECT_TRUE(data_is(&self->guest, self->data, PAGE, 5));
}

TEST_F(request, ranges_may_be_in_any_buffers)
{
	struct virtio_blk_discard_write_zeroes ranges[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++)
		ranges[i] = RANGE(16 * i, 8, 0);
	guest_put(&self->guest, self->data, ranges, sizeof(ranges));
	for (unsigned int i = 0; i < nr_framings; i++) {
		struct framing framing = framings[i];
		struct request request = {
			.type = VIRTIO_BLK_T_WRITE_ZEROES, .data = self->data,
			.len = sizeof(ranges), .framing = &framing,
		};

		framing.data_piece = framing.data_piece ? 7 : 0;
		EXPECT_EQ(OK, request_run(self->queue, &request))
			TH_LOG("%s", framing.name);
	}
}

/* What was not negotiated is not there. */
TEST_F(request, needs_its_feature)
{
	const struct { __u32 type; __u64 feature; } rows[] = {
		{ VIRTIO_BLK_T_DISCARD, FEATURE(VIRTIO_BLK_F_DISCARD) },
		{ VIRTIO_BLK_T_WRITE_ZEROES, FEATURE(VIRTIO_BLK_F_WRITE_ZEROES) },
		{ VIRTIO_BLK_T_SECURE_ERASE, FEATURE(VIRTIO_BLK_F_SECURE_ERASE) },
	};
	__u64 all = self->guest.features;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_EQ(0, guest_detach(&self->guest));
		self->guest.features = all & ~rows[i].feature;
		ASSERT_EQ(0, attempt(self->guest.fd, VHOST_SET_FEATURES, &self->guest.features));
		ASSERT_EQ(0, guest_attach(&self->guest, self->disk->fd));
		EXPECT_EQ(UNSUPP, run_range(self, rows[i].type, 0, 8, 0))
			TH_LOG("type %u", rows[i].type);
	}
	EXPECT_TRUE(request_works(self->queue));
}

/*
 * Disks that cannot be written, fail, or shrink
 */

/* The kernel's log, from here on. */
static int open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Is there a line with @word? */
static bool close_log(int fd, const char *word)
{
	char line[8192];
	bool found = false;
	ssize_t n;

	while (!found && (n = read(fd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		found = strstr(line, word);
	}
	close(fd);
	return found;
}

static void expect_read_only(struct __test_metadata *_metadata, SELF *self)
{
	int log = open_log();

	ASSERT_LE(0, log);
	EXPECT_EQ(IOERR, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, PAGE));
	EXPECT_EQ(IOERR, run_range(self, VIRTIO_BLK_T_DISCARD, 0, 8, 0));
	EXPECT_EQ(IOERR, run_range(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0));
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_FLUSH, 0, self->data, 0));
	guest_set(&self->guest, self->data, 0, PAGE);
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_IN, 0, self->data, PAGE));
	EXPECT_TRUE(data_is(&self->guest, self->data, PAGE, 3));
	/* Guests do not write there either. */
	EXPECT_FALSE(close_log(log, "read-only"));
}

TEST_F(request, does_not_write_to_a_file_open_for_reading)
{
	int fd = open(self->disk->path, O_RDONLY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	data_fill(&self->guest, self->data, PAGE, 3);
	ASSERT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, PAGE));
	ASSERT_EQ(0, guest_restart(&self->guest, fd));
	expect_read_only(_metadata, self);
	close(fd);
}

TEST_F(request, does_not_write_to_a_disk_that_became_read_only)
{
	int on = 1;

	data_fill(&self->guest, self->data, PAGE, 3);
	ASSERT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, PAGE));
	ASSERT_EQ(0, ioctl(self->disk->raw, BLKROSET, &on));
	expect_read_only(_metadata, self);
	on = 0;
	EXPECT_EQ(0, ioctl(self->disk->raw, BLKROSET, &on));
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, PAGE));
}

/* What comes with one notification is one thing for the disk, if it is in one place. */
TEST_F(request, is_merged_with_its_neighbours)
{
	const char *why = trace_disk(self->disk);
	struct request requests[32];

	if (why)
		SKIP(return, "%s", why);
	for (int i = 0; i < 32; i++) {
		requests[i] = (struct request) {
			.type = VIRTIO_BLK_T_IN, .sector = i * PAGE / SECTOR, .len = PAGE,
			.data = request_alloc(&self->guest, PAGE, 0),
		};
		ASSERT_EQ(0, request_add(self->queue, &requests[i]));
	}
	guest_kick(self->queue);
	/* A driver that takes them as they come may be interrupted by each. */
	EXPECT_TRUE(BECOMES_TRUE(guest_count(self->queue, "interrupts")));
	EXPECT_EQ(32, guest_count(self->queue, "given"));
	EXPECT_EQ(1, guest_count(self->queue, "interrupts"));
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_GE(4, trace_count("R"))
		TH_LOG("%s", trace_text);
	EXPECT_LT(0, trace_count("R"));
	trace_end();
}

/* A disk for one test, in place of the shared one. */
static const char *use_disk(SELF *self, struct disk *disk,
			    const struct disk_setup *setup)
{
	const char *why = disk_make(disk, setup);

	if (!why && guest_restart(&self->guest, disk->fd)) {
		disk_remove(disk);
		why = "it cannot be attached";
	}
	return why;
}

static void drop_disk(SELF *self, struct disk *disk)
{
	guest_detach(&self->guest);
	disk_remove(disk);
}

/* Each request to a bad block fails, however large it is; all others do not. */
TEST_F(request, tells_of_errors_of_the_disk)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .badblocks = "100-107" };
	struct disk disk;
	const char *why = use_disk(self, &disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	for (__u32 sector = 64; sector < 160; sector += 3) {
		for (__u32 len = SECTOR; len <= 65536; len *= 2) {
			bool bad = sector < 108 && sector + len / SECTOR > 100;
			__u32 type = sector % 2 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;

			EXPECT_EQ(bad ? IOERR : OK,
				  request_do(self->queue, type, sector, self->data, len))
				TH_LOG("type %u, sector %u, %u bytes", type, sector, len);
		}
	}
	/* One that is many bios, of which one fails. */
	EXPECT_EQ(IOERR, request_do(self->queue, VIRTIO_BLK_T_IN, 0,
				    request_alloc(&self->guest, 8 * MIB, 3), 8 * MIB));
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_IN, 108, self->data, 65536));
	drop_disk(self, &disk);
}

/*
 * Many of them at once, good and bad ones: each gets its own answer. With gaps
 * between them, as the block layer may make one of neighbours.
 */
TEST_F(request, mixes_up_no_answers)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .badblocks = "100-107" };
	struct request requests[64];
	struct disk disk;
	const char *why = use_disk(self, &disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	for (int i = 0; i < 64; i++)
		requests[i] = (struct request) {
			.type = VIRTIO_BLK_T_IN, .sector = 80 + 2 * (i % 20), .len = SECTOR,
			.data = request_alloc(&self->guest, SECTOR, 0),
		};
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 64; i++)
			ASSERT_EQ(0, request_add(self->queue, &requests[i]));
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
		for (int i = 0; i < 64; i++) {
			bool bad = requests[i].sector >= 100 && requests[i].sector < 108;

			ASSERT_EQ(bad ? IOERR : OK, requests[i].status)
				TH_LOG("sector %llu", requests[i].sector);
			ASSERT_FALSE(requests[i].damaged);
		}
	}
	drop_disk(self, &disk);
}

/* A sector in each of @nr buffers, the first of them at the end of the data. */
static int run_in_sectors(struct guest *guest, __u32 type, __u64 data, __u32 nr)
{
	static struct drv_buf bufs[32768];

	for (__u32 i = 0; i < nr; i++)
		bufs[i] = (struct drv_buf) { data + (nr - 1 - i) * SECTOR, SECTOR };
	return request_do_in(guest->queues, type, 0, bufs, nr);
}

/* As many as the longest ring has descriptors, where the disk can take them, and not. */
TEST_F(request, may_be_in_very_many_buffers)
{
	const struct guest_setup setup = { .num = 32768 };
	const __u32 nr = setup.num - 2, len = nr * SECTOR;
	char *there = disk_buffer(len), data[SECTOR];
	struct guest guest;
	__u64 at;

	ASSERT_NE(NULL, there);
	ASSERT_EQ(0, guest_open(&guest, &setup));
	ASSERT_EQ(0, guest_attach(&guest, self->disk->fd));
	at = guest_alloc(&guest, len + PAGE, PAGE);
	for (__u32 offset = 0; offset <= 1; offset++) {
		data_fill(&guest, at + offset, len, offset);
		ASSERT_EQ(OK, run_in_sectors(&guest, VIRTIO_BLK_T_OUT, at + offset, nr));
		ASSERT_TRUE(disk_read(self->disk, there, len, 0));
		for (__u32 i = 0; i < nr; i++) {
			guest_get(&guest, data, at + offset + (nr - 1 - i) * SECTOR, SECTOR);
			ASSERT_EQ(0, memcmp(data, there + i * SECTOR, SECTOR))
				TH_LOG("buffer %u, written from offset %u", i, offset);
		}
		guest_set(&guest, at, 0, len + PAGE);
		ASSERT_EQ(OK, run_in_sectors(&guest, VIRTIO_BLK_T_IN, at + offset, nr));
		ASSERT_TRUE(data_is(&guest, at + offset, len, offset));
		EXPECT_EQ(2 * offset, guest_count(guest.queues, "bounced"));
	}
	EXPECT_EQ(0, guest_detach(&guest));
	EXPECT_TRUE(guest_balances(&guest));
	guest_close(&guest);
}

/* One buffer, each sector of which the VMM has in another page. */
TEST_F(request, may_be_in_memory_of_many_pieces)
{
	enum { NR = 256 };
	struct guest_region regions[GUEST_REGIONS + NR];
	const struct drv_buf buf = { GUEST_HOLE, NR * SECTOR };
	char *memory = mmap(NULL, NR * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *there = disk_buffer(NR * SECTOR), data[SECTOR];

	ASSERT_NE(MAP_FAILED, memory);
	memcpy(regions, self->guest.regions, sizeof(self->guest.regions));
	for (int i = 0; i < NR; i++) {
		char *piece = memory + i * PAGE + i % 8 * SECTOR;

		data_make(piece, SECTOR, i);
		regions[GUEST_REGIONS + i] =
			(struct guest_region) { GUEST_HOLE + i * SECTOR, SECTOR, piece };
	}
	ASSERT_EQ(0, guest_set_regions(&self->guest, regions, ARRAY_SIZE(regions)));

	ASSERT_EQ(OK, request_do_in(self->queue, VIRTIO_BLK_T_OUT, 0, &buf, 1));
	ASSERT_TRUE(disk_read(self->disk, there, NR * SECTOR, 0));
	for (int i = 0; i < NR; i++) {
		data_make(data, SECTOR, i);
		ASSERT_EQ(0, memcmp(data, there + i * SECTOR, SECTOR));
	}

	memset(memory, 0, NR * PAGE);
	ASSERT_EQ(OK, request_do_in(self->queue, VIRTIO_BLK_T_IN, 0, &buf, 1));
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(0, memcmp(regions[GUEST_REGIONS + i].mem, there + i * SECTOR, SECTOR));
}

/* 4 GiB are more than a bio can say; this disk takes 32 GiB. */
TEST_F(request, takes_no_range_that_it_cannot_pass_on)
{
	const struct disk_setup setup = {
		.kind = DISK_SCSI, .block_size = 4096, .options = "virtual_gb=6",
	};
	const struct virtio_blk_config *space;
	struct vhost_blk_config config = { .fd = -1 };
	struct disk disk;
	const char *why = use_disk(self, &disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, attempt(self->guest.fd, VHOST_BLK_GET_CONFIG, &config));
	space = (void *)config.space;
	EXPECT_GT(1ULL << 32, (__u64)le32toh(space->max_discard_sectors) * SECTOR);
	EXPECT_EQ(IOERR, run_range(self, VIRTIO_BLK_T_DISCARD, 0, 1U << 23, 0));
	EXPECT_EQ(IOERR, run_range(self, VIRTIO_BLK_T_DISCARD, 0, (1U << 23) + 8, 0));
	EXPECT_EQ(OK, run_range(self, VIRTIO_BLK_T_DISCARD, 0, 1U << 16, 0));
	drop_disk(self, &disk);
}

/* A driver need not know how much the disk takes at a time, or whether it does at all. */
TEST_F(request, takes_ranges_that_the_disk_does_not_take_at_once)
{
	const struct disk_setup setup = {
		.kind = DISK_SCSI,
		.options = "lbpu=1 lbpws=1 unmap_max_blocks=8 write_same_length=16",
	};
	struct disk disk;
	const char *why = use_disk(self, &disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	EXPECT_GE(8 * SECTOR, disk_attribute(&disk, "queue/discard_max_bytes"));
	for (unsigned int t = 0; t < ARRAY_SIZE(range_types); t++) {
		data_fill(&self->guest, self->data, 4 * PAGE, t);
		ASSERT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, 4 * PAGE));
		EXPECT_EQ(OK, run_range(self, range_types[t], 8, 16, 0));
		EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_IN, 8, self->data, 2 * PAGE));
		/* It reads as zeroes there, either way. */
		EXPECT_TRUE(guest_is(&self->guest, self->data, 0, 2 * PAGE))
			TH_LOG("type %u", range_types[t]);
	}
	drop_disk(self, &disk);
}

TEST_F(request, takes_zeroes_that_are_more_than_a_bit)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .no_discard = true };
	struct virtio_blk_discard_write_zeroes ranges[] = {
		RANGE(0, 1 << 16, 0), RANGE(0, 1 << 16, 0),
	};
	struct disk disk;
	const char *why = use_disk(self, &disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	EXPECT_EQ(0, disk_attribute(&disk, "queue/write_zeroes_max_bytes"));
	data_fill(&self->guest, self->data, PAGE, 5);
	ASSERT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT, (1 << 16) - 8, self->data, PAGE));
	EXPECT_EQ(OK, run_with(self, VIRTIO_BLK_T_WRITE_ZEROES, ranges, sizeof(ranges)));
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_IN, (1 << 16) - 8, self->data, PAGE));
	EXPECT_TRUE(guest_is(&self->guest, self->data, 0, PAGE));
	drop_disk(self, &disk);
}

/* 64 MiB, 64 times, are 4 GiB, which nobody wants to wait for. */
TEST_F(request, takes_no_more_zeroes_than_may_be_waited_for)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .no_discard = true };
	struct virtio_blk_discard_write_zeroes ranges[64];
	struct disk disk;
	const char *why = use_disk(self, &disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++)
		ranges[i] = RANGE(0, disk.sectors, 0);
	EXPECT_EQ(IOERR, run_with(self, VIRTIO_BLK_T_WRITE_ZEROES, ranges, sizeof(ranges)));
	EXPECT_TRUE(request_works(self->queue));
	drop_disk(self, &disk);
}

/* Discarding is a hint: it changes nothing there. */
TEST_F(request, may_discard_where_the_disk_cannot)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .no_discard = true };
	struct disk disk;
	const char *why = use_disk(self, &disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	EXPECT_EQ(0, disk_attribute(&disk, "queue/discard_max_bytes"));
	data_fill(&self->guest, self->data, PAGE, 5);
	ASSERT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 8, self->data, PAGE));
	EXPECT_EQ(OK, run_range(self, VIRTIO_BLK_T_DISCARD, 8, 8, 0));
	EXPECT_EQ(IOERR, run_range(self, VIRTIO_BLK_T_DISCARD, disk.sectors, 8, 0));
	EXPECT_EQ(OK, request_do(self->queue, VIRTIO_BLK_T_IN, 8, self->data, PAGE));
	EXPECT_TRUE(data_is(&self->guest, self->data, PAGE, 5));
	drop_disk(self, &disk);
}

/*
 * Zeroes that the disk says it can write at once, until it is asked to: each of many at
 * a time is done in another way.
 */
TEST_F(request, writes_zeroes_where_the_disk_cannot)
{
	const struct disk_setup setup = { .kind = DISK_LOOP };
	struct request requests[64];
	struct disk disk;
	const char *why = use_disk(self, &disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 64; i++) {
			struct virtio_blk_discard_write_zeroes range = RANGE(64 * i, 8, 0);
			struct request *request = &requests[i];

			*request = (struct request) {
				.type = i % 4 ? VIRTIO_BLK_T_WRITE_ZEROES : VIRTIO_BLK_T_FLUSH,
				.data = self->data + i * 1024, .len = i % 4 ? sizeof(range) : 0,
			};
			guest_put(&self->guest, request->data, &range, sizeof(range));
			ASSERT_EQ(0, request_add(self->queue, request));
		}
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
		for (int i = 0; i < 64; i++) {
			ASSERT_EQ(OK, requests[i].status)
				TH_LOG("round %d, request %d", round, i);
		}
	}
	drop_disk(self, &disk);
}

int main(int argc, char **argv)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK };

	need_device();
	why_not = disk_share(&shared, &setup);
	return test_harness_run(argc, argv);
}
