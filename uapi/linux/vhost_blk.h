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
 * struct vhost_blk_config - what a driver may be told of a disk
 * @fd: in: the disk, as for VHOST_BLK_SET_BACKEND; -1 for the one that is attached
 * @padding: in: 0
 * @features: out: what of VIRTIO_BLK_F_* the disk can do
 * @space: out: the configuration space, a struct virtio_blk_config, little endian,
 *	with all fields, and zeros behind it
 */
struct vhost_blk_config {
	__s32 fd;
	__u32 padding;
	__u64 features;
	__u8 space[256];
};

/* What struct vhost_blk_settings sets. */
#define VHOST_BLK_SERIAL	0x1
#define VHOST_BLK_WRITEBACK	0x2

/**
 * struct vhost_blk_settings - what the VMM decides on
 * @fields: VHOST_BLK_*: which of the following to set
 * @writeback: 1: writes are durable after a flush; 0: when they end
 * @padding: 0
 * @serial: the name of the disk, padded with NUL
 */
struct vhost_blk_settings {
	__u32 fields;
	__u8 writeback;
	__u8 padding[3];
	__u8 serial[VIRTIO_BLK_ID_BYTES];
};

/* See "Disk" below. */
#define VHOST_BLK_SET_BACKEND _IOW(VHOST_VIRTIO, 0x50, struct vhost_vring_file)
#define VHOST_BLK_GET_CONFIG _IOWR(VHOST_VIRTIO, 0x51, struct vhost_blk_config)
#define VHOST_BLK_SET_CONFIG _IOW(VHOST_VIRTIO, 0x52, struct vhost_blk_settings)

/**
 * DOC: The device node
 *
 * Each open of /dev/vhost-blk makes a device of its own; closing its last file
 * descriptor ends it. It has ioctls, and nothing to read, write or map.
 *
 * The ioctls are those of <linux/vhost.h>, with the numbers, the arguments and
 * the meaning they have for every vhost device, and a few more. A call that fails
 * changes nothing, but for what is said of EINTR.
 *
 * An error has one meaning, whatever the ioctl:
 *
 * ============  ===============================================================
 * ENOTTY        the device has no such ioctl
 * EPERM         only the owner may do that
 * ENOBUFS       there is no queue of that index
 * EBUSY         the device or the queue is in a state that does not allow it now
 * EFAULT        the argument, or memory that it speaks of, cannot be reached
 * EOPNOTSUPP    a bit is set that was not offered, or a field that has to be 0
 * EINVAL        a value that no such thing can have
 * E2BIG         more regions than the device takes
 * EBADF         no such file, or it is not open for reading
 * ENOTBLK       the file is no disk
 * EEXIST        there is another disk already
 * ENODEV        no such worker, or no disk
 * ENOMEM        there is no memory for it
 * EAGAIN        the owner may not have more threads (RLIMIT_NPROC)
 * EINTR         the caller is being killed; what it waited for may not have come
 * ============  ===============================================================
 *
 * They are looked for in this order, but EFAULT may come later. Opening the node
 * fails with ENOMEM if there is no memory for a device.
 */

/**
 * DOC: From open to the first request
 *
 * 1. VHOST_SET_OWNER, VHOST_SET_MEM_TABLE, VHOST_SET_FEATURES, in any order after
 *    the first. VHOST_BLK_GET_CONFIG tells what to let the driver see of the disk.
 * 2. For each queue that the driver uses: VHOST_SET_VRING_NUM, VHOST_SET_VRING_ADDR,
 *    VHOST_SET_VRING_BASE (0 unless it was served before), VHOST_SET_VRING_KICK,
 *    VHOST_SET_VRING_CALL, in any order. A queue without number or addresses is
 *    left alone.
 * 3. VHOST_BLK_SET_BACKEND. From here on requests are served, those as well that
 *    are in the rings already.
 *
 * And back: VHOST_GET_VRING_BASE for each queue, or VHOST_BLK_SET_BACKEND with -1.
 */

/**
 * DOC: Owner
 *
 * The process whose memory is the guest's. It is known by its address space: all
 * its threads are the owner, its children after a fork are not, nor is the
 * process itself after an exec. The device keeps the address space until it is
 * closed or reset, even if the process ends before. When the owner is killed, no
 * request is begun any more, and the last close does not wait for the disk.
 *
 * VHOST_SET_OWNER, no argument
 *   makes the caller the owner, and starts worker 0. EBUSY: there is an owner.
 *
 * VHOST_RESET_OWNER, no argument, for the owner
 *   makes the device what it was after open: without owner, disk, memory, queues,
 *   with nothing negotiated. Waits for requests in flight.
 *
 * All of the following are for the owner, where nothing else is said.
 */

/**
 * DOC: Features
 *
 * Bits of virtio (VIRTIO_F_*, VIRTIO_BLK_F_*) and of vhost (VHOST_F_*), numbered
 * alike. Anyone who has the file may call these, before there is an owner, too.
 *
 * VHOST_GET_FEATURES, __u64 out
 *   what the device knows. A VMM offers to the driver what it wants of these, as
 *   far as vhost_blk_config.features has the bits of the disk.
 *
 * VHOST_SET_FEATURES, __u64 in
 *   what the guest's driver accepted. EOPNOTSUPP: a bit was not offered. EBUSY:
 *   there is a disk, and the bits are others than those it runs with.
 *
 * VHOST_F_LOG_ALL is not offered: what is written is not logged, and VMMs know from
 * that not to migrate.
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

/**
 * DOC: Memory
 *
 * VHOST_SET_MEM_TABLE, struct vhost_memory in
 *   replaces the table of the guest's memory, at any time; 4096 regions at most.
 *   Whether the memory can be reached is found out when a request needs it. When
 *   the call returns, nothing is done by the old table any more: if a region of it
 *   is no longer in the new one, it waits for requests in flight. EFAULT: a region
 *   is empty, or does not fit into an address space. EINVAL: regions overlap.
 *
 * VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD
 *   EOPNOTSUPP: see VHOST_F_LOG_ALL above.
 */

/**
 * DOC: Queues
 *
 * There are 256. All arguments begin with the index of one. While a queue is
 * served, from VHOST_BLK_SET_BACKEND to VHOST_GET_VRING_BASE, what says EBUSY below
 * cannot be changed.
 *
 * VHOST_SET_VRING_NUM, struct vhost_vring_state in
 *   number of descriptors, a power of two up to 32768. EBUSY.
 *
 * VHOST_SET_VRING_ADDR, struct vhost_vring_addr in
 *   where the ring is in the owner's memory, aligned to 16, 2 and 4. EBUSY, but the
 *   same again is fine. EOPNOTSUPP: VHOST_VRING_F_LOG, as any other flag.
 *
 * VHOST_SET_VRING_BASE, struct vhost_vring_state in
 *   where to go on in the ring. EBUSY.
 *
 * VHOST_GET_VRING_BASE, struct vhost_vring_state in and out
 *   stops to serve the queue, waits for its requests in flight, and tells where to
 *   go on. When it returns, the owner's memory is not touched for this queue any
 *   more, and all that was taken from the ring was given back. Where the ring was is
 *   forgotten: VHOST_SET_VRING_ADDR sets the queue up again.
 *
 * VHOST_SET_VRING_ENDIAN, VHOST_GET_VRING_ENDIAN, struct vhost_vring_state
 *   byte order for drivers without VIRTIO_F_VERSION_1. EBUSY for the first.
 *
 * VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
 * struct vhost_vring_file in
 *   eventfds, -1 for none: from the driver, to the driver, and to the VMM, once,
 *   when the driver broke the ring. At any time, without waiting; the old one is
 *   not used any more when the call returns. A new one for the driver is signalled
 *   once.
 *
 * VHOST_SET_VRING_BUSYLOOP_TIMEOUT, VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
 * struct vhost_vring_state
 *   microseconds for which the worker may look for more requests before it sleeps;
 *   10000 at most, more is taken as that. It does so for as long as lately would
 *   have found some, and not at all where they came later.
 *
 * A driver that breaks the rules of a ring has its queue broken: it is served no
 * more until it is stopped and started again.
 *
 * The kernel has a ring mapped while it is served, and keeps some pages of the guest
 * at hand, as locked memory of the owner. If that cannot be (RLIMIT_MEMLOCK, memory in
 * files of most file systems), all works as well, but slower. The owner may change its
 * memory at any time, or take it away: the kernel lets go of it before.
 */

/**
 * DOC: Workers
 *
 * Threads that serve queues, each with the owner's memory, cgroups and limits. All
 * queues begin with worker 0.
 *
 * VHOST_NEW_WORKER, struct vhost_worker_state out
 *   starts another one; EBUSY: there are 256.
 *
 * VHOST_FREE_WORKER, struct vhost_worker_state in
 *   ends one. EBUSY: it has queues, or is worker 0.
 *
 * VHOST_ATTACH_VRING_WORKER, struct vhost_vring_worker in
 *   has a queue served by a worker, at any time.
 *
 * VHOST_GET_VRING_WORKER, struct vhost_vring_worker in and out
 *   tells which it is.
 *
 * VHOST_GET_FORK_FROM_OWNER, __u8 out, VHOST_SET_FORK_FROM_OWNER, __u8 in
 *   whether workers are threads of the owner (1) or of the kernel (0). Anyone who
 *   has the file may call these. A kernel has one kind of them: EINVAL for the other
 *   one. EBUSY: there is an owner.
 */

/**
 * DOC: Disk
 *
 * VHOST_BLK_SET_BACKEND, struct vhost_vring_file in
 *   with index 0, as one disk is for all queues, and the file of a block device,
 *   open for reading and, unless the driver is to be kept from writing, for
 *   writing. /dev/null is a disk, too: for measuring what is not the disk. All
 *   queues that are set up begin to be served. The same file again starts those
 *   that were set up since; the others go on. With -1 all queues are stopped, but
 *   remain set up to go on where they were, and the disk is let go of. EFAULT:
 *   there is no memory table, or a ring cannot be reached. EINVAL: ring and base do
 *   not fit. EEXIST.
 *
 * VHOST_BLK_GET_CONFIG, struct vhost_blk_config in and out
 *   tells what a driver may be told of a disk, before it is attached as well.
 *   Anyone who has the file may call this. EBADF, ENOTBLK, ENODEV.
 *
 * VHOST_BLK_SET_CONFIG, struct vhost_blk_settings in
 *   sets what the driver is told on VIRTIO_BLK_T_GET_ID ("vhost-blk" if not set),
 *   and the cache mode that a driver with VIRTIO_BLK_F_CONFIG_WCE chose. At any
 *   time.
 *
 * The configuration space says what suits the disk. A driver that was told something
 * else may discard, erase or write zeroes to any range of less than 4 GiB; what the
 * disk does not take at once is done in several steps. On a disk that cannot discard,
 * a driver that accepted VIRTIO_BLK_F_DISCARD all the same discards nothing.
 *
 * Writes are durable after a flush; or when they end, if the driver can neither
 * flush nor choose, or chose that.
 */

#endif /* _UAPI_LINUX_VHOST_BLK_H */
