/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the unit tests share: a ring whose memory is written by hand, by a driver
 * that may do anything. Each part of it is allocated to the byte, with no more
 * alignment than promised, so that sanitizers see one step too far.
 */
#ifndef VR_USER_UNIT_H
#define VR_USER_UNIT_H

#include "../env.h"
#include "../vring.h"
#include "guest.h"
#include "hooks.h"

#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE
#define INDIRECT	VRING_DESC_F_INDIRECT

#define FEATURE(x)	(1ULL << (x))

/* Where the driver has its indirect table, unless a test moves it. */
#define TABLE		0x123400000000ULL

/* Bytes of the parts of a ring, the event index included (2.7). */
#define AVAIL_SIZE(num)	(6 + (num) * sizeof(__virtio16))
#define USED_SIZE(num)	(6 + (num) * sizeof(struct vring_used_elem))

/* What unit_...() say if all is as it should be; otherwise they say what is not. */
#define FINE		""

/* How a ring is reached, written and agreed upon: what a test has a variant for. */
struct unit_kind {
	enum vr_space space;
	bool big_endian;	/* then without VIRTIO_F_VERSION_1 */
	bool event;		/* with VIRTIO_RING_F_EVENT_IDX */
	bool on_empty;		/* with VIRTIO_F_NOTIFY_ON_EMPTY */
};

/* Of a variant with a member of that name. */
#define USER		.kind.space = VR_USER
#define KERNEL		.kind.space = VR_KERNEL
#define BIG		.kind.big_endian = true
#define EVENT		.kind.event = true
#define ON_EMPTY	.kind.on_empty = true

/* A descriptor in the byte order of this machine. */
struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

#define UNIT_READS 64

/* One call of struct vr_config.read. */
struct unit_read {
	u64 from;
	size_t len;
};

struct unit {
	struct vr vr;
	struct vr_config config;
	struct vr_areas at;
	enum vr_space space;
	bool swap;
	struct vring_desc *desc;	/* the driver's view of the same memory */
	struct vring_avail *avail;
	struct vring_used *used;
	u16 offered;			/* the avail idx, if the driver does as it should */
	struct guest guest;		/* with the indirect table and nothing else */
	struct unit_read reads[UNIT_READS];
	u32 nr_reads;
	u32 fail_read;			/* which of them is to fail, from 1 on */
	int read_error;
	struct vr_chain chain;		/* of the last vr_pop() */
};

u64 unit_features(const struct unit_kind *kind);

/* Memory for a ring of @num, all of it zero, and its config, with indirect tables. */
void unit_init(struct unit *u, const struct unit_kind *kind, u32 num);
void unit_fini(struct unit *u);

/* vr_init(), vr_bind_...() and vr_start(), which says the return value. */
int unit_start(struct unit *u, u32 base);

/* Room for chains of @max descriptors; at first it is as many as the ring has. */
void unit_room(struct unit *u, u32 max);

u16 unit_get16(const struct unit *u, const __virtio16 *p);
u32 unit_get32(const struct unit *u, const __virtio32 *p);
void unit_put16(const struct unit *u, __virtio16 *p, u16 x);
__virtio16 *unit_used_event(const struct unit *u);
__virtio16 *unit_avail_event(const struct unit *u);

/* Write @desc to @at, in the ring or in the table. */
void unit_desc(const struct unit *u, struct vring_desc *at, struct desc desc);

/* Make the table one of @nr descriptors, which are @descs if that is given. */
void unit_table(struct unit *u, const struct desc *descs, u32 nr);
struct vring_desc *unit_in_table(const struct unit *u, u32 i);

/* Offer a chain that begins at @head. */
void unit_offer(struct unit *u, u16 head);

/* Offer @descs, from the first: direct, from 0 on, or by an indirect descriptor 0. */
void unit_chain(struct unit *u, bool indirect, const struct desc *descs, u32 nr);

/* Offer @nr chains of one buffer each, of 16 bytes to write, at @i & mask. */
void unit_offer_many(struct unit *u, u32 nr);

int unit_pop(struct unit *u);
int unit_push(struct unit *u, u32 len);

/* Is the last chain one of these buffers? */
const char *unit_is(const struct unit *u, u32 nr_out, u32 nr_in, const struct vr_seg *segs);

/* Pop, which must give a chain of these buffers. */
const char *unit_good(struct unit *u, u32 nr_out, u32 nr_in, const struct vr_seg *segs);

/* Pop, which must take a bad chain; the ring goes on, with the next chain too. */
const char *unit_bad(struct unit *u, u16 head, enum vr_fault fault);

/* Pop, which must find the ring broken, again and again, and change nothing. */
const char *unit_broken(struct unit *u, enum vr_fault fault);

/* Is @vr what it was @before? */
const char *unit_unchanged(const struct vr *before, const struct vr *vr);

/* The same, but that more of the driver's index may be known. */
const char *unit_only_looked(const struct vr *before, const struct vr *vr);

/*
 * Have each user access of @op fail in turn, and then none: -EFAULT changes nothing
 * (though vr_pop() may have looked), and after any number of them @op returns
 * @result. With VR_KERNEL there is no user access. In the end @op was called once
 * without a failure.
 */
const char *unit_sweep(struct unit *u, int (*op)(struct unit *u), int result);

/* Since hooks_watch(): of @mem, @len bytes at @from were loaded once, all others not. */
const char *unit_loaded(const void *mem, size_t size, const void *from, size_t len);

#endif
