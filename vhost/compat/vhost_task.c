// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost_task for kernels without it: a kernel thread that uses the memory and is
 * in the cgroups of whoever creates it. It is not its child, so it is not killed
 * with it, has its own name in ps, and does not count in RLIMIT_NPROC.
 */
#ifndef HAVE_VHOST_TASK
#include <linux/cgroup.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>

struct vhost_task {
	struct task_struct *task;
	struct task_struct *owner;	/* until it is set up */
	struct mm_struct *mm;
	bool (*fn)(void *data);
	void *data;
	struct completion set_up;
	int ret;
};

static int compat_vhost_task(void *arg)
{
	struct vhost_task *vtsk = arg;

	vtsk->ret = cgroup_attach_task_all(vtsk->owner, current);
	complete(&vtsk->set_up);
	kthread_use_mm(vtsk->mm);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (!vtsk->fn(vtsk->data))
			schedule();
	}
	__set_current_state(TASK_RUNNING);
	kthread_unuse_mm(vtsk->mm);
	return 0;
}

void vhost_task_stop(struct vhost_task *vtsk)
{
	kthread_stop(vtsk->task);
	mmput(vtsk->mm);
	kfree(vtsk);
}

struct vhost_task *vhost_task_create(bool (*fn)(void *data), void (*killed)(void *data),
				     void *data, const char *name)
{
	struct vhost_task *vtsk = kzalloc(sizeof(*vtsk), GFP_KERNEL);
	int ret;

	if (!vtsk)
		return ERR_PTR(-ENOMEM);
	vtsk->owner = current;
	vtsk->mm = get_task_mm(current);
	vtsk->fn = fn;
	vtsk->data = data;
	init_completion(&vtsk->set_up);
	vtsk->task = kthread_create(compat_vhost_task, vtsk, "%s", name);
	if (IS_ERR(vtsk->task)) {
		ret = PTR_ERR(vtsk->task);
		mmput(vtsk->mm);
		kfree(vtsk);
		return ERR_PTR(ret);
	}
	wake_up_process(vtsk->task);
	wait_for_completion(&vtsk->set_up);
	ret = vtsk->ret;
	if (!ret)
		return vtsk;
	vhost_task_stop(vtsk);
	return ERR_PTR(ret);
}

/* It runs already: there is nothing to do for it before this. */
void vhost_task_start(struct vhost_task *vtsk)
{
}

void vhost_task_wake(struct vhost_task *vtsk)
{
	wake_up_process(vtsk->task);
}
#endif
