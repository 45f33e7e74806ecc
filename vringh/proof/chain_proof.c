// SPDX-License-Identifier: GPL-2.0-only
/* A chain without a table is told by vr_pop() as the driver wrote it. */
/* cbmc: --unwindset split_walk.0:5 */
/* with: -DSPACE=VR_KERNEL */
/* with: -DSPACE=VR_USER -DSWAPPED=true */
/* weaken: order: /split_walk(struct/,/^}/s/i = desc.next/i++/ */
/* weaken: kind: s/walk->writes = VRING_DESC_F_WRITE/walk->writes = 0/ */

#include "proof.h"

int main(void)
{
	any_ring();
	vr.indirect = false;
	prove_chain();
	return 0;
}
