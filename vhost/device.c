// SPDX-License-Identifier: GPL-2.0-only
/* The device: who owns it and what was negotiated. */
#include <linux/lockdep.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "device.h"

/**
 * vblk_dev_create() - a device as open finds it: no owner, nothing negotiated
 *
 * Return: the device, or NULL if there is no memory for it
 */
struct vblk_dev *vblk_dev_create(void)
{
	struct vblk_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (dev)
		mutex_init(&dev->mutex);
	return dev;
}

static void vblk_dev_drop_owner(struct vblk_dev *dev)
{
	struct mm_struct *mm = dev->mm;

	WRITE_ONCE(dev->mm, NULL);
	if (mm)
		mmput(mm);
}

/**
 * vblk_dev_destroy() - undo vblk_dev_create() and all that came after it
 * @dev: the device, which nobody else uses any more
 */
void vblk_dev_destroy(struct vblk_dev *dev)
{
	vblk_dev_drop_owner(dev);
	mutex_destroy(&dev->mutex);
	kfree(dev);
}

/**
 * vblk_dev_is_owner() - does the caller run in the owner's address space?
 * @dev: the device
 *
 * True for all threads of the owner; false for its children after a fork and
 * for itself after an exec. Only for ioctls, whose caller always has a mm.
 *
 * Return: whether it does
 */
bool vblk_dev_is_owner(const struct vblk_dev *dev)
{
	lockdep_assert_held(&dev->mutex);
	return dev->mm == current->mm;
}

/**
 * vblk_dev_set_owner() - make the calling process the owner
 * @dev: the device
 *
 * The device keeps the address space alive, and nothing keeps the device alive
 * in turn: the file cannot be mapped, so no address space holds it.
 *
 * Return: 0, or -EBUSY if there is an owner already
 */
int vblk_dev_set_owner(struct vblk_dev *dev)
{
	lockdep_assert_held(&dev->mutex);
	if (dev->mm)
		return -EBUSY;
	WRITE_ONCE(dev->mm, get_task_mm(current));
	return 0;
}

/**
 * vblk_dev_reset() - back to the state that vblk_dev_create() made
 * @dev: the device
 *
 * Cannot fail. Only the owner may call it, which also keeps the last reference
 * to the address space from being dropped under the mutex.
 */
void vblk_dev_reset(struct vblk_dev *dev)
{
	lockdep_assert_held(&dev->mutex);
	WRITE_ONCE(dev->features, 0);
	vblk_dev_drop_owner(dev);
}

/**
 * vblk_dev_set_features() - take what the guest's driver accepted
 * @dev: the device
 * @features: bits of VBLK_FEATURES
 *
 * Return: 0, or -EOPNOTSUPP if a bit was not offered
 */
int vblk_dev_set_features(struct vblk_dev *dev, u64 features)
{
	lockdep_assert_held(&dev->mutex);
	if (features & ~VBLK_FEATURES)
		return -EOPNOTSUPP;
	WRITE_ONCE(dev->features, features);
	return 0;
}

/**
 * vblk_dev_show() - the device's lines of /proc/PID/fdinfo/FD
 * @dev: the device
 * @m: where to print them
 */
void vblk_dev_show(const struct vblk_dev *dev, struct seq_file *m)
{
	seq_printf(m, "vhost-blk-owned:\t%d\n", !!READ_ONCE(dev->mm));
	seq_printf(m, "vhost-blk-features:\t0x%016llx\n", READ_ONCE(dev->features));
}
