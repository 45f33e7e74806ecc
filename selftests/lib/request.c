// SPDX-License-Identifier: GPL-2.0-only
/* Requests of a guest. */
#include <poll.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "request.h"

#define CANARY		64
#define CANARY_BYTE	0xc5

const struct framing framings[] = {
	{ .name = "three buffers" },
	{ .name = "header of single bytes", .header_piece = 1 },
	{ .name = "header of two halves", .header_piece = 8 },
	{ .name = "header with data", .join_header = true },
	{ .name = "data with status", .join_status = true },
	{ .name = "two buffers", .join_header = true, .join_status = true },
	{ .name = "empty buffers", .empty = 2 },
	{ .name = "data of pages", .data_piece = PAGE },
	{ .name = "data of sectors", .data_piece = SECTOR },
	{ .name = "data of odd pieces", .data_piece = 1000, .header_piece = 5 },
	{ .name = "indirect", .how = INDIRECT },
	{ .name = "indirect, pages", .how = INDIRECT, .data_piece = PAGE },
	{ .name = "indirect, shuffled", .how = SHUFFLED, .data_piece = PAGE, .header_piece = 3 },
	{ .name = "direct, then indirect", .how = MIXED, .data_piece = PAGE },
	{ .name = "direct, then indirect, shuffled", .how = MIXED, .empty = 1, .header_piece = 1 },
};

const unsigned int nr_framings = ARRAY_SIZE(framings);

/*
 * Data
 */

static __u64 word_at(__u64 seed, __u64 i)
{
	return (seed + 1) * 0xff51afd7ed558ccdULL ^ i * 0x9e3779b97f4a7c15ULL;
}

void data_make(void *to, __u32 len, __u64 seed)
{
	char *at = to;
	__u64 word;

	for (__u32 i = 0; i < len; i += sizeof(word)) {
		word = word_at(seed, i);
		memcpy(at + i, &word, len - i < sizeof(word) ? len - i : sizeof(word));
	}
}

void data_fill(const struct guest *guest, __u64 gpa, __u32 len, __u64 seed)
{
	char page[PAGE];

	for (__u32 done = 0, piece; done < len; done += piece) {
		piece = len - done < PAGE ? len - done : PAGE;
		data_make(page, piece, seed + done / PAGE);
		guest_put(guest, gpa + done, page, piece);
	}
}

bool data_is(const struct guest *guest, __u64 gpa, __u32 len, __u64 seed)
{
	char page[PAGE], there[PAGE];

	for (__u32 done = 0, piece; done < len; done += piece) {
		piece = len - done < PAGE ? len - done : PAGE;
		data_make(page, piece, seed + done / PAGE);
		guest_get(guest, there, gpa + done, piece);
		if (memcmp(page, there, piece))
			return false;
	}
	return true;
}

/*
 * From a request to a chain
 */

bool request_is_read(const struct request *request)
{
	switch (request->type & ~VIRTIO_BLK_T_BARRIER) {
	case VIRTIO_BLK_T_OUT:
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
	case VIRTIO_BLK_T_SECURE_ERASE:
		return true;
	default:
		return false;
	}
}

__u32 request_writable(const struct request *request)
{
	return (request_is_read(request) ? 0 : request->len) + request->slack + 1;
}

__u64 request_alloc(struct guest *guest, __u32 len, __u32 offset)
{
	/* What is in front of the data is less than a page. */
	return guest_alloc(guest, PAGE + offset + len + REQUEST_ROOM, PAGE) + PAGE + offset;
}

static __u64 status_at(const struct request *request)
{
	return request->data + request->len + request->slack;
}

static __u32 min32(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* Where the buffer ends that begins @at bytes behind the begin of the header. */
static __u32 cut(const struct request *request, const struct framing *framing, __u32 at)
{
	__u32 status = HEADER + request->len + request->slack, end = at;

	if (at < HEADER) {
		end = min32(HEADER, at + (framing->header_piece ?: HEADER));
		if (end < HEADER || !framing->join_header || !request_is_read(request))
			return end;
	}
	if (end < status) {
		end = min32(status, end + (framing->data_piece ?: status));
		if (end < status || !framing->join_status || request_is_read(request))
			return end;
	}
	return status + 1;
}

/* Cut what is from @at to @end into buffers, if there is room for them; how many. */
static __u32 slice(const struct request *request, const struct framing *framing, __u32 at,
		   __u32 end, struct drv_buf *bufs)
{
	__u32 n = 0, next;

	for (; at < end; at = next, n++) {
		next = min32(end, cut(request, framing, at));
		if (bufs)
			bufs[n] = (struct drv_buf) { request->data - HEADER + at, next - at };
	}
	for (__u32 i = 0; bufs && i < framing->empty; i++)
		bufs[n + i] = (struct drv_buf) { GUEST_HOLE, 0 };
	return n + framing->empty;
}

static const struct framing *framing_of(const struct request *request)
{
	return request->framing ?: &framings[0];
}

/* How many bytes from the begin of the header on the device is to read. */
static __u32 readable(const struct request *request)
{
	return HEADER + (request_is_read(request) ? request->len : 0);
}

__u32 request_count(const struct request *request)
{
	const struct framing *framing = framing_of(request);
	__u32 middle = readable(request), end = middle + request_writable(request);

	return slice(request, framing, 0, middle, NULL) +
	       slice(request, framing, middle, end, NULL);
}

/* Have the descriptors of a table, but the first, in the opposite order. */
static void shuffle(const struct drv *drv, struct vring_desc *table, __u32 n)
{
	for (__u32 i = 1, j = n - 1; i < j; i++, j--) {
		struct vring_desc desc = table[i];

		table[i] = table[j];
		table[j] = desc;
	}
	for (__u32 i = 0; i < n; i++) {
		__u16 next = i ? i - 1 : n - 1;

		table[i].next = drv->swap ? __builtin_bswap16(next) : next;
	}
}

static void put_header(const struct guest_queue *queue, const struct request *request)
{
	struct virtio_blk_outhdr header = {
		.type = queue->big_endian ? __builtin_bswap32(request->type) : request->type,
		.sector = queue->big_endian ? __builtin_bswap64(request->sector) : request->sector,
	};

	guest_put(queue->guest, request->data - HEADER, &header, HEADER);
}

/* The header, no status, and around it what must not change. */
static void put_frame(const struct guest_queue *queue, const struct request *request)
{
	const struct guest *guest = queue->guest;
	__u64 status = status_at(request);

	put_header(queue, request);
	guest_set(guest, request->data - HEADER - CANARY, CANARY_BYTE, CANARY);
	guest_set(guest, status, STATUS_NONE, 1);
	guest_set(guest, status + 1, CANARY_BYTE, CANARY);
}

int request_add(struct guest_queue *queue, struct request *request)
{
	const struct framing *framing = framing_of(request);
	__u32 middle = readable(request), end = middle + request_writable(request);
	size_t size = REQUEST_BUFS * sizeof(struct vring_desc);
	__u32 nr_out, nr_in, direct = 0;
	struct drv_buf bufs[REQUEST_BUFS];
	struct drv_table table;
	int ret;

	if (request_count(request) > REQUEST_BUFS)
		return -E2BIG;
	request->done = false;
	request->damaged = false;
	put_frame(queue, request);
	nr_out = slice(request, framing, 0, middle, bufs);
	nr_in = slice(request, framing, middle, end, bufs + nr_out);
	if (framing->how == DIRECT)
		return drv_add(&queue->drv, bufs, nr_out, nr_in, NULL, 0, request);

	table.addr = (status_at(request) + 1 + CANARY + 15) & ~15ULL;
	table.desc = (void *)guest_at(queue->guest, table.addr, &size);
	if (framing->how == MIXED)
		direct = min32(3, nr_out + nr_in - 1);
	ret = drv_add(&queue->drv, bufs, nr_out, nr_in, &table, direct, request);
	if (!ret && framing->how == SHUFFLED)
		shuffle(&queue->drv, table.desc, nr_out + nr_in);
	return ret;
}

int request_add_raw(struct guest_queue *queue, const struct drv_buf *bufs, __u32 nr_out,
		    __u32 nr_in)
{
	return drv_add(&queue->drv, bufs, nr_out, nr_in, NULL, 0, NULL);
}

/*
 * And back
 */

static void finish(const struct guest_queue *queue, struct request *request, __u32 used)
{
	const struct guest *guest = queue->guest;
	__u64 status = status_at(request);
	__u8 byte;

	guest_get(guest, &byte, status, 1);
	request->status = byte;
	request->used = used;
	request->damaged =
		!guest_is(guest, request->data - HEADER - CANARY, CANARY_BYTE, CANARY) ||
		!guest_is(guest, status + 1, CANARY_BYTE, CANARY);
	request->done = true;
}

/* Take back a chain: 1, 0 if there is none, or -EPROTO. */
static int take(struct guest_queue *queue)
{
	struct drv_used used;
	int ret = drv_take(&queue->drv, &used);

	if (ret <= 0)
		return ret;
	if (used.token) {
		finish(queue, used.token, used.len);
	} else {
		queue->strays++;
		queue->stray_used = used.len;
	}
	return 1;
}

int request_poll(struct guest_queue *queue)
{
	int ret, n = 0;

	while ((ret = take(queue)) > 0)
		n++;
	return ret ?: n;
}

/* Sleep until there is an interrupt; 0, or an error as told above. */
static int wait_for_call(struct guest_queue *queue, long end)
{
	struct pollfd call = { .fd = queue->call, .events = POLLIN };
	long left = end - now_ms();
	int ret;

	if (poll(&call, 1, left > 0 ? (int)left : 0) > 0) {
		guest_signals(queue->call);
		return 0;
	}
	ret = take(queue);
	return ret < 0 ? ret : ret ? -ENOMSG : -ETIMEDOUT;
}

static bool has_come(const struct guest_queue *queue, const struct request *request)
{
	return request ? request->done : queue->drv.taken == queue->drv.published;
}

int request_wait(struct guest_queue *queue, const struct request *request)
{
	long end = now_ms() + LIMIT_MS;
	int ret;

	while (!has_come(queue, request)) {
		ret = take(queue);
		if (!ret && drv_enable_interrupt(&queue->drv, 0))
			ret = wait_for_call(queue, end);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int request_wait_all(struct guest_queue *queue)
{
	return request_wait(queue, NULL);
}

int request_wait_some(struct guest_queue *queue)
{
	long end = now_ms() + LIMIT_MS;
	int ret;

	for (;;) {
		ret = request_poll(queue);
		if (ret)
			return ret;
		if (!drv_enable_interrupt(&queue->drv, 0))
			continue;
		ret = wait_for_call(queue, end);
		if (ret < 0)
			return ret;
	}
}

int request_run(struct guest_queue *queue, struct request *request)
{
	int ret = request_add(queue, request);

	if (ret)
		return ret;
	guest_kick(queue);
	ret = request_wait(queue, request);
	if (ret)
		return ret;
	return request->damaged ? -EFAULT : request->status;
}

int request_do(struct guest_queue *queue, __u32 type, __u64 sector, __u64 data, __u32 len)
{
	struct request request = { .type = type, .sector = sector, .data = data, .len = len };

	return request_run(queue, &request);
}

int request_do_in(struct guest_queue *queue, __u32 type, __u64 sector,
		  const struct drv_buf *data, __u32 nr)
{
	const struct virtio_blk_outhdr header = { .type = type, .sector = sector };
	struct drv_buf *bufs = calloc(nr + 2, sizeof(*bufs));
	struct guest *guest = queue->guest;
	__u64 top = guest->top, head;
	__u8 status;
	int ret;

	if (!bufs)
		return -ENOMEM;
	head = guest_alloc(guest, HEADER + 1, 64);
	guest_put(guest, head, &header, HEADER);
	guest_set(guest, head + HEADER, STATUS_NONE, 1);
	bufs[0] = (struct drv_buf) { head, HEADER };
	memcpy(&bufs[1], data, nr * sizeof(*bufs));
	bufs[nr + 1] = (struct drv_buf) { head + HEADER, 1 };
	if (type == VIRTIO_BLK_T_OUT)
		ret = request_add_raw(queue, bufs, nr + 1, 1);
	else
		ret = request_add_raw(queue, bufs, 1, nr + 1);
	free(bufs);
	guest_kick(queue);
	ret = ret ?: request_wait_all(queue);
	guest_get(guest, &status, head + HEADER, 1);
	guest->top = top;
	return ret ?: status;
}

bool request_works(struct guest_queue *queue)
{
	__u64 top = queue->guest->top;
	__u64 data = request_alloc(queue->guest, PAGE, 0);
	int ret = request_do(queue, VIRTIO_BLK_T_IN, 0, data, PAGE);

	queue->guest->top = top;
	if (ret != VIRTIO_BLK_S_OK)
		ksft_print_msg("queue %u does not work: %d\n", queue->index, ret);
	return ret == VIRTIO_BLK_S_OK;
}
