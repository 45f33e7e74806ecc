// SPDX-License-Identifier: GPL-2.0-only
/* A queue's eventfds: how the driver notifies it, and how it interrupts the driver. */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>

#include "kicker.h"
#include "queue.h"
#include "trace.h"

/* Runs with the lock of the eventfd held: no lock of ours may be taken. */
static int vblk_queue_kicked(wait_queue_entry_t *entry, unsigned int mode, int sync, void *key)
{
	struct vblk_queue *queue = container_of(entry, struct vblk_queue, kick_entry);

	if (key_to_poll(key) & EPOLLIN) {
		queue->kicks++;
		trace_vblk_queue_kick(queue);
		if (!vblk_kicker_take(queue))
			vblk_queue_wake(queue);
	}
	return 0;
}

static void vblk_queue_hook(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	struct vblk_queue *queue = container_of(table, struct vblk_queue, kick_table);

	queue->kick_head = head;
	add_wait_queue(head, &queue->kick_entry);
}

static void vblk_queue_unhook(struct vblk_queue *queue)
{
	if (!queue->kick)
		return;
	remove_wait_queue(queue->kick_head, &queue->kick_entry);
	fput(queue->kick);
	queue->kick = NULL;
}

/**
 * vblk_queue_set_kick() - set where the driver's notifications come from
 * @queue: the queue
 * @fd: an eventfd; -1 for none
 *
 * Context: under the device's mutex.
 * Return: 0, -EBADF, -EINVAL
 */
int vblk_queue_set_kick(struct vblk_queue *queue, int fd)
{
	struct file *file = NULL;

	if (fd != -1) {
		file = eventfd_fget(fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	vblk_queue_unhook(queue);
	if (!file)
		return 0;
	queue->kick = file;
	init_waitqueue_func_entry(&queue->kick_entry, vblk_queue_kicked);
	init_poll_funcptr(&queue->kick_table, vblk_queue_hook);
	/* It may have been signalled before. */
	if (vfs_poll(file, &queue->kick_table) & EPOLLIN)
		vblk_queue_wake(queue);
	return 0;
}

static int vblk_queue_set_eventfd(struct vblk_queue *queue, struct eventfd_ctx **at, int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd != -1) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	/* After this, nobody signals the old one. */
	spin_lock_irq(&queue->done_lock);
	swap(ctx, *at);
	spin_unlock_irq(&queue->done_lock);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

/**
 * vblk_queue_set_call() - set how to interrupt the driver
 * @queue: the queue
 * @fd: an eventfd; -1 for none
 *
 * Never waits for requests: VMMs do this whenever the driver masks an interrupt.
 * The new one is signalled once, for what the old one may have missed.
 *
 * Context: under the device's mutex.
 * Return: 0, -EBADF, -EINVAL
 */
int vblk_queue_set_call(struct vblk_queue *queue, int fd)
{
	int ret = vblk_queue_set_eventfd(queue, &queue->call, fd);

	if (ret)
		return ret;
	spin_lock_irq(&queue->done_lock);
	if (queue->call)
		eventfd_signal(queue->call);
	spin_unlock_irq(&queue->done_lock);
	return 0;
}

/**
 * vblk_queue_set_err() - set how to tell the VMM that the ring is broken
 * @queue: the queue
 * @fd: an eventfd; -1 for none
 *
 * Context: under the device's mutex.
 * Return: 0, -EBADF, -EINVAL
 */
int vblk_queue_set_err(struct vblk_queue *queue, int fd)
{
	return vblk_queue_set_eventfd(queue, &queue->err, fd);
}

/**
 * vblk_queue_drop_eventfds() - forget all of them
 * @queue: one that nobody notifies any more, nor serves
 */
void vblk_queue_drop_eventfds(struct vblk_queue *queue)
{
	vblk_queue_unhook(queue);
	if (queue->call)
		eventfd_ctx_put(queue->call);
	if (queue->err)
		eventfd_ctx_put(queue->err);
}
