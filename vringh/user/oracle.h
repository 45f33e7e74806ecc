/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device's half of a split virtqueue has to do: slow and obvious, from
 * virtio 1.3, 2.7, and from what vring.h promises, not from how the ring does it.
 * Words are put together from bytes, positions are counted without end, a chain is
 * first collected and then judged, one rule after the other.
 */
#ifndef VR_USER_ORACLE_H
#define VR_USER_ORACLE_H

#include <stddef.h>

#include "../env.h"
#include "../vring.h"

/* Descriptors of a chain to collect: more than 2 more than a caller has room for. */
#define ORACLE_VISITS	1032

/* What can be loaded, from an offset in it or, from the guest, from an address. */
enum oracle_part {
	ORACLE_DESC,
	ORACLE_AVAIL,
	ORACLE_USED,
	ORACLE_GUEST,
	ORACLE_PARTS,
};

/**
 * struct oracle_memory - How to look at what the driver wrote
 * @context: First argument of the others.
 * @load: Copy @size bytes. Returns 0; -EFAULT; from the guest, any other error as
 *	of struct vr_config.read.
 * @has: Has the guest that memory?
 */
struct oracle_memory {
	void *context;
	int (*load)(void *context, void *to, enum oracle_part part, u64 from, size_t size);
	bool (*has)(void *context, u64 from, u64 size);
};

/* Memory that is simply there. The guest's is the last part, and begins at @base. */
struct oracle_plain {
	const u8 *part[ORACLE_PARTS];
	u64 base;
	u64 size;
};

/* To be used as struct oracle_memory with a struct oracle_plain as context. */
int oracle_plain_load(void *context, void *to, enum oracle_part part, u64 from, size_t size);
bool oracle_plain_has(void *context, u64 from, u64 size);

/* A ring. */
struct oracle {
	u32 num;
	bool big_endian;
	bool indirect;
	bool event_idx;
	bool notify_on_empty;
	u64 taken;	/* chains taken */
	u64 seen;	/* and seen to be offered */
	u64 given;	/* and given back */
	u64 told;	/* of these, when vr_interrupt() was last asked */
	bool first;	/* it was not asked yet */
	u8 *used;	/* what the device's part of the ring has to contain, to compare */
};

/* A descriptor on the way through a chain. */
struct oracle_visit {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
	u32 size;	/* of the table it is in */
	bool nested;	/* in an indirect one */
};

/**
 * struct oracle_chain - What vr_pop() has to tell
 * @faults: All rules that are broken, one bit for each enum vr_fault; any of them
 *	may be told. 0 if the chain is good.
 * @may_refuse: The chain is good, but parts of a table that it does not lead to are
 *	not in memory: -EBADMSG for VR_NO_TABLE is right as well.
 * @head: First descriptor.
 * @nr: Number of @visit.
 * @visit: Descriptors, in the order of the chain.
 */
struct oracle_chain {
	u32 faults;
	bool may_refuse;
	u32 head;
	u32 nr;
	struct oracle_visit visit[ORACLE_VISITS];
};

/* A chain to give back. */
struct oracle_done {
	u32 head;
	u32 len;
};

/*
 * Each returns what the function of the same name has to return, changes @o as it
 * has to change the ring, and @o->used as it has to change the driver's memory. If
 * the function may return either of two things, oracle_agrees() knows.
 */
int oracle_init(struct oracle *o, const struct vr_config *config, void *used);
int oracle_start(struct oracle *o, const struct oracle_memory *memory);
int oracle_pop(struct oracle *o, const struct oracle_memory *memory, u32 max,
	       struct oracle_chain *chain);
int oracle_pending(const struct oracle *o, const struct oracle_memory *memory);
int oracle_kick_on(struct oracle *o, const struct oracle_memory *memory);
int oracle_kick_off(struct oracle *o);
int oracle_push(struct oracle *o, const struct oracle_done *done, u32 n);
int oracle_interrupt(struct oracle *o, const struct oracle_memory *memory);
u32 oracle_base(const struct oracle *o);

/* Bytes of the device's part of a ring. */
size_t oracle_used_size(u32 num);

/*
 * Where vr_pop() had to return @want and tell @chain: what is wrong with it that it
 * returned @ret and told @got, or NULL.
 */
const char *oracle_disagrees(int want, const struct oracle_chain *chain,
			     int ret, const struct vr_chain *got);

/* Show the ring and the chain on standard error. */
void oracle_dump(const struct oracle *o, const struct oracle_memory *memory,
		 const struct oracle_chain *chain);

#endif
