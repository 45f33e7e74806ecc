/* SPDX-License-Identifier: GPL-2.0-only */
/* How long tests take, and how long they wait. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Whatever takes longer is taken to never happen, in milliseconds. */
#define LIMIT_MS	20000

/*
 * What must not wait for a disk, or for a busy guest, is done within this time. On
 * an emulated machine that others use, too, a second is not much; with a kernel that
 * is made to find bugs, and so can inject faults, all takes ten times as long.
 */
static inline long prompt_ms(void)
{
	return access("/sys/kernel/debug/failslab", F_OK) ? 2000 : 15000;
}

/* Tests that go on for a while do so for this time: VBLK_TEST_SECONDS, or 2 s. */
static inline long test_ms(void)
{
	const char *seconds = getenv("VBLK_TEST_SECONDS");

	return (seconds ? strtol(seconds, NULL, 10) : 2) * 1000;
}

static inline long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void sleep_ms(long ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Whether @condition becomes true before LIMIT_MS have gone by. */
#define BECOMES_TRUE(condition) ({			\
	long _end = now_ms() + LIMIT_MS;		\
	bool _is;					\
	while (!(_is = (condition)) && now_ms() < _end)	\
		sleep_ms(1);				\
	_is;						\
})

#endif /* LIB_CLOCK_H */
