// SPDX-License-Identifier: GPL-2.0-only
/* A ring whose memory is written by hand. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static const char *wrong(const char *format, ...)
{
	static char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return text;
}

static void *zeroed(size_t align, size_t size)
{
	void *mem = aligned_alloc(align, (size + align - 1) & ~(align - 1));

	if (!mem)
		abort();
	memset(mem, 0, size);
	return mem;
}

/* Memory that is aligned to @align and no more; unskew() is for free(). */
static void *skewed(size_t align, size_t size)
{
	return (char *)zeroed(16, size + align) + align;
}

static void *unskew(void *mem, size_t align)
{
	return mem ? (char *)mem - align : NULL;
}

static int unit_read(void *context, void *to, u64 from, size_t len)
{
	struct unit *u = context;

	if (u->nr_reads < UNIT_READS)
		u->reads[u->nr_reads] = (struct unit_read) { from, len };
	if (++u->nr_reads == u->fail_read)
		return u->read_error;
	return guest_read(&u->guest, to, from, len);
}

u64 unit_features(const struct unit_kind *kind)
{
	u64 features = FEATURE(VIRTIO_RING_F_INDIRECT_DESC);

	if (!kind->big_endian)
		features |= FEATURE(VIRTIO_F_VERSION_1);
	if (kind->event)
		features |= FEATURE(VIRTIO_RING_F_EVENT_IDX);
	if (kind->on_empty)
		features |= FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY);
	return features;
}

void unit_init(struct unit *u, const struct unit_kind *kind, u32 num)
{
	hooks_reset();
	*u = (struct unit) {
		.config.num = num,
		.config.features = unit_features(kind),
		.config.big_endian = kind->big_endian,
		.config.context = u,
		.config.read = unit_read,
		.space = kind->space,
		.swap = kind->big_endian != VR_HOST_BIG_ENDIAN,
		.desc = zeroed(16, num * sizeof(struct vring_desc)),
		.avail = skewed(2, AVAIL_SIZE(num)),
		.used = skewed(4, USED_SIZE(num)),
		.guest.base = TABLE,
	};
	u->at = (struct vr_areas) { u->desc, u->avail, u->used };
	unit_room(u, num);
}

void unit_fini(struct unit *u)
{
	hooks_reset();
	free(u->desc);
	free(unskew(u->avail, 2));
	free(unskew(u->used, 4));
	free(u->guest.mem);
	free(u->chain.segs);
}

int unit_start(struct unit *u, u32 base)
{
	int err;

	u->config.base = base;
	u->offered = unit_get16(u, &u->avail->idx);
	err = vr_init(&u->vr, &u->config);
	if (err)
		return err;
	vr_bind_avail(&u->vr, u->space, &u->at);
	vr_bind_used(&u->vr, u->space, &u->at);
	return vr_start(&u->vr);
}

void unit_room(struct unit *u, u32 max)
{
	free(u->chain.segs);
	u->chain.segs = zeroed(16, max * sizeof(struct vr_seg));
	u->chain.max = max;
}

u16 unit_get16(const struct unit *u, const __virtio16 *p)
{
	return u->swap ? swab16(*p) : *p;
}

u32 unit_get32(const struct unit *u, const __virtio32 *p)
{
	return u->swap ? swab32(*p) : *p;
}

void unit_put16(const struct unit *u, __virtio16 *p, u16 x)
{
	*p = u->swap ? swab16(x) : x;
}

__virtio16 *unit_used_event(const struct unit *u)
{
	return &u->avail->ring[u->config.num];
}

__virtio16 *unit_avail_event(const struct unit *u)
{
	return (__virtio16 *)&u->used->ring[u->config.num];
}

void unit_desc(const struct unit *u, struct vring_desc *at, struct desc desc)
{
	at->addr = u->swap ? swab64(desc.addr) : desc.addr;
	at->len = u->swap ? swab32(desc.len) : desc.len;
	at->flags = u->swap ? swab16(desc.flags) : desc.flags;
	at->next = u->swap ? swab16(desc.next) : desc.next;
}

struct vring_desc *unit_in_table(const struct unit *u, u32 i)
{
	return (struct vring_desc *)u->guest.mem + i;
}

void unit_table(struct unit *u, const struct desc *descs, u32 nr)
{
	u32 i;

	free(u->guest.mem);
	u->guest.size = nr * sizeof(struct vring_desc);
	u->guest.mem = zeroed(16, u->guest.size);
	for (i = 0; descs && i < nr; i++)
		unit_desc(u, unit_in_table(u, i), descs[i]);
}

void unit_offer(struct unit *u, u16 head)
{
	unit_put16(u, &u->avail->ring[u->offered & (u->config.num - 1)], head);
	unit_put16(u, &u->avail->idx, ++u->offered);
}

void unit_chain(struct unit *u, bool indirect, const struct desc *descs, u32 nr)
{
	u32 size = nr * sizeof(struct vring_desc), i;

	if (indirect) {
		unit_table(u, descs, nr);
		unit_desc(u, u->desc, (struct desc) { TABLE, size, INDIRECT, 0 });
	} else {
		for (i = 0; i < nr; i++)
			unit_desc(u, &u->desc[i], descs[i]);
	}
	unit_offer(u, 0);
}

void unit_offer_many(struct unit *u, u32 nr)
{
	while (nr--) {
		u16 head = u->offered & (u->config.num - 1);

		unit_desc(u, &u->desc[head], (struct desc) { 0x1000 * head, 16, WRITE, 0 });
		unit_offer(u, head);
	}
}

int unit_pop(struct unit *u)
{
	u->chain = (struct vr_chain) {
		.segs = u->chain.segs, .max = u->chain.max, .nr_out = ~0U, .nr_in = ~0U,
		.out_len = ~0ULL, .in_len = ~0ULL, .ticket.cookie = ~0U,
	};
	return vr_pop(&u->vr, &u->chain);
}

int unit_push(struct unit *u, u32 len)
{
	struct vr_done done = { u->chain.ticket, len };

	return vr_push(&u->vr, &done, 1);
}

const char *unit_is(const struct unit *u, u32 nr_out, u32 nr_in, const struct vr_seg *segs)
{
	const struct vr_chain *chain = &u->chain;
	u64 len[2] = {};
	u32 i;

	if (chain->nr_out != nr_out || chain->nr_in != nr_in)
		return wrong("%u buffers to read, %u to write", chain->nr_out, chain->nr_in);
	for (i = 0; i < nr_out + nr_in; i++) {
		const struct vr_seg *seg = &chain->segs[i];

		if (seg->addr != segs[i].addr || seg->len != segs[i].len)
			return wrong("buffer %u is %#x bytes at %#llx", i, seg->len, seg->addr);
		len[i >= nr_out] += segs[i].len;
	}
	if (chain->out_len != len[0] || chain->in_len != len[1])
		return wrong("%#llx bytes to read, %#llx to write", chain->out_len, chain->in_len);
	return FINE;
}

const char *unit_good(struct unit *u, u32 nr_out, u32 nr_in, const struct vr_seg *segs)
{
	u16 base = vr_base(&u->vr) + 1;
	int ret = unit_pop(u);

	if (ret != 1)
		return wrong("vr_pop() returned %d, fault %d", ret, u->chain.fault);
	if (vr_base(&u->vr) != base)
		return wrong("the base is %#x", vr_base(&u->vr));
	return unit_is(u, nr_out, nr_in, segs);
}

/* Push the last chain as bad ones are. */
static const char *push_bad(struct unit *u, u16 head)
{
	u16 idx = unit_get16(u, &u->used->idx);
	const struct vring_used_elem *elem = &u->used->ring[idx & (u->config.num - 1)];

	if (unit_push(u, 0))
		return "vr_push() failed";
	if (unit_get16(u, &u->used->idx) != (u16)(idx + 1))
		return "it is not in the used ring";
	if (unit_get32(u, &elem->id) != head || unit_get32(u, &elem->len))
		return "another one is in the used ring";
	return FINE;
}

const char *unit_bad(struct unit *u, u16 head, enum vr_fault fault)
{
	u16 base = vr_base(&u->vr) + 1, last = u->config.num - 1;
	struct vr_seg seg = { 0xabcdef012345, 0x6789 };
	const char *said;
	int ret;

	ret = unit_pop(u);
	if (ret != -EBADMSG)
		return wrong("vr_pop() returned %d", ret);
	if (u->chain.fault != fault)
		return wrong("the fault is %d", u->chain.fault);
	if (vr_base(&u->vr) != base)
		return "it was not taken";
	said = push_bad(u, head);
	if (*said)
		return said;

	unit_desc(u, &u->desc[last], (struct desc) { seg.addr, seg.len, WRITE, 0 });
	unit_offer(u, last);
	said = unit_good(u, 0, 1, &seg);
	if (*said)
		return wrong("the next chain does not come: %s", said);
	return push_bad(u, last);
}

const char *unit_broken(struct unit *u, enum vr_fault fault)
{
	struct vr before = u->vr;
	const char *said;
	int i, ret;

	for (i = 0; i < 3; i++) {
		u->chain.fault = VR_NO_FAULT;
		ret = unit_pop(u);
		if (ret != -EPROTO)
			return wrong("vr_pop() returned %d", ret);
		if (u->chain.fault != fault)
			return wrong("the fault is %d", u->chain.fault);
		said = unit_only_looked(&before, &u->vr);
		if (*said)
			return said;
	}
	return FINE;
}

/* As nobody writes to the padding, which was zero. */
static bool same(const void *a, const void *b, size_t size)
{
	return !memcmp(a, b, size);
}

const char *unit_unchanged(const struct vr *before, const struct vr *vr)
{
	return same(before, vr, sizeof(*vr)) ? FINE : "struct vr has changed";
}

const char *unit_only_looked(const struct vr *before, const struct vr *vr)
{
	struct vr expected;

	memcpy(&expected, before, sizeof(expected));
	expected.avail.seen = vr->avail.seen;
	expected.avail.returned = vr->avail.returned;
	return unit_unchanged(&expected, vr);
}

/* One failure after the other; the last word is that of an @op without one. */
static const char *sweep(struct unit *u, int (*op)(struct unit *u), int result, bool again)
{
	const char *said;
	struct vr before;
	u32 n;
	int ret;

	for (n = 1;; n++) {
		memcpy(&before, &u->vr, sizeof(before));
		hooks.accesses = 0;
		hooks.fail = n;
		ret = op(u);
		if (hooks.accesses < n)
			break;
		if (ret != -EFAULT)
			return wrong("access %u: returned %d", n, ret);
		if (hooks.accesses > n)
			return wrong("access %u: went on", n);
		said = op == unit_pop ? unit_only_looked(&before, &u->vr) :
					unit_unchanged(&before, &u->vr);
		if (*said)
			return wrong("access %u: %s", n, said);
		if (again)
			memcpy(&u->vr, &before, sizeof(before));
	}
	hooks.fail = 0;
	if (again)
		memcpy(&u->vr, &before, sizeof(before));
	if (ret != result)
		return wrong("without a failure: returned %d", ret);
	if (u->space == VR_KERNEL ? n > 1 : n == 1)
		return wrong("%u accesses failed", n - 1);
	return FINE;
}

const char *unit_sweep(struct unit *u, int (*op)(struct unit *u), int result)
{
	const char *said = sweep(u, op, result, true);

	return *said ? said : sweep(u, op, result, false);
}

const char *unit_loaded(const void *mem, size_t size, const void *from, size_t len)
{
	const char *byte = mem;

	for (; size--; byte++) {
		bool inside = (uintptr_t)byte - (uintptr_t)from < len;

		if (hooks_loads(byte) != inside)
			return wrong("byte %zu was loaded %u times",
				     (size_t)(byte - (const char *)mem), hooks_loads(byte));
	}
	return FINE;
}
