// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue's ring, and how it is reached: mapped, or by the owner's addresses while
 * it cannot be. Each side of it changes over by itself.
 */
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/virtio_ring.h>

#include "device.h"
#include "memory.h"
#include "queue.h"
#include "ring.h"
#include "trace.h"

/* Have the avail side use the owner's addresses, under avail_lock; false if it does. */
static bool vblk_ring_unmap_avail(struct vblk_queue *queue)
{
	if (!queue->avail_mapped)
		return false;
	WRITE_ONCE(queue->avail_mapped, false);
	vr_bind_avail(&queue->vr, VR_USER, &queue->at);
	return true;
}

/* The same for the used side, under done_lock. */
static void vblk_ring_unmap_used(struct vblk_queue *queue)
{
	if (!queue->used_mapped)
		return;
	queue->used_mapped = false;
	vr_bind_used(&queue->vr, VR_USER, &queue->at);
}

/* The map of @queue->maps that is about to be invalid. */
static void vblk_ring_invalidate(struct vblk_map *map, unsigned long seq)
{
	struct vblk_queue *queue = map->user;
	unsigned long flags;

	spin_lock(&queue->avail_lock);
	vblk_ring_unmap_avail(queue);
	spin_lock_irqsave(&queue->done_lock, flags);
	mmu_interval_set_seq(&map->notifier, seq);
	vblk_ring_unmap_used(queue);
	spin_unlock_irqrestore(&queue->done_lock, flags);
	spin_unlock(&queue->avail_lock);
}

static const struct vblk_map_ops vblk_ring_map_ops = {
	.invalidate = vblk_ring_invalidate,
};

/* Where the parts of the ring are, and how long. */
static const void *vblk_ring_part(const struct vblk_queue *queue, int part, size_t *len)
{
	size_t num = queue->num;

	switch (part) {
	case VBLK_MAP_DESC:
		*len = num * sizeof(struct vring_desc);
		return queue->at.desc;
	case VBLK_MAP_AVAIL:
		*len = sizeof(struct vring_avail) + (num + 1) * sizeof(__virtio16);
		return queue->at.avail;
	default:
		*len = sizeof(struct vring_used) + num * sizeof(struct vring_used_elem) +
		       sizeof(__virtio16);
		return queue->at.used;
	}
}

static void vblk_ring_exit_maps(struct vblk_queue *queue, int n)
{
	while (n--)
		vblk_map_exit(&queue->maps[n]);
	queue->has_maps = false;
}

static void vblk_ring_init_maps(struct vblk_queue *queue)
{
	const void *user;
	size_t len;
	int i;

	for (i = 0; i < VBLK_MAPS; i++) {
		user = vblk_ring_part(queue, i, &len);
		if (vblk_map_init(&queue->maps[i], &vblk_ring_map_ops, queue, (unsigned long)user,
				  len)) {
			vblk_ring_exit_maps(queue, i);
			return;
		}
	}
	queue->has_maps = true;
	queue->unmappable = false;
}

/* Use the maps, if they are filled and none has become invalid meanwhile. */
static bool vblk_ring_adopt(struct vblk_queue *queue)
{
	struct vblk_map *maps = queue->maps;
	struct vr_areas at = {
		.desc = vblk_map_at(&maps[VBLK_MAP_DESC], queue->at.desc),
		.avail = vblk_map_at(&maps[VBLK_MAP_AVAIL], queue->at.avail),
		.used = vblk_map_at(&maps[VBLK_MAP_USED], queue->at.used),
	};
	bool valid;

	spin_lock(&queue->avail_lock);
	spin_lock_irq(&queue->done_lock);
	valid = vblk_map_is_valid(&maps[VBLK_MAP_DESC]) &&
		vblk_map_is_valid(&maps[VBLK_MAP_AVAIL]) &&
		vblk_map_is_valid(&maps[VBLK_MAP_USED]);
	if (valid) {
		vr_bind_avail(&queue->vr, VR_KERNEL, &at);
		vr_bind_used(&queue->vr, VR_KERNEL, &at);
		WRITE_ONCE(queue->avail_mapped, true);
		queue->used_mapped = true;
	}
	spin_unlock_irq(&queue->done_lock);
	spin_unlock(&queue->avail_lock);
	return valid;
}

/**
 * vblk_ring_map() - map the ring, if it is not mapped and can be
 * @queue: one that runs
 *
 * Context: a process with the owner's memory, under the queue's mutex.
 */
void vblk_ring_map(struct vblk_queue *queue)
{
	int i, ret;

	if (READ_ONCE(queue->avail_mapped) || !queue->has_maps || queue->unmappable)
		return;
	for (i = 0; i < VBLK_MAPS; i++) {
		ret = vblk_map_fill(&queue->maps[i]);
		if (ret) {
			queue->unmappable = ret != -ENOMEM && ret != -EAGAIN;
			return;
		}
	}
	/* If not now, then the next time that the queue is served. */
	if (vblk_ring_adopt(queue))
		queue->stats.maps++;
}

/* From a page that is kept; false if it is not, or there are two. */
static bool vblk_ring_read_kept(struct vblk_queue *queue, void *to, u64 from, size_t len)
{
	struct vblk_pin *pin;
	const void *at;

	if (offset_in_page(from) + len > PAGE_SIZE)
		return false;
	pin = vblk_pins_find(&queue->pins, from);
	if (!pin)
		return false;
	at = vblk_pin_map(pin, from);
	vblk_pin_copy(to, at, len);
	kunmap_local(at);
	vblk_pins_put(pin, false);
	return true;
}

static int vblk_ring_read_table(void *context, void *to, u64 from, size_t len)
{
	struct vblk_queue *queue = context;

	if (vblk_ring_read_kept(queue, to, from, len))
		return 0;
	queue->table = from;
	/* Another process than the owner has something else there. */
	if (queue->hurried && current->mm != queue->dev->mm)
		return -EAGAIN;
	if (queue->atomic)
		return vblk_memory_read_atomic(queue->memory, to, from, len);
	return vblk_memory_read(queue->memory, to, from, len);
}

/**
 * vblk_ring_start() - begin with the ring that the VMM said
 * @queue: one that is set up, and has its memory
 *
 * Context: the owner, under the queue's mutex.
 * Return: 0, -EFAULT, -EINVAL
 */
int vblk_ring_start(struct vblk_queue *queue)
{
	struct vr_config config = {
		.num = queue->num,
		.base = queue->base,
		.features = queue->features,
		.big_endian = queue->big_endian,
		.context = queue,
		.read = vblk_ring_read_table,
	};
	int ret;

	ret = vr_init(&queue->vr, &config);
	if (ret)
		return ret;
	vr_bind_avail(&queue->vr, VR_USER, &queue->at);
	vr_bind_used(&queue->vr, VR_USER, &queue->at);
	ret = vr_start(&queue->vr);
	if (ret)
		return ret == -EPROTO ? -EINVAL : ret;
	vblk_ring_init_maps(queue);
	vblk_ring_map(queue);
	return 0;
}

/**
 * vblk_ring_stop() - undo vblk_ring_start()
 * @queue: one with nothing in flight, or that is dead
 *
 * Context: may sleep.
 */
void vblk_ring_stop(struct vblk_queue *queue)
{
	spin_lock(&queue->avail_lock);
	vblk_ring_unmap_avail(queue);
	spin_lock_irq(&queue->done_lock);
	vblk_ring_unmap_used(queue);
	spin_unlock_irq(&queue->done_lock);
	spin_unlock(&queue->avail_lock);
	if (queue->has_maps)
		vblk_ring_exit_maps(queue, VBLK_MAPS);
}

/*
 * The avail side, under the queue's mutex
 */

static int vblk_ring_do_pop(struct vblk_queue *queue)
{
	return vr_pop(&queue->vr, &queue->chain);
}

static int vblk_ring_do_pending(struct vblk_queue *queue)
{
	return vr_pending(&queue->vr);
}

static int vblk_ring_do_kick_on(struct vblk_queue *queue)
{
	return vr_kick_on(&queue->vr);
}

static int vblk_ring_do_kick_off(struct vblk_queue *queue)
{
	return vr_kick_off(&queue->vr);
}

/* If the side is mapped it has to stay so meanwhile; if not, @op may sleep, or -EAGAIN. */
static __always_inline int vblk_ring_do(struct vblk_queue *queue,
					int (*op)(struct vblk_queue *queue))
{
	int ret;

	spin_lock(&queue->avail_lock);
	if (likely(queue->avail_mapped)) {
		queue->atomic = true;
		ret = op(queue);
		queue->atomic = false;
		spin_unlock(&queue->avail_lock);
		return ret;
	}
	spin_unlock(&queue->avail_lock);
	return queue->hurried ? -EAGAIN : op(queue);
}

/* Take a chain whose table is not in memory at present: that may sleep. */
static noinline int vblk_ring_pop_slowly(struct vblk_queue *queue)
{
	bool mapped;
	int ret;

	spin_lock(&queue->avail_lock);
	mapped = vblk_ring_unmap_avail(queue);
	spin_unlock(&queue->avail_lock);
	ret = vr_pop(&queue->vr, &queue->chain);
	if (mapped)
		vblk_ring_adopt(queue);
	return ret;
}

static int vblk_ring_pop_once(struct vblk_queue *queue)
{
	int ret = vblk_ring_do(queue, vblk_ring_do_pop);

	return unlikely(ret == -EAGAIN) && !queue->hurried ? vblk_ring_pop_slowly(queue) : ret;
}

/*
 * Drivers have their tables in few places. False if there was none that was not kept, or
 * it cannot be.
 */
static bool vblk_ring_keep_table(struct vblk_queue *queue)
{
	struct vblk_pin *pin;

	if (likely(!queue->table))
		return false;
	pin = vblk_pins_get_again(&queue->pins, queue->memory, queue->table,
				  vblk_queue_gup(queue));
	queue->table = 0;
	if (pin)
		vblk_pins_put(pin, false);
	return pin;
}

/* It was tried, with @ret, and left a table to keep or has to be tried again. */
static noinline int vblk_ring_pop_again(struct vblk_queue *queue, int ret)
{
	if (ret == -EAGAIN && !queue->hurried)
		ret = vblk_ring_pop_slowly(queue);
	if (vblk_ring_keep_table(queue) && ret == -EAGAIN)
		ret = vblk_ring_pop_once(queue);
	if (likely(ret != -EPROTO))
		return ret;
	/* Believe it only after the lock of the used side was ours, see vring.h. */
	spin_lock_irq(&queue->done_lock);
	spin_unlock_irq(&queue->done_lock);
	return vblk_ring_pop_once(queue);
}

/**
 * vblk_ring_pop() - take the next chain into the queue's
 * @queue: one that runs
 *
 * Context: who serves the queue, under its mutex.
 * Return: as vr_pop(); final. If the queue is hurried, -EAGAIN as well: try again, when
 * it is not. So do all of the avail side.
 */
int vblk_ring_pop(struct vblk_queue *queue)
{
	int ret = vblk_ring_do(queue, vblk_ring_do_pop);

	if (likely(!queue->table && (ret >= 0 || ret == -EBADMSG)))
		return ret;
	return vblk_ring_pop_again(queue, ret);
}

/* As vr_pending(). */
int vblk_ring_pending(struct vblk_queue *queue)
{
	return vblk_ring_do(queue, vblk_ring_do_pending);
}

/* As vr_kick_on(). */
int vblk_ring_kick_on(struct vblk_queue *queue)
{
	return vblk_ring_do(queue, vblk_ring_do_kick_on);
}

/* As vr_kick_off(). */
int vblk_ring_kick_off(struct vblk_queue *queue)
{
	return vblk_ring_do(queue, vblk_ring_do_kick_off);
}

/*
 * The used side
 */

static void vblk_ring_break_locked(struct vblk_queue *queue, int err)
{
	if (queue->state != VBLK_RUNNING)
		return;
	/* First, for whoever sees the state to find it. */
	trace_vblk_queue_broken(queue, err, err == -EPROTO ? queue->chain.fault : VR_NO_FAULT);
	WRITE_ONCE(queue->state, VBLK_BROKEN);
	if (queue->err)
		eventfd_signal(queue->err);
}

/**
 * vblk_ring_break() - the driver broke the ring, or its memory is gone
 * @queue: the queue
 * @err: how
 *
 * Context: process.
 */
void vblk_ring_break(struct vblk_queue *queue, int err)
{
	spin_lock_irq(&queue->done_lock);
	vblk_ring_break_locked(queue, err);
	spin_unlock_irq(&queue->done_lock);
}

/* @n chains were pushed, with @ret; under done_lock. */
static void vblk_ring_pushed(struct vblk_queue *queue, u32 n, int ret)
{
	trace_vblk_queue_give(queue, n);
	WRITE_ONCE(queue->finished, queue->finished + n);
	queue->untold += n;
	if (unlikely(ret))
		vblk_ring_break_locked(queue, ret);
	if (unlikely(queue->state == VBLK_STOPPING))
		wake_up_all(&queue->drained);
}

/* The driver was asked whether it wants to be told, with @ret; under done_lock. */
static void vblk_ring_asked(struct vblk_queue *queue, int ret)
{
	queue->untold = 0;
	if (unlikely(ret < 0)) {
		vblk_ring_break_locked(queue, ret);
	} else if (ret) {
		trace_vblk_queue_interrupt(queue);
		queue->interrupts++;
		if (queue->call)
			eventfd_signal(queue->call);
	}
}

/**
 * vblk_ring_give_locked() - give a chain back, and tell the driver
 * @queue: one whose used side is mapped
 * @done: the chain
 *
 * Context: any, under done_lock.
 */
void vblk_ring_give_locked(struct vblk_queue *queue, const struct vr_done *done)
{
	vblk_ring_pushed(queue, 1, vr_push(&queue->vr, done, 1));
	vblk_ring_asked(queue, vr_interrupt(&queue->vr));
}

/**
 * vblk_ring_give() - give chains back
 * @queue: the queue
 * @done: the chains
 * @n: number of them
 *
 * The driver can see them, but is not told before vblk_ring_tell().
 *
 * Context: a process with the owner's memory, under the queue's mutex.
 */
void vblk_ring_give(struct vblk_queue *queue, const struct vr_done *done, u32 n)
{
	int ret;

	spin_lock_irq(&queue->done_lock);
	if (likely(queue->used_mapped)) {
		ret = vr_push(&queue->vr, done, n);
	} else {
		spin_unlock_irq(&queue->done_lock);
		/* Only the worker uses or maps a side that is not mapped. */
		ret = vr_push(&queue->vr, done, n);
		spin_lock_irq(&queue->done_lock);
	}
	vblk_ring_pushed(queue, n, ret);
	spin_unlock_irq(&queue->done_lock);
}

/**
 * vblk_ring_tell() - interrupt the driver, if it wants to be told of what was given back
 * @queue: the queue
 *
 * Context: as vblk_ring_give().
 */
void vblk_ring_tell(struct vblk_queue *queue)
{
	int ret;

	if (!vblk_queue_untold(queue))
		return;
	spin_lock_irq(&queue->done_lock);
	if (likely(queue->used_mapped)) {
		ret = vr_interrupt(&queue->vr);
	} else {
		spin_unlock_irq(&queue->done_lock);
		ret = vr_interrupt(&queue->vr);
		spin_lock_irq(&queue->done_lock);
	}
	vblk_ring_asked(queue, ret);
	spin_unlock_irq(&queue->done_lock);
}
