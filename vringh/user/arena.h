/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a hostile driver, for fuzzers. The driver and the device have views of
 * their own. In the device's
 *
 *   - what only the driver writes cannot be written;
 *   - what can be loaded is only what a hook was told of, and until the next one:
 *     AddressSanitizer reports any other load;
 *   - a hook that is told of anything but words of the ring ends the program.
 *
 * Loads are recorded, so that the oracle can look at the very words that the ring
 * looked at, in the same order, whatever the driver did to them meanwhile.
 *
 * There is one arena, with one ring. The program has the hooks, which call it.
 */
#ifndef VR_USER_ARENA_H
#define VR_USER_ARENA_H

#ifndef VR_HOOKS
#define VR_HOOKS
#endif

#include "../env.h"
#include "../vring.h"
#include "guest.h"
#include "oracle.h"

/* Where things are. The guest has it all, so tables may be anywhere in it. */
#define ARENA_DESC	0x000000
#define ARENA_AVAIL	0x080000
#define ARENA_USED	0x0a0000
#define ARENA_TABLE	0x100000
#define ARENA_SIZE	0x201000

/* A change of the driver's, in three bytes of a fuzzer's input. */
struct arena_change {
	u8 when;
	u8 where;
	u8 what;
};

struct arena {
	u8 *driver;			/* its view */
	u8 *device;			/* the other */
	struct guest guest;		/* the device's view of it */
	bool big_endian;
	u32 num;
	const struct vr *vr;		/* may be loaded as well */
	struct oracle_memory memory;	/* what was loaded in this call */

	const struct arena_change *change;
	u32 changes;			/* still to come */
	u32 fault;			/* user access that is to fail; 0: none */
	u32 again;			/* read of a table that is to fail */
	int injected;			/* what failed, in this call */
	u32 loads;			/* in this call */
	u32 accesses;			/* in this call, to user memory */
};

extern struct arena arena;

void arena_init(void);

/* A ring of @num in memory that is zero, and that the guest has at @base. */
void arena_begin(u32 num, bool big_endian, u64 base);

/*
 * Make all zero again, and @want, which is compared with the device's part of the
 * ring. Chains from @from on, to before @to, were given back.
 */
void arena_end(u8 *want, u64 from, u64 to);

/* The driver writes: bytes, or words in the byte order of the ring. */
void arena_write(u32 at, const void *bytes, size_t size);
void arena_write16(u32 at, u16 x);
void arena_write_desc(u32 at, u64 addr, u32 len, u16 flags, u16 next);

struct vr_areas arena_areas(void);

/* To be called by the hooks, and as struct vr_config.read with the arena's guest. */
void arena_load(const void *from, size_t size);
bool arena_fault(const void *at, size_t size);
int arena_read(void *context, void *to, u64 from, size_t len);

/* Before and after each call of the ring. */
void arena_call(void);
void arena_return(void);

/* Did the oracle, in the place of the ring, need all that was loaded? */
bool arena_all_used(void);

/*
 * Is the device's part of the ring as @want has it? Of large rings only the
 * neighbourhood of what was given back, from @from to before @to, is compared.
 */
bool arena_used_is(const u8 *want, u64 from, u64 to);

void arena_fail(const char *what);

#endif
