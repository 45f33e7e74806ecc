/* SPDX-License-Identifier: GPL-2.0-only */
/* What a test sees of the ring's accesses to shared memory, and does to them. */
#ifndef VR_USER_HOOKS_H
#define VR_USER_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

struct hooks {
	unsigned long fail;	/* which user access is to fail, from 1 on; 0: none */
	unsigned long accesses;	/* user accesses so far */
	bool flip;		/* all bits of what is watched, once it was loaded */
	void *context;
	void (*load)(void *context, const void *from, size_t size);	/* before it */
	void (*access)(void *context, const void *at, size_t size);	/* the same */
};

extern struct hooks hooks;

/* No hooks, and nothing watched. */
void hooks_reset(void);

/* Count loads from @mem, which goes on being watched until hooks_reset(). */
void hooks_watch(void *mem, size_t size);

/* How often the byte at @at, which is watched, was loaded. */
unsigned int hooks_loads(const void *at);

#endif
