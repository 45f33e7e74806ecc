/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The leanest driver there is, for a device that a ring leads to: requests are
 * written beforehand, so that what it costs is next to nothing. Virtio 1.3, 2.7.
 */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "../macros.h"
#include "load.h"

/* Memory of the guest, which has it at 0: of one queue, the next one's is behind it. */
struct ring {
	const struct load *load;
	char *mem;
	size_t size;
	__u32 num;
	struct vring vring;
	struct ring_request *requests;
	__u16 added, shown, taken;
	int kick, call;	/* eventfds */
};

/* A guest for all lanes. */
struct guest {
	int memfd;
	char *mem;
	size_t size;
	struct ring *rings;
};

#define RING_FEATURES	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | \
			 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC))

/* Memory, rings and eventfds; NULL, or what went wrong. */
const char *ring_make_guest(struct guest *guest, const struct load *load);

/* Of struct target. */
void ring_add(struct lane *lane, unsigned int slot, bool write, __u64 offset);
const char *ring_go(struct lane *lane, unsigned int done);
int ring_take(struct lane *lane, bool *ok);

#endif
