/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_PIN_H
#define _VBLK_PIN_H

#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct page;
struct vblk_memory;

/**
 * struct vblk_pin - a page of the guest, pinned
 * @page: the page; NULL if there is none
 * @frame: the guest's address of it, in units of its size
 * @user: the owner's address of it
 * @users: requests that use it; the worker's
 * @wanted: low bits of another frame's, that was asked for since this one was
 * @stale: the owner has something else there now; nobody else may use it
 */
struct vblk_pin {
	struct page *page;
	u64 frame;
	unsigned long user;
	u32 users;
	u32 wanted;
	bool stale;
};

/**
 * struct vblk_pins - pages of the guest that are kept pinned
 * @notifier: tells when the owner's memory changes
 * @lock: for what is in @slots while they are not @busy; for what the notifier writes
 *	or reads of them always; no other is taken under it
 * @slots: each frame has one of these, which it shares with others
 * @nr: how many, a power of two; 0 if there are none
 * @watched: @notifier is there; without it, no page is kept
 * @busy: the worker has the slots: nobody else lets go of a page
 * @stale: there are stale pages to let go of
 * @pinned: pages that ever were
 * @unpinned: and are not any more
 */
struct vblk_pins {
	struct mmu_interval_notifier notifier;
	spinlock_t lock;	/* see above */
	struct vblk_pin *slots;
	u32 nr;
	bool watched;
	bool busy;
	bool stale;
	u64 pinned;
	u64 unpinned;
};

void vblk_pins_init(struct vblk_pins *pins);
void vblk_pins_alloc(struct vblk_pins *pins);
void vblk_pins_free(struct vblk_pins *pins);
void vblk_pins_watch(struct vblk_pins *pins, const struct vblk_memory *memory);
void vblk_pins_unwatch(struct vblk_pins *pins);
void vblk_pins_begin(struct vblk_pins *pins);
void vblk_pins_end(struct vblk_pins *pins);
struct vblk_pin *vblk_pins_get(struct vblk_pins *pins, const struct vblk_memory *memory,
			       u64 guest, unsigned int flags);
struct vblk_pin *vblk_pins_get_again(struct vblk_pins *pins, const struct vblk_memory *memory,
				     u64 guest, unsigned int flags);
void vblk_pins_put(struct vblk_pin *pin, bool dirty);

#endif /* _VBLK_PIN_H */
