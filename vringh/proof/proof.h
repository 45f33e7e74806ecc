/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ring for CBMC to prove things of: in any state that a ring can be in, with a
 * driver that writes anything, just before each load.
 */
#ifndef VR_PROOF_H
#define VR_PROOF_H

#include "../access.h"
#include "../vring.h"

#define NUM	4

/* How the ring is reached. */
#ifndef SPACE
#define SPACE	VR_KERNEL
#endif
#ifndef SWAPPED
#define SWAPPED	false
#endif
#define HOW		(SPACE | (SWAPPED ? VR_SWAP : 0))
#define MAY_FAULT	(!(HOW & VR_KERNEL))

#define ASSUME(x)	__CPROVER_assume(x)
#define PROVE(x)	__CPROVER_assert(x, #x)

/* Any value. */
bool nondet_bool(void);
u16 nondet_u16(void);
u32 nondet_u32(void);
u64 nondet_u64(void);

/* Memory of the ring, each part no larger than it has to be. */
struct proof_avail {
	__virtio16 flags;
	__virtio16 idx;
	__virtio16 ring[NUM];
	__virtio16 used_event;
};

struct proof_used {
	__virtio16 flags;
	__virtio16 idx;
	struct vring_used_elem ring[NUM];
	__virtio16 avail_event;
};

extern struct vring_desc desc[NUM];
extern struct proof_avail avail;
extern struct proof_used used;
extern struct vr vr;

/* The used ring when its idx was about to be accessed; only with VR_USER. */
extern struct proof_used used_before_idx;

/* Make vr a ring that vr_init() makes, with both sides bound. */
void any_start(void);

/* Make it one that is sound, in any other way as well. */
void any_ring(void);

/*
 * Is it as a ring can be after vr_start()? In the order of their positions there
 * are: what was given back when the avail side last looked, what is given back, what
 * is taken, what is seen. All that fits into a ring.
 */
bool ring_is_sound(void);

/*
 * Prove what is true of every vr_pop(), with room for up to @max descriptors, where
 * no more than @direct descriptors of the ring are followed by another one there.
 */
void prove_pop(u32 max, u32 direct);

/* Prove that a chain is the one that the driver wrote, if it has no table. */
void prove_chain(void);

#endif
