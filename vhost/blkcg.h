/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose I/O it is: a cgroup, where the kernel has them; NULL where not. */
#ifndef _VBLK_BLKCG_H
#define _VBLK_BLKCG_H

#include <linux/cgroup.h>

#ifdef CONFIG_BLK_CGROUP
static inline struct cgroup_subsys_state *vblk_blkcg_get(void)
{
	return task_get_css(current, io_cgrp_id);
}

static inline void vblk_blkcg_put(struct cgroup_subsys_state *blkcg)
{
	if (blkcg)
		css_put(blkcg);
}

/* Is it the caller's? */
static inline bool vblk_blkcg_is_ours(const struct cgroup_subsys_state *blkcg)
{
	bool is_ours;

	rcu_read_lock();
	is_ours = task_css(current, io_cgrp_id) == blkcg;
	rcu_read_unlock();
	return is_ours;
}
#else
static inline struct cgroup_subsys_state *vblk_blkcg_get(void)
{
	return NULL;
}

static inline void vblk_blkcg_put(struct cgroup_subsys_state *blkcg)
{
}

static inline bool vblk_blkcg_is_ours(const struct cgroup_subsys_state *blkcg)
{
	return true;
}
#endif

#endif /* _VBLK_BLKCG_H */
