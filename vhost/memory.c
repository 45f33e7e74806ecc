// SPDX-License-Identifier: GPL-2.0-only
/* The guest's memory: which address of the owner an address of the guest is. */
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vhost_blk.h>

#include "memory.h"

static int vblk_region_cmp(const void *a, const void *b)
{
	const struct vblk_region *x = a, *y = b;

	return x->guest < y->guest ? -1 : x->guest > y->guest;
}

/* What the owner says of a region, checked. */
static int vblk_region_init(struct vblk_region *region, const struct vhost_memory_region *from)
{
	u64 size = from->memory_size, guest_end, user_end;

	if (from->flags_padding)
		return -EOPNOTSUPP;
	if (!size || check_add_overflow(from->guest_phys_addr, size - 1, &guest_end) ||
	    check_add_overflow(from->userspace_addr, size - 1, &user_end))
		return -EFAULT;
	if (user_end > ULONG_MAX ||
	    !access_ok((void __user *)(unsigned long)from->userspace_addr, size))
		return -EFAULT;
	region->guest = from->guest_phys_addr;
	region->last = guest_end;
	region->user = from->userspace_addr;
	return 0;
}

static int vblk_memory_fill(struct vblk_memory *memory,
			    const struct vhost_memory_region __user *from)
{
	struct vhost_memory_region region;
	u32 i;
	int ret;

	for (i = 0; i < memory->nr; i++) {
		if (copy_from_user(&region, &from[i], sizeof(region)))
			return -EFAULT;
		ret = vblk_region_init(&memory->regions[i], &region);
		if (ret)
			return ret;
	}
	sort(memory->regions, memory->nr, sizeof(*memory->regions), vblk_region_cmp, NULL);
	for (i = 1; i < memory->nr; i++)
		if (memory->regions[i].guest <= memory->regions[i - 1].last)
			return -EINVAL;
	return 0;
}

/**
 * vblk_memory_create() - take over what VHOST_SET_MEM_TABLE was given
 * @argp: struct vhost_memory, with its regions behind it
 *
 * That the memory can be reached is not checked: a region may be a device's, or
 * be mapped later.
 *
 * Return: the table, with one reference, or -EFAULT, -EOPNOTSUPP, -E2BIG,
 * -EINVAL, -ENOMEM
 */
struct vblk_memory *vblk_memory_create(const void __user *argp)
{
	const struct vhost_memory __user *from = argp;
	struct vhost_memory head;
	struct vblk_memory *memory;
	int ret;

	if (copy_from_user(&head, from, sizeof(head)))
		return ERR_PTR(-EFAULT);
	if (head.padding)
		return ERR_PTR(-EOPNOTSUPP);
	if (head.nregions > VBLK_MAX_REGIONS)
		return ERR_PTR(-E2BIG);
	memory = kvzalloc(struct_size(memory, regions, head.nregions), GFP_KERNEL_ACCOUNT);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	kref_init(&memory->ref);
	memory->nr = head.nregions;
	ret = vblk_memory_fill(memory, from->regions);
	if (ret) {
		kvfree(memory);
		return ERR_PTR(ret);
	}
	return memory;
}

void vblk_memory_get(struct vblk_memory *memory)
{
	kref_get(&memory->ref);
}

static void vblk_memory_free(struct kref *ref)
{
	kvfree(container_of(ref, struct vblk_memory, ref));
}

/* Also of NULL. */
void vblk_memory_put(struct vblk_memory *memory)
{
	if (memory)
		kref_put(&memory->ref, vblk_memory_free);
}

static const struct vblk_region *vblk_memory_find(const struct vblk_memory *memory, u64 guest)
{
	u32 low = 0, high = memory->nr;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		const struct vblk_region *region = &memory->regions[middle];

		if (guest < region->guest)
			high = middle;
		else if (guest > region->last)
			low = middle + 1;
		else
			return region;
	}
	return NULL;
}

/**
 * vblk_memory_has_all_of() - is all that was there still there?
 * @memory: the new table
 * @other: the old one
 *
 * Return: whether each region of @other is one of @memory
 */
bool vblk_memory_has_all_of(const struct vblk_memory *memory, const struct vblk_memory *other)
{
	const struct vblk_region *old, *new;

	for (old = other->regions; old < other->regions + other->nr; old++) {
		new = vblk_memory_find(memory, old->guest);
		if (!new || new->guest != old->guest || new->last != old->last ||
		    new->user != old->user)
			return false;
	}
	return true;
}

/**
 * vblk_memory_translate() - where the owner has a piece of the guest's memory
 * @memory: the table
 * @guest: address of the guest
 * @len: bytes, at least 1
 * @user: set to the owner's address
 *
 * What follows in the guest's memory may be elsewhere in the owner's: ask again
 * for the rest.
 *
 * Return: how many of the @len bytes are there in one piece; 0 if there is none
 */
size_t vblk_memory_translate(const struct vblk_memory *memory, u64 guest, size_t len,
			     unsigned long *user)
{
	const struct vblk_region *region = vblk_memory_find(memory, guest);

	if (!region)
		return 0;
	*user = region->user + (guest - region->guest);
	return min_t(u64, len - 1, region->last - guest) + 1;
}

/**
 * vblk_memory_read() - copy from the guest's memory
 * @memory: the table
 * @to: where to
 * @guest: address of the guest
 * @len: bytes
 *
 * Context: a process with the owner's memory as its own; may sleep.
 * Return: 0, or -EFAULT if not all of it can be reached
 */
int vblk_memory_read(const struct vblk_memory *memory, void *to, u64 guest, size_t len)
{
	unsigned long user;
	size_t piece;

	for (; len; to += piece, guest += piece, len -= piece) {
		piece = vblk_memory_translate(memory, guest, len, &user);
		if (!piece || copy_from_user(to, (void __user *)user, piece))
			return -EFAULT;
	}
	return 0;
}

/**
 * vblk_memory_read_atomic() - the same, without sleeping
 * @memory: the table
 * @to: where to
 * @guest: address of the guest
 * @len: bytes
 *
 * Context: a process with the owner's memory as its own.
 * Return: 0, -EFAULT if the guest has no such memory, or -EAGAIN if it may only not
 * be there at present
 */
int vblk_memory_read_atomic(const struct vblk_memory *memory, void *to, u64 guest, size_t len)
{
	unsigned long user;
	size_t piece;

	for (; len; to += piece, guest += piece, len -= piece) {
		piece = vblk_memory_translate(memory, guest, len, &user);
		if (!piece)
			return -EFAULT;
		if (copy_from_user_nofault(to, (void __user *)user, piece))
			return -EAGAIN;
	}
	return 0;
}
