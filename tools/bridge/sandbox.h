/* SPDX-License-Identifier: GPL-2.0-only */
/* What the bridge gives up when it is set up, before it listens to anybody. */
#ifndef BRIDGE_SANDBOX_H
#define BRIDGE_SANDBOX_H

#include <linux/types.h>

/*
 * Take as much as may be needed of what is limited: files for @queues, and memory that
 * rings pin. What there is less of is found out when it is needed.
 */
void sandbox_limits(__u32 queues);

/* NULL if all went well, or what is wrong. */
const char *sandbox_enter(void);

#endif /* BRIDGE_SANDBOX_H */
