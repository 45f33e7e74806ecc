// SPDX-License-Identifier: GPL-2.0-only
/* Memory of a hostile driver. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>

#include "arena.h"

#define WRITES		4096
#define LOADS		2048
#define LOADED		0x10000
#define GRANULE		8U	/* of AddressSanitizer */

/* A load, or, with @err, one that failed. */
struct load {
	const u8 *at;
	u32 size;
	u32 bytes;		/* where in loaded[] */
	int err;
};

struct arena arena;

static struct load loads[LOADS];
static u8 loaded[LOADED];
static u32 nr_loaded;
static u32 replayed;			/* loads that the oracle saw */
static const struct load *window;	/* the table that it looks at */

/* What is to be made zero. */
static struct { u32 at, size; } writes[WRITES];
static u32 nr_writes;

/* What the last hook was told of. */
static struct { const u8 *at; size_t size; } open;
static bool reading;			/* a table */

/* Changes of the driver: loads since the last one, and one that is to come soon. */
static u32 waited;
static struct { u8 *at; u8 value; } late;

void arena_fail(const char *what)
{
	fprintf(stderr, "the ring is wrong: %s\n", what);
	abort();
}

static void *map(int fd, int prot)
{
	void *p = mmap(NULL, ARENA_SIZE, prot, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		arena_fail("no memory for it");
	return p;
}

static int replay(void *context, void *to, enum oracle_part part, u64 from, size_t size);
static bool has(void *context, u64 from, u64 size);

void arena_init(void)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, ARENA_SIZE))
		arena_fail("no memory for it");
	arena.driver = map(fd, PROT_READ | PROT_WRITE);
	arena.device = map(fd, PROT_READ);
	if (mprotect(arena.device + ARENA_USED, ARENA_TABLE - ARENA_USED, PROT_READ | PROT_WRITE))
		arena_fail("no memory for it");
	close(fd);
	arena.guest.mem = arena.device;
	arena.memory = (struct oracle_memory){ .load = replay, .has = has };
	__asan_poison_memory_region(arena.device, ARENA_SIZE);
}

/* What the device writes is not told to a hook. */
static void open_used(void)
{
	__asan_unpoison_memory_region(arena.device + ARENA_USED, oracle_used_size(arena.num));
}

void arena_begin(u32 num, bool big_endian, u64 base)
{
	arena.big_endian = big_endian;
	arena.guest.base = base;
	arena.guest.size = ARENA_SIZE;
	arena.changes = 0;
	arena.fault = 0;
	arena.again = 0;
	waited = 0;
	if (arena.num == num)
		return;
	__asan_poison_memory_region(arena.device + ARENA_USED, oracle_used_size(arena.num));
	arena.num = num;
	open_used();
}

/* Of the device's part of a ring, how many elements are compared and made zero. */
#define FEW	16

static u32 used_elem(u64 i)
{
	return 4 + 8 * (i & (arena.num - 1));
}

static void clear_used(u8 *used, u64 from, u64 to)
{
	size_t size = oracle_used_size(arena.num);

	if (arena.num <= FEW) {
		memset(used, 0, size);
		return;
	}
	memset(used, 0, 4);
	memset(used + size - 2, 0, 2);
	for (; from < to; from++)
		memset(used + used_elem(from), 0, 8);
}

void arena_end(u8 *want, u64 from, u64 to)
{
	for (; nr_writes; nr_writes--)
		memset(arena.driver + writes[nr_writes - 1].at, 0, writes[nr_writes - 1].size);
	clear_used(arena.driver + ARENA_USED, from, to);
	clear_used(want, from, to);
}

bool arena_used_is(const u8 *want, u64 from, u64 to)
{
	const u8 *used = arena.driver + ARENA_USED;
	size_t size = oracle_used_size(arena.num);

	if (arena.num <= FEW)
		return !memcmp(used, want, size);
	if (memcmp(used, want, 4) || memcmp(used + size - 2, want + size - 2, 2))
		return false;
	for (from--; from <= to; from++)
		if (memcmp(used + used_elem(from), want + used_elem(from), 8))
			return false;
	return true;
}

/* Sizes that are frequent are copied without a call. */
static __always_inline void copy(void *to, const void *from, size_t size)
{
	if (size == 2)
		memcpy(to, from, 2);
	else if (size == 16)
		memcpy(to, from, 16);
	else
		memcpy(to, from, size);
}

static __always_inline void write_bytes(u32 at, const void *bytes, size_t size)
{
	u32 last = nr_writes - 1;

	if (nr_writes && writes[last].at + writes[last].size == at) {
		writes[last].size += size;
	} else if (nr_writes < WRITES) {
		writes[nr_writes].at = at;
		writes[nr_writes].size = size;
		nr_writes++;
	} else {
		arena_fail("too many writes for the test");
	}
	copy(arena.driver + at, bytes, size);
}

void arena_write(u32 at, const void *bytes, size_t size)
{
	write_bytes(at, bytes, size);
}

static bool swapped(void)
{
	return arena.big_endian != VR_HOST_BIG_ENDIAN;
}

void arena_write16(u32 at, u16 x)
{
	if (swapped())
		x = swab16(x);
	write_bytes(at, &x, sizeof(x));
}

void arena_write_desc(u32 at, u64 addr, u32 len, u16 flags, u16 next)
{
	struct vring_desc desc = { addr, len, flags, next };

	if (swapped()) {
		desc.addr = swab64(addr);
		desc.len = swab32(len);
		desc.flags = swab16(flags);
		desc.next = swab16(next);
	}
	write_bytes(at, &desc, sizeof(desc));
}

struct vr_areas arena_areas(void)
{
	return (struct vr_areas) {
		.desc = (void *)(arena.device + ARENA_DESC),
		.avail = (void *)(arena.device + ARENA_AVAIL),
		.used = (void *)(arena.device + ARENA_USED),
	};
}

static bool within(const void *p, size_t size, const void *from, u64 length)
{
	u64 offset = (uintptr_t)p - (uintptr_t)from;

	return size && offset <= length && size <= length - offset;
}

static bool of_ring(const u8 *p, size_t size)
{
	const u8 *device = arena.device;

	return within(p, size, device + ARENA_DESC, 16 * (u64)arena.num) ||
	       within(p, size, device + ARENA_AVAIL, 4 + 2 * (u64)arena.num + 2) ||
	       within(p, size, device + ARENA_USED, oracle_used_size(arena.num));
}

/* What was told may not be loaded any more. */
static void shut(void)
{
	const u8 *from = open.at;

	if (late.at) {
		arena_write(late.at - arena.driver, &late.value, 1);
		late.at = NULL;
	}
	if (!from)
		return;
	from -= (uintptr_t)from % GRANULE;
	__asan_poison_memory_region(from, open.at + open.size - from);
	if (from < arena.device + ARENA_TABLE && open.at + open.size > arena.device + ARENA_USED)
		open_used();
	open.at = NULL;
}

/*
 * A change waits for a number of loads since the one before. Then it is made to the
 * word that is about to be loaded, or to it when it was loaded, or elsewhere.
 */
static u8 *place(const struct arena_change *change, u8 *word, size_t size)
{
	u8 i = change->where;
	u32 slot = i >> 2 & 31;

	switch (change->when >> 6) {
	case 0:
	case 1:
		return word + i % size;
	case 2:
		slot = i & 0x80 ? ARENA_TABLE / 16 + slot : slot & (arena.num - 1);
		return arena.driver + 16 * slot + 12 + (i & 3);
	default:
		return arena.driver + ARENA_AVAIL + i % (4 + 2 * arena.num + 2);
	}
}

static void change(u8 *word, size_t size)
{
	const struct arena_change *next;
	u8 value, *at;

	for (; arena.changes; arena.changes--) {
		next = arena.change;
		if (waited++ < (next->when & 31))
			return;
		waited = 0;
		arena.change++;
		at = place(next, word, size);
		if (at - arena.driver >= ARENA_USED && at - arena.driver < ARENA_TABLE)
			continue;	/* the device's part, which is to be compared */
		value = next->when & 32 ? next->what : *at ^ next->what;
		if (next->when >> 6 == 1) {
			late.at = at;
			late.value = value;
		} else {
			arena_write(at - arena.driver, &value, 1);
		}
	}
}

static void record(const u8 *p, size_t size, int err)
{
	if (arena.loads == LOADS || size > LOADED - nr_loaded)
		arena_fail("it loads without end");
	loads[arena.loads++] = (struct load){ p, size, nr_loaded, err };
	if (err)
		return;
	copy(loaded + nr_loaded, arena.driver + (p - arena.device), size);
	nr_loaded += size;
}

void arena_load(const void *from, size_t size)
{
	const u8 *p = (const u8 *)from;

	if (within(p, size, arena.vr, sizeof(*arena.vr)))
		return;
	if (reading ? !within(p, size, arena.device, arena.guest.size) : !of_ring(p, size))
		arena_fail("it loads what is not its own");
	shut();
	change(arena.driver + (p - arena.device), size);
	record(p, size, 0);
	open.at = p;
	open.size = size;
	p -= (uintptr_t)p % GRANULE;
	__asan_unpoison_memory_region(p, open.at + size - p);
}

/* Count down to 0, where something happens once. */
static bool due(u32 *count)
{
	if (!*count)
		return false;
	--*count;
	return !*count;
}

bool arena_fault(const void *at, size_t size)
{
	const u8 *p = (const u8 *)at;

	if (!of_ring(p, size))
		arena_fail("it goes beyond itself");
	arena.accesses++;
	if (!due(&arena.fault))
		return false;
	record(p, size, -EFAULT);
	arena.injected = -EFAULT;
	return true;
}

int arena_read(void *context, void *to, u64 from, size_t len)
{
	int err;

	if (due(&arena.again)) {
		record(NULL, 0, -EAGAIN);
		arena.injected = -EAGAIN;
		return -EAGAIN;
	}
	reading = true;
	err = guest_read(context, to, from, len);
	reading = false;
	return err;
}

void arena_call(void)
{
	arena.loads = 0;
	arena.accesses = 0;
	arena.injected = 0;
	nr_loaded = 0;
	replayed = 0;
	window = NULL;
}

void arena_return(void)
{
	shut();
}

static bool has(void *context, u64 from, u64 size)
{
	u64 offset = from - arena.guest.base;

	(void)context;
	return from >= arena.guest.base && offset <= arena.guest.size &&
	       size <= arena.guest.size - offset;
}

/* The next load that the ring made, if it is one of some of these bytes. */
static const struct load *next_load(const u8 *p, size_t size)
{
	const struct load *load = &loads[replayed];

	if (replayed == arena.loads || load->at < p || load->at + load->size > p + size)
		return NULL;
	return load;
}

/*
 * Words of the ring, as they were loaded; once each. What was not loaded is as it
 * is: after the ring found a chain to be bad, the oracle may still look for more.
 */
static int replay_ring(u8 *to, const u8 *p, size_t size)
{
	const struct load *load;
	u32 bytes, done = 0;

	copy(to, arena.driver + (p - arena.device), size);
	while ((load = next_load(p, size))) {
		bytes = ((1U << load->size) - 1) << (load->at - p);
		if (done & bytes)
			return 0;
		done |= bytes;
		replayed++;
		if (load->err)
			return load->err;
		copy(to + (load->at - p), loaded + load->bytes, load->size);
	}
	return 0;
}

/* Parts of a table, of which the ring may load more than it needs. */
static void replay_table(u8 *to, const u8 *p, size_t size)
{
	const struct load *load = &loads[replayed];

	if (!window || p < window->at || p + size > window->at + window->size) {
		window = NULL;
		if (replayed < arena.loads && load->at <= p && p + size <= load->at + load->size) {
			window = load;
			replayed++;
		}
	}
	if (window)
		copy(to, loaded + window->bytes + (p - window->at), size);
	else
		copy(to, arena.driver + (p - arena.device), size);
}

static int replay(void *context, void *to, enum oracle_part part, u64 from, size_t size)
{
	static const u32 at[] = { ARENA_DESC, ARENA_AVAIL, ARENA_USED };

	if (part != ORACLE_GUEST)
		return replay_ring(to, arena.device + at[part] + from, size);
	if (replayed < arena.loads && loads[replayed].err)
		return loads[replayed++].err;
	if (!has(context, from, size))
		return -EFAULT;
	replay_table(to, arena.device + (from - arena.guest.base), size);
	return 0;
}

bool arena_all_used(void)
{
	return replayed == arena.loads;
}
