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

/* A huge page, in pages, and what it takes to tell two of them apart. */
#define VBLK_HUGE_SHIFT PMD_SHIFT
#define VBLK_HUGE_PAGES (PMD_SIZE / PAGE_SIZE)

/* In vblk_pin.wanted: it was not used since vblk_pins_age(). */
#define VBLK_AGED BIT(31)

/* And another one was asked for since. */
#define VBLK_DOUBTED BIT(30)

/**
 * struct vblk_pin - a page of the guest, pinned; or a huge one
 * @page: the page, or the first of it; NULL if there is none
 * @guest: the guest's address of it
 * @user: the owner's address of it
 * @len: bytes; 0 if there is none, or the owner has something else there now, so that
 *	nobody may begin to use it
 * @size: bytes, whatever the owner has there now
 * @users: requests that use it; the worker's
 * @wanted: of another, that was asked for since this one was, see vblk_pins_want()
 */
struct vblk_pin {
	struct page *page;
	u64 guest;
	unsigned long user;
	u32 len;
	u32 size;
	u32 users;
	u32 wanted;
};

/**
 * struct vblk_pins - pages of the guest that are kept pinned
 * @notifier: tells when the owner's memory changes
 * @lock: for what is in @slots while they are not @busy; for what the notifier writes
 *	or reads of them always; no other is taken under it
 * @slots: each page has one of these, which it shares with others; behind those of pages,
 *	as many of huge ones
 * @nr: how many of each kind, a power of two; 0 if there are none
 * @watched: @notifier is there; without it, no page is kept
 * @may_be_huge: so much may be locked
 * @huge: the page that was kept last is a part of a huge one: try that with the next
 * @busy: the worker has the slots: nobody else lets go of a page
 * @stale: there are pages to let go of that the owner has no more
 * @charged: pages that the owner's locked memory is charged for
 * @aged: when was looked last for what is not used, in jiffies
 * @pinned: pages that ever were
 * @unpinned: and are not any more
 */
struct vblk_pins {
	struct mmu_interval_notifier notifier;
	spinlock_t lock;	/* see above */
	struct vblk_pin *slots;
	u32 nr;
	bool watched;
	bool may_be_huge;
	bool huge;
	bool busy;
	bool stale;
	unsigned long charged;
	unsigned long aged;
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
long vblk_pin_pages_of(struct mm_struct *mm, unsigned long user, unsigned long nr,
		       unsigned int flags, struct page **pages);

/* Does @page follow @before by @nr, in memory and in the memory's map? */
static inline bool vblk_page_follows(struct page *page, struct page *before, u32 nr)
{
	if (page != before + nr)
		return false;
	if (IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		return true;
	/*
	 * Each section has a map of its own, and two of those may follow each other by chance.
	 * Numbers are kept with flags there, that anyone may change, but stay the same.
	 */
	return data_race(page_to_pfn(page) == page_to_pfn(before) + nr);
}

/* How many of @nr pages are in a row. */
static inline u32 vblk_count_row(struct page **pages, u32 nr)
{
	u32 n = 1;

	while (n < nr && vblk_page_follows(pages[n], pages[0], n))
		n++;
	return n;
}

/* May any page be there? For who serves the queue. */
static inline bool vblk_pins_any(const struct vblk_pins *pins)
{
	/* The notifier counts as well: if there are none any more, it is asked again. */
	return data_race(pins->pinned != pins->unpinned);
}

/* Where a page would be, or with VBLK_HUGE_SHIFT a huge one. */
static inline struct vblk_pin *vblk_pins_slot(struct vblk_pins *pins, u64 guest, int shift)
{
	struct vblk_pin *slots = pins->slots + (shift == VBLK_HUGE_SHIFT ? pins->nr : 0);

	return &slots[(guest >> shift) & (pins->nr - 1)];
}

/* Is it there, for those who do not use it yet? */
static inline bool vblk_pin_has(const struct vblk_pin *pin, u64 guest)
{
	/* What becomes stale now is in use by those who came before that. */
	return guest - pin->guest < READ_ONCE(pin->len);
}

/* How many bytes there are from @guest on, which has to be there. */
static inline u32 vblk_pin_room(const struct vblk_pin *pin, u64 guest)
{
	return pin->size - (guest - pin->guest);
}

/* The page that @guest is in, which has to be there: all are of one folio. */
static inline struct page *vblk_pin_page(const struct vblk_pin *pin, u64 guest)
{
	return pin->page + ((guest - pin->guest) >> PAGE_SHIFT);
}

/**
 * vblk_pins_find() - a page of the guest that is kept
 * @pins: those of the queue
 * @guest: any address of the guest within the page
 *
 * Context: who serves the queue, from vblk_pins_begin() to vblk_pins_end().
 * Return: the page, or the huge one that it is in, to be put; NULL if it is not kept
 */
static inline struct vblk_pin *vblk_pins_find(struct vblk_pins *pins, u64 guest)
{
	struct vblk_pin *pin;

	if (!pins->watched)
		return NULL;
	pin = vblk_pins_slot(pins, guest, VBLK_HUGE_SHIFT);
	if (!vblk_pin_has(pin, guest)) {
		pin = vblk_pins_slot(pins, guest, PAGE_SHIFT);
		if (!vblk_pin_has(pin, guest))
			return NULL;
	}
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

/**
 * vblk_pins_want() - ask for a page that is not kept
 * @pins: those of the queue
 * @guest: any address of the guest within the page
 *
 * To keep a page is dear, and in vain if it is not used again. So it is to take the slot of
 * another only if that was not used since it was first asked for.
 *
 * Context: as for vblk_pins_get().
 * Return: whether it was asked for before, so that it is worth to be added
 */
static inline bool vblk_pins_want(struct vblk_pins *pins, u64 guest)
{
	int shift = pins->huge ? VBLK_HUGE_SHIFT : PAGE_SHIFT;
	u32 flags = VBLK_AGED | VBLK_DOUBTED, wanted = ((guest >> shift) + 1) & ~flags;
	struct vblk_pin *pin;

	if (!pins->watched)
		return false;
	pin = vblk_pins_slot(pins, guest, shift);
	if ((pin->wanted & ~flags) == wanted)
		return true;
	/* Two in turns: the first of them. */
	if (pin->wanted & ~flags && !(pin->wanted & VBLK_DOUBTED))
		pin->wanted |= VBLK_DOUBTED;
	else
		pin->wanted = wanted | (pin->wanted & VBLK_AGED);
	return false;
}

/* As vblk_pins_add(), if it was asked for before. */
static inline struct vblk_pin *vblk_pins_add_again(struct vblk_pins *pins,
						   const struct vblk_memory *memory, u64 guest,
						   unsigned int flags)
{
	return vblk_pins_want(pins, guest) ? vblk_pins_add(pins, memory, guest, flags) : NULL;
}

/* As vblk_pins_get(), if it was asked for before. */
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

/* What the guest has at @guest, to the end of the page; to be unmapped. Any context. */
static inline const void *vblk_pin_map(const struct vblk_pin *pin, u64 guest)
{
	/* As for vblk_page_follows(). */
	return data_race(kmap_local_page(vblk_pin_page(pin, guest))) + offset_in_page(guest);
}

/* Copy from there, once: the driver may change it at any time. */
static __always_inline void vblk_pin_copy(void *to, const void *at, size_t len)
{
	/* Whatever is there is checked after this. */
	data_race(memcpy(to, at, len));
	barrier();
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
