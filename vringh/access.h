/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words of the ring, in either space and byte order.
 *
 * How is a constant wherever these are used, so each compiles to a single load or
 * store, or to user access, which returns -EFAULT where there is no memory.
 */
#ifndef VR_ACCESS_H
#define VR_ACCESS_H

#include <linux/virtio_ring.h>

#include "env.h"
#include "vring.h"

/* A descriptor in the byte order of this machine. */
struct vr_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/* How to access a word: an enum vr_space, and whether to swap its bytes. */
#define VR_SWAP 2

static __always_inline u16 vr_swap16(int how, u16 x)
{
	return how & VR_SWAP ? swab16(x) : x;
}

static __always_inline u32 vr_swap32(int how, u32 x)
{
	return how & VR_SWAP ? swab32(x) : x;
}

static __always_inline u64 vr_swap64(int how, u64 x)
{
	return how & VR_SWAP ? swab64(x) : x;
}

/* Load a word at @p, which the driver may write. */
static __always_inline int vr_load16(int how, u16 *x, const __virtio16 *p)
{
	__virtio16 raw;

	if (how & VR_KERNEL)
		raw = READ_ONCE(*p);
	else if (unlikely(get_user(raw, (const __virtio16 __force __user *)p)))
		return -EFAULT;
	*x = vr_swap16(how, (__force u16)raw);
	return 0;
}

/* The same, before everything that follows. */
static __always_inline int vr_load16_acquire(int how, u16 *x, const __virtio16 *p)
{
	__virtio16 raw;

	if (how & VR_KERNEL)
		raw = smp_load_acquire(p);	/* the caller says with what it is paired */
	else if (unlikely(vr_get_user_acquire(raw, (const __virtio16 __force __user *)p)))
		return -EFAULT;
	*x = vr_swap16(how, (__force u16)raw);
	return 0;
}

static __always_inline int vr_store16(int how, u16 x, __virtio16 *p)
{
	__virtio16 raw = (__force __virtio16)vr_swap16(how, x);

	if (!(how & VR_KERNEL))
		return put_user(raw, (__virtio16 __force __user *)p);
	WRITE_ONCE(*p, raw);
	return 0;
}

/* The same, after all that this CPU wrote or knows to be written. */
static __always_inline int vr_store16_release(int how, u16 x, __virtio16 *p)
{
	__virtio16 raw = (__force __virtio16)vr_swap16(how, x);

	if (!(how & VR_KERNEL))
		return vr_put_user_release(raw, (__virtio16 __force __user *)p);
	smp_store_release(p, raw);	/* the caller says with what it is paired */
	return 0;
}

/* What @raw, which is ours, says. */
static __always_inline struct vr_desc vr_decode(int how, const struct vring_desc *raw)
{
	return (struct vr_desc) {
		.addr = vr_swap64(how, (__force u64)raw->addr),
		.len = vr_swap32(how, (__force u32)raw->len),
		.flags = vr_swap16(how, (__force u16)raw->flags),
		.next = vr_swap16(how, (__force u16)raw->next),
	};
}

static __always_inline int vr_load_desc(int how, struct vr_desc *desc, const struct vring_desc *p)
{
	struct vring_desc raw;

	if (how & VR_KERNEL) {
		raw.addr = READ_ONCE(p->addr);
		raw.len = READ_ONCE(p->len);
		raw.flags = READ_ONCE(p->flags);
		raw.next = READ_ONCE(p->next);
	} else if (unlikely(copy_from_user(&raw, (const void __force __user *)p, sizeof(raw)))) {
		return -EFAULT;
	}
	*desc = vr_decode(how, &raw);
	return 0;
}

static __always_inline int vr_store_used(int how, u32 id, u32 len, struct vring_used_elem *p)
{
	struct vring_used_elem raw = {
		.id = (__force __virtio32)vr_swap32(how, id),
		.len = (__force __virtio32)vr_swap32(how, len),
	};

	if (!(how & VR_KERNEL))
		return copy_to_user((void __force __user *)p, &raw, sizeof(raw)) ? -EFAULT : 0;
	WRITE_ONCE(p->id, raw.id);
	WRITE_ONCE(p->len, raw.len);
	return 0;
}

#endif
