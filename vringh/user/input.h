/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bytes of a fuzzer's input mean. Zero, which is also what comes after the
 * end, is what a decent driver does; few bytes make a ring with chains, so that
 * short inputs get far.
 */
#ifndef VR_USER_INPUT_H
#define VR_USER_INPUT_H

#include "../env.h"
#include "../vring.h"

struct input {
	const u8 *at;
	const u8 *end;
};

/* What an input begins with. */
struct input_ring {
	struct vr_config config;
	enum vr_space space;
	u32 max;	/* as in struct vr_chain, up to INPUT_MAX */
	u16 lag;	/* chains that are not given back at the start */
	u64 base;	/* of the guest's memory */
	u8 cut;		/* how it ends, for input_cut() */
};

#define INPUT_MAX	64

/*
 * Chains on their way into memory. Mostly they are good: one after the other in the
 * ring, each with tables after those of the others.
 */
struct input_chains {
	u32 at;			/* where in the arena the next descriptor goes */
	u32 table;		/* and where the table begins that it is in */
	u32 table_end;		/* of all tables */
	u32 indirect;		/* the descriptor of that table, unless it is the ring's own */
	u8 indirect_how;
	u16 write;		/* VRING_DESC_F_WRITE from the first such buffer on */
	u32 nr;			/* chains so far */
	u16 head;		/* where the next begins */
};

static inline u8 input_byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

void input_ring(struct input *in, struct input_ring *ring);

/* Before the first chain. */
void input_begin(struct input_chains *chains);

/* Do what the next byte says. Returns true if that ended a chain. */
bool input_chain(struct input *in, struct input_chains *chains);

/* End the last chain; @cut is how the guest's memory ends after the last table. */
void input_end(struct input_chains *chains, u8 cut);

#endif
