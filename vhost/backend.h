/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_BACKEND_H
#define _VBLK_BACKEND_H

#include <linux/types.h>

struct file;
struct vblk_request;

/**
 * struct vblk_limits - what a disk can do
 * @sectors: its size, in sectors of 512 bytes
 * @block_size: bytes; offset and length of each request are multiples of it
 * @physical_block_size: bytes
 * @io_min: bytes, 0 if not known
 * @io_opt: bytes, 0 if not known
 * @dma_mask: bits that have to be 0 in the address of each buffer
 * @max_discard: sectors of one request to discard, 0 if it cannot
 * @discard_align: sectors
 * @max_zeroes: sectors of one request to write zeroes
 * @offloads_zeroes: it needs no data for that
 * @max_erase: sectors of one request to erase securely, 0 if it cannot
 * @read_only: it cannot be written to now
 * @volatile_cache: what is written is safe only after a flush
 * @polls: it can be polled for requests that end
 * @nowait: to begin a request waits for it only if that may_wait
 */
struct vblk_limits {
	u64 sectors;
	u32 block_size;
	u32 physical_block_size;
	u32 io_min;
	u32 io_opt;
	u32 dma_mask;
	u32 max_discard;
	u32 discard_align;
	u32 max_zeroes;
	u32 max_erase;
	bool offloads_zeroes;
	bool read_only;
	bool volatile_cache;
	bool polls;
	bool nowait;
};

/**
 * struct vblk_backend - a disk
 * @ops: what it is
 * @file: what the owner gave for it; one reference
 * @read_only: the file was not open for writing
 */
struct vblk_backend {
	const struct vblk_backend_ops *ops;
	struct file *file;
	bool read_only;
};

/**
 * struct vblk_backend_ops - a kind of disk
 * @probe: is @file one of this kind? 0, or -ENOTBLK. May sleep.
 * @limits: fill in what the disk can do now; it may grow and shrink. Any context
 *	in which a lock may be spun on.
 * @flush: as @execute, to make durable all that was written before.
 * @execute: begin a request that was checked against the limits, and whose
 *	buffers are in its vectors. vblk_request_end() ends it, now or later, in any
 *	context. May sleep, but waits for a disk that has no room at present only if
 *	the request may_wait; if not, it ends with BLK_STS_AGAIN.
 */
struct vblk_backend_ops {
	int (*probe)(struct file *file);
	void (*limits)(const struct vblk_backend *backend, struct vblk_limits *limits);
	void (*flush)(const struct vblk_backend *backend, struct vblk_request *request);
	void (*execute)(const struct vblk_backend *backend, struct vblk_request *request);
};

extern const struct vblk_backend_ops vblk_bdev_ops;
extern const struct vblk_backend_ops vblk_null_ops;

#endif /* _VBLK_BACKEND_H */
