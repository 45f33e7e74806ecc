// SPDX-License-Identifier: GPL-2.0-only
/*
 * vr_pop(), whatever the driver writes: it ends, stays within the memory of the ring
 * and of its caller, tells what it says it does, and leaves a sound ring.
 */
/* cbmc: --unwindset split_walk.0:5 */
/* with: -DSPACE=VR_KERNEL */
/* with: -DSPACE=VR_USER -DSWAPPED=true */
/* weaken: room: s/walk->n == chain->max/false/ */
/* weaken: next: s/desc.next >= vr->num/desc.next > vr->num/ */
/* weaken: head: s/head >= vr->num/head > vr->num/ */
/* weaken: in flight: s/return broken(chain, VR_BAD_INDEX)/offered = 1/ */
/* weaken: position: s/vr->avail.next + 1/vr->avail.next + 2/ */

#include "proof.h"

int main(void)
{
	any_ring();
	vr.indirect = false;	/* for table_proof.c */
	prove_pop(4, NUM);
	return 0;
}
