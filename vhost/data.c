// SPDX-License-Identifier: GPL-2.0-only
/* The data of a request: from the driver's buffers to vectors that a disk can take. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "backend.h"
#include "data.h"
#include "device.h"
#include "memory.h"
#include "pin.h"
#include "queue.h"
#include "request.h"

static bool vblk_pin_data = true;
module_param_named(pin_data, vblk_pin_data, bool, 0644);
MODULE_PARM_DESC(pin_data, "keep pages of data pinned that are used again, see pins (yes)");

/* The next piece of at most @len bytes; false at the end. */
static __always_inline bool vblk_cursor_next(struct vblk_cursor *cursor, u64 len, u64 *guest,
					     u32 *piece)
{
	if (!len)
		return false;
	while (cursor->nr && cursor->done == cursor->seg->len) {
		cursor->seg++;
		cursor->nr--;
		cursor->done = 0;
	}
	if (!cursor->nr)
		return false;
	*guest = cursor->seg->addr + cursor->done;
	*piece = min_t(u64, len, cursor->seg->len - cursor->done);
	cursor->done += *piece;
	return true;
}

/**
 * vblk_cursor_skip() - go on behind the next bytes
 * @cursor: where they begin
 * @len: how many they are
 *
 * Return: where they end
 */
struct vblk_cursor vblk_cursor_skip(struct vblk_cursor cursor, u64 len)
{
	u64 guest;
	u32 piece;

	while (vblk_cursor_next(&cursor, len, &guest, &piece))
		len -= piece;
	return cursor;
}

/**
 * vblk_data_copy() - copy to or from the driver's buffers
 * @memory: the guest's memory
 * @cursor: where in the buffers; goes on behind what is copied
 * @at: from or to where
 * @len: bytes
 * @write: to the buffers
 *
 * Context: the worker; may sleep.
 * Return: 0, or -EFAULT if not all of it is there
 */
int vblk_data_copy(const struct vblk_memory *memory, struct vblk_cursor *cursor, void *at,
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

/**
 * vblk_data_read_kept() - copy from the driver's buffers, by pages that are kept from then on
 * @queue: the queue
 * @cursor: where in the buffers
 * @to: where to
 * @len: bytes
 *
 * Context: who serves the queue, in whatever memory; sleeps for nothing if that is hurried.
 * Return: 0, or -EAGAIN if not all of them can be kept
 */
int vblk_data_read_kept(struct vblk_queue *queue, struct vblk_cursor cursor, void *to, u64 len)
{
	struct vblk_pin *pin;
	const void *from;
	u32 piece, part;
	u64 guest;

	for (; vblk_cursor_next(&cursor, len, &guest, &piece); len -= piece) {
		for (; piece; piece -= part, guest += part, to += part, len -= part) {
			pin = vblk_pins_get(&queue->pins, queue->memory, guest,
					    vblk_queue_gup(queue));
			if (!pin)
				return -EAGAIN;
			part = min_t(u32, piece, PAGE_SIZE - offset_in_page(guest));
			from = vblk_pin_map(pin, guest);
			vblk_pin_copy(to, from, part);
			kunmap_local(from);
			vblk_pins_put(pin, false);
		}
	}
	return len ? -EAGAIN : 0;
}

/**
 * vblk_data_init() - have no data
 * @request: the request
 */
void vblk_data_init(struct vblk_request *request)
{
	request->vecs = request->inline_vecs;
	request->own = request->inline_own;
	request->pins = request->inline_pins;
	request->max_vecs = VBLK_INLINE_VECS;
}

static void vblk_free_vecs(struct vblk_request *request)
{
	if (likely(request->vecs == request->inline_vecs))
		return;
	kvfree(request->vecs);
	vblk_data_init(request);
}

static noinline int vblk_grow_vecs(struct vblk_request *request)
{
	const size_t each = sizeof(*request->vecs) + sizeof(*request->pins) +
			    sizeof(*request->own);
	struct vblk_pin **pins;
	struct bio_vec *vecs;
	bool *own;
	u64 max;

	/* Most buffers are of whole pages. */
	max = max((request->len >> PAGE_SHIFT) + 2, 2ULL * request->max_vecs);
	vecs = kvmalloc_array(max, each, GFP_KERNEL_ACCOUNT);
	if (!vecs)
		return -ENOMEM;
	pins = (struct vblk_pin **)(vecs + max);
	own = (bool *)(pins + max);
	memcpy(vecs, request->vecs, array_size(request->nr_vecs, sizeof(*vecs)));
	memcpy(pins, request->pins, array_size(request->nr_pins, sizeof(*pins)));
	memcpy(own, request->own, array_size(request->nr_vecs, sizeof(*own)));
	vblk_free_vecs(request);
	request->vecs = vecs;
	request->own = own;
	request->pins = pins;
	request->max_vecs = max;
	return 0;
}

/* Have room for one more vector, and for what keeps its pages. */
static __always_inline int vblk_more_vecs(struct vblk_request *request)
{
	if (likely(max(request->nr_vecs, request->nr_pins) < request->max_vecs))
		return 0;
	return vblk_grow_vecs(request);
}

/* Do pages follow what is in the last vector, and are they as much its own? */
static __always_inline bool vblk_follows_last(const struct vblk_request *request, bool own,
					      struct page *page, u32 offset)
{
	const struct bio_vec *last = &request->vecs[request->nr_vecs] - 1;

	return request->nr_vecs && !offset &&
	       !((last->bv_offset + last->bv_len) & ~PAGE_MASK) &&
	       vblk_page_follows(page, last->bv_page,
				 (last->bv_offset + last->bv_len) >> PAGE_SHIFT) &&
	       request->own[request->nr_vecs - 1] == own;
}

/* Add pages in a row to the vectors, to the last one if they follow it. There is room. */
static __always_inline void vblk_add_row(struct vblk_request *request, bool own,
					 struct page *page, u32 offset, u32 len)
{
	if (vblk_follows_last(request, own, page, offset)) {
		request->vecs[request->nr_vecs - 1].bv_len += len;
		return;
	}
	request->own[request->nr_vecs] = own;
	bvec_set_page(&request->vecs[request->nr_vecs++], page, len, offset);
}

/* Add @nr of the queue's @pages, or let go of them: @len bytes from @offset on. */
static int vblk_add_pinned(struct vblk_request *request, u32 nr, u32 offset, u32 len)
{
	struct page **pages = request->queue->pages;
	u32 row, piece;
	int ret;

	for (; nr; pages += row, nr -= row, offset = 0, len -= piece) {
		row = vblk_count_row(pages, nr);
		piece = min_t(u32, len, row * PAGE_SIZE - offset);
		ret = vblk_more_vecs(request);
		if (ret) {
			unpin_user_pages(pages, nr);
			request->queue->stats.unpins += nr;
			return ret;
		}
		vblk_add_row(request, true, *pages, offset, piece);
	}
	return 0;
}

/* Pin @len bytes of the owner's memory from @user on. */
static int vblk_pin(struct vblk_request *request, unsigned long user, u32 len)
{
	struct vblk_queue *queue = request->queue;
	unsigned int flags = vblk_queue_gup(queue) |
			     (vblk_request_writes(request) ? 0 : FOLL_WRITE);
	u32 offset, piece;
	int nr, ret;

	for (; len; user += piece, len -= piece) {
		offset = offset_in_page(user);
		nr = min_t(u64, DIV_ROUND_UP((u64)offset + len, PAGE_SIZE), VBLK_PIN_PAGES);
		nr = vblk_pin_pages(queue->dev->mm, user - offset, nr, flags, queue->pages);
		if (nr <= 0)
			return nr == -ENOMEM ? nr : -EFAULT;
		queue->stats.pins += nr;
		piece = min_t(u32, len, nr * PAGE_SIZE - offset);
		ret = vblk_add_pinned(request, nr, offset, piece);
		if (ret)
			return ret;
	}
	return 0;
}

/* Pin what the driver has from @guest on. */
static __always_inline int vblk_map_own(struct vblk_request *request, u64 guest, u32 len)
{
	const struct vblk_limits *limits = &request->queue->limits;
	unsigned long user;
	u32 part;
	int ret;

	for (; len; guest += part, len -= part) {
		part = vblk_memory_translate(request->queue->memory, guest, len, &user);
		if (!part)
			return -EFAULT;
		/* The owner may have its regions anywhere, and they may end anywhere. */
		if (user & limits->dma_mask || (part < len && part & (limits->block_size - 1)))
			return -EINVAL;
		request->nr_own += DIV_ROUND_UP((u64)offset_in_page(user) + part, PAGE_SIZE);
		if (request->nr_own > VBLK_MAX_PAGES)
			return -EINVAL;
		ret = vblk_pin(request, user, part);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * May a request ask for so many pages that are not kept? What is kept is for all requests of
 * a queue, so that one may not have too many, unless they are huge.
 */
static __always_inline bool vblk_may_ask(const struct vblk_request *request, u64 pages)
{
	const struct vblk_pins *pins = &request->queue->pins;

	return pages <= VBLK_INLINE_VECS || pages <= pins->nr / 32 || pins->huge;
}

/*
 * What keeps the page of @guest, or NULL; there is room for it. Pages of a request often are
 * in one that is huge.
 */
static __always_inline struct vblk_pin *vblk_keep_page(struct vblk_request *request, u64 guest)
{
	struct vblk_queue *queue = request->queue;
	struct vblk_pin *pin;

	if (request->nr_pins) {
		pin = request->pins[request->nr_pins - 1];
		if (vblk_pin_has(pin, guest))
			return pin;
	}
	pin = vblk_pins_find(&queue->pins, guest);
	if (unlikely(!pin) && vblk_may_ask(request, ++request->nr_asked))
		pin = vblk_pins_add_again(&queue->pins, queue->memory, guest,
					  vblk_queue_gup(queue));
	if (likely(pin))
		request->pins[request->nr_pins++] = pin;
	return pin;
}

/*
 * Pin what the driver has from @guest on, which is not kept, up to the next page that is. How
 * much that is, in bytes, or an error.
 */
static noinline int vblk_map_unkept(struct vblk_request *request, u64 guest, u32 len)
{
	u32 run = 0;
	int ret;

	do
		run += min_t(u32, len - run, PAGE_SIZE - offset_in_page(guest + run));
	while (run < len && !vblk_keep_page(request, guest + run));
	ret = vblk_map_own(request, guest, run);
	return ret ?: run;
}

/* Have what the driver has from @guest on in pages that are kept, and pin those that are not. */
static __always_inline int vblk_map_piece(struct vblk_request *request, u64 guest, u32 len)
{
	struct vblk_pin *pin;
	int part;

	for (; len; guest += part, len -= part) {
		if (vblk_more_vecs(request))
			return -ENOMEM;
		pin = vblk_keep_page(request, guest);
		if (likely(pin)) {
			part = min(len, vblk_pin_room(pin, guest));
			vblk_add_row(request, false, vblk_pin_page(pin, guest),
				     offset_in_page(guest), part);
			continue;
		}
		part = vblk_map_unkept(request, guest, len);
		if (part < 0)
			return part;
	}
	return 0;
}

/* -EINVAL if the disk cannot take the buffers as they are, or they are in too many pages. */
static __always_inline int vblk_map_pages(struct vblk_request *request,
					  struct vblk_cursor cursor, bool keep)
{
	const struct vblk_limits *limits = &request->queue->limits;
	u64 guest, len = request->len;
	u32 piece;
	int ret;

	for (; vblk_cursor_next(&cursor, len, &guest, &piece); len -= piece) {
		if (guest & limits->dma_mask || piece & (limits->block_size - 1))
			return -EINVAL;
		ret = keep ? vblk_map_piece(request, guest, piece) :
			     vblk_map_own(request, guest, piece);
		if (ret)
			return ret;
	}
	return 0;
}

static noinline int vblk_map_own_pages(struct vblk_request *request, struct vblk_cursor cursor)
{
	return vblk_map_pages(request, cursor, false);
}

/* Might pages of a request be kept? */
static bool vblk_may_keep(const struct vblk_request *request)
{
	return READ_ONCE(vblk_pin_data) &&
	       vblk_may_ask(request, DIV_ROUND_UP(request->len, PAGE_SIZE));
}

static int vblk_alloc_bounce(struct vblk_request *request)
{
	u64 len = request->len;
	struct page *page;
	u32 piece;

	for (; len; len -= piece) {
		if (vblk_more_vecs(request))
			return -ENOMEM;
		/* Disks may write less than they say. */
		page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!page)
			return -ENOMEM;
		piece = min_t(u64, len, PAGE_SIZE);
		request->own[request->nr_vecs] = true;
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
		ret = vblk_data_copy(request->queue->memory, &cursor, page_address(vec->bv_page),
				     vec->bv_len, write);
	return ret;
}

static int vblk_bounce(struct vblk_request *request, struct vblk_cursor cursor)
{
	int ret;

	request->bounced = true;
	request->nr_own = DIV_ROUND_UP(request->len, PAGE_SIZE);
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

static noinline void vblk_drop_own(struct vblk_request *request)
{
	bool dirty = !vblk_request_writes(request);
	struct bio_vec *vec;
	u32 pages, i;

	for (i = 0; i < request->nr_vecs; i++) {
		vec = &request->vecs[i];
		if (!request->own[i])
			continue;
		if (request->bounced) {
			__free_page(vec->bv_page);
			continue;
		}
		pages = (vec->bv_offset + vec->bv_len + PAGE_SIZE - 1) >> PAGE_SHIFT;
		unpin_user_page_range_dirty_lock(vec->bv_page, pages, dirty);
		request->queue->stats.unpins += pages;
	}
	request->nr_own = 0;
	kvfree(request->segs);
	request->segs = NULL;
	request->nr_segs = 0;
}

static void vblk_unkeep(struct vblk_request *request)
{
	bool dirty = !vblk_request_writes(request);
	u32 i;

	for (i = 0; i < request->nr_pins; i++)
		vblk_pins_put(request->pins[i], dirty);
	request->nr_pins = 0;
}

/**
 * vblk_data_drop() - undo vblk_data_map(), if it did anything
 * @request: the request
 *
 * Context: the worker, or who frees the queue.
 */
void vblk_data_drop(struct vblk_request *request)
{
	vblk_unkeep(request);
	if (unlikely(request->nr_own))
		vblk_drop_own(request);
	request->nr_vecs = 0;
	vblk_free_vecs(request);
}

/**
 * vblk_data_map() - make the vectors of a request from the driver's buffers
 * @request: with its length and type
 * @cursor: where the data begins
 *
 * Context: who serves the queue; may sleep, unless that is hurried.
 * Return: 0, or -ENOMEM, -EAGAIN, -EFAULT, -E2BIG: then there are none
 */
int vblk_data_map(struct vblk_request *request, struct vblk_cursor cursor)
{
	int ret;

	if (unlikely(request->len > (u64)VBLK_MAX_PAGES << PAGE_SHIFT))
		return -E2BIG;
	request->nr_asked = 0;
	ret = vblk_may_keep(request) ? vblk_map_pages(request, cursor, true) :
				       vblk_map_own_pages(request, cursor);
	if (likely(!ret))
		return 0;
	vblk_data_drop(request);
	if (request->queue->hurried)
		return -EAGAIN;
	if (ret == -EINVAL)
		ret = vblk_bounce(request, cursor);
	if (ret)
		vblk_data_drop(request);
	return ret;
}

/**
 * vblk_data_give() - give the driver what was read
 * @request: one that was done well, and that has @segs for it
 *
 * Context: the worker; may sleep.
 * Return: 0, or -EFAULT
 */
int vblk_data_give(struct vblk_request *request)
{
	struct vblk_cursor cursor = { .seg = request->segs, .nr = request->nr_segs };

	return vblk_copy_bounced(request, cursor, true);
}
