// SPDX-License-Identifier: GPL-2.0-only
/* The module and its device node, /dev/vhost-blk. */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "device.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static int vblk_open(struct inode *inode, struct file *file)
{
	struct vblk_dev *dev = vblk_dev_create();

	if (!dev)
		return -ENOMEM;
	file->private_data = dev;
	return 0;
}

static int vblk_release(struct inode *inode, struct file *file)
{
	vblk_dev_destroy(file->private_data);
	return 0;
}

static long vblk_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return vblk_dev_ioctl(file->private_data, cmd, (void __user *)arg);
}

static void vblk_show_fdinfo(struct seq_file *m, struct file *file)
{
	vblk_dev_show(file->private_data, m);
}

/* There must never be a mmap here: see vblk_dev_set_owner(). */
static const struct file_operations vblk_fops = {
	.owner		= THIS_MODULE,
	.open		= vblk_open,
	.release	= vblk_release,
	.unlocked_ioctl	= vblk_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= vblk_show_fdinfo,
	.llseek		= noop_llseek,
};

/*
 * The minor is dynamic: none is assigned to vhost-blk, and one of those for
 * local use may be taken on somebody's host. So opening the node cannot load
 * the module, and a "devname:" alias, which needs a fixed minor, would be void.
 */
static struct miscdevice vblk_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "vhost-blk",
	.fops	= &vblk_fops,
};
module_misc_device(vblk_misc);

MODULE_DESCRIPTION("Host kernel accelerator for virtio-blk");
MODULE_AUTHOR("The vhost-blk authors");
MODULE_LICENSE("GPL");
