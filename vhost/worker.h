/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_WORKER_H
#define _VBLK_WORKER_H

#include <linux/llist.h>
#include <linux/types.h>

struct vhost_task;

/**
 * struct vblk_worker - a thread that serves queues, in the owner's memory
 * @id: its number, for the ioctls; constant
 * @queues: how many queues are attached; under the device's mutex
 * @task: the thread; constant
 * @work: the queues that have something to do; anyone adds, the thread takes
 * @has_others: and of what it took, there are some behind the one it serves; its own
 */
struct vblk_worker {
	u32 id;
	u32 queues;
	struct vhost_task *task;
	struct llist_head work;
	bool has_others;
};

struct vblk_worker *vblk_worker_create(void);
void vblk_worker_destroy(struct vblk_worker *worker);
void vblk_worker_add(struct vblk_worker *worker, struct llist_node *work);

#endif /* _VBLK_WORKER_H */
