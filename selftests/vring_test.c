// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls about queues and workers: what they do, and each error they give. */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/ioctls.h"
#include "lib/request.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

FIXTURE(vring) {
	struct disk disk;
	struct guest guest;
	struct guest_queue *queue;
};

#define SELF FIXTURE_DATA(vring)

FIXTURE_SETUP(vring)
{
	const struct disk_setup none = { .kind = DISK_DEV_NULL };
	const struct guest_setup setup = {};

	ASSERT_EQ(NULL, disk_make(&self->disk, &none));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	self->queue = &self->guest.queues[0];
}

FIXTURE_TEARDOWN(vring)
{
	guest_close(&self->guest);
	disk_remove(&self->disk);
}

static int set(const SELF *self, unsigned int cmd, __u32 index, __u32 num)
{
	struct vhost_vring_state state = { index, num };

	return attempt(self->guest.fd, cmd, &state);
}

/* The value, or minus an error number. */
static long get(const SELF *self, unsigned int cmd, __u32 index)
{
	struct vhost_vring_state state = { index, ~0U };
	int ret = attempt(self->guest.fd, cmd, &state);

	return ret ? -ret : state.index == index ? (long)state.num : -EBADMSG;
}

static int set_file(const SELF *self, unsigned int cmd, int fd)
{
	return guest_queue_file(self->queue, cmd, fd);
}

/*
 * Queues
 */

TEST_F(vring, there_are_256_queues)
{
	static const __u32 beyond[] = { 256, 257, 65536, 1U << 31, ~0U };
	__u64 argument[32];

	for (unsigned int i = 0; i < NR_IOCTLS; i++) {
		const struct ioctl_row *row = &ioctl_rows[i];

		for (unsigned int j = 0; row->queue && j < ARRAY_SIZE(beyond); j++) {
			memset(argument, 0, sizeof(argument));
			memcpy(argument, &beyond[j], sizeof(beyond[j]));
			EXPECT_EQ(ENOBUFS, attempt(self->guest.fd, row->cmd, argument))
				TH_LOG("%s, queue %u", row->name, beyond[j]);
		}
	}
	EXPECT_EQ(0, set(self, VHOST_SET_VRING_NUM, 255, 256));
	EXPECT_EQ(0, get(self, VHOST_GET_VRING_BASE, 255));
}

TEST_F(vring, set_vring_num)
{
	static const __u32 bad[] = { 0, 3, 255, 257, 32767, 32769, 65535, 65536, 1U << 31, ~0U };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(EINVAL, set(self, VHOST_SET_VRING_NUM, 0, bad[i]))
			TH_LOG("%u", bad[i]);
	}
	/* It is as large as it was. */
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* Rings of all sizes, each gone around some times. */
TEST_F(vring, rings_of_all_sizes)
{
	static const struct framing indirect = { .name = "indirect", .how = INDIRECT };

	for (__u32 num = 1; num <= 32768; num *= num < 256 ? 2 : 4) {
		const struct guest_setup setup = { .num = num };
		struct request request = {
			.type = VIRTIO_BLK_T_IN, .framing = &indirect, .len = SECTOR,
		};
		struct guest guest;

		ASSERT_EQ(0, guest_open(&guest, &setup));
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd))
			TH_LOG("%u descriptors", num);
		request.data = request_alloc(&guest, SECTOR, 0);
		for (unsigned int i = 0; i < 2 * num + 3 && i < 1000; i++) {
			ASSERT_EQ(VIRTIO_BLK_S_OK, request_run(&guest.queues[0], &request))
				TH_LOG("%u descriptors, request %u", num, i);
		}
		guest_close(&guest);
	}
}

/* As many requests as it has descriptors, each answered. */
static bool queue_is_full_size(struct guest_queue *queue, struct request *requests)
{
	static const struct framing indirect = { .name = "indirect", .how = INDIRECT };

	for (__u32 i = 0; i < queue->num; i++) {
		requests[i].type = VIRTIO_BLK_T_IN;
		requests[i].framing = &indirect;
		if (request_add(queue, &requests[i]))
			return false;
	}
	guest_kick(queue);
	if (request_wait_all(queue))
		return false;
	for (__u32 i = 0; i < queue->num; i++)
		if (requests[i].status != VIRTIO_BLK_S_OK)
			return false;
	return true;
}

/* One queue, smaller and larger with each start: nothing of the last size is left. */
TEST_F(vring, size_may_change_between_starts)
{
	static const __u32 sizes[] = { 4, 1024, 2, 256, 1, 1024, 512, 8 };
	const struct guest_setup setup = { .num = 1024 };
	struct request *requests = calloc(1024, sizeof(*requests));
	struct guest_queue *queue;
	struct guest guest;

	ASSERT_NE(NULL, requests);
	ASSERT_EQ(0, guest_open(&guest, &setup));
	queue = &guest.queues[0];
	for (int i = 0; i < 1024; i++)
		requests[i].data = request_alloc(&guest, 0, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		queue->num = sizes[i];
		ASSERT_EQ(0, guest_restart(&guest, self->disk.fd))
			TH_LOG("%u descriptors", sizes[i]);
		for (int round = 0; round < 3; round++) {
			ASSERT_TRUE(queue_is_full_size(queue, requests))
				TH_LOG("%u descriptors, round %d", sizes[i], round);
		}
	}
	/* There was a request of the device's for each of the driver's. */
	EXPECT_EQ(0, guest_count(queue, "stalls"));
	guest_close(&guest);
	free(requests);
}

/* What a VMM says of a queue, and changes all the time. */
struct flicker {
	struct vhost_vring_state state;
	bool stop;
};

static void *change_state(void *argument)
{
	static const struct vhost_vring_state states[] = {
		{ 0, 256 }, { 300, 256 }, { 0, 0 }, { ~0U, ~0U }, { 0, 1U << 31 }, { 255, 32768 },
	};
	struct flicker *flicker = argument;

	for (unsigned int i = 0; !__atomic_load_n(&flicker->stop, __ATOMIC_RELAXED); i++) {
		const struct vhost_vring_state *state = &states[i % ARRAY_SIZE(states)];

		__atomic_store_n(&flicker->state.index, state->index, __ATOMIC_RELAXED);
		__atomic_store_n(&flicker->state.num, state->num, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* It is read once: a queue of another index, or a size that is none, is never used. */
TEST_F(vring, argument_that_changes_meanwhile)
{
	static const unsigned int cmds[] = { VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE };
	struct flicker flicker = {};
	pthread_t thread;
	long base;

	ASSERT_EQ(0, pthread_create(&thread, NULL, change_state, &flicker));
	for (long end = now_ms() + test_ms(); now_ms() < end;) {
		for (unsigned int i = 0; i < ARRAY_SIZE(cmds); i++) {
			int ret = attempt(self->guest.fd, cmds[i], &flicker.state);

			ASSERT_TRUE(!ret || ret == ENOBUFS || ret == EINVAL)
				TH_LOG("ioctl %#x: %s", cmds[i], strerror(ret));
		}
		base = get(self, VHOST_GET_VRING_BASE, 0);
		ASSERT_TRUE(base >= 0 && base < 65536);
	}
	__atomic_store_n(&flicker.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, guest_restart(&self->guest, self->disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* Indices of 16 bits go around, with events and without. */
TEST_F(vring, indices_go_around)
{
	static const __u64 without[] = { 0, FEATURE(VIRTIO_RING_F_EVENT_IDX) };

	for (unsigned int round = 0; round < ARRAY_SIZE(without); round++) {
		const struct guest_setup setup = { .without = without[round] };
		struct request requests[32];
		struct guest_queue *queue;
		struct guest guest;

		ASSERT_EQ(0, guest_open(&guest, &setup));
		queue = &guest.queues[0];
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
		for (int i = 0; i < 32; i++)
			requests[i] = (struct request) {
				.type = VIRTIO_BLK_T_IN, .data = request_alloc(&guest, 0, 0),
			};
		for (unsigned int n = 0; n < 66000; n += 32) {
			for (int i = 0; i < 32; i++)
				ASSERT_EQ(0, request_add(queue, &requests[i]));
			guest_kick(queue);
			ASSERT_EQ(0, request_wait_all(queue))
				TH_LOG("after %u", n);
		}
		EXPECT_EQ(66016, guest_count(queue, "given"));
		EXPECT_EQ((__u16)66016, guest_stop_queue(queue));
		guest_close(&guest);
	}
}

TEST_F(vring, set_vring_base)
{
	static const __u32 good[] = { 0, 1, 255, 32768, 65535 };
	static const __u32 bad[] = { 65536, 1U << 31, ~0U };

	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, set(self, VHOST_SET_VRING_BASE, 0, good[i]));
		EXPECT_EQ(good[i], get(self, VHOST_GET_VRING_BASE, 0));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(EINVAL, set(self, VHOST_SET_VRING_BASE, 0, bad[i]));
		EXPECT_EQ(65535, get(self, VHOST_GET_VRING_BASE, 0));
	}
	EXPECT_EQ(0, get(self, VHOST_GET_VRING_BASE, 1));
}

/* The used index says how many were not given back: no more than there is room for. */
TEST_F(vring, base_and_ring_have_to_fit)
{
	static const __u16 apart[] = { 257, 1000, 32768, 65535 };

	for (unsigned int i = 0; i < ARRAY_SIZE(apart); i++) {
		ASSERT_EQ(0, set(self, VHOST_SET_VRING_BASE, 0, apart[i]));
		EXPECT_EQ(EINVAL, guest_attach(&self->guest, self->disk.fd))
			TH_LOG("%u apart", apart[i]);
	}
	ASSERT_EQ(0, set(self, VHOST_SET_VRING_BASE, 0, 0));
	EXPECT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(vring, base_of_a_stopped_queue)
{
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	for (int n = 1; n < 5; n++) {
		ASSERT_TRUE(request_works(self->queue));
		EXPECT_EQ(n, get(self, VHOST_GET_VRING_BASE, 0));
		EXPECT_EQ(n, get(self, VHOST_GET_VRING_BASE, 0));
		ASSERT_EQ(0, guest_detach(&self->guest));
		EXPECT_EQ(n, get(self, VHOST_GET_VRING_BASE, 0));
		ASSERT_EQ(0, guest_set_addresses(self->queue));
		ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	}
}

/* Its memory is the VMM's again, which may use it for anything. */
TEST_F(vring, ring_of_a_stopped_queue_is_forgotten)
{
	struct request request = { .type = VIRTIO_BLK_T_IN };

	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	ASSERT_TRUE(request_works(self->queue));
	EXPECT_EQ(1, guest_stop_queue(self->queue));
	request.data = request_alloc(&self->guest, 0, 0);
	ASSERT_EQ(0, request_add(self->queue, &request));
	guest_kick(self->queue);
	EXPECT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	sleep_ms(100);
	EXPECT_TRUE(guest_queue_is(self->queue, "stopped"));
	EXPECT_EQ(1, self->queue->drv.used->idx);
	/* Also if it was not served when it was told to stop. */
	EXPECT_EQ(0, guest_detach(&self->guest));
	ASSERT_EQ(0, guest_set_addresses(self->queue));
	EXPECT_EQ(1, guest_stop_queue(self->queue));
	EXPECT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(guest_queue_is(self->queue, "stopped"));
	ASSERT_EQ(0, guest_set_addresses(self->queue));
	EXPECT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_EQ(0, request_wait(self->queue, &request));
}

static int set_addr(const SELF *self, int flags, long desc, long avail, long used)
{
	struct vhost_vring_addr addr = {
		.flags = flags,
		.desc_user_addr = (unsigned long)self->queue->drv.desc + desc,
		.avail_user_addr = (unsigned long)self->queue->drv.avail + avail,
		.used_user_addr = (unsigned long)self->queue->drv.used + used,
	};

	return attempt(self->guest.fd, VHOST_SET_VRING_ADDR, &addr);
}

TEST_F(vring, set_vring_addr)
{
	for (int bit = 0; bit < 32; bit++) {
		EXPECT_EQ(EOPNOTSUPP, set_addr(self, 1U << bit, 0, 0, 0))
			TH_LOG("flag %d", bit);
	}
	for (int i = 1; i < 16; i++) {
		EXPECT_EQ(EINVAL, set_addr(self, 0, i, 0, 0))
			TH_LOG("%d", i);
	}
	EXPECT_EQ(EINVAL, set_addr(self, 0, 0, 1, 0));
	EXPECT_EQ(EINVAL, set_addr(self, 0, 0, 0, 1));
	EXPECT_EQ(EINVAL, set_addr(self, 0, 0, 0, 2));
	EXPECT_EQ(EINVAL, set_addr(self, 0, 0, 0, 3));
	/* It is where it was. */
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* Where there is no memory there is no ring, but that is found out later. */
TEST_F(vring, rings_that_cannot_be_reached)
{
	const long away[] = { -(long)(unsigned long)self->queue->drv.avail, 1L << 46 };

	for (unsigned int i = 0; i < ARRAY_SIZE(away); i++) {
		ASSERT_EQ(0, set_addr(self, 0, 0, 0, away[i] & ~3L));
		EXPECT_EQ(EFAULT, guest_attach(&self->guest, self->disk.fd));
		EXPECT_TRUE(guest_queue_is(self->queue, "stopped"));
	}
	ASSERT_EQ(0, set_addr(self, 0, 0, 0, 0));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* If one ring cannot be used, no request of another is served. */
TEST_F(vring, all_queues_start_or_none)
{
	const struct guest_setup two = { .queues = 2 };
	struct request request = { .type = VIRTIO_BLK_T_IN, .len = SECTOR };
	struct guest guest;

	ASSERT_EQ(0, guest_open(&guest, &two));
	request.data = request_alloc(&guest, SECTOR, 0);
	ASSERT_EQ(0, request_add(&guest.queues[0], &request));
	guest_kick(&guest.queues[0]);
	guest.queues[1].drv.used->idx = 1000;
	EXPECT_EQ(EINVAL, guest_attach(&guest, self->disk.fd));
	sleep_ms(100);
	EXPECT_EQ(0, guest.queues[0].drv.used->idx);
	EXPECT_EQ(0, guest_count(&guest.queues[0], "taken"));
	guest.queues[1].drv.used->idx = 0;
	EXPECT_EQ(0, guest_attach(&guest, self->disk.fd));
	EXPECT_EQ(0, request_wait(&guest.queues[0], &request));
	guest_close(&guest);
}

/* One by one, while others are served. */
TEST_F(vring, queues_can_be_started_later)
{
	const struct guest_setup setup = { .queues = 3 };
	struct guest_queue *queues;
	struct guest guest;

	ASSERT_EQ(0, guest_open(&guest, &setup));
	queues = guest.queues;
	ASSERT_EQ(0, guest_stop_queue(&queues[1]));
	ASSERT_EQ(0, guest_stop_queue(&queues[2]));
	ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
	EXPECT_TRUE(request_works(&queues[0]));

	/* One that cannot start is no reason for others to stop. */
	ASSERT_EQ(0, guest_set_addresses(&queues[1]));
	ASSERT_EQ(0, guest_set_addresses(&queues[2]));
	queues[2].drv.used->idx = 1000;
	EXPECT_EQ(EINVAL, guest_attach(&guest, self->disk.fd));
	EXPECT_TRUE(request_works(&queues[0]));
	EXPECT_TRUE(guest_queue_is(&queues[1], "stopped"));
	EXPECT_TRUE(guest_queue_is(&queues[2], "stopped"));

	/* Nor is one that starts a reason to go on with one that is broken. */
	queues[0].drv.avail->idx += 1000;
	eventfd_write(queues[0].kick, 1);
	ASSERT_TRUE(BECOMES_TRUE(guest_queue_is(&queues[0], "broken")));
	queues[2].drv.used->idx = 0;
	EXPECT_EQ(0, guest_attach(&guest, self->disk.fd));
	EXPECT_TRUE(guest_queue_is(&queues[0], "broken"));
	EXPECT_TRUE(request_works(&queues[1]));
	EXPECT_TRUE(request_works(&queues[2]));
	EXPECT_EQ(0, guest_detach(&guest));
	EXPECT_TRUE(guest_balances(&guest));
	guest_close(&guest);
}

TEST_F(vring, set_vring_endian)
{
	EXPECT_EQ(VHOST_VRING_LITTLE_ENDIAN, get(self, VHOST_GET_VRING_ENDIAN, 0));
	EXPECT_EQ(0, set(self, VHOST_SET_VRING_ENDIAN, 0, VHOST_VRING_BIG_ENDIAN));
	EXPECT_EQ(VHOST_VRING_BIG_ENDIAN, get(self, VHOST_GET_VRING_ENDIAN, 0));
	EXPECT_EQ(EINVAL, set(self, VHOST_SET_VRING_ENDIAN, 0, 2));
	EXPECT_EQ(EINVAL, set(self, VHOST_SET_VRING_ENDIAN, 0, ~0U));
	EXPECT_EQ(VHOST_VRING_BIG_ENDIAN, get(self, VHOST_GET_VRING_ENDIAN, 0));
	EXPECT_EQ(VHOST_VRING_LITTLE_ENDIAN, get(self, VHOST_GET_VRING_ENDIAN, 1));
	/* And without effect on a driver of today. */
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* Drivers of before virtio 1, in both byte orders. */
TEST_F(vring, legacy_drivers)
{
	for (int big = 0; big < 2; big++) {
		const struct guest_setup setup = {
			.without = FEATURE(VIRTIO_F_VERSION_1), .big_endian = big,
		};
		struct guest guest;
		__u64 data;

		ASSERT_EQ(0, guest_open(&guest, &setup));
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
		data = request_alloc(&guest, PAGE, 0);
		for (unsigned int i = 0; i < nr_framings; i++) {
			struct request request = {
				.type = VIRTIO_BLK_T_OUT, .sector = 8, .data = data, .len = PAGE,
				.framing = &framings[i],
			};

			EXPECT_EQ(VIRTIO_BLK_S_OK, request_run(&guest.queues[0], &request))
				TH_LOG("big endian %d, %s", big, framings[i].name);
			request.sector = 1ULL << 40;
			EXPECT_EQ(VIRTIO_BLK_S_IOERR, request_run(&guest.queues[0], &request));
		}
		guest_close(&guest);
	}
}

/* Every set of features of the ring. */
TEST_F(vring, features_of_the_ring)
{
	static const unsigned int bits[] = {
		VIRTIO_F_NOTIFY_ON_EMPTY, VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX,
		VIRTIO_F_VERSION_1, VIRTIO_F_ANY_LAYOUT,
	};

	for (unsigned int missing = 0; missing < 1U << ARRAY_SIZE(bits); missing++) {
		struct guest_setup setup = {};
		struct guest guest;

		for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
			if (missing >> i & 1)
				setup.without |= FEATURE(bits[i]);
		ASSERT_EQ(0, guest_open(&guest, &setup));
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
		for (int n = 0; n < 20; n++) {
			ASSERT_TRUE(request_works(&guest.queues[0]))
				TH_LOG("without %#llx", setup.without);
		}
		guest_close(&guest);
	}
}

/* Who wants no interrupts gets none, but the first, with which nobody knows. */
TEST_F(vring, interrupts_can_be_suppressed)
{
	static const __u64 without[] = {
		FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY),
		FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY) | FEATURE(VIRTIO_RING_F_EVENT_IDX),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(without); i++) {
		const struct guest_setup setup = { .without = without[i] };
		struct request request = { .type = VIRTIO_BLK_T_IN };
		struct guest_queue *queue;
		struct guest guest;

		ASSERT_EQ(0, guest_open(&guest, &setup));
		queue = &guest.queues[0];
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
		ASSERT_TRUE(request_works(queue));
		/* It was seen before the driver was told, maybe, and this counted before that. */
		ASSERT_TRUE(BECOMES_TRUE(guest_count(queue, "interrupts") == 1));
		ASSERT_EQ(0, guest_queue_file(queue, VHOST_SET_VRING_CALL, queue->call));
		guest_signals(queue->call);
		request.data = request_alloc(&guest, 0, 0);
		/* Once: another time the device may still ask for the request before. */
		drv_disable_interrupt(&queue->drv);
		for (int n = 0; n < 100; n++) {
			ASSERT_EQ(0, request_add(queue, &request));
			guest_kick(queue);
			ASSERT_TRUE(BECOMES_TRUE(request_poll(queue)));
		}
		EXPECT_EQ(0, guest_signals(queue->call));
		guest_close(&guest);
	}
}

/* A driver may want to be told when the ring runs empty, whatever else it said. */
TEST_F(vring, interrupts_on_empty)
{
	struct request request = { .type = VIRTIO_BLK_T_IN };

	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	ASSERT_TRUE(request_works(self->queue));
	guest_signals(self->queue->call);
	request.data = request_alloc(&self->guest, 0, 0);
	drv_disable_interrupt(&self->queue->drv);
	ASSERT_EQ(0, request_add(self->queue, &request));
	guest_kick(self->queue);
	EXPECT_TRUE(BECOMES_TRUE(guest_signals(self->queue->call)));
	EXPECT_EQ(1, request_poll(self->queue));
}

/*
 * Eventfds
 */

TEST_F(vring, eventfds_only)
{
	static const unsigned int cmds[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	for (unsigned int i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(EINVAL, set_file(self, cmds[i], pipes[0]));
		EXPECT_EQ(EINVAL, set_file(self, cmds[i], self->guest.fd));
		EXPECT_EQ(EINVAL, set_file(self, cmds[i], self->disk.fd));
		EXPECT_EQ(EBADF, set_file(self, cmds[i], 9999));
		EXPECT_EQ(EBADF, set_file(self, cmds[i], -2));
		EXPECT_EQ(EBADF, set_file(self, cmds[i], -9));
	}
	/* Those from before are in use. */
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(request_works(self->queue));
	close(pipes[0]);
	close(pipes[1]);
}

/* The device holds what it was given. */
TEST_F(vring, eventfds_may_be_closed)
{
	int kick = dup(self->queue->kick), call = dup(self->queue->call);

	close(self->queue->kick);
	close(self->queue->call);
	close(self->queue->err);
	self->queue->kick = kick;
	self->queue->call = call;
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(vring, set_vring_call_signals_once)
{
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	EXPECT_EQ(0, set_file(self, VHOST_SET_VRING_CALL, call));
	EXPECT_EQ(1, guest_signals(call));
	EXPECT_EQ(0, set_file(self, VHOST_SET_VRING_CALL, -1));
	EXPECT_EQ(0, guest_signals(call));
	EXPECT_EQ(0, set_file(self, VHOST_SET_VRING_ERR, call));
	EXPECT_EQ(0, guest_signals(call));
	close(call);
}

/* A kick from before the eventfd was handed over counts, too. */
TEST_F(vring, set_vring_kick_sees_old_kicks)
{
	struct request request = { .type = VIRTIO_BLK_T_IN };

	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	ASSERT_TRUE(request_works(self->queue));
	ASSERT_EQ(0, set_file(self, VHOST_SET_VRING_KICK, -1));
	request.data = request_alloc(&self->guest, 0, 0);
	ASSERT_EQ(0, request_add(self->queue, &request));
	drv_publish(&self->queue->drv);
	eventfd_write(self->queue->kick, 1);
	ASSERT_EQ(0, set_file(self, VHOST_SET_VRING_KICK, self->queue->kick));
	EXPECT_EQ(0, request_wait(self->queue, &request));
}

/* Neither to be notified nor to notify is fine. */
TEST_F(vring, eventfds_are_optional)
{
	struct request request = { .type = VIRTIO_BLK_T_IN };

	ASSERT_EQ(0, set_file(self, VHOST_SET_VRING_KICK, -1));
	ASSERT_EQ(0, set_file(self, VHOST_SET_VRING_CALL, -1));
	ASSERT_EQ(0, set_file(self, VHOST_SET_VRING_ERR, -1));
	request.data = request_alloc(&self->guest, 0, 0);
	ASSERT_EQ(0, request_add(self->queue, &request));
	drv_publish(&self->queue->drv);
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_TRUE(BECOMES_TRUE(request_poll(self->queue) == 1));
	self->queue->drv.avail->idx += 1000;
	ASSERT_EQ(0, set_file(self, VHOST_SET_VRING_KICK, self->queue->kick));
	eventfd_write(self->queue->kick, 1);
	EXPECT_TRUE(BECOMES_TRUE(guest_queue_is(self->queue, "broken")));
}

/*
 * While a queue is served
 */

TEST_F(vring, set_up_cannot_change_while_served)
{
	char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	static const unsigned int cmds[] = {
		VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE, VHOST_SET_VRING_ENDIAN,
	};
	void *index = edge + PAGE - 4;

	ASSERT_NE(MAP_FAILED, edge);
	ASSERT_EQ(0, mprotect(edge + PAGE, PAGE, PROT_NONE));
	for (unsigned int i = 0; i < ARRAY_SIZE(cmds); i++)
		EXPECT_EQ(EFAULT, attempt(self->guest.fd, cmds[i], index));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	for (unsigned int i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(EBUSY, set(self, cmds[i], 0, 0));
		EXPECT_EQ(EBUSY, set(self, cmds[i], 0, ~0U));
		/* Busy comes before what is wrong with the argument. */
		EXPECT_EQ(EBUSY, attempt(self->guest.fd, cmds[i], index));
	}
	EXPECT_EQ(0, set_addr(self, 0, 0, 0, 0));
	EXPECT_EQ(EBUSY, set_addr(self, 0, 16, 0, 0));
	EXPECT_EQ(EBUSY, set_addr(self, 0, 0, 2, 0));
	EXPECT_EQ(EBUSY, set_addr(self, 0, 0, 0, 4));
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(1, get(self, VHOST_GET_VRING_BASE, 0));
	EXPECT_EQ(0, set(self, VHOST_SET_VRING_NUM, 0, 256));
}

/* Other queues do not count. */
TEST_F(vring, set_up_can_change_if_another_is_served)
{
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_EQ(0, set(self, VHOST_SET_VRING_NUM, 1, 64));
	EXPECT_EQ(0, set(self, VHOST_SET_VRING_BASE, 1, 64));
	EXPECT_EQ(64, get(self, VHOST_GET_VRING_BASE, 1));
	EXPECT_TRUE(request_works(self->queue));
}

/* The answer cannot be given, so nothing is done. */
TEST_F(vring, get_vring_base_without_an_answer)
{
	char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	EXPECT_EQ(EFAULT, attempt(self->guest.fd, VHOST_GET_VRING_BASE, page));
	EXPECT_TRUE(guest_queue_is(self->queue, "running"));
	EXPECT_TRUE(request_works(self->queue));
}

/* Whatever is said first, as long as it is all there in the end. */
TEST_F(vring, set_up_in_any_order)
{
	for (unsigned int seed = 0; seed < 20; seed++) {
		struct guest_queue *queue = self->queue;
		unsigned int state = seed, done = 0;

		ASSERT_EQ(0, reset_owner(self->guest.fd));
		ASSERT_EQ(0, set_owner(self->guest.fd));
		ASSERT_EQ(0, guest_new_ring(queue));
		while (done != 127) {
			unsigned int i = rand_r(&state) % 7;
			int fd = self->guest.fd;
			__u64 *features = &self->guest.features;

			if (done >> i & 1)
				continue;
			done |= 1 << i;
			ASSERT_EQ(0, i == 0 ? attempt(fd, VHOST_SET_FEATURES, features) :
				     i == 1 ? guest_set_memory(&self->guest) :
				     i == 2 ? set(self, VHOST_SET_VRING_NUM, 0, queue->num) :
				     i == 3 ? set(self, VHOST_SET_VRING_BASE, 0, 0) :
				     i == 4 ? guest_set_addresses(queue) :
				     i == 5 ? set_file(self, VHOST_SET_VRING_KICK, queue->kick) :
					      set_file(self, VHOST_SET_VRING_CALL, queue->call));
		}
		ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
		ASSERT_TRUE(request_works(queue))
			TH_LOG("seed %u", seed);
	}
}

/* A driver may use fewer queues than there are, and not the first of them. */
TEST_F(vring, queues_that_are_not_set_up_are_left_alone)
{
	const struct guest_setup setup = { .queues = 4 };
	struct guest guest;

	ASSERT_EQ(0, guest_open(&guest, &setup));
	for (__u32 i = 0; i < 4; i++) {
		ASSERT_EQ(0, reset_owner(guest.fd));
		ASSERT_EQ(0, set_owner(guest.fd));
		ASSERT_EQ(0, guest_set_memory(&guest));
		ASSERT_EQ(0, attempt(guest.fd, VHOST_SET_FEATURES, &guest.features));
		/* As a VMM does for all of them, before it knows which are used. */
		for (__u32 j = 0; j < 4; j++) {
			ASSERT_EQ(0, guest_queue_file(&guest.queues[j], VHOST_SET_VRING_CALL,
						      guest.queues[j].call));
		}
		ASSERT_EQ(0, guest_new_ring(&guest.queues[i]));
		ASSERT_EQ(0, guest_set_up_queue(&guest.queues[i]));
		ASSERT_EQ(0, guest_attach(&guest, self->disk.fd));
		EXPECT_TRUE(request_works(&guest.queues[i]));
	}
	guest_close(&guest);
}

TEST_F(vring, set_vring_busyloop_timeout)
{
	static const struct { __u32 set, get; } rows[] = {
		{ 0, 0 }, { 1, 1 }, { 10000, 10000 }, { 10001, 10000 }, { ~0U, 10000 }, { 50, 50 },
	};

	EXPECT_EQ(0, get(self, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, 0));
	ASSERT_EQ(0, guest_attach(&self->guest, self->disk.fd));
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(0, set(self, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0, rows[i].set));
		EXPECT_EQ(rows[i].get, get(self, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, 0));
		EXPECT_TRUE(request_works(self->queue));
	}
	EXPECT_EQ(0, get(self, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, 1));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
