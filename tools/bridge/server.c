// SPDX-License-Identifier: GPL-2.0-only
/* The socket, and one frontend after the other. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "server.h"
#include "session.h"

/* A socket in the file system that nobody listens on is left from somebody killed. */
static bool is_left_over(const struct sockaddr_un *address)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused;

	if (sock < 0)
		return false;
	refused = connect(sock, (const struct sockaddr *)address, sizeof(*address)) &&
		  errno == ECONNREFUSED;
	close(sock);
	return refused;
}

const char *server_listen(struct server *server, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return because("%s: longer than %zu bytes", path, sizeof(address.sun_path) - 1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	server->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->sock < 0)
		return because("no socket: %s", strerror(errno));
	if (!access(path, F_OK) && is_left_over(&address))
		unlink(path);
	if (bind(server->sock, (struct sockaddr *)&address, sizeof(address)))
		return because("%s: %s", path, strerror(errno));
	server->path = path;
	server->listens = true;
	if (listen(server->sock, 1))
		return because("%s: %s", path, strerror(errno));
	return NULL;
}

const char *server_adopt(struct server *server, int fd)
{
	struct sockaddr_storage address = {};
	socklen_t size = sizeof(address), int_size = sizeof(int);
	int type = 0, listens = 0;

	if (getsockname(fd, (struct sockaddr *)&address, &size) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_size) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_size))
		return because("file descriptor %d: %s", fd, strerror(errno));
	if (address.ss_family != AF_UNIX || type != SOCK_STREAM)
		return because("file descriptor %d is no stream socket of the host", fd);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (listens)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	server->sock = fd;
	server->listens = listens;
	return NULL;
}

/* A connection, or -1 if there is to be none. */
static int next(const struct server *server, struct events *events)
{
	int sock;

	for (;;) {
		events_wait(events, server->sock);
		if (events->stop)
			return -1;
		events->reload = false;	/* who connects asks anyway */
		sock = accept4(server->sock, NULL, NULL, SOCK_CLOEXEC);
		if (sock >= 0)
			return sock;
		if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
			continue;
		log_error("cannot accept: %s", strerror(errno));
		return -1;
	}
}

bool server_run(const struct server *server, struct events *events,
		const struct device_setup *setup)
{
	bool good = true;
	int sock;

	if (!server->listens)
		return session_run(server->sock, events, setup);
	do {
		sock = next(server, events);
		if (sock < 0)
			return events->stop;
		log_info("a frontend connects");
		good = session_run(sock, events, setup);
		close(sock);
		if (good)
			log_info("the frontend has left");
	} while (!server->once && !events->stop);
	return good || !server->once;
}

void server_close(struct server *server)
{
	if (server->path)
		unlink(server->path);
	if (server->sock >= 0)
		close(server->sock);
}
