// SPDX-License-Identifier: GPL-2.0-only
/* vr_init() takes what a ring can be and nothing else; vr_start() makes it sound. */
/* with: -DSPACE=VR_KERNEL */
/* with: -DSPACE=VR_USER -DSWAPPED=true */
/* weaken: base: s/(u16)(vr->avail.next - idx) > vr->num/false/ */
/* weaken: first interrupt: s/u->unsignalled = VR_UNKNOWN/u->unsignalled = 0/ */
/* weaken: size: s/config->num > 32768/false/ */

#include "proof.h"

static void prove_init(void)
{
	struct vr_config config = {
		.num = nondet_u32(),
		.base = nondet_u32(),
		.features = nondet_u64(),
		.big_endian = nondet_bool(),
	};
	bool known = !(config.features >> VIRTIO_F_RING_PACKED & 1) &&
		!(config.features >> VIRTIO_F_IN_ORDER & 1);
	u32 exponent = nondet_u32();
	int err;

	err = vr_init(&vr, &config);
	PROVE(known || err == -EOPNOTSUPP);
	PROVE(!err || err == (known ? -EINVAL : -EOPNOTSUPP));
	if (known && config.base < 65536 && exponent < 16 && config.num == 1U << exponent)
		PROVE(!err);
	if (!err) {
		PROVE(vr.num && !(vr.num & vr.mask) && vr.mask == vr.num - 1);
		PROVE(vr.num == config.num && vr.num <= 32768);
		PROVE(vr_base(&vr) == config.base);
	}
}

static void prove_start(void)
{
	struct proof_used used_before;
	struct vr before;
	u16 in_flight;
	int err;

	any_start();
	before = vr;
	used_before = used;
	err = vr_start(&vr);

	PROVE(err == 0 || err == -EPROTO || (MAY_FAULT && err == -EFAULT));
	PROVE(vr_base(&vr) == vr_base(&before));
	PROVE(used.avail_event == used_before.avail_event);
	in_flight = vr.avail.next - vr_swap16(HOW, used.idx);
	if (!err) {
		PROVE(ring_is_sound());
		PROVE(vr.used.next == vr_swap16(HOW, used.idx));
		PROVE(vr.used.unsignalled > U16_MAX);
		PROVE(!used.flags);
	} else {
		PROVE(vr.used.next == before.used.next);
		PROVE(used.flags == used_before.flags);
	}
	if (err != -EFAULT)
		PROVE(err == (in_flight <= NUM ? 0 : -EPROTO));
}

int main(void)
{
	prove_init();
	prove_start();
	return 0;
}
