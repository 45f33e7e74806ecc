// SPDX-License-Identifier: GPL-2.0-only
/* A virtqueue: how it is served, started and stopped. */
#include <linux/blkdev.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "device.h"
#include "memory.h"
#include "queue.h"
#include "request.h"
#include "ring.h"
#include "trace.h"
#include "worker.h"

/*
 * What a queue may do in one go, for other queues of the worker to have their
 * turn: requests, and bytes of data, or of what is as much work.
 */
#define VBLK_BUDGET_REQUESTS 256
#define VBLK_BUDGET_BYTES SZ_8M

/* How often it may wait for more to do meanwhile: who stops it waits as long. */
#define VBLK_BUDGET_ROUNDS 64

/*
 * Chains that are given back at a time, and of which the driver is told at the latest, and
 * requests the disk is told to expect.
 */
#define VBLK_BATCH 32

/* How long to wait for memory, and before looking for pages that are pinned for nothing. */
#define VBLK_RETRY msecs_to_jiffies(10)
#define VBLK_LATER HZ

/*
 * Requests are given back where they end, if that can be. To compare, and to test
 * the other way, which is always there: have the worker give all of them back.
 */
static bool vblk_defer;
module_param_named(defer, vblk_defer, bool, 0644);
MODULE_PARM_DESC(defer, "have the worker give all requests back (for tests)");

/**
 * vblk_queue_wake() - have the queue served
 * @queue: the queue
 *
 * Context: any.
 */
void vblk_queue_wake(struct vblk_queue *queue)
{
	struct vblk_worker *worker;

	rcu_read_lock();
	worker = rcu_dereference(queue->worker);
	if (worker && !test_and_set_bit(0, &queue->queued))
		vblk_worker_add(worker, &queue->work);
	rcu_read_unlock();
}

/* The request may be given back where it ended. */
static bool vblk_queue_give_here(struct vblk_queue *queue, struct vblk_request *request)
{
	struct vr_done done = { .ticket = request->ticket };

	if (!queue->used_mapped || READ_ONCE(vblk_defer) ||
	    !vblk_request_finish_here(request, &done.len))
		return false;
	vblk_ring_give_locked(queue, &done);
	queue->direct++;
	list_add_tail(&request->node, &queue->given);
	return true;
}

static noinline void vblk_queue_end_elsewhere(struct vblk_queue *queue,
					      struct vblk_request *request)
{
	unsigned long flags;
	bool last = false;

	spin_lock_irqsave(&queue->done_lock, flags);
	queue->ended++;
	if (queue->state == VBLK_DEAD) {
		list_add_tail(&request->node, &queue->given);
		last = queue->ended == queue->started;
	} else if (!vblk_queue_give_here(queue, request)) {
		list_add_tail(&request->node, &queue->done);
		/* Under the lock: when it is dropped, the queue may go. */
		vblk_queue_wake(queue);
	}
	spin_unlock_irqrestore(&queue->done_lock, flags);
	if (last)
		vblk_dev_put(queue->dev);
}

/**
 * vblk_queue_end() - a request has ended
 * @queue: its queue
 * @request: the request
 *
 * Context: any.
 */
void vblk_queue_end(struct vblk_queue *queue, struct vblk_request *request)
{
	if (!vblk_queue_is_served_here(queue)) {
		vblk_queue_end_elsewhere(queue, request);
		return;
	}
	/* Who serves it will look for these, and give all of them back at once. */
	list_add_tail(&request->node, &queue->here);
	queue->nr_here++;
}

/**
 * vblk_queue_unend() - a request that ended is begun again
 * @queue: its queue
 *
 * Context: the worker.
 */
void vblk_queue_unend(struct vblk_queue *queue)
{
	spin_lock_irq(&queue->done_lock);
	queue->ended--;
	spin_unlock_irq(&queue->done_lock);
}

static void vblk_queue_release(struct vblk_queue *queue, struct vblk_request *request)
{
	if (unlikely(request->status != VIRTIO_BLK_S_OK))
		queue->stats.failed++;
	if (unlikely(request->polls))
		vblk_polled_drop(request);
	vblk_request_release(request);
	queue->free[queue->nr_free++] = request;
	queue->released++;
}

/* Let go of what was given back where it ended. */
static void vblk_queue_reap(struct vblk_queue *queue)
{
	struct vblk_request *request, *next;
	LIST_HEAD(given);

	spin_lock_irq(&queue->done_lock);
	list_splice_init(&queue->given, &given);
	spin_unlock_irq(&queue->done_lock);
	list_for_each_entry_safe(request, next, &given, node)
		vblk_queue_release(queue, request);
}

/*
 * As long as there is more in the ring the driver is not told: it is at work, and the
 * later it is interrupted, the more it is told of at once.
 */
static void vblk_queue_give(struct vblk_queue *queue, const struct vr_done *done, u32 n)
{
	vblk_ring_give(queue, done, n);
	if (vblk_queue_untold(queue) >= VBLK_BATCH)
		vblk_ring_tell(queue);
}

/* Give back what ended, and was not given back there. */
static void vblk_queue_finish(struct vblk_queue *queue)
{
	struct vr_done done[VBLK_BATCH];
	struct vblk_request *request, *next;
	LIST_HEAD(ended);
	u32 n = 0;

	spin_lock_irq(&queue->done_lock);
	list_splice_init(&queue->done, &ended);
	queue->ended += queue->nr_here;
	spin_unlock_irq(&queue->done_lock);
	list_splice_tail_init(&queue->here, &ended);
	queue->nr_here = 0;

	list_for_each_entry_safe(request, next, &ended, node) {
		if (!vblk_request_finish(request, &done[n].len))
			continue;
		done[n++].ticket = request->ticket;
		vblk_queue_release(queue, request);
		if (n == VBLK_BATCH) {
			vblk_queue_give(queue, done, n);
			n = 0;
		}
	}
	if (n)
		vblk_queue_give(queue, done, n);
}

static void vblk_queue_give_back_bad(struct vblk_queue *queue)
{
	struct vr_done done = { .ticket = queue->chain.ticket };

	queue->stats.bad_chains++;
	trace_vblk_queue_bad_chain(queue, -EBADMSG, queue->chain.fault);
	queue->started++;
	queue->released++;
	spin_lock_irq(&queue->done_lock);
	queue->ended++;
	spin_unlock_irq(&queue->done_lock);
	vblk_queue_give(queue, &done, 1);
}

/* Begin what @queue->chain asks for. */
static int vblk_queue_begin(struct vblk_queue *queue)
{
	struct vblk_request *request;
	int ret = -ENOMEM;

	if (unlikely(queue->stalled == -EBADMSG)) {
		queue->stalled = 0;
		vblk_queue_give_back_bad(queue);
		return 0;
	}
	if (!queue->nr_free)
		vblk_queue_reap(queue);
	if (queue->nr_free) {
		request = queue->free[--queue->nr_free];
		queue->started++;
		ret = vblk_request_begin(request, &queue->chain);
		if (ret) {
			queue->started--;
			queue->free[queue->nr_free++] = request;
		}
	}
	queue->stalled = ret;
	if (!ret) {
		queue->stats.requests++;
	} else if (ret == -ENOMEM) {
		queue->stats.stalls++;
		mod_delayed_work(vblk_wq, &queue->later, VBLK_RETRY);
	}
	return ret;
}

/*
 * Have the block layer prepare for what was seen in the ring, now and after as many
 * requests as it begins at a time.
 */
static void vblk_queue_announce(const struct vblk_queue *queue, u32 n)
{
	/* A worker has no other plug, but who has one keeps it. */
	if (n % VBLK_BATCH == 0 && current->plug)
		current->plug->nr_ios = min(vr_seen(&queue->vr) + 1, VBLK_BATCH);
}

/* Serve what the driver offers, within the budget; true if there may be more. */
static bool vblk_queue_take(struct vblk_queue *queue, u32 requests, u64 bytes)
{
	u32 n;
	int ret;

	queue->charge = 0;
	queue->dev->backend->ops->limits(queue->dev->backend, &queue->limits);
	vblk_polled_update(queue);
	if (queue->stalled && vblk_queue_begin(queue))
		return false;
	for (n = 0; n < requests && queue->charge < bytes; n++) {
		ret = vblk_ring_pop(queue);
		if (!ret)
			return false;
		if (ret == -EBADMSG) {
			queue->stalled = ret;
			if (queue->hurried || vblk_queue_begin(queue))
				return false;
			continue;
		}
		if (ret == -EAGAIN)
			return true;
		if (ret < 0) {
			vblk_ring_break(queue, ret);
			return false;
		}
		vblk_queue_announce(queue, n);
		queue->charge += queue->chain.out_len + queue->chain.in_len;
		if (vblk_queue_begin(queue))
			return false;
	}
	return true;
}

/* Have the disk do what the driver offers; what it ended at once is given back. */
static bool vblk_queue_go(struct vblk_queue *queue, u32 requests, u64 bytes)
{
	u64 n = queue->stats.requests;
	struct blk_plug plug;
	bool more;

	blk_start_plug(&plug);
	more = vblk_queue_take(queue, requests, bytes);
	blk_finish_plug(&plug);
	vblk_queue_finish(queue);
	vblk_kicker_update(queue, queue->stats.requests - n);
	return more;
}

/* May there be more to do, before the driver notifies? As vblk_busyloop_wait(). */
static int vblk_queue_linger(struct vblk_queue *queue, const struct vblk_worker *worker)
{
	if (unlikely(vblk_polled_any(&queue->polled))) {
		vblk_polled_poll(queue);
		vblk_queue_finish(queue);
		vblk_ring_tell(queue);
		if (vblk_polled_any(&queue->polled))
			return 1;
	}
	return vblk_busyloop_wait(queue, worker);
}

/* Serve until there is nothing more to take, or the budget is spent: true then. */
static bool vblk_queue_run(struct vblk_queue *queue, const struct vblk_worker *worker)
{
	u32 n = 0;
	int ret;

	vblk_busyloop_adapt(queue);
	ret = vblk_ring_kick_off(queue);
	if (!ret) {
		do {
			if (n++ == VBLK_BUDGET_ROUNDS ||
			    vblk_queue_go(queue, VBLK_BUDGET_REQUESTS, VBLK_BUDGET_BYTES))
				return true;
			if (queue->state != VBLK_RUNNING || queue->stalled)
				return false;
			ret = vblk_queue_linger(queue, worker);
		} while (ret > 0);
		if (ret)
			return true;
		ret = vblk_ring_kick_on(queue);
	}
	if (ret < 0)
		vblk_ring_break(queue, ret);
	return ret > 0;
}

/* Requests that ended, and pages that are not used any more, are to be let go of. */
static void vblk_queue_see_to_it(struct vblk_queue *queue)
{
	if ((queue->released != queue->started || vblk_pins_any(&queue->pins)) &&
	    !delayed_work_pending(&queue->later))
		queue_delayed_work(vblk_wq, &queue->later, VBLK_LATER);
}

/* Do what there is to do; true if there is more. */
static bool vblk_queue_serve_locked(struct vblk_queue *queue, const struct vblk_worker *worker)
{
	unsigned int noio = memalloc_noio_save();
	bool more = false;

	WRITE_ONCE(queue->server, current);
	vblk_pins_begin(&queue->pins);
	if (unlikely(vblk_polled_any(&queue->polled)))
		vblk_polled_poll(queue);
	vblk_queue_reap(queue);
	vblk_queue_finish(queue);
	if (queue->state == VBLK_RUNNING) {
		vblk_ring_map(queue);
		more = vblk_queue_run(queue, worker);
	}
	WRITE_ONCE(queue->server, NULL);
	vblk_queue_finish(queue);
	if (!more)
		vblk_ring_tell(queue);
	vblk_pins_end(&queue->pins);
	more = more || vblk_polled_any(&queue->polled);
	vblk_queue_see_to_it(queue);
	memalloc_noio_restore(noio);
	return more;
}

/*
 * The same for who notifies it: a little, or nothing. What is begun here is given back as
 * if it ended elsewhere.
 */
static bool vblk_queue_run_at_kick(struct vblk_queue *queue)
{
	int ret;

	ret = vblk_ring_pending(queue);
	if (ret > VBLK_KICKER_REQUESTS)
		return true;
	if (ret > 0 && (vblk_queue_take(queue, ret, VBLK_KICKER_BYTES) && vr_seen(&queue->vr)))
		return true;
	if (queue->stalled)
		return true;
	if (ret >= 0 && queue->state == VBLK_RUNNING)
		ret = vblk_ring_kick_on(queue);
	if (ret < 0 && ret != -EAGAIN)
		vblk_ring_break(queue, ret);
	return ret;
}

/* Begin the little that there is to do; true if there is more, or it is left to the worker. */
static bool vblk_queue_serve_at_kick_locked(struct vblk_queue *queue)
{
	unsigned int noio = memalloc_noio_save();
	unsigned long switches = current->nvcsw;
	u64 n = queue->stats.requests;
	bool more, waited = false;

	queue->hurried = true;
	vblk_pins_begin(&queue->pins);
	more = vblk_queue_run_at_kick(queue);
	if (unlikely(vblk_polled_any(&queue->polled)))
		waited = !vblk_polled_wait(queue);
	vblk_queue_reap(queue);
	vblk_pins_end(&queue->pins);
	vblk_queue_see_to_it(queue);
	n = queue->stats.requests - n;
	queue->stats.at_kick += n;
	waited |= current->nvcsw != switches;
	if (unlikely(!n || waited))
		vblk_kicker_watch(queue, waited);
	vblk_kicker_update(queue, n);
	queue->hurried = false;
	memalloc_noio_restore(noio);
	return more || vblk_polled_any(&queue->polled);
}

static void vblk_queue_begin_to_serve(struct vblk_queue *queue)
{
	clear_bit_unlock(0, &queue->queued);	/* after this, its node may be on a list again */
	smp_mb__after_atomic();	/* what is added from here on queues it again */
}

/* Nobody may serve one whose memory is gone. */
static bool vblk_queue_is_alive(const struct vblk_queue *queue)
{
	return queue->state != VBLK_STOPPED && queue->state != VBLK_DEAD;
}

/**
 * vblk_queue_serve() - do what there is to do
 * @queue: the queue
 * @worker: whose thread this is, maybe no longer the queue's
 *
 * Context: a worker, that has just taken the queue from its list.
 */
void vblk_queue_serve(struct vblk_queue *queue, const struct vblk_worker *worker)
{
	bool more;

	vblk_queue_begin_to_serve(queue);
	mutex_lock(&queue->mutex);
	more = vblk_queue_is_alive(queue) && vblk_queue_serve_locked(queue, worker);
	mutex_unlock(&queue->mutex);
	if (more)
		vblk_queue_wake(queue);
}

/**
 * vblk_queue_serve_at_kick() - begin what the driver has just notified of, if that is little
 * @queue: the queue
 *
 * What is left, and all that has to be waited for, is the worker's.
 *
 * Context: a thread of any process that notified the queue, on its way back.
 */
void vblk_queue_serve_at_kick(struct vblk_queue *queue)
{
	bool more = true;

	vblk_queue_begin_to_serve(queue);
	if (mutex_trylock(&queue->mutex)) {
		if (queue->state == VBLK_RUNNING && !queue->stalled && !vblk_queue_is_busy(queue))
			more = vblk_queue_serve_at_kick_locked(queue);
		else
			more = vblk_queue_is_alive(queue);
		mutex_unlock(&queue->mutex);
	}
	if (more)
		vblk_queue_wake(queue);
}

/**
 * vblk_queue_pass_on() - who was to serve the queue does not
 * @queue: the queue
 */
void vblk_queue_pass_on(struct vblk_queue *queue)
{
	vblk_queue_begin_to_serve(queue);
	vblk_queue_wake(queue);
}

static void vblk_queue_later(struct work_struct *work)
{
	vblk_queue_wake(container_of(to_delayed_work(work), struct vblk_queue, later));
}

/*
 * Start and stop
 */

/* Those that end requests look at it as well. */
static void vblk_queue_set_state(struct vblk_queue *queue, enum vblk_queue_state state)
{
	spin_lock_irq(&queue->done_lock);
	WRITE_ONCE(queue->state, state);
	spin_unlock_irq(&queue->done_lock);
}

static int vblk_queue_alloc(struct vblk_queue *queue)
{
	u32 i;

	queue->chain.max = max(queue->num, VBLK_MIN_SEGS);
	queue->chain.segs = kvmalloc_array(queue->chain.max, sizeof(*queue->chain.segs),
					   GFP_KERNEL_ACCOUNT);
	queue->requests = kvcalloc(queue->num, sizeof(*queue->requests), GFP_KERNEL_ACCOUNT);
	queue->free = kvmalloc_array(queue->num, sizeof(*queue->free), GFP_KERNEL_ACCOUNT);
	if (!queue->chain.segs || !queue->requests || !queue->free)
		return -ENOMEM;
	vblk_pins_alloc(&queue->pins);
	for (i = 0; i < queue->num; i++) {
		vblk_request_init(&queue->requests[i], queue);
		queue->free[queue->nr_free++] = &queue->requests[i];
	}
	return 0;
}

static void vblk_queue_free(struct vblk_queue *queue)
{
	INIT_LIST_HEAD(&queue->done);
	INIT_LIST_HEAD(&queue->given);
	kvfree(queue->free);
	queue->free = NULL;
	queue->nr_free = 0;
	kvfree(queue->requests);
	queue->requests = NULL;
	kvfree(queue->chain.segs);
	queue->chain.segs = NULL;
	vblk_pins_free(&queue->pins);
	vblk_memory_put(queue->memory);
	queue->memory = NULL;
}

/* Whether what the VMM said makes a queue; it need not use all of them. */
static bool vblk_queue_is_set_up(const struct vblk_queue *queue)
{
	return queue->num && queue->has_at;
}

static bool vblk_queue_is_prepared(const struct vblk_queue *queue)
{
	return queue->requests && !vblk_queue_runs(queue);
}

/**
 * vblk_queue_prepare() - get all that a queue needs to be served
 * @queue: the queue
 *
 * One that runs stays as it is, and so does one that was not set up: drivers may use
 * less than there are.
 *
 * Context: the owner, under the device's mutex, which has memory and a backend.
 * Return: 0, or -EFAULT, -EINVAL, -ENOMEM
 */
int vblk_queue_prepare(struct vblk_queue *queue)
{
	int ret;

	if (vblk_queue_runs(queue) || !vblk_queue_is_set_up(queue))
		return 0;
	mutex_lock(&queue->mutex);
	queue->features = queue->dev->features;
	queue->little_endian = !queue->big_endian ||
			       queue->features & BIT_ULL(VIRTIO_F_VERSION_1);
	queue->memory = queue->dev->memory;
	vblk_memory_get(queue->memory);
	ret = vblk_queue_alloc(queue) ?: vblk_ring_start(queue);
	if (!ret)
		vblk_pins_watch(&queue->pins, queue->memory);
	else
		vblk_queue_free(queue);
	mutex_unlock(&queue->mutex);
	return ret;
}

/**
 * vblk_queue_start() - begin to serve a queue, if it was prepared
 * @queue: the queue
 */
void vblk_queue_start(struct vblk_queue *queue)
{
	if (!vblk_queue_is_prepared(queue))
		return;
	mutex_lock(&queue->mutex);
	vblk_queue_set_state(queue, VBLK_RUNNING);
	mutex_unlock(&queue->mutex);
	/* What came before us was a kick to nobody. */
	vblk_queue_wake(queue);
}

/**
 * vblk_queue_abandon() - undo vblk_queue_prepare(), if it did anything
 * @queue: the queue
 */
void vblk_queue_abandon(struct vblk_queue *queue)
{
	if (!vblk_queue_is_prepared(queue))
		return;
	mutex_lock(&queue->mutex);
	vblk_pins_unwatch(&queue->pins);
	vblk_ring_stop(queue);
	vblk_queue_free(queue);
	mutex_unlock(&queue->mutex);
}

static bool vblk_queue_is_drained(const struct vblk_queue *queue)
{
	return READ_ONCE(queue->finished) == READ_ONCE(queue->started);
}

/*
 * Take nothing new, and wait for what is in flight, which needs the mutex. With 0
 * it is held, as it was before.
 */
static int vblk_queue_drain(struct vblk_queue *queue)
{
	vblk_queue_set_state(queue, VBLK_STOPPING);
	mutex_unlock(&queue->mutex);
	return wait_event_killable(queue->drained, vblk_queue_is_drained(queue)) ?:
	       mutex_lock_killable(&queue->mutex);
}

/**
 * vblk_queue_stop() - stop to serve a queue
 * @queue: the queue, in any state
 *
 * When it returns 0, nothing is in flight, all is given back, and nothing of the
 * owner's memory is touched any more. Where the ring is to go on is in base.
 *
 * Context: the owner, under the device's mutex; sleeps for as long as the disk does.
 * Return: 0, or -EINTR in a task that is being killed
 */
int vblk_queue_stop(struct vblk_queue *queue)
{
	int ret;

	ret = mutex_lock_killable(&queue->mutex);
	if (ret)
		return ret;
	if (queue->state != VBLK_STOPPED) {
		ret = vblk_queue_drain(queue);
		if (ret)
			return ret;
		/* A chain that waits for memory was not taken, as far as others know. */
		queue->base = (u16)(vr_base(&queue->vr) - !!queue->stalled);
		queue->stalled = 0;
		vblk_queue_set_state(queue, VBLK_STOPPED);
		vblk_pins_unwatch(&queue->pins);
		vblk_queue_reap(queue);
		vblk_ring_tell(queue);
		vblk_ring_stop(queue);
		vblk_queue_free(queue);
	}
	mutex_unlock(&queue->mutex);
	cancel_delayed_work_sync(&queue->later);
	return 0;
}

/**
 * vblk_queue_set_memory() - have a queue use another table of the guest's memory
 * @queue: the queue, in any state
 * @memory: the table
 * @drain: something of the old one is gone: what is in flight has to end first
 *
 * Context: the owner, under the device's mutex.
 * Return: 0, or -EINTR in a task that is being killed
 */
int vblk_queue_set_memory(struct vblk_queue *queue, struct vblk_memory *memory, bool drain)
{
	enum vblk_queue_state state;
	int ret;

	ret = mutex_lock_killable(&queue->mutex);
	if (ret)
		return ret;
	state = queue->state;
	if (state != VBLK_STOPPED) {
		if (drain) {
			ret = vblk_queue_drain(queue);
			if (ret)
				return ret;
			vblk_queue_set_state(queue, state);
		}
		vblk_pins_unwatch(&queue->pins);
		vblk_queue_reap(queue);
		vblk_memory_get(memory);
		vblk_memory_put(queue->memory);
		queue->memory = memory;
		vblk_pins_watch(&queue->pins, memory);
	}
	mutex_unlock(&queue->mutex);
	vblk_queue_wake(queue);
	return 0;
}

/**
 * vblk_queue_kill() - let go of a queue whose device is closed
 * @queue: the queue; no worker serves it any more
 *
 * Context: the last close; nobody else knows the device.
 * Return: whether there are requests in flight; the last one puts the device
 */
bool vblk_queue_kill(struct vblk_queue *queue)
{
	bool in_flight;

	cancel_delayed_work_sync(&queue->later);
	/* Who notified it last may still serve it. */
	mutex_lock(&queue->mutex);
	spin_lock_irq(&queue->done_lock);
	queue->state = VBLK_DEAD;
	in_flight = queue->ended != queue->started;
	spin_unlock_irq(&queue->done_lock);
	vblk_pins_unwatch(&queue->pins);
	vblk_ring_stop(queue);
	vblk_polled_leave(queue);
	mutex_unlock(&queue->mutex);
	return in_flight;
}

/**
 * vblk_queue_create() - a queue of which nothing is known
 * @dev: its device
 * @index: its number
 *
 * Return: the queue, or NULL if there is no memory for it
 */
struct vblk_queue *vblk_queue_create(struct vblk_dev *dev, u32 index)
{
	struct vblk_queue *queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);

	if (!queue)
		return NULL;
	queue->dev = dev;
	queue->index = index;
	mutex_init(&queue->mutex);
	spin_lock_init(&queue->done_lock);
	INIT_LIST_HEAD(&queue->done);
	INIT_LIST_HEAD(&queue->here);
	spin_lock_init(&queue->avail_lock);
	vblk_pins_init(&queue->pins);
	INIT_LIST_HEAD(&queue->given);
	INIT_DELAYED_WORK(&queue->later, vblk_queue_later);
	vblk_overflow_init(queue);
	vblk_polled_init(queue);
	vblk_kicker_init(queue);
	init_waitqueue_head(&queue->drained);
	return queue;
}

/**
 * vblk_queue_destroy() - undo vblk_queue_create()
 * @queue: one with nothing in flight, and no worker; NULL is none
 */
void vblk_queue_destroy(struct vblk_queue *queue)
{
	struct vblk_request *request;

	if (!queue)
		return;
	vblk_overflow_exit(queue);
	vblk_polled_exit(queue);
	vblk_kicker_exit(queue);
	list_for_each_entry(request, &queue->done, node)
		vblk_request_release(request);
	list_for_each_entry(request, &queue->given, node)
		vblk_request_release(request);
	vblk_queue_free(queue);
	vblk_queue_drop_eventfds(queue);
	mutex_destroy(&queue->mutex);
	kfree(queue);
}
