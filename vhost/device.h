/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_DEVICE_H
#define _VBLK_DEVICE_H

#include <linux/bits.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vhost_blk.h>

struct mm_struct;
struct seq_file;

/*
 * What the device offers to the guest's driver. All other bits are about rings
 * and requests, and it has none.
 */
#define VBLK_FEATURES		BIT_ULL(VIRTIO_F_VERSION_1)

/* What it offers to the VMM: none of vhost's optional messages. */
#define VBLK_BACKEND_FEATURES	0ULL

/**
 * struct vblk_dev - the device behind one open file of /dev/vhost-blk
 *
 * Who may touch a field:
 *   D	under @mutex; fdinfo reads it without, to never wait for an ioctl
 *
 * Lock order: @mutex comes before all other locks. The mmap_lock of any process
 * comes after it, because ioctls copy their arguments with @mutex held.
 *
 * Lifetime: from open to release. Whoever runs an ioctl or reads fdinfo holds
 * the file, so release is alone.
 */
struct vblk_dev {
	/** @mutex: held by an ioctl from beginning to end */
	struct mutex mutex;
	/**
	 * @mm: (D) the owner's address space, which is the guest's memory; NULL
	 * if there is no owner. A reference to mm_users: if the owner dies and
	 * another process still holds the file, the memory remains.
	 */
	struct mm_struct *mm;
	/** @features: (D) what the guest's driver accepted of VBLK_FEATURES */
	u64 features;
};

/* device.c */
struct vblk_dev *vblk_dev_create(void);
void vblk_dev_destroy(struct vblk_dev *dev);
bool vblk_dev_is_owner(const struct vblk_dev *dev);
int vblk_dev_set_owner(struct vblk_dev *dev);
void vblk_dev_reset(struct vblk_dev *dev);
int vblk_dev_set_features(struct vblk_dev *dev, u64 features);
void vblk_dev_show(const struct vblk_dev *dev, struct seq_file *m);

/* ioctl.c */
int vblk_dev_ioctl(struct vblk_dev *dev, unsigned int cmd, void __user *argp);

#endif /* _VBLK_DEVICE_H */
