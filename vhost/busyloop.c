// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker that looks for more before it sleeps: for as long as lately there was more in
 * that time, and no longer than the VMM allows.
 */
#include <linux/ktime.h>
#include <linux/sched/signal.h>

#include "busyloop.h"
#include "queue.h"
#include "ring.h"
#include "worker.h"

/* The least that is polled for, in ns, if any. */
#define VBLK_MIN_POLL 10000ULL

/* For how long the VMM allows to poll, in ns. */
static u64 vblk_busyloop_limit(const struct vblk_queue *queue)
{
	return (u64)READ_ONCE(queue->busyloop) * NSEC_PER_USEC;
}

/**
 * vblk_busyloop_adapt() - the worker is awake again: was it right to sleep?
 * @queue: the queue
 *
 * The driver offers something after a while: had it been found by polling, for not
 * longer than allowed? Then the next may be. If not, there is no sense in polling.
 *
 * Context: the worker, under the queue's mutex.
 */
void vblk_busyloop_adapt(struct vblk_queue *queue)
{
	u64 limit = vblk_busyloop_limit(queue), waited;

	if (!queue->idle_since || !vblk_ring_pending(queue))
		return;
	waited = ktime_get_ns() - queue->idle_since;
	queue->idle_since = 0;
	if (waited > limit)
		queue->poll_ns = 0;
	else if (waited > queue->poll_ns)
		queue->poll_ns = min(max(2 * queue->poll_ns, VBLK_MIN_POLL), limit);
}

/* Others wait for the worker, or for its CPU. */
static bool vblk_busyloop_is_in_the_way(const struct vblk_worker *worker)
{
	return !llist_empty(&worker->work) || need_resched() || signal_pending(current);
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
 * Return: whether there is one
 */
bool vblk_busyloop_wait(struct vblk_queue *queue, const struct vblk_worker *worker)
{
	u64 limit = vblk_busyloop_limit(queue), end;
	bool found = false;

	if (!limit)
		return false;
	vblk_ring_tell(queue);
	vblk_pins_end(&queue->pins);
	queue->idle_since = ktime_get_ns();
	end = queue->idle_since + min(queue->poll_ns, limit);
	while (ktime_get_ns() < end && !vblk_busyloop_is_in_the_way(worker)) {
		found = vblk_ring_pending(queue);
		if (found) {
			queue->idle_since = 0;
			break;
		}
		cpu_relax();
	}
	vblk_pins_begin(&queue->pins);
	return found;
}
