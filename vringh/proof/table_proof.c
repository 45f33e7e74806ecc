// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same for chains that go on in a table, or begin there; it is read only
 * where it is.
 */
/* cbmc: --unwindset split_walk.0:2,split_walk_table.0:4 */
/* with: -DSPACE=VR_KERNEL */
/* weaken: size: s/table->len % sizeof(struct vring_desc)/false/ */
/* weaken: next: s/desc.next >= size/false/ */
/* weaken: window: s/size - first, VR_WINDOW/size, VR_WINDOW/ */

#include "proof.h"

int main(void)
{
	any_ring();
	prove_pop(3, 1);
	return 0;
}
