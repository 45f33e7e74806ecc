/* SPDX-License-Identifier: GPL-2.0-only */
/* The socket, and one frontend after the other. */
#ifndef BRIDGE_SERVER_H
#define BRIDGE_SERVER_H

#include "device.h"
#include "events.h"

struct server {
	int sock;
	bool listens;		/* else it is a connection, the only one */
	const char *path;	/* what to remove in the end; NULL: nothing */
	bool once;
};

/* NULL if all went well, or what is wrong. */
const char *server_listen(struct server *server, const char *path);
const char *server_adopt(struct server *server, int fd);

/* Whether all went well, until there is an end. */
bool server_run(const struct server *server, struct events *events,
		const struct device_setup *setup);
void server_close(struct server *server);

#endif /* BRIDGE_SERVER_H */
