// SPDX-License-Identifier: GPL-2.0-only
/* The host's own libaio. */
#include <errno.h>
#include <libaio.h>
#include <stdlib.h>

#include "load.h"

struct aio {
	io_context_t context;
	char *buffers;
	struct iocb *iocbs;	/* by slot */
	struct iocb **added;
	struct io_event *events;
	int nr_added, next, nr_events;
};

static const char *aio_start(struct lane *lane)
{
	const struct load *load = lane->load;
	struct aio *aio = load_alloc(1, sizeof(*aio));
	int ret;

	lane->own = aio;
	aio->buffers = load_buffers(load);
	aio->iocbs = load_alloc(load->depth, sizeof(*aio->iocbs));
	aio->added = (struct iocb **)load_alloc(load->depth, sizeof(*aio->added));
	aio->events = load_alloc(load->depth, sizeof(*aio->events));
	ret = io_setup((int)load->depth, &aio->context);
	errno = -ret;
	return ret ? load_error("io_setup") : NULL;
}

static void aio_add(struct lane *lane, unsigned int slot, bool write, __u64 offset)
{
	struct aio *aio = lane->own;
	struct iocb *iocb = &aio->iocbs[slot];
	char *buffer = aio->buffers + load_next_buffer(lane, slot) * lane->load->size;

	if (write)
		io_prep_pwrite(iocb, lane->load->fd, buffer, lane->load->size, (long long)offset);
	else
		io_prep_pread(iocb, lane->load->fd, buffer, lane->load->size, (long long)offset);
	aio->added[aio->nr_added++] = iocb;
}

static const char *aio_go(struct lane *lane, unsigned int done)
{
	struct aio *aio = lane->own;
	int ret, first = 0;

	for (; first < aio->nr_added; first += ret) {
		ret = io_submit(aio->context, aio->nr_added - first, aio->added + first);
		errno = -ret;
		if (ret <= 0)
			return load_error("io_submit");
	}
	aio->nr_added = 0;
	ret = io_getevents(aio->context, (long)done, lane->load->depth, aio->events, NULL);
	errno = -ret;
	aio->next = 0;
	aio->nr_events = ret;
	return ret < (int)done ? load_error("io_getevents") : NULL;
}

static int aio_take(struct lane *lane, bool *ok)
{
	struct aio *aio = lane->own;
	const struct io_event *event = &aio->events[aio->next];

	if (aio->next == aio->nr_events)
		return -1;
	aio->next++;
	*ok = event->res == lane->load->size;
	return (int)(event->obj - aio->iocbs);
}

const struct target aio_target = {
	.name = "libaio",
	.what = "DISK by the host's libaio",
	.open = load_open_disk,
	.start = aio_start,
	.add = aio_add,
	.go = aio_go,
	.take = aio_take,
};
