// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers: the ioctls about them, and that what they do is charged to, and limited
 * like, their owner.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/device.h"
#include "lib/disk.h"
#include "lib/group.h"
#include "lib/privileges.h"
#include "lib/request.h"
#include "lib/stranger.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

FIXTURE(worker) {
	struct disk disk;
	struct guest guest;
	int fd;
};

FIXTURE_SETUP(worker)
{
	const struct disk_setup none = { .kind = DISK_DEV_NULL };
	const struct guest_setup setup = { .queues = 2 };

	ASSERT_EQ(NULL, disk_make(&self->disk, &none));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	self->fd = self->guest.fd;
}

FIXTURE_TEARDOWN(worker)
{
	set_parameter("at_kick", 1);
	guest_close(&self->guest);
	disk_remove(&self->disk);
}

/* A new worker's number, or minus an error number. */
static int new_worker(int fd)
{
	struct vhost_worker_state state = { ~0U };
	int ret = attempt(fd, VHOST_NEW_WORKER, &state);

	return ret ? -ret : (int)state.worker_id;
}

static int free_worker(int fd, __u32 id)
{
	struct vhost_worker_state state = { id };

	return attempt(fd, VHOST_FREE_WORKER, &state);
}

static int attach_worker(int fd, __u32 queue, __u32 id)
{
	struct vhost_vring_worker state = { queue, id };

	return attempt(fd, VHOST_ATTACH_VRING_WORKER, &state);
}

static int worker_of(int fd, __u32 queue)
{
	struct vhost_vring_worker state = { queue, ~0U };
	int ret = attempt(fd, VHOST_GET_VRING_WORKER, &state);

	return ret ? -ret : state.index != queue ? -EBADMSG : (int)state.worker_id;
}

TEST_F(worker, queues_begin_with_worker_0)
{
	EXPECT_EQ(0, worker_of(self->fd, 0));
	EXPECT_EQ(0, worker_of(self->fd, 1));
	EXPECT_EQ(0, worker_of(self->fd, 255));
}

TEST_F(worker, new_attach_free)
{
	int id = new_worker(self->fd), other = new_worker(self->fd);

	ASSERT_LT(0, id);
	ASSERT_LT(0, other);
	EXPECT_NE(id, other);
	EXPECT_EQ(0, attach_worker(self->fd, 1, id));
	EXPECT_EQ(0, attach_worker(self->fd, 1, id));
	EXPECT_EQ(id, worker_of(self->fd, 1));
	EXPECT_EQ(0, worker_of(self->fd, 0));
	EXPECT_TRUE(request_works(&self->guest.queues[0]));
	EXPECT_TRUE(request_works(&self->guest.queues[1]));
	EXPECT_EQ(EBUSY, free_worker(self->fd, id));
	EXPECT_EQ(0, attach_worker(self->fd, 1, other));
	EXPECT_EQ(0, free_worker(self->fd, id));
	EXPECT_EQ(ENODEV, free_worker(self->fd, id));
	EXPECT_EQ(ENODEV, attach_worker(self->fd, 1, id));
	EXPECT_EQ(other, worker_of(self->fd, 1));
	EXPECT_TRUE(request_works(&self->guest.queues[1]));
}

TEST_F(worker, worker_0_stays)
{
	int id = new_worker(self->fd);

	ASSERT_LT(0, id);
	EXPECT_EQ(EBUSY, free_worker(self->fd, 0));
	for (__u32 i = 0; i < 2; i++)
		ASSERT_EQ(0, attach_worker(self->fd, i, id));
	EXPECT_EQ(EBUSY, free_worker(self->fd, 0));
}

TEST_F(worker, unknown_ones)
{
	static const __u32 ids[] = { 1, 255, 256, 1U << 31, ~0U };

	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_EQ(ENODEV, free_worker(self->fd, ids[i]));
		EXPECT_EQ(ENODEV, attach_worker(self->fd, 0, ids[i]));
	}
	EXPECT_EQ(0, worker_of(self->fd, 0));
}

/* The answer cannot be given: there is not one more than before. */
TEST_F(worker, new_without_an_answer)
{
	char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 300; i++)
		ASSERT_EQ(EFAULT, attempt(self->fd, VHOST_NEW_WORKER, page));
	EXPECT_LT(0, new_worker(self->fd));
}

TEST_F(worker, there_are_256_at_most)
{
	int ids[256];

	for (int i = 1; i < 256; i++) {
		ids[i] = new_worker(self->fd);
		ASSERT_LT(0, ids[i])
			TH_LOG("worker %d", i);
	}
	EXPECT_EQ(-EBUSY, new_worker(self->fd));
	EXPECT_EQ(0, free_worker(self->fd, ids[100]));
	EXPECT_EQ(ids[100], new_worker(self->fd));
	EXPECT_TRUE(request_works(&self->guest.queues[0]));
}

TEST_F(worker, goes_with_reset)
{
	ASSERT_LT(0, new_worker(self->fd));
	ASSERT_EQ(0, attach_worker(self->fd, 1, 1));
	ASSERT_EQ(0, reset_owner(self->fd));
	ASSERT_EQ(0, set_owner(self->fd));
	EXPECT_EQ(0, worker_of(self->fd, 1));
	EXPECT_EQ(ENODEV, free_worker(self->fd, 1));
}

static int get_fork(int fd)
{
	__u8 fork = 0xff;

	return attempt(fd, VHOST_GET_FORK_FROM_OWNER, &fork) ? -1 : fork;
}

static int set_fork(int fd, __u8 fork)
{
	return attempt(fd, VHOST_SET_FORK_FROM_OWNER, &fork);
}

TEST_F(worker, is_of_one_kind)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC), kind = get_fork(fd);

	ASSERT_TRUE(kind == 0 || kind == 1);
	EXPECT_EQ(0, set_fork(fd, kind));
	EXPECT_EQ(EINVAL, set_fork(fd, !kind));
	EXPECT_EQ(EINVAL, set_fork(fd, 2));
	EXPECT_EQ(EINVAL, set_fork(fd, 255));
	EXPECT_EQ(kind, get_fork(fd));
	EXPECT_EQ(EBUSY, set_fork(self->fd, kind));
	EXPECT_EQ(EBUSY, set_fork(self->fd, !kind));
	EXPECT_EQ(kind, get_fork(self->fd));
	close(fd);
}

/*
 * Limits
 */

/* The number that the kernel gives for @key of this process, or -1. */
static long own_number(const char *key)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[128];
	long number = -1;

	while (file && number < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			number = strtol(line + strlen(key), NULL, 10);
	if (file)
		fclose(file);
	return number;
}

static long number_of_threads(void)
{
	return own_number("Threads:");
}

static long locked_kb(void)
{
	return own_number("VmLck:");
}

TEST_F(worker, is_a_thread_of_its_owner)
{
	long before = number_of_threads();

	if (!get_fork(self->fd))
		SKIP(return, "n/a: it is a thread of the kernel");
	EXPECT_EQ(2, before);
	ASSERT_LT(0, new_worker(self->fd));
	EXPECT_EQ(before + 1, number_of_threads());
	ASSERT_EQ(0, free_worker(self->fd, 1));
	EXPECT_TRUE(BECOMES_TRUE(number_of_threads() == before));
	close(self->fd);
	self->guest.fd = -1;
	EXPECT_TRUE(BECOMES_TRUE(number_of_threads() == 1));
}

TEST_F(worker, counts_as_a_process)
{
	struct rlimit limit = { 4, 4 };
	int made = 0, ret;

	if (!get_fork(self->fd))
		SKIP(return, "n/a: it is a thread of the kernel");
	ASSERT_EQ(0, reset_owner(self->fd));
	ASSERT_EQ(0, lose_privileges());
	ASSERT_EQ(0, setrlimit(RLIMIT_NPROC, &limit));
	ASSERT_EQ(0, set_owner(self->fd));
	while ((ret = new_worker(self->fd)) > 0)
		made++;
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_GE(4, made);
	EXPECT_EQ(EBUSY, set_owner(self->fd));
	EXPECT_EQ(0, free_worker(self->fd, 1));
	/* A thread that has ended counts until the kernel has reaped it. */
	EXPECT_TRUE(BECOMES_TRUE(new_worker(self->fd) == 1));
}

/* What is mapped for the kernel is locked memory, and given back. */
TEST_F(worker, locks_the_rings_of_its_owner)
{
	ASSERT_TRUE(request_works(&self->guest.queues[0]));
	EXPECT_LT(0, locked_kb());
	EXPECT_LT(0, guest_count(&self->guest.queues[0], "maps"));
	ASSERT_EQ(0, guest_detach(&self->guest));
	EXPECT_EQ(0, locked_kb());
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
		ASSERT_EQ(0, guest_detach(&self->guest));
	}
	EXPECT_EQ(0, locked_kb());
	/* Also if it fails half-way. */
	self->guest.queues[1].drv.used->idx = 1000;
	EXPECT_EQ(EINVAL, guest_attach(&self->guest, self->disk.fd));
	EXPECT_EQ(0, locked_kb());
}

/* Without any memory to lock all works, in another way. */
TEST_F(worker, needs_no_locked_memory)
{
	struct rlimit limit = { 0, 0 };

	ASSERT_EQ(0, guest_detach(&self->guest));
	ASSERT_EQ(0, lose_privileges());
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	for (int i = 0; i < 100; i++)
		ASSERT_TRUE(request_works(&self->guest.queues[i % 2]));
	EXPECT_EQ(0, locked_kb());
	EXPECT_EQ(0, guest_count(&self->guest.queues[0], "direct"));
}

/*
 * Who serves the queue may have its next turn before he tells the driver, but not give
 * back ever more meanwhile. One turn has 8 MiB, or 256 requests.
 */
TEST_F(worker, tells_of_several_at_once)
{
	static const struct {
		unsigned int nr;
		__u32 len;
		long interrupts;
	} cases[] = {
		{ 20, MIB, 1 },
		{ 100, PAGE, 4 },
	};
	const struct guest_setup setup = {
		.without = FEATURE(VIRTIO_RING_F_EVENT_IDX), .num = 512,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request requests[100] = {};
		struct guest_queue *queue;
		struct guest guest;
		__u64 data;

		ASSERT_EQ(0, guest_open(&guest, &setup));
		queue = &guest.queues[0];
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
		data = request_alloc(&guest, cases[i].len, 0);
		for (unsigned int n = 0; n < cases[i].nr; n++) {
			requests[n] = (struct request) {
				.type = VIRTIO_BLK_T_OUT, .data = data, .len = cases[i].len,
			};
			ASSERT_EQ(0, request_add(queue, &requests[n]));
		}
		guest_kick(queue);
		EXPECT_EQ(0, request_wait_all(queue));
		EXPECT_TRUE(BECOMES_TRUE(guest_count(queue, "interrupts") ==
					 cases[i].interrupts))
			TH_LOG("%ld", guest_count(queue, "interrupts"));
		guest_close(&guest);
	}
}

/*
 * Control groups
 */

/* The same with a new disk; @number is what its line of io.stat begins with. */
static const char *enter_group_with(struct disk *disk, const struct disk_setup *setup,
				    char number[32])
{
	const char *why = disk_make(disk, setup);
	struct stat st;

	if (why)
		return why;
	if (fstat(disk->fd, &st))
		return strerror(errno);
	snprintf(number, 32, "%u:%u ", major(st.st_rdev), minor(st.st_rdev));
	return group_enter();
}

TEST_F(worker, works_on_behalf_of_its_owner)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK };
	const struct guest_setup one = {};
	struct guest_queue *queue;
	struct guest guest;
	struct disk disk;
	char number[32];
	const char *why = enter_group_with(&disk, &setup, number);
	__u64 data;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, guest_open(&guest, &one));
	ASSERT_EQ(0, guest_attach(&guest, disk.fd));
	queue = &guest.queues[0];
	data = request_alloc(&guest, MIB, 0);
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(queue, VIRTIO_BLK_T_IN, 0, data, MIB));
		EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(queue, VIRTIO_BLK_T_OUT, 0, data, MIB / 2));
	}
	EXPECT_LE(8 * (long)MIB, group_count("io.stat", number, "rbytes="));
	EXPECT_LE(4 * (long)MIB, group_count("io.stat", number, "wbytes="));
	EXPECT_LE(8, group_count("io.stat", number, "rios="));
	guest_close(&guest);
	group_leave();
	disk_remove(&disk);
}

/* It is in no group of ours. */
static int leave_for_root(const struct guest *guest)
{
	(void)guest;
	return group_leave_alone();
}

/* As with a bridge: who notifies is a VMM's, and begins requests itself. */
TEST_F(worker, works_on_behalf_of_its_owner_whoever_notifies)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK };
	const struct guest_setup one = { .without = 1ULL << VIRTIO_RING_F_EVENT_IDX };
	struct request request = { .type = VIRTIO_BLK_T_IN, .len = SECTOR };
	struct stranger stranger;
	struct guest_queue *queue;
	struct guest guest;
	struct disk disk;
	char number[32];
	const char *why = enter_group_with(&disk, &setup, number);
	int nr = 0;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, guest_open(&guest, &one));
	queue = &guest.queues[0];
	ASSERT_EQ(0, stranger_start(&stranger, queue, leave_for_root, NULL));
	ASSERT_EQ(0, guest_attach(&guest, disk.fd));
	/* Header and status in one page. */
	request.data = request_alloc(&guest, SECTOR, 1024);
	for (; nr < 200 && guest_count(queue, "at-kick") < 20; nr++) {
		ASSERT_EQ(0, request_add(queue, &request));
		ASSERT_EQ(0, stranger_kick(&stranger, queue));
		ASSERT_EQ(0, request_wait(queue, &request));
	}
	EXPECT_LE(20, guest_count(queue, "at-kick"));
	EXPECT_EQ(nr * (long)SECTOR, group_count("io.stat", number, "rbytes="));
	EXPECT_EQ(0, stranger_end(&stranger));
	guest_close(&guest);
	group_leave();
	disk_remove(&disk);
}

/* Also what waits for the disk to have room, which is not begun by the worker. */
TEST_F(worker, works_on_behalf_of_its_owner_on_a_busy_disk)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .depth = 1, .latency_us = 20000 };
	const struct guest_setup one = {};
	struct request requests[16];
	struct guest_queue *queue;
	struct guest guest;
	struct disk disk;
	char number[32];
	const char *why = enter_group_with(&disk, &setup, number);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, guest_open(&guest, &one));
	ASSERT_EQ(0, guest_attach(&guest, disk.fd));
	queue = &guest.queues[0];
	for (int i = 0; i < 16; i++) {
		requests[i] = (struct request) {
			.type = VIRTIO_BLK_T_IN, .sector = 1024 * i, .len = 65536,
			.data = request_alloc(&guest, 65536, 0),
		};
		ASSERT_EQ(0, request_add(queue, &requests[i]));
	}
	guest_kick(queue);
	EXPECT_EQ(0, request_wait_all(queue));
	EXPECT_LT(0, guest_count(queue, "overflows"));
	EXPECT_LE(16 * 65536, group_count("io.stat", number, "rbytes="));
	/* The kernel counts as well what was tried in vain: that is not to be the rule. */
	EXPECT_GT(20 * 65536, group_count("io.stat", number, "rbytes="));
	guest_close(&guest);
	group_leave();
	disk_remove(&disk);
}

/* That of the group, but for the caller's. */
static long time_of_others(void)
{
	struct timespec own;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
	return group_time() - own.tv_sec * 1000000 - own.tv_nsec / 1000;
}

/* The time that it polls is not the host's. */
TEST_F(worker, spends_the_time_of_its_owner)
{
	const struct guest_setup one = {};
	const long end = now_ms() + 20000;
	struct guest guest;
	long before, spent;
	const char *why = group_enter();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, set_parameter("at_kick", 0));
	ASSERT_EQ(0, guest_open(&guest, &one));
	ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
	ASSERT_EQ(0, guest_set_busyloop(&guest.queues[0], 10000));
	before = time_of_others();
	do {
		ASSERT_TRUE(request_works(&guest.queues[0]));
		sleep_ms(1);
		spent = time_of_others() - before;
	} while (spent < 50000 && now_ms() < end);
	EXPECT_LE(50000, spent);
	guest_close(&guest);
	group_leave();
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
