// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers that do what no driver may: whatever is in a ring, the device goes on, and
 * writes nothing where it may not. After each bad chain a good request has to work.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/request.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define NEXT_F		VRING_DESC_F_NEXT
#define WRITE_F		VRING_DESC_F_WRITE
#define INDIRECT_F	VRING_DESC_F_INDIRECT

static struct disk disk;
static const char *why_not;

FIXTURE(hostile) {
	struct guest guest;
	struct guest_queue *queue, *other;
	__u64 data;	/* room for 64 KiB */
};

#define SELF FIXTURE_DATA(hostile)

FIXTURE_VARIANT(hostile) {
	bool defer;
};

FIXTURE_VARIANT_ADD(hostile, direct) {};
FIXTURE_VARIANT_ADD(hostile, deferred) { .defer = true };

FIXTURE_SETUP(hostile)
{
	const struct guest_setup setup = { .queues = 2 };

	if (why_not)
		SKIP(return, "%s", why_not);
	ASSERT_EQ(0, set_defer(variant->defer));
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	self->queue = &self->guest.queues[0];
	self->other = &self->guest.queues[1];
	self->data = request_alloc(&self->guest, 65536, 0);
}

FIXTURE_TEARDOWN(hostile)
{
	EXPECT_TRUE(request_works(self->other));
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	guest_close(&self->guest);
	set_defer(false);
}

/*
 * Bad chains
 */

/* The descriptor that the chain added last begins with, before it is published. */
static struct vring_desc *head_of(struct guest_queue *queue)
{
	const struct drv *drv = &queue->drv;

	return &drv->desc[drv->avail->ring[(drv->added - 1) & (drv->num - 1)]];
}

static struct vring_desc *next_of(struct guest_queue *queue, const struct vring_desc *desc)
{
	return &queue->drv.desc[desc->next];
}

/* The table of a chain that is indirect. */
static struct vring_desc *table_of(struct guest_queue *queue)
{
	size_t len = 16;

	return (void *)guest_at(queue->guest, head_of(queue)->addr, &len);
}

static void set_len(struct vring_desc *desc, __u32 len)
{
	desc->len = len;
}

static void set_range(struct vring_desc *desc, __u64 addr, __u32 len)
{
	desc->addr = addr;
	desc->len = len;
}

/*
 * Each changes a good chain: header in desc[0], data in desc[1], status in desc[2],
 * of the ring or of the table.
 */
struct chain {
	struct guest_queue *queue;
	struct vring_desc *head;	/* of the ring */
	struct vring_desc *desc[3];
};

static void next_beyond(struct chain *c) { c->desc[1]->next = c->queue->num; }
static void next_far(struct chain *c) { c->desc[0]->next = 0xffff; }
static void loop_of_one(struct chain *c) { c->desc[0]->next = c->head - c->queue->drv.desc; }

static void loop_in_table(struct chain *c)
{
	c->desc[1]->next = 0;
}

static void loop_of_writable(struct chain *c)
{
	c->desc[2]->flags |= NEXT_F;
	c->desc[2]->next = c->desc[2] - c->queue->drv.desc;
}

static void readable_last(struct chain *c)
{
	c->desc[0]->flags |= WRITE_F;
	c->desc[2]->flags &= ~WRITE_F;
}

static void nested_table(struct chain *c) { c->desc[1]->flags |= INDIRECT_F; }
static void table_with_next(struct chain *c) { c->head->flags |= NEXT_F; }
static void table_of_none(struct chain *c) { set_len(c->head, 0); }
static void table_of_parts(struct chain *c) { c->head->len -= 1; }
static void table_of_many(struct chain *c) { c->head->len = 16 * 65537; }
static void table_of_all(struct chain *c) { c->head->len = 0xfffffff0; }
static void table_in_hole(struct chain *c) { c->head->addr = GUEST_HOLE; }
static void table_at_end(struct chain *c) { set_range(c->head, ~0ULL - 15, 48); }
static void table_wraps(struct chain *c) { set_range(c->head, -16ULL, 48); }
static void table_too_short(struct chain *c) { c->head->len = 16; }
static void table_into_hole(struct chain *c) { c->head->addr = GUEST_NEXT + 64 * MIB - 16; }

static void only_readable(struct chain *c)
{
	c->desc[1]->flags &= ~WRITE_F;
	c->desc[2]->flags &= ~WRITE_F;
}

static void status_empty(struct chain *c)
{
	set_len(c->desc[1], 0);
	set_len(c->desc[2], 0);
}

static void only_header(struct chain *c) { c->desc[0]->flags &= ~NEXT_F; }
static void status_in_hole(struct chain *c) { c->desc[2]->addr = GUEST_HOLE; }
static void status_at_end(struct chain *c) { c->desc[2]->addr = ~0ULL; }
static void status_wraps(struct chain *c) { set_range(c->desc[2], ~0ULL, 2); }
static void status_of_all(struct chain *c) { c->desc[2]->len = ~0U; }

static void header_missing(struct chain *c) { set_len(c->desc[0], 0); }
static void header_short(struct chain *c) { c->desc[0]->len = 15; }
static void header_in_hole(struct chain *c) { c->desc[0]->addr = GUEST_HOLE; }
static void header_into_hole(struct chain *c) { c->desc[0]->addr = GUEST_HOLE - 15; }
static void header_at_end(struct chain *c) { c->desc[0]->addr = ~0ULL - 7; }
static void header_of_all(struct chain *c) { c->desc[0]->len = ~0U; }

static void data_in_hole(struct chain *c) { c->desc[1]->addr = GUEST_HOLE; }
static void data_at_0(struct chain *c) { set_range(c->desc[1], 0, PAGE); }
static void data_into_hole(struct chain *c) { c->desc[1]->addr = GUEST_NEXT + 64 * MIB - 512; }
static void data_at_end(struct chain *c) { c->desc[1]->addr = ~0ULL - 511; }
static void data_wraps(struct chain *c) { c->desc[1]->addr = -512ULL; }
static void data_of_all(struct chain *c) { c->desc[1]->len = ~0U; }
static void data_of_4_gigabytes(struct chain *c) { c->desc[1]->len = 0xfffffe00; }

enum expected {
	NOTHING,	/* no status, and 0 bytes written */
	ERROR,		/* the status says so */
	EITHER,
};

#define BIT(nr)		(1 << (nr))
#define DIRECTLY	BIT(DIRECT)
#define IN_TABLE	BIT(INDIRECT)
#define BOTH		(DIRECTLY | IN_TABLE)

static const struct bad_chain {
	const char *name;
	void (*make)(struct chain *chain);
	int framings;
	enum expected expected;
} bad_chains[] = {
#define BAD(_name, _framings, _expected) { #_name, _name, _framings, _expected }
	BAD(next_beyond, BOTH, NOTHING),
	BAD(next_far, BOTH, NOTHING),
	BAD(loop_of_one, DIRECTLY, NOTHING),
	BAD(loop_in_table, IN_TABLE, NOTHING),
	BAD(loop_of_writable, DIRECTLY, NOTHING),
	BAD(readable_last, BOTH, NOTHING),
	BAD(nested_table, IN_TABLE, NOTHING),
	BAD(table_with_next, IN_TABLE, NOTHING),
	BAD(table_of_none, IN_TABLE, NOTHING),
	BAD(table_of_parts, IN_TABLE, NOTHING),
	BAD(table_of_many, IN_TABLE, NOTHING),
	BAD(table_of_all, IN_TABLE, NOTHING),
	BAD(table_in_hole, IN_TABLE, NOTHING),
	BAD(table_at_end, IN_TABLE, NOTHING),
	BAD(table_wraps, IN_TABLE, NOTHING),
	BAD(table_too_short, IN_TABLE, NOTHING),
	BAD(table_into_hole, IN_TABLE, NOTHING),
	BAD(only_readable, BOTH, NOTHING),
	BAD(only_header, BOTH, NOTHING),
	BAD(status_empty, BOTH, EITHER),
	BAD(status_in_hole, BOTH, NOTHING),
	BAD(status_at_end, BOTH, NOTHING),
	BAD(status_wraps, BOTH, NOTHING),
	BAD(status_of_all, BOTH, NOTHING),
	BAD(header_missing, BOTH, EITHER),
	BAD(header_short, BOTH, ERROR),
	BAD(header_in_hole, BOTH, ERROR),
	BAD(header_into_hole, BOTH, ERROR),
	BAD(header_at_end, BOTH, ERROR),
	BAD(header_of_all, BOTH, EITHER),
	BAD(data_in_hole, BOTH, ERROR),
	BAD(data_at_0, BOTH, ERROR),
	BAD(data_into_hole, BOTH, ERROR),
	BAD(data_at_end, BOTH, ERROR),
	BAD(data_wraps, BOTH, ERROR),
	BAD(data_of_all, BOTH, ERROR),
	BAD(data_of_4_gigabytes, BOTH, ERROR),
};

/* Make and submit a bad chain of @request; 0, or an error of request_wait(). */
static int submit_bad(struct guest_queue *queue, struct request *request,
		      const struct bad_chain *bad)
{
	struct chain chain = { .queue = queue };
	int ret = request_add(queue, request);

	if (ret)
		return ret;
	chain.head = head_of(queue);
	if (request->framing->how == INDIRECT) {
		for (int i = 0; i < 3; i++)
			chain.desc[i] = &table_of(queue)[i];
	} else {
		chain.desc[0] = chain.head;
		chain.desc[1] = next_of(queue, chain.desc[0]);
		chain.desc[2] = next_of(queue, chain.desc[1]);
	}
	bad->make(&chain);
	guest_kick(queue);
	return request_wait(queue, request);
}

TEST_F(hostile, chains_are_given_back)
{
	static const struct framing direct = { .name = "direct" };
	static const struct framing indirect = { .name = "indirect", .how = INDIRECT };

	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(bad_chains); i++) {
		const struct bad_chain *bad = &bad_chains[i / 4];
		struct request request = {
			.type = i % 2 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
			.data = self->data, .len = PAGE,
			.framing = i / 2 % 2 ? &indirect : &direct,
		};

		if (!(bad->framings & BIT(request.framing->how)))
			continue;
		guest_set(&self->guest, self->data, 0x77, PAGE);
		ASSERT_EQ(0, submit_bad(self->queue, &request, bad))
			TH_LOG("%s, %s, type %u", bad->name, request.framing->name, request.type);
		if (bad->expected == NOTHING) {
			EXPECT_EQ(STATUS_NONE, request.status)
				TH_LOG("%s, %s", bad->name, request.framing->name);
			EXPECT_EQ(0, request.used)
				TH_LOG("%s, %s", bad->name, request.framing->name);
		} else if (bad->expected == ERROR) {
			EXPECT_EQ(VIRTIO_BLK_S_IOERR, request.status)
				TH_LOG("%s, %s, type %u", bad->name, request.framing->name,
				       request.type);
		}
		EXPECT_FALSE(request.damaged);
		ASSERT_TRUE(request_works(self->queue))
			TH_LOG("after %s, %s", bad->name, request.framing->name);
	}
	EXPECT_EQ(0, guest_signals(self->queue->err));
}

/* With none of a ring's features a table is a bad chain as well. */
TEST_F(hostile, tables_that_were_not_agreed_on)
{
	struct request request = {
		.type = VIRTIO_BLK_T_IN, .data = self->data, .len = PAGE, .framing = &framings[10],
	};

	ASSERT_EQ(INDIRECT, request.framing->how);
	self->guest.features &= ~FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	ASSERT_EQ(0, guest_detach(&self->guest));
	ASSERT_EQ(0, attempt(self->guest.fd, VHOST_SET_FEATURES, &self->guest.features));
	ASSERT_EQ(0, guest_restart(&self->guest, disk.fd));
	EXPECT_EQ(STATUS_NONE, request_run(self->queue, &request));
	EXPECT_EQ(0, request.used);
	EXPECT_TRUE(request_works(self->queue));
}

/* Buffers of nothing, as many as there are descriptors, and then some. */
TEST_F(hostile, chains_of_empty_buffers)
{
	struct drv_buf bufs[256] = {};

	for (int nr = 1; nr <= 256; nr += nr < 4 ? 1 : 63) {
		for (int i = 0; i < nr; i++)
			bufs[i] = (struct drv_buf) { i % 2 ? GUEST_HOLE : self->data, 0 };
		for (int out = 0; out <= nr; out += (nr + 1) / 2) {
			ASSERT_EQ(0, request_add_raw(self->queue, bufs, out, nr - out));
			guest_kick(self->queue);
			ASSERT_EQ(0, request_wait_all(self->queue))
				TH_LOG("%d to read, %d to write", out, nr - out);
			EXPECT_EQ(0, self->queue->stray_used);
		}
	}
	EXPECT_TRUE(request_works(self->queue));
}

/* Every length of what is read and of what is written, for every type. */
TEST_F(hostile, chains_of_all_small_sizes)
{
	struct virtio_blk_outhdr header = {};
	struct drv_buf bufs[2];

	for (__u32 type = 0; type < 16; type++) {
		header.type = type;
		guest_put(&self->guest, self->data, &header, HEADER);
		for (__u32 out = 0; out <= 49; out += out < 15 || out > 33 ? 7 : 1) {
			for (__u32 in = 0; in <= 24; in += in < 2 || in > 19 ? 1 : 9) {
				bufs[0] = (struct drv_buf) { self->data, out };
				bufs[1] = (struct drv_buf) { self->data + PAGE, in };
				ASSERT_EQ(0, request_add_raw(self->queue, bufs, 1, 1));
				guest_kick(self->queue);
				if (self->queue->drv.nr_free < 4)
					ASSERT_EQ(0, request_wait_all(self->queue));
			}
		}
	}
	ASSERT_EQ(0, request_wait_all(self->queue));
	EXPECT_TRUE(request_works(self->queue));
}

/* More data than 32 bits can count. */
TEST_F(hostile, chains_of_more_than_4_gigabytes)
{
	struct drv_buf bufs[200] = { { self->data, HEADER } };
	struct virtio_blk_outhdr header = {};

	for (unsigned int i = 1; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct drv_buf) { GUEST_MAIN, 0xfffffe00 };
	bufs[ARRAY_SIZE(bufs) - 1] = (struct drv_buf) { self->data + PAGE, 1 };
	for (header.type = 0; header.type < 16; header.type++) {
		unsigned int nr = ARRAY_SIZE(bufs);
		unsigned int out = header.type == VIRTIO_BLK_T_IN ? 1 : nr - 1;

		guest_put(&self->guest, self->data, &header, HEADER);
		ASSERT_EQ(0, request_add_raw(self->queue, bufs, out, nr - out));
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
		EXPECT_TRUE(guest_is(&self->guest, self->data + PAGE, VIRTIO_BLK_S_IOERR, 1) ||
			    guest_is(&self->guest, self->data + PAGE, VIRTIO_BLK_S_UNSUPP, 1) ||
			    header.type == VIRTIO_BLK_T_FLUSH || header.type == VIRTIO_BLK_T_GET_ID)
			TH_LOG("type %u", header.type);
		EXPECT_TRUE(request_works(self->queue));
	}
}

/* Header, data and status in one place. */
TEST_F(hostile, buffers_that_overlap)
{
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	const struct drv_buf bufs[] = {
		{ self->data, HEADER }, { self->data, PAGE }, { self->data, PAGE },
		{ self->data + 7, 1 },
	};

	for (int i = 0; i < 4; i++) {
		guest_put(&self->guest, self->data, &header, HEADER);
		ASSERT_EQ(0, request_add_raw(self->queue, bufs, 1, 3));
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
	}
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(hostile, unknown_types_at_full_speed)
{
	struct request requests[64];

	for (int i = 0; i < 64; i++)
		requests[i] = (struct request) {
			.type = 100 + i, .data = request_alloc(&self->guest, 0, 0),
		};
	for (long end = now_ms() + test_ms(); now_ms() < end;) {
		for (int i = 0; i < 64; i++)
			ASSERT_EQ(0, request_add(self->queue, &requests[i]));
		guest_kick(self->queue);
		ASSERT_EQ(0, request_wait_all(self->queue));
		for (int i = 0; i < 64; i++)
			ASSERT_EQ(VIRTIO_BLK_S_UNSUPP, requests[i].status);
	}
}

/*
 * Broken rings
 */

static void kick_always(struct guest_queue *queue)
{
	eventfd_write(queue->kick, 1);
}

/* Is it served no more, was the VMM told once, and is it well again when started anew? */
static void expect_broken(struct __test_metadata *_metadata, SELF *self)
{
	__u16 used;

	kick_always(self->queue);
	ASSERT_TRUE(BECOMES_TRUE(guest_queue_is(self->queue, "broken")));
	EXPECT_TRUE(BECOMES_TRUE(guest_signals(self->queue->err) == 1));
	used = self->queue->drv.used->idx;
	for (int i = 0; i < 10; i++) {
		kick_always(self->queue);
		sleep_ms(5);
	}
	EXPECT_EQ(0, guest_signals(self->queue->err));
	EXPECT_EQ(used, self->queue->drv.used->idx);
	EXPECT_TRUE(request_works(self->other));
	EXPECT_EQ(0, guest_signals(self->other->err));
	EXPECT_EQ(0, guest_restart(&self->guest, disk.fd));
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(0, guest_signals(self->queue->err));
}

TEST_F(hostile, index_that_jumps_breaks_the_ring)
{
	static const __u16 jumps[] = { 257, 300, 0x7fff, 0x8000, 0xffff, 0xff00 };

	for (unsigned int i = 0; i < ARRAY_SIZE(jumps); i++) {
		ASSERT_TRUE(request_works(self->queue));
		self->queue->drv.avail->idx += jumps[i];
		expect_broken(_metadata, self);
	}
}

TEST_F(hostile, head_outside_of_the_table_breaks_the_ring)
{
	static const __u16 heads[] = { 256, 257, 0x7fff, 0xffff };

	for (unsigned int i = 0; i < ARRAY_SIZE(heads); i++) {
		struct drv *drv = &self->queue->drv;

		drv->avail->ring[drv->avail->idx & (drv->num - 1)] = heads[i];
		__atomic_store_n(&drv->avail->idx, drv->avail->idx + 1, __ATOMIC_RELEASE);
		expect_broken(_metadata, self);
	}
}

/* Each part of it goes away and comes back. */
TEST_F(hostile, ring_that_cannot_be_reached_breaks)
{
	size_t size = self->queue->ring_size / PAGE * PAGE + PAGE;

	for (int i = 0; i < 2; i++) {
		ASSERT_TRUE(request_works(self->queue));
		ASSERT_EQ(0, mprotect(self->queue->ring, size, i ? PROT_READ : PROT_NONE));
		kick_always(self->queue);
		ASSERT_TRUE(BECOMES_TRUE(guest_queue_is(self->queue, "broken")))
			TH_LOG("round %d", i);
		EXPECT_TRUE(BECOMES_TRUE(guest_signals(self->queue->err) == 1));
		ASSERT_EQ(0, mprotect(self->queue->ring, size, PROT_READ | PROT_WRITE));
		EXPECT_EQ(0, guest_restart(&self->guest, disk.fd));
	}
	EXPECT_TRUE(request_works(self->queue));
}

/* The first error counts, also if there are others in the queue when it is stopped. */
TEST_F(hostile, broken_ring_can_be_stopped)
{
	self->queue->drv.avail->idx += 1000;
	kick_always(self->queue);
	ASSERT_TRUE(BECOMES_TRUE(guest_queue_is(self->queue, "broken")));
	EXPECT_LE(0, guest_stop_queue(self->queue));
	EXPECT_TRUE(guest_queue_is(self->queue, "stopped"));
	EXPECT_TRUE(request_works(self->other));
	EXPECT_EQ(0, guest_restart(&self->guest, disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* Every entry of the ring is the same chain: it is answered as often as it is there. */
TEST_F(hostile, head_that_is_in_flight_already)
{
	struct request request = { .type = VIRTIO_BLK_T_OUT, .data = self->data, .len = SECTOR };
	struct drv *drv = &self->queue->drv;

	ASSERT_EQ(0, request_add(self->queue, &request));
	for (int round = 1; round <= 10; round++) {
		for (int i = 0; i < 256; i++)
			drv->avail->ring[i] = drv->avail->ring[0];
		__atomic_store_n(&drv->avail->idx, round * 256, __ATOMIC_RELEASE);
		kick_always(self->queue);
		ASSERT_TRUE(BECOMES_TRUE(__atomic_load_n(&drv->used->idx, __ATOMIC_ACQUIRE) ==
					 (__u16)(round * 256)));
	}
	EXPECT_EQ(0, guest_signals(self->queue->err));
	EXPECT_EQ(0, guest_restart(&self->guest, disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/*
 * Drivers that do not stand still
 */

struct storm {
	struct guest_queue *queue;
	__u64 data;
	unsigned int seed;
	bool stop;
	unsigned long rounds;
};

/* Not in a ring: it would not be the driver who broke that. */
static __u64 any_address(struct storm *storm)
{
	static const __u64 places[] = {
		0, GUEST_LOW + 8 * MIB, GUEST_MAIN, GUEST_NEXT, GUEST_HOLE, GUEST_HIGH, 1ULL << 52,
		1ULL << 63, ~0ULL,
	};
	unsigned int i = rand_r(&storm->seed) % (4 * ARRAY_SIZE(places));

	if (i < ARRAY_SIZE(places))
		return places[i] + rand_r(&storm->seed) % 8192 - 4096;
	return storm->data + rand_r(&storm->seed) % 65536;
}

static __u32 any_length(struct storm *storm)
{
	static const __u32 lengths[] = { 0, 1, 15, 16, 17, 48, 512, 4096, 65536, ~0U, 1U << 31 };
	unsigned int i = rand_r(&storm->seed) % (2 * ARRAY_SIZE(lengths));

	return i < ARRAY_SIZE(lengths) ? lengths[i] : (__u32)rand_r(&storm->seed) % 8192;
}

/* Anything, but often what is nearly right. */
static void any_desc(struct storm *storm, struct vring_desc *desc, __u32 num)
{
	set_range(desc, any_address(storm), any_length(storm));
	desc->flags = rand_r(&storm->seed) % 8;
	if (rand_r(&storm->seed) % 64 == 0)
		desc->flags = rand_r(&storm->seed);
	desc->next = rand_r(&storm->seed) % (num + num / 32 + 1);
}

static void *rewrite_descriptors(void *argument)
{
	struct storm *storm = argument;
	struct drv *drv = &storm->queue->drv;

	while (!__atomic_load_n(&storm->stop, __ATOMIC_RELAXED)) {
		any_desc(storm, &drv->desc[rand_r(&storm->seed) % drv->num], drv->num);
		storm->rounds++;
	}
	return NULL;
}

/* The address space of the owner has things that are no memory of the guest's. */
static char outside[16 * PAGE];

static bool outside_is_intact(void)
{
	for (size_t i = 0; i < sizeof(outside); i++)
		if (outside[i] != 0x3c)
			return false;
	return true;
}

/* Has the device got so far? */
static bool used_up_to(const struct drv *drv, __u16 idx)
{
	return __atomic_load_n(&drv->used->idx, __ATOMIC_ACQUIRE) == idx;
}

/* Chains change while the device looks at them. */
TEST_F(hostile, descriptors_that_change)
{
	struct storm storm = { .queue = self->queue, .data = self->data, .seed = 1 };
	struct drv *drv = &self->queue->drv;
	long end = now_ms() + test_ms();
	pthread_t thread;

	memset(outside, 0x3c, sizeof(outside));
	ASSERT_EQ(0, pthread_create(&thread, NULL, rewrite_descriptors, &storm));
	for (unsigned int i = 0; i < 256; i++)
		drv->avail->ring[i] = i;
	while (now_ms() < end) {
		__u16 idx = drv->avail->idx + 64;

		__atomic_store_n(&drv->avail->idx, idx, __ATOMIC_RELEASE);
		kick_always(self->queue);
		ASSERT_TRUE(BECOMES_TRUE(used_up_to(drv, idx)));
	}
	__atomic_store_n(&storm.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(outside_is_intact());
	EXPECT_EQ(0, guest_signals(self->queue->err));
	EXPECT_EQ(0, guest_restart(&self->guest, disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* A header of a type that does something, at a random place. */
static void any_header(struct storm *storm, const struct guest *guest)
{
	struct virtio_blk_outhdr header = {
		.type = rand_r(&storm->seed) % 16, .sector = rand_r(&storm->seed) % 65536,
	};

	guest_put(guest, storm->data + rand_r(&storm->seed) % 4096 * 16, &header, HEADER);
}

/* Rings of noise: each is answered, or broken, and the next one works. */
TEST_F(hostile, rings_of_noise)
{
	struct storm storm = { .queue = self->queue, .data = self->data, .seed = 2 };
	long end = now_ms() + test_ms();

	memset(outside, 0x3c, sizeof(outside));
	for (; now_ms() < end; storm.rounds++) {
		struct drv *drv = &self->queue->drv;
		__u16 offered = rand_r(&storm.seed) % 260, idx = drv->avail->idx + offered;

		for (unsigned int i = 0; i < drv->num; i++)
			any_desc(&storm, &drv->desc[i], drv->num);
		for (int i = 0; i < 64; i++)
			any_header(&storm, &self->guest);
		for (unsigned int i = 0; i < drv->num; i++)
			drv->avail->ring[i] = rand_r(&storm.seed) % (drv->num + (i == 99));
		__atomic_store_n(&drv->avail->idx, idx, __ATOMIC_RELEASE);
		kick_always(self->queue);
		ASSERT_TRUE(BECOMES_TRUE(used_up_to(drv, idx) ||
					 guest_queue_is(self->queue, "broken")))
			TH_LOG("round %lu", storm.rounds);
		if (guest_queue_is(self->queue, "broken"))
			ASSERT_EQ(0, guest_restart(&self->guest, disk.fd));
	}
	EXPECT_TRUE(outside_is_intact());
	EXPECT_EQ(0, guest_restart(&self->guest, disk.fd));
	EXPECT_TRUE(request_works(self->queue));
}

/* The ring itself as the place to read to: what comes of that is up to the data. */
TEST_F(hostile, buffers_in_the_ring)
{
	__u64 ring = GUEST_LOW;

	for (unsigned int i = 0; i < 40; i++) {
		struct request request = {
			.type = VIRTIO_BLK_T_IN, .sector = i % 8, .len = SECTOR,
			.data = ring + i * self->queue->ring_size / 40,
		};
		const struct drv_buf bufs[] = {
			{ self->data, HEADER }, { request.data, SECTOR }, { self->data + PAGE, 1 },
		};
		struct virtio_blk_outhdr header = { .sector = request.sector };

		guest_put(&self->guest, self->data, &header, HEADER);
		ASSERT_EQ(0, request_add_raw(self->queue, bufs, 1, 2));
		guest_kick(self->queue);
		sleep_ms(2);
		kick_always(self->queue);
		ASSERT_EQ(0, guest_restart(&self->guest, disk.fd));
	}
	EXPECT_TRUE(request_works(self->queue));
}

/* Offer all chains again as soon as they are given back, without an end. */
static void *refill_forever(void *argument)
{
	struct storm *storm = argument;
	struct drv *drv = &storm->queue->drv;

	while (!__atomic_load_n(&storm->stop, __ATOMIC_RELAXED)) {
		__u16 used = __atomic_load_n(&drv->used->idx, __ATOMIC_ACQUIRE);

		__atomic_store_n(&drv->avail->idx, used + drv->num, __ATOMIC_RELEASE);
		eventfd_write(storm->queue->kick, 1);
		storm->rounds++;
	}
	return NULL;
}

static void start_refilling(struct __test_metadata *_metadata, SELF *self,
			    struct storm *storm, pthread_t *thread, struct request *request)
{
	struct drv *drv = &self->queue->drv;

	storm->queue = self->queue;
	ASSERT_EQ(0, request_add(self->queue, request));
	for (unsigned int i = 1; i < drv->num; i++)
		drv->avail->ring[i] = drv->avail->ring[0];
	ASSERT_EQ(0, pthread_create(thread, NULL, refill_forever, storm));
	ASSERT_TRUE(BECOMES_TRUE(guest_count(self->queue, "taken") > 1000));
}

/* One worker has two queues, and one of them never runs out of chains. */
TEST_F(hostile, endless_ring_leaves_time_for_others)
{
	struct virtio_blk_discard_write_zeroes ranges[64];
	struct request requests[] = {
		{ .type = TYPE_UNKNOWN, .data = self->data },
		{ .type = VIRTIO_BLK_T_IN, .data = self->data, .len = SECTOR },
		{ .type = VIRTIO_BLK_T_OUT, .data = self->data, .len = 65536 },
		{ .type = VIRTIO_BLK_T_WRITE_ZEROES, .data = self->data, .len = sizeof(ranges) },
	};

	for (int i = 0; i < 64; i++)
		ranges[i] = (struct virtio_blk_discard_write_zeroes) { .num_sectors = 8 };
	for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++) {
		struct storm storm = {};
		pthread_t thread;

		if (requests[i].type == VIRTIO_BLK_T_WRITE_ZEROES)
			guest_put(&self->guest, self->data, ranges, sizeof(ranges));
		start_refilling(_metadata, self, &storm, &thread, &requests[i]);
		for (int n = 0; n < 20; n++) {
			long begin = now_ms();

			EXPECT_TRUE(request_works(self->other));
			EXPECT_GT(prompt_ms(), now_ms() - begin)
				TH_LOG("type %u", requests[i].type);
		}
		__atomic_store_n(&storm.stop, true, __ATOMIC_RELAXED);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(0, guest_restart(&self->guest, disk.fd));
	}
}

TEST_F(hostile, endless_ring_does_not_hold_up_the_vmm)
{
	struct request request = { .type = VIRTIO_BLK_T_IN, .data = self->data, .len = SECTOR };
	struct storm storm = {};
	pthread_t thread;
	long begin;

	start_refilling(_metadata, self, &storm, &thread, &request);
	begin = now_ms();
	EXPECT_EQ(0, guest_set_memory(&self->guest));
	EXPECT_EQ(0, guest_queue_file(self->queue, VHOST_SET_VRING_CALL, self->queue->call));
	EXPECT_LE(0, guest_stop_queue(self->queue));
	EXPECT_GT(prompt_ms(), now_ms() - begin);
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_EQ(0, guest_attach(&self->guest, disk.fd));
	begin = now_ms();
	EXPECT_EQ(0, close(self->guest.fd));
	EXPECT_GT(prompt_ms(), now_ms() - begin);
	__atomic_store_n(&storm.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));

	/* One more, for what comes after each test. */
	self->guest.fd = -1;
	guest_close(&self->guest);
	ASSERT_EQ(0, guest_open(&self->guest, &(struct guest_setup) { .queues = 2 }));
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
}

int main(int argc, char **argv)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .latency_us = 5 };

	need_device();
	why_not = disk_share(&disk, &setup);
	return test_harness_run(argc, argv);
}
