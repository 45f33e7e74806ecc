// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of the guest that stay pinned from one request to the next, as to find and
 * to pin a page takes longer than all else that is done for a small request. Where the
 * owner has the guest's memory in huge pages, a whole one is kept as a page is. What is
 * not used for a while is let go of.
 *
 * A page is kept as long as the owner has it there: the notifier lets go of it before
 * the owner's memory changes. So the owner may take memory back from the guest, as a
 * balloon does. Who uses a page at that time goes on with it, as it would if it had
 * pinned it itself; the last one unpins it. Where a page cannot be kept, whoever
 * wants it pins it itself.
 */
#include <linux/capability.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "memory.h"
#include "pin.h"

/* Pages that a queue keeps, at most, and huge ones. */
#define VBLK_MAX_PINS 65536U

static unsigned int vblk_nr_pins = 256;
module_param_named(pins, vblk_nr_pins, uint, 0644);
MODULE_PARM_DESC(pins, "pages, and as many huge ones, that each queue keeps pinned (256), 0 for none");

/* How long a page may stay that is not used, at least; not much more than twice of it. */
#define VBLK_AGE HZ

/* Pages to pin at a time. */
#define VBLK_PIN_ROW 32

static struct vblk_pin *vblk_pins_behind(const struct vblk_pins *pins)
{
	return pins->slots + 2 * pins->nr;
}

/* Under @lock. */
static void vblk_pin_forget(struct vblk_pins *pins, struct vblk_pin *pin)
{
	WRITE_ONCE(pin->len, 0);
	if (pins->busy || pin->users) {
		pins->stale = true;
		return;
	}
	unpin_user_page(pin->page);
	pin->page = NULL;
	pins->unpinned += pin->size >> PAGE_SHIFT;
}

/* Forget all that the owner has from @start to before @end; under @lock. */
static void vblk_pins_forget(struct vblk_pins *pins, unsigned long start, unsigned long end)
{
	struct vblk_pin *pin;

	for (pin = pins->slots; pin < vblk_pins_behind(pins); pin++)
		if (pin->page && pin->user < end && pin->user + pin->size > start)
			vblk_pin_forget(pins, pin);
}

/* May not wait for requests, nor for the lock of a page, which the caller may have. */
static bool vblk_pins_invalidate(struct mmu_interval_notifier *notifier,
				 const struct mmu_notifier_range *range, unsigned long seq)
{
	struct vblk_pins *pins = container_of(notifier, struct vblk_pins, notifier);

	spin_lock(&pins->lock);
	mmu_interval_set_seq(notifier, seq);
	vblk_pins_forget(pins, range->start, range->end);
	spin_unlock(&pins->lock);
	return true;
}

static const struct mmu_interval_notifier_ops vblk_pins_notifier_ops = {
	.invalidate = vblk_pins_invalidate,
};

/* Let go of what is stale, and was in use when it became so; under @lock. */
static void vblk_pins_sweep(struct vblk_pins *pins)
{
	struct vblk_pin *pin;

	pins->stale = false;
	for (pin = pins->slots; pin < vblk_pins_behind(pins); pin++)
		if (pin->page && !pin->len)
			vblk_pin_forget(pins, pin);
}

/* Let go of what was not used since the last time; under @lock. */
static void vblk_pins_age(struct vblk_pins *pins)
{
	struct vblk_pin *pin;

	pins->aged = jiffies;
	for (pin = pins->slots; pin < vblk_pins_behind(pins); pin++) {
		if (pin->page && !pin->users && pin->wanted & VBLK_AGED)
			vblk_pin_forget(pins, pin);
		pin->wanted |= VBLK_AGED;
	}
}

void vblk_pins_init(struct vblk_pins *pins)
{
	spin_lock_init(&pins->lock);
}

/**
 * vblk_pins_alloc() - get room for pins, if there is any
 * @pins: those of a queue
 */
void vblk_pins_alloc(struct vblk_pins *pins)
{
	u32 nr = min(READ_ONCE(vblk_nr_pins), VBLK_MAX_PINS);

	pins->nr = nr ? roundup_pow_of_two(nr) : 0;
	pins->slots = kvcalloc(2 * pins->nr, sizeof(*pins->slots),
			       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!pins->slots)
		pins->nr = 0;
}

/**
 * vblk_pins_free() - undo vblk_pins_alloc()
 * @pins: those of a queue; not watched, and nobody uses one
 */
void vblk_pins_free(struct vblk_pins *pins)
{
	spin_lock(&pins->lock);
	vblk_pins_sweep(pins);
	spin_unlock(&pins->lock);
	kvfree(pins->slots);
	pins->slots = NULL;
	pins->nr = 0;
}

/*
 * The owner's locked memory is charged for as many pages as there may be. Those of huge
 * pages would be all that there is for whoever has a limit.
 */
static int vblk_pins_charge(struct vblk_pins *pins, unsigned long pages)
{
	pins->may_be_huge = rlimit(RLIMIT_MEMLOCK) == RLIM_INFINITY || capable(CAP_IPC_LOCK);
	pins->charged = pins->nr;
	if (pins->may_be_huge)
		pins->charged += min(pages, pins->nr * VBLK_HUGE_PAGES);
	return account_locked_vm(current->mm, pins->charged, true);
}

/**
 * vblk_pins_watch() - begin to keep pages, if that is possible
 * @pins: those of a queue
 * @memory: the guest's memory
 *
 * Context: the owner; takes its mmap_lock.
 */
void vblk_pins_watch(struct vblk_pins *pins, const struct vblk_memory *memory)
{
	unsigned long start = ULONG_MAX, end = 0, pages = 0;
	const struct vblk_region *region;

	for (region = memory->regions; region < memory->regions + memory->nr; region++) {
		start = min(start, region->user);
		end = max_t(unsigned long, end, region->user + (region->last - region->guest) + 1);
		pages += (region->last - region->guest + 1) >> PAGE_SHIFT;
	}
	if (!pins->nr || !memory->nr || vblk_pins_charge(pins, pages))
		return;
	pins->huge = false;
	pins->aged = jiffies;
	pins->watched = !mmu_interval_notifier_insert(&pins->notifier, current->mm, start,
						      end - start, &vblk_pins_notifier_ops);
	if (!pins->watched)
		account_locked_vm(current->mm, pins->charged, false);
}

/**
 * vblk_pins_unwatch() - undo vblk_pins_watch(), if it did anything
 * @pins: those of a queue, which nobody serves; pages in use are not let go of before
 *	vblk_pins_end() or vblk_pins_free()
 *
 * Context: may sleep; the owner's memory is still there.
 */
void vblk_pins_unwatch(struct vblk_pins *pins)
{
	struct mm_struct *mm = pins->notifier.mm;

	if (!pins->watched)
		return;
	pins->watched = false;
	mmu_interval_notifier_remove(&pins->notifier);
	spin_lock(&pins->lock);
	vblk_pins_forget(pins, 0, ULONG_MAX);
	spin_unlock(&pins->lock);
	account_locked_vm(mm, pins->charged, false);
}

/**
 * vblk_pins_begin() - have the slots for oneself
 * @pins: those of a queue
 *
 * The notifier only marks what it finds until vblk_pins_end(), so that the worker need
 * not lock for each page.
 *
 * Context: the worker, under the queue's mutex.
 */
void vblk_pins_begin(struct vblk_pins *pins)
{
	spin_lock(&pins->lock);
	pins->busy = true;
	spin_unlock(&pins->lock);
}

/**
 * vblk_pins_end() - undo vblk_pins_begin()
 * @pins: those of a queue
 */
void vblk_pins_end(struct vblk_pins *pins)
{
	spin_lock(&pins->lock);
	pins->busy = false;
	if (unlikely(pins->stale))
		vblk_pins_sweep(pins);
	if (unlikely(time_after(jiffies, pins->aged + VBLK_AGE)))
		vblk_pins_age(pins);
	spin_unlock(&pins->lock);
}

/**
 * vblk_pin_pages_of() - pin pages of another process
 * @mm: its memory
 * @user: its address of the first page
 * @nr: how many
 * @flags: as for pin_user_pages_fast(), FOLL_NOFAULT among them
 * @pages: set to the pages
 *
 * Context: a process, which does not wait for the other.
 * Return: how many were pinned, or -EFAULT, -ENOMEM, -EAGAIN
 */
long vblk_pin_pages_of(struct mm_struct *mm, unsigned long user, unsigned long nr,
		       unsigned int flags, struct page **pages)
{
	long ret;

	if (!mmap_read_trylock(mm))
		return -EAGAIN;
	ret = compat_pin_user_pages_remote(mm, user, nr, flags, pages);
	mmap_read_unlock(mm);
	return ret;
}

/*
 * Pin @nr pages that are in a row, and of one folio: one of them is enough to have all of
 * it stay. Returns the first, or NULL if they are not so.
 */
static struct page *vblk_pin_row(struct mm_struct *mm, unsigned long user, u32 nr,
				 unsigned int flags)
{
	struct page *pages[VBLK_PIN_ROW], *first = NULL;
	bool follow;
	u32 done;
	long n;

	for (done = 0; done < nr; done += n) {
		n = vblk_pin_pages(mm, user + done * PAGE_SIZE, min(nr - done, VBLK_PIN_ROW),
				   flags, pages);
		if (n <= 0)
			break;
		first = first ?: pages[0];
		follow = vblk_page_follows(pages[0], first, done) &&
			 vblk_count_row(pages, n) == n &&
			 page_folio(pages[n - 1]) == page_folio(first);
		/* All but the first. */
		unpin_user_pages(pages + !done, n - !done);
		if (!follow)
			break;
	}
	if (done >= nr || !first)
		return first;
	unpin_user_page(first);
	return NULL;
}

/* Have @len bytes that begin at @guest in a slot, where they are not. False if that cannot be. */
static bool vblk_pin_fill(struct vblk_pins *pins, struct vblk_pin *pin,
			  const struct vblk_memory *memory, u64 guest, u32 len, unsigned int flags)
{
	struct page *page, *unwanted;
	unsigned long user, seq;
	bool valid;

	/* A page of the guest may be parts of two of the owner's. */
	if (vblk_memory_translate(memory, guest, len, &user) != len || user & (len - 1))
		return false;
	seq = mmu_interval_read_begin(&pins->notifier);
	page = vblk_pin_row(pins->notifier.mm, user, len >> PAGE_SHIFT,
			    FOLL_WRITE | FOLL_LONGTERM | flags);
	if (!page)
		return false;

	spin_lock(&pins->lock);
	valid = !mmu_interval_read_retry(&pins->notifier, seq);
	unwanted = valid ? pin->page : page;
	if (valid) {
		pins->pinned += len >> PAGE_SHIFT;
		pins->unpinned += unwanted ? pin->size >> PAGE_SHIFT : 0;
		*pin = (struct vblk_pin) {
			.page = page, .guest = guest, .user = user, .len = len, .size = len,
			.users = 1,
		};
	}
	spin_unlock(&pins->lock);
	if (unwanted)
		unpin_user_page(unwanted);
	return valid;
}

static bool vblk_pin_is_of_huge(const struct vblk_pin *pin)
{
	return folio_nr_pages(page_folio(pin->page)) >= VBLK_HUGE_PAGES;
}

/**
 * vblk_pins_add() - keep a page that is not kept, instead of what has its slot
 * @pins: those of the queue
 * @memory: the guest's memory
 * @guest: any address of the guest within the page
 * @flags: FOLL_NOFAULT, or 0
 *
 * Where one is a part of a huge page, so will be the next, and is kept as a whole.
 *
 * Context: as for vblk_pins_get().
 * Return: the page, or the huge one that it is in, to be put; NULL if it cannot be kept
 */
struct vblk_pin *vblk_pins_add(struct vblk_pins *pins, const struct vblk_memory *memory,
			       u64 guest, unsigned int flags)
{
	struct vblk_pin *pin;

	if (!pins->watched)
		return NULL;
	if (pins->huge) {
		pin = vblk_pins_slot(pins, guest, VBLK_HUGE_SHIFT);
		if (!pin->users && vblk_pin_fill(pins, pin, memory,
						 round_down(guest, PMD_SIZE), PMD_SIZE, flags))
			return pin;
		pins->huge = false;
	}
	pin = vblk_pins_slot(pins, guest, PAGE_SHIFT);
	if (pin->users ||
	    !vblk_pin_fill(pins, pin, memory, round_down(guest, PAGE_SIZE), PAGE_SIZE, flags))
		return NULL;
	pins->huge = pins->may_be_huge && vblk_pin_is_of_huge(pin);
	return pin;
}
