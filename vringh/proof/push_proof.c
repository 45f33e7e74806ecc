// SPDX-License-Identifier: GPL-2.0-only
/*
 * vr_push() writes as many elements as it is given, then the index, and nothing
 * else; if it fails, the driver sees no change, and the ring has none.
 */
/* with: -DSPACE=VR_USER -DSWAPPED=true */
/* with: -DSPACE=VR_KERNEL */
/* weaken: place: s/(old + i) & vr->mask/(old + i) \& vr->num/ */
/* weaken: element: s/done\[i\].len/done[0].len/ */
/* weaken: failure: s/WRITE_ONCE(u->next, old)/(void)0/ */

#include "proof.h"

static struct vr_done done[NUM];

static bool is_done(const struct vring_used_elem *elem, const struct vr_done *d)
{
	return vr_swap32(HOW, elem->id) == d->ticket.cookie &&
		vr_swap32(HOW, elem->len) == d->len;
}

static bool same(const struct vring_used_elem *a, const struct vring_used_elem *b)
{
	return a->id == b->id && a->len == b->len;
}

int main(void)
{
	struct proof_used used_before;
	u32 n = nondet_u32(), i, at;
	struct vr before;
	int err;

	any_ring();
	__CPROVER_havoc_object(done);
	ASSUME(n <= (u16)(vr.avail.next - vr.used.next));
	before = vr;
	used_before = used;
	err = vr_push(&vr, done, n);

	PROVE(ring_is_sound());
	PROVE(!err || (MAY_FAULT && err == -EFAULT));
	PROVE(vr.used.next == (u16)(before.used.next + (err ? 0 : n)));
	PROVE(vr.used.unsignalled == before.used.unsignalled + (err ? 0 : n));
	PROVE(vr.avail.next == before.avail.next && vr.avail.seen == before.avail.seen);
	PROVE(used.flags == used_before.flags && used.avail_event == used_before.avail_event);
	PROVE(err ? used.idx == used_before.idx : vr_swap16(HOW, used.idx) == vr.used.next);
	for (i = 0; i < NUM; i++) {
		at = (before.used.next + i) % NUM;
		PROVE(i < n || same(&used.ring[at], &used_before.ring[at]));
		PROVE(i >= n || err || is_done(&used.ring[at], &done[i]));
		if (MAY_FAULT)
			PROVE(i >= n || err || is_done(&used_before_idx.ring[at], &done[i]));
	}
	return 0;
}
