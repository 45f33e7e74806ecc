// SPDX-License-Identifier: GPL-2.0-only
/* The threads that serve queues. */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>

#include "queue.h"
#include "worker.h"

/* One round over what there is to do; false if there was nothing. */
static bool vblk_worker_run(void *arg)
{
	struct vblk_worker *worker = arg;
	struct vblk_queue *queue, *next;
	struct llist_node *work;

	/* The caller has set the state to sleep: who adds from here on wakes. */
	work = llist_del_all(&worker->work);
	if (!work)
		return false;
	__set_current_state(TASK_RUNNING);
	llist_for_each_entry_safe(queue, next, llist_reverse_order(work), work) {
		worker->has_others = queue->work.next;
		vblk_queue_serve(queue, worker);
		cond_resched();
	}
	return true;
}

/*
 * The owner is being killed. What is left to do is left undone: nobody in its
 * memory is there to see it. Requests in flight end with the device.
 */
static void vblk_worker_killed(void *arg)
{
}

/**
 * vblk_worker_create() - start a worker
 *
 * Context: the owner, whose memory and cgroups the worker gets.
 * Return: the worker, or -ENOMEM, -EAGAIN (RLIMIT_NPROC), -EINTR
 */
struct vblk_worker *vblk_worker_create(void)
{
	struct vblk_worker *worker;
	char name[TASK_COMM_LEN];
	struct vhost_task *task;

	worker = kzalloc(sizeof(*worker), GFP_KERNEL_ACCOUNT);
	if (!worker)
		return ERR_PTR(-ENOMEM);
	init_llist_head(&worker->work);
	snprintf(name, sizeof(name), "vblk-%d", current->pid);
	task = vhost_task_create(vblk_worker_run, vblk_worker_killed, worker, name);
	if (IS_ERR_OR_NULL(task)) {	/* NULL before 6.14 */
		kfree(worker);
		return task ? ERR_CAST(task) : ERR_PTR(-ENOMEM);
	}
	worker->task = task;
	vhost_task_start(task);
	return worker;
}

/**
 * vblk_worker_destroy() - end a worker
 * @worker: one to which nobody adds any more; NULL is none
 *
 * What it still had to do is for those that its queues have now.
 *
 * Context: may sleep, for as long as a queue is being served.
 */
void vblk_worker_destroy(struct vblk_worker *worker)
{
	struct vblk_queue *queue, *next;

	if (!worker)
		return;
	vhost_task_stop(worker->task);
	llist_for_each_entry_safe(queue, next, llist_del_all(&worker->work), work) {
		clear_bit_unlock(0, &queue->queued);
		vblk_queue_wake(queue);
	}
	kfree(worker);
}

/**
 * vblk_worker_add() - have a worker serve a queue
 * @worker: the worker
 * @work: the queue's, which is on no worker's list
 *
 * Context: any.
 */
void vblk_worker_add(struct vblk_worker *worker, struct llist_node *work)
{
	/* Whoever finds the list empty wakes for all. */
	if (llist_add(work, &worker->work))
		vhost_task_wake(worker->task);
}
