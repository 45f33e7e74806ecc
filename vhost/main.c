// SPDX-License-Identifier: GPL-2.0-only
/* The module and its device node, /dev/vhost-blk. */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

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
	vblk_dev_close(file->private_data);
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

/* For what is done at some other time, or after the last close. */
struct workqueue_struct *vblk_wq;

/* For what waits for disks: those may be dead, and nobody else is to notice. */
struct workqueue_struct *vblk_disk_wq;

static int __init vblk_init(void)
{
	int ret = -ENOMEM;

	vblk_wq = alloc_workqueue("vhost-blk", WQ_UNBOUND, 0);
	if (!vblk_wq)
		return ret;
	vblk_disk_wq = alloc_workqueue("vhost-blk-disk", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!vblk_disk_wq)
		goto destroy_wq;
	ret = misc_register(&vblk_misc);
	if (ret)
		goto destroy_disk_wq;
	return 0;

destroy_disk_wq:
	destroy_workqueue(vblk_disk_wq);
destroy_wq:
	destroy_workqueue(vblk_wq);
	return ret;
}
module_init(vblk_init);

static void __exit vblk_exit(void)
{
	misc_deregister(&vblk_misc);
	destroy_workqueue(vblk_disk_wq);
	destroy_workqueue(vblk_wq);
	rcu_barrier();
	/* Who served the last device at its kick may still be about to return from here. */
	synchronize_rcu_tasks();
}
module_exit(vblk_exit);

MODULE_DESCRIPTION("Host kernel accelerator for virtio-blk");
MODULE_AUTHOR("The vhost-blk authors");
MODULE_LICENSE("GPL");
