// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that fits into small rings, against the oracle: all chains that can be
 * made of up to four descriptors and a table of four, all indices, all decisions
 * whether to notify.
 *
 *   exhaust [N]	of all cases, about one of N
 *
 * No two cases have the same in all that the device has to look at.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../env.h"
#include "../vring.h"
#include "guest.h"
#include "oracle.h"

#define SLOT	16	/* bytes of a descriptor */
#define TABLE	4	/* descriptors after those of the ring, for a table */
#define ROOM	8	/* buffers */
#define SHOWN	5	/* disagreements */
#define GUEST	0x7fff0000ULL
#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

#define FEATURE(x)	(1ULL << (x))
#define INDIRECT_DESC	FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX	FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define ON_EMPTY	FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY)

/* Where positions are that may be special. */
static const u16 bases[] = { 0, 1, 0x7ffe, 0x7fff, 0x8000, 0xfffc, 0xfffd, 0xfffe, 0xffff };

static u64 cases, wrong;
static u64 divisor = 1, root = 1;	/* of which the square is about the divisor */

/* The ring, its memory, and what they should be like. */
static struct vr vr;
static struct oracle oracle;
static struct oracle_chain expected;
static u8 image[4 + 8 * 32768 + 2];

static u8 memory[1 << 20] ____cacheline_aligned;
static u8 *desc, *avail, *used;
static struct guest guest;
static struct oracle_plain plain;
static const struct oracle_memory everything = {
	.context = &plain,
	.load = oracle_plain_load,
	.has = oracle_plain_has,
};

/* How a ring is accessed. */
struct how {
	enum vr_space space;
	bool big_endian;
};

static const struct how hows[] = {
	{ VR_KERNEL, false }, { VR_USER, false }, { VR_KERNEL, true }, { VR_USER, true },
};

/* Is one of @of to be left out? */
static bool skipped(u64 of)
{
	static u64 n;

	return n++ % of;
}

static void disagree(const char *what, int ret, int want)
{
	if (wrong++ >= SHOWN)
		return;
	fprintf(stderr, "%s: %d, and should be %d\n", what, ret, want);
	oracle_dump(&oracle, &everything, &expected);
}

static void put(u8 *at, size_t size, u64 x)
{
	size_t i;

	for (i = 0; i < size; i++, x >>= 8)
		at[oracle.big_endian ? size - 1 - i : i] = (u8)x;
}

static void lay_out(u32 num)
{
	desc = memory;
	avail = desc + SLOT * (num + TABLE);
	used = avail + (4 + 2 * num + 2 + 3) / 4 * 4;
	guest = (struct guest){ memory, GUEST, used + 4 + 8 * num + 2 - memory };
	plain = (struct oracle_plain){ { desc, avail, used, memory }, GUEST, guest.size };
	memset(memory, 0, guest.size);
	memset(image, 0, oracle_used_size(num));
}

static void bind(enum vr_space space)
{
	struct vr_areas areas = { (void *)desc, (void *)avail, (void *)used };

	vr_bind_avail(&vr, space, &areas);
	vr_bind_used(&vr, space, &areas);
}

/* Begin at @base, with @lag chains on their way. */
static void begin(u32 num, u64 features, const struct how *how, u16 base, u16 lag)
{
	const struct vr_config config = {
		.num = num,
		.base = base,
		.features = features,
		.big_endian = how->big_endian,
		.context = &guest,
		.read = guest_read,
	};
	int ret, want;

	lay_out(num);
	if (vr_init(&vr, &config) || oracle_init(&oracle, &config, image))
		disagree("init", -1, 0);
	bind(how->space);
	put(used + 2, 2, (u16)(base - lag));
	put(image + 2, 2, (u16)(base - lag));
	ret = vr_start(&vr);
	want = oracle_start(&oracle, &everything);
	if (ret || want)
		disagree("start", ret, want);
}

/* Nothing is given back to a ring of which not all is compared. */
#define COMPARED	1024U

static bool told_right(void)
{
	size_t size = oracle_used_size(vr.num);

	return !memcmp(used, image, min_t(size_t, size, COMPARED)) &&
	       !memcmp(used + size - 2, image + size - 2, 2);
}

static const char *state_disagrees(void)
{
	if (vr.avail.next != (u16)oracle.taken || vr.avail.seen != (u16)oracle.seen ||
	    vr.used.next != (u16)oracle.given)
		return "what the ring knows";
	return told_right() ? NULL : "what the driver is told";
}

/* Take a chain, of which the oracle says @want. */
static int pop(u32 max, int want, struct vr_ticket *ticket)
{
	static struct vr_seg segs[ROOM + 1];
	struct vr_chain chain = { .segs = segs, .max = max };
	const char *what;
	int ret;

	segs[max] = (struct vr_seg){ U64_MAX, U32_MAX };
	ret = vr_pop(&vr, &chain);
	what = oracle_disagrees(want, &expected, ret, &chain) ?: state_disagrees();
	if (segs[max].addr != U64_MAX || segs[max].len != U32_MAX)
		what = "beyond the room";
	if (what)
		disagree(what, ret, want);
	*ticket = chain.ticket;
	return ret;
}

/*
 * Chains. What a descriptor contains is chosen when the oracle looks at it, so that
 * nothing is chosen that does not matter.
 */
struct choice {
	struct vr vr;		/* before the chain is taken */
	struct oracle oracle;
	u32 num;
	u32 max;
	u32 lens;		/* of buffers to choose from, the number */
	u32 tables;		/* of lengths of tables */
	u32 places;		/* of their addresses */
	u16 strange;		/* flags to set always */
	u32 chosen;		/* slots, one bit each */
	u32 depth;		/* their number */
	int next;		/* slot to be chosen */
};

static const u32 buffer_lens[] = { 0, U32_MAX, 1, 16, 17, 32 };
static const u32 table_lens[] = {
	4 * SLOT, SLOT, 2 * SLOT, 3 * SLOT, 0, 1, SLOT + 1, SLOT + 8,
	65536 * SLOT, 65537 * SLOT, U32_MAX,
};

/* A place for tables, parts of the ring, and places that are none. */
#define PLACES	10

static void list_places(const struct choice *choice, u32 len, u64 *places)
{
	const u64 list[PLACES] = {
		GUEST + SLOT * choice->num,
		GUEST,
		GUEST + SLOT * (choice->num - 1),
		GUEST + SLOT * (choice->num + TABLE),
		GUEST + SLOT * choice->num + 8,
		GUEST + guest.size - len + 1,
		GUEST - SLOT,
		0,
		-(u64)len,
		U64_MAX,
	};

	memcpy(places, list, sizeof(list));
}

static bool is_new(const u64 *places, u32 i)
{
	u32 j;

	for (j = 0; j < i; j++)
		if (places[j] == places[i])
			return false;
	return true;
}

static int load_chosen(void *context, void *to, enum oracle_part part, u64 from, size_t size)
{
	struct choice *choice = context;
	u64 at = part == ORACLE_GUEST ? from - GUEST : from, slot;

	if (part == ORACLE_GUEST && !oracle_plain_has(&plain, from, size))
		return -EFAULT;
	for (slot = at / SLOT; part != ORACLE_AVAIL && slot * SLOT < at + size; slot++) {
		if (slot >= choice->num + TABLE || choice->chosen >> slot & 1)
			continue;
		choice->next = (int)slot;
		return -EAGAIN;
	}
	return oracle_plain_load(&plain, to, part, from, size);
}

static bool has_chosen(void *context, u64 from, u64 size)
{
	(void)context;
	return oracle_plain_has(&plain, from, size);
}

/* Take the chain, and give it back. */
static void try_chain(const struct choice *choice, int want)
{
	struct oracle_done expected_done = { .head = expected.head, .len = 0x12345678 };
	struct vr_done done = { .len = 0x12345678 };
	const char *what;
	int ret;

	cases++;
	vr = choice->vr;
	ret = pop(choice->max, want, &done.ticket);
	if (ret != 1 && ret != -EBADMSG)
		return;
	ret = vr_push(&vr, &done, 1);
	oracle_push(&oracle, &expected_done, 1);
	what = ret ? "giving back" : state_disagrees();
	if (what)
		disagree(what, ret, 0);
	memset(used, 0, oracle_used_size(choice->num));
	memset(image, 0, oracle_used_size(choice->num));
}

static void choose(struct choice *choice);

static void chosen(struct choice *choice, u64 addr, u32 len, u16 flags, u16 next)
{
	u8 *at = desc + (size_t)SLOT * choice->next;
	int slot = choice->next;

	if (choice->depth <= 2 && skipped(root))
		return;
	put(at, 8, addr);
	put(at + 8, 4, len);
	put(at + 12, 2, flags | choice->strange);
	put(at + 14, 2, next);
	choose(choice);
	choice->next = slot;
}

static void choose_buffer(struct choice *choice, u16 flags, u16 next)
{
	u32 i;

	for (i = 0; i < choice->lens; i++)
		chosen(choice, 0x0123456789abcdefULL * (choice->next + 1), buffer_lens[i], flags,
		       next);
}

static void choose_table(struct choice *choice, u16 flags, u16 next)
{
	u64 places[PLACES];
	u32 i, j;

	for (i = 0; i < choice->tables; i++) {
		list_places(choice, table_lens[i], places);
		for (j = 0; j < choice->places; j++)
			if (is_new(places, j))
				chosen(choice, places[j], table_lens[i], flags, next);
	}
}

static void choose_flags(struct choice *choice, u16 flags)
{
	u16 nexts[] = { 0xffff, 0, 1, 2, 3, 4 };
	bool of_ring = choice->next < (int)choice->num;
	u32 i, nr = 1;

	if (flags & VRING_DESC_F_NEXT)
		nr = of_ring ? choice->num + 2 : LENGTH(nexts);
	for (i = 0; i < nr; i++) {
		if (!(flags & VRING_DESC_F_INDIRECT))
			choose_buffer(choice, flags, nexts[i]);
		else if (of_ring)
			choose_table(choice, flags, nexts[i]);
		else
			chosen(choice, GUEST, SLOT, flags, nexts[i]);
	}
}

static void choose(struct choice *choice)
{
	const struct oracle_memory memory_chosen = { choice, load_chosen, has_chosen };
	int slot, want;
	u16 flags;

	oracle = choice->oracle;
	choice->next = -1;
	want = oracle_pop(&oracle, &memory_chosen, choice->max, &expected);
	slot = choice->next;
	if (slot < 0 || want == -EBADMSG) {
		try_chain(choice, want);
		return;
	}
	choice->chosen |= 1U << slot;
	choice->depth++;
	for (flags = 0; flags < 8; flags++)
		choose_flags(choice, flags);
	choice->depth--;
	choice->chosen &= ~(1U << slot);
	memset(desc + (size_t)SLOT * slot, 0xa5, SLOT);
}

/* All chains, from all heads; at the position where indices wrap. */
static void make_chains(struct choice *choice, u64 features, const struct how *how)
{
	u32 num = choice->num, head;

	begin(num, features, how, 0xffff, 0);
	memset(desc, 0xa5, SLOT * (num + TABLE));
	memset(used, 0, 4);
	memset(image, 0, 4);
	choice->vr = vr;
	choice->oracle = oracle;
	put(avail + 2, 2, 0);
	for (head = 0; head < num + 2; head++) {
		put(avail + 4 + 2 * (num - 1), 2, head <= num ? head : 0xffff);
		choose(choice);
	}
}

static void direct_chains(u32 num)
{
	struct choice choice = { .num = num, .lens = 6, .tables = 1, .places = 1 };
	u32 h;

	for (choice.max = 1; choice.max <= num + 1; choice.max++)
		make_chains(&choice, 0, &hows[0]);
	choice.max = num;
	choice.strange = 0xfff8;
	for (h = 0; h < LENGTH(hows); h++)
		make_chains(&choice, 0, &hows[h]);
}

static void indirect_chains(u32 num)
{
	struct choice choice = {
		.num = num, .lens = 1, .tables = LENGTH(table_lens), .places = PLACES,
	};
	u32 h;

	for (choice.max = 1; choice.max < ROOM; choice.max++)
		if (choice.max != num)
			make_chains(&choice, INDIRECT_DESC, &hows[0]);
	choice.max = num;
	choice.lens = 2;
	for (h = 0; h < LENGTH(hows); h++)
		make_chains(&choice, INDIRECT_DESC, &hows[h]);
}

/* The ring returned @ret, and should have returned @want. */
static void compare(const char *what, int ret, int want)
{
	const char *state = state_disagrees();

	if (ret != want || state)
		disagree(state && ret == want ? state : what, ret, want);
}

/* A ring at some point. */
struct point {
	struct vr vr;
	struct oracle oracle;
};

static void keep(struct point *point)
{
	point->vr = vr;
	point->oracle = oracle;
}

static void go_back(const struct point *point)
{
	vr = point->vr;
	oracle = point->oracle;
}

static void pop_as_oracle(struct vr_ticket *ticket)
{
	pop(1, oracle_pop(&oracle, &everything, 1, &expected), ticket);
}

static void push_as_oracle(const struct vr_ticket *tickets, const u32 *heads, u32 n)
{
	struct oracle_done expected_done[TABLE];
	struct vr_done done[TABLE];
	u32 i;

	for (i = 0; i < n; i++) {
		done[i] = (struct vr_done){ tickets[i], 0x01020304 * (i + 1) };
		expected_done[i] = (struct oracle_done){ heads[i], done[i].len };
	}
	compare("giving back", vr_push(&vr, done, n), oracle_push(&oracle, expected_done, n));
}

/* The driver offers all it can, from @base on, and the device takes @n of it. */
static void take(u32 n, u16 base, struct vr_ticket *tickets, u32 *heads)
{
	u32 i;

	put(avail + 2, 2, (u16)(base + vr.num));
	for (i = 0; i < vr.num; i++)
		put(avail + 4 + 2 * ((base + i) & vr.mask), 2, i);
	for (i = 0; i < n; i++) {
		pop_as_oracle(&tickets[i]);
		heads[i] = i;
	}
}

/* All that the driver's index can be. */
static void indices(u32 num, const struct how *how, u16 base, u16 lag)
{
	struct vr_ticket ticket;
	struct point point;
	u32 idx;

	begin(num, EVENT_IDX, how, base, lag);
	keep(&point);
	for (idx = 0; idx < 65536; idx++) {
		if (skipped(divisor))
			continue;
		put(avail + 2, 2, idx);
		go_back(&point);
		pop_as_oracle(&ticket);
		cases++;
	}
}

/* The same, if @n chains were taken of all that was offered; or none was seen. */
static void kicks(u32 num, u64 features, const struct how *how, u16 base, u32 n)
{
	struct vr_ticket tickets[TABLE];
	u32 heads[TABLE], idx;
	struct point point;

	begin(num, features, how, base, 0);
	take(n, base, tickets, heads);
	keep(&point);
	for (idx = 0; idx < 65536; idx++) {
		if (skipped(divisor))
			continue;
		put(avail + 2, 2, idx);
		go_back(&point);
		compare("pending", vr_pending(&vr), oracle_pending(&oracle, &everything));
		compare("kick off", vr_kick_off(&vr), oracle_kick_off(&oracle));
		compare("kick on", vr_kick_on(&vr), oracle_kick_on(&oracle, &everything));
		cases++;
	}
}

/* All heads that there can be. */
static void head_words(u32 num, const struct how *how)
{
	struct vr_ticket ticket;
	struct point point;
	u32 head;

	begin(num, 0, how, 0, 0);
	keep(&point);
	put(avail + 2, 2, 1);
	for (head = 0; head < 65536; head++) {
		if (skipped(divisor))
			continue;
		put(avail + 4, 2, head);
		go_back(&point);
		pop_as_oracle(&ticket);
		cases++;
	}
}

/* All that the driver can ask for, in flags or as an event; if that matters. */
static void ask(void)
{
	bool empty = oracle.notify_on_empty && oracle.taken == oracle.seen;
	bool matters = !empty && !(oracle.event_idx && oracle.first);
	u8 *at = avail + (oracle.event_idx ? 4 + 2 * vr.num : 0);
	struct point point;
	u32 word;

	keep(&point);
	for (word = 0; word < (matters ? 65536 : 1); word++) {
		if (matters && skipped(divisor))
			continue;
		put(at, 2, word);
		go_back(&point);
		compare("interrupt", vr_interrupt(&vr), oracle_interrupt(&oracle, &everything));
		cases++;
	}
}

/* Ask for @n of @taken chains, the others still being on their way. */
static void interrupts(u64 features, const struct how *how, u16 base, u32 taken, u32 n)
{
	struct vr_ticket tickets[TABLE];
	u32 heads[TABLE];

	begin(TABLE, features, how, base, 0);
	take(taken, base, tickets, heads);
	if (!n)
		ask();
	vr_interrupt(&vr);
	oracle_interrupt(&oracle, &everything);
	push_as_oracle(tickets, heads, n);
	ask();
	vr_interrupt(&vr);
	oracle_interrupt(&oracle, &everything);
	push_as_oracle(tickets + n, heads + n, taken - n);
	ask();
}

/* The same for many, @n, of which nobody asked since the ring began. */
static void late_interrupt(u64 features, const struct how *how, u16 base, u32 n)
{
	struct vr_ticket ticket;
	u32 head = 0;

	begin(1, features, how, base, 0);
	vr_interrupt(&vr);
	oracle_interrupt(&oracle, &everything);
	for (; n; n--) {
		put(avail + 2, 2, ++base);
		pop_as_oracle(&ticket);
		push_as_oracle(&ticket, &head, 1);
	}
	ask();
}

/* Put @n things into the @k-th of their orders. */
static void reorder(struct vr_ticket *tickets, u32 *heads, u32 n, u32 k)
{
	struct vr_ticket ticket;
	u32 i, head;

	for (; n > 1; k /= n, n--) {
		i = k % n;
		ticket = tickets[i];
		tickets[i] = tickets[n - 1];
		tickets[n - 1] = ticket;
		head = heads[i];
		heads[i] = heads[n - 1];
		heads[n - 1] = head;
	}
}

/* Give back in the @order-th order, with a new batch where @cuts has a bit. */
static void pushes(u32 num, const struct how *how, u16 base, u32 order, u32 cuts)
{
	struct vr_ticket tickets[TABLE];
	u32 heads[TABLE], i, first;

	begin(num, 0, how, base, 0);
	take(num, base, tickets, heads);
	reorder(tickets, heads, num, order);
	for (i = 1, first = 0; i <= num; i++) {
		if (i < num && !(cuts >> i & 1))
			continue;
		push_as_oracle(tickets + first, heads + first, i - first);
		first = i;
	}
	cases++;
}

/* Where a ring can go on. */
static void starts(u32 num, const struct how *how, u16 base)
{
	struct point point;
	u32 idx;

	begin(num, EVENT_IDX, how, base, 0);
	keep(&point);
	for (idx = 0; idx < 65536; idx++) {
		if (skipped(divisor))
			continue;
		put(used, 2, 1);
		put(used + 2, 2, idx);
		memcpy(image, used, 4);
		go_back(&point);
		compare("start", vr_start(&vr), oracle_start(&oracle, &everything));
		cases++;
	}
}

static void init(u32 num, u32 base, u64 features)
{
	const struct vr_config config = { .num = num, .base = base, .features = features };
	int ret = vr_init(&vr, &config), want = oracle_init(&oracle, &config, image);

	cases++;
	if (ret != want || (!ret && vr_base(&vr) != oracle_base(&oracle)))
		disagree("init", ret, want);
}

static void all_chains(void)
{
	u32 num;

	for (num = 1; num <= TABLE; num *= 2) {
		direct_chains(num);
		indirect_chains(num);
	}
}

static void all_indices(void)
{
	u32 num, b, lag;

	for (num = 1; num <= TABLE; num *= 2)
		for (b = 0; b < LENGTH(bases); b++)
			for (lag = 0; lag <= num; lag++)
				indices(num, &hows[(b + lag) % LENGTH(hows)], bases[b], lag);
	for (num = 1, b = 0; num <= 32768; num *= 2, b++) {
		head_words(num, &hows[b % LENGTH(hows)]);
		if (num > TABLE)
			indices(num, &hows[b % LENGTH(hows)], bases[b % LENGTH(bases)], num / 2);
	}
}

static void all_kicks(void)
{
	u32 num, b, n;

	for (num = 1; num <= TABLE; num *= 2)
		for (b = 0; b < LENGTH(bases); b++)
			for (n = 0; n <= num; n++) {
				kicks(num, EVENT_IDX, &hows[b % LENGTH(hows)], bases[b], n);
				kicks(num, 0, &hows[b % LENGTH(hows)], bases[b], n);
			}
}

static void all_interrupts(void)
{
	static const u64 features[] = { EVENT_IDX, 0, EVENT_IDX | ON_EMPTY, ON_EMPTY };
	static const u32 many[] = { 65534, 65535, 65536, 65537, 131071, 131072, 131073 };
	u32 f, b, taken, n;

	for (f = 0; f < LENGTH(features); f++)
		for (b = 0; b < LENGTH(bases); b++)
			for (taken = 0; taken <= TABLE; taken++)
				for (n = 0; n <= taken; n++)
					interrupts(features[f], &hows[b % LENGTH(hows)], bases[b],
						   taken, n);
	for (n = 0; n < LENGTH(many); n++)
		for (b = 0; b < LENGTH(hows); b++)
			late_interrupt(EVENT_IDX, &hows[b], bases[b], many[n]);
}

static void all_pushes(void)
{
	static const u32 orders[] = { 0, 1, 2, 6, 24 };
	u32 num, base, order, cuts;

	for (num = 1; num <= TABLE; num *= 2)
		for (base = 0; base < 65536; base++)
			for (order = 0; order < orders[num]; order++)
				for (cuts = 0; cuts < 1U << num; cuts += 2)
					if (!skipped(divisor))
						pushes(num, &hows[base / 5 % LENGTH(hows)], base,
						       order, cuts);
}

static void all_starts(void)
{
	u32 num, b, base;
	u64 bit;

	for (num = 1; num <= 32768; num *= 2)
		for (b = 0; b < LENGTH(bases); b++)
			starts(num, &hows[b % LENGTH(hows)], bases[b]);
	for (num = 0; num <= 65537; num++) {
		init(num, 0, 0);
		init(num, 65536, 0);
	}
	for (base = 0; base <= 131072; base++)
		init(256, base, EVENT_IDX);
	for (bit = 1; bit; bit *= 2) {
		init(256, 0, bit);
		init(3, 0, bit);
	}
}

static void run(const char *what, void (*all)(void))
{
	u64 before = cases;

	all();
	printf("%s: %llu cases\n", what, (unsigned long long)(cases - before));
}

int main(int argc, char **argv)
{
	clock_t begun = clock();

	if (argc > 1)
		divisor = strtoull(argv[1], NULL, 0);
	while (root * root < divisor)
		root++;
	setvbuf(stdout, NULL, _IOLBF, 0);
	run("init, start", all_starts);
	run("kick", all_kicks);
	run("interrupt", all_interrupts);
	run("push", all_pushes);
	run("pop, indices", all_indices);
	run("pop, chains", all_chains);
	printf("exhaust: %llu cases, %llu disagreements, %.0f s\n", (unsigned long long)cases,
	       (unsigned long long)wrong, (double)(clock() - begun) / CLOCKS_PER_SEC);
	return wrong != 0;
}
