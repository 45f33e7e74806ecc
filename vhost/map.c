// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of the owner's memory that the kernel reaches directly, in any context.
 *
 * The pages are pinned, so what is mapped stays memory of the owner whatever
 * happens. That they are still the pages the owner sees is up to the notifier: it
 * invalidates the map before they are not.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "map.h"

static bool vblk_map_invalidate(struct mmu_interval_notifier *notifier,
				const struct mmu_notifier_range *range, unsigned long seq)
{
	struct vblk_map *map = container_of(notifier, struct vblk_map, notifier);

	map->ops->invalidate(map, seq);
	return true;
}

static const struct mmu_interval_notifier_ops vblk_map_notifier_ops = {
	.invalidate = vblk_map_invalidate,
};

/**
 * vblk_map_init() - a map that is not filled
 * @map: the map
 * @ops: who uses it
 * @user: for what, theirs
 * @start: address of the owner
 * @len: bytes, at least 1
 *
 * Context: the owner; takes its mmap_lock.
 * Return: 0, -ENOMEM (RLIMIT_MEMLOCK as well), -EOVERFLOW
 */
int vblk_map_init(struct vblk_map *map, const struct vblk_map_ops *ops, void *user,
		  unsigned long start, size_t len)
{
	int ret;

	map->ops = ops;
	map->user = user;
	map->start = start & PAGE_MASK;
	map->nr = DIV_ROUND_UP(offset_in_page(start) + len, PAGE_SIZE);
	map->pages = NULL;
	map->at = NULL;
	ret = account_locked_vm(current->mm, map->nr, true);
	if (ret)
		return ret;
	ret = mmu_interval_notifier_insert(&map->notifier, current->mm, map->start,
					   (unsigned long)map->nr << PAGE_SHIFT,
					   &vblk_map_notifier_ops);
	if (ret)
		account_locked_vm(current->mm, map->nr, false);
	return ret;
}

static void vblk_map_empty(struct vblk_map *map)
{
	vunmap(map->at);
	map->at = NULL;
	if (map->pages)
		unpin_user_pages_dirty_lock(map->pages, map->nr, true);
	kvfree(map->pages);
	map->pages = NULL;
}

/**
 * vblk_map_exit() - undo vblk_map_init() and vblk_map_fill()
 * @map: the map, which nobody uses any more
 *
 * Context: may sleep.
 */
void vblk_map_exit(struct vblk_map *map)
{
	struct mm_struct *mm = map->notifier.mm;

	mmu_interval_notifier_remove(&map->notifier);
	vblk_map_empty(map);
	account_locked_vm(mm, map->nr, false);
}

static int vblk_map_pin(struct vblk_map *map)
{
	unsigned int done = 0;
	int n;

	while (done < map->nr) {
		n = pin_user_pages_fast(map->start + ((unsigned long)done << PAGE_SHIFT),
					map->nr - done, FOLL_WRITE | FOLL_LONGTERM,
					map->pages + done);
		if (n <= 0) {
			unpin_user_pages(map->pages, done);
			return n ?: -EFAULT;
		}
		done += n;
	}
	return 0;
}

/**
 * vblk_map_fill() - map what the owner has there now
 * @map: one that is not valid, and that nobody uses
 *
 * It is to be used only after vblk_map_is_valid() said so.
 *
 * Context: a process with the owner's memory as its own; may sleep.
 * Return: 0, or why it cannot be: try again on -ENOMEM and -EAGAIN only
 */
int vblk_map_fill(struct vblk_map *map)
{
	int ret;

	vblk_map_empty(map);
	map->pages = kvcalloc(map->nr, sizeof(*map->pages), GFP_KERNEL_ACCOUNT);
	if (!map->pages)
		return -ENOMEM;
	map->seq = mmu_interval_read_begin(&map->notifier);
	ret = vblk_map_pin(map);
	if (ret) {
		kvfree(map->pages);
		map->pages = NULL;
		return ret;
	}
	map->at = vmap(map->pages, map->nr, VM_MAP, PAGE_KERNEL);
	if (!map->at) {
		vblk_map_empty(map);
		return -ENOMEM;
	}
	return 0;
}

/**
 * vblk_map_is_valid() - is what was mapped still what the owner has there?
 * @map: the map
 *
 * Context: under the lock that @map->ops->invalidate takes.
 * Return: whether it is
 */
bool vblk_map_is_valid(struct vblk_map *map)
{
	return map->at && !mmu_interval_read_retry(&map->notifier, map->seq);
}

/**
 * vblk_map_at() - where the kernel has what the owner has at @user
 * @map: a map that is filled
 * @user: an address of the owner within it
 */
void *vblk_map_at(const struct vblk_map *map, const void *user)
{
	return map->at + ((unsigned long)user - map->start);
}
