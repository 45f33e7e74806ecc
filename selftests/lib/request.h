/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of a guest: in all forms in which a driver may put one into a ring.
 *
 * Header, data and status follow each other in the guest's memory, and a framing
 * says how they are cut into buffers:
 *
 *   | canary | header | data | slack | status | canary | indirect table |
 *                     ^ request.data, aligned as the test wants it
 */
#ifndef LIB_REQUEST_H
#define LIB_REQUEST_H

#include "guest.h"

#define SECTOR		512U
#define HEADER		sizeof(struct virtio_blk_outhdr)

/* Buffers of one request, at most. */
#define REQUEST_BUFS	512

/* What request_alloc() takes beside the data: two canaries, the header, a table. */
#define REQUEST_ROOM	(64 + 64 + 64 + REQUEST_BUFS * sizeof(struct vring_desc))

/* No VIRTIO_BLK_S_*: the device did not write a status. */
#define STATUS_NONE	0xee

/* What has no number in an older kernel's headers. */
#define TYPE_UNKNOWN	77

struct framing {
	const char *name;
	__u32 header_piece;	/* bytes of each buffer of the header; 0: all */
	__u32 data_piece;	/* bytes of each buffer of the data; 0: all */
	__u32 empty;		/* buffers of no bytes behind what is read, and what is written */
	bool join_header;	/* the last of it with the first of the data, if that is read */
	bool join_status;	/* with the last of the data, if that is written */
	enum {
		DIRECT,
		INDIRECT,
		SHUFFLED,	/* indirect, but descriptors are not in the order of the chain */
		MIXED,		/* the first of them direct */
	} how;
};

extern const struct framing framings[];
extern const unsigned int nr_framings;

struct request {
	__u32 type;
	__u64 sector;
	__u64 data;		/* guest's address */
	__u32 len;		/* bytes of data */
	__u32 slack;		/* bytes to be written that are neither data nor status */
	const struct framing *framing;	/* NULL: the first of framings[] */

	/* What came of it. */
	bool done;
	bool damaged;		/* more was written than may be */
	int status;
	__u32 used;
};

/* Does the device read the data? */
bool request_is_read(const struct request *request);
/* How many bytes the device is to write. */
__u32 request_writable(const struct request *request);
/* How many buffers it is cut into. */
__u32 request_count(const struct request *request);
/* Room for @len bytes of data, @offset behind a multiple of a page. */
__u64 request_alloc(struct guest *guest, __u32 len, __u32 offset);

/* Add it to the ring: 0, -ENOSPC, -E2BIG. It has to stay where it is until it is done. */
int request_add(struct guest_queue *queue, struct request *request);
/* Add what is not a request, or one that is not as it should be. */
int request_add_raw(struct guest_queue *queue, const struct drv_buf *bufs, __u32 nr_out,
		    __u32 nr_in);

/*
 * Wait for the interrupt that tells of a request, or of all. Returns 0, or
 *   -ETIMEDOUT	no answer
 *   -ENOMSG	an answer, but no interrupt
 *   -EPROTO	what no device may do to a ring
 */
int request_wait(struct guest_queue *queue, const struct request *request);
int request_wait_all(struct guest_queue *queue);
/* For at least one of those in flight: how many have come. */
int request_wait_some(struct guest_queue *queue);

/* Take back what is there, without waiting: how many, or -EPROTO. */
int request_poll(struct guest_queue *queue);

/* All of that: the status, or minus an error, -EFAULT if what it may not was written. */
int request_run(struct guest_queue *queue, struct request *request);
int request_do(struct guest_queue *queue, __u32 type, __u64 sector, __u64 data, __u32 len);
/* With its data in @nr buffers of any kind, and header and status in one each. */
int request_do_in(struct guest_queue *queue, __u32 type, __u64 sector,
		  const struct drv_buf *data, __u32 nr);

/* Is the queue alive? Reads a sector, whatever is in it. */
bool request_works(struct guest_queue *queue);

/* Data that depends on @seed, at each place another. */
void data_fill(const struct guest *guest, __u64 gpa, __u32 len, __u64 seed);
bool data_is(const struct guest *guest, __u64 gpa, __u32 len, __u64 seed);
void data_make(void *to, __u32 len, __u64 seed);

#endif /* LIB_REQUEST_H */
