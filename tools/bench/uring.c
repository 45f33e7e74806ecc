// SPDX-License-Identifier: GPL-2.0-only
/* The host's own io_uring, as lean as it gets: buffers and file are registered. */
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

struct uring {
	struct io_uring ring;
	char *buffers;
};

static const char *failed(int ret, const char *what)
{
	if (ret >= 0)
		return NULL;
	errno = -ret;
	return load_error(what);
}

static const char *uring_start(struct lane *lane)
{
	const struct load *load = lane->load;
	struct uring *uring = load_alloc(1, sizeof(*uring));
	unsigned int nr = load_nr_buffers(load);
	struct iovec *vecs = load_alloc(nr, sizeof(*vecs));
	struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER };
	const char *why;

	params.flags |= load->sqpoll ? IORING_SETUP_SQPOLL : IORING_SETUP_DEFER_TASKRUN;
	params.flags |= load->iopoll ? IORING_SETUP_IOPOLL : 0;
	uring->buffers = load_buffers(load);
	for (unsigned int i = 0; i < nr; i++)
		vecs[i] = (struct iovec) { uring->buffers + i * load->size, load->size };
	why = failed(io_uring_queue_init_params(load->depth, &uring->ring, &params), "io_uring");
	why = why ?: failed(io_uring_register_buffers(&uring->ring, vecs, nr), "buffers");
	why = why ?: failed(io_uring_register_files(&uring->ring, &load->fd, 1), "file");
	free(vecs);
	lane->own = uring;
	return why;
}

static void uring_add(struct lane *lane, unsigned int slot, bool write, __u64 offset)
{
	struct uring *uring = lane->own;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
	unsigned int size = lane->load->size, index = load_next_buffer(lane, slot);
	char *buffer = uring->buffers + index * size;

	if (write)
		io_uring_prep_write_fixed(sqe, 0, buffer, size, offset, (int)index);
	else
		io_uring_prep_read_fixed(sqe, 0, buffer, size, offset, (int)index);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data64(sqe, slot);
}

static const char *uring_go(struct lane *lane, unsigned int done)
{
	struct uring *uring = lane->own;

	return failed(io_uring_submit_and_wait(&uring->ring, done), "io_uring");
}

static int uring_take(struct lane *lane, bool *ok)
{
	struct uring *uring = lane->own;
	struct io_uring_cqe *cqe;
	int slot;

	/* Where the disk is polled, to peek is to poll it. */
	if (!io_uring_cq_ready(&uring->ring) || io_uring_peek_cqe(&uring->ring, &cqe))
		return -1;
	slot = (int)cqe->user_data;
	*ok = cqe->res == (int)lane->load->size;
	io_uring_cqe_seen(&uring->ring, cqe);
	return slot;
}

const struct target uring_target = {
	.name = "io_uring",
	.what = "DISK by the host's io_uring, with registered buffers and file",
	.open = load_open_disk,
	.start = uring_start,
	.add = uring_add,
	.go = uring_go,
	.take = uring_take,
};
