/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_POLLED_H
#define _VBLK_POLLED_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct vblk_queue;
struct vblk_request;

/**
 * struct vblk_polled - requests of a queue that end only when somebody polls the disk
 * @requests: those that are not free yet, in the order in which they were begun; under
 *	the queue's mutex, and from the close of the device on @work's
 * @wanted: in this go, requests are to be polled for; likewise
 * @work: polls after that, for as long as requests are in flight
 */
struct vblk_polled {
	struct list_head requests;
	bool wanted;
	struct work_struct work;
};

/* May there be something to ask the disk for? Under the queue's mutex. */
static inline bool vblk_polled_any(const struct vblk_polled *polled)
{
	return !list_empty(&polled->requests);
}

void vblk_polled_init(struct vblk_queue *queue);
void vblk_polled_exit(struct vblk_queue *queue);
void vblk_polled_update(struct vblk_queue *queue);
void vblk_polled_add(struct vblk_request *request);
void vblk_polled_drop(struct vblk_request *request);
void vblk_polled_poll(struct vblk_queue *queue);
bool vblk_polled_wait(struct vblk_queue *queue);
void vblk_polled_leave(struct vblk_queue *queue);

#endif /* _VBLK_POLLED_H */
