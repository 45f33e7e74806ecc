/* SPDX-License-Identifier: GPL-2.0-only */
/* How long things took: counts per duration, to 6 %, in ns. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <linux/types.h>

#define LATENCY_STEPS	16	/* in each power of two */

struct latency {
	__u64 counts[61 * LATENCY_STEPS];
	__u64 n;
};

void latency_add(struct latency *latency, __u64 ns);
void latency_merge(struct latency *to, const struct latency *from);
/* What @permille of them do not exceed; 0 if there are none. */
__u64 latency_at(const struct latency *latency, unsigned int permille);

#endif
