/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forced in front of every file of the module. The code is written for the
 * newest kernel; here older ones learn its words, as far as the probes did not
 * find them. What cannot be said in the newest kernel's words is named
 * compat_*, to be found again when the old way is dropped.
 */
#ifndef _VBLK_COMPAT_H
#define _VBLK_COMPAT_H

#include "compat/probed.h"

/*
 * compat_assign_str() - fill the __string() @dst of a trace event with @src
 *
 * The kernel's headers define __assign_str() anew each time they read a trace
 * event, so there is no place to replace an older kernel's.
 */
#ifdef HAVE_ASSIGN_STR_ONE_ARG
#define compat_assign_str(dst, src) do { (void)(src); __assign_str(dst); } while (0)
#else
#define compat_assign_str(dst, src) __assign_str(dst, src)
#endif

#ifndef HAVE_EVENTFD_SIGNAL_ONE_ARG
#include <linux/eventfd.h>
#define eventfd_signal(ctx) eventfd_signal(ctx, 1)
#endif

/*
 * Linux kernel commit c1ecd8e95007 "vhost: allow userspace to create workers" (in
 * v6.5)
 */
#include <uapi/linux/vhost.h>
#ifndef VHOST_NEW_WORKER
struct vhost_worker_state {
	unsigned int worker_id;
};

struct vhost_vring_worker {
	unsigned int index;
	unsigned int worker_id;
};

#define VHOST_NEW_WORKER _IOR(VHOST_VIRTIO, 0x8, struct vhost_worker_state)
#define VHOST_FREE_WORKER _IOW(VHOST_VIRTIO, 0x9, struct vhost_worker_state)
#define VHOST_ATTACH_VRING_WORKER _IOW(VHOST_VIRTIO, 0x15, struct vhost_vring_worker)
#define VHOST_GET_VRING_WORKER _IOWR(VHOST_VIRTIO, 0x16, struct vhost_vring_worker)
#endif

/* Linux kernel commit 7d9896e9f6d0 "vhost: Reintroduce kthread API ..." (in v6.17) */
#ifndef VHOST_SET_FORK_FROM_OWNER
#define VHOST_SET_FORK_FROM_OWNER _IOW(VHOST_VIRTIO, 0x84, __u8)
#define VHOST_GET_FORK_FROM_OWNER _IOR(VHOST_VIRTIO, 0x85, __u8)
#endif

/*
 * compat_bdev_polls() - may bios for @bdev be REQ_POLLED?
 *
 * Linux kernel commit 8023e144f9d6 "block: move the poll flag to queue_limits" (in v6.11)
 */
#include <linux/blkdev.h>
#ifdef QUEUE_FLAG_POLL
#define compat_bdev_polls(bdev) test_bit(QUEUE_FLAG_POLL, &bdev_get_queue(bdev)->queue_flags)
#else
#define compat_bdev_polls(bdev) (bdev_get_queue(bdev)->limits.features & BLK_FEAT_POLL)
#endif

/*
 * compat_has_task_work() - may this module have tasks do some work?
 *
 * Debian's kernels export task_work_add(), for a module that others have built in. Where it
 * is not exported, the module loads all the same, and has the worker do it.
 */
#include <linux/task_work.h>
int __weak task_work_add(struct task_struct *task, struct callback_head *work,
			 enum task_work_notify_mode mode);
#define compat_has_task_work() (&task_work_add)

/* Linux kernel commit 0b295316b3a9 "mm/gup: remove unused vmas parameter ..." (in v6.5) */
#include <linux/mm.h>
#ifdef HAVE_PIN_REMOTE_NO_VMAS
#define compat_pin_user_pages_remote(mm, start, nr, flags, pages) \
	pin_user_pages_remote(mm, start, nr, flags, pages, NULL)
#else
#define compat_pin_user_pages_remote(mm, start, nr, flags, pages) \
	pin_user_pages_remote(mm, start, nr, flags, pages, NULL, NULL)
#endif

/*
 * Linux kernel commit 54e6842d0775 "fork/vm: Move common PF_IO_WORKER behavior to new flag"
 * (in v6.4)
 */
#include <linux/sched.h>
#ifndef PF_USER_WORKER
#define PF_USER_WORKER 0
#endif

#endif /* _VBLK_COMPAT_H */
