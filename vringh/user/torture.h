/* SPDX-License-Identifier: GPL-2.0-only */
/* What the threads of torture share. */
#ifndef VR_USER_TORTURE_H
#define VR_USER_TORTURE_H

#include <linux/futex.h>
#include <stdnoreturn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../env.h"
#include "driver.h"
#include "guest.h"

#define MAX_NUM		256	/* descriptors of a ring */
#define MAX_BUFS	8	/* of a chain */
#define MAX_LEN		64	/* of a buffer */

/* Say why, and all that is known of the state, and end. */
noreturn void fail(const char *what);

static inline void must(bool fine, const char *what)
{
	if (!fine)
		fail(what);
}

/* Each thread has its own sequence of numbers. */
extern __thread u64 random_state;

static inline void random_start(u64 seed)
{
	random_state = (2 * seed + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Less than @n. */
static inline u32 below(u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) % n;
}

/*
 * Something to sleep on. The barriers are those that a kernel makes for who wakes
 * and who is woken; ThreadSanitizer does not see them, and is not to see any.
 */
struct event {
	const char *name;
	int set;
	int waiting;
};

static inline void event_signal(struct event *e)
{
	smp_mb();	/* after what there is to see for who wakes up */
	if (!uatomic_xchg(&e->set, 1, CMM_RELAXED))
		syscall(SYS_futex, &e->set, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static inline void event_wait(struct event *e)
{
	WRITE_ONCE(e->waiting, 1);
	while (!uatomic_xchg(&e->set, 0, CMM_RELAXED))
		syscall(SYS_futex, &e->set, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	WRITE_ONCE(e->waiting, 0);
	smp_mb();	/* before a look at what there is to see */
}

/* What the first buffer of a chain says. */
struct question {
	u64 tag;
	u32 out_len;	/* of the other buffers to read, which have pattern(tag) */
	u32 in_len;	/* of the buffers to write */
	u32 nr_out;
	u32 nr_in;
};

/* What byte @i of a chain has to be; with ~@tag, of its answer. */
static inline u8 pattern(u64 tag, u32 i)
{
	return (tag * 0x9e3779b97f4a7c15ULL >> 56) + i;
}

/* How much of the buffers to write the answer takes. */
static inline u32 answer_len(const struct question *q)
{
	return q->tag % 3 ? q->in_len : q->tag / 3 % (q->in_len + 1);
}

/* The guest. Its driver's state is of the thread, or of who had that rest. */
extern struct guest guest;
extern struct drv drv;
extern struct event interrupt;
extern u64 answered;	/* chains that the driver took back */
extern u64 kicks;

/* Who is to be told of new chains. */
extern struct event kick;

/* Where the guest has @addr, with @len bytes from there on. */
u8 *at(u64 addr, u32 len);

/* Begin with an empty ring, where the driver never ran or rests. */
void driver_init(u32 num, u64 features, bool big_endian);
void driver_fini(void);

/* The thread. It rests, when all chains are back, from driver_rest() on. */
void *driver_run(void *seed);
void driver_rest(void);
void driver_resume(void);

/* Have the thread end, which rests. */
void driver_end(void);

#endif
