/* SPDX-License-Identifier: GPL-2.0-only */
/* Found if the kernel has no header of that name; see compat/vhost_task.c. */
#ifndef _VBLK_COMPAT_VHOST_TASK_H
#define _VBLK_COMPAT_VHOST_TASK_H

#include <linux/types.h>

#define vhost_task_create compat_vhost_task_create
#define vhost_task_start compat_vhost_task_start
#define vhost_task_stop compat_vhost_task_stop
#define vhost_task_wake compat_vhost_task_wake

struct vhost_task;

struct vhost_task *vhost_task_create(bool (*fn)(void *data), void (*killed)(void *data),
				     void *data, const char *name);
void vhost_task_start(struct vhost_task *vtsk);
void vhost_task_stop(struct vhost_task *vtsk);
void vhost_task_wake(struct vhost_task *vtsk);

#endif /* _VBLK_COMPAT_VHOST_TASK_H */
