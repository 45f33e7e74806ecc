// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kicks and interrupts: asked for, and decided on, as virtio 1.3 says in 2.7.7 and
 * 2.7.10, for all indices and events.
 */
/* with: -DSPACE=VR_KERNEL */
/* with: -DSPACE=VR_USER -DSWAPPED=true */
/* weaken: interrupts: s/u->next - u->unsignalled/u->next - 1/ */
/* weaken: many interrupts: s/>= VR_UNKNOWN/> VR_UNKNOWN/ */
/* weaken: kick: s/a->seen, avail_event/a->next, avail_event/ */
/* weaken: new chain: /split_kick_on(struct/,/^}/s/idx != a->seen/0/ */

#include "proof.h"

static struct vr before;
static struct proof_used used_before;

static void begin(void)
{
	any_ring();
	before = vr;
	used_before = used;
}

static bool may_fail(int err)
{
	return MAY_FAULT && err == -EFAULT;
}

static bool new_chains(void)
{
	return vr_swap16(HOW, avail.idx) != vr.avail.seen;
}

static void prove_kick_on(void)
{
	int err;

	begin();
	err = vr_kick_on(&vr);
	PROVE(ring_is_sound());
	PROVE(err == 0 || err == 1 || may_fail(err));
	if (err < 0)
		return;
	PROVE(err == new_chains());
	if (vr.event_idx) {
		PROVE(vr_swap16(HOW, used.avail_event) == vr.avail.seen);
		PROVE(used.flags == used_before.flags);
	} else {
		PROVE(!used.flags);
		PROVE(used.avail_event == used_before.avail_event);
	}
}

static void prove_kick_off(void)
{
	int err;

	begin();
	err = vr_kick_off(&vr);
	PROVE(ring_is_sound());
	PROVE(!err || may_fail(err));
	PROVE(used.avail_event == used_before.avail_event);
	if (err || vr.event_idx)
		PROVE(used.flags == used_before.flags);
	else
		PROVE(vr_swap16(HOW, used.flags) == VRING_USED_F_NO_NOTIFY);
}

static void prove_pending(void)
{
	int err;

	begin();
	err = vr_pending(&vr);
	PROVE(ring_is_sound());
	PROVE(err >= 0 || may_fail(err));
	if (vr.avail.next != vr.avail.seen)
		PROVE(err == (u16)(vr.avail.seen - vr.avail.next));
	else if (err >= 0)
		PROVE(err == (u16)(vr_swap16(HOW, avail.idx) - vr.avail.next));
}

/* Is the event among the positions of what the driver was not thought of for? */
static bool passed(u16 event, u16 next, u64 n)
{
	return (u16)(event - (u16)(next - n)) < n;
}

static bool is_wanted(void)
{
	if (vr.notify_on_empty && vr.avail.next == vr.avail.seen)
		return true;
	if (!vr.event_idx)
		return !(vr_swap16(HOW, avail.flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return passed(vr_swap16(HOW, avail.used_event), vr.used.next, before.used.unsignalled);
}

static void prove_interrupt(void)
{
	int err;

	begin();
	err = vr_interrupt(&vr);
	PROVE(ring_is_sound());
	PROVE(err == 0 || err == 1 || may_fail(err));
	PROVE(vr.used.unsignalled == (err < 0 ? before.used.unsignalled : 0));
	if (err >= 0)
		PROVE(err == is_wanted());
}

int main(void)
{
	prove_kick_on();
	prove_kick_off();
	prove_pending();
	prove_interrupt();
	return 0;
}
