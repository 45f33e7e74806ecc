/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_BUSYLOOP_H
#define _VBLK_BUSYLOOP_H

#include <linux/types.h>

struct vblk_queue;
struct vblk_worker;

void vblk_busyloop_adapt(struct vblk_queue *queue);
bool vblk_busyloop_wait(struct vblk_queue *queue, const struct vblk_worker *worker);

#endif /* _VBLK_BUSYLOOP_H */
