// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of the guest that stay pinned from one request to the next, as to find and
 * to pin a page takes longer than all else that is done for a small request.
 *
 * A page is kept as long as the owner has it there: the notifier lets go of it before
 * the owner's memory changes. So the owner may take memory back from the guest, as a
 * balloon does. Who uses a page at that time goes on with it, as it would if it had
 * pinned it itself; the last one unpins it. Where a page cannot be kept, whoever
 * wants it pins it itself.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "memory.h"
#include "pin.h"

/* Pages that a queue keeps, at most. */
#define VBLK_MAX_PINS 65536U

static unsigned int vblk_nr_pins = 256;
module_param_named(pins, vblk_nr_pins, uint, 0644);
MODULE_PARM_DESC(pins, "pages of the guest that each queue keeps pinned (256), 0 for none");

/* Under @lock. */
static void vblk_pin_forget(struct vblk_pins *pins, struct vblk_pin *pin)
{
	if (pins->busy || pin->users) {
		WRITE_ONCE(pin->stale, true);
		pins->stale = true;
		return;
	}
	unpin_user_page(pin->page);
	pin->page = NULL;
	pins->unpinned++;
}

/* Forget all that the owner has from @start to before @end; under @lock. */
static void vblk_pins_forget(struct vblk_pins *pins, unsigned long start, unsigned long end)
{
	struct vblk_pin *pin;

	for (pin = pins->slots; pin < pins->slots + pins->nr; pin++)
		if (pin->page && pin->user >= start && pin->user < end)
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
	for (pin = pins->slots; pin < pins->slots + pins->nr; pin++)
		if (pin->page && pin->stale)
			vblk_pin_forget(pins, pin);
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
	pins->slots = kvcalloc(pins->nr, sizeof(*pins->slots), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
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

/**
 * vblk_pins_watch() - begin to keep pages, if that is possible
 * @pins: those of a queue
 * @memory: the guest's memory
 *
 * The owner's locked memory is charged for as many pages as there may be.
 *
 * Context: the owner; takes its mmap_lock.
 */
void vblk_pins_watch(struct vblk_pins *pins, const struct vblk_memory *memory)
{
	unsigned long start = ULONG_MAX, end = 0;
	const struct vblk_region *region;

	if (!pins->nr || !memory->nr || account_locked_vm(current->mm, pins->nr, true))
		return;
	for (region = memory->regions; region < memory->regions + memory->nr; region++) {
		start = min(start, region->user);
		end = max_t(unsigned long, end, region->user + (region->last - region->guest) + 1);
	}
	pins->watched = !mmu_interval_notifier_insert(&pins->notifier, current->mm, start,
						      end - start, &vblk_pins_notifier_ops);
	if (!pins->watched)
		account_locked_vm(current->mm, pins->nr, false);
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
	account_locked_vm(mm, pins->nr, false);
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

/* The page has a slot, but it is not there. False if it cannot be kept. */
static bool vblk_pin_fill(struct vblk_pins *pins, struct vblk_pin *pin,
			  const struct vblk_memory *memory, u64 frame, unsigned int flags)
{
	struct page *page, *unwanted;
	unsigned long user, seq;
	bool valid;

	/* A page of the guest may be parts of two of the owner's. */
	if (vblk_memory_translate(memory, frame << PAGE_SHIFT, PAGE_SIZE, &user) != PAGE_SIZE ||
	    offset_in_page(user))
		return false;
	seq = mmu_interval_read_begin(&pins->notifier);
	if (vblk_pin_pages(pins->notifier.mm, user, 1, FOLL_WRITE | FOLL_LONGTERM | flags,
			   &page) != 1)
		return false;

	spin_lock(&pins->lock);
	valid = !mmu_interval_read_retry(&pins->notifier, seq);
	unwanted = valid ? pin->page : page;
	if (valid) {
		*pin = (struct vblk_pin) { .page = page, .frame = frame, .user = user, .users = 1 };
		pins->pinned++;
		pins->unpinned += !!unwanted;
	}
	spin_unlock(&pins->lock);
	if (unwanted)
		unpin_user_page(unwanted);
	return valid;
}

/**
 * vblk_pins_add() - keep a page that is not kept, instead of what has its slot
 * @pins: those of the queue
 * @memory: the guest's memory
 * @guest: any address of the guest within the page
 * @flags: FOLL_NOFAULT, or 0
 *
 * Context: as for vblk_pins_get().
 * Return: the page, to be put, or NULL if it cannot be kept
 */
struct vblk_pin *vblk_pins_add(struct vblk_pins *pins, const struct vblk_memory *memory,
			       u64 guest, unsigned int flags)
{
	struct vblk_pin *pin = vblk_pins_slot(pins, guest);

	if (!pins->watched || pin->users ||
	    !vblk_pin_fill(pins, pin, memory, guest >> PAGE_SHIFT, flags))
		return NULL;
	return pin;
}

/**
 * vblk_pins_add_again() - the same, if it was asked for before
 * @pins: those of the queue
 * @memory: the guest's memory
 * @guest: any address of the guest within the page
 * @flags: FOLL_NOFAULT, or 0
 *
 * To keep a page is dear, and in vain if it is not used again. So it takes the slot of
 * another only if that was not used since it was first asked for.
 *
 * Context: as for vblk_pins_get().
 * Return: the page, to be put, or NULL if it is not kept
 */
struct vblk_pin *vblk_pins_add_again(struct vblk_pins *pins, const struct vblk_memory *memory,
				     u64 guest, unsigned int flags)
{
	struct vblk_pin *pin = vblk_pins_slot(pins, guest);
	u32 wanted = (guest >> PAGE_SHIFT) + 1;

	if (!pins->watched)
		return NULL;
	if (pin->wanted == wanted)
		return vblk_pins_add(pins, memory, guest, flags);
	pin->wanted = wanted;
	return NULL;
}
