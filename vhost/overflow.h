/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_OVERFLOW_H
#define _VBLK_OVERFLOW_H

#include <linux/list.h>
#include <linux/workqueue.h>

struct vblk_queue;
struct vblk_request;

/**
 * struct vblk_overflow - requests of a queue that the disk had no room for
 * @requests: in the order in which they came; under done_lock of the queue
 * @nr: how many there are, and are being begun; likewise
 * @work: begins them, waiting for the disk
 */
struct vblk_overflow {
	struct list_head requests;
	u32 nr;
	struct work_struct work;
};

/* May a request be begun without waiting in line? Any context. */
static inline bool vblk_overflow_is_empty(const struct vblk_overflow *overflow)
{
	return !READ_ONCE(overflow->nr);
}

void vblk_overflow_init(struct vblk_queue *queue);
void vblk_overflow_exit(struct vblk_queue *queue);
void vblk_overflow_add(struct vblk_queue *queue, struct vblk_request *request);

#endif /* _VBLK_OVERFLOW_H */
