// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's half of a split virtqueue; numbers are sections of virtio 1.3.
 *
 * Words that both sides use at any time are accessed atomically. Descriptors and
 * elements of the rings are not: they belong to one side at a time, the indices
 * hand them over, and ThreadSanitizer is to see it if they do not.
 */

/* Atomic accesses that ThreadSanitizer knows. */
#ifndef CONFIG_RCU_USE_ATOMIC_BUILTINS
#define CONFIG_RCU_USE_ATOMIC_BUILTINS
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>

#include <urcu/arch.h>
#include <urcu/compiler.h>
#include <urcu/uatomic.h>

#include "driver.h"

#define RING_ALIGN 4096U

/* Of one descriptor, or, if a chain begins there, of that chain. */
struct drv_slot {
	void *token;
	__u64 writable;			/* bytes of the buffers to write */
	unsigned long position;		/* how many chains were added before */
	__u16 next;			/* descriptor of the chain, or free one */
	__u16 last;			/* descriptor of the chain */
	__u16 count;			/* of descriptors; 0 if no chain begins here */
};

static __u16 swap16(const struct drv *drv, __u16 x)
{
	return drv->swap ? __builtin_bswap16(x) : x;
}

static __u32 swap32(const struct drv *drv, __u32 x)
{
	return drv->swap ? __builtin_bswap32(x) : x;
}

static __u64 swap64(const struct drv *drv, __u64 x)
{
	return drv->swap ? __builtin_bswap64(x) : x;
}

static __u16 load16(const struct drv *drv, const __virtio16 *p)
{
	return swap16(drv, uatomic_load(p, CMM_RELAXED));
}

static void store16(const struct drv *drv, __virtio16 *p, __u16 x)
{
	uatomic_store(p, swap16(drv, x), CMM_RELAXED);
}

/* 2.7.7: behind the elements of the avail ring. */
static __virtio16 *used_event(const struct drv *drv)
{
	return &drv->avail->ring[drv->num];
}

/* 2.7.10: behind the elements of the used ring. */
static const __virtio16 *avail_event(const struct drv *drv)
{
	return (const __virtio16 *)&drv->used->ring[drv->num];
}

/* 2.7.2: the layout of legacy devices, which suits all others. */
static size_t used_offset(__u32 num)
{
	size_t size = num * sizeof(struct vring_desc) + sizeof(__u16) * (3 + num);

	return (size + RING_ALIGN - 1) & ~(size_t)(RING_ALIGN - 1);
}

size_t drv_ring_size(__u32 num)
{
	return used_offset(num) + sizeof(__u16) * 3 + sizeof(struct vring_used_elem) * num;
}

int drv_init(struct drv *drv, void *mem, __u32 num, __u64 features, bool big_endian)
{
	const bool host_big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	const bool legacy = !(features >> VIRTIO_F_VERSION_1 & 1);
	struct drv_slot *slots;
	__u32 i;

	if (!num || num & (num - 1) || num > 32768)	/* 2.7 */
		return -EINVAL;
	slots = calloc(num, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (i = 0; i < num; i++)
		slots[i].next = i + 1;

	memset(mem, 0, drv_ring_size(num));
	*drv = (struct drv) {
		.num = num,
		.swap = (legacy && big_endian) != host_big_endian,	/* 2.7.3 */
		.event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.desc = mem,
		.avail = (void *)((char *)mem + num * sizeof(struct vring_desc)),
		.used = (void *)((char *)mem + used_offset(num)),
		.slots = slots,
		.nr_free = num,
	};
	return 0;
}

void drv_fini(struct drv *drv)
{
	free(drv->slots);
	drv->slots = NULL;
}

static void describe(const struct drv *drv, struct vring_desc *desc, const struct drv_buf *buf,
		     __u16 flags, __u16 next)
{
	desc->addr = swap64(drv, buf->addr);
	desc->len = swap32(drv, buf->len);
	desc->flags = swap16(drv, flags);
	desc->next = swap16(drv, next);
}

/* 2.7.5.3: the buffers from number @i on, one after the other. */
static void fill_table(const struct drv *drv, const struct drv_table *table,
		       const struct drv_buf *bufs, __u32 i, __u32 nr_out, __u32 nr)
{
	struct vring_desc *desc = table->desc;
	__u16 next = 1;

	for (; i < nr; i++) {
		__u16 flags = i < nr_out ? 0 : VRING_DESC_F_WRITE;

		if (i + 1 < nr)
			flags |= VRING_DESC_F_NEXT;
		describe(drv, desc++, &bufs[i], flags, next++);
	}
}

/* 2.7.13.1 and 2.7.13.2 */
int drv_add(struct drv *drv, const struct drv_buf *bufs, __u32 nr_out, __u32 nr_in,
	    const struct drv_table *table, __u32 direct, void *token)
{
	__u32 nr = nr_out + nr_in, count = table ? direct + 1 : nr, i;
	__u16 at = drv->free_head;
	struct drv_slot *head = &drv->slots[at];
	__u64 writable = 0;

	if (!nr || (table && direct >= nr))
		return -EINVAL;
	if (count > drv->nr_free)
		return -ENOSPC;

	for (i = nr_out; i < nr; i++)
		writable += bufs[i].len;
	*head = (struct drv_slot) {
		.token = token,
		.writable = writable,
		.position = drv->added,
		.next = head->next,
		.count = count,
	};
	drv->avail->ring[drv->added & (drv->num - 1)] = swap16(drv, at);

	for (i = 0; i < count; i++) {
		__u16 next = drv->slots[at].next;
		__u16 flags = i + 1 < count ? VRING_DESC_F_NEXT : 0;

		if (table && i == direct) {
			struct drv_buf all = { table->addr, (nr - i) * sizeof(*table->desc) };

			fill_table(drv, table, bufs, i, nr_out, nr);
			describe(drv, &drv->desc[at], &all, VRING_DESC_F_INDIRECT, 0);
		} else {
			flags |= i < nr_out ? 0 : VRING_DESC_F_WRITE;
			describe(drv, &drv->desc[at], &bufs[i], flags, next);
		}
		head->last = at;
		at = next;
	}
	drv->free_head = at;
	drv->nr_free -= count;
	drv->added++;
	return 0;
}

/* 2.7.13.3 */
void drv_publish(struct drv *drv)
{
	uatomic_store(&drv->avail->idx, swap16(drv, drv->added), CMM_RELEASE);
	drv->published = drv->added;
}

/*
 * 2.7.10 and 2.7.13.4: the chain at position avail_event is to be told of, if it
 * is among those since last time.
 */
bool drv_must_kick(struct drv *drv)
{
	unsigned long old = drv->kicked, fresh = drv->published - old;

	cmm_smp_mb();	/* after the avail idx, before what the device says of it */
	drv->kicked = drv->published;
	if (!fresh)
		return false;
	if (!drv->event_idx)
		return !(load16(drv, &drv->used->flags) & VRING_USED_F_NO_NOTIFY);
	return (__u16)(load16(drv, avail_event(drv)) - old) < fresh;
}

/* Load the used idx: how many chains are used and not taken. */
static __u16 look(struct drv *drv)
{
	__u16 idx = swap16(drv, uatomic_load(&drv->used->idx, CMM_ACQUIRE));

	return idx - (__u16)drv->taken;
}

/* 2.7.14 */
int drv_take(struct drv *drv, struct drv_used *used)
{
	const struct vring_used_elem *elem;
	struct drv_slot *slot;
	__u32 id, len;

	if (drv->taken == drv->used_up) {
		__u16 more = look(drv);

		if (more > drv->published - drv->taken)
			return -EPROTO;
		if (!more)
			return 0;
		drv->used_up += more;
	}

	elem = &drv->used->ring[drv->taken & (drv->num - 1)];
	id = swap32(drv, elem->id);
	len = swap32(drv, elem->len);
	cmm_barrier();	/* one look, whatever the device does meanwhile */
	if (id >= drv->num)
		return -EPROTO;
	slot = &drv->slots[id];
	if (!slot->count || slot->position >= drv->published)
		return -EPROTO;
	if (len > slot->writable)	/* 2.7.8.2 */
		return -EPROTO;

	used->token = slot->token;
	used->len = len;
	drv->slots[slot->last].next = drv->free_head;
	drv->free_head = id;
	drv->nr_free += slot->count;
	slot->count = 0;
	drv->taken++;
	return 1;
}

/* 2.7.7.1: with an event index the flags stay 0, and the event is one long past. */
void drv_disable_interrupt(struct drv *drv)
{
	if (drv->event_idx)
		store16(drv, used_event(drv), drv->taken - 1);
	else
		store16(drv, &drv->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

/* 2.7.7, 2.7.14 */
bool drv_enable_interrupt(struct drv *drv, __u16 ahead)
{
	if (drv->event_idx)
		store16(drv, used_event(drv), drv->taken + ahead);
	else
		store16(drv, &drv->avail->flags, 0);
	cmm_smp_mb();	/* after what tells the device, before the used idx */
	return look(drv) <= (drv->event_idx ? ahead : 0);
}
