/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_MAP_H
#define _VBLK_MAP_H

#include <linux/mmu_notifier.h>

struct vblk_map;

/**
 * struct vblk_map_ops - who uses a map
 * @invalidate: the owner's memory is about to change; use it no more when this
 *	returns. May not sleep. Has to call mmu_interval_set_seq() under the lock
 *	that vblk_map_is_valid() is called under.
 */
struct vblk_map_ops {
	void (*invalidate)(struct vblk_map *map, unsigned long seq);
};

/**
 * struct vblk_map - a piece of the owner's memory, mapped into the kernel
 * @notifier: tells when it changes
 * @ops: who uses it
 * @user: and for what, theirs
 * @start: first address of the owner, at the begin of a page
 * @nr: number of pages
 * @pages: pinned; NULL if it is not mapped
 * @at: where it is mapped; NULL if it is not
 * @seq: whether it is valid, see vblk_map_is_valid()
 *
 * Of @nr pages the owner's locked memory is charged, mapped or not.
 */
struct vblk_map {
	struct mmu_interval_notifier notifier;
	const struct vblk_map_ops *ops;
	void *user;
	unsigned long start;
	unsigned int nr;
	struct page **pages;
	void *at;
	unsigned long seq;
};

int vblk_map_init(struct vblk_map *map, const struct vblk_map_ops *ops, void *user,
		  unsigned long start, size_t len);
void vblk_map_exit(struct vblk_map *map);
int vblk_map_fill(struct vblk_map *map);
bool vblk_map_is_valid(struct vblk_map *map);
void *vblk_map_at(const struct vblk_map *map, const void *user);

#endif /* _VBLK_MAP_H */
