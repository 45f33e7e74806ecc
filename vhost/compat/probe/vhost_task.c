// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux kernel commit e297cd54b3f8 "vhost_task: Allow vhost layer to use copy_process"
 * (in v6.4) made threads that belong to their owner.
 * Linux kernel commit db5247d9bf5c "vhost_task: Handle SIGKILL by flushing work and
 * exiting" (in v6.10) gave them the form used here.
 */
#include <linux/types.h>
#include <linux/sched/vhost_task.h>

struct vhost_task *probe(bool (*fn)(void *data), void (*killed)(void *data));

struct vhost_task *probe(bool (*fn)(void *data), void (*killed)(void *data))
{
	return vhost_task_create(fn, killed, NULL, "probe");
}
