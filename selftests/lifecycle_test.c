// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a device ends: stop, detach, reset, close, the death of its owner, with
 * requests in flight, on disks that are slow, dead or gone. Nothing may be written
 * to memory that was let go of, nobody may have to wait for a disk without need.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/traffic.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define IN_FLIGHT	32

/* Sectors from one request to the next, so that none are merged. */
#define STRIDE		64

/* Where on the disk anything may be. */
#define SCRATCH		(16 * MIB)

/* A disk that answers after 200 ms, and one that answers when it is told to. */
static struct disk slow, dead;
static const char *no_slow, *no_dead;

FIXTURE(lifecycle) {
	struct guest guest;
	struct guest_queue *queue;
	struct request requests[IN_FLIGHT];
};

#define SELF FIXTURE_DATA(lifecycle)

FIXTURE_VARIANT(lifecycle) {
	bool defer;
};

FIXTURE_VARIANT_ADD(lifecycle, direct) {};
FIXTURE_VARIANT_ADD(lifecycle, deferred) { .defer = true };

FIXTURE_SETUP(lifecycle)
{
	const struct guest_setup setup = { .queues = 2 };

	if (no_slow ?: no_dead)
		SKIP(return, "%s", no_slow ?: no_dead);
	ASSERT_EQ(0, set_defer(variant->defer));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	self->queue = &self->guest.queues[0];
}

static long module_users(void)
{
	return read_number("/sys/module/vhost_blk/refcnt");
}

FIXTURE_TEARDOWN(lifecycle)
{
	disk_resume(&dead);
	guest_close(&self->guest);
	EXPECT_TRUE(BECOMES_TRUE(module_users() == 0));
	set_defer(false);
}

/* Requests into @data and what follows it, that read what fill_slow() wrote. */
static void begin_reads(struct __test_metadata *_metadata, SELF *self,
			__u64 data)
{
	for (int i = 0; i < IN_FLIGHT; i++) {
		self->requests[i] = (struct request) {
			.type = VIRTIO_BLK_T_IN, .sector = i * STRIDE, .len = PAGE,
			.data = data + 2ULL * i * (PAGE + REQUEST_ROOM),
		};
		guest_set(&self->guest, self->requests[i].data, 0x77, PAGE);
		ASSERT_EQ(0, request_add(self->queue, &self->requests[i]));
	}
	guest_kick(self->queue);
	ASSERT_TRUE(BECOMES_TRUE(guest_count(self->queue, "taken") >= IN_FLIGHT));
}

#define READS_AT	(GUEST_MAIN + MIB)
#define READS_LEN	(2ULL * IN_FLIGHT * (PAGE + REQUEST_ROOM))

static bool reads_are_right(SELF *self)
{
	for (int i = 0; i < IN_FLIGHT; i++) {
		const struct request *request = &self->requests[i];

		if (!request->done || request->status != VIRTIO_BLK_S_OK || request->damaged ||
		    !data_is(&self->guest, request->data, PAGE, i))
			return false;
	}
	return true;
}

/* All that the device may write to, as it is now. */
static void *snapshot(const struct guest *guest)
{
	char *copy = malloc(READS_LEN + guest->queues[0].ring_size);

	if (!copy)
		abort();
	guest_get(guest, copy, READS_AT - PAGE, READS_LEN);
	memcpy(copy + READS_LEN, guest->queues[0].ring, guest->queues[0].ring_size);
	return copy;
}

/* Nothing of it changes, for longer than the slow disk takes. */
static bool stays(const struct guest *guest, void *before)
{
	void *after;
	bool same;

	sleep_ms(400);
	after = snapshot(guest);
	same = !memcmp(before, after, READS_LEN + guest->queues[0].ring_size);
	free(before);
	free(after);
	return same;
}

/*
 * Stop
 */

TEST_F(lifecycle, get_vring_base_waits_for_all_in_flight)
{
	int base;

	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	begin_reads(_metadata, self, READS_AT);
	base = guest_stop_queue(self->queue);
	EXPECT_EQ(IN_FLIGHT, base);
	EXPECT_EQ(base, self->queue->drv.used->idx);
	EXPECT_TRUE(stays(&self->guest, snapshot(&self->guest)));
	EXPECT_EQ(IN_FLIGHT, request_poll(self->queue));
	EXPECT_TRUE(reads_are_right(self));
	EXPECT_TRUE(guest_queue_is(self->queue, "stopped"));
	EXPECT_EQ(base, guest_stop_queue(self->queue));
}

/* What it did not take before, it takes when it is started again, once. */
TEST_F(lifecycle, stopped_queue_goes_on_where_it_was)
{
	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	begin_reads(_metadata, self, READS_AT);
	ASSERT_EQ(IN_FLIGHT, guest_stop_queue(self->queue));
	ASSERT_EQ(IN_FLIGHT, request_poll(self->queue));
	for (int i = 0; i < IN_FLIGHT; i++)
		ASSERT_EQ(0, request_add(self->queue, &self->requests[i]));
	guest_kick(self->queue);
	EXPECT_TRUE(stays(&self->guest, snapshot(&self->guest)));
	ASSERT_EQ(0, guest_set_addresses(self->queue));
	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	ASSERT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(reads_are_right(self));
	EXPECT_EQ(2 * IN_FLIGHT, guest_count(self->queue, "given"));
}

TEST_F(lifecycle, detach_waits_for_all_in_flight)
{
	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	begin_reads(_metadata, self, READS_AT);
	ASSERT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(stays(&self->guest, snapshot(&self->guest)));
	EXPECT_EQ(IN_FLIGHT, request_poll(self->queue));
	EXPECT_TRUE(reads_are_right(self));
	EXPECT_TRUE(guest_balances(&self->guest));
}

TEST_F(lifecycle, reset_owner_waits_for_all_in_flight)
{
	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	begin_reads(_metadata, self, READS_AT);
	ASSERT_EQ(0, reset_owner(self->guest.fd));
	EXPECT_TRUE(stays(&self->guest, snapshot(&self->guest)));
	EXPECT_EQ(IN_FLIGHT, request_poll(self->queue));
	EXPECT_TRUE(reads_are_right(self));

	/* And it is as new. */
	EXPECT_EQ(EPERM, guest_attach(&self->guest, slow.fd));
	ASSERT_EQ(0, set_owner(self->guest.fd));
	EXPECT_EQ(EFAULT, guest_attach(&self->guest, slow.fd));
	ASSERT_EQ(0, attempt(self->guest.fd, VHOST_SET_FEATURES, &self->guest.features));
	ASSERT_EQ(0, guest_set_memory(&self->guest));
	ASSERT_EQ(0, guest_new_ring(self->queue));
	ASSERT_EQ(0, guest_set_up_queue(self->queue));
	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* Rings had chains before there was anybody to notify. */
TEST_F(lifecycle, attach_serves_what_is_there)
{
	__u64 data = request_alloc(&self->guest, PAGE, 0);
	struct request request = { .type = VIRTIO_BLK_T_IN, .data = data, .len = PAGE };

	ASSERT_EQ(0, request_add(self->queue, &request));
	drv_publish(&self->queue->drv);
	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	EXPECT_EQ(0, request_wait(self->queue, &request));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request.status);
}

/*
 * Memory that is let go of
 */

/* Put something else where a region was, and see that nobody writes to it. */
TEST_F(lifecycle, memory_that_is_gone_is_not_written_to)
{
	const struct guest_region saved = self->guest.regions[NEXT];
	char *mem;

	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	begin_reads(_metadata, self, GUEST_NEXT + MIB);
	ASSERT_EQ(0, guest_set_regions(&self->guest, self->guest.regions, NEXT));
	ASSERT_EQ(IN_FLIGHT, request_poll(self->queue));
	EXPECT_TRUE(reads_are_right(self));
	mem = mmap(saved.mem, saved.size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(saved.mem, mem);
	for (int i = 0; i < IN_FLIGHT; i++) {
		guest_set(&self->guest, self->requests[i].data, 0x11, PAGE);
		ASSERT_EQ(0, request_add(self->queue, &self->requests[i]));
	}
	guest_kick(self->queue);
	/* There is no such memory any more, so nowhere to put a status. */
	ASSERT_EQ(0, request_wait_all(self->queue));
	sleep_ms(400);
	for (int i = 0; i < IN_FLIGHT; i++) {
		EXPECT_EQ(STATUS_NONE, self->requests[i].status);
		EXPECT_EQ(0, self->requests[i].used);
		EXPECT_TRUE(guest_is(&self->guest, self->requests[i].data, 0x11, PAGE));
	}
	ASSERT_EQ(0, guest_set_memory(&self->guest));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &self->requests[0]));
	EXPECT_TRUE(data_is(&self->guest, self->requests[0].data, PAGE, 0));
}

/* A balloon takes pages away; what is read later is in the pages that are there then. */
TEST_F(lifecycle, memory_that_was_given_up_is_read_to_again)
{
	__u64 data = READS_AT;
	size_t len = PAGE;
	char *at = guest_at(&self->guest, data, &len);

	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	begin_reads(_metadata, self, data);
	ASSERT_EQ(0, request_wait_all(self->queue));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, madvise(at, PAGE, MADV_DONTNEED));
		EXPECT_TRUE(guest_is(&self->guest, data, 0, PAGE));
		EXPECT_EQ(VIRTIO_BLK_S_OK, request_run(self->queue, &self->requests[0]));
		EXPECT_TRUE(data_is(&self->guest, data, PAGE, 0));
	}
}

/* All kinds of memory that a VMM may have as the guest's, and some that it should not. */
TEST_F(lifecycle, memory_of_all_kinds)
{
	struct guest_region region = { .gpa = GUEST_HOLE, .size = MIB };
	struct guest_region regions[GUEST_REGIONS + 1];
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	void *mem[] = {
		mmap(NULL, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		mmap(NULL, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0),
		mmap(NULL, MIB, PROT_READ, MAP_SHARED, file, 0),
		mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, slow.fd, SCRATCH),
		mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, slow.fd, SCRATCH),
		(void *)PAGE,
	};

	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	for (unsigned int i = 0; i < ARRAY_SIZE(mem); i++) {
		ASSERT_NE(MAP_FAILED, mem[i]);
		region.mem = mem[i];
		memcpy(regions, self->guest.regions, sizeof(self->guest.regions));
		regions[GUEST_REGIONS] = region;
		ASSERT_EQ(0, guest_set_regions(&self->guest, regions, GUEST_REGIONS + 1));
		for (__u32 type = VIRTIO_BLK_T_IN; type <= VIRTIO_BLK_T_OUT; type++) {
			struct virtio_blk_outhdr header = {
				.type = type, .sector = 2 * SCRATCH / SECTOR,
			};
			struct drv_buf bufs[] = {
				{ GUEST_MAIN, HEADER }, { GUEST_HOLE + 64, 65536 },
				{ GUEST_MAIN + 64, 1 },
			};

			guest_put(&self->guest, GUEST_MAIN, &header, HEADER);
			ASSERT_EQ(0, request_add_raw(self->queue, bufs, 1 + type, 2 - type));
			bufs[1].addr -= 64;
			ASSERT_EQ(0, request_add_raw(self->queue, bufs, 1 + type, 2 - type));
			guest_kick(self->queue);
			ASSERT_EQ(0, request_wait_all(self->queue))
				TH_LOG("memory %u, type %u", i, type);
		}
		ASSERT_EQ(0, guest_set_memory(&self->guest));
		ASSERT_TRUE(request_works(self->queue))
			TH_LOG("after memory %u", i);
	}
	close(file);
}

/*
 * While the worker waits for a page that the VMM has to bring, the VMM may call what
 * it calls whenever the driver is at work.
 */
TEST_F(lifecycle, memory_that_the_vmm_brings_later)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct guest_region *high = &self->guest.regions[HIGH];
	struct uffdio_register all = {
		.range = { (unsigned long)high->mem, high->size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_zeropage zero = { .range = { (unsigned long)high->mem + PAGE, PAGE } };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	const struct drv_buf bufs[] = {
		{ GUEST_MAIN, HEADER }, { GUEST_HIGH + PAGE, PAGE }, { GUEST_MAIN + 64, 1 },
	};
	struct pollfd fault = { .fd = uffd, .events = POLLIN };
	struct virtio_blk_outhdr header = {};
	long begin;

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &all))
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
	guest_put(&self->guest, GUEST_MAIN, &header, HEADER);
	ASSERT_EQ(0, request_add_raw(self->queue, bufs, 1, 2));
	guest_kick(self->queue);
	ASSERT_EQ(1, poll(&fault, 1, LIMIT_MS));
	begin = now_ms();
	EXPECT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_CALL, self->queue->call));
	EXPECT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_KICK, self->queue->kick));
	EXPECT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_ERR, self->queue->err));
	EXPECT_GT(prompt_ms(), now_ms() - begin);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	EXPECT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(guest_is(&self->guest, GUEST_MAIN + 64, VIRTIO_BLK_S_OK, 1));
	close(uffd);
}

/* A driver masks an interrupt: nobody waits for a disk that does not answer. */
TEST_F(lifecycle, eventfds_do_not_wait_for_the_disk)
{
	long begin;

	ASSERT_EQ(0, guest_attach(&self->guest, dead.fd));
	ASSERT_EQ(0, disk_suspend(&dead));
	begin_reads(_metadata, self, READS_AT);
	begin = now_ms();
	EXPECT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_CALL, -1));
	EXPECT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_CALL, self->queue->call));
	EXPECT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_KICK, self->queue->kick));
	EXPECT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_ERR, self->queue->err));
	EXPECT_EQ(0, guest_set_memory(&self->guest));
	EXPECT_GT(prompt_ms(), now_ms() - begin);
	ASSERT_EQ(0, disk_resume(&dead));
	EXPECT_EQ(0, request_wait_all(self->queue));
}

/*
 * Close and death
 */

/* Nobody waits for the disk; what is in flight holds what it needs, and no more. */
TEST_F(lifecycle, close_does_not_wait_for_the_disk)
{
	struct guest_region *main = &self->guest.regions[MAIN];
	long begin;

	ASSERT_EQ(0, guest_attach(&self->guest, dead.fd));
	ASSERT_EQ(0, disk_suspend(&dead));
	begin_reads(_metadata, self, READS_AT);
	begin = now_ms();
	EXPECT_EQ(0, close(self->guest.fd));
	self->guest.fd = -1;
	EXPECT_GT(prompt_ms(), now_ms() - begin);
	EXPECT_LT(0, module_users());
	/* The memory may go, too. */
	EXPECT_EQ(0, munmap(main->mem, main->size));
	main->mem = NULL;
	EXPECT_EQ(0, disk_resume(&dead));
	EXPECT_TRUE(BECOMES_TRUE(module_users() == 0));
}

/* The disk takes no more than one request at a time. */
TEST_F(lifecycle, close_does_not_wait_for_a_busy_disk)
{
	const struct disk_setup setup = {
		.kind = DISK_NULL_BLK, .depth = 1, .latency_us = 1000000,
	};
	struct disk disk;
	const char *why = disk_make(&disk, &setup);
	long begin;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	for (int i = 0; i < 8; i++) {
		self->requests[i] = (struct request) {
			.type = VIRTIO_BLK_T_IN, .sector = 64 * i, .len = PAGE,
			.data = request_alloc(&self->guest, PAGE, 0),
		};
		ASSERT_EQ(0, request_add(self->queue, &self->requests[i]));
	}
	guest_kick(self->queue);
	sleep_ms(100);
	begin = now_ms();
	EXPECT_EQ(0, close(self->guest.fd));
	self->guest.fd = -1;
	EXPECT_GT(prompt_ms(), now_ms() - begin);
	EXPECT_TRUE(BECOMES_TRUE(module_users() == 0));
	disk_remove(&disk);
}

/* With the worker polling, and as many requests as it can get. */
TEST_F(lifecycle, close_while_the_worker_polls)
{
	for (int round = 0; round < 20; round++) {
		struct request request = {
			.type = TYPE_UNKNOWN, .data = request_alloc(&self->guest, 0, 0),
		};

		ASSERT_EQ(0, guest_attach(&self->guest, slow.fd));
		ASSERT_EQ(0, guest_set_busyloop(self->queue, 10000));
		EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request_run(self->queue, &request));
		guest_close(&self->guest);
		ASSERT_EQ(0, guest_open(&self->guest, &(struct guest_setup) { .queues = 2 }));
		self->queue = &self->guest.queues[0];
	}
}

/* In a child that will be killed: begin, tell through @pipe, and wait, maybe for the disk. */
static void be_killed(struct __test_metadata *_metadata, const struct disk *disk, int pipe,
		      bool stop)
{
	SELF victim;
	const struct guest_setup setup = { .queues = 2 };

	memset(&victim, 0, sizeof(victim));
	if (guest_open(&victim.guest, &setup) || guest_attach(&victim.guest, disk->fd))
		_exit(1);
	victim.queue = &victim.guest.queues[0];
	begin_reads(_metadata, &victim, READS_AT);
	if (write(pipe, "", 1) != 1)
		_exit(1);
	if (stop)
		guest_stop_queue(victim.queue);
	for (;;)
		pause();
}

static void kill_owner(struct __test_metadata *_metadata, const struct disk *disk, bool stop)
{
	int pipes[2], status;
	char byte;
	long begin;
	pid_t pid;

	ASSERT_EQ(0, pipe(pipes));
	pid = fork();
	if (!pid)
		be_killed(_metadata, disk, pipes[1], stop);
	ASSERT_EQ(1, read(pipes[0], &byte, 1));
	close(pipes[0]);
	close(pipes[1]);
	if (stop)
		sleep_ms(300);
	begin = now_ms();
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_GT(prompt_ms(), now_ms() - begin);
}

TEST_F(lifecycle, killed_owner_does_not_wait_for_the_disk)
{
	guest_close(&self->guest);
	ASSERT_EQ(0, disk_suspend(&dead));
	kill_owner(_metadata, &dead, false);
	EXPECT_LT(0, module_users());
	EXPECT_EQ(0, disk_resume(&dead));
	EXPECT_TRUE(BECOMES_TRUE(module_users() == 0));
}

/* Nor does one that is in the middle of a call which has to wait. */
TEST_F(lifecycle, killed_owner_waits_no_more_for_the_disk)
{
	guest_close(&self->guest);
	ASSERT_EQ(0, disk_suspend(&dead));
	kill_owner(_metadata, &dead, true);
	EXPECT_LT(0, module_users());
	EXPECT_EQ(0, disk_resume(&dead));
	EXPECT_TRUE(BECOMES_TRUE(module_users() == 0));
}

TEST_F(lifecycle, killed_owner_does_not_wait_for_a_busy_disk)
{
	const struct disk_setup setup = {
		.kind = DISK_NULL_BLK, .depth = 1, .latency_us = 200000,
	};
	struct disk disk;
	const char *why = disk_make(&disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	guest_close(&self->guest);
	kill_owner(_metadata, &disk, false);
	EXPECT_LT(0, module_users());
	EXPECT_TRUE(BECOMES_TRUE(module_users() == 0));
	disk_remove(&disk);
}

TEST_F(lifecycle, killed_owners)
{
	guest_close(&self->guest);
	for (int i = 0; i < 5; i++)
		kill_owner(_metadata, &slow, false);
	EXPECT_TRUE(BECOMES_TRUE(module_users() == 0));
}

/* Its children keep the device open: nothing is served, and the last close ends it. */
TEST_F(lifecycle, killed_owner_with_heirs)
{
	struct guest *guest = mmap(NULL, sizeof(*guest), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = self->guest.fd, status;
	pid_t pid;

	/* Another owner of the same file. */
	ASSERT_EQ(0, reset_owner(fd));
	*guest = self->guest;
	pid = fork();
	if (!pid) {
		if (set_owner(fd) ||
		    attempt(fd, VHOST_SET_FEATURES, &self->guest.features) ||
		    guest_set_memory(&self->guest) || guest_set_up_queue(self->queue) ||
		    guest_attach(&self->guest, dead.fd) || disk_suspend(&dead))
			_exit(1);
		begin_reads(_metadata, self, READS_AT);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(EPERM, guest_detach(&self->guest));
	EXPECT_EQ(EBUSY, set_owner(fd));
	EXPECT_EQ(0, disk_resume(&dead));
	sleep_ms(100);
	EXPECT_EQ(EPERM, guest_detach(&self->guest));
}

/*
 * Disks that go
 */

static void expect_answers(struct __test_metadata *_metadata, SELF *self,
			   struct disk *disk, void (*take_away)(const struct disk *disk))
{
	struct traffic traffic = {
		.queue = self->queue, .sectors = disk->sectors, .block = disk->block_size,
		.may_fail = true,
	};

	ASSERT_EQ(0, guest_attach(&self->guest, disk->fd));
	ASSERT_EQ(0, traffic_start(&traffic));
	EXPECT_TRUE(traffic_flows(&traffic, 100));
	take_away(disk);
	EXPECT_TRUE(traffic_flows(&traffic, 100));
	EXPECT_EQ(NULL, traffic_stop(&traffic))
		TH_LOG("%s", traffic.error);
	EXPECT_LT(0, traffic.failed);
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
}

static void delete_scsi(const struct disk *disk)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/device/delete", disk->name);
	write_file(path, "1");
}

TEST_F(lifecycle, disk_that_is_deleted)
{
	const struct disk_setup setup = { .kind = DISK_SCSI };
	struct disk disk;
	const char *why = disk_make(&disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	expect_answers(_metadata, self, &disk, delete_scsi);
	disk_remove(&disk);
}

static void power_off(const struct disk *disk)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/power", disk->config);
	write_file(path, "0");
}

TEST_F(lifecycle, disk_that_is_switched_off)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .latency_us = 100 };
	struct disk disk;
	const char *why = disk_make(&disk, &setup);

	if (why)
		SKIP(return, "%s", why);
	expect_answers(_metadata, self, &disk, power_off);
	disk_remove(&disk);
}

/* Two threads change what a number of a file stands for while a third uses it. */
static int changing;
static bool stop_changing;

static void *change_file(void *other)
{
	while (!__atomic_load_n(&stop_changing, __ATOMIC_RELAXED)) {
		dup2(*(int *)other, changing);
		dup2(slow.fd, changing);
	}
	return NULL;
}

TEST_F(lifecycle, disk_that_is_another_file_meanwhile)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);
	long end = now_ms() + test_ms();
	pthread_t threads[2];

	changing = dup(slow.fd);
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, change_file, &null));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, change_file, &event));
	while (now_ms() < end) {
		int ret = guest_attach(&self->guest, changing);

		ASSERT_TRUE(!ret || ret == ENOTBLK || ret == EBADF);
		ASSERT_EQ(0, guest_detach(&self->guest));
	}
	__atomic_store_n(&stop_changing, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(threads[0], NULL));
	ASSERT_EQ(0, pthread_join(threads[1], NULL));
	close(changing);
	close(null);
	close(event);
}

static const char *fill_slow(void)
{
	char *image = disk_buffer(IN_FLIGHT * STRIDE * SECTOR);

	for (int i = 0; i < IN_FLIGHT; i++)
		data_make(image + i * STRIDE * SECTOR, PAGE, i);
	return disk_write(&slow, image, IN_FLIGHT * STRIDE * SECTOR, 0) ? NULL : "cannot write";
}

int main(int argc, char **argv)
{
	const struct disk_setup slow_setup = { .kind = DISK_NULL_BLK, .latency_us = 200000 };
	const struct disk_setup dead_setup = { .kind = DISK_NULL_BLK, .stacked = true };

	need_device();
	no_slow = disk_share(&slow, &slow_setup) ?: fill_slow();
	no_dead = disk_share(&dead, &dead_setup);
	return test_harness_run(argc, argv);
}
