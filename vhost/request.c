// SPDX-License-Identifier: GPL-2.0-only
/* A request: what the driver wants, whether it may, and how it ends. */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "backend.h"
#include "data.h"
#include "device.h"
#include "memory.h"
#include "overflow.h"
#include "pin.h"
#include "polled.h"
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
 *   -EAGAIN	it may have to be waited for, and who serves the queue may not
 */
#define VBLK_SAID 1

static int vblk_say(struct vblk_request *request, u8 status)
{
	request->status = status;
	return VBLK_SAID;
}

static struct vblk_cursor vblk_out(const struct vr_chain *chain)
{
	return (struct vblk_cursor) { .seg = chain->segs, .nr = chain->nr_out };
}

static struct vblk_cursor vblk_in(const struct vr_chain *chain)
{
	return (struct vblk_cursor) { .seg = chain->segs + chain->nr_out, .nr = chain->nr_in };
}

static struct vblk_cursor vblk_behind_header(const struct vr_chain *chain)
{
	return vblk_cursor_skip(vblk_out(chain), sizeof(struct virtio_blk_outhdr));
}

/*
 * The status
 */

/*
 * Find the last byte that the driver lets us write, by its page, if that is kept, or
 * else by the owner's address. False if there is no such byte.
 */
static bool vblk_find_status(struct vblk_request *request, const struct vr_chain *chain)
{
	const struct vr_seg *segs = chain->segs + chain->nr_out;
	struct vblk_queue *queue = request->queue;
	u32 i = chain->nr_in;
	u64 guest;

	while (i && !segs[i - 1].len)
		i--;
	if (!i)
		return false;
	guest = segs[i - 1].addr + segs[i - 1].len - 1;
	request->status_pin = vblk_pins_get(&queue->pins, queue->memory, guest,
					    vblk_queue_gup(queue));
	if (likely(request->status_pin)) {
		request->status_page = vblk_pin_page(request->status_pin, guest);
		request->status_offset = offset_in_page(guest);
		return true;
	}
	if (!vblk_memory_translate(queue->memory, guest, 1, &request->status_user))
		return false;
	request->status_offset = offset_in_page(request->status_user);
	return true;
}

/* Without its page, the worker has to finish the request. */
static void vblk_pin_status(struct vblk_request *request)
{
	if (pin_user_pages_fast(request->status_user & PAGE_MASK, 1, FOLL_WRITE,
				&request->status_page) == 1)
		request->queue->stats.pins++;
	else
		request->status_page = NULL;
}

static void vblk_unpin_status(struct vblk_request *request)
{
	if (likely(request->status_pin)) {
		vblk_pins_put(request->status_pin, true);
		request->status_pin = NULL;
	} else if (request->status_page) {
		unpin_user_pages_dirty_lock(&request->status_page, 1, true);
		request->queue->stats.unpins++;
	}
	request->status_page = NULL;
}

static void vblk_write_status(const struct vblk_request *request)
{
	/* As for vblk_page_follows(). */
	u8 *page = data_race(kmap_local_page(request->status_page));

	WRITE_ONCE(page[request->status_offset], request->status);
	kunmap_local(page);
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

static int vblk_begin_rw(struct vblk_request *request, const struct vr_chain *chain)
{
	const struct vblk_queue *queue = request->queue;
	u64 out = chain->out_len - sizeof(struct virtio_blk_outhdr), in = chain->in_len - 1;
	bool writes = vblk_request_writes(request);
	int ret;

	request->len = writes ? out : in;
	if ((writes ? in || queue->limits.read_only : out) || request->len & (SECTOR_SIZE - 1) ||
	    !vblk_in_range(&queue->limits, request->sector, request->len >> SECTOR_SHIFT))
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	if (writes)
		request->durable = vblk_dev_writes_through(queue->dev, queue->features);
	else
		request->written = min_t(u64, in + 1, U32_MAX);
	if (!request->len)
		return vblk_say(request, VIRTIO_BLK_S_OK);
	ret = vblk_data_map(request, writes ? vblk_behind_header(chain) : vblk_in(chain));
	if (unlikely(ret == -ENOMEM || ret == -EAGAIN))
		return ret;
	if (unlikely(ret))
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	/* A flush that follows, for what has to be durable, is not for all disks to poll for. */
	request->polls = queue->polled.wanted && !request->durable;
	return 0;
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
	if (vblk_data_copy(request->queue->memory, &cursor, id, len, true))
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	request->written = len + (len == room);
	return vblk_say(request, VIRTIO_BLK_S_OK);
}

/* Is a range of a request what it may be? A status if not. */
static int vblk_check_range(const struct vblk_request *request,
			    const struct virtio_blk_discard_write_zeroes *range)
{
	const struct vblk_limits *limits = &request->queue->limits;
	u32 flags = le32_to_cpu(range->flags), nr = le32_to_cpu(range->num_sectors);

	if (request->type == VIRTIO_BLK_T_WRITE_ZEROES)
		flags &= ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	if (flags || (request->type == VIRTIO_BLK_T_SECURE_ERASE && !limits->max_erase))
		return VIRTIO_BLK_S_UNSUPP;
	if (nr > VBLK_MAX_RANGE || !vblk_in_range(limits, le64_to_cpu(range->sector), nr))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

/* A range is as much work as this many bytes. */
#define VBLK_RANGE_CHARGE SZ_64K

/* The disk does not write its zeroes by itself: they are data. */
static bool vblk_zeroes_are_data(const struct vblk_request *request)
{
	return request->type == VIRTIO_BLK_T_WRITE_ZEROES &&
	       !request->queue->limits.offloads_zeroes;
}

/* None is begun before all are checked: a status. */
static int vblk_check_ranges(struct vblk_request *request)
{
	bool data = vblk_zeroes_are_data(request);
	int status;
	u64 len;
	u32 i;

	request->len = 0;
	for (i = 0; i < request->nr_ranges; i++) {
		status = vblk_check_range(request, &request->ranges[i]);
		if (status != VIRTIO_BLK_S_OK)
			return status;
		len = (u64)le32_to_cpu(request->ranges[i].num_sectors) << SECTOR_SHIFT;
		request->queue->charge += data ? max_t(u64, len, VBLK_RANGE_CHARGE) :
						 VBLK_RANGE_CHARGE;
		request->len += len;
	}
	/* What was begun has to end before the VMM gets its queue back. */
	if (data && request->len >> SECTOR_SHIFT > VBLK_MAX_RANGE)
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static void vblk_drop_ranges(struct vblk_request *request)
{
	if (likely(!request->ranges))
		return;
	kfree(request->ranges);
	request->ranges = NULL;
	request->nr_ranges = 0;
}

static int vblk_begin_ranges(struct vblk_request *request, const struct vr_chain *chain)
{
	const struct vblk_limits *limits = &request->queue->limits;
	u64 len = chain->out_len - sizeof(struct virtio_blk_outhdr);
	u64 nr = len / sizeof(*request->ranges);
	struct vblk_cursor cursor = vblk_behind_header(chain);
	int status;

	if (!nr || len % sizeof(*request->ranges) || nr > VBLK_MAX_RANGES)
		return vblk_say(request, VIRTIO_BLK_S_IOERR);
	request->ranges = kmalloc_array(nr, sizeof(*request->ranges), GFP_KERNEL_ACCOUNT);
	if (!request->ranges)
		return -ENOMEM;
	request->nr_ranges = nr;
	request->durable = vblk_dev_writes_through(request->queue->dev, request->queue->features);
	if (limits->read_only ||
	    vblk_data_copy(request->queue->memory, &cursor, request->ranges, len, false))
		status = VIRTIO_BLK_S_IOERR;
	else
		status = vblk_check_ranges(request);
	/* To discard is a hint: where the disk cannot, it is not followed. */
	if (status == VIRTIO_BLK_S_OK &&
	    (request->type != VIRTIO_BLK_T_DISCARD || limits->max_discard))
		return 0;
	vblk_drop_ranges(request);
	return vblk_say(request, status);
}

/*
 * Types of requests that are not to read or write, the feature that makes the driver have
 * them, and whether to begin one copies from or to the driver's buffers.
 */
static const struct vblk_type {
	u32 type;
	u64 feature;
	int (*begin)(struct vblk_request *request, const struct vr_chain *chain);
	bool copies;
} vblk_types[] = {
	{ VIRTIO_BLK_T_FLUSH, 0, vblk_begin_flush },
	{ VIRTIO_BLK_T_GET_ID, 0, vblk_begin_get_id, true },
	{ VIRTIO_BLK_T_DISCARD, BIT_ULL(VIRTIO_BLK_F_DISCARD), vblk_begin_ranges, true },
	{ VIRTIO_BLK_T_WRITE_ZEROES, BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES), vblk_begin_ranges, true },
	{ VIRTIO_BLK_T_SECURE_ERASE, BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE), vblk_begin_ranges, true },
};

static const struct vblk_type *vblk_find_type(u32 type, u64 features)
{
	const struct vblk_type *row;

	for (row = vblk_types; row < vblk_types + ARRAY_SIZE(vblk_types); row++)
		if (row->type == type && (features & row->feature) == row->feature)
			return row;
	return NULL;
}

static void vblk_take_header(struct vblk_request *request, __virtio32 type, __virtio64 sector)
{
	bool little_endian = request->queue->little_endian;

	request->type = __virtio32_to_cpu(little_endian, type) & ~VIRTIO_BLK_T_BARRIER;
	request->sector = __virtio64_to_cpu(little_endian, sector);
}

/*
 * What drivers do: the header is in the page of the status, which is kept. Linux has one in
 * 32 that is not, or not all of it.
 */
static bool vblk_read_kept_header(struct vblk_request *request, const struct vr_seg *seg)
{
	const struct vblk_pin *pin = request->status_pin;
	const struct virtio_blk_outhdr *header;
	__virtio64 sector;
	__virtio32 type;

	if (!pin || !vblk_pin_has(pin, seg->addr) || seg->len < sizeof(*header) ||
	    offset_in_page(seg->addr) > PAGE_SIZE - sizeof(*header))
		return false;
	header = vblk_pin_map(pin, seg->addr);
	vblk_pin_copy(&type, &header->type, sizeof(type));
	vblk_pin_copy(&sector, &header->sector, sizeof(sector));
	kunmap_local(header);
	vblk_take_header(request, type, sector);
	return true;
}

/* The header is in one piece. */
static bool vblk_read_whole_header(const struct vblk_memory *memory, const struct vr_seg *seg,
				   struct virtio_blk_outhdr *header)
{
	const struct virtio_blk_outhdr __user *from;
	unsigned long user;

	if (seg->len < sizeof(*header) ||
	    vblk_memory_translate(memory, seg->addr, sizeof(*header), &user) < sizeof(*header))
		return false;
	from = (const void __user *)user;
	if (!user_read_access_begin(from, sizeof(*from)))
		return false;
	unsafe_get_user(header->type, &from->type, fault);
	unsafe_get_user(header->sector, &from->sector, fault);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

static noinline int vblk_read_header_slowly(struct vblk_request *request,
					    const struct vr_chain *chain)
{
	struct vblk_queue *queue = request->queue;
	struct vblk_cursor cursor = vblk_out(chain);
	struct virtio_blk_outhdr header;
	int ret = 0;

	if (queue->hurried)
		ret = vblk_data_read_kept(queue, cursor, &header, sizeof(header));
	else if (!vblk_read_whole_header(queue->memory, chain->segs, &header))
		ret = vblk_data_copy(queue->memory, &cursor, &header, sizeof(header), false);
	if (!ret)
		vblk_take_header(request, header.type, header.sector);
	return ret;
}

static int vblk_read_header(struct vblk_request *request, const struct vr_chain *chain)
{
	if (chain->out_len < sizeof(struct virtio_blk_outhdr))
		return -EFAULT;
	return likely(vblk_read_kept_header(request, chain->segs)) ? 0 :
	       vblk_read_header_slowly(request, chain);
}

/* Bytes of data, whichever way they go. */
static u64 vblk_data_len(const struct vr_chain *chain)
{
	return max(chain->out_len - sizeof(struct virtio_blk_outhdr), chain->in_len - 1);
}

/* Let the type's own function begin. */
static noinline int vblk_begin_other(struct vblk_request *request, const struct vr_chain *chain)
{
	const struct vblk_queue *queue = request->queue;
	const struct vblk_type *row = vblk_find_type(request->type, queue->features);

	if (!row)
		return vblk_say(request, VIRTIO_BLK_S_UNSUPP);
	return queue->hurried && row->copies ? -EAGAIN : row->begin(request, chain);
}

/* Read the header, and begin what it asks for. */
static int vblk_begin(struct vblk_request *request, const struct vr_chain *chain)
{
	int ret;

	ret = vblk_read_header(request, chain);
	if (unlikely(ret))
		return ret == -EAGAIN ? ret : vblk_say(request, VIRTIO_BLK_S_IOERR);
	if (request->queue->hurried && vblk_data_len(chain) > VBLK_KICKER_BYTES)
		return -EAGAIN;
	return likely(vblk_request_is_rw(request)) ? vblk_begin_rw(request, chain) :
						      vblk_begin_other(request, chain);
}

/**
 * vblk_request_init() - make a request of a queue that has none yet
 * @request: all zero
 * @queue: the queue
 */
void vblk_request_init(struct vblk_request *request, struct vblk_queue *queue)
{
	request->queue = queue;
	INIT_LIST_HEAD(&request->polled);
	vblk_data_init(request);
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
 * Context: who serves the queue, under its mutex.
 * Return: 0, or -ENOMEM or -EAGAIN: nothing was begun, try again later
 */
int vblk_request_begin(struct vblk_request *request, const struct vr_chain *chain)
{
	struct vblk_queue *queue = request->queue;
	int ret;

	request->ticket = chain->ticket;
	request->type = 0;
	request->status = VIRTIO_BLK_S_OK;
	request->retried = false;
	request->flushed = false;
	request->durable = false;
	request->may_wait = false;
	request->polls = false;
	request->bounced = false;
	request->error = BLK_STS_OK;
	request->blkcg = queue->hurried ? queue->kicker.blkcg : NULL;
	/* The status alone, which may not be the first byte we may write. */
	request->written = chain->in_len == 1;
	request->status_user = 0;
	ret = vblk_find_status(request, chain) ? vblk_begin(request, chain) :
						 vblk_say(request, VIRTIO_BLK_S_IOERR);
	if (ret < 0) {
		vblk_request_release(request);
		return ret;
	}
	trace_vblk_request_begin(request);
	if (ret == VBLK_SAID) {
		vblk_request_end(request, BLK_STS_OK);
		return 0;
	}
	if (unlikely(!request->status_page))
		vblk_pin_status(request);
	if (unlikely(!vblk_overflow_is_empty(&queue->overflow))) {
		vblk_overflow_add(queue, request);
		return 0;
	}
	vblk_request_execute(request);
	/* It may have ended, but is not free before this thread says so. */
	if (unlikely(request->polls))
		vblk_polled_add(request);
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
 * A disk may find out that it cannot write zeroes the short way, or not be polled any
 * more, and knows when it is asked again.
 */
static bool vblk_request_needs_retry(const struct vblk_request *request)
{
	return request->error == BLK_STS_NOTSUPP && !request->retried &&
	       (request->type == VIRTIO_BLK_T_WRITE_ZEROES || request->polls);
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
	if (request->polls)
		vblk_polled_drop(request);
	request->status = VIRTIO_BLK_S_OK;
	request->error = BLK_STS_OK;
	request->blkcg = NULL;
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
	if (vblk_request_go_on(request))
		return false;
	if (unlikely(request->segs) && request->status == VIRTIO_BLK_S_OK &&
	    vblk_data_give(request))
		request->status = VIRTIO_BLK_S_IOERR;
	*len = 0;
	if (likely(request->status_page))
		vblk_write_status(request);
	else if (!request->status_user ||
		 put_user(request->status, (u8 __user *)request->status_user))
		return true;
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
	if (!request->status_page || request->segs || vblk_request_overflows(request) ||
	    vblk_request_needs_retry(request) || vblk_request_needs_flush(request))
		return false;
	vblk_write_status(request);
	*len = vblk_request_len(request);
	return true;
}

/**
 * vblk_request_release() - drop all that a request holds
 * @request: one that ended, or that did not begin
 */
void vblk_request_release(struct vblk_request *request)
{
	vblk_data_drop(request);
	vblk_drop_ranges(request);
	vblk_unpin_status(request);
}
