/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's half of a split virtqueue, from virtio 1.3, 2.7, alone: it knows
 * nothing of vring.h, so that a misreading there is not repeated here. It trusts
 * the device as little as the device trusts a driver, and reports what the device
 * does wrong.
 *
 * One thread at a time. Buffers and indirect tables have addresses of the device's
 * view, given by the caller; the ring itself is reached by pointers.
 */
#ifndef VR_USER_DRIVER_H
#define VR_USER_DRIVER_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>
#include <linux/virtio_ring.h>

/* A buffer, at an address that the device understands. */
struct drv_buf {
	__u64 addr;
	__u32 len;
};

/* Memory for one indirect table: as the driver and as the device sees it. */
struct drv_table {
	struct vring_desc *desc;
	__u64 addr;
};

/* A chain that the device gave back. */
struct drv_used {
	void *token;
	__u32 len;
};

struct drv_slot;

/* Chains are counted from drv_init() on; the ring has the low 16 bits of a count. */
struct drv {
	__u32 num;
	bool swap;
	bool event_idx;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct drv_slot *slots;		/* by descriptor, what only the driver knows */
	__u16 free_head;		/* descriptors that are free, linked by slots */
	__u16 nr_free;
	unsigned long added;		/* chains added, published or not */
	unsigned long published;	/* chains that the device sees */
	unsigned long kicked;		/* published when a notification was last considered */
	unsigned long taken;		/* chains taken back */
	unsigned long used_up;		/* chains that the device gave back, as last seen */
};

/* Bytes of memory that a ring of @num takes. */
size_t drv_ring_size(__u32 num);

/*
 * Begin with an empty ring in @mem, of drv_ring_size(num) bytes aligned to 4096.
 * Returns 0, -EINVAL for a size that no ring has, -ENOMEM.
 */
int drv_init(struct drv *drv, void *mem, __u32 num, __u64 features, bool big_endian);
void drv_fini(struct drv *drv);

/*
 * Add a chain of @nr_out buffers to read, then @nr_in to write; all direct, or,
 * with @table, the first @direct of them direct and the rest, one at least, in the
 * table. The device does not see it before drv_publish(). Returns 0, -ENOSPC if
 * there are not enough descriptors, or -EINVAL if there is nothing to describe.
 */
int drv_add(struct drv *drv, const struct drv_buf *bufs, __u32 nr_out, __u32 nr_in,
	    const struct drv_table *table, __u32 direct, void *token);

/* Show the device all chains that were added. */
void drv_publish(struct drv *drv);

/* After drv_publish(): does the device want a notification of what is new? */
bool drv_must_kick(struct drv *drv);

/*
 * Take back a chain. Returns 1 with it, 0 if there is none, -EPROTO if the device
 * did what no device may: an index beyond what is in flight, a chain that is not,
 * a length beyond what it may write. That changes nothing.
 */
int drv_take(struct drv *drv, struct drv_used *used);

/* No interrupts from now on; a hint. */
void drv_disable_interrupt(struct drv *drv);

/*
 * An interrupt when the device has used @ahead chains more than were taken (0: the
 * next one; without VIRTIO_F_EVENT_IDX always the next one). Returns false if that
 * many are used already, and no interrupt may come for them.
 */
bool drv_enable_interrupt(struct drv *drv, __u16 ahead);

#endif
