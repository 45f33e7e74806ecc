// SPDX-License-Identifier: GPL-2.0-only
/* What is the same for rings of every layout. */

#include "env.h"
#include "vring.h"

static bool has(u64 features, unsigned int bit)
{
	return features >> bit & 1;
}

/**
 * vr_init() - Make a ring what it is to be
 * @vr: To be filled in.
 * @config: What it is to be.
 *
 * Touches no memory of the driver. Bind both sides, then call vr_start().
 *
 * Return: 0; -EINVAL for a number of descriptors or a base that no ring has;
 * -EOPNOTSUPP for a feature that changes the layout and is not known here.
 */
int vr_init(struct vr *vr, const struct vr_config *config)
{
	u64 features = config->features;
	bool big_endian = config->big_endian && !has(features, VIRTIO_F_VERSION_1);

	if (has(features, VIRTIO_F_RING_PACKED) || has(features, VIRTIO_F_IN_ORDER))
		return -EOPNOTSUPP;
	if (!is_power_of_2(config->num) || config->num > 32768 || config->base > U16_MAX)
		return -EINVAL;

	*vr = (struct vr) {
		.num = config->num,
		.mask = config->num - 1,
		.swap = big_endian != VR_HOST_BIG_ENDIAN,
		.indirect = has(features, VIRTIO_RING_F_INDIRECT_DESC),
		.event_idx = has(features, VIRTIO_RING_F_EVENT_IDX),
		.notify_on_empty = has(features, VIRTIO_F_NOTIFY_ON_EMPTY),
		.context = config->context,
		.read = config->read,
		.avail.next = config->base,
		.avail.seen = config->base,
	};
	return 0;
}

/**
 * vr_bind_avail() - Say how the avail side reaches the ring from now on
 * @vr: A ring after vr_init().
 * @space: Which kind of addresses @at has.
 * @at: Where the parts of the ring are.
 */
void vr_bind_avail(struct vr *vr, enum vr_space space, const struct vr_areas *at)
{
	vr->avail.ops = vr_split_ops(space, vr->swap);
	vr->avail.at = *at;
}

/**
 * vr_bind_used() - Say how the used side reaches the ring from now on
 * @vr: A ring after vr_init().
 * @space: Which kind of addresses @at has.
 * @at: Where the parts of the ring are.
 */
void vr_bind_used(struct vr *vr, enum vr_space space, const struct vr_areas *at)
{
	vr->used.ops = vr_split_ops(space, vr->swap);
	vr->used.at = *at;
}

/**
 * vr_base() - Where a ring with the same memory would go on
 * @vr: A ring after vr_init().
 *
 * What VHOST_GET_VRING_BASE tells. Chains that were taken and not given back are
 * not taken again.
 *
 * Return: A base for struct vr_config.
 */
u32 vr_base(const struct vr *vr)
{
	return vr->avail.next;
}
