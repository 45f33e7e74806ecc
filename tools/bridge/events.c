// SPDX-License-Identifier: GPL-2.0-only
/* What wakes the bridge. */
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "events.h"

int events_init(struct events *events)
{
	sigset_t set;

	*events = (struct events) { .signals = -1 };
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* A frontend that is gone is found out where it is written to. */
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	events->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return events->signals < 0 ? -1 : 0;
}

static void take_signals(struct events *events)
{
	struct signalfd_siginfo info;

	while (read(events->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			events->reload = true;
		else
			events->stop = true;
	}
}

bool events_wait(struct events *events, int fd)
{
	struct pollfd poll_for[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = events->signals, .events = POLLIN },
	};

	if (poll(poll_for, 2, -1) < 0)
		return false;
	if (poll_for[1].revents)
		take_signals(events);
	return poll_for[0].revents;
}
