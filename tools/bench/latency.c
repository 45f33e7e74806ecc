// SPDX-License-Identifier: GPL-2.0-only
/* How long things took. */
#include "../macros.h"
#include "latency.h"

/* Below 16 ns each has a count of its own; above, the first five bits tell. */
static unsigned int bucket(__u64 ns)
{
	unsigned int power = ns < LATENCY_STEPS ? 0 : 60 - __builtin_clzll(ns);

	return power * LATENCY_STEPS + (ns >> (power ? power - 1 : 0)) -
	       (power ? LATENCY_STEPS : 0);
}

/* The longest that is counted there. */
static __u64 longest(unsigned int bucket)
{
	unsigned int power = bucket / LATENCY_STEPS, step = bucket % LATENCY_STEPS;

	return power ? ((__u64)(LATENCY_STEPS + step + 1) << (power - 1)) - 1 : step;
}

void latency_add(struct latency *latency, __u64 ns)
{
	latency->counts[bucket(ns)]++;
	latency->n++;
}

void latency_merge(struct latency *to, const struct latency *from)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(to->counts); i++)
		to->counts[i] += from->counts[i];
	to->n += from->n;
}

__u64 latency_at(const struct latency *latency, unsigned int permille)
{
	__u64 seen = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(latency->counts); i++) {
		seen += latency->counts[i];
		if (seen && seen * 1000 >= latency->n * permille)
			return longest(i);
	}
	return 0;
}
