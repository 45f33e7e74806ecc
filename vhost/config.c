// SPDX-License-Identifier: GPL-2.0-only
/* What the driver sees of the disk: its configuration space, and its name. */
#include <linux/sizes.h>
#include <linux/vhost_blk.h>

#include "backend.h"
#include "config.h"
#include "device.h"
#include "request.h"

/* For all disks the same, or of no meaning here: the VMM says what it wants. */
#define VBLK_ANY_DISK						\
	(BIT_ULL(VIRTIO_BLK_F_SIZE_MAX) |			\
	 BIT_ULL(VIRTIO_BLK_F_SEG_MAX) |			\
	 BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) |			\
	 BIT_ULL(VIRTIO_BLK_F_FLUSH) |				\
	 BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) |			\
	 BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE) |			\
	 BIT_ULL(VIRTIO_BLK_F_MQ) |				\
	 BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES))

/*
 * Buffers of a request, and the bytes of each, that always are within what a
 * request may pin.
 */
#define VBLK_SEG_MAX (VBLK_MIN_SEGS - 2)
#define VBLK_SIZE_MAX SZ_256K

static u64 vblk_config_features(const struct vblk_backend *backend,
				const struct vblk_limits *limits)
{
	u64 features = VBLK_ANY_DISK;

	if (backend->read_only)
		features |= BIT_ULL(VIRTIO_BLK_F_RO);
	if (limits->max_discard)
		features |= BIT_ULL(VIRTIO_BLK_F_DISCARD);
	if (limits->max_erase)
		features |= BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE);
	return features;
}

/* @bytes as a number of blocks, for fields of 16 bits. */
static u16 vblk_config_blocks(const struct vblk_limits *limits, u32 bytes)
{
	return min_t(u32, bytes / limits->block_size, U16_MAX);
}

static void vblk_config_space(struct virtio_blk_config *space, const struct vblk_limits *limits,
			      bool writeback)
{
	u32 exponent = ilog2(limits->physical_block_size / limits->block_size);

	*space = (struct virtio_blk_config) {
		.capacity = __cpu_to_virtio64(true, limits->sectors),
		.size_max = __cpu_to_virtio32(true, VBLK_SIZE_MAX),
		.seg_max = __cpu_to_virtio32(true, VBLK_SEG_MAX),
		.blk_size = __cpu_to_virtio32(true, limits->block_size),
		.physical_block_exp = exponent,
		.min_io_size = __cpu_to_virtio16(true, vblk_config_blocks(limits, limits->io_min)),
		.opt_io_size = __cpu_to_virtio32(true, limits->io_opt / limits->block_size),
		.wce = writeback,
		.num_queues = __cpu_to_virtio16(true, VBLK_MAX_QUEUES),
		.max_discard_sectors = __cpu_to_virtio32(true, limits->max_discard),
		.max_discard_seg = __cpu_to_virtio32(true, VBLK_MAX_RANGES),
		.discard_sector_alignment = __cpu_to_virtio32(true, limits->discard_align),
		.max_write_zeroes_sectors = __cpu_to_virtio32(true, limits->max_zeroes),
		.max_write_zeroes_seg = __cpu_to_virtio32(true, VBLK_MAX_RANGES),
		.write_zeroes_may_unmap = !!limits->max_discard,
		.max_secure_erase_sectors = __cpu_to_virtio32(true, limits->max_erase),
		.max_secure_erase_seg = __cpu_to_virtio32(true, VBLK_MAX_RANGES),
		.secure_erase_sector_alignment = __cpu_to_virtio32(true, limits->discard_align),
	};
}

/**
 * vblk_config_get() - what a driver may be told of a disk
 * @config: to be filled in, but for fd
 * @backend: the disk
 * @writeback: the cache mode
 */
void vblk_config_get(struct vhost_blk_config *config, const struct vblk_backend *backend,
		     bool writeback)
{
	struct virtio_blk_config space;
	struct vblk_limits limits;

	BUILD_BUG_ON(sizeof(space) > sizeof(config->space));
	backend->ops->limits(backend, &limits);
	vblk_config_space(&space, &limits, writeback);
	config->features = vblk_config_features(backend, &limits);
	memset(config->space, 0, sizeof(config->space));
	memcpy(config->space, &space, sizeof(space));
}
