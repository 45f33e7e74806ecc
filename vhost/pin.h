/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_PIN_H
#define _VBLK_PIN_H

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
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
struct vblk_pin *vblk_pins_add(struct vblk_pins *pins, const struct vblk_memory *memory,
			       u64 guest, unsigned int flags);
struct vblk_pin *vblk_pins_add_again(struct vblk_pins *pins, const struct vblk_memory *memory,
				     u64 guest, unsigned int flags);
long vblk_pin_pages_of(struct mm_struct *mm, unsigned long user, unsigned long nr,
		       unsigned int flags, struct page **pages);

static inline struct vblk_pin *vblk_pins_slot(struct vblk_pins *pins, u64 guest)
{
	return &pins->slots[(guest >> PAGE_SHIFT) & (pins->nr - 1)];
}

/**
 * vblk_pins_find() - a page of the guest that is kept
 * @pins: those of the queue
 * @guest: any address of the guest within the page
 *
 * Context: who serves the queue, from vblk_pins_begin() to vblk_pins_end().
 * Return: the page, to be put, or NULL if it is not kept
 */
static inline struct vblk_pin *vblk_pins_find(struct vblk_pins *pins, u64 guest)
{
	struct vblk_pin *pin;

	if (!pins->watched)
		return NULL;
	pin = vblk_pins_slot(pins, guest);
	/* What becomes stale now is in use by those who came before that. */
	if (unlikely(!pin->page || pin->frame != guest >> PAGE_SHIFT || READ_ONCE(pin->stale)))
		return NULL;
	pin->wanted = 0;
	pin->users++;
	return pin;
}

/**
 * vblk_pins_get() - a page of the guest, that is kept from now on
 * @pins: those of the queue
 * @memory: the guest's memory
 * @guest: any address of the guest within the page
 * @flags: FOLL_NOFAULT, or 0
 *
 * Context: who serves the queue, from vblk_pins_begin() to vblk_pins_end(); may sleep.
 * Return: the page, to be put, or NULL if it cannot be kept
 */
static inline struct vblk_pin *vblk_pins_get(struct vblk_pins *pins,
					     const struct vblk_memory *memory, u64 guest,
					     unsigned int flags)
{
	return vblk_pins_find(pins, guest) ?: vblk_pins_add(pins, memory, guest, flags);
}

/* The same, if it was asked for before. */
static inline struct vblk_pin *vblk_pins_get_again(struct vblk_pins *pins,
						   const struct vblk_memory *memory, u64 guest,
						   unsigned int flags)
{
	return vblk_pins_find(pins, guest) ?: vblk_pins_add_again(pins, memory, guest, flags);
}

/**
 * vblk_pins_put() - a request uses a page no more
 * @pin: as vblk_pins_get() told
 * @dirty: it was written to
 *
 * Context: who serves the queue, from vblk_pins_begin() to vblk_pins_end(), or, while they
 * are not watched, who stops it.
 */
static inline void vblk_pins_put(struct vblk_pin *pin, bool dirty)
{
	if (dirty && !PageDirty(pin->page))
		set_page_dirty_lock(pin->page);
	pin->users--;
}

/* Copy from the page, once: the driver may change it meanwhile. Any context. */
static inline void vblk_pin_read(const struct vblk_pin *pin, u32 offset, void *to, size_t len)
{
	/* As for vblk_page_follows(). */
	const void *page = data_race(kmap_local_page(pin->page));

	/* Whatever is there is checked after this. */
	data_race(memcpy(to, page + offset, len));
	barrier();
	kunmap_local(page);
}

/**
 * vblk_pin_pages() - pin pages of the owner
 * @mm: the owner's memory
 * @user: address of the owner, of the first page
 * @nr: how many
 * @flags: as for pin_user_pages_fast(); FOLL_NOFAULT among them if @mm is not the caller's
 * @pages: set to the pages
 *
 * Context: a process; may sleep, but not for another process.
 * Return: how many were pinned, or -EFAULT, -ENOMEM, -EAGAIN
 */
static inline long vblk_pin_pages(struct mm_struct *mm, unsigned long user, unsigned long nr,
				  unsigned int flags, struct page **pages)
{
	return likely(current->mm == mm) ? pin_user_pages_fast(user, nr, flags, pages) :
					   vblk_pin_pages_of(mm, user, nr, flags, pages);
}

#endif /* _VBLK_PIN_H */
