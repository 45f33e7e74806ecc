// SPDX-License-Identifier: GPL-2.0-only
#include <sys/eventfd.h>

#include "stranger.h"

int stranger_start(struct stranger *stranger, const struct guest_queue *queue,
		   stranger_fn *first, stranger_fn *last)
{
	int ends[2];
	char c;

	if (pipe(ends))
		return errno;
	stranger->pid = fork();
	if (stranger->pid) {
		close(ends[0]);
		stranger->to = ends[1];
		return stranger->pid < 0 ? errno : 0;
	}
	close(ends[1]);
	if (first && first(queue->guest))
		_exit(1);
	while (read(ends[0], &c, 1) == 1)
		eventfd_write(queue->kick, 1);
	_exit(last ? last(queue->guest) : 0);
}

int stranger_kick(const struct stranger *stranger, struct guest_queue *queue)
{
	int kick = queue->kick;

	queue->kick = eventfd(0, EFD_CLOEXEC);
	guest_kick(queue);
	close(queue->kick);
	queue->kick = kick;
	return write(stranger->to, "", 1) != 1;
}

int stranger_end(struct stranger *stranger)
{
	int status;

	close(stranger->to);
	return waitpid(stranger->pid, &status, 0) != stranger->pid || status;
}
