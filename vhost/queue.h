/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_QUEUE_H
#define _VBLK_QUEUE_H

#include <linux/eventfd.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "../vringh/vring.h"
#include "backend.h"
#include "busyloop.h"
#include "kicker.h"
#include "map.h"
#include "overflow.h"
#include "pin.h"
#include "polled.h"

struct vblk_dev;
struct vblk_memory;
struct vblk_request;
struct vblk_worker;

/* Pages of a request that are pinned at a time. */
#define VBLK_PIN_PAGES 64

/* The parts of a ring. */
enum {
	VBLK_MAP_DESC,
	VBLK_MAP_AVAIL,
	VBLK_MAP_USED,
	VBLK_MAPS,
};

enum vblk_queue_state {
	VBLK_STOPPED,	/* not served; where a queue begins and ends */
	VBLK_RUNNING,
	VBLK_STOPPING,	/* nothing new is taken, the rest is waited for */
	VBLK_BROKEN,	/* as running, but the driver broke the ring; until it is stopped */
	VBLK_DEAD,	/* the device was closed; requests in flight only end */
};

/*
 * Counters of a queue; they only grow, until the device is reset. Written under
 * @mutex; fdinfo reads without.
 */
struct vblk_queue_stats {
	u64 requests;	/* that were begun */
	u64 failed;	/* of those, which did not end well */
	u64 bad_chains;	/* that were given back at once */
	u64 bounced;	/* requests whose buffers the disk could not take */
	u64 overflows;	/* requests that the disk had no room for at once */
	u64 stalls;	/* times that there was no memory */
	u64 at_kick;	/* requests that who notified began */
	u64 polled;	/* requests that the disk was polled for */
	u64 pins;	/* pages of the owner */
	u64 unpins;
	u64 maps;	/* times that the ring was mapped */
};

/*
 * One virtqueue.
 *
 * Who may touch a field:
 *   I	constant once the queue is there
 *   C	@mutex; fdinfo reads without
 *   V	@mutex, and @avail_lock if @avail_mapped
 *   E	@done_lock; what is marked (C) as well is written under both
 *   D	the device's mutex
 *   A	atomic
 *
 * What is read without its lock is written with WRITE_ONCE(), but for what only fdinfo
 * reads so.
 *
 * @mutex is held while the worker serves the queue, and so while the owner's memory
 * is touched: who waits for it waits killably, and not in what a VMM calls while
 * the guest's driver is at work (VHOST_SET_VRING_CALL). Lock order: the device's
 * mutex, @mutex, @avail_lock, @done_lock.
 *
 * The ring is mapped, so that who ends a request gives it back, in any context.
 * When the owner's memory changes under the map, each side is served through the
 * owner's addresses, by the worker, until it is mapped again. The locks see to it
 * that nobody is at work in a map that is no longer valid.
 */
struct vblk_queue {
	struct vblk_dev *dev;			/* I */
	u32 index;				/* I */
	struct list_head gone;			/* when the device drops it */

	struct mutex mutex;			/* for what is marked C */
	enum vblk_queue_state state;		/* E (C), D reads without */
	struct vr vr;				/* V, its used side: E if @used_mapped, else C */
	struct vr_chain chain;			/* C what vr_pop() fills in */
	u64 table;				/* C where the guest has one that is not kept */
	int stalled;				/* C why @chain was taken but not begun: -ENOMEM,
						 * -EAGAIN, -EBADMSG; 0 if it was
						 */
	struct vblk_busyloop busyloop;		/* C, its limit: D */
	u64 charge;				/* C what it cost so far in this go, in bytes */
	struct vblk_limits limits;		/* C of the disk, in this go */
	bool unmappable;			/* C it was tried, and is not worth more */
	bool hurried;				/* C whoever serves it may wait for nothing */
	struct task_struct *server;		/* C the worker that will look for what ended */
	struct list_head here;			/* C requests that ended in it, while at work */
	u32 nr_here;				/* C number of those, not in @ended yet */
	struct vblk_memory *memory;		/* C while it is not stopped */
	u64 features;				/* C likewise */
	bool little_endian;			/* C likewise */
	struct vblk_request *requests;		/* C likewise */
	struct vblk_request **free;		/* C those not in use: the last is the next */
	u32 nr_free;				/* C number of those */
	u64 started;				/* C requests that were taken */
	u64 released;				/* C and are free again */
	struct vblk_queue_stats stats;		/* C */
	struct vblk_map maps[VBLK_MAPS];	/* C */
	bool has_maps;				/* C @maps are initialised */
	struct vblk_pins pins;			/* C */
	struct page *pages[VBLK_PIN_PAGES];	/* C while some are pinned */
	struct delayed_work later;		/* serves what need not be served at once */
	struct vblk_overflow overflow;
	struct vblk_polled polled;		/* C */
	struct vblk_kicker kicker;		/* C */

	spinlock_t avail_lock;			/* for the avail side, while it is mapped */
	bool avail_mapped;			/* written under @avail_lock, C reads without */
	bool atomic;				/* likewise, @avail_lock is held */

	spinlock_t done_lock;			/* for what is marked E */
	bool used_mapped;			/* E */
	struct list_head done;			/* E requests that ended, for the worker */
	struct list_head given;			/* E those that were given back already */
	u64 ended;				/* E how many ever ended */
	u64 finished;				/* E and were given back, D reads without */
	u64 direct;				/* E of those, where they ended */
	u32 untold;				/* E and of which the driver was not told yet */
	u64 interrupts;				/* E */
	struct eventfd_ctx *call;		/* E */
	struct eventfd_ctx *err;		/* E */

	/* What the VMM said, for the next start. */
	u32 num;				/* D */
	u32 base;				/* D */
	struct vr_areas at;			/* D */
	bool has_at;				/* D */
	bool big_endian;			/* D */

	struct file *kick;			/* D */
	wait_queue_head_t *kick_head;		/* D */
	wait_queue_entry_t kick_entry;		/* D */
	poll_table kick_table;			/* D */
	u64 kicks;				/* under the lock of the eventfd */

	unsigned long queued;			/* A bit 0: on a worker's list */
	struct llist_node work;			/* the list's, while queued */
	struct vblk_worker __rcu *worker;	/* D writes */
	wait_queue_head_t drained;		/* woken when nothing is in flight */
};

/* Descriptors of a ring, at most. */
#define VBLK_MAX_RING 32768

/* Under the device's mutex: does the queue's set-up have to stay as it is? */
static inline bool vblk_queue_runs(const struct vblk_queue *queue)
{
	return READ_ONCE(queue->state) != VBLK_STOPPED;
}

/* Is this the worker, at work for the queue? */
static inline bool vblk_queue_is_served_here(const struct vblk_queue *queue)
{
	return READ_ONCE(queue->server) == current && in_task();
}

/* Was not all given back that was taken? Under @mutex, what is not busy stays so. */
static inline bool vblk_queue_is_busy(const struct vblk_queue *queue)
{
	/* Without, it is asked again. */
	return data_race(queue->finished != queue->started);
}

/* Of how many given back was the driver not told? Under @mutex. */
static inline u32 vblk_queue_untold(const struct vblk_queue *queue)
{
	/* Others only make it 0, and have told the driver then. */
	return data_race(queue->untold);
}

/* How to pin pages: not by bringing them to memory, where that may not be waited for. */
static inline unsigned int vblk_queue_gup(const struct vblk_queue *queue)
{
	return queue->hurried ? FOLL_NOFAULT : 0;
}

struct vblk_queue *vblk_queue_create(struct vblk_dev *dev, u32 index);
void vblk_queue_destroy(struct vblk_queue *queue);
void vblk_queue_wake(struct vblk_queue *queue);
void vblk_queue_serve(struct vblk_queue *queue, const struct vblk_worker *worker);
void vblk_queue_serve_at_kick(struct vblk_queue *queue);
void vblk_queue_pass_on(struct vblk_queue *queue);
void vblk_queue_end(struct vblk_queue *queue, struct vblk_request *request);
void vblk_queue_unend(struct vblk_queue *queue);
int vblk_queue_prepare(struct vblk_queue *queue);
void vblk_queue_start(struct vblk_queue *queue);
void vblk_queue_abandon(struct vblk_queue *queue);
int vblk_queue_stop(struct vblk_queue *queue);
bool vblk_queue_kill(struct vblk_queue *queue);
int vblk_queue_set_memory(struct vblk_queue *queue, struct vblk_memory *memory, bool drain);

/* eventfd.c */
int vblk_queue_set_kick(struct vblk_queue *queue, int fd);
int vblk_queue_set_call(struct vblk_queue *queue, int fd);
int vblk_queue_set_err(struct vblk_queue *queue, int fd);
void vblk_queue_drop_eventfds(struct vblk_queue *queue);

#endif /* _VBLK_QUEUE_H */
