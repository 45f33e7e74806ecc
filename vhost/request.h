/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_REQUEST_H
#define _VBLK_REQUEST_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/bvec.h>
#include <linux/list.h>
#include <linux/vhost_blk.h>

#include "../vringh/vring.h"

struct cgroup_subsys_state;
struct vblk_pin;
struct vblk_queue;

/* Vectors, and pins, that need no allocation. */
#define VBLK_INLINE_VECS 8

/* What one request may pin or bounce, in pages. */
#define VBLK_MAX_PAGES 32768

/* Descriptors of a chain that are taken from a ring that is shorter than this. */
#define VBLK_MIN_SEGS 256U

/* Ranges of one request to discard, to erase or to write zeroes to. */
#define VBLK_MAX_RANGES 64

/* Sectors of each: a bio has 32 bits for its length in bytes. */
#define VBLK_MAX_RANGE (U32_MAX >> SECTOR_SHIFT)

/**
 * struct vblk_request - a request of the driver, from vr_pop() to vr_push()
 * @node: on a list of those that ended, or that wait for the disk
 * @polled: if @polls, on that of those that the disk is polled for
 * @queue: whose it is
 * @ticket: to give the chain back with
 * @type: VIRTIO_BLK_T_*
 * @status: what the driver is told, VIRTIO_BLK_S_*
 * @retried: it was begun again, since the disk could not do it the first way
 * @flushed: it is to flush, or was: all it does, or the second half of it
 * @durable: what it writes has to be safe when it ends
 * @may_wait: the disk may be waited for; if not, BLK_STS_AGAIN ends it
 * @polls: the disk is to be polled for its end
 * @bounced: the vectors are pages of ours, to be copied from or to @segs
 * @error: of the first of its bios that failed
 * @sector: where it begins, in units of 512 bytes
 * @len: bytes of data, or of all @ranges
 * @written: how many bytes the driver may find written if all is well
 * @status_page: the page with the status byte, pinned; NULL if it is not pinned
 * @status_pin: what keeps that page; NULL if the request pinned it itself
 * @status_offset: of the status byte, in bytes
 * @status_user: if the page is not kept: the owner's address of the status byte, 0 if
 *	there is none
 * @vecs: the data: pinned pages of the owner, or ours
 * @own: of each of @vecs, whether the request pinned its pages itself, or they are ours
 * @pins: what keeps the pages in the others
 * @nr_vecs: number of @vecs, and of @own
 * @max_vecs: how many of @vecs, and of @pins, there is room for
 * @nr_pins: number of @pins
 * @nr_own: how many pages are the request's own
 * @nr_asked: for how many pages it asked that are not kept
 * @segs: for @bounced and to read, where the data goes
 * @nr_segs: number of those
 * @ranges: what to discard, checked
 * @nr_ranges: number of those
 * @bios_left: how many have not ended; the last ends the request
 * @blkcg: the cgroup to be charged instead of that of who begins it, or NULL
 * @bio: the first of its bios
 * @inline_vecs: @vecs, if they suffice
 * @inline_own: and @own
 * @inline_pins: and @pins
 *
 * The worker's, but from execute until the last bio ends it is the block layer's. No more
 * than 512 bytes, or those of a queue of 256 take twice as many pages.
 */
struct vblk_request {
	struct list_head node;
	struct list_head polled;
	struct vblk_queue *queue;
	struct vr_ticket ticket;
	u32 type;
	u8 status;
	bool retried;
	bool flushed;
	bool durable;
	bool may_wait;
	bool polls;
	bool bounced;
	blk_status_t error;
	u64 sector;
	u64 len;
	u32 written;
	u32 status_offset;
	unsigned long status_user;
	struct page *status_page;
	struct vblk_pin *status_pin;
	struct bio_vec *vecs;
	bool *own;
	struct vblk_pin **pins;
	u32 nr_vecs;
	u32 max_vecs;
	u32 nr_pins;
	u32 nr_own;
	u32 nr_asked;
	u32 nr_segs;
	struct vr_seg *segs;
	struct virtio_blk_discard_write_zeroes *ranges;
	u32 nr_ranges;
	atomic_t bios_left;
	struct cgroup_subsys_state *blkcg;
	struct bio bio;
	struct bio_vec inline_vecs[VBLK_INLINE_VECS];
	bool inline_own[VBLK_INLINE_VECS];
	struct vblk_pin *inline_pins[VBLK_INLINE_VECS];
};

static inline bool vblk_request_is_rw(const struct vblk_request *request)
{
	return request->type == VIRTIO_BLK_T_IN || request->type == VIRTIO_BLK_T_OUT;
}

static inline bool vblk_request_writes(const struct vblk_request *request)
{
	return request->type != VIRTIO_BLK_T_IN;
}

void vblk_request_init(struct vblk_request *request, struct vblk_queue *queue);
void vblk_request_execute(struct vblk_request *request);
int vblk_request_begin(struct vblk_request *request, const struct vr_chain *chain);
void vblk_request_end(struct vblk_request *request, blk_status_t error);
bool vblk_request_finish(struct vblk_request *request, u32 *len);
bool vblk_request_finish_here(struct vblk_request *request, u32 *len);
void vblk_request_release(struct vblk_request *request);

#endif /* _VBLK_REQUEST_H */
