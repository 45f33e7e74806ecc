/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/vhost-blk: the backend of virtio-blk devices in the host's kernel.
 */
#ifndef _UAPI_LINUX_VHOST_BLK_H
#define _UAPI_LINUX_VHOST_BLK_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vhost.h>
#include <linux/virtio_blk.h>

/**
 * DOC: The device node
 *
 * Each open of /dev/vhost-blk makes a device of its own; closing its last file
 * descriptor ends it. It has ioctls, and nothing to read, write or map.
 *
 * The ioctls are those of <linux/vhost.h>, with the numbers, the arguments and
 * the meaning they have for every vhost device. A call that fails changes
 * nothing.
 *
 * An error has one meaning, whatever the ioctl:
 *
 * ============  ===============================================================
 * ENOTTY        the device has no such ioctl
 * EPERM         only the owner may do that
 * EFAULT        the argument points to memory that cannot be read or written
 * EBUSY         the device is in a state that does not allow it now
 * EOPNOTSUPP    a bit is set that was not offered
 * ============  ===============================================================
 *
 * They are looked for in this order, but EFAULT and EBUSY may swap. Opening the
 * node fails with ENOMEM if there is no memory for a device.
 */

/**
 * DOC: Owner
 *
 * The process whose memory is the guest's. It is known by its address space: all
 * its threads are the owner, its children after a fork are not, nor is the
 * process itself after an exec. The device keeps the address space until it is
 * closed or reset, even if the process ends before.
 *
 * VHOST_SET_OWNER, no argument
 *   makes the caller the owner. EBUSY: there is an owner.
 *
 * VHOST_RESET_OWNER, no argument, for the owner
 *   makes the device what it was after open: without owner, nothing negotiated.
 */

/**
 * DOC: Features
 *
 * Bits of virtio (VIRTIO_F_*, VIRTIO_BLK_F_*) and of vhost (VHOST_F_*), numbered
 * alike. Anyone who has the file may call these, before there is an owner, too.
 *
 * VHOST_GET_FEATURES, __u64 out
 *   what the device offers: VIRTIO_F_VERSION_1.
 *
 * VHOST_SET_FEATURES, __u64 in
 *   what the guest's driver accepted. EOPNOTSUPP: a bit was not offered.
 */

/**
 * DOC: Backend features
 *
 * Bits VHOST_BACKEND_F_*, between the VMM and the device only. Anyone who has
 * the file may call these, before there is an owner, too.
 *
 * VHOST_GET_BACKEND_FEATURES, __u64 out
 *   what the device offers: none, 0.
 *
 * VHOST_SET_BACKEND_FEATURES, __u64 in
 *   what the VMM makes use of. EOPNOTSUPP: a bit was not offered.
 */

#endif /* _UAPI_LINUX_VHOST_BLK_H */
