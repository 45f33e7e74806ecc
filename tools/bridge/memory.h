/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frontend's memory, mapped: what the kernel is told as the guest's. The bridge
 * itself never looks into it, so that nothing happens to it if a file gets shorter.
 */
#ifndef BRIDGE_MEMORY_H
#define BRIDGE_MEMORY_H

#include <stddef.h>

#include "protocol.h"

/* As many as QEMU's own backends take. */
#define MEMORY_SLOTS 509

struct region {
	__u64 guest;		/* address of the guest */
	__u64 size;
	__u64 user;		/* address of the frontend */
	char *at;		/* address of ours */
	void *map;		/* what is mapped, with what is in front of it in the file */
	size_t map_size;
};

struct memory {
	unsigned int nr;
	struct region regions[MEMORY_SLOTS];
};

/* Map a region of @fd, which stays the caller's. NULL, or what is wrong. */
const char *memory_add(struct memory *memory, const struct vhost_user_region *from, int fd);

/*
 * Take out a region that is there, to be unmapped when nobody uses it any more. NULL,
 * or what is wrong.
 */
const char *memory_take(struct memory *memory, const struct vhost_user_region *which,
			struct region *taken);
void region_unmap(struct region *region);

/* Unmap all. */
void memory_clear(struct memory *memory);

/* Our address for @len bytes at @user of the frontend; 0 if they are not in a region. */
__u64 memory_translate(const struct memory *memory, __u64 user, __u64 len);

#endif /* BRIDGE_MEMORY_H */
