// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker that looks for more before it sleeps, for as long as the VMM allows, where lately
 * that took a quarter of that time for each chain that it found, on average: to look for longer
 * would cost more of the CPU than to sleep and to be woken.
 *
 * While it looks, the driver need not be told at once of what was given back, if it goes on
 * without: where the disk is fast it would be interrupted for each request, and be kept from
 * offering the next. It is told of half as many as it offers before it waits, so that it still
 * has others to offer then. A driver that waits for each request is told of each. No chain is
 * held back for longer than the worker may look for more.
 */
#include <linux/ktime.h>
#include <linux/sched/signal.h>

#include "busyloop.h"
#include "queue.h"
#include "ring.h"
#include "worker.h"

/* The part of that time, and of how many chains the average is. */
#define VBLK_BUSYLOOP_PART 4
#define VBLK_BUSYLOOP_LATELY 64ULL

/*
 * How many chains are held back at most, and of how many the driver is told, if fewer are,
 * until as many are tried again: for that, who offers one at a time has to wait four times.
 */
#define VBLK_BUSYLOOP_HOLD 16
#define VBLK_BUSYLOOP_TOLD 256

/* For how long the VMM allows to look, in ns. */
static u64 vblk_busyloop_limit(const struct vblk_queue *queue)
{
	return (u64)READ_ONCE(queue->busyloop.limit) * NSEC_PER_USEC;
}

/**
 * vblk_busyloop_try() - see anew whether the driver goes on without being told
 * @queue: the queue
 *
 * Context: who serves the queue, under its mutex.
 */
void vblk_busyloop_try(struct vblk_queue *queue)
{
	queue->busyloop.hold = VBLK_BUSYLOOP_HOLD;
	queue->busyloop.told = 0;
}

/* There is more, which was looked for or not. */
static void vblk_busyloop_found(struct vblk_queue *queue)
{
	struct vblk_busyloop *loop = &queue->busyloop;

	loop->waited += min(ktime_get_ns() - loop->since, vblk_busyloop_limit(queue));
	loop->since = 0;
	/* Who notified may have begun any number meanwhile. */
	loop->found += min(queue->stats.requests - loop->requests, VBLK_BUSYLOOP_LATELY);
	loop->requests = queue->stats.requests;
	if (loop->found >= VBLK_BUSYLOOP_LATELY) {
		loop->waited /= 2;
		loop->found /= 2;
	}
	if (vblk_queue_untold(queue))
		queue->kicker.goes_on = true;
}

/**
 * vblk_busyloop_adapt() - the worker is awake again: was it right to sleep?
 * @queue: the queue
 *
 * Context: the worker, under the queue's mutex.
 */
void vblk_busyloop_adapt(struct vblk_queue *queue)
{
	if (!vblk_queue_untold(queue))
		queue->busyloop.held = 0;
	if (queue->busyloop.since && vblk_ring_pending(queue))
		vblk_busyloop_found(queue);
}

/* The driver goes on without being told, and is told when that was enough. */
static void vblk_busyloop_hold(struct vblk_queue *queue, u64 now)
{
	struct vblk_busyloop *loop = &queue->busyloop;
	u32 untold = vblk_queue_untold(queue);

	if (untold >= loop->hold) {
		loop->told += untold;
		vblk_ring_tell(queue);
		if (loop->told >= VBLK_BUSYLOOP_TOLD)
			vblk_busyloop_try(queue);
	}
	if (!vblk_queue_untold(queue))
		loop->held = 0;
	else if (!loop->held)
		loop->held = now;
}

/* It does not. */
static void vblk_busyloop_unhold(struct vblk_queue *queue)
{
	struct vblk_busyloop *loop = &queue->busyloop;

	loop->hold = max3(vblk_queue_untold(queue) / 2, loop->hold / 2, 1U);
	loop->held = 0;
	loop->since = 0;
	vblk_ring_tell(queue);
}

/* Others wait for the worker, or for its CPU. */
static bool vblk_busyloop_is_in_the_way(const struct vblk_worker *worker)
{
	return worker->has_others || !llist_empty(&worker->work) || need_resched() ||
	       signal_pending(current);
}

/* As vblk_busyloop_wait(), until @end. */
static int vblk_busyloop_look(struct vblk_queue *queue, const struct vblk_worker *worker, u64 end)
{
	while (ktime_get_ns() < end) {
		if (vblk_busyloop_is_in_the_way(worker))
			return -EBUSY;
		if (vblk_ring_pending(queue))
			return 1;
		cpu_relax();
	}
	return 0;
}

/**
 * vblk_busyloop_wait() - wait a little for the next chain
 * @queue: the queue
 * @worker: whose thread this is
 *
 * As long as the worker has nothing else to do: the driver need not notify, nor the
 * worker be woken.
 *
 * Context: the worker, under the queue's mutex.
 * Return: 1 to look again, as there is one, or the driver was told only now; 0 if it was
 * long enough; -EBUSY if others are to be served meanwhile
 */
int vblk_busyloop_wait(struct vblk_queue *queue, const struct vblk_worker *worker)
{
	struct vblk_busyloop *loop = &queue->busyloop;
	u64 limit = vblk_busyloop_limit(queue), now;
	int ret;

	/* Who notifies next needs no worker. */
	if (!limit || queue->kicker.welcome)
		return 0;
	now = ktime_get_ns();
	loop->since = loop->since ?: now;
	if (loop->waited > loop->found * limit / VBLK_BUSYLOOP_PART)
		return 0;
	vblk_busyloop_hold(queue, now);
	vblk_pins_end(&queue->pins);
	ret = vblk_busyloop_look(queue, worker, (loop->held ?: loop->since) + limit);
	vblk_pins_begin(&queue->pins);
	if (ret > 0)
		vblk_busyloop_found(queue);
	if (ret || !vblk_queue_untold(queue))
		return ret;
	vblk_busyloop_unhold(queue);
	return 1;
}
