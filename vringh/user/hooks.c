// SPDX-License-Identifier: GPL-2.0-only
/* The hooks of env_user.h, for the unit tests. */

#ifndef VR_HOOKS
#define VR_HOOKS
#endif

#include <stdlib.h>

#include "../env.h"
#include "hooks.h"

#define MAX_AREAS 8

struct area {
	unsigned char *mem;
	size_t size;
	unsigned int *loads;	/* of each byte */
};

struct hooks hooks;

static struct area areas[MAX_AREAS];
static size_t nr_areas;
static const unsigned char *loaded;	/* by the load before */
static size_t loaded_size;

void hooks_reset(void)
{
	while (nr_areas)
		free(areas[--nr_areas].loads);
	loaded_size = 0;
	hooks = (struct hooks) {};
}

void hooks_watch(void *mem, size_t size)
{
	struct area *area = &areas[nr_areas++];

	if (nr_areas > MAX_AREAS)
		abort();
	*area = (struct area) { mem, size, calloc(size, sizeof(*area->loads)) };
	if (!area->loads)
		abort();
}

/* The area with the byte at @at, or NULL. */
static struct area *find(const void *at)
{
	size_t i;

	for (i = 0; i < nr_areas; i++)
		if ((uintptr_t)at - (uintptr_t)areas[i].mem < areas[i].size)
			return &areas[i];
	return NULL;
}

unsigned int hooks_loads(const void *at)
{
	const struct area *area = find(at);

	if (!area)
		abort();
	return area->loads[(const unsigned char *)at - area->mem];
}

static void flip(const unsigned char *from, size_t size)
{
	const struct area *area;

	for (; size--; from++) {
		area = find(from);
		if (area)
			area->mem[from - area->mem] ^= 0xff;
	}
}

void vr_hook_load(const void *from, size_t size)
{
	const unsigned char *at = from;
	const struct area *area;
	size_t i;

	if (hooks.load)
		hooks.load(hooks.context, from, size);
	if (hooks.flip)
		flip(loaded, loaded_size);
	loaded = at;
	loaded_size = size;
	for (i = 0; i < size; i++) {
		area = find(at + i);
		if (area)
			area->loads[at + i - area->mem]++;
	}
}

bool vr_hook_fault(const void *at, size_t size)
{
	if (hooks.access)
		hooks.access(hooks.context, at, size);
	return ++hooks.accesses == hooks.fail;
}
