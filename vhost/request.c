// SPDX-License-Identifier: GPL-2.0-only
/* A request: what the driver wants, whether it may, and how it ends. */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "backend.h"
#include "device.h"
#include "memory.h"
#include "overflow.h"
#include "queue.h"
#include "request.h"
#include "status.h"
#include "trace.h"

/*
 * Nothing here trusts the driver: what it says was copied before, and is checked
 * before anything is done. Results of functions that check or prepare:
 *
 *   0		go on
 *   VBLK_SAID	the request has ended, with @status
 *   -ENOMEM	there is no memory now; nothing was done
 */
#define VBLK_SAID 1

static int vblk_say(struct vblk_request *request, u8 status)
{
	request->status = status;
	return VBLK_SAID;
}

/* A place in a list of buffers. */
struct vblk_cursor {
	const struct vr_seg *seg;
	u32 nr;
	u32 done;	/* bytes of @seg that are behind it */
};

/* The next piece of at most @len bytes; false at the end. */
static bool vblk_cursor_next(struct vblk_cursor *cursor, u64 len, u64 *guest, u32 *piece)
{
	while (cursor->nr && cursor->done == cursor->seg->len) {
		cursor->seg++;
		cursor->nr--;
		cursor->done = 0;
	}
	if (!cursor->nr || !len)
		return false;
	*guest = cursor->seg->addr + cursor->done;
	*piece = min_t(u64, len, cursor->seg->len - cursor->done);
	cursor->done += *piece;
	return true;
}

static void vblk_cursor_skip(struct vblk_cursor *cursor, u64 len)
{
	u64 guest;
	u32 piece;

	while (vblk_cursor_next(cursor, len, &guest, &piece))
		len -= piece;
}

/* Copy @len bytes between @at and the driver's buffers; to them if @write. */
static int vblk_copy(const struct vblk_memory *memory, struct vblk_cursor *cursor, void *at,
		     u64 len, bool write)
{
	unsigned long user;
	u32 piece, left;
	size_t part;
	u64 guest;

	for (; vblk_cursor_next(cursor, len, &guest, &piece); len -= piece) {
		for (left = piece; left; left -= part, guest += part, at += part) {
			part = vblk_memory_translate(memory, guest, left, &user);
			if (!part)
				return -EFAULT;
			if (write ? copy_to_user((void __user *)user, at, part) :
				    copy_from_user(at, (void __user *)user, part))
				return -EFAULT;
		}
	}
	return len ? -EFAULT : 0;
}

static struct vblk_cursor vblk_out(const struct vr_chain *chain)
{
	return (struct vblk_cursor) { .seg = chain->segs, .nr = chain->nr_out };
}

static struct vblk_cursor vblk_in(const struct vr_chain *chain)
{
	return (struct vblk_cursor) { .seg = chain->segs + chain->nr_out, .nr = chain->nr_in };
}

/* The owner's address of the last byte the driver lets us write; 0 if it has none. */
static unsigned long vblk_find_status(const struct vblk_memory *memory,
				      const struct vr_chain *chain)
{
	const struct vr_seg *segs = chain->segs + chain->nr_out;
	unsigned long user;
	u32 i = chain->nr_in;

	while (i--)
		if (segs[i].len)
			return vblk_memory_translate(memory, segs[i].addr + segs[i].len - 1, 1,
						     &user) ? user : 0;
	return 0;
}

/*
 * Vectors
 */

/* Without it, the worker has to finish the request. */
static void vblk_pin_status(struct vblk_request *request)
{
	if (pin_user_pages_fast(request->status_at & PAGE_MASK, 1, FOLL_WRITE,
				&request->status_page) != 1)
		request->status_page = NULL;
	else
		request->queue->stats.pins++;
}

/* How many pages @len bytes from @cursor on may touch, at most. */
static u64 vblk_count_pages(struct vblk_cursor cursor, u64 len)
{
	u64 guest, pages = 0;
	u32 piece;

	for (; vblk_cursor_next(&cursor, len, &guest, &piece); len -= piece)
		pages += (piece >> PAGE_SHIFT) + 2;
	return pages;
}

static int vblk_alloc_vecs(struct vblk_request *request, u64 nr)
{
	request->nr_vecs = 0;
	request->vecs = request->inline_vecs;
	if (nr <= VBLK_INLINE_VECS)
		return 0;
	request->vecs = kvmalloc_array(nr, sizeof(*request->vecs), GFP_KERNEL_ACCOUNT);
	return request->vecs ? 0 : -ENOMEM;
}

static void vblk_unpin(struct vblk_request *request)
{
	bool dirty = !vblk_request_writes(request);
	struct bio_vec *vec;
	u32 pages;

	for (vec = request->vecs; vec < request->vecs + request->nr_vecs; vec++) {
		if (request->bounced) {
			__free_page(vec->bv_page);
			continue;
		}
		pages = (vec->bv_offset + vec->bv_len + PAGE_SIZE - 1) >> PAGE_SHIFT;
		unpin_user_page_range_dirty_lock(vec->bv_page, pages, dirty);
		request->queue->stats.unpins += pages;
	}
	request->nr_vecs = 0;
}

/* Does @page follow @before by @nr? */
static bool vblk_page_follows(struct page *page, struct page *before, u32 nr)
{
	/* Numbers may be kept with flags that anyone may change, but stay the same. */
	return data_race(page_to_pfn(page) == page_to_pfn(before) + nr);
}

/* Add a page to the vectors, to the last one if it follows it. */
static void vblk_add_page(struct vblk_request *request, struct page *page, u32 offset, u32 len)
{
	struct bio_vec *vec = &request->vecs[request->nr_vecs];
	struct bio_vec *last = vec - 1;

	if (request->nr_vecs && !offset &&
	    !((last->bv_offset + last->bv_len) & ~PAGE_MASK) &&
	    vblk_page_follows(page, last->bv_page,
			      (last->bv_offset + last->bv_len) >> PAGE_SHIFT)) {
		last->bv_len += len;
		return;
	}
	bvec_set_page(vec, page, len, offset);
	request->nr_vecs++;
}

/* Pin @len bytes of the owner's memory from @user on. */
static int vblk_pin(struct vblk_request *request, unsigned long user, u32 len)
{
	unsigned int flags = vblk_request_writes(request) ? 0 : FOLL_WRITE;
	u32 offset = offset_in_page(user), piece;
	struct page *pages[16];
	int i, n;

	while (len) {
		n = min_t(u64, DIV_ROUND_UP((u64)offset + len, PAGE_SIZE), ARRAY_SIZE(pages));
		n = pin_user_pages_fast(user - offset, n, flags, pages);
		if (n <= 0)
			return n == -ENOMEM ? n : -EFAULT;
		request->queue->stats.pins += n;
		for (i = 0; i < n; i++) {
			piece = min_t(u32, len, PAGE_SIZE - offset);
			vblk_add_page(request, pages[i], offset, piece);
			user += piece;
			len -= piece;
			offset = 0;
		}
	}
	return 0;
}

static int vblk_pin_all(struct vblk_request *request, struct vblk_cursor cursor)
{
	const struct vblk_memory *memory = request->queue->memory;
	u64 guest, len = request->len;
	unsigned long user;
	u32 piece, part;
	int ret;

	for (; vblk_cursor_next(&cursor, len, &guest, &piece); len -= piece) {
		for (; piece; piece -= part, guest += part, len -= part) {
			part = vblk_memory_translate(memory, guest, piece, &user);
			if (!part)
				return -EFAULT;
			ret = vblk_pin(request, user, part);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/* Can the disk take the buffers as they are? */
static bool vblk_aligned(const struct vblk_request *request, struct vblk_cursor cursor,
			 const struct vblk_limits *limits)
{
	const struct vblk_memory *memory = request->queue->memory;
	u64 guest, len = request->len;
	unsigned long user;
	u32 piece, part;

	for (; vblk_cursor_next(&cursor, len, &guest, &piece); len -= piece) {
		part = vblk_memory_translate(memory, guest, piece, &user);
		/* What is nowhere is not ours to find here; what crosses regions is rare. */
		if (part && (part != piece || user & limits->dma_mask ||
			     piece & (limits->block_size - 1)))
			return false;
	}
	return true;
}

static int vblk_alloc_bounce(struct vblk_request *request)
{
	u64 len = request->len;
	struct page *page;
	u32 piece;

	request->bounced = true;
	for (; len; len -= piece) {
		/* Disks may write less than they say. */
		page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!page)
			return -ENOMEM;
		piece = min_t(u64, len, PAGE_SIZE);
		bvec_set_page(&request->vecs[request->nr_vecs++], page, piece, 0);
	}
	return 0;
}

/* Copy between the pages of a request and the driver's buffers; to them if @write. */
static int vblk_copy_bounced(struct vblk_request *request, struct vblk_cursor cursor, bool write)
{
	struct bio_vec *vec;
	int ret = 0;

	for (vec = request->vecs; !ret && vec < request->vecs + request->nr_vecs; vec++)
		ret = vblk_copy(request->queue->memory, &cursor, page_address(vec->bv_page),
				vec->bv_len, write);
	return ret;
}

static int vblk_bounce(struct vblk_request *request, struct vblk_cursor cursor)
{
	int ret;

	if (!vblk_request_writes(request)) {
		request->segs = kvmalloc_array(cursor.nr, sizeof(*cursor.seg), GFP_KERNEL_ACCOUNT);
		if (!request->segs)
			return -ENOMEM;
		memcpy(request->segs, cursor.seg, array_size(cursor.nr, sizeof(*cursor.seg)));
		request->nr_segs = cursor.nr;
	}
	ret = vblk_alloc_bounce(request);
	if (!ret && vblk_request_writes(request))
		ret = vblk_copy_bounced(request, cursor, false);
	request->queue->stats.bounced++;
	return ret;
}

/* Make the vectors of a request from the driver's buffers at @cursor. */
static int vblk_map(struct vblk_request *request, struct vblk_cursor cursor,
		    const struct vblk_limits *limits)
{
	bool aligned = vblk_aligned(request, cursor, limits);
	u64 pages = DIV_ROUND_UP_ULL(request->len, PAGE_SIZE);
	int ret;

	if (aligned)
		pages = vblk_count_pages(cursor, request->len);
	if (pages > VBLK_MAX_PAGES)
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	ret = vblk_alloc_vecs(request, pages);
	if (ret)
		return ret;
	ret = aligned ? vblk_pin_all(request, cursor) : vblk_bounce(request, cursor);
	if (!ret)
		return 0;
	vblk_request_release(request);
	return ret == -ENOMEM ? ret : vblk_say(request, VIRTIO_BLK_S_IOERR);
}

/*
 * What each type of request has to be
 */

/* Is there something at @sector, @nr sectors long? */
static bool vblk_in_range(const struct vblk_limits *limits, u64 sector, u64 nr)
{
	u64 mask = (limits->block_size >> SECTOR_SHIFT) - 1;

	return sector <= limits->sectors && nr <= limits->sectors - sector &&
	       !((sector | nr) & mask);
}

/* @wrong: bytes beside those of a request of its type */
static int vblk_begin_rw(struct vblk_request *request, u64 len, u64 wrong,
			 struct vblk_cursor cursor)
{
	struct vblk_limits limits;
	struct vblk_backend *backend = request->queue->dev->backend;

	backend->ops->limits(backend, &limits);
	if (wrong || len & (SECTOR_SIZE - 1) ||
	    !vblk_in_range(&limits, request->sector, len >> SECTOR_SHIFT) ||
	    (vblk_request_writes(request) && limits.read_only))
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	request->len = len;
	if (!len)
		return vblk_say(request, VIRTIO_BLK_S_OK);
	return vblk_map(request, cursor, &limits);
}

static int vblk_begin_read(struct vblk_request *request, const struct vr_chain *chain)
{
	u64 len = chain->in_len - 1;

	request->written = min_t(u64, len + 1, U32_MAX);
	return vblk_begin_rw(request, len, chain->out_len - sizeof(struct virtio_blk_outhdr),
			     vblk_in(chain));
}

static int vblk_begin_write(struct vblk_request *request, const struct vr_chain *chain)
{
	struct vblk_cursor cursor = vblk_out(chain);

	vblk_cursor_skip(&cursor, sizeof(struct virtio_blk_outhdr));
	return vblk_begin_rw(request, chain->out_len - sizeof(struct virtio_blk_outhdr),
			     chain->in_len - 1, cursor);
}

static int vblk_begin_flush(struct vblk_request *request, const struct vr_chain *chain)
{
	request->flushed = true;
	return 0;
}

static int vblk_begin_get_id(struct vblk_request *request, const struct vr_chain *chain)
{
	struct vblk_cursor cursor = vblk_in(chain);
	char id[VIRTIO_BLK_ID_BYTES];
	u64 room = chain->in_len - 1;
	u32 len = min_t(u64, room, sizeof(id));

	vblk_dev_get_serial(request->queue->dev, id);
	if (vblk_copy(request->queue->memory, &cursor, id, len, true))
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	request->written = len + (len == room);
	return vblk_say(request, VIRTIO_BLK_S_OK);
}

/* Is a range of a request what it may be? A status if not. */
static int vblk_check_range(const struct vblk_request *request, const struct vblk_limits *limits,
			    const struct virtio_blk_discard_write_zeroes *range)
{
	u32 flags = le32_to_cpu(range->flags), nr = le32_to_cpu(range->num_sectors), max;

	switch (request->type) {
	case VIRTIO_BLK_T_DISCARD:
		max = limits->max_discard;
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		max = limits->max_zeroes;
		flags &= ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
		break;
	default:
		max = limits->max_erase;
	}
	if (flags || !max)
		return VIRTIO_BLK_S_UNSUPP;
	if (nr > max || !vblk_in_range(limits, le64_to_cpu(range->sector), nr))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

/* A range is as much work as this many bytes. */
#define VBLK_RANGE_CHARGE SZ_64K

/* What a range costs: zeroes that the disk does not write by itself are data. */
static u64 vblk_range_charge(const struct vblk_request *request, const struct vblk_limits *limits,
			     const struct virtio_blk_discard_write_zeroes *range)
{
	if (request->type != VIRTIO_BLK_T_WRITE_ZEROES || limits->offloads_zeroes)
		return VBLK_RANGE_CHARGE;
	return max_t(u64, (u64)le32_to_cpu(range->num_sectors) << SECTOR_SHIFT, VBLK_RANGE_CHARGE);
}

static int vblk_begin_ranges(struct vblk_request *request, const struct vr_chain *chain)
{
	struct vblk_backend *backend = request->queue->dev->backend;
	u64 len = chain->out_len - sizeof(struct virtio_blk_outhdr);
	u64 nr = len / sizeof(*request->ranges);
	struct vblk_cursor cursor = vblk_out(chain);
	struct vblk_limits limits;
	int status = VIRTIO_BLK_S_OK;
	u32 i;

	if (!nr || len % sizeof(*request->ranges) || nr > VBLK_MAX_RANGES)
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	request->ranges = kmalloc_array(nr, sizeof(*request->ranges), GFP_KERNEL_ACCOUNT);
	if (!request->ranges)
		return -ENOMEM;
	request->nr_ranges = nr;
	vblk_cursor_skip(&cursor, sizeof(struct virtio_blk_outhdr));
	backend->ops->limits(backend, &limits);
	if (limits.read_only ||
	    vblk_copy(request->queue->memory, &cursor, request->ranges, len, false))
		status = VIRTIO_BLK_S_IOERR;

	/* None is begun before all are checked. */
	for (i = 0; i < nr && status == VIRTIO_BLK_S_OK; i++) {
		status = vblk_check_range(request, &limits, &request->ranges[i]);
		request->queue->charge += vblk_range_charge(request, &limits, &request->ranges[i]);
	}
	if (status == VIRTIO_BLK_S_OK)
		return 0;
	vblk_request_release(request);
	return vblk_say(request, status);
}

/* Types of requests, and the feature that makes the driver have them. */
static const struct vblk_type {
	u32 type;
	u64 feature;
	int (*begin)(struct vblk_request *request, const struct vr_chain *chain);
} vblk_types[] = {
	{ VIRTIO_BLK_T_IN, 0, vblk_begin_read },
	{ VIRTIO_BLK_T_OUT, 0, vblk_begin_write },
	{ VIRTIO_BLK_T_FLUSH, 0, vblk_begin_flush },
	{ VIRTIO_BLK_T_GET_ID, 0, vblk_begin_get_id },
	{ VIRTIO_BLK_T_DISCARD, BIT_ULL(VIRTIO_BLK_F_DISCARD), vblk_begin_ranges },
	{ VIRTIO_BLK_T_WRITE_ZEROES, BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES), vblk_begin_ranges },
	{ VIRTIO_BLK_T_SECURE_ERASE, BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE), vblk_begin_ranges },
};

static const struct vblk_type *vblk_find_type(u32 type, u64 features)
{
	const struct vblk_type *row;

	for (row = vblk_types; row < vblk_types + ARRAY_SIZE(vblk_types); row++)
		if (row->type == type && (features & row->feature) == row->feature)
			return row;
	return NULL;
}

/* Read the header, and let the type's own function begin. */
static int vblk_begin(struct vblk_request *request, const struct vr_chain *chain)
{
	struct vblk_queue *queue = request->queue;
	struct vblk_cursor cursor = vblk_out(chain);
	struct virtio_blk_outhdr header;
	const struct vblk_type *row;

	if (chain->out_len < sizeof(header) ||
	    vblk_copy(queue->memory, &cursor, &header, sizeof(header), false))
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	request->type = __virtio32_to_cpu(queue->little_endian, header.type) &
			~VIRTIO_BLK_T_BARRIER;
	request->sector = __virtio64_to_cpu(queue->little_endian, header.sector);
	row = vblk_find_type(request->type, queue->features);
	if (!row)
		return vblk_say(request, VIRTIO_BLK_S_UNSUPP);
	return row->begin(request, chain);
}

/**
 * vblk_request_execute() - have the disk do what was found to be in order
 * @request: the request
 *
 * Context: a process; sleeps for the disk if @request->may_wait.
 */
void vblk_request_execute(struct vblk_request *request)
{
	const struct vblk_backend *backend = request->queue->dev->backend;

	trace_vblk_request_submit(request);
	if (request->flushed)
		backend->ops->flush(backend, request);
	else
		backend->ops->execute(backend, request);
}

/**
 * vblk_request_begin() - do what a chain asks for
 * @request: one that is free
 * @chain: as vr_pop() told
 *
 * However it ends, vblk_request_end() tells the queue, maybe before this returns.
 *
 * Context: the worker, under the queue's mutex.
 * Return: 0, or -ENOMEM: nothing was begun, try again later
 */
int vblk_request_begin(struct vblk_request *request, const struct vr_chain *chain)
{
	struct vblk_queue *queue = request->queue;
	int ret;

	request->ticket = chain->ticket;
	request->type = 0;
	request->status = VIRTIO_BLK_S_OK;
	request->error = BLK_STS_OK;
	request->may_wait = false;
	request->retried = false;
	request->flushed = false;
	request->bounced = false;
	request->durable = vblk_dev_writes_through(queue->dev, queue->features);
	/* The status alone, which may not be the first byte we may write. */
	request->written = chain->in_len == 1;
	request->status_at = vblk_find_status(queue->memory, chain);
	request->status_page = NULL;
	ret = request->status_at ? vblk_begin(request, chain) :
				   vblk_say(request, VIRTIO_BLK_S_IOERR);
	if (ret < 0)
		return ret;
	trace_vblk_request_begin(request);
	if (ret == VBLK_SAID) {
		vblk_request_end(request, BLK_STS_OK);
		return 0;
	}
	vblk_pin_status(request);
	if (vblk_overflow_is_empty(queue))
		vblk_request_execute(request);
	else
		vblk_overflow_add(queue, request);
	return 0;
}

/* The disk had no room for it, and was not waited for. */
static bool vblk_request_overflows(const struct vblk_request *request)
{
	return request->error == BLK_STS_AGAIN && !request->may_wait;
}

/**
 * vblk_request_end() - a request has ended
 * @request: one that vblk_request_begin() began
 * @error: how
 *
 * Context: any.
 */
void vblk_request_end(struct vblk_request *request, blk_status_t error)
{
	struct vblk_queue *queue = request->queue;

	/* Those that the worker begins next are to be behind it. */
	if (vblk_request_overflows(request) && vblk_queue_is_served_here(queue)) {
		request->error = BLK_STS_OK;
		vblk_overflow_add(queue, request);
		return;
	}
	if (error)
		request->status = vblk_status_of_blk(error, request->type);
	trace_vblk_request_end(request);
	vblk_queue_end(queue, request);
}

/*
 * How much the driver may rely on to be written, from the first byte on: if data
 * was to come before the status, nothing.
 */
static u32 vblk_request_len(const struct vblk_request *request)
{
	return request->status == VIRTIO_BLK_S_OK || request->written == 1 ? request->written : 0;
}

/* Zeroes that have to be durable: there is no other way than to flush them. */
static bool vblk_request_needs_flush(const struct vblk_request *request)
{
	return request->type == VIRTIO_BLK_T_WRITE_ZEROES && request->durable &&
	       !request->flushed && request->status == VIRTIO_BLK_S_OK;
}

/*
 * A disk may find out that it cannot write zeroes the short way, and knows when it
 * is asked again.
 */
static bool vblk_request_needs_retry(const struct vblk_request *request)
{
	return request->type == VIRTIO_BLK_T_WRITE_ZEROES && request->error == BLK_STS_NOTSUPP &&
	       !request->retried;
}

/* There is more to do; false if not. */
static bool vblk_request_go_on(struct vblk_request *request)
{
	bool overflows = vblk_request_overflows(request);

	if (!overflows) {
		if (vblk_request_needs_retry(request))
			request->retried = true;
		else if (vblk_request_needs_flush(request))
			request->flushed = true;
		else
			return false;
	}
	vblk_queue_unend(request->queue);
	request->status = VIRTIO_BLK_S_OK;
	request->error = BLK_STS_OK;
	if (overflows)
		vblk_overflow_add(request->queue, request);
	else
		vblk_request_execute(request);
	return true;
}

/**
 * vblk_request_finish() - give the driver its data and the status
 * @request: one that ended
 * @len: set to what vr_push() is to be told
 *
 * Context: the worker, under the queue's mutex.
 * Return: whether it is done; if not, it was begun again
 */
bool vblk_request_finish(struct vblk_request *request, u32 *len)
{
	struct vblk_cursor cursor = { .seg = request->segs, .nr = request->nr_segs };

	if (vblk_request_go_on(request))
		return false;
	if (request->segs && request->status == VIRTIO_BLK_S_OK &&
	    vblk_copy_bounced(request, cursor, true))
		request->status = VIRTIO_BLK_S_IOERR;
	*len = 0;
	if (request->status_at && !put_user(request->status, (u8 __user *)request->status_at))
		*len = vblk_request_len(request);
	return true;
}

/**
 * vblk_request_finish_here() - as vblk_request_finish(), if it can be done here
 * @request: one that ended
 * @len: set to what vr_push() is to be told
 *
 * Context: any.
 * Return: whether it is done; if not, vblk_request_finish() has to do it
 */
bool vblk_request_finish_here(struct vblk_request *request, u32 *len)
{
	u8 *page;

	if (!request->status_page || request->segs || vblk_request_overflows(request) ||
	    vblk_request_needs_retry(request) || vblk_request_needs_flush(request))
		return false;
	/* As for vblk_page_follows(). */
	page = data_race(kmap_local_page(request->status_page));
	WRITE_ONCE(page[offset_in_page(request->status_at)], request->status);
	kunmap_local(page);
	*len = vblk_request_len(request);
	return true;
}

/**
 * vblk_request_release() - drop all that a request holds
 * @request: one that ended, or that did not begin
 */
void vblk_request_release(struct vblk_request *request)
{
	vblk_unpin(request);
	if (request->status_page) {
		unpin_user_pages_dirty_lock(&request->status_page, 1, true);
		request->status_page = NULL;
		request->queue->stats.unpins++;
	}
	if (request->vecs != request->inline_vecs)
		kvfree(request->vecs);
	request->vecs = request->inline_vecs;
	kvfree(request->segs);
	request->segs = NULL;
	request->nr_segs = 0;
	kfree(request->ranges);
	request->ranges = NULL;
	request->nr_ranges = 0;
}
