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
 * How often the worker serves a queue until it is known whether requests come alone, and the
 * same after one who notified had to wait, which has its guest wait.
 */
#define VBLK_KICKER_ROUNDS 16
#define VBLK_KICKER_LONG_ROUNDS 4096

/*
 * After how many that came alone to look again, which takes longer than to go on: twice as
 * many each time that they still did, up to so many.
 */
#define VBLK_KICKER_RUN 1024
#define VBLK_KICKER_LONG_RUN 16384

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
 * vblk_kicker_watch() - have the worker serve the queue for a while
 * @queue: the queue
 * @waited: since who notified had to wait
 *
 * Context: who notified, under the queue's mutex.
 */
void vblk_kicker_watch(struct vblk_queue *queue, bool waited)
{
	struct vblk_kicker *kicker = &queue->kicker;

	kicker->alone = false;
	kicker->goes_on = false;
	kicker->tried = false;
	kicker->began = 0;
	kicker->rounds = waited ? VBLK_KICKER_LONG_ROUNDS : VBLK_KICKER_ROUNDS;
	kicker->most = kicker->rounds + kicker->rounds / 4;
}

/* The same, and see whether the driver goes on if it is not told at once. */
static void vblk_kicker_try(struct vblk_queue *queue)
{
	vblk_kicker_watch(queue, false);
	vblk_busyloop_try(queue);
	queue->kicker.tried = true;
}

/**
 * vblk_kicker_init() - none has come yet
 * @queue: the queue
 */
void vblk_kicker_init(struct vblk_queue *queue)
{
	init_task_work(&queue->kicker.work, vblk_kicker_work);
	queue->kicker.run = VBLK_KICKER_RUN;
	vblk_kicker_try(queue);
}

/**
 * vblk_kicker_exit() - undo vblk_kicker_init(), and what came after it
 * @queue: one that nobody serves
 */
void vblk_kicker_exit(struct vblk_queue *queue)
{
	vblk_blkcg_put(queue->kicker.blkcg);
}

/*
 * The worker began @n requests. Where it finds more than one at a time, or the driver goes
 * on before it is told, most were not notified of, and it need not be interrupted for each:
 * better than all that could be saved here. Only the worker can know, as who notifies begins
 * what it finds at once.
 */
static void vblk_kicker_worker_served(struct vblk_queue *queue, u64 n)
{
	struct vblk_kicker *kicker = &queue->kicker;

	if (unlikely(!vblk_blkcg_is_ours(kicker->blkcg))) {
		vblk_blkcg_put(kicker->blkcg);
		kicker->blkcg = vblk_blkcg_get();
	}
	if (kicker->alone)
		return;
	kicker->began += n;
	if (!n || --kicker->rounds)
		return;
	if (kicker->began > kicker->most || kicker->goes_on) {
		kicker->run = VBLK_KICKER_RUN;
		vblk_kicker_watch(queue, false);
	} else if (kicker->tried || !READ_ONCE(queue->busyloop.limit)) {
		kicker->alone = true;
		kicker->left = kicker->run;
	} else {
		vblk_kicker_try(queue);
	}
}

/* One more came alone, as far as can be seen without the worker. */
static void vblk_kicker_served(struct vblk_queue *queue)
{
	struct vblk_kicker *kicker = &queue->kicker;

	if (--kicker->left)
		return;
	kicker->run = min(2 * kicker->run, VBLK_KICKER_LONG_RUN);
	vblk_kicker_try(queue);
}

/**
 * vblk_kicker_update() - decide whether who notifies next is to serve the queue
 * @queue: the queue, with its limits
 * @n: how many requests were begun this time
 *
 * Not where it might have to wait for the disk, and not where requests do not come alone.
 *
 * Context: who serves the queue, under its mutex.
 */
void vblk_kicker_update(struct vblk_queue *queue, u64 n)
{
	struct vblk_kicker *kicker = &queue->kicker;
	bool welcome;

	if (!queue->hurried)
		vblk_kicker_worker_served(queue, n);
	else
		vblk_kicker_served(queue);
	welcome = kicker->alone && queue->limits.nowait && READ_ONCE(vblk_at_kick) &&
		  compat_has_task_work();
	if (welcome != kicker->welcome)
		WRITE_ONCE(kicker->welcome, welcome);
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
