/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls of /dev/vhost-blk. */
#ifndef LIB_IOCTLS_H
#define LIB_IOCTLS_H

#include <stdbool.h>

#include "kselftest.h"
#include "uapi.h"

struct ioctl_row {
	unsigned int cmd;
	const char *name;
	bool owner;	/* for the owner only */
	bool queue;	/* its argument begins with the index of a queue */
	int without;	/* what it gives whatever the argument is, or 0 */
};

#define ROW(_name, ...)		{ .cmd = _name, .name = #_name, ##__VA_ARGS__ }

/* For a device that has an owner, and whose queues are stopped. */
static const struct ioctl_row ioctl_rows[] = {
	ROW(VHOST_SET_OWNER, .without = EBUSY),
	ROW(VHOST_GET_FEATURES),
	ROW(VHOST_SET_FEATURES),
	ROW(VHOST_GET_BACKEND_FEATURES),
	ROW(VHOST_SET_BACKEND_FEATURES),
	ROW(VHOST_SET_MEM_TABLE, .owner = true),
	ROW(VHOST_SET_LOG_BASE, .owner = true, .without = EOPNOTSUPP),
	ROW(VHOST_SET_LOG_FD, .owner = true, .without = EOPNOTSUPP),
	ROW(VHOST_SET_VRING_NUM, .owner = true, .queue = true),
	ROW(VHOST_SET_VRING_BASE, .owner = true, .queue = true),
	ROW(VHOST_GET_VRING_BASE, .owner = true, .queue = true),
	ROW(VHOST_SET_VRING_ADDR, .owner = true, .queue = true),
	ROW(VHOST_SET_VRING_ENDIAN, .owner = true, .queue = true),
	ROW(VHOST_GET_VRING_ENDIAN, .owner = true, .queue = true),
	ROW(VHOST_SET_VRING_KICK, .owner = true, .queue = true),
	ROW(VHOST_SET_VRING_CALL, .owner = true, .queue = true),
	ROW(VHOST_SET_VRING_ERR, .owner = true, .queue = true),
	ROW(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, .owner = true, .queue = true),
	ROW(VHOST_GET_VRING_BUSYLOOP_TIMEOUT, .owner = true, .queue = true),
	ROW(VHOST_NEW_WORKER, .owner = true),
	ROW(VHOST_FREE_WORKER, .owner = true),
	ROW(VHOST_ATTACH_VRING_WORKER, .owner = true, .queue = true),
	ROW(VHOST_GET_VRING_WORKER, .owner = true, .queue = true),
	ROW(VHOST_SET_FORK_FROM_OWNER, .without = EBUSY),
	ROW(VHOST_GET_FORK_FROM_OWNER),
	ROW(VHOST_BLK_GET_CONFIG),
	ROW(VHOST_BLK_SET_CONFIG, .owner = true),
	ROW(VHOST_BLK_SET_BACKEND, .owner = true),
	ROW(VHOST_RESET_OWNER, .owner = true, .without = -1),	/* last, as it changes all */
};

#define NR_IOCTLS ARRAY_SIZE(ioctl_rows)

/* What VHOST_GET_FEATURES offers. */
#define OFFERED								\
	(FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY) |	\
	 FEATURE(VIRTIO_F_ANY_LAYOUT) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |	\
	 FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_BLK_F_SIZE_MAX) |	\
	 FEATURE(VIRTIO_BLK_F_SEG_MAX) | FEATURE(VIRTIO_BLK_F_GEOMETRY) |	\
	 FEATURE(VIRTIO_BLK_F_RO) | FEATURE(VIRTIO_BLK_F_BLK_SIZE) |		\
	 FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_TOPOLOGY) |		\
	 FEATURE(VIRTIO_BLK_F_CONFIG_WCE) | FEATURE(VIRTIO_BLK_F_MQ) |		\
	 FEATURE(VIRTIO_BLK_F_DISCARD) | FEATURE(VIRTIO_BLK_F_WRITE_ZEROES) |	\
	 FEATURE(VIRTIO_BLK_F_SECURE_ERASE))

#endif /* LIB_IOCTLS_H */
