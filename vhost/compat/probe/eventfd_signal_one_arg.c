// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux kernel commit 3652117f8548 "eventfd: simplify eventfd_signal()" (in v6.8):
 * what is added to the counter is always 1.
 */
#include <linux/eventfd.h>

void probe(struct eventfd_ctx *ctx);

void probe(struct eventfd_ctx *ctx)
{
	eventfd_signal(ctx);
}
