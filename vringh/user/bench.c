// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the ring costs per chain. JSON on standard output, a table on standard error.
 *
 * The driver is no more than its index, which goes round over chains that were
 * written beforehand; a loop with nothing but that is measured as well, and
 * subtracted. Under callgrind there is one round, and one dump of its counts for
 * each loop, which the script insns knows how to read.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "../vring.h"
#include "guest.h"

#define NUM	256
#define BATCH	32
#define ROUNDS	31
#define CHAINS	16384	/* per round, a multiple of all batches */
#define BASE	0x100000000ULL	/* address of the indirect tables */
#define MAX	8

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct bench {
	struct vr vr;
	struct vring_desc desc[NUM];
	struct vring_desc tables[NUM][MAX];
	union {
		struct vring_avail head;
		__u16 room[NUM + 3];
	} avail;
	union {
		struct vring_used head;
		__u64 room[NUM + 1];
	} used;
	struct guest guest;
	struct vr_seg segs[MAX];
	struct vr_chain chain;
	struct vr_done done[BATCH];
	int wrong;	/* not 0 if the ring did not do what it was asked */
};

struct bench_case {
	const char *name;
	void (*run)(struct bench *b);
	u32 batch;	/* chains that the driver offers at a time */
	u32 length;	/* descriptors of a chain: one to write, the others to read */
	enum vr_space space;
	bool indirect;
	bool event_idx;
};

/* The driver: @n more chains. */
static void offer(struct bench *b, u32 n)
{
	__u16 *idx = &b->avail.head.idx;

	smp_store_release(idx, *idx + n);	/* as any driver, to be seen by vr_pop() */
}

/* Take one, give it back. */
static __always_inline void one(struct bench *b)
{
	b->wrong |= vr_pop(&b->vr, &b->chain) - 1;
	b->done[0].ticket = b->chain.ticket;
	b->wrong |= vr_push(&b->vr, b->done, 1);
}

/* Each chain is the only one: the device looks at the driver's index each time. */
static void run_alone(struct bench *b)
{
	u32 i;

	for (i = 0; i < CHAINS; i++) {
		offer(b, 1);
		one(b);
	}
}

static void run_each(struct bench *b)
{
	u32 i, n;

	for (i = 0; i < CHAINS; i += BATCH) {
		offer(b, BATCH);
		for (n = 0; n < BATCH; n++)
			one(b);
	}
}

/* Given back all at once. */
static void run_batch(struct bench *b)
{
	u32 i, n;

	for (i = 0; i < CHAINS; i += BATCH) {
		offer(b, BATCH);
		for (n = 0; n < BATCH; n++) {
			b->wrong |= vr_pop(&b->vr, &b->chain) - 1;
			b->done[n].ticket = b->chain.ticket;
		}
		b->wrong |= vr_push(&b->vr, b->done, BATCH);
	}
}

/* All that a device does that sleeps after each chain. */
static void run_whole(struct bench *b)
{
	u32 i;

	for (i = 0; i < CHAINS; i++) {
		offer(b, 1);
		b->wrong |= vr_kick_off(&b->vr);
		one(b);
		b->wrong |= vr_interrupt(&b->vr) & ~1;
		b->wrong |= vr_pop(&b->vr, &b->chain);
		b->wrong |= vr_kick_on(&b->vr);
	}
}

static void run_kick(struct bench *b)
{
	u32 i;

	for (i = 0; i < CHAINS; i++) {
		b->wrong |= vr_kick_off(&b->vr);
		b->wrong |= vr_kick_on(&b->vr);
	}
}

static void run_interrupt(struct bench *b)
{
	u32 i;

	for (i = 0; i < CHAINS; i++)
		b->wrong |= vr_interrupt(&b->vr) & ~1;
}

/* What is subtracted. */
static noinline void run_driver(struct bench *b, u32 batch)
{
	u32 i;

	for (i = 0; i < CHAINS; i += batch)
		offer(b, batch);
}

static const struct bench_case cases[] = {
	{ "direct-1", run_each, BATCH, 1, VR_KERNEL, false, false },
	{ "direct-3", run_each, BATCH, 3, VR_KERNEL, false, false },
	{ "direct-5", run_each, BATCH, 5, VR_KERNEL, false, false },
	{ "direct-3-alone", run_alone, 1, 3, VR_KERNEL, false, false },
	{ "direct-3-batch", run_batch, BATCH, 3, VR_KERNEL, false, false },
	{ "indirect-3", run_each, BATCH, 3, VR_KERNEL, true, false },
	{ "indirect-3-batch", run_batch, BATCH, 3, VR_KERNEL, true, false },
	{ "whole-3", run_whole, 1, 3, VR_KERNEL, false, false },
	{ "kick", run_kick, 0, 1, VR_KERNEL, false, false },
	{ "interrupt", run_interrupt, 0, 1, VR_KERNEL, false, false },
	{ "event-whole-3", run_whole, 1, 3, VR_KERNEL, false, true },
	{ "event-kick", run_kick, 0, 1, VR_KERNEL, false, true },
	{ "event-interrupt", run_interrupt, 0, 1, VR_KERNEL, false, true },
	{ "user-direct-3", run_each, BATCH, 3, VR_USER, false, false },
	{ "user-direct-3-batch", run_batch, BATCH, 3, VR_USER, false, false },
	{ "user-indirect-3", run_each, BATCH, 3, VR_USER, true, false },
	{ "user-whole-3", run_whole, 1, 3, VR_USER, false, false },
};

/* A chain of @length descriptors in @desc, which begin at number @first. */
static void write_chain(struct vring_desc *desc, u32 first, u32 length)
{
	u32 i;

	for (i = 0; i < length; i++) {
		desc[i] = (struct vring_desc) {
			.addr = 0x1000 * (first + i),
			.len = 512,
			.flags = i + 1 < length ? VRING_DESC_F_NEXT : VRING_DESC_F_WRITE,
			.next = first + i + 1,
		};
	}
}

static void write_ring(struct bench *b, const struct bench_case *c)
{
	u32 length = c->indirect ? 1 : c->length, head, i;

	for (i = 0; i < NUM; i++)
		b->avail.head.ring[i] = i % (NUM / length) * length;
	for (head = 0; head + length <= NUM; head += length) {
		if (!c->indirect) {
			write_chain(&b->desc[head], head, length);
			continue;
		}
		write_chain(b->tables[head], 0, c->length);
		b->desc[head] = (struct vring_desc) {
			.addr = BASE + head * sizeof(b->tables[0]),
			.len = c->length * sizeof(struct vring_desc),
			.flags = VRING_DESC_F_INDIRECT,
		};
	}
}

static void set_up(struct bench *b, const struct bench_case *c)
{
	struct vr_config config = {
		.num = NUM,
		.big_endian = VR_HOST_BIG_ENDIAN,
		.features = 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
			    (u64)c->event_idx << VIRTIO_RING_F_EVENT_IDX,
		.context = &b->guest,
		.read = guest_read,
	};
	struct vr_areas at;

	*b = (struct bench) { .guest = { b->tables, BASE, sizeof(b->tables) } };
	b->chain.segs = b->segs;
	b->chain.max = MAX;
	at = (struct vr_areas) { b->desc, &b->avail.head, &b->used.head };
	write_ring(b, c);
	b->wrong |= vr_init(&b->vr, &config);
	vr_bind_avail(&b->vr, c->space, &at);
	vr_bind_used(&b->vr, c->space, &at);
	b->wrong |= vr_start(&b->vr);
}

/* What a loop took; instructions and cycles are 0 where nobody counts them. */
struct count {
	double instructions;
	double cycles;
	double ns;
};

static int counter = -1;	/* of perf, if the machine has it */

static int open_counter(u64 event, int group)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = event,
		.read_format = PERF_FORMAT_GROUP,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, group, PERF_FLAG_FD_CLOEXEC);
}

static void open_counters(void)
{
	counter = open_counter(PERF_COUNT_HW_INSTRUCTIONS, -1);
	if (counter < 0 || open_counter(PERF_COUNT_HW_CPU_CYCLES, counter) >= 0)
		return;
	close(counter);
	counter = -1;
}

/* Cycles of the processor, or else of its clock, where it has one that is cheap. */
static struct count count(void)
{
	struct count now = {};
	struct timespec t;
	u64 group[3];

	clock_gettime(CLOCK_MONOTONIC, &t);
	now.ns = (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
	if (counter >= 0 && read(counter, group, sizeof(group)) == sizeof(group)) {
		now.instructions = (double)group[1];
		now.cycles = (double)group[2];
	} else {
#ifdef __x86_64__
		now.cycles = (double)__builtin_ia32_rdtsc();
#endif
	}
	return now;
}

static struct count since(const struct count *then)
{
	struct count now = count();

	now.instructions -= then->instructions;
	now.cycles -= then->cycles;
	now.ns -= then->ns;
	return now;
}

/* One round of @c: all of it in @whole, the driver's part in @driver. */
static void measure(struct bench *b, const struct bench_case *c, struct count *whole,
		    struct count *driver)
{
	struct count then;

	set_up(b, c);
	CALLGRIND_ZERO_STATS;
	then = count();
	c->run(b);
	*whole = since(&then);
	CALLGRIND_DUMP_STATS_AT(c->name);

	then = count();
	if (c->batch)
		run_driver(b, c->batch);
	*driver = since(&then);
	CALLGRIND_DUMP_STATS_AT("driver");
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/* The median, sorting @values. */
static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static void print_value(const char *name, double value, bool known)
{
	if (known)
		printf(", \"%s\": %.1f", name, value);
	else
		printf(", \"%s\": null", name);
	if (known)
		fprintf(stderr, " %12.1f", value);
	else
		fprintf(stderr, " %12s", "-");
}

/* Per chain, or per call where there is none. */
struct result {
	double instructions[ROUNDS];
	double cycles[ROUNDS];
	double ns[ROUNDS];
};

static void note(struct result *r, u32 round, const struct count *whole,
		 const struct count *driver)
{
	r->instructions[round] = (whole->instructions - driver->instructions) / CHAINS;
	r->cycles[round] = (whole->cycles - driver->cycles) / CHAINS;
	r->ns[round] = (whole->ns - driver->ns) / CHAINS;
}

static void print_result(const char *name, struct result *r)
{
	double ns = median(r->ns), cycles = median(r->cycles);

	printf("\n\t\t{ \"name\": \"%s\"", name);
	fprintf(stderr, "%-20s", name);
	print_value("instructions_per_chain", median(r->instructions), counter >= 0);
	print_value("cycles_per_chain", cycles, cycles > 0);
	print_value("ns_per_chain", ns, true);
	print_value("chains_per_second", 1e9 / ns, ns > 0);
	printf(" }");
	fprintf(stderr, "\n");
}

int main(void)
{
	static struct result results[ARRAY_SIZE(cases)];
	u32 rounds = RUNNING_ON_VALGRIND ? 1 : ROUNDS, round, i;
	struct count whole, driver;
	static struct bench b;
	int wrong = 0;

	open_counters();
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			measure(&b, &cases[i], &whole, &driver);
			note(&results[i], round, &whole, &driver);
			wrong |= b.wrong;
		}
	}
	if (wrong) {
		fprintf(stderr, "bench: the ring did not do what it was asked\n");
		return 1;
	}
	if (RUNNING_ON_VALGRIND) {
		printf("chains %d\n", CHAINS);
		return 0;
	}

	printf("{\n\t\"cycles\": \"%s\",\n\t\"cases\": [", counter < 0 ? "clock" : "processor");
	fprintf(stderr, "%-20s %12s %12s %12s %12s\n", "per chain", "instructions", "cycles",
		"ns", "chains/s");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (i)
			printf(",");
		print_result(cases[i].name, &results[i]);
	}
	printf("\n\t]\n}\n");
	return 0;
}
