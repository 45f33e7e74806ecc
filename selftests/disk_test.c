// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls about the guest's memory and the disk: what they do, each error they
 * give, and that nothing changes when they fail.
 */
#include <endian.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/ioctls.h"
#include "lib/request.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define MAX_REGIONS	4096

FIXTURE(disk) {
	struct disk none;
	struct guest guest;
	struct guest_queue *queue;
	int fd;
};

#define SELF FIXTURE_DATA(disk)

FIXTURE_SETUP(disk)
{
	const struct disk_setup none = { .kind = DISK_DEV_NULL };
	const struct guest_setup setup = {};

	ASSERT_EQ(NULL, disk_make(&self->none, &none));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	self->queue = &self->guest.queues[0];
	self->fd = self->guest.fd;
}

FIXTURE_TEARDOWN(disk)
{
	guest_close(&self->guest);
	disk_remove(&self->none);
}

/*
 * Memory
 */

/* A table of one region. */
struct table {
	struct vhost_memory head;
	struct vhost_memory_region region[2];
};

static int set_table(int fd, __u32 nregions, __u64 guest, __u64 size, __u64 user)
{
	struct table table = {
		.head.nregions = nregions,
		.region[0] = {
			.guest_phys_addr = guest, .memory_size = size, .userspace_addr = user,
		},
	};

	return attempt(fd, VHOST_SET_MEM_TABLE, &table);
}

TEST_F(disk, memory_may_be_none)
{
	EXPECT_EQ(0, set_table(self->fd, 0, 0, 0, 0));
	EXPECT_EQ(0, guest_attach(&self->guest, self->none.fd));
	/* No memory, no request that can be read. */
	EXPECT_FALSE(guest_queue_is(self->queue, "broken"));
}

TEST_F(disk, memory_has_to_be_somewhere)
{
	const unsigned long user = (unsigned long)self->guest.regions[0].mem;
	const struct { __u64 guest, size, user; int error; } rows[] = {
		{ 0, PAGE, user, 0 },
		{ 0, 1, user + 1, 0 },
		{ ~0ULL, 1, user, 0 },
		{ -PAGE, PAGE, user, 0 },
		{ 0, 0, user, EFAULT },
		{ PAGE, 0, user, EFAULT },
		{ ~0ULL, 2, user, EFAULT },
		{ -PAGE, PAGE + 1, user, EFAULT },
		{ 0, ~0ULL, user, EFAULT },
		{ 0, PAGE, ~0ULL, EFAULT },
		{ 0, PAGE, -PAGE, EFAULT },
		{ 0, PAGE, 1ULL << 63, EFAULT },
		{ 0, 1ULL << 63, user, EFAULT },
		{ 0, ~0ULL - user, user, EFAULT },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].error, set_table(self->fd, 1, rows[i].guest, rows[i].size,
						   rows[i].user))
			TH_LOG("row %u", i);
	}
}

TEST_F(disk, memory_has_no_padding)
{
	struct table table = { .head.nregions = 1 };

	table.region[0] = (struct vhost_memory_region) {
		.memory_size = PAGE, .userspace_addr = (unsigned long)self->guest.regions[0].mem,
	};
	for (int bit = 0; bit < 32; bit++) {
		table.head.padding = 1U << bit;
		EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_MEM_TABLE, &table));
	}
	table.head.padding = 0;
	for (int bit = 0; bit < 64; bit++) {
		table.region[0].flags_padding = 1ULL << bit;
		EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_MEM_TABLE, &table));
	}
	table.region[0].flags_padding = 0;
	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_MEM_TABLE, &table));
}

TEST_F(disk, memory_does_not_overlap)
{
	struct guest_region *regions = self->guest.regions;
	char *mem = regions[0].mem;
	struct { struct guest_region regions[3]; int error; } rows[] = {
		{ { { 0, PAGE, mem }, { PAGE, PAGE, mem }, { 2 * PAGE, PAGE, mem } }, 0 },
		{ { { 2 * PAGE, PAGE, mem }, { PAGE, PAGE, mem }, { 0, PAGE, mem } }, 0 },
		{ { { 0, PAGE + 1, mem }, { PAGE, PAGE, mem }, { 2 * PAGE, PAGE, mem } }, EINVAL },
		{ { { 0, PAGE, mem }, { 0, PAGE, mem }, { 2 * PAGE, PAGE, mem } }, EINVAL },
		{ { { 0, 4 * PAGE, mem }, { 2 * PAGE, 1, mem }, { 8 * PAGE, 1, mem } }, EINVAL },
		{ { { 8 * PAGE, 1, mem }, { PAGE, 1, mem }, { 0, 4 * PAGE, mem } }, EINVAL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].error, guest_set_regions(&self->guest, rows[i].regions, 3))
			TH_LOG("row %u", i);
	}
}

TEST_F(disk, memory_of_many_regions)
{
	struct guest_region *regions = calloc(MAX_REGIONS + 1, sizeof(*regions));

	ASSERT_NE(NULL, regions);
	for (int i = 0; i <= MAX_REGIONS; i++)
		regions[i] = (struct guest_region) {
			GUEST_MAIN + (MAX_REGIONS - i) * 2 * PAGE, PAGE,
			self->guest.regions[MAIN].mem + (MAX_REGIONS - i) * 2 * PAGE,
		};
	EXPECT_EQ(E2BIG, guest_set_regions(&self->guest, regions, MAX_REGIONS + 1));
	EXPECT_EQ(E2BIG, set_table(self->fd, ~0U, 0, PAGE, 0));
	EXPECT_EQ(E2BIG, set_table(self->fd, 1U << 31, 0, PAGE, 0));
	EXPECT_EQ(0, guest_set_regions(&self->guest, regions, MAX_REGIONS));
	ASSERT_EQ(0, guest_attach(&self->guest, self->none.fd));
	for (int i = 1; i < MAX_REGIONS; i += 511) {
		__u64 page = GUEST_MAIN + i * 2 * PAGE;
		const struct drv_buf bufs[] = { { page, HEADER }, { page + 512, 513 } };
		struct virtio_blk_outhdr header = {};

		guest_put(&self->guest, page, &header, HEADER);
		guest_set(&self->guest, page + 1024, STATUS_NONE, 1);
		ASSERT_EQ(0, request_add_raw(self->queue, bufs, 1, 1));
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(guest_is(&self->guest, page + 1024, VIRTIO_BLK_S_OK, 1))
			TH_LOG("region %d", i);
	}
	free(regions);
}

/* The table that was there before is still in use. */
TEST_F(disk, memory_stays_when_it_cannot_be_set)
{
	const struct guest_region twice[] = { self->guest.regions[0], self->guest.regions[0] };
	char *end = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	struct vhost_memory *half = (void *)(end + PAGE - sizeof(*half));

	ASSERT_EQ(0, mprotect(end + PAGE, PAGE, PROT_NONE));
	half->nregions = 1;
	ASSERT_EQ(0, guest_attach(&self->guest, self->none.fd));
	EXPECT_EQ(EFAULT, attempt(self->fd, VHOST_SET_MEM_TABLE, half));
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(EINVAL, guest_set_regions(&self->guest, twice, 2));
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(EFAULT, set_table(self->fd, 1, 0, 0, 0));
	EXPECT_EQ(E2BIG, set_table(self->fd, ~0U, 0, 0, 0));
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(disk, writes_are_not_logged)
{
	__u64 base = (unsigned long)self->guest.regions[0].mem;
	int event = eventfd(0, EFD_CLOEXEC), none = -1;

	EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_LOG_BASE, &base));
	EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_LOG_FD, &event));
	EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_LOG_FD, &none));
	close(event);
}

/*
 * Disk
 */

static int set_backend(int fd, __u32 index, int disk)
{
	struct vhost_vring_file file = { index, disk };

	return attempt(fd, VHOST_BLK_SET_BACKEND, &file);
}

TEST_F(disk, is_one_for_all_queues)
{
	EXPECT_EQ(ENOBUFS, set_backend(self->fd, 1, self->none.fd));
	EXPECT_EQ(ENOBUFS, set_backend(self->fd, ~0U, self->none.fd));
	EXPECT_EQ(ENOBUFS, set_backend(self->fd, 1, -1));
	EXPECT_EQ(0, set_backend(self->fd, 0, self->none.fd));
	EXPECT_EQ(ENOBUFS, set_backend(self->fd, 1, -1));
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(disk, is_not_replaced_by_another)
{
	int other = open("/dev/null", O_RDWR | O_CLOEXEC), same = dup(self->none.fd);

	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_EQ(0, guest_attach(&self->guest, self->none.fd));
	EXPECT_EQ(EEXIST, guest_attach(&self->guest, other));
	EXPECT_EQ(EEXIST, guest_attach(&self->guest, 9999));
	EXPECT_EQ(0, guest_attach(&self->guest, self->none.fd));
	EXPECT_EQ(0, guest_attach(&self->guest, same));
	close(other);
	close(same);
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_EQ(0, guest_attach(&self->guest, self->none.fd));
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(disk, needs_memory)
{
	ASSERT_EQ(0, reset_owner(self->fd));
	ASSERT_EQ(0, set_owner(self->fd));
	EXPECT_EQ(EFAULT, guest_attach(&self->guest, self->none.fd));
	ASSERT_EQ(0, guest_set_memory(&self->guest));
	EXPECT_EQ(0, guest_attach(&self->guest, self->none.fd));
}

/* Files that are no disk, or may not be used. */
TEST_F(disk, is_a_disk)
{
	int pipes[2], sockets[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));

	const struct { const char *what; int fd; int error; } rows[] = {
		{ "number without a file", 9999, EBADF },
		{ "number that cannot be", 0x7fffffff, EBADF },
		{ "negative number", -2, EBADF },
		{ "very negative number", -0x7fffffff, EBADF },
		{ "pipe", pipes[0], ENOTBLK },
		{ "end of a pipe to write to", pipes[1], EBADF },
		{ "socket", sockets[0], ENOTBLK },
		{ "eventfd", eventfd(0, EFD_CLOEXEC), ENOTBLK },
		{ "memory", memfd_create("disk", MFD_CLOEXEC), ENOTBLK },
		{ "directory", open("/dev", O_RDONLY | O_CLOEXEC), ENOTBLK },
		{ "path", open("/dev/null", O_PATH | O_CLOEXEC), EBADF },
		{ "another character device", open("/dev/zero", O_RDWR | O_CLOEXEC), ENOTBLK },
		{ "file", open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ENOTBLK },
		{ "file of proc", open("/proc/self/status", O_RDONLY | O_CLOEXEC), ENOTBLK },
		{ "file of sysfs", open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC), ENOTBLK },
		{ "only open for writing", open("/dev/null", O_WRONLY | O_CLOEXEC), EBADF },
		{ "the device itself", self->fd, ENOTBLK },
		{ "another of its kind", open(DEVICE, O_RDWR | O_CLOEXEC), ENOTBLK },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vhost_blk_config config = { .fd = rows[i].fd };

		EXPECT_EQ(rows[i].error, guest_attach(&self->guest, rows[i].fd))
			TH_LOG("%s", rows[i].what);
		EXPECT_EQ(rows[i].error, attempt(self->fd, VHOST_BLK_GET_CONFIG, &config))
			TH_LOG("%s", rows[i].what);
		EXPECT_TRUE(guest_queue_is(self->queue, "stopped"));
		if (rows[i].fd > 0 && rows[i].fd != self->fd)
			close(rows[i].fd);
	}
	close(sockets[1]);
	EXPECT_EQ(0, guest_attach(&self->guest, self->none.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* It is the file that counts, not its number. */
TEST_F(disk, stays_when_its_file_is_closed)
{
	int fd = dup(self->none.fd);

	ASSERT_EQ(0, guest_attach(&self->guest, fd));
	close(fd);
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(disk, keeps_its_features)
{
	__u64 features = self->guest.features, other = features & ~FEATURE(VIRTIO_BLK_F_MQ);

	ASSERT_EQ(0, guest_attach(&self->guest, self->none.fd));
	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	EXPECT_EQ(EBUSY, attempt(self->fd, VHOST_SET_FEATURES, &other));
	other = ~0ULL;
	EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_FEATURES, &other));
	EXPECT_TRUE(request_works(self->queue));
	ASSERT_EQ(0, guest_detach(&self->guest));
	other = 0;
	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &other));
}

/*
 * What the driver is told
 */

static int get_config(int fd, int disk, struct vhost_blk_config *config)
{
	memset(config, 0xa5, sizeof(*config));
	config->fd = disk;
	config->padding = 0;
	return attempt(fd, VHOST_BLK_GET_CONFIG, config);
}

TEST_F(disk, config_is_of_a_disk)
{
	struct vhost_blk_config config, other;

	EXPECT_EQ(ENODEV, get_config(self->fd, -1, &config));
	EXPECT_EQ(0, get_config(self->fd, self->none.fd, &config));
	EXPECT_EQ(self->none.fd, config.fd);
	ASSERT_EQ(0, guest_attach(&self->guest, self->none.fd));
	EXPECT_EQ(0, get_config(self->fd, -1, &other));
	EXPECT_EQ(-1, other.fd);
	other.fd = config.fd;
	EXPECT_EQ(0, memcmp(&config, &other, sizeof(config)));
	for (int bit = 0; bit < 32; bit++) {
		config.padding = 1U << bit;
		EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_BLK_GET_CONFIG, &config));
	}
	ASSERT_EQ(0, guest_detach(&self->guest));
	EXPECT_EQ(ENODEV, get_config(self->fd, -1, &config));
}

static int config_of_none(int fd)
{
	struct vhost_blk_config config;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return get_config(fd, null, &config);
}

TEST_F(disk, config_is_for_anyone)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	EXPECT_EQ(0, config_of_none(fd));
	EXPECT_EQ(0, in_child(config_of_none, fd));
	EXPECT_EQ(0, in_child(config_of_none, self->fd));
	close(fd);
}

/* Nothing behind what there is, and nothing of what was there before. */
TEST_F(disk, config_ends_with_zeroes)
{
	struct vhost_blk_config config;

	ASSERT_EQ(0, get_config(self->fd, self->none.fd, &config));
	for (unsigned int i = 0x80; i < sizeof(config.space); i++) {
		EXPECT_EQ(0, config.space[i])
			TH_LOG("byte %u", i);
	}
}

static unsigned int bits(const struct vhost_blk_config *config, unsigned int bit)
{
	return config->features >> bit & 1;
}

/* Compare with what the host says of the disk. */
static void expect_config(struct __test_metadata *_metadata, const SELF *self,
			  const struct disk_setup *setup)
{
	struct vhost_blk_config config;
	struct virtio_blk_config *space = (void *)config.space;
	struct disk disk;
	const char *why = disk_make(&disk, setup);
	/* What 32 bits can say. */
	const long most = (1L << 32) - SECTOR;
	long discard, zeroes;

	if (why)
		SKIP(return, "%s", why);
	EXPECT_EQ(0, get_config(self->fd, disk.fd, &config));
	EXPECT_EQ(disk.sectors, le64toh(space->capacity));
	EXPECT_EQ(disk.block_size, le32toh(space->blk_size));
	EXPECT_EQ(disk_attribute(&disk, "queue/physical_block_size"),
		  disk.block_size << space->physical_block_exp);
	EXPECT_EQ(disk_attribute(&disk, "queue/minimum_io_size"),
		  (long)le16toh(space->min_io_size) * disk.block_size);
	EXPECT_EQ(disk_attribute(&disk, "queue/optimal_io_size"),
		  (long)le32toh(space->opt_io_size) * disk.block_size);
	EXPECT_EQ(1, space->wce);
	EXPECT_EQ(256, le16toh(space->num_queues));
	EXPECT_LT(0, le32toh(space->seg_max));
	EXPECT_GE(254, le32toh(space->seg_max));
	EXPECT_LE(4096, le32toh(space->size_max));
	discard = disk_attribute(&disk, "queue/discard_max_bytes");
	if (discard > most)
		discard = most;
	EXPECT_EQ(discard, (long)le32toh(space->max_discard_sectors) * SECTOR);
	EXPECT_EQ(discard > 0, bits(&config, VIRTIO_BLK_F_DISCARD));
	zeroes = disk_attribute(&disk, "queue/write_zeroes_max_bytes");
	if (zeroes)
		EXPECT_EQ(zeroes, (long)le32toh(space->max_write_zeroes_sectors) * SECTOR);
	EXPECT_LT(0, le32toh(space->max_write_zeroes_sectors));
	EXPECT_LT(0, le32toh(space->max_write_zeroes_seg));
	EXPECT_EQ(1, bits(&config, VIRTIO_BLK_F_WRITE_ZEROES));
	EXPECT_EQ(1, bits(&config, VIRTIO_BLK_F_FLUSH));
	EXPECT_EQ(1, bits(&config, VIRTIO_BLK_F_BLK_SIZE));
	EXPECT_EQ(setup->read_only, bits(&config, VIRTIO_BLK_F_RO));
	EXPECT_EQ(0, config.features & ~OFFERED);
	disk_remove(&disk);
}

TEST_F(disk, config_of_null_blk)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK };

	expect_config(_metadata, self, &setup);
}

TEST_F(disk, config_of_null_blk_with_large_blocks)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .block_size = 4096 };

	expect_config(_metadata, self, &setup);
}

TEST_F(disk, config_of_null_blk_that_cannot_discard)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .no_discard = true };

	expect_config(_metadata, self, &setup);
}

TEST_F(disk, config_of_a_file_that_cannot_be_written)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .read_only = true };

	expect_config(_metadata, self, &setup);
}

TEST_F(disk, config_of_loop)
{
	const struct disk_setup setup = { .kind = DISK_LOOP };

	expect_config(_metadata, self, &setup);
}

TEST_F(disk, config_of_brd)
{
	const struct disk_setup setup = { .kind = DISK_BRD };

	expect_config(_metadata, self, &setup);
}

TEST_F(disk, config_of_scsi)
{
	const struct disk_setup setup = {
		.kind = DISK_SCSI, .options = "physblk_exp=3 opt_blks=64 opt_xferlen_exp=3",
	};

	expect_config(_metadata, self, &setup);
}

TEST_F(disk, set_config)
{
	struct vhost_blk_settings settings = { .serial = "one" };
	__u64 data = request_alloc(&self->guest, VIRTIO_BLK_ID_BYTES, 0);
	struct vhost_blk_config config;
	char serial[VIRTIO_BLK_ID_BYTES];

	ASSERT_EQ(0, guest_attach(&self->guest, self->none.fd));
	/* Nothing is to be set. */
	EXPECT_EQ(0, attempt(self->fd, VHOST_BLK_SET_CONFIG, &settings));
	settings.fields = VHOST_BLK_SERIAL;
	EXPECT_EQ(0, attempt(self->fd, VHOST_BLK_SET_CONFIG, &settings));

	/* None of these changes anything. */
	memcpy(settings.serial, "two", 4);
	for (int bit = 2; bit < 32; bit++) {
		settings.fields = VHOST_BLK_SERIAL | 1U << bit;
		EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_BLK_SET_CONFIG, &settings));
	}
	settings.fields = VHOST_BLK_SERIAL | VHOST_BLK_WRITEBACK;
	for (int i = 0; i < 3; i++) {
		settings.padding[i] = 1;
		EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_BLK_SET_CONFIG, &settings));
		settings.padding[i] = 0;
	}
	settings.writeback = 2;
	EXPECT_EQ(EINVAL, attempt(self->fd, VHOST_BLK_SET_CONFIG, &settings));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_GET_ID, 0, data,
					      sizeof(serial)));
	guest_get(&self->guest, serial, data, sizeof(serial));
	EXPECT_EQ(0, strcmp(serial, "one"));

	/* And only what is to be set is. */
	settings.writeback = 0;
	settings.fields = VHOST_BLK_WRITEBACK;
	EXPECT_EQ(0, attempt(self->fd, VHOST_BLK_SET_CONFIG, &settings));
	EXPECT_EQ(0, get_config(self->fd, -1, &config));
	EXPECT_EQ(0, ((struct virtio_blk_config *)config.space)->wce);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_GET_ID, 0, data,
					      sizeof(serial)));
	guest_get(&self->guest, serial, data, sizeof(serial));
	EXPECT_EQ(0, strcmp(serial, "one"));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
