/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_RING_H
#define _VBLK_RING_H

#include <linux/types.h>

struct vblk_queue;
struct vr_done;

int vblk_ring_start(struct vblk_queue *queue);
void vblk_ring_stop(struct vblk_queue *queue);
void vblk_ring_map(struct vblk_queue *queue);
int vblk_ring_pop(struct vblk_queue *queue);
int vblk_ring_pending(struct vblk_queue *queue);
int vblk_ring_kick_on(struct vblk_queue *queue);
int vblk_ring_kick_off(struct vblk_queue *queue);
void vblk_ring_give(struct vblk_queue *queue, const struct vr_done *done, u32 n);
void vblk_ring_give_locked(struct vblk_queue *queue, const struct vr_done *done);
void vblk_ring_tell(struct vblk_queue *queue);
void vblk_ring_break(struct vblk_queue *queue, int err);

#endif /* _VBLK_RING_H */
