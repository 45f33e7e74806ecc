// SPDX-License-Identifier: GPL-2.0-only
/* The driver of torture, which adds chains and looks at how they come back. */

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "torture.h"

#define BASE	0x100000	/* of the guest's memory */
#define PAGE	4096

/* The guest's memory for one chain. */
struct room {
	struct vring_desc table[MAX_BUFS];
	u8 data[MAX_BUFS][MAX_LEN];
};

/* What the driver knows of a chain. */
struct job {
	struct question question;
	struct drv_buf bufs[MAX_BUFS];
	struct room *room;
	struct job *next;	/* that is free */
};

static struct room rooms[MAX_NUM];
struct guest guest = { .mem = rooms, .base = BASE, .size = sizeof(rooms) };
struct drv drv;
struct event interrupt = { .name = "interrupt" };
u64 answered;
u64 kicks;

static struct job jobs[MAX_NUM];
static struct job *free_jobs;
static void *ring_mem;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool resting;	/* is to rest */
static bool rests;
static bool ending;

u8 *at(u64 addr, u32 len)
{
	must(addr >= BASE && addr - BASE <= sizeof(rooms) && len <= sizeof(rooms) - (addr - BASE),
	     "a buffer outside of the guest's memory");
	return (u8 *)rooms + (addr - BASE);
}

static u64 addr_of(const void *mem)
{
	return BASE + (u64)((const u8 *)mem - (const u8 *)rooms);
}

static u32 in_flight(void)
{
	return drv.added - drv.taken;
}

/* Think of a question, and write it into the room of @job. */
static void ask(struct job *job)
{
	struct question *q = &job->question;
	static u64 tag;
	u32 i, n;

	q->tag = ++tag;
	q->nr_out = 1 + below(min_t(u32, drv.num, MAX_BUFS / 2));
	q->nr_in = below(min_t(u32, drv.num - q->nr_out, MAX_BUFS / 2) + 1);
	q->out_len = 0;
	q->in_len = 0;
	for (i = 0; i < q->nr_out + q->nr_in; i++) {
		u32 len = i ? below(MAX_LEN + 1) : sizeof(*q);
		u8 *data = job->room->data[i];

		job->bufs[i] = (struct drv_buf) { addr_of(data), len };
		if (i >= q->nr_out) {
			q->in_len += len;
		} else if (i) {
			for (n = 0; n < len; n++)
				data[n] = pattern(q->tag, q->out_len++);
		}
	}
	memcpy(job->room->data, q, sizeof(*q));
}

/* Add a chain that is direct, in a table, or both; is there room for more? */
static bool add_one(void)
{
	struct job *job = free_jobs;
	struct drv_table table;
	u32 nr, direct;
	int err;

	if (!job)
		return false;
	ask(job);
	nr = job->question.nr_out + job->question.nr_in;
	direct = below(2) ? below(nr) : 0;
	table = (struct drv_table) { job->room->table, addr_of(job->room->table) };
	err = drv_add(&drv, job->bufs, job->question.nr_out, job->question.nr_in,
		      below(2) ? &table : NULL, direct, job);
	if (err) {
		must(err == -ENOSPC, "drv_add() failed");
		return false;
	}
	free_jobs = job->next;
	return true;
}

static void publish(void)
{
	drv_publish(&drv);
	if (drv_must_kick(&drv)) {
		uatomic_inc(&kicks);
		event_signal(&kick);
	}
}

static void add(void)
{
	u32 n = 1 + below(drv.num), every = 1 + below(8);

	while (n-- && add_one())
		if (!below(every))
			publish();
	publish();
}

static void check_answer(const struct drv_used *used)
{
	struct job *job = used->token;
	const struct question *q = &job->question;
	u32 i, n, len = answer_len(q), offset = 0;

	must(used->len == len, "an answer of another length");
	for (i = q->nr_out; i < q->nr_out + q->nr_in; i++) {
		const u8 *data = at(job->bufs[i].addr, job->bufs[i].len);

		for (n = 0; n < job->bufs[i].len && offset < len; n++, offset++)
			must(data[n] == pattern(~q->tag, offset), "another answer");
	}
	job->next = free_jobs;
	free_jobs = job;
	WRITE_ONCE(answered, answered + 1);
}

/* Take back @n chains. */
static void take_back(u32 n)
{
	u64 end = drv.taken + n;
	bool polls = !below(4);
	struct drv_used used;
	int err;

	while (drv.taken < end) {
		err = drv_take(&drv, &used);
		must(err >= 0, "the driver finds the device at fault");
		if (err) {
			check_answer(&used);
		} else if (polls) {
			sched_yield();
		} else {
			if (drv_enable_interrupt(&drv, below(end - drv.taken)))
				event_wait(&interrupt);
			drv_disable_interrupt(&drv);
		}
	}
}

static void rest(void)
{
	pthread_mutex_lock(&lock);
	rests = true;
	pthread_cond_broadcast(&changed);
	while (resting)
		pthread_cond_wait(&changed, &lock);
	rests = false;
	pthread_mutex_unlock(&lock);
}

void *driver_run(void *seed)
{
	random_start((uintptr_t)seed);
	while (!READ_ONCE(ending)) {
		if (READ_ONCE(resting)) {
			take_back(in_flight());
			rest();
			continue;
		}
		add();
		take_back(1 + below(in_flight()));
	}
	return NULL;
}

void driver_rest(void)
{
	pthread_mutex_lock(&lock);
	WRITE_ONCE(resting, true);
	while (!rests)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void driver_resume(void)
{
	pthread_mutex_lock(&lock);
	WRITE_ONCE(resting, false);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void driver_end(void)
{
	WRITE_ONCE(ending, true);
	driver_resume();
}

void driver_init(u32 num, u64 features, bool big_endian)
{
	u32 i;

	ring_mem = aligned_alloc(PAGE, (drv_ring_size(num) + PAGE - 1) & ~(PAGE - 1UL));
	must(ring_mem && !drv_init(&drv, ring_mem, num, features, big_endian), "out of memory");
	free_jobs = NULL;
	for (i = 0; i < num; i++) {
		jobs[i].room = &rooms[i];
		jobs[i].next = free_jobs;
		free_jobs = &jobs[i];
	}
}

void driver_fini(void)
{
	drv_fini(&drv);
	free(ring_mem);
}
