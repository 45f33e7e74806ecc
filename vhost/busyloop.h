/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_BUSYLOOP_H
#define _VBLK_BUSYLOOP_H

#include <linux/types.h>

struct vblk_queue;
struct vblk_worker;

/* Microseconds to look for more, at most. */
#define VBLK_MAX_BUSYLOOP 10000U

/**
 * struct vblk_busyloop - a worker that looks for more before it sleeps
 * @limit: for how long at most, in microseconds; the owner's to set
 * @since: when the ring was found empty, in ns, or 0 if it was not
 * @waited: for how long it was so lately, in ns, but for what is over the limit
 * @found: how many chains were there then
 * @requests: the queue's counter, up to those
 * @hold: how many chains are held back, until the driver is told of them
 * @held: when that began, in ns, or 0
 * @told: of how many it was told since the most were tried
 */
struct vblk_busyloop {
	u32 limit;
	u64 since;
	u64 waited;
	u64 found;
	u64 requests;
	u32 hold;
	u64 held;
	u32 told;
};

void vblk_busyloop_try(struct vblk_queue *queue);
void vblk_busyloop_adapt(struct vblk_queue *queue);
int vblk_busyloop_wait(struct vblk_queue *queue, const struct vblk_worker *worker);

#endif /* _VBLK_BUSYLOOP_H */
