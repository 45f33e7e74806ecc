// SPDX-License-Identifier: GPL-2.0-only
/* A ring in any state, a driver that writes anything, and what comes of them. */

#include "proof.h"

#define MAX	4

struct vring_desc desc[NUM];
struct proof_avail avail;
struct proof_used used, used_before_idx;
struct vr vr;

static struct vr_seg segs[MAX];	/* the caller's room is the end of it */

/* The descriptors that were loaded, as they were then. */
static struct {
	u32 at;
	struct vr_desc desc;
} visits[MAX + 1];
static u32 nr_visits, most_direct;

/* The other side goes on meanwhile, as far as it can. */
static void give_back_some(void)
{
	u16 n = nondet_u16();

	ASSUME(n <= (u16)(vr.avail.next - vr.used.next));
	vr.used.next += n;
}

/* All words of a descriptor have been loaded. */
static void end_visit(void)
{
	if (nr_visits)
		visits[nr_visits - 1].desc = vr_decode(HOW, &desc[visits[nr_visits - 1].at]);
}

/* The first word of a descriptor is loaded, or all are at once. */
static void begin_visit(u32 at)
{
	end_visit();
	visits[nr_visits++].at = at;
}

/* Not too long a way to a table. */
static void end_soon(u16 flags)
{
	ASSUME(nr_visits <= most_direct || flags & VRING_DESC_F_INDIRECT ||
	       !(flags & VRING_DESC_F_NEXT));
}

void vr_hook_load(const void *from, size_t size)
{
	u32 at = __CPROVER_POINTER_OFFSET(from) / sizeof(*desc);

	if (from == &vr.used.next)
		give_back_some();
	if (__CPROVER_same_object(from, &vr))
		return;

	if (size == sizeof(u64) || size == sizeof(*desc))
		begin_visit(at);
	if (size == sizeof(u16))
		*(u16 *)from = nondet_u16();
	else if (size == sizeof(u32))
		*(u32 *)from = nondet_u32();
	else if (size == sizeof(u64))
		*(u64 *)from = nondet_u64();
	else
		__CPROVER_havoc_slice((void *)from, sizeof(*desc));
	if (__CPROVER_same_object(from, desc) &&
	    (size == sizeof(*desc) || from == &desc[at].flags))
		end_soon(vr_swap16(HOW, desc[at].flags));
}

bool vr_hook_fault(const void *at, size_t size)
{
	if (at == &used.idx)
		used_before_idx = used;
	return nondet_bool();
}

/* As struct vr_config.read: reads any part of the table, and nothing else. */
static int read_table(void *context, void *to, u64 from, size_t len)
{
	const struct vr_desc *table = &visits[nr_visits - 1].desc;
	u32 offset;

	end_visit();
	offset = from - table->addr;	/* no table has 4 GB */

	PROVE(offset <= table->len && len <= table->len - offset);
	PROVE(!(offset % sizeof(struct vring_desc)) && !(len % sizeof(struct vring_desc)));
	PROVE(len && __CPROVER_w_ok(to, len));
	__CPROVER_havoc_object(to);
	return nondet_bool() ? 0 : nondet_bool() ? -EFAULT : -EAGAIN;
}

bool ring_is_sound(void)
{
	u16 returned = vr.avail.returned;
	u16 given = vr.used.next - returned;
	u16 taken = vr.avail.next - returned;
	u16 seen = vr.avail.seen - returned;

	return given <= taken && taken <= seen && seen <= NUM;
}

void any_start(void)
{
	struct vr_config config = {
		.num = NUM,
		.base = nondet_u16(),
		.features = nondet_u64(),
		.big_endian = SWAPPED,
		.read = read_table,
	};
	struct vr_areas at = { desc, (void *)&avail, (void *)&used };

	if (SWAPPED)
		config.features &= ~(1ULL << VIRTIO_F_VERSION_1);
	ASSUME(!vr_init(&vr, &config));
	vr_bind_avail(&vr, SPACE, &at);
	vr_bind_used(&vr, SPACE, &at);
	__CPROVER_havoc_object(&used);
}

void any_ring(void)
{
	any_start();
	vr.avail.seen = nondet_u16();
	vr.avail.returned = nondet_u16();
	vr.used.next = nondet_u16();
	vr.used.unsignalled = nondet_u64();
	ASSUME(ring_is_sound());
}

/* Is @len that of @n buffers from number @first on? Added in the order of split.c. */
static bool is_sum(u64 len, const struct vr_seg *s, u32 first, u32 n)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < MAX; i++)
		if (i >= first && i < first + n)
			sum += s[i].len;
	return len == sum;
}

static void prove_lengths(const struct vr_chain *chain)
{
	PROVE(chain->nr_out + chain->nr_in >= 1);
	PROVE(chain->nr_out + chain->nr_in <= chain->max);
	PROVE(is_sum(chain->out_len, chain->segs, 0, chain->nr_out));
	PROVE(is_sum(chain->in_len, chain->segs, chain->nr_out, chain->nr_in));
}

void prove_pop(u32 max, u32 direct)
{
	struct vr_chain chain = { .max = nondet_u32() };
	struct vr before = vr;
	int err;

	ASSUME(chain.max >= 1 && chain.max <= max);
	chain.segs = segs + MAX - chain.max;
	most_direct = direct;
	err = vr_pop(&vr, &chain);

	PROVE(ring_is_sound());
	PROVE(vr.avail.next == (u16)(before.avail.next + (err == 1 || err == -EBADMSG)));
	PROVE(err == 1 || !err || err == -EBADMSG || err == -EPROTO || err == -EAGAIN ||
	      (MAY_FAULT && err == -EFAULT));
	if (err == 1)
		prove_lengths(&chain);
	if (err == 1 || err == -EBADMSG)
		PROVE(chain.ticket.cookie < NUM);
	if (err == -EBADMSG)
		PROVE(chain.fault > VR_NO_FAULT && chain.fault < VR_BAD_INDEX);
	if (err == -EPROTO)
		PROVE(chain.fault == VR_BAD_INDEX || chain.fault == VR_BAD_HEAD);
	if (!err)
		PROVE(vr.avail.seen == vr.avail.next);
}

void prove_chain(void)
{
	struct vr_chain chain = { .segs = segs, .max = MAX };
	u16 position = vr.avail.next;
	u32 n, i;

	most_direct = MAX;
	ASSUME(vr_pop(&vr, &chain) == 1);
	end_visit();
	n = chain.nr_out + chain.nr_in;
	PROVE(visits[0].at == vr_swap16(HOW, avail.ring[position % NUM]));
	PROVE(visits[0].at == chain.ticket.cookie);
	for (i = 0; i < MAX; i++) {
		const struct vr_desc *d = &visits[i].desc;

		if (i >= n)
			break;
		PROVE(segs[i].addr == d->addr && segs[i].len == d->len);
		PROVE(!(d->flags & VRING_DESC_F_WRITE) == (i < chain.nr_out));
		PROVE(!(d->flags & VRING_DESC_F_NEXT) == (i + 1 == n));
		PROVE(i + 1 == n || visits[i + 1].at == d->next);
	}
}
