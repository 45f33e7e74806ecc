// SPDX-License-Identifier: GPL-2.0-only
/* Requests without end, and the model they are checked against. */
#include <endian.h>
#include <stdlib.h>

#include "clock.h"
#include "traffic.h"

/* In the model, beside the number of the last write. */
#define UNKNOWN	0xffffffffU
#define ZEROES	0xfffffffeU

static unsigned int any(struct traffic *traffic, unsigned int n)
{
	return rand_r(&traffic->seed) % n;
}

static __u32 *model_at(struct traffic *traffic, __u64 sector)
{
	return &traffic->model[sector - traffic->sector];
}

static __u64 seed_of(__u64 sector, __u32 number)
{
	return sector << 32 | number;
}

static void fail(struct traffic *traffic, const struct traffic_slot *slot, const char *error)
{
	if (traffic->error)
		return;
	traffic->error = traffic->what;
	snprintf(traffic->what, sizeof(traffic->what),
		 "queue %u, type %u, sector %llu, %u bytes: %s after %lu requests",
		 traffic->queue->index, slot->request.type, slot->request.sector,
		 slot->request.len, error, traffic->done);
}

/*
 * Begin
 */

/* Some whole blocks of the slot's part. */
static void choose_place(struct traffic *traffic, const struct traffic_slot *slot, __u64 *sector,
			 __u32 *nr)
{
	__u64 part = traffic->sectors / traffic->slots, step = traffic->block / SECTOR;
	__u32 max = slot->max_len / SECTOR < part ? slot->max_len / SECTOR : part;

	/* Many small ones, few big ones. */
	switch (any(traffic, 16)) {
	case 0:
		break;
	case 1 ... 4:
		max = max / 8 ?: 1;
		break;
	default:
		max = max / 64 ?: 1;
	}
	*nr = (any(traffic, max) / step + 1) * step;
	if (*nr > part)
		*nr = part / step * step;
	*sector = slot->sector + any(traffic, (part - *nr) / step + 1) * step;
}

/* The number of the next write of what the model has at @number. */
static __u32 next_write(const __u32 *number)
{
	return *number >= ZEROES ? 1 : *number + 1;
}

static void fill_write(struct traffic *traffic, const struct traffic_slot *slot)
{
	const struct request *request = &slot->request;
	char sector[SECTOR];

	for (__u32 i = 0; i < request->len / SECTOR; i++) {
		__u32 number = next_write(model_at(traffic, request->sector + i));

		data_make(sector, SECTOR, seed_of(request->sector + i, number));
		guest_put(traffic->queue->guest, request->data + i * SECTOR, sector, SECTOR);
	}
}

static void count_write(struct traffic *traffic, const struct request *request)
{
	for (__u32 i = 0; i < request->len / SECTOR; i++) {
		__u32 *number = model_at(traffic, request->sector + i);

		*number = next_write(number);
	}
}

static void fill_ranges(struct traffic *traffic, struct traffic_slot *slot)
{
	struct virtio_blk_discard_write_zeroes range;

	slot->ranges = 1 + any(traffic, 2);
	for (__u32 i = 0; i < slot->ranges; i++) {
		choose_place(traffic, slot, &slot->sectors[i], &slot->nr[i]);
		range = (struct virtio_blk_discard_write_zeroes) {
			.sector = htole64(slot->sectors[i]),
			.num_sectors = htole32(slot->nr[i]),
		};
		if (slot->request.type == VIRTIO_BLK_T_WRITE_ZEROES)
			range.flags = htole32(any(traffic, 2));
		guest_put(traffic->queue->guest, slot->request.data + i * sizeof(range), &range,
			  sizeof(range));
	}
	slot->request.len = slot->ranges * sizeof(range);
	slot->request.sector = 0;
}

static __u32 choose_type(struct traffic *traffic)
{
	unsigned int n = any(traffic, 32);

	if (n < 14)
		return VIRTIO_BLK_T_IN;
	if (n < 28 || (!traffic->discards && n < 31))
		return VIRTIO_BLK_T_OUT;
	return n == 28 ? VIRTIO_BLK_T_DISCARD : n < 31 ? VIRTIO_BLK_T_WRITE_ZEROES :
							 VIRTIO_BLK_T_FLUSH;
}

/* False if the ring has no room for it. */
static bool begin(struct traffic *traffic, struct traffic_slot *slot)
{
	struct request *request = &slot->request;
	__u32 nr;

	request->type = choose_type(traffic);
	request->framing = &framings[any(traffic, nr_framings)];
	choose_place(traffic, slot, &request->sector, &nr);
	request->len = nr * SECTOR;
	switch (request->type) {
	case VIRTIO_BLK_T_IN:
		guest_set(traffic->queue->guest, request->data, 0x77, request->len);
		break;
	case VIRTIO_BLK_T_OUT:
		fill_write(traffic, slot);
		break;
	case VIRTIO_BLK_T_FLUSH:
		request->len = 0;
		break;
	default:
		fill_ranges(traffic, slot);
	}
	if (request_count(request) > 250)
		request->framing = &framings[0];
	if (request_add(traffic->queue, request))
		return false;
	if (request->type == VIRTIO_BLK_T_OUT)
		count_write(traffic, request);
	slot->busy = true;
	return true;
}

/*
 * End
 */

static bool is_expected(const void *there, __u64 sector, __u32 number)
{
	static const char zeroes[SECTOR];
	char expected[SECTOR];

	if (number == UNKNOWN)
		return true;
	if (number == ZEROES)
		return !memcmp(there, zeroes, SECTOR);
	data_make(expected, SECTOR, seed_of(sector, number));
	return !memcmp(there, expected, SECTOR);
}

/* Which write of @sector this is from, or what else. */
static const char *what_is(char *text, const void *there, __u64 sector, __u32 expected)
{
	if (is_expected(there, sector, ZEROES))
		return "zeroes";
	if (*(const char *)there == 0x77 && !memcmp(there, (const char *)there + 1, SECTOR - 1))
		return "nothing at all";
	for (__u32 number = 1; number < expected + 8 && number < 1000000; number++) {
		if (!is_expected(there, sector, number))
			continue;
		sprintf(text, "write %u", number);
		return text;
	}
	return "something else";
}

static bool check_read(struct traffic *traffic, const struct request *request)
{
	char there[SECTOR], text[32];

	for (__u32 i = 0; i < request->len / SECTOR; i++) {
		__u64 sector = request->sector + i;
		__u32 expected = *model_at(traffic, sector);

		guest_get(traffic->queue->guest, there, request->data + i * SECTOR, SECTOR);
		if (is_expected(there, sector, expected))
			continue;
		if (!traffic->error)
			ksft_print_msg("sector %llu: %s in place of %s%d\n", sector,
				       what_is(text, there, sector, expected),
				       expected == ZEROES ? "zeroes " : "write ", (int)expected);
		return false;
	}
	return true;
}

static void mark(struct traffic *traffic, __u64 sector, __u32 nr, __u32 number)
{
	while (nr--)
		*model_at(traffic, sector + nr) = number;
}

/* What is on the disk after a request that changed something. */
static void update(struct traffic *traffic, const struct traffic_slot *slot)
{
	const struct request *request = &slot->request;
	bool good = request->status == VIRTIO_BLK_S_OK;

	if (request->type == VIRTIO_BLK_T_OUT && !good)
		mark(traffic, request->sector, request->len / SECTOR, UNKNOWN);
	if (request->type != VIRTIO_BLK_T_DISCARD && request->type != VIRTIO_BLK_T_WRITE_ZEROES)
		return;
	for (__u32 i = 0; i < slot->ranges; i++)
		mark(traffic, slot->sectors[i], slot->nr[i],
		     good && request->type == VIRTIO_BLK_T_WRITE_ZEROES ? ZEROES : UNKNOWN);
}

static void end(struct traffic *traffic, struct traffic_slot *slot)
{
	const struct request *request = &slot->request;

	slot->busy = false;
	if (request->damaged)
		fail(traffic, slot, "more was written than may be");
	if (request->status == VIRTIO_BLK_S_IOERR && traffic->may_fail)
		traffic->failed++;
	else if (request->status != VIRTIO_BLK_S_OK)
		fail(traffic, slot, "status is not OK");
	else if (request->type == VIRTIO_BLK_T_IN && !check_read(traffic, request))
		fail(traffic, slot, "wrong data");
	update(traffic, slot);
	__atomic_store_n(&traffic->done, traffic->done + 1, __ATOMIC_RELAXED);
}

/* Wait for something to end; false if that goes wrong. */
static bool wait_for_some(struct traffic *traffic)
{
	int ret = request_wait_some(traffic->queue);

	if (ret < 0)
		fail(traffic, &traffic->slot[0], ret == -ETIMEDOUT ? "no answer" :
						 ret == -ENOMSG ? "no interrupt" : "bad ring");
	for (__u32 i = 0; i < traffic->slots; i++)
		if (traffic->slot[i].busy && traffic->slot[i].request.done)
			end(traffic, &traffic->slot[i]);
	return ret > 0;
}

static void *run(void *argument)
{
	struct traffic *traffic = argument;
	bool busy = true;

	while (busy && !traffic->error) {
		bool stop = __atomic_load_n(&traffic->stop, __ATOMIC_RELAXED);

		busy = false;
		for (__u32 i = 0; i < traffic->slots; i++)
			if (traffic->slot[i].busy || (!stop && begin(traffic, &traffic->slot[i])))
				busy = true;
		if (!busy)
			break;
		guest_kick(traffic->queue);
		if (!wait_for_some(traffic))
			break;
	}
	return NULL;
}

int traffic_start(struct traffic *traffic)
{
	static const unsigned int offsets[] = { 0, 512, 1, 2048 };
	__u64 part;

	traffic->block = traffic->block ?: SECTOR;
	traffic->slots = traffic->slots ?: 8;
	traffic->max_len = traffic->max_len ?: 65536;
	traffic->error = NULL;
	traffic->stop = false;
	if (!traffic->model) {
		traffic->model = malloc(traffic->sectors * sizeof(*traffic->model));
		memset(traffic->model, 0xff, traffic->sectors * sizeof(*traffic->model));
		part = traffic->sectors / traffic->slots;
		for (__u32 i = 0; i < traffic->slots; i++) {
			struct traffic_slot *slot = &traffic->slot[i];
			unsigned int offset = offsets[i % ARRAY_SIZE(offsets)];

			slot->sector = traffic->sector + i * part;
			slot->max_len = i ? traffic->max_len : 8 * traffic->max_len;
			slot->request.data = request_alloc(traffic->queue->guest, slot->max_len,
							   (offset % traffic->block) ? 1 : offset);
		}
	}
	return pthread_create(&traffic->thread, NULL, run, traffic);
}

const char *traffic_stop(struct traffic *traffic)
{
	__atomic_store_n(&traffic->stop, true, __ATOMIC_RELAXED);
	pthread_join(traffic->thread, NULL);
	return traffic->error;
}

bool traffic_flows(const struct traffic *traffic, unsigned long n)
{
	unsigned long before = __atomic_load_n(&traffic->done, __ATOMIC_RELAXED);

	return BECOMES_TRUE(__atomic_load_n(&traffic->done, __ATOMIC_RELAXED) >= before + n ||
			    traffic->error) && !traffic->error;
}
