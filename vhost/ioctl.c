// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls: one table says which there are, who may call them and what
 * argument they take. See uapi/linux/vhost_blk.h for what they promise.
 */
#include <linux/build_bug.h>
#include <linux/uaccess.h>

#include "device.h"
#include "trace.h"

static int vblk_put_mask(void __user *argp, u64 mask)
{
	return copy_to_user(argp, &mask, sizeof(mask)) ? -EFAULT : 0;
}

static int vblk_get_mask(u64 *mask, const void __user *argp)
{
	return copy_from_user(mask, argp, sizeof(*mask)) ? -EFAULT : 0;
}

static int vblk_set_owner(struct vblk_dev *dev, void __user *argp)
{
	return vblk_dev_set_owner(dev);
}

static int vblk_reset_owner(struct vblk_dev *dev, void __user *argp)
{
	vblk_dev_reset(dev);
	return 0;
}

static int vblk_get_features(struct vblk_dev *dev, void __user *argp)
{
	return vblk_put_mask(argp, VBLK_FEATURES);
}

static int vblk_set_features(struct vblk_dev *dev, void __user *argp)
{
	u64 features;

	return vblk_get_mask(&features, argp) ?: vblk_dev_set_features(dev, features);
}

static int vblk_get_backend_features(struct vblk_dev *dev, void __user *argp)
{
	return vblk_put_mask(argp, VBLK_BACKEND_FEATURES);
}

static int vblk_set_backend_features(struct vblk_dev *dev, void __user *argp)
{
	u64 features;
	int ret;

	ret = vblk_get_mask(&features, argp);
	if (ret)
		return ret;
	return features & ~VBLK_BACKEND_FEATURES ? -EOPNOTSUPP : 0;
}

/**
 * struct vblk_ioctl - one row of the table of ioctls
 * @cmd: the whole number; it implies direction and size of the argument
 * @name: for the trace
 * @owner: refused with -EPERM to all but the owner
 * @run: called with the device's mutex held; changes nothing if it fails
 */
struct vblk_ioctl {
	unsigned int cmd;
	const char *name;
	bool owner;
	int (*run)(struct vblk_dev *dev, void __user *argp);
};

/* @_type is what @_run takes @argp to point to; the number must agree. */
#define VBLK_IOCTL(_name, _type, _owner, _run) {				\
	.cmd = VHOST_##_name +							\
	       BUILD_BUG_ON_ZERO(_IOC_TYPE(VHOST_##_name) != VHOST_VIRTIO) +	\
	       BUILD_BUG_ON_ZERO(_IOC_SIZE(VHOST_##_name) != sizeof(_type)),	\
	.name = "VHOST_" #_name,						\
	.owner = (_owner),							\
	.run = (_run),								\
}

struct vblk_none {};

enum { ANYONE = false, OWNER = true };

static const struct vblk_ioctl vblk_ioctls[] = {
	VBLK_IOCTL(SET_OWNER, struct vblk_none, ANYONE, vblk_set_owner),
	VBLK_IOCTL(RESET_OWNER, struct vblk_none, OWNER, vblk_reset_owner),
	VBLK_IOCTL(GET_FEATURES, u64, ANYONE, vblk_get_features),
	VBLK_IOCTL(SET_FEATURES, u64, ANYONE, vblk_set_features),
	VBLK_IOCTL(GET_BACKEND_FEATURES, u64, ANYONE, vblk_get_backend_features),
	VBLK_IOCTL(SET_BACKEND_FEATURES, u64, ANYONE, vblk_set_backend_features),
};

static const struct vblk_ioctl *vblk_find_ioctl(unsigned int cmd)
{
	const struct vblk_ioctl *row;

	for (row = vblk_ioctls; row < vblk_ioctls + ARRAY_SIZE(vblk_ioctls); row++)
		if (row->cmd == cmd)
			return row;
	return NULL;
}

static int vblk_run_ioctl(struct vblk_dev *dev, const struct vblk_ioctl *row,
			  void __user *argp)
{
	int ret;

	/* Only a task that is being killed gets -EINTR, and never sees it. */
	ret = mutex_lock_killable(&dev->mutex);
	if (ret)
		return ret;
	if (row->owner && !vblk_dev_is_owner(dev))
		ret = -EPERM;
	else
		ret = row->run(dev, argp);
	mutex_unlock(&dev->mutex);
	return ret;
}

/**
 * vblk_dev_ioctl() - run one ioctl from user space
 * @dev: the device
 * @cmd: its number
 * @argp: its argument
 *
 * Return: 0, -ENOTTY if there is no such ioctl, -EPERM if only the owner may
 * call it, or what it returns
 */
int vblk_dev_ioctl(struct vblk_dev *dev, unsigned int cmd, void __user *argp)
{
	const struct vblk_ioctl *row = vblk_find_ioctl(cmd);
	int ret = row ? vblk_run_ioctl(dev, row, argp) : -ENOTTY;

	trace_vblk_ioctl(dev, row ? row->name : "unknown", cmd, ret);
	return ret;
}
