/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_KICKER_H
#define _VBLK_KICKER_H

#include <linux/sizes.h>
#include <linux/types.h>

struct cgroup_subsys_state;
struct vblk_queue;

/* What who notifies may do at most, as it has a guest to go back to. */
#define VBLK_KICKER_REQUESTS 4
#define VBLK_KICKER_BYTES SZ_64K

/**
 * struct vblk_kicker - a thread that notifies a queue, and serves it on its way back
 * @work: what it does then; one at a time, which holds a reference to the device
 * @welcome: the next one may
 * @alone: requests come one by one
 * @rounds: how often the worker is to serve the queue until that is known
 * @began: how many requests it has begun meanwhile
 * @most: how many that may be
 * @goes_on: meanwhile, it was offered one though the driver had not been told of another
 * @tried: and that was tried as well as it can be
 * @left: how many may yet serve it until the worker looks again
 * @run: and how many the next time
 * @blkcg: the worker's cgroup, when it last served the queue
 */
struct vblk_kicker {
	struct callback_head work;
	bool welcome;
	bool alone;
	u32 rounds;
	u64 began;
	u64 most;
	bool goes_on;
	bool tried;
	u32 left;
	u32 run;
	struct cgroup_subsys_state *blkcg;
};

void vblk_kicker_init(struct vblk_queue *queue);
void vblk_kicker_exit(struct vblk_queue *queue);
bool vblk_kicker_take(struct vblk_queue *queue);
void vblk_kicker_update(struct vblk_queue *queue, u64 n);
void vblk_kicker_watch(struct vblk_queue *queue, bool waited);

#endif /* _VBLK_KICKER_H */
