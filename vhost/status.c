// SPDX-License-Identifier: GPL-2.0-only
/* How the driver is told of the kernel's errors. */
#include <linux/vhost_blk.h>

#include "status.h"

/* Requests that a disk may turn out not to know, and that a driver can do without. */
static bool vblk_may_be_unsupported(u32 type)
{
	return type == VIRTIO_BLK_T_DISCARD || type == VIRTIO_BLK_T_WRITE_ZEROES ||
	       type == VIRTIO_BLK_T_SECURE_ERASE;
}

/**
 * vblk_status_of_blk() - the status for how the block layer ended a request
 * @error: what it said
 * @type: VIRTIO_BLK_T_*
 *
 * Return: VIRTIO_BLK_S_*
 */
u8 vblk_status_of_blk(blk_status_t error, u32 type)
{
	if (error == BLK_STS_OK)
		return VIRTIO_BLK_S_OK;
	if (error == BLK_STS_NOTSUPP && vblk_may_be_unsupported(type))
		return VIRTIO_BLK_S_UNSUPP;
	return VIRTIO_BLK_S_IOERR;
}
