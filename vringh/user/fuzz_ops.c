// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that is done to a ring, by the device and by a driver that need not be decent,
 * in any order, with memory that may be out of reach. After each step the ring has
 * returned, and has in memory, what the oracle says.
 */

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "fuzzer.h"
#include "input.h"
#include "oracle.h"

#define FLIGHTS	64	/* chains that are taken and not given back, at most */
#define BATCH	16
#define ELEM	8	/* bytes of an element of the used ring */

/* A chain that was taken. */
struct flight {
	struct vr_ticket ticket;
	u32 head;
};

static struct vr vr;
static struct input_ring ring;
static enum vr_space avail_space, used_space;
static struct flight flights[FLIGHTS];
static u32 nr_flights;
static u64 pushed;
static struct vr_seg room[INPUT_MAX];

/* What all that has to be like. */
static struct oracle oracle;
static struct oracle_chain expected;
static u8 used[4 + ELEM * 32768 + 2];

/* The driver. */
static struct input_chains chains;
static u16 last;	/* where the last chain begins that it made */
static u16 offered;	/* chains in its ring, not all of them published */

void vr_hook_load(const void *from, size_t size)
{
	arena_load(from, size);
}

bool vr_hook_fault(const void *at, size_t size)
{
	return arena_fault(at, size);
}

int fuzz_begin(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	arena_init();
	arena.vr = &vr;
	return 0;
}

static int near(u8 byte)
{
	return byte < 0x80 ? byte : byte - 0x100;
}

static void fail(const char *what)
{
	oracle_dump(&oracle, &arena.memory, &expected);
	arena_fail(what);
}

/* After a call in @space. An error that was injected is always told. */
static void check_call(enum vr_space space, int ret, int want)
{
	if (ret != (arena.injected ? arena.injected : want))
		fail("what is returned");
	if (!arena.injected && !arena_all_used())
		fail("more loads than needed");
	if (arena.accesses && space == VR_KERNEL)
		fail("user access to what is mapped");
	if (arena.loads && !arena.accesses && space == VR_USER)
		fail("no user access");
}

/* The oracle stored @size bytes at @at, over @old. What failed may have, or not. */
static void may_have_stored(u32 at, const u8 *old, size_t size)
{
	if (arena.injected && !memcmp(arena.driver + ARENA_USED + at, old, size))
		memcpy(used + at, old, size);
}

static u32 elem_at(u64 position)
{
	return 4 + ELEM * (position & vr.mask);
}

/* Where the driver looks whether to notify. */
static u32 kick_at(void)
{
	return oracle.event_idx ? 4 + ELEM * vr.num : 0;
}

static void pop(u8 arg)
{
	struct vr_chain chain = { .segs = room, .max = arg ? arg : ring.max };
	const char *wrong;
	int ret, want;

	if (nr_flights == FLIGHTS)
		return;
	arena_call();
	ret = vr_pop(&vr, &chain);
	arena_return();
	want = oracle_pop(&oracle, &arena.memory, chain.max, &expected);
	wrong = oracle_disagrees(want, &expected, ret, &chain);
	if (wrong)
		fail(wrong);
	check_call(avail_space, ret, ret);
	if (ret == 1 || ret == -EBADMSG)
		flights[nr_flights++] = (struct flight){ chain.ticket, expected.head };
}

/* Give back up to @max of what is on its way, in some order. */
static void push(u8 max, u8 order)
{
	u32 n = min_t(u64, min_t(u32, max, nr_flights), oracle.taken - oracle.given), i;
	struct oracle_done expected_done[BATCH];
	struct oracle before = oracle;
	struct vr_done done[BATCH];
	u8 old[BATCH][ELEM], idx[4];
	struct flight flight;
	int ret;

	memcpy(idx, used, sizeof(idx));
	for (i = 0; i < n; i++) {
		u32 left = nr_flights - i;

		flight = flights[order % left];
		flights[order % left] = flights[left - 1];
		flights[left - 1] = flight;
		done[i] = (struct vr_done){ flight.ticket, order * 0x01020304U + i };
		expected_done[i] = (struct oracle_done){ flight.head, done[i].len };
		memcpy(old[i], used + elem_at(oracle.given + i), ELEM);
	}
	arena_call();
	ret = vr_push(&vr, done, n);
	arena_return();
	check_call(used_space, ret, oracle_push(&oracle, expected_done, n));
	if (!ret) {
		nr_flights -= n;
		pushed += n;
		return;
	}
	oracle = before;
	memcpy(used, idx, sizeof(idx));
	for (i = 0; i < n; i++)
		may_have_stored(elem_at(oracle.given + i), old[i], ELEM);
}

static void interrupt(void)
{
	int ret;

	arena_call();
	ret = vr_interrupt(&vr);
	arena_return();
	check_call(used_space, ret, oracle_interrupt(&oracle, &arena.memory));
}

static void pending(void)
{
	int ret;

	arena_call();
	ret = vr_pending(&vr);
	arena_return();
	check_call(avail_space, ret, oracle_pending(&oracle, &arena.memory));
}

static void kick(bool on)
{
	u8 old[2];
	int ret;

	memcpy(old, used + kick_at(), sizeof(old));
	arena_call();
	ret = on ? vr_kick_on(&vr) : vr_kick_off(&vr);
	arena_return();
	check_call(avail_space, ret,
		   on ? oracle_kick_on(&oracle, &arena.memory) : oracle_kick_off(&oracle));
	may_have_stored(kick_at(), old, sizeof(old));
}

static void bind(u8 how)
{
	struct vr_areas areas = arena_areas();

	avail_space = how & 1 ? VR_KERNEL : VR_USER;
	used_space = how & 2 ? VR_KERNEL : VR_USER;
	vr_bind_avail(&vr, avail_space, &areas);
	vr_bind_used(&vr, used_space, &areas);
}

static int start(u32 base)
{
	struct vr_config config = ring.config;
	u8 old[2];
	int ret;

	config.base = base;
	if (oracle_init(&oracle, &config, used) || vr_init(&vr, &config))
		arena_fail("it cannot be made");
	bind(avail_space | used_space << 1);
	memcpy(old, used, sizeof(old));
	arena_call();
	ret = vr_start(&vr);
	arena_return();
	check_call(used_space, ret, oracle_start(&oracle, &arena.memory));
	may_have_stored(0, old, sizeof(old));
	return ret;
}

/* Make the ring anew, where it was or near. */
static void restore(int off)
{
	u16 base = vr_base(&vr);
	int ret;

	if (base != oracle_base(&oracle))
		fail("its base");
	ret = start((u16)(base + off));
	while (ret)
		ret = start(base);
}

/* What no ring is, mostly. */
static void init(struct input *in, u8 arg)
{
	static struct oracle other_oracle;
	static struct vr other;
	struct vr_config config = {
		.num = (1U << arg) + near(input_byte(in)),
		.base = input_byte(in) * 0x101 + (arg & 1),
		.features = (u64)input_byte(in) << 28,
	};

	if (vr_init(&other, &config) != oracle_init(&other_oracle, &config, NULL))
		fail("what it can be");
}

static void make_chains(struct input *in, u8 nr)
{
	u16 next;

	for (; nr; nr--) {
		next = chains.head;
		if (input_chain(in, &chains))
			last = next;
	}
}

/* Write a head to the driver's ring. */
static void offer(u8 wrong)
{
	u16 heads[] = { last, last + 1, vr.num, 0xffff };

	arena_write16(ARENA_AVAIL + 4 + 2 * (offered & vr.mask), heads[wrong]);
	offered++;
	if (chains.head >= vr.num)
		input_begin(&chains);
}

static void publish(int off)
{
	arena_write16(ARENA_AVAIL + 2, offered + off);
}

/* A chain of one buffer, as any driver offers it. */
static void offer_one(u8 kind)
{
	last = kind & vr.mask;
	arena_write_desc(ARENA_DESC + 16 * last, 0x1122334455667788 + kind, 0x10203 * kind,
			 kind & 1 ? VRING_DESC_F_WRITE : 0, 0);
	offer(0);
	publish(0);
}

static void ask_for_interrupt(u8 flags, u8 event)
{
	arena_write16(ARENA_AVAIL, flags);
	arena_write16(ARENA_AVAIL + 4 + 2 * vr.num, oracle.given + near(event));
}

static void change(struct input *in)
{
	if (in->end - in->at < (ptrdiff_t)sizeof(*arena.change))
		return;
	arena.change = (const struct arena_change *)in->at;
	arena.changes = 1;
	in->at += sizeof(*arena.change);
}

static void device_step(struct input *in, u8 op, u8 arg)
{
	switch (op) {
	case 0:
		return pop(arg);
	case 1:
		return push(arg ? arg : 1, input_byte(in));
	case 2:
		return interrupt();
	case 3:
		return kick(true);
	case 4:
		return kick(false);
	case 5:
		return pending();
	case 6:
		return bind(arg);
	default:
		return arg < 8 ? restore(0) : restore(arg - 12);
	}
}

static void driver_step(struct input *in, u8 op, u8 arg)
{
	switch (op) {
	case 8:
		return make_chains(in, arg + 1);
	case 9:
		return offer(arg & 3);
	case 10:
		return publish(arg < 8 ? 0 : arg < 12 ? arg - 10 : (int)vr.num - 14 + arg);
	case 11:
		return offer_one(arg);
	case 12:
		return ask_for_interrupt(arg, input_byte(in));
	case 13:
		arena.fault = arg & 7;
		arena.again = arg >> 3;
		return;
	case 14:
		return arg & 8 ? input_end(&chains, arg & 3) : change(in);
	default:
		return init(in, arg);
	}
}

static void check(void)
{
	if (vr.avail.next != (u16)oracle.taken || vr.avail.seen != (u16)oracle.seen ||
	    vr.used.next != (u16)oracle.given)
		fail("what it knows");
	if (oracle.first ? vr.used.unsignalled <= U16_MAX :
			   vr.used.unsignalled != oracle.given - oracle.told)
		fail("what it knows of interrupts");
	if (!arena_used_is(used, oracle.given - BATCH, oracle.given + BATCH))
		fail("what the driver is told");
}

int fuzz(const u8 *data, size_t size)
{
	struct input in = { .at = data, .end = data + size };
	u16 from;
	u8 byte;

	input_ring(&in, &ring);
	arena_begin(ring.config.num, ring.config.big_endian &&
		    !(ring.config.features >> VIRTIO_F_VERSION_1), ring.base);
	input_begin(&chains);
	avail_space = ring.space;
	used_space = ring.space;
	nr_flights = 0;
	pushed = 0;
	last = 0;
	offered = ring.config.base;
	from = ring.config.base - ring.lag;
	arena_write16(ARENA_USED, 1);
	arena_write16(ARENA_USED + 2, from);
	memcpy(used, arena.driver + ARENA_USED, 4);
	if (!start(ring.config.base)) {
		publish(0);
		while (in.at < in.end) {
			byte = input_byte(&in);
			(byte & 8 ? driver_step : device_step)(&in, byte & 15, byte >> 4);
			check();
		}
	}
	arena_end(used, from, from + pushed + BATCH);
	return 0;
}
