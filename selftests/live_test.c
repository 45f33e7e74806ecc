// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VMM does while the guest's driver is at work: no request may be lost, done
 * twice or mixed up with another, and no interrupt missed.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/traffic.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define QUEUES 4

static struct disk disk;
static const char *why_not;

FIXTURE(live) {
	struct guest guest;
	struct guest_queue *queue;
	struct traffic traffic[QUEUES];
	struct vhost_worker_state workers[8];
};

#define SELF FIXTURE_DATA(live)

FIXTURE_VARIANT(live) {
	bool defer;
};

FIXTURE_VARIANT_ADD(live, direct) {};
FIXTURE_VARIANT_ADD(live, deferred) { .defer = true };

FIXTURE_SETUP(live)
{
	const struct guest_setup setup = { .queues = QUEUES };

	if (why_not)
		SKIP(return, "%s", why_not);
	ASSERT_EQ(0, set_defer(variant->defer));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	self->queue = &self->guest.queues[0];
	for (__u32 i = 0; i < QUEUES; i++) {
		self->traffic[i] = (struct traffic) {
			.queue = &self->guest.queues[i],
			.sector = i * disk.sectors / QUEUES,
			.sectors = disk.sectors / QUEUES,
			.slots = 4,
			.seed = i,
		};
		ASSERT_EQ(0, traffic_start(&self->traffic[i]));
	}
}

FIXTURE_TEARDOWN(live)
{
	for (__u32 i = 0; i < QUEUES; i++) {
		const char *error = traffic_stop(&self->traffic[i]);

		EXPECT_EQ(NULL, error)
			TH_LOG("%s", error);
	}
	for (__u32 i = 0; i < QUEUES; i++) {
		EXPECT_EQ(0, guest_signals(self->guest.queues[i].err));
		EXPECT_TRUE(request_works(&self->guest.queues[i]));
	}
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	guest_close(&self->guest);
	set_defer(false);
}

static bool all_flow(const SELF *self)
{
	bool flows = true;

	for (__u32 i = 0; i < QUEUES && flows; i++)
		flows = traffic_flows(&self->traffic[i], 10);
	return flows;
}

/* Do something again and again for a while, and see that requests go on. */
#define WHILE_LIVE(...) do {							\
	for (long _end = now_ms() + test_ms(); now_ms() < _end;)		\
		__VA_ARGS__							\
	EXPECT_TRUE(all_flow(self));						\
} while (0)

/*
 * Eventfds
 */

/* As a VMM masks and unmasks an interrupt. */
TEST_F(live, set_vring_call)
{
	const struct guest_queue *queue = self->queue;
	int masked = eventfd(0, EFD_CLOEXEC);

	WHILE_LIVE({
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_CALL, masked));
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_CALL, queue->call));
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_CALL, -1));
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_CALL, queue->call));
		sleep_ms(1);
	});
	close(masked);
}

/* The old one is not signalled any more, and may be closed. */
TEST_F(live, set_vring_call_to_another_each_time)
{
	const struct guest_queue *queue = self->queue;

	WHILE_LIVE({
		int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_CALL, call));
		guest_signals(call);
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_CALL, queue->call));
		guest_signals(call);
		sleep_ms(1);
		ASSERT_EQ(0, guest_signals(call));
		close(call);
	});
}

TEST_F(live, set_vring_kick)
{
	const struct guest_queue *queue = self->queue;
	int other = eventfd(0, EFD_CLOEXEC);

	WHILE_LIVE({
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_KICK, other));
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_KICK, -1));
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_KICK, queue->kick));
		sleep_ms(1);
	});
	close(other);
}

TEST_F(live, set_vring_err)
{
	WHILE_LIVE({
		ASSERT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_ERR, -1));
		ASSERT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_ERR, self->queue->err));
	});
}

/* One eventfd for both directions. */
TEST_F(live, kick_is_call)
{
	for (__u32 i = 0; i < QUEUES; i++) {
		struct guest_queue *queue = &self->guest.queues[i];

		ASSERT_EQ(NULL, traffic_stop(&self->traffic[i]));
		close(queue->kick);
		queue->kick = dup(queue->call);
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_KICK, queue->kick));
		ASSERT_EQ(0, traffic_start(&self->traffic[i]));
	}
	EXPECT_TRUE(all_flow(self));
}

/*
 * Stop and start
 */

TEST_F(live, detach_and_attach)
{
	WHILE_LIVE({
		ASSERT_EQ(0, guest_detach(&self->guest));
		ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
		sleep_ms(5);
	});
}

TEST_F(live, get_vring_base)
{
	WHILE_LIVE({
		struct guest_queue *queue = &self->guest.queues[now_ms() % QUEUES];
		int base = guest_stop_queue(queue);

		ASSERT_LE(0, base);
		ASSERT_EQ(base, __atomic_load_n(&queue->drv.used->idx, __ATOMIC_ACQUIRE));
		ASSERT_EQ(base, guest_stop_queue(queue));
		ASSERT_EQ(0, guest_set_addresses(queue));
		ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
		sleep_ms(5);
	});
}

/*
 * Memory
 */

TEST_F(live, set_mem_table)
{
	struct guest_region regions[GUEST_REGIONS + 2];
	char *more = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	memcpy(regions, self->guest.regions, sizeof(self->guest.regions));
	regions[GUEST_REGIONS] = (struct guest_region) { GUEST_HOLE, MIB, more };
	regions[GUEST_REGIONS + 1] = (struct guest_region) { GUEST_HOLE + MIB, MIB, more + MIB };
	WHILE_LIVE({
		for (__u32 nr = GUEST_REGIONS; nr <= GUEST_REGIONS + 2; nr++)
			ASSERT_EQ(0, guest_set_regions(&self->guest, regions, nr));
		sleep_ms(2);
	});
	ASSERT_EQ(0, guest_set_memory(&self->guest));
	munmap(more, 2 * MIB);
}

/* The same memory, cut into other regions. */
TEST_F(live, set_mem_table_in_other_pieces)
{
	struct guest_region regions[GUEST_REGIONS * 16];

	WHILE_LIVE({
		for (__u32 pieces = 1; pieces <= 16; pieces *= 4) {
			for (__u32 i = 0; i < GUEST_REGIONS * pieces; i++) {
				struct guest_region *region = &regions[i];

				*region = self->guest.regions[i / pieces];
				region->size /= pieces;
				region->gpa += i % pieces * region->size;
				region->mem += i % pieces * region->size;
			}
			ASSERT_EQ(0, guest_set_regions(&self->guest, regions,
						       GUEST_REGIONS * pieces));
		}
		sleep_ms(2);
	});
	ASSERT_EQ(0, guest_set_memory(&self->guest));
}

/* The kernel takes its hands off the rings, and puts them on again. */
TEST_F(live, rings_lose_their_mapping)
{
	const struct guest_region *low = &self->guest.regions[LOW];

	WHILE_LIVE({
		ASSERT_EQ(0, madvise(low->mem, low->size, MADV_DONTNEED));
		sleep_ms(1);
	});
	EXPECT_LT(1, guest_count(self->queue, "maps"));
}

/* A child has a copy of the memory: what is in flight is the parent's all the same. */
TEST_F(live, fork)
{
	WHILE_LIVE({
		pid_t pid = fork();

		if (!pid) {
			guest_set(&self->guest, GUEST_MAIN, 0x66, 4 * MIB);
			_exit(set_owner(self->guest.fd) != EBUSY ||
			      reset_owner(self->guest.fd) != EPERM);
		}
		int status = -1;

		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
	});
}

/*
 * Workers
 */

TEST_F(live, attach_vring_worker)
{
	unsigned int seed = 1;

	for (unsigned int i = 1; i < ARRAY_SIZE(self->workers); i++)
		ASSERT_EQ(0, attempt(self->guest.fd, VHOST_NEW_WORKER, &self->workers[i]));
	WHILE_LIVE({
		unsigned int i = rand_r(&seed) % ARRAY_SIZE(self->workers);
		struct vhost_vring_worker state = {
			.index = now_ms() % QUEUES, .worker_id = self->workers[i].worker_id,
		};

		ASSERT_EQ(0, attempt(self->guest.fd, VHOST_ATTACH_VRING_WORKER, &state));
	});
}

/* Polling as long as it may, while workers come and go. */
TEST_F(live, new_and_free_worker)
{
	for (__u32 i = 0; i < QUEUES; i++)
		ASSERT_EQ(0, guest_set_busyloop(&self->guest.queues[i], 10000));
	WHILE_LIVE({
		struct vhost_worker_state worker;

		ASSERT_EQ(0, attempt(self->guest.fd, VHOST_NEW_WORKER, &worker));
		for (__u32 i = 0; i < QUEUES; i++) {
			struct vhost_vring_worker state = { i, worker.worker_id };

			ASSERT_EQ(0, attempt(self->guest.fd, VHOST_ATTACH_VRING_WORKER, &state));
		}
		ASSERT_EQ(EBUSY, attempt(self->guest.fd, VHOST_FREE_WORKER, &worker));
		for (__u32 i = 0; i < QUEUES; i++) {
			struct vhost_vring_worker state = { i, 0 };

			ASSERT_EQ(0, attempt(self->guest.fd, VHOST_ATTACH_VRING_WORKER, &state));
		}
		ASSERT_EQ(0, attempt(self->guest.fd, VHOST_FREE_WORKER, &worker));
	});
}

TEST_F(live, set_vring_busyloop_timeout)
{
	WHILE_LIVE({
		ASSERT_EQ(0, guest_set_busyloop(self->queue, now_ms() % 3 * 200));
		sleep_ms(1);
	});
}

/*
 * All of it
 */

struct chaos {
	SELF *self;
	unsigned int seed;
	bool stop;
	int bad;	/* an error number that should not be, */
	unsigned int cmd;	/* and what gave it */
};

static int do_anything(struct chaos *chaos, unsigned int *cmd)
{
	struct guest *guest = &chaos->self->guest;
	const struct guest_queue *queue = &guest->queues[rand_r(&chaos->seed) % QUEUES];
	struct vhost_blk_settings settings = { .fields = VHOST_BLK_SERIAL };
	struct vhost_blk_config config = { .fd = -1 };
	struct vhost_worker_state worker;
	struct vhost_vring_worker vring_worker = { queue->index, 0 };
	__u32 num = queue->num;

	switch (rand_r(&chaos->seed) % 14) {
	case 0:
		return attempt(guest->fd, *cmd = VHOST_SET_FEATURES, &guest->features);
	case 1:
		*cmd = VHOST_SET_MEM_TABLE;
		return guest_set_memory(guest);
	case 2:
		return guest_queue_ioctl(queue, *cmd = VHOST_SET_VRING_NUM, &num);
	case 3:
		*cmd = VHOST_SET_VRING_ADDR;
		return guest_set_addresses(queue);
	case 4:
		return guest_queue_ioctl(queue, *cmd = VHOST_GET_VRING_BASE, &num);
	case 5:
		return guest_queue_file(queue, *cmd = VHOST_SET_VRING_KICK, queue->kick);
	case 6:
		return guest_queue_file(queue, *cmd = VHOST_SET_VRING_CALL, queue->call);
	case 7:
		return guest_queue_file(queue, *cmd = VHOST_SET_VRING_ERR, queue->err);
	case 8:
		*cmd = VHOST_BLK_SET_BACKEND;
		return guest_detach(guest);
	case 9:
		return attempt(guest->fd, *cmd = VHOST_BLK_GET_CONFIG, &config);
	case 10:
		return attempt(guest->fd, *cmd = VHOST_BLK_SET_CONFIG, &settings);
	case 11:
		worker.worker_id = rand_r(&chaos->seed) % 8;
		*cmd = rand_r(&chaos->seed) % 2 ? VHOST_NEW_WORKER : VHOST_FREE_WORKER;
		return attempt(guest->fd, *cmd, &worker);
	case 12:
		vring_worker.worker_id = rand_r(&chaos->seed) % 4;
		return attempt(guest->fd, *cmd = VHOST_ATTACH_VRING_WORKER, &vring_worker);
	default:
		*cmd = VHOST_BLK_SET_BACKEND;
		return guest_attach(guest, disk.fd);
	}
}

static void *do_everything(void *argument)
{
	struct chaos *chaos = argument;
	unsigned int cmd = 0;

	while (!__atomic_load_n(&chaos->stop, __ATOMIC_RELAXED)) {
		int ret = do_anything(chaos, &cmd);

		switch (ret) {
		case 0:
		case EBUSY:
		case ENODEV:
			continue;
		default:
			chaos->bad = ret;
			chaos->cmd = cmd;
			return NULL;
		}
	}
	return NULL;
}

/* All ioctls at once, in any order, from several threads. */
TEST_F(live, everything)
{
	struct chaos chaos[3];
	pthread_t threads[3];

	for (int i = 0; i < 3; i++) {
		chaos[i] = (struct chaos) { .self = self, .seed = i };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, do_everything, &chaos[i]));
	}
	for (long end = now_ms() + 2 * test_ms(); now_ms() < end;) {
		ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
		sleep_ms(10);
	}
	for (int i = 0; i < 3; i++)
		__atomic_store_n(&chaos[i].stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, chaos[i].bad)
			TH_LOG("ioctl %#x", chaos[i].cmd);
	}
	for (int i = 0; i < QUEUES; i++)
		EXPECT_EQ(0, guest_set_addresses(&self->guest.queues[i]));
	EXPECT_EQ(0, guest_attach(&self->guest, disk.fd));
	EXPECT_TRUE(all_flow(self));
}

int main(int argc, char **argv)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .latency_us = 5 };

	need_device();
	why_not = disk_share(&disk, &setup);
	return test_harness_run(argc, argv);
}
