// SPDX-License-Identifier: GPL-2.0-only
/*
 * The disk that is none: what is written is gone, what is read is what was in the
 * buffer. For measuring all that is not the disk. It is what /dev/null stands for.
 */
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/major.h>
#include <linux/vhost_blk.h>

#include "backend.h"
#include "request.h"

static int vblk_null_probe(struct file *file)
{
	const struct inode *inode = file_inode(file);

	return S_ISCHR(inode->i_mode) && inode->i_rdev == MKDEV(MEM_MAJOR, 3) ? 0 : -ENOTBLK;
}

static void vblk_null_limits(const struct vblk_backend *backend, struct vblk_limits *limits)
{
	*limits = (struct vblk_limits) {
		.sectors = 1ULL << 31,
		.offloads_zeroes = true,
		.nowait = true,
		.read_only = backend->read_only,
		.block_size = SECTOR_SIZE,
		.physical_block_size = SECTOR_SIZE,
		.max_discard = VBLK_MAX_RANGE,
		.discard_align = 1,
		.max_zeroes = VBLK_MAX_RANGE,
		.max_erase = VBLK_MAX_RANGE,
	};
}

static void vblk_null_flush(const struct vblk_backend *backend, struct vblk_request *request)
{
	vblk_request_end(request, BLK_STS_OK);
}

static void vblk_null_execute(const struct vblk_backend *backend, struct vblk_request *request)
{
	if (request->type == VIRTIO_BLK_T_IN)
		request->written = 0;
	vblk_request_end(request, BLK_STS_OK);
}

const struct vblk_backend_ops vblk_null_ops = {
	.probe = vblk_null_probe,
	.limits = vblk_null_limits,
	.flush = vblk_null_flush,
	.execute = vblk_null_execute,
};
