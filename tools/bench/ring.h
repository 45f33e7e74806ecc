/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The leanest driver there is, for a device that a ring leads to: requests are
 * written beforehand, so that what it costs is next to nothing. Virtio 1.3, 2.7.
 */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "../macros.h"
#include "load.h"

/* Memory of the guest, which has it at 0: of one queue, the next one's is behind it. */
struct ring {
	const struct load *load;
	char *mem;
	__u32 num;
	__u32 pieces;	/* that the data of a request is in: a descriptor for each */
	__u32 chain;	/* descriptors of a request */
	struct vring vring;
	struct vring_desc *tables;	/* those of a request, if they are not in the ring */
	struct ring_request *requests;
	__u64 data;	/* the guest's address of the buffers */
	__u16 added, shown, taken;
	int kick, call;	/* eventfds */
};

/* The guest: one for all lanes. */
struct guest {
	int memfd;
	char *mem;
	size_t size;
	struct ring *rings;
};

#define RING_FEATURES	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | \
			 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC))

/* Memory, rings and eventfds; NULL, or what went wrong. */
const char *ring_make_guest(const struct load *load);
const struct guest *ring_guest(void);
struct vhost_vring_addr ring_addresses(__u32 index);

/* Of struct target. */
const char *ring_start(struct lane *lane);
void ring_add(struct lane *lane, unsigned int slot, bool write, __u64 offset);
const char *ring_go(struct lane *lane, unsigned int done);
int ring_take(struct lane *lane, bool *ok);

#endif
