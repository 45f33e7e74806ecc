// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains of a hostile driver, which changes them while they are read. What is taken
 * has to be what the oracle makes of the words that were loaded, each of them once.
 */

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "fuzzer.h"
#include "input.h"
#include "oracle.h"

#define CANARY	0x6b6b6b6b6b6b6b6b
#define TAKES	4	/* at most, of one input */

static struct vr vr;
static struct oracle oracle;
static struct oracle_chain expected;
static u8 used[4 + 8 * 32768 + 2];	/* as the oracle has it */
static struct vr_seg room[INPUT_MAX + 2];
static struct vr_done done[TAKES];
static struct oracle_done expected_done[TAKES];

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

static void fail(const char *what)
{
	oracle_dump(&oracle, &arena.memory, &expected);
	arena_fail(what);
}

/* What is to happen when the ring was started. */
struct plan {
	const struct arena_change *change;
	u32 changes;
	u32 again;
	u32 fault;
	u8 rounds;	/* two bits for each */
};

#define PUSH	1
#define OFFER	2

/* Where the driver says that chains begin; @wrong, half a byte, is how not. */
static void offer_head(u32 num, u32 position, u16 head, u8 wrong)
{
	if (wrong >= 14)
		head = wrong == 14 ? num : 0xffff;
	else
		head ^= wrong;
	arena_write16(ARENA_AVAIL + 4 + 2 * (position % num), head);
}

/* What the driver wrote when the device comes. */
static void prepare(struct input *in, const struct input_ring *ring, struct plan *plan)
{
	u8 counts = input_byte(in), offers = input_byte(in), rounds = input_byte(in);
	u8 wrong[] = { input_byte(in), input_byte(in) };
	u32 num = ring->config.num, base = ring->config.base, i;
	struct input_chains chains;
	u16 heads[TAKES] = {};
	u32 offer;

	plan->again = counts >> 6;
	plan->fault = counts & 7;
	plan->rounds = rounds;
	plan->changes = min_t(u32, counts >> 3 & 7, (in->end - in->at) / sizeof(*plan->change));
	in->end -= plan->changes * sizeof(*plan->change);
	plan->change = (const struct arena_change *)in->end;

	arena_begin(num, oracle.big_endian, ring->base);
	input_begin(&chains);
	while (in->at < in->end)
		if (input_chain(in, &chains) && chains.nr < TAKES)
			heads[chains.nr] = chains.head;
	input_end(&chains, ring->cut);
	for (i = 0; i < TAKES; i++)
		offer_head(num, base + i, heads[i], wrong[i / 2] >> i % 2 * 4 & 15);

	if (!offers)
		offer = chains.nr ? chains.nr : 1;
	else if (offers < 0xfe)
		offer = offers % (num + 1);
	else
		offer = offers == 0xfe ? num + 1 : 0xffff;
	arena_write16(ARENA_AVAIL + 2, base + offer);
	arena_write16(ARENA_USED, 1);
	arena_write16(ARENA_USED + 2, base - ring->lag);
}

static bool start(enum vr_space space)
{
	struct vr_areas areas = arena_areas();
	int ret, want;

	vr_bind_avail(&vr, space, &areas);
	vr_bind_used(&vr, space, &areas);
	memcpy(used, arena.driver + ARENA_USED, 4);
	arena_call();
	ret = vr_start(&vr);
	arena_return();
	want = oracle_start(&oracle, &arena.memory);
	if (ret != want)
		fail("how it starts");
	return !ret;
}

static bool same(const void *a, const void *b, size_t size)
{
	return !memcmp(a, b, size);
}

/* What is always so, and what may be different after an error. */
static void check_ring(const struct vr *before, int ret)
{
	struct vr after = *before;

	after.avail.next = (u16)oracle.taken;
	after.avail.seen = (u16)oracle.seen;
	after.avail.returned = vr.avail.returned;
	if (!same(&after, &vr, sizeof(vr)))
		fail("what it knows");
	if ((u16)(vr.avail.next - before->avail.next) != (ret == 1 || ret == -EBADMSG))
		fail("its position");
	if ((u16)(vr.avail.seen - vr.avail.next) > vr.num ||
	    (u16)(vr.avail.next - vr.avail.returned) > vr.num)
		fail("how many chains there are");
}

static bool legal(int ret)
{
	return ret == 1 || ret == 0 || ret == -EBADMSG || ret == -EPROTO ||
	       (ret && ret == arena.injected);
}

static void check_room(const struct vr_chain *chain, u32 max)
{
	if (chain->segs != room + 1 || chain->max != max)
		fail("the caller's room");
	if (room[0].addr != CANARY || room[0].len != (u32)CANARY ||
	    room[max + 1].addr != CANARY || room[max + 1].len != (u32)CANARY)
		fail("beyond the caller's room");
}

static int pop(u32 max, struct vr_ticket *ticket)
{
	const struct vr_seg canary = { .addr = CANARY, .len = (u32)CANARY };
	struct vr_chain chain = { .segs = room + 1, .max = max };
	struct vr before = vr;
	const char *wrong;
	int ret, want;

	room[0] = canary;
	room[max + 1] = canary;
	arena_call();
	ret = vr_pop(&vr, &chain);
	arena_return();
	want = oracle_pop(&oracle, &arena.memory, max, &expected);

	check_room(&chain, max);
	wrong = oracle_disagrees(want, &expected, ret, &chain);
	if (wrong)
		fail(wrong);
	if (!legal(ret))
		fail("what is returned");
	if (arena.loads > 2 + 4 * (max + 2) || !arena_all_used())
		fail("more loads than needed");
	check_ring(&before, ret);
	*ticket = chain.ticket;
	return ret;
}

static void push(u32 n)
{
	int ret;

	arena_call();
	ret = vr_push(&vr, done, n);
	arena_return();
	if (ret != (arena.injected ? arena.injected : oracle_push(&oracle, expected_done, n)))
		fail("what giving back returns");
}

static void offer(void)
{
	const u8 *idx = arena.driver + ARENA_AVAIL + 2;

	arena_write16(ARENA_AVAIL + 2, (idx[!oracle.big_endian] << 8 | idx[oracle.big_endian]) + 1);
}

static void run(const struct plan *plan, u32 max)
{
	u32 i, n = 0;

	arena.again = plan->again;
	arena.fault = plan->fault;
	arena.change = plan->change;
	arena.changes = plan->changes;
	for (i = 0; i < TAKES; i++) {
		int ret = pop(max, &done[n].ticket);

		if (ret == 1 || ret == -EBADMSG) {
			done[n].len = 0x1234567 * i;
			expected_done[n].head = expected.head;
			expected_done[n].len = done[n].len;
			n++;
		}
		if (ret == -EPROTO && i)
			break;
		if (plan->rounds >> 2 * i & PUSH) {
			arena.fault = 0;
			push(n);
			n = 0;
		}
		if (plan->rounds >> 2 * i & OFFER)
			offer();
	}
}

int fuzz(const u8 *data, size_t size)
{
	struct input in = { .at = data, .end = data + size };
	struct input_ring ring;
	struct plan plan;
	u64 from;

	input_ring(&in, &ring);
	if (oracle_init(&oracle, &ring.config, used) || vr_init(&vr, &ring.config))
		arena_fail("it cannot be made");
	prepare(&in, &ring, &plan);
	from = oracle.taken;
	if (start(ring.space)) {
		from = oracle.given;
		run(&plan, ring.max);
		if (!arena_used_is(used, from, oracle.given))
			fail("what the driver is told");
	}
	arena_end(used, from, oracle.given);
	return 0;
}
