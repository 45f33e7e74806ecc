// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues: virtio 1.3, 2.7.
 *
 * Barriers, and what each is paired with in the driver:
 *
 *   here                                  driver
 *   split_look()      acquire avail idx   store chain; barrier; store avail idx
 *                                         (2.7.13.3.1)
 *   split_push()      release used idx    load used idx; barrier; load element and
 *                                         data (2.7.14)
 *   split_interrupt() full, after used    store used_event or flags; barrier; load
 *                     idx, before event   used idx (2.7.7.2, 2.7.14)
 *   split_kick_on()   full, after event,  store avail idx; barrier; load
 *                     before avail idx    avail_event or flags (2.7.13.4.1)
 *
 * and one that is paired within the device, through the driver: split_push()
 * stores used.next before it releases the used idx. A driver that saw that idx
 * may offer as many chains again, and split_look(), having acquired the avail
 * idx, finds the room for them: on all machines, but in the kernel's memory model
 * only if the driver's barrier hands on what it saw. Hence the lock, see vring.h.
 *
 * proof/ has each of them as a litmus test.
 */

#include <linux/virtio_ring.h>

#include "access.h"
#include "env.h"
#include "vring.h"

/* Descriptors of an indirect table to read at a time. */
#define VR_WINDOW 16

/* Flags by which a descriptor differs from those before it. */
#define SPLIT_TURN (VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE)

/* vr.used.unsignalled where it does not matter which event the driver waits for. */
#define VR_UNKNOWN (U16_MAX + 1U)

static const __virtio16 *used_event(const struct vr *vr)
{
	return &vr->used.at.avail->ring[vr->num];
}

static __virtio16 *avail_event(const struct vr *vr)
{
	return (__virtio16 *)&vr->avail.at.used->ring[vr->num];
}

/* The chain is no longer among those to take. */
static __always_inline void split_taken(struct vr *vr)
{
	WRITE_ONCE(vr->avail.next, vr->avail.next + 1);
}

static int bad(struct vr *vr, struct vr_chain *chain, enum vr_fault fault)
{
	chain->fault = fault;
	split_taken(vr);
	return -EBADMSG;
}

static int broken(struct vr_chain *chain, enum vr_fault fault)
{
	chain->fault = fault;
	return -EPROTO;
}

/* On the way through a chain. */
struct split_walk {
	struct vr_seg *seg;	/* to be filled in next */
	u32 n;			/* number of those before */
	u16 writes;		/* VRING_DESC_F_WRITE from the first such buffer on */
	u64 len;		/* of the buffers that are of the same kind so far */
};

/* From here on come the buffers to write, if they have not come before. */
static __always_inline int split_turn(struct vr *vr, struct vr_chain *chain,
				      struct split_walk *walk)
{
	if (unlikely(walk->writes))
		return bad(vr, chain, VR_BAD_ORDER);
	chain->nr_out = walk->n;
	chain->out_len = walk->len;
	walk->writes = VRING_DESC_F_WRITE;
	walk->len = 0;
	return 0;
}

static __always_inline int split_finish(struct vr *vr, struct vr_chain *chain,
					struct split_walk *walk)
{
	if (!walk->writes)
		split_turn(vr, chain, walk);
	chain->nr_in = walk->n - chain->nr_out;
	chain->in_len = walk->len;
	split_taken(vr);
	return 1;
}

/* Add the buffer that @desc describes to @chain. */
static __always_inline int split_add(struct vr *vr, struct vr_chain *chain,
				     struct split_walk *walk, const struct vr_desc *desc)
{
	if (unlikely(walk->n == chain->max))
		return bad(vr, chain, VR_TOO_LONG);
	walk->seg->addr = desc->addr;
	walk->seg->len = desc->len;
	walk->seg++;
	walk->n++;
	walk->len += desc->len;
	return 0;
}

/* Is @table, which describes an indirect table, as the driver has to make it? */
static enum vr_fault split_check_table(const struct vr *vr, const struct vr_desc *table)
{
	if (!vr->indirect)
		return VR_NOT_AGREED;
	if (table->flags & VRING_DESC_F_NEXT)
		return VR_NOT_LAST;
	if (!table->len || table->len % sizeof(struct vring_desc) ||
	    table->len / sizeof(struct vring_desc) > U16_MAX + 1 ||
	    table->addr + table->len < table->addr)
		return VR_BAD_TABLE;
	return VR_NO_FAULT;
}

/*
 * Go on with what is in @table (2.7.5.3). Descriptors are read VR_WINDOW at a
 * time, from the one that is next: most drivers write them in order.
 */
static noinline int split_walk_table(struct vr *vr, struct vr_chain *chain,
				     const struct split_walk *so_far, const struct vr_desc *table)
{
	u32 size = table->len / sizeof(struct vring_desc), first = 0, have = 0, i = 0;
	struct vring_desc window[VR_WINDOW];
	struct split_walk walk = *so_far;
	enum vr_fault fault;
	struct vr_desc desc;
	int err;

	fault = split_check_table(vr, table);
	if (unlikely(fault))
		return bad(vr, chain, fault);

	for (;;) {
		if (i - first >= have) {
			first = i;
			have = min_t(u32, size - first, VR_WINDOW);
			err = vr->read(vr->context, window, table->addr + first * sizeof(*window),
				       have * sizeof(*window));
			if (unlikely(err))
				return err == -EFAULT ? bad(vr, chain, VR_NO_TABLE) : err;
		}
		desc = vr_decode(vr->swap ? VR_SWAP : 0, &window[i - first]);
		if ((desc.flags ^ walk.writes) & SPLIT_TURN) {
			if (unlikely(desc.flags & VRING_DESC_F_INDIRECT))
				return bad(vr, chain, VR_NESTED);
			err = split_turn(vr, chain, &walk);
			if (unlikely(err))
				return err;
		}
		err = split_add(vr, chain, &walk, &desc);
		if (unlikely(err))
			return err;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return split_finish(vr, chain, &walk);
		if (unlikely(desc.next >= size))
			return bad(vr, chain, VR_BAD_NEXT);
		i = desc.next;
	}
}

/* Make @chain what begins at @i (2.7.5). */
static __always_inline int split_walk(struct vr *vr, struct vr_chain *chain, unsigned long i,
				      int how)
{
	struct split_walk walk = { .seg = chain->segs };
	struct vr_desc desc;
	int err;

	for (;;) {
		err = vr_load_desc(how, &desc, &vr->avail.at.desc[i]);
		if (unlikely(err))
			return err;
		if ((desc.flags ^ walk.writes) & SPLIT_TURN) {
			if (desc.flags & VRING_DESC_F_INDIRECT) {
				/* Copies, for the others to stay in registers. */
				struct split_walk so_far = walk;
				struct vr_desc table = desc;

				return split_walk_table(vr, chain, &so_far, &table);
			}
			err = split_turn(vr, chain, &walk);
			if (unlikely(err))
				return err;
		}
		err = split_add(vr, chain, &walk, &desc);
		if (unlikely(err))
			return err;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return split_finish(vr, chain, &walk);
		if (unlikely(desc.next >= vr->num))
			return bad(vr, chain, VR_BAD_NEXT);
		i = desc.next;
	}
}

/*
 * Look for more chains. The ring has room for vr->num of them, those that were
 * taken and not yet given back included.
 */
static __always_inline int split_look(struct vr *vr, struct vr_chain *chain, int how)
{
	struct vr_avail *a = &vr->avail;
	u32 offered;
	u16 idx;
	int err;

	err = vr_load16_acquire(how, &idx, &a->at.avail->idx);
	if (unlikely(err))
		return err;
	offered = (u16)(idx - a->next);
	if (offered + (u16)(a->next - a->returned) > vr->num) {
		a->returned = READ_ONCE(vr->used.next);
		if (unlikely(offered + (u16)(a->next - a->returned) > vr->num))
			return broken(chain, VR_BAD_INDEX);
	}
	WRITE_ONCE(a->seen, idx);
	return offered != 0;
}

static __always_inline int split_pop(struct vr *vr, struct vr_chain *chain, int how)
{
	struct vr_avail *a = &vr->avail;
	u16 head;
	int err;

	if (a->next == a->seen) {
		err = split_look(vr, chain, how);
		if (err <= 0)
			return err;
	}
	err = vr_load16(how, &head, &a->at.avail->ring[a->next & vr->mask]);
	if (unlikely(err))
		return err;
	if (unlikely(head >= vr->num))
		return broken(chain, VR_BAD_HEAD);

	chain->ticket.cookie = head;
	return split_walk(vr, chain, head, how);
}

static __always_inline int split_pending(struct vr *vr, int how)
{
	struct vr_avail *a = &vr->avail;
	u16 idx;
	int err;

	if (a->next != a->seen)
		return (u16)(a->seen - a->next);
	err = vr_load16(how, &idx, &a->at.avail->idx);
	return err ? err : (u16)(idx - a->next);
}

/*
 * 2.7.10: with VIRTIO_RING_F_EVENT_IDX the flags stay 0, and an avail_event that
 * is left behind is what keeps the driver quiet.
 */
static __always_inline int split_kick_off(struct vr *vr, int how)
{
	if (vr->event_idx)
		return 0;
	return vr_store16(how, VRING_USED_F_NO_NOTIFY, &vr->avail.at.used->flags);
}

static __always_inline int split_kick_on(struct vr *vr, int how)
{
	struct vr_avail *a = &vr->avail;
	u16 idx;
	int err;

	if (vr->event_idx)
		err = vr_store16(how, a->seen, avail_event(vr));
	else
		err = vr_store16(how, 0, &a->at.used->flags);
	if (unlikely(err))
		return err;
	smp_mb();	/* paired with the driver's, before it loads what we stored */
	err = vr_load16(how, &idx, &a->at.avail->idx);
	return err ? err : idx != a->seen;
}

static __always_inline int split_push(struct vr *vr, const struct vr_done *done, u32 n,
				      int how)
{
	struct vr_used *u = &vr->used;
	struct vring_used *used = u->at.used;
	u16 old = u->next, new = old + n;
	u32 i;
	int err;

	for (i = 0; i < n; i++) {
		err = vr_store_used(how, done[i].ticket.cookie, done[i].len,
				    &used->ring[(old + i) & vr->mask]);
		if (unlikely(err))
			return err;
	}
	WRITE_ONCE(u->next, new);
	err = vr_store16_release(how, new, &used->idx);
	if (unlikely(err)) {
		WRITE_ONCE(u->next, old);
		return err;
	}
	u->unsignalled += n;
	return 0;
}

/* NOTIFY_ON_EMPTY: the driver is told whatever it said (legacy 2.7.7.1). */
static bool drained(const struct vr *vr)
{
	return READ_ONCE(vr->avail.next) == READ_ONCE(vr->avail.seen);
}

static __always_inline int split_wanted(struct vr *vr, int how)
{
	struct vr_used *u = &vr->used;
	u16 word;
	int err;

	if (vr->notify_on_empty && drained(vr))
		return 1;
	smp_mb();	/* paired with the driver's, before it loads the used idx */
	if (!vr->event_idx) {
		err = vr_load16(how, &word, &u->at.avail->flags);
		return err ? err : !(word & VRING_AVAIL_F_NO_INTERRUPT);
	}
	if (u->unsignalled >= VR_UNKNOWN)
		return 1;
	err = vr_load16(how, &word, used_event(vr));
	return err ? err : vring_need_event(word, u->next, u->next - u->unsignalled);
}

static __always_inline int split_interrupt(struct vr *vr, int how)
{
	int wanted = split_wanted(vr, how);

	if (likely(wanted >= 0))
		vr->used.unsignalled = 0;
	return wanted;
}

static __always_inline int split_start(struct vr *vr, int how)
{
	struct vr_used *u = &vr->used;
	u16 idx;
	int err;

	err = vr_load16(how, &idx, &u->at.used->idx);
	if (err)
		return err;
	if ((u16)(vr->avail.next - idx) > vr->num)
		return -EPROTO;
	err = vr_store16(how, 0, &u->at.used->flags);
	if (err)
		return err;
	u->next = idx;
	u->unsignalled = VR_UNKNOWN;
	vr->avail.returned = idx;
	return 0;
}

/* One set of functions for each way to access a ring. */
#define VR_SPLIT_OPS(name, HOW)							\
static int split_start_##name(struct vr *vr)					\
{										\
	return split_start(vr, HOW);						\
}										\
										\
static int split_pop_##name(struct vr *vr, struct vr_chain *chain)		\
{										\
	return split_pop(vr, chain, HOW);					\
}										\
										\
static int split_pending_##name(struct vr *vr)					\
{										\
	return split_pending(vr, HOW);						\
}										\
										\
static int split_kick_on_##name(struct vr *vr)					\
{										\
	return split_kick_on(vr, HOW);						\
}										\
										\
static int split_kick_off_##name(struct vr *vr)					\
{										\
	return split_kick_off(vr, HOW);						\
}										\
										\
static int split_push_##name(struct vr *vr, const struct vr_done *done, u32 n)	\
{										\
	return split_push(vr, done, n, HOW);					\
}										\
										\
static int split_interrupt_##name(struct vr *vr)				\
{										\
	return split_interrupt(vr, HOW);					\
}										\
										\
static const struct vr_ops split_##name = {					\
	.start = split_start_##name,						\
	.pop = split_pop_##name,						\
	.pending = split_pending_##name,					\
	.kick_on = split_kick_on_##name,					\
	.kick_off = split_kick_off_##name,					\
	.push = split_push_##name,						\
	.interrupt = split_interrupt_##name,					\
}

VR_SPLIT_OPS(user, VR_USER);
VR_SPLIT_OPS(kernel, VR_KERNEL);
VR_SPLIT_OPS(user_swapped, VR_USER | VR_SWAP);
VR_SPLIT_OPS(kernel_swapped, VR_KERNEL | VR_SWAP);

const struct vr_ops *vr_split_ops(enum vr_space space, bool swap)
{
	if (space == VR_KERNEL)
		return swap ? &split_kernel_swapped : &split_kernel;
	return swap ? &split_user_swapped : &split_user;
}
