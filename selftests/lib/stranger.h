/* SPDX-License-Identifier: GPL-2.0-only */
/* Another process that notifies a queue, as a VMM's threads do the queues of a bridge. */
#ifndef LIB_STRANGER_H
#define LIB_STRANGER_H

#include "guest.h"

struct stranger {
	pid_t pid;
	int to;		/* it notifies for each byte */
};

/*
 * What it does first, and last, in its own copy of the test's private memory: 0 if all is
 * well. NULL is nothing.
 */
typedef int stranger_fn(const struct guest *guest);

/* Returns 0 or an error number. */
int stranger_start(struct stranger *stranger, const struct guest_queue *queue,
		   stranger_fn *first, stranger_fn *last);
/* Show the device what was added, and have the stranger notify it: 0 if it will. */
int stranger_kick(const struct stranger *stranger, struct guest_queue *queue);
/* End it: 0 if all was well. */
int stranger_end(struct stranger *stranger);

#endif /* LIB_STRANGER_H */
