/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_DEVICE_H
#define _VBLK_DEVICE_H

#include <linux/bits.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vhost_blk.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct mm_struct;
struct seq_file;
struct vblk_backend;
struct vblk_limits;
struct vblk_memory;
struct vblk_queue;
struct vblk_worker;

/* Rings, and what is common to all disks. What one cannot do is not to be offered. */
#define VBLK_FEATURES						\
	(BIT_ULL(VIRTIO_F_VERSION_1) |				\
	 BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) |			\
	 BIT_ULL(VIRTIO_F_ANY_LAYOUT) |				\
	 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |			\
	 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |			\
	 BIT_ULL(VIRTIO_BLK_F_SIZE_MAX) |			\
	 BIT_ULL(VIRTIO_BLK_F_SEG_MAX) |			\
	 BIT_ULL(VIRTIO_BLK_F_GEOMETRY) |			\
	 BIT_ULL(VIRTIO_BLK_F_RO) |				\
	 BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) |			\
	 BIT_ULL(VIRTIO_BLK_F_FLUSH) |				\
	 BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) |			\
	 BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE) |			\
	 BIT_ULL(VIRTIO_BLK_F_MQ) |				\
	 BIT_ULL(VIRTIO_BLK_F_DISCARD) |			\
	 BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES) |			\
	 BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE))

/* What it offers to the VMM: none of vhost's optional messages. */
#define VBLK_BACKEND_FEATURES	0ULL

#define VBLK_MAX_QUEUES		256
#define VBLK_MAX_WORKERS	256

/**
 * struct vblk_dev - the device behind one open file of /dev/vhost-blk
 *
 * Who may touch a field:
 *   D	under @mutex; fdinfo reads it without, to never wait for an ioctl
 *   R	likewise, and constant while a queue runs
 *   L	under @lock
 *
 * Lock order: @mutex comes before all other locks. The mmap_lock of any process
 * comes after it, because ioctls copy their arguments with @mutex held.
 *
 * Lifetime: @refs, one for the file, and from the last close on one for each queue
 * that has requests in flight. Whoever runs an ioctl or reads fdinfo holds the
 * file, so the last close is alone but for them.
 */
struct vblk_dev {
	/** @refs: see above */
	refcount_t refs;
	/** @gone: frees the device, if the last request ended after the close */
	struct work_struct gone;
	/** @mutex: held by an ioctl from beginning to end */
	struct mutex mutex;
	/**
	 * @mm: (D) the owner's address space, which is the guest's memory; NULL
	 * if there is no owner. A reference to mm_users: if the owner dies and
	 * another process still holds the file, the memory remains.
	 */
	struct mm_struct *mm;
	/** @features: (R) what the guest's driver accepted of VBLK_FEATURES */
	u64 features;
	/** @memory: (D) the guest's memory; NULL if it was not told */
	struct vblk_memory *memory;
	/** @backend: (R) the disk; NULL if there is none, and then no queue runs */
	struct vblk_backend *backend;
	/** @workers: (D) by their numbers; number 0 serves queues that were given no other */
	struct xarray workers;
	/** @queues: (D) those that were ever spoken of; fdinfo reads under RCU */
	struct xarray queues;

	/** @lock: for what requests read while the VMM may change it */
	spinlock_t lock;
	/** @serial: (L) what the driver is told, padded with NUL */
	char serial[VIRTIO_BLK_ID_BYTES];
	/** @writeback: (L) the cache mode, for a driver that may set it */
	bool writeback;
};

/* device.c */
struct vblk_dev *vblk_dev_create(void);
void vblk_dev_close(struct vblk_dev *dev);
void vblk_dev_get(struct vblk_dev *dev);
void vblk_dev_put(struct vblk_dev *dev);
bool vblk_dev_is_owner(const struct vblk_dev *dev);
int vblk_dev_set_owner(struct vblk_dev *dev);
int vblk_dev_reset(struct vblk_dev *dev);
int vblk_dev_set_features(struct vblk_dev *dev, u64 features);
int vblk_dev_set_memory(struct vblk_dev *dev, struct vblk_memory *memory);
int vblk_dev_attach(struct vblk_dev *dev, int fd);
int vblk_dev_detach(struct vblk_dev *dev);
struct vblk_queue *vblk_dev_queue(struct vblk_dev *dev, u32 index);
int vblk_dev_new_worker(struct vblk_dev *dev, u32 *id);
int vblk_dev_free_worker(struct vblk_dev *dev, u32 id);
int vblk_dev_attach_worker(struct vblk_dev *dev, struct vblk_queue *queue, u32 id);
int vblk_dev_get_config(struct vblk_dev *dev, struct vhost_blk_config *config);
void vblk_dev_set_config(struct vblk_dev *dev, const struct vhost_blk_settings *settings);
bool vblk_dev_writes_through(struct vblk_dev *dev, u64 features);
void vblk_dev_get_serial(struct vblk_dev *dev, char *serial);
void vblk_dev_show(struct vblk_dev *dev, struct seq_file *m);

/* ioctl.c */
int vblk_dev_ioctl(struct vblk_dev *dev, unsigned int cmd, void __user *argp);

/* main.c */
extern struct workqueue_struct *vblk_wq;
extern struct workqueue_struct *vblk_disk_wq;

#endif /* _VBLK_DEVICE_H */
