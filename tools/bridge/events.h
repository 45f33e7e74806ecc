/* SPDX-License-Identifier: GPL-2.0-only */
/* What wakes the bridge: the frontend, and signals. Nothing else does. */
#ifndef BRIDGE_EVENTS_H
#define BRIDGE_EVENTS_H

#include <stdbool.h>

struct events {
	int signals;	/* a signalfd; -1 for none */
	bool stop;	/* SIGTERM or SIGINT: end */
	bool reload;	/* SIGHUP: the disk has changed */
};

/* From here on signals come as events: 0 or -1. */
int events_init(struct events *events);

/*
 * Sleep until @fd is readable, or closed by its other end, or an event came. Returns
 * whether @fd is worth a look.
 */
bool events_wait(struct events *events, int fd);

#endif /* BRIDGE_EVENTS_H */
