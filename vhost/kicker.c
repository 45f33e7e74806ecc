// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who notifies a queue serves it, where that is as good as to wake the worker: to begin
 * a request takes about as long as to wake somebody for it, who would have to be waited
 * for. That is so for the first request of a driver that waits for its end. It is done
 * by a task work, that runs before the thread, a virtual CPU's, goes back to the guest.
 * Of the owner's process or not, it uses the owner's memory by its pages only.
 *
 * A driver that has more in flight keeps the worker awake, need not notify it, and so
 * need not leave the guest.
 */
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/task_work.h>

#include "blkcg.h"
#include "device.h"
#include "kicker.h"
#include "queue.h"

/*
 * How often the worker is to serve a queue after one who notified it could do nothing, and
 * after one had to wait, which has its guest wait.
 */
#define VBLK_KICKER_PAUSE 16
#define VBLK_KICKER_LONG_PAUSE 4096

static bool vblk_at_kick = true;
module_param_named(at_kick, vblk_at_kick, bool, 0644);
MODULE_PARM_DESC(at_kick, "have who notifies begin a request that is alone (yes)");

/* Is this a thread that goes back to user space, or to a guest? */
static bool vblk_kicker_is_here(void)
{
	return in_task() && current->mm &&
	       !(current->flags & (PF_EXITING | PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER));
}

static void vblk_kicker_work(struct callback_head *work)
{
	struct vblk_queue *queue = container_of(work, struct vblk_queue, kicker.work);
	struct vblk_dev *dev = queue->dev;

	if (vblk_kicker_is_here())
		vblk_queue_serve_at_kick(queue);
	else
		vblk_queue_pass_on(queue);
	vblk_dev_put(dev);
}

/**
 * vblk_kicker_init() - none has come yet
 * @queue: the queue
 */
void vblk_kicker_init(struct vblk_queue *queue)
{
	init_task_work(&queue->kicker.work, vblk_kicker_work);
}

/**
 * vblk_kicker_exit() - undo vblk_kicker_init(), and what came after it
 * @queue: one that nobody serves
 */
void vblk_kicker_exit(struct vblk_queue *queue)
{
	vblk_blkcg_put(queue->kicker.blkcg);
}

/**
 * vblk_kicker_update() - decide whether who notifies next is to serve the queue
 * @queue: the queue, with its limits
 * @n: how many requests were begun this time
 *
 * Not where it might have to wait for the disk, not where the worker polls, and not where
 * there is more than it would begin.
 *
 * Context: who serves the queue, under its mutex.
 */
void vblk_kicker_update(struct vblk_queue *queue, u64 n)
{
	bool welcome = !queue->kicker.pause && n <= VBLK_KICKER_REQUESTS && queue->limits.nowait &&
		       !queue->polled.wanted && !READ_ONCE(queue->busyloop) &&
		       READ_ONCE(vblk_at_kick) && compat_has_task_work();

	if (!queue->hurried && unlikely(!vblk_blkcg_is_ours(queue->kicker.blkcg))) {
		vblk_blkcg_put(queue->kicker.blkcg);
		queue->kicker.blkcg = vblk_blkcg_get();
	}
	if (queue->kicker.pause)
		queue->kicker.pause--;
	if (welcome != queue->kicker.welcome)
		WRITE_ONCE(queue->kicker.welcome, welcome);
}

/**
 * vblk_kicker_pause() - leave all to the worker for a while
 * @queue: the queue
 * @waited: since who notified had to wait; if not, it could begin nothing
 *
 * Context: who notified, under the queue's mutex.
 */
void vblk_kicker_pause(struct vblk_queue *queue, bool waited)
{
	queue->kicker.pause = waited ? VBLK_KICKER_LONG_PAUSE : VBLK_KICKER_PAUSE;
}

/**
 * vblk_kicker_take() - have the caller serve the queue on its way back
 * @queue: the queue
 *
 * Context: any; whoever notifies the queue, under the lock of its eventfd.
 * Return: whether it will
 */
bool vblk_kicker_take(struct vblk_queue *queue)
{
	if (!READ_ONCE(queue->kicker.welcome) || vblk_queue_is_busy(queue) ||
	    !vblk_kicker_is_here())
		return false;
	if (test_and_set_bit(0, &queue->queued))
		return true;
	vblk_dev_get(queue->dev);
	if (likely(!task_work_add(current, &queue->kicker.work, TWA_RESUME)))
		return true;
	clear_bit(0, &queue->queued);
	vblk_dev_put(queue->dev);
	return false;
}
