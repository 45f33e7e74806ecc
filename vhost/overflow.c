// SPDX-License-Identifier: GPL-2.0-only
/*
 * What waits for the disk to have room, and who does: not a worker, which has other
 * queues to serve, and must be gone when its process is killed, but a thread of the
 * kernel's, that nobody waits for.
 */
#include <linux/blkdev.h>

#include "blkcg.h"
#include "device.h"
#include "overflow.h"
#include "queue.h"
#include "request.h"

/* The first one, or NULL; it still counts. */
static struct vblk_request *vblk_overflow_first(struct vblk_queue *queue)
{
	struct vblk_request *request;

	spin_lock_irq(&queue->done_lock);
	request = list_first_entry_or_null(&queue->overflow.requests, struct vblk_request, node);
	if (request)
		list_del_init(&request->node);
	spin_unlock_irq(&queue->done_lock);
	return request;
}

static void vblk_overflow_begun(struct vblk_queue *queue)
{
	spin_lock_irq(&queue->done_lock);
	WRITE_ONCE(queue->overflow.nr, queue->overflow.nr - 1);
	spin_unlock_irq(&queue->done_lock);
}

/* Charged to the cgroup that the worker was in. */
static void vblk_overflow_execute(struct vblk_request *request)
{
	struct cgroup_subsys_state *blkcg = request->blkcg;

	vblk_request_execute(request);	/* after which it may have gone */
	vblk_blkcg_put(blkcg);
}

static void vblk_overflow_work(struct work_struct *work)
{
	struct vblk_queue *queue = container_of(work, struct vblk_queue, overflow.work);
	struct vblk_request *request;
	struct blk_plug plug;

	blk_start_plug(&plug);
	while ((request = vblk_overflow_first(queue))) {
		vblk_overflow_execute(request);
		vblk_overflow_begun(queue);
	}
	blk_finish_plug(&plug);
}

/**
 * vblk_overflow_init() - none is waiting
 * @queue: the queue
 */
void vblk_overflow_init(struct vblk_queue *queue)
{
	INIT_LIST_HEAD(&queue->overflow.requests);
	INIT_WORK(&queue->overflow.work, vblk_overflow_work);
}

/**
 * vblk_overflow_exit() - undo vblk_overflow_init()
 * @queue: one with nothing in flight
 *
 * Context: may sleep, but not for the disk.
 */
void vblk_overflow_exit(struct vblk_queue *queue)
{
	flush_work(&queue->overflow.work);
}

/**
 * vblk_overflow_add() - have a request begun when the disk has room
 * @queue: its queue
 * @request: the request, not in flight
 *
 * Context: the worker, under the queue's mutex; not under done_lock.
 */
void vblk_overflow_add(struct vblk_queue *queue, struct vblk_request *request)
{
	request->may_wait = true;
	request->polls = false;	/* nobody would while it waits */
	request->blkcg = vblk_blkcg_get();
	queue->stats.overflows++;
	spin_lock_irq(&queue->done_lock);
	list_add_tail(&request->node, &queue->overflow.requests);
	WRITE_ONCE(queue->overflow.nr, queue->overflow.nr + 1);
	spin_unlock_irq(&queue->done_lock);
	queue_work(vblk_disk_wq, &queue->overflow.work);
}
