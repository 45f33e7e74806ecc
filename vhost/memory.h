/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_MEMORY_H
#define _VBLK_MEMORY_H

#include <linux/kref.h>
#include <linux/types.h>

/*
 * No more regions than this. What vhost.ko takes is a parameter of it, 64 if not
 * set; VMMs read that parameter, and cannot know of this one.
 */
#define VBLK_MAX_REGIONS 4096

/**
 * struct vblk_region - a part of the guest's memory
 * @guest: first address that the guest has for it
 * @last: last address that the guest has for it
 * @user: first address that the owner has for it
 */
struct vblk_region {
	u64 guest;
	u64 last;
	u64 user;
};

/**
 * struct vblk_memory - the guest's memory, as the owner told it
 * @ref: one for the device, one for each queue that runs with it
 * @nr: number of regions
 * @regions: by @guest; they do not overlap
 *
 * Never changes once it is made: VHOST_SET_MEM_TABLE makes another one.
 */
struct vblk_memory {
	struct kref ref;
	u32 nr;
	struct vblk_region regions[] __counted_by(nr);
};

struct vblk_memory *vblk_memory_create(const void __user *argp);
void vblk_memory_get(struct vblk_memory *memory);
void vblk_memory_put(struct vblk_memory *memory);
bool vblk_memory_has_all_of(const struct vblk_memory *memory, const struct vblk_memory *other);
size_t vblk_memory_translate(const struct vblk_memory *memory, u64 guest, size_t len,
			     unsigned long *user);
int vblk_memory_read_atomic(const struct vblk_memory *memory, void *to, u64 guest, size_t len);
int vblk_memory_read(const struct vblk_memory *memory, void *to, u64 guest, size_t len);

#endif /* _VBLK_MEMORY_H */
