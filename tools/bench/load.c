// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-blk-load: keep a disk busy, by one way to reach it, and tell what it took.
 * One line of JSON on standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../macros.h"
#include "latency.h"
#include "load.h"
#include "mark.h"

#define HUGE_PAGE	(2UL << 20)

static const struct target *const targets[] = {
	&vhost_target, &vhost_user_target, &uring_target, &aio_target,
};

/* What a lane did, of which its thread only knows until it ends. */
struct run {
	struct lane lane;
	pthread_t thread;
	__u64 state;	/* of the random numbers */
	__u64 *begun;	/* by slot, in ns */
	__u64 now;	/* when this round of the loop began, in ns, if that is to be known */
	__u64 began, ended;	/* its load, in ns */
	__u64 first;	/* when the first was done, in ns */
	unsigned long done, bad;
	struct latency latency;
	const char *why;	/* it failed */
};

static bool enough;	/* the time is up */
static pthread_barrier_t all_ready;

static __noreturn void die(const char *why)
{
	fprintf(stderr, "vhost-blk-load: %s\n", why);
	exit(1);
}

const char *load_error(const char *what)
{
	static __thread char text[128];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
	return text;
}

void *load_alloc(size_t n, size_t size)
{
	void *mem = calloc(n, size);

	if (!mem)
		die(load_error("memory"));
	return mem;
}

/* Addresses that huge pages can have. */
static char *reserve(size_t size)
{
	char *room = mmap(NULL, size + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		die(load_error("memory"));
	return room + (-(unsigned long)room & (HUGE_PAGE - 1));
}

char *load_map(const struct load *load, size_t size, int fd)
{
	int flags = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
	char *mem = mmap(reserve(size), size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (mem == MAP_FAILED ||
	    madvise(mem, size, load->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) ||
	    madvise(mem, size, MADV_POPULATE_WRITE))
		die(load_error("memory"));
	return mem;
}

size_t load_round(size_t size)
{
	return (size + HUGE_PAGE - 1) & -HUGE_PAGE;
}

char *load_buffers(const struct load *load)
{
	return load_map(load, load_round((size_t)load_nr_buffers(load) * load->size), -1);
}

const char *load_open_disk(struct load *load)
{
	struct stat stat;

	load->opened = load_now();
	load->fd = open(load->disk, (load->reads < 100 ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
	if (load->fd < 0)	/* some have no O_DIRECT, as /dev/null */
		load->fd = open(load->disk, O_RDWR | O_CLOEXEC);
	if (load->fd < 0 || fstat(load->fd, &stat))
		return load_error(load->disk);
	load->bytes = 1ULL << 40;	/* where nothing is behind it, as in /dev/null */
	if (S_ISBLK(stat.st_mode) && ioctl(load->fd, BLKGETSIZE64, &load->bytes))
		return load_error(load->disk);
	return NULL;
}

__u64 load_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static __u64 random_number(struct run *run)
{
	run->state ^= run->state << 13;
	run->state ^= run->state >> 7;
	run->state ^= run->state << 17;
	return run->state;
}

static void add(struct run *run, unsigned int slot)
{
	const struct load *load = run->lane.load;
	__u64 number = random_number(run), blocks = load->bytes / load->size;
	/* Of the upper half; a product is cheaper than a remainder. */
	__u64 block = ((number >> 32) * (blocks > UINT32_MAX ? UINT32_MAX : blocks)) >> 32;

	run->begun[slot] = run->now;
	run->lane.target->add(&run->lane, slot, number % 128 * 100 / 128 >= load->reads,
			      block * load->size);
}

/* Once for all requests of a round, as to read the clock costs as much as 2 % of one. */
static void look_at_clock(struct run *run)
{
	if (run->lane.load->latency)
		run->now = load_now();
}

/* Take what is done; with @more, begin as many anew. */
static unsigned int take(struct run *run, bool more)
{
	struct lane *lane = &run->lane;
	unsigned int n = 0;
	bool ok;
	int slot;

	look_at_clock(run);
	for (; (slot = lane->target->take(lane, &ok)) >= 0; n++) {
		run->bad += !ok;
		if (lane->load->latency)
			latency_add(&run->latency, run->now - run->begun[slot]);
		if (more)
			add(run, slot);
	}
	run->done += n;
	return n;
}

static bool is_enough(const struct run *run)
{
	return __atomic_load_n(&enough, __ATOMIC_RELAXED) ||
	       (run->lane.load->count && run->done >= run->lane.load->count);
}

static void pass_mark(const struct load *load, unsigned long address)
{
	if (load->mark)
		((void (*)(void))address)();
}

static void make_marks(void)
{
	unsigned char *code = mmap((void *)MARK_BEGIN, 2, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED)
		die(load_error("marks"));
	memset(code, 0xc3, 2);	/* return */
}

static const char *keep_busy(struct run *run)
{
	const struct load *load = run->lane.load;
	unsigned int in_flight = load->depth;
	const char *why = NULL;

	pass_mark(load, MARK_BEGIN);
	run->began = load_now();
	look_at_clock(run);
	for (unsigned int slot = 0; slot < load->depth; slot++)
		add(run, slot);
	while (!why && !is_enough(run)) {
		why = run->lane.target->go(&run->lane, load->batch);
		take(run, true);
		run->first = run->first ?: load_now();
	}
	/* Some were added, and not submitted yet. */
	while (!why && in_flight) {
		why = run->lane.target->go(&run->lane, 1);
		in_flight -= take(run, false);
	}
	run->ended = load_now();
	pass_mark(load, MARK_END);
	return why;
}

static void *run_lane(void *arg)
{
	struct run *run = arg;

	run->why = run->lane.target->start(&run->lane);
	pthread_barrier_wait(&all_ready);
	if (!run->why)
		run->why = keep_busy(run);
	return NULL;
}

/* Time that all CPUs were busy since boot, in ns. */
static __u64 busy_time(void)
{
	/* user, nice, system, idle, iowait, irq, softirq */
	static const bool busy[] = { true, true, true, false, false, true, true };
	FILE *file = fopen("/proc/stat", "r");
	char line[256] = "", *next = line + strlen("cpu");
	__u64 ticks = 0, n;

	if (!file || !fgets(line, sizeof(line), file))
		die(load_error("/proc/stat"));
	fclose(file);
	for (unsigned int i = 0; i < ARRAY_SIZE(busy); i++) {
		n = strtoull(next, &next, 10);
		ticks += busy[i] ? n : 0;
	}
	return ticks * (1000000000ULL / sysconf(_SC_CLK_TCK));
}

static void start(struct run *runs, const struct load *load, const struct target *target)
{
	for (unsigned int i = 0; i < load->lanes; i++) {
		runs[i].lane = (struct lane) { .load = load, .target = target, .index = i };
		runs[i].state = 0x9e3779b97f4a7c15 * (i + 1);
		runs[i].begun = load_alloc(load->depth, sizeof(*runs[i].begun));
		if (pthread_create(&runs[i].thread, NULL, run_lane, &runs[i]))
			die(load_error("threads"));
	}
}

static void report(struct run *runs, const struct load *load, const struct target *target,
		   __u64 busy)
{
	static struct latency latency;
	unsigned long done = 0, bad = 0;
	__u64 began = runs->began, ended = 0, ns;

	for (unsigned int i = 0; i < load->lanes; i++) {
		done += runs[i].done;
		bad += runs[i].bad;
		latency_merge(&latency, &runs[i].latency);
		began = MIN(began, runs[i].began);
		ended = MAX(ended, runs[i].ended);
	}
	ns = ended - began;
	printf("{\"target\": \"%s\", \"queues\": %u, \"depth\": %u, \"batch\": %u, ",
	       target->name, load->lanes, load->depth, load->batch);
	printf("\"size\": %u, \"reads\": %u, \"done\": %lu, \"bad\": %lu, \"ns\": %llu, ",
	       load->size, load->reads, done, bad, ns);
	printf("\"ns_each\": %.1f, \"iops\": %.0f, \"cpu_ns_each\": %.0f, \"first_ns\": %llu",
	       (double)ns / (double)done, (double)done * 1e9 / (double)ns,
	       (double)busy / (double)done, runs->first - load->opened);
	if (load->spare)
		printf(", \"spare_bytes\": %llu", load->spare_bytes);
	if (load->latency)
		printf(", \"p50_ns\": %llu, \"p99_ns\": %llu, \"p99.9_ns\": %llu",
		       latency_at(&latency, 500), latency_at(&latency, 990),
		       latency_at(&latency, 999));
	puts("}");
	if (bad)
		die("requests failed");
}

static void run(const struct load *load, const struct target *target)
{
	struct run *runs = load_alloc(load->lanes, sizeof(*runs));
	__u64 busy;

	pthread_barrier_init(&all_ready, NULL, load->lanes + 1);
	start(runs, load, target);
	pthread_barrier_wait(&all_ready);
	busy = busy_time();
	if (!load->count) {
		sleep(load->seconds);
		__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	}
	for (unsigned int i = 0; i < load->lanes; i++) {
		pthread_join(runs[i].thread, NULL);
		if (runs[i].why)
			die(runs[i].why);
	}
	report(runs, load, target, busy_time() - busy);
}

static const char usage[] =
	"usage: vhost-blk-load [OPTION...] TARGET DISK\n"
	"\n"
	"  --depth N      requests of a queue in flight (1)\n"
	"  --batch N      of these, that are waited for at a time (1)\n"
	"  --size BYTES   of a request (4096)\n"
	"  --buffers N    in turn, instead of one for each request in flight\n"
	"  --reads N      percent; the others are writes (100)\n"
	"  --queues N     each has a thread (1)\n"
	"  --seconds N    for so long (3)\n"
	"  --count N      or until a queue has done so many\n"
	"  --latency      measure it as well\n"
	"  --huge         memory is in huge pages, where the kernel has them for it\n"
	"  --mark         tell tools/bench/count.c when it begins, and when it ends\n"
	"  --poll US      vhost-blk: the worker polls for so long before it sleeps (0)\n"
	"  --spare N      vhost-blk: N more devices, and what memory each of them takes (0)\n"
	"  --indirect     vhost-blk, vhost-user: by indirect tables, as guests do\n"
	"  --scattered    vhost-blk, vhost-user: each page of the data is elsewhere\n"
	"  --spin         vhost-blk, vhost-user: look for what is done, do not sleep\n"
	"  --iopoll, --sqpoll   io_uring\n";

static void show_usage(void)
{
	fputs(usage, stdout);
	for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++)
		printf("\n  %-12s %s", targets[i]->name, targets[i]->what);
	puts("");
	exit(0);
}

static unsigned long parse_number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n < min || n > max)
		die("a number is not in its range: see --help");
	return n;
}

static const struct option options[] = {
	{ "depth", 1, NULL, 'd' }, { "batch", 1, NULL, 'b' }, { "size", 1, NULL, 's' },
	{ "reads", 1, NULL, 'r' }, { "queues", 1, NULL, 'q' }, { "seconds", 1, NULL, 't' },
	{ "count", 1, NULL, 'c' }, { "latency", 0, NULL, 'l' }, { "poll", 1, NULL, 'p' },
	{ "indirect", 0, NULL, 'i' }, { "spin", 0, NULL, 'y' }, { "iopoll", 0, NULL, 'I' },
	{ "sqpoll", 0, NULL, 'S' }, { "huge", 0, NULL, 'H' }, { "scattered", 0, NULL, 'x' },
	{ "spare", 1, NULL, 'e' }, { "buffers", 1, NULL, 'B' }, { "mark", 0, NULL, 'm' },
	{ "help", 0, NULL, 'h' }, { },
};

static void parse(struct load *load, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			load->depth = parse_number(optarg, 1, 1024);
			break;
		case 'b':
			load->batch = parse_number(optarg, 1, 1024);
			break;
		case 's':
			load->size = parse_number(optarg, 512, 1 << 20);
			break;
		case 'B':
			load->buffers = parse_number(optarg, 1, 16384);
			break;
		case 'r':
			load->reads = parse_number(optarg, 0, 100);
			break;
		case 'q':
			load->lanes = parse_number(optarg, 1, 64);
			break;
		case 't':
			load->seconds = parse_number(optarg, 1, 86400);
			break;
		case 'c':
			load->count = parse_number(optarg, 1, ULONG_MAX);
			break;
		case 'p':
			load->poll_us = parse_number(optarg, 0, 1000000);
			break;
		case 'e':
			load->spare = parse_number(optarg, 0, 1000);
			break;
		case 'l':
			load->latency = true;
			break;
		case 'i':
			load->indirect = true;
			break;
		case 'x':
			load->scattered = true;
			break;
		case 'y':
			load->spin = true;
			break;
		case 'I':
			load->iopoll = true;
			break;
		case 'S':
			load->sqpoll = true;
			break;
		case 'H':
			load->huge = true;
			break;
		case 'm':
			load->mark = true;
			break;
		case 'h':
			show_usage();
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct load load = { .lanes = 1, .depth = 1, .batch = 1, .size = 4096, .reads = 100,
			     .seconds = 3 };
	const struct target *target = NULL;
	const char *why;

	parse(&load, argc, argv);
	if (argc - optind != 2)
		die("TARGET and DISK are missing: see --help");
	for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++)
		if (!strcmp(targets[i]->name, argv[optind]))
			target = targets[i];
	if (!target)
		die("no such TARGET: see --help");
	load.disk = argv[optind + 1];
	if (load.batch > load.depth)
		die("--batch is more than --depth");
	if (load.mark && load.lanes > 1)
		die("--mark is for one queue");
	if (load.mark)
		make_marks();
	why = target->open(&load);
	if (why)
		die(why);
	if (load.bytes < load.size)
		die("the disk is too small");
	run(&load, target);
	return 0;
}
