// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does on purpose, at load, what the harness must notice: "what" names it.
 * Only for throw-away kernels.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "warn, oops, leak, use-after-free, deadlock or race");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static int shared;

static int splat_warn(void)
{
	WARN(1, "on purpose\n");
	return 0;
}

static int splat_oops(void)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	return READ_ONCE(*nowhere);
}

/* Several, as an old word on some stack may still look like a reference. */
static int splat_leak(void)
{
	void *lost;
	int i;

	for (i = 0; i < 10; i++) {
		lost = kmalloc(1000, GFP_KERNEL);
		if (!lost)
			return -ENOMEM;
		OPTIMIZER_HIDE_VAR(lost);
	}
	return 0;
}

static int splat_use_after_free(void)
{
	int *gone = kmalloc(sizeof(*gone), GFP_KERNEL);

	if (!gone)
		return -ENOMEM;
	kfree(gone);
	OPTIMIZER_HIDE_VAR(gone);
	return READ_ONCE(*gone) == 1;
}

/* Nobody waits, but the order of the locks is wrong. */
static int splat_deadlock(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static int splat_racer(void *unused)
{
	while (!kthread_should_stop()) {
		shared++;
		cond_resched();
	}
	return 0;
}

static int splat_race(void)
{
	struct task_struct *one, *two;

	one = kthread_run(splat_racer, NULL, "splat/1");
	two = kthread_run(splat_racer, NULL, "splat/2");
	msleep(3000);
	if (!IS_ERR(one))
		kthread_stop(one);
	if (!IS_ERR(two))
		kthread_stop(two);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} splats[] = {
	{ "warn", splat_warn },
	{ "oops", splat_oops },
	{ "leak", splat_leak },
	{ "use-after-free", splat_use_after_free },
	{ "deadlock", splat_deadlock },
	{ "race", splat_race },
};

static int __init splat_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(splats); i++)
		if (!strcmp(splats[i].name, what))
			return splats[i].run();
	return -EINVAL;
}

static void __exit splat_exit(void)
{
}

module_init(splat_init);
module_exit(splat_exit);
MODULE_DESCRIPTION("Faults on purpose, for the tests of the test harness");
MODULE_LICENSE("GPL");
