// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that the disk does not interrupt for: the worker asks it whether they have
 * ended, and does not sleep as long as there are any. That takes a CPU for as long, but
 * neither an interrupt nor a wake-up. Who notified, and began one, asks for a while as well.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

#include "device.h"
#include "polled.h"
#include "queue.h"
#include "request.h"

static bool vblk_poll_disk;
module_param_named(poll_disk, vblk_poll_disk, bool, 0644);
MODULE_PARM_DESC(poll_disk, "poll disks that can be polled for what ended (no)");

/* For how long who notified may ask, in ns: it has a guest to go back to. */
#define VBLK_POLLED_WAIT (20 * NSEC_PER_USEC)

static bool vblk_polled_has_ended(const struct vblk_request *request)
{
	return !atomic_read(&request->bios_left);
}

/* Ask the disk for a bio, and end all that it knows to have ended in one go. */
static void vblk_polled_ask(struct bio *bio)
{
	DEFINE_IO_COMP_BATCH(batch);

	bio_poll(bio, &batch, BLK_POLL_ONESHOT);
	if (batch.complete)
		batch.complete(&batch);
}

/**
 * vblk_polled_poll() - ask the disk for what has ended
 * @queue: the queue
 *
 * A disk with hardware queues tells of all requests of the one that a bio is in; others, as
 * device mapper, of that bio alone. So it is asked by one after the other, until one has
 * not ended. A bio that was not started yet, or was merged into another, has nothing to be
 * asked by. Who began a bio may ask until it is used for something else, also after its end.
 *
 * Context: who serves the queue, under its mutex, or the kernel's thread in its place.
 */
void vblk_polled_poll(struct vblk_queue *queue)
{
	struct vblk_request *request;

	list_for_each_entry(request, &queue->polled.requests, polled) {
		if (vblk_polled_has_ended(request) ||
		    READ_ONCE(request->bio.bi_cookie) == BLK_QC_T_NONE)
			continue;
		vblk_polled_ask(&request->bio);
		if (!vblk_polled_has_ended(request))
			break;
	}
}

static bool vblk_polled_have_all_ended(const struct vblk_queue *queue)
{
	const struct vblk_request *request;

	list_for_each_entry(request, &queue->polled.requests, polled)
		if (!vblk_polled_has_ended(request))
			return false;
	return true;
}

/**
 * vblk_polled_wait() - ask the disk until all has ended, for a little while
 * @queue: the queue
 *
 * Who has other things to do leaves it at that.
 *
 * Context: who notified, under the queue's mutex.
 * Return: false if it took too long
 */
bool vblk_polled_wait(struct vblk_queue *queue)
{
	u64 now, end = 0;

	for (;;) {
		vblk_polled_poll(queue);
		if (vblk_polled_have_all_ended(queue) || need_resched() || signal_pending(current))
			return true;
		now = ktime_get_ns();
		end = end ?: now + VBLK_POLLED_WAIT;
		if (now >= end)
			return false;
		cpu_relax();
	}
}

static bool vblk_polled_is_in_flight(struct vblk_queue *queue)
{
	bool in_flight;

	spin_lock_irq(&queue->done_lock);
	in_flight = queue->ended != queue->started;
	spin_unlock_irq(&queue->done_lock);
	return in_flight;
}

/* There is no worker any more, and nobody waits. */
static void vblk_polled_work(struct work_struct *work)
{
	struct vblk_queue *queue = container_of(work, struct vblk_queue, polled.work);

	while (vblk_polled_is_in_flight(queue)) {
		vblk_polled_poll(queue);
		usleep_range(100, 1000);
	}
}

/**
 * vblk_polled_init() - there are none
 * @queue: the queue
 */
void vblk_polled_init(struct vblk_queue *queue)
{
	INIT_LIST_HEAD(&queue->polled.requests);
	INIT_WORK(&queue->polled.work, vblk_polled_work);
}

/**
 * vblk_polled_exit() - undo vblk_polled_init()
 * @queue: one with nothing in flight
 *
 * Context: may sleep.
 */
void vblk_polled_exit(struct vblk_queue *queue)
{
	flush_work(&queue->polled.work);
}

/**
 * vblk_polled_update() - decide whether to poll for the requests that begin next
 * @queue: the queue, with its limits
 *
 * Context: who serves the queue, under its mutex.
 */
void vblk_polled_update(struct vblk_queue *queue)
{
	queue->polled.wanted = queue->limits.polls && READ_ONCE(vblk_poll_disk);
}

/**
 * vblk_polled_add() - have the disk polled for a request
 * @request: one that was submitted as a bio that is REQ_POLLED
 *
 * Context: who serves the queue, under its mutex.
 */
void vblk_polled_add(struct vblk_request *request)
{
	list_add_tail(&request->polled, &request->queue->polled.requests);
	request->queue->stats.polled++;
}

/**
 * vblk_polled_drop() - a request that was polled for has ended, by whatever
 * @request: the request
 *
 * Context: who serves the queue, under its mutex.
 */
void vblk_polled_drop(struct vblk_request *request)
{
	list_del_init(&request->polled);
	request->polls = false;
}

/**
 * vblk_polled_leave() - the worker is gone, but its requests are not
 * @queue: one that is dead
 *
 * Context: the last close.
 */
void vblk_polled_leave(struct vblk_queue *queue)
{
	if (vblk_polled_any(&queue->polled))
		queue_work(vblk_disk_wq, &queue->polled.work);
}
