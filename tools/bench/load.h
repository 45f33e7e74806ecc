/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A load on a disk, by one of several ways to reach it: what is to be done, and what
 * a way to do it has to offer. One thread per lane; nothing is shared by lanes.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* What is to be done; sizes in bytes. */
struct load {
	const char *disk;	/* a device, or a socket */
	unsigned int lanes;
	unsigned int depth;	/* requests of a lane in flight */
	unsigned int batch;	/* of these, that are waited for and submitted at a time */
	unsigned int size;	/* of a request */
	unsigned int buffers;	/* of a lane, in turn; if not more than depth, each slot has one */
	unsigned int reads;	/* percent */
	unsigned int poll_us;	/* that the device may poll for, where it can */
	bool latency;		/* measure it */
	bool mark;		/* call MARK_BEGIN and MARK_END */
	bool huge;		/* memory in huge pages */
	bool indirect;		/* rings: a table for each request */
	bool scattered;		/* rings: data in pages, none of which follows the one before */
	bool spin;		/* rings: look for what is done instead of sleeping */
	bool iopoll, sqpoll;	/* io_uring */
	unsigned long count;	/* requests of a lane; 0: for as many seconds */
	unsigned int seconds;
	unsigned int spare;	/* devices beside the one that is used */
	__u64 spare_bytes;	/* memory of the host that each of those takes */
	__u64 opened;		/* when the target began to set the disk up, in ns */
	int fd;			/* the disk, for targets that open it */
	__u64 bytes;		/* that it has */
};

struct target;

/* A queue, and the thread that uses it. */
struct lane {
	const struct load *load;
	const struct target *target;
	unsigned int index;
	unsigned int turn;	/* of the buffers */
	void *own;		/* the target's */
};

/*
 * A way to reach a disk. Functions that fail return what went wrong, as text that
 * ends the program.
 */
struct target {
	const char *name;
	const char *what;	/* one line of help */
	const char *(*open)(struct load *load);
	/* After that, by the lane's thread. */
	const char *(*start)(struct lane *lane);
	/* Prepare a request, @slot of those in flight. */
	void (*add)(struct lane *lane, unsigned int slot, bool write, __u64 offset);
	/* Submit what was added, and wait until @done or more requests can be taken. */
	const char *(*go)(struct lane *lane, unsigned int done);
	/* The slot of a request that is done, or -1; sets *@ok to how it went. */
	int (*take)(struct lane *lane, bool *ok);
};

extern const struct target vhost_target, vhost_user_target, uring_target, aio_target;

/* Are buffers used in turn? If not, each slot has its own. */
static inline bool load_takes_turns(const struct load *load)
{
	return load->buffers > load->depth;
}

/* How many buffers a lane has, and the one for the next request. */
static inline unsigned int load_nr_buffers(const struct load *load)
{
	return load_takes_turns(load) ? load->buffers : load->depth;
}

static inline unsigned int load_next_buffer(struct lane *lane, unsigned int slot)
{
	if (!load_takes_turns(lane->load))
		return slot;
	lane->turn = lane->turn + 1 < lane->load->buffers ? lane->turn + 1 : 0;
	return lane->turn;
}

/* All of them, of @size bytes, aligned to pages, one after the other. */
char *load_buffers(const struct load *load);

/* Memory of the file @fd, or of none if that is -1; @size is one of load_round(). */
char *load_map(const struct load *load, size_t size, int fd);

/* At least @size bytes, as many as are whole huge pages. */
size_t load_round(size_t size);

/* Memory that is zero; there is some, or the program ends. */
void *load_alloc(size_t n, size_t size);

/* Of a clock that only goes forward, in ns. */
__u64 load_now(void);

/* "what: error", of errno. */
const char *load_error(const char *what);

/* Open the disk for a target that uses it as a file: fd and bytes. */
const char *load_open_disk(struct load *load);

#endif
