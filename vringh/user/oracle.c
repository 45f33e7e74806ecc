// SPDX-License-Identifier: GPL-2.0-only
/* What a ring has to do. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "oracle.h"

#define BIT(n)	(1U << (n))

/* 2.7.5, 2.7.6 and 2.7.8, 2.7.9: what is where. */
#define DESC_SIZE	16
#define FLAGS_AT	0
#define IDX_AT		2
#define RING_AT		4
#define AVAIL_ELEM	2
#define USED_ELEM	8

#define NEXT		1
#define WRITE		2
#define INDIRECT	4

int oracle_plain_load(void *context, void *to, enum oracle_part part, u64 from, size_t size)
{
	const struct oracle_plain *plain = context;

	if (part == ORACLE_GUEST) {
		if (!oracle_plain_has(context, from, size))
			return -EFAULT;
		from -= plain->base;
	}
	memcpy(to, plain->part[part] + from, size);
	return 0;
}

bool oracle_plain_has(void *context, u64 from, u64 size)
{
	const struct oracle_plain *plain = context;

	return from >= plain->base && from - plain->base <= plain->size &&
	       size <= plain->size - (from - plain->base);
}

/* A word of the ring: little-endian, but for legacy rings of such guests. */
static u64 word(const struct oracle *o, const u8 *bytes, size_t size)
{
	u64 x = 0;
	size_t i;

	for (i = 0; i < size; i++)
		x = x << 8 | bytes[o->big_endian ? i : size - 1 - i];
	return x;
}

static void put_word(const struct oracle *o, u8 *bytes, size_t size, u64 x)
{
	size_t i;

	for (i = 0; i < size; i++, x >>= 8)
		bytes[o->big_endian ? size - 1 - i : i] = (u8)x;
}

static int load16(const struct oracle *o, const struct oracle_memory *memory,
		  enum oracle_part part, u64 from, u16 *x)
{
	u8 bytes[2];
	int err;

	err = memory->load(memory->context, bytes, part, from, sizeof(bytes));
	if (!err)
		*x = (u16)word(o, bytes, sizeof(bytes));
	return err;
}

size_t oracle_used_size(u32 num)
{
	return RING_AT + (size_t)USED_ELEM * num + 2;
}

int oracle_init(struct oracle *o, const struct vr_config *config, void *used)
{
	u64 f = config->features;
	u32 num;

	if (f & (1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_F_IN_ORDER))
		return -EOPNOTSUPP;
	for (num = 1; num < config->num && num < 32768; num *= 2)
		;
	if (num != config->num || config->base >= 65536)
		return -EINVAL;

	*o = (struct oracle) {
		.num = num,
		.big_endian = config->big_endian && !(f & 1ULL << VIRTIO_F_VERSION_1),
		.indirect = f & 1ULL << VIRTIO_RING_F_INDIRECT_DESC,
		.event_idx = f & 1ULL << VIRTIO_RING_F_EVENT_IDX,
		.notify_on_empty = f & 1ULL << VIRTIO_F_NOTIFY_ON_EMPTY,
		.taken = 65536 + config->base,	/* so that what was given back is no less than 0 */
		.seen = 65536 + config->base,
		.used = used,
	};
	return 0;
}

int oracle_start(struct oracle *o, const struct oracle_memory *memory)
{
	u16 idx, lag;
	int err;

	err = load16(o, memory, ORACLE_USED, IDX_AT, &idx);
	if (err)
		return err;
	lag = (u16)((u16)o->taken - idx);
	if (lag > o->num)
		return -EPROTO;
	o->given = o->taken - lag;
	put_word(o, o->used + FLAGS_AT, 2, 0);
	o->told = o->given;
	o->first = true;
	return 0;
}

u32 oracle_base(const struct oracle *o)
{
	return o->taken % 65536;
}

/* Is the table that @v describes one to go on with? */
static u32 table_faults(const struct oracle *o, const struct oracle_visit *v)
{
	u32 faults = 0;

	if (v->nested)
		faults |= BIT(VR_NESTED);
	if (!o->indirect)
		faults |= BIT(VR_NOT_AGREED);
	if (v->flags & NEXT)
		faults |= BIT(VR_NOT_LAST);
	if (v->len < DESC_SIZE || v->len % DESC_SIZE || v->len > 65536 * DESC_SIZE ||
	    v->addr >= -(u64)v->len)	/* where it ends is an address, too */
		faults |= BIT(VR_BAD_TABLE);
	return faults;
}

/* Which table a walk is in. */
struct table {
	enum oracle_part part;
	u64 at;
	u32 size;
};

static int visit(const struct oracle *o, const struct oracle_memory *memory,
		 const struct table *table, u32 i, struct oracle_visit *v)
{
	u8 bytes[DESC_SIZE];
	int err;

	err = memory->load(memory->context, bytes, table->part, table->at + (u64)i * DESC_SIZE,
			   sizeof(bytes));
	if (err)
		return err;
	*v = (struct oracle_visit) {
		.addr = word(o, bytes, 8),
		.len = (u32)word(o, bytes + 8, 4),
		.flags = (u16)word(o, bytes + 12, 2),
		.next = (u16)word(o, bytes + 14, 2),
		.size = table->size,
		.nested = table->part == ORACLE_GUEST,
	};
	return 0;
}

/*
 * Follow a chain as far as it leads, but for what no rule needs to know: where an
 * index leads out of a table, where a table may not be, beyond more buffers than
 * there may be.
 */
static int collect(const struct oracle *o, const struct oracle_memory *memory, u32 max,
		   struct oracle_chain *chain)
{
	struct table table = { .part = ORACLE_DESC, .size = o->num };
	u32 i = chain->head, buffers = 0;
	struct oracle_visit *v;
	int err;

	for (chain->nr = 0; i < table.size && buffers <= max; chain->nr++) {
		v = &chain->visit[chain->nr];
		err = visit(o, memory, &table, i, v);
		if (err == -EFAULT && table.part == ORACLE_GUEST) {
			chain->faults |= BIT(VR_NO_TABLE);
			return 0;
		}
		if (err)
			return err;
		if (v->flags & INDIRECT) {
			if (table_faults(o, v)) {
				chain->nr++;
				return 0;
			}
			table = (struct table){ ORACLE_GUEST, v->addr, v->len / DESC_SIZE };
			chain->may_refuse = !memory->has(memory->context, v->addr, v->len);
			i = 0;
			continue;
		}
		buffers++;
		i = v->flags & NEXT ? v->next : U32_MAX;
	}
	return 0;
}

static bool is_buffer(const struct oracle_visit *v)
{
	return !(v->flags & INDIRECT);
}

/* 2.7.5: next is an index of the table. */
static u32 check_next(const struct oracle_chain *chain)
{
	const struct oracle_visit *v;

	for (v = chain->visit; v < chain->visit + chain->nr; v++)
		if (is_buffer(v) && v->flags & NEXT && v->next >= v->size)
			return BIT(VR_BAD_NEXT);
	return 0;
}

/* 2.7.5.2, 2.7.5.3.1: a chain is no longer than agreed. */
static u32 check_length(const struct oracle_chain *chain, u32 max)
{
	const struct oracle_visit *v;
	u32 buffers = 0;

	for (v = chain->visit; v < chain->visit + chain->nr; v++)
		buffers += is_buffer(v);
	return buffers > max ? BIT(VR_TOO_LONG) : 0;
}

/* 2.7.4.2: what the device writes is after what it reads. */
static u32 check_order(const struct oracle_chain *chain)
{
	const struct oracle_visit *v, *w;

	for (v = chain->visit; v < chain->visit + chain->nr; v++)
		if (is_buffer(v) && v->flags & WRITE)
			break;
	for (w = v; w < chain->visit + chain->nr; w++)
		if (is_buffer(w) && !(w->flags & WRITE))
			return BIT(VR_BAD_ORDER);
	return 0;
}

/* 2.7.5.3.1: tables are as they have to be. */
static u32 check_tables(const struct oracle *o, const struct oracle_chain *chain)
{
	const struct oracle_visit *v;
	u32 faults = 0;

	for (v = chain->visit; v < chain->visit + chain->nr; v++)
		if (!is_buffer(v))
			faults |= table_faults(o, v);
	return faults;
}

/* Count what is offered. There are no more chains on their way than descriptors. */
static int look(struct oracle *o, const struct oracle_memory *memory, struct oracle_chain *chain)
{
	u64 offered;
	u16 idx;
	int err;

	if (o->seen > o->taken)
		return 0;
	err = load16(o, memory, ORACLE_AVAIL, IDX_AT, &idx);
	if (err)
		return err;
	offered = o->taken + (u16)(idx - (u16)o->taken);
	if (offered - o->given > o->num) {
		chain->faults = BIT(VR_BAD_INDEX);
		return -EPROTO;
	}
	o->seen = offered;
	return 0;
}

int oracle_pop(struct oracle *o, const struct oracle_memory *memory, u32 max,
	       struct oracle_chain *chain)
{
	u16 head;
	int err;

	chain->nr = 0;
	chain->faults = 0;
	chain->may_refuse = false;
	err = look(o, memory, chain);
	if (err || o->seen == o->taken)
		return err;

	err = load16(o, memory, ORACLE_AVAIL, RING_AT + AVAIL_ELEM * (o->taken % o->num), &head);
	if (err)
		return err;
	chain->head = head;
	if (head >= o->num) {
		chain->faults = BIT(VR_BAD_HEAD);
		return -EPROTO;
	}

	err = collect(o, memory, max, chain);
	chain->faults |= check_next(chain) | check_length(chain, max) | check_order(chain) |
			 check_tables(o, chain);
	if (chain->faults)
		err = -EBADMSG;
	if (!err || err == -EBADMSG)
		o->taken++;
	return err ? err : 1;
}

/* Does the driver offer more than was seen? */
static int news(const struct oracle *o, const struct oracle_memory *memory)
{
	u16 idx;
	int err;

	err = load16(o, memory, ORACLE_AVAIL, IDX_AT, &idx);
	return err ? err : idx != o->seen % 65536;
}

int oracle_pending(const struct oracle *o, const struct oracle_memory *memory)
{
	u16 idx;
	int err;

	if (o->seen > o->taken)
		return (int)(o->seen - o->taken);
	err = load16(o, memory, ORACLE_AVAIL, IDX_AT, &idx);
	return err ? err : (u16)(idx - o->taken % 65536);
}

/* 2.7.7.1, 2.7.10.1 */
int oracle_kick_on(struct oracle *o, const struct oracle_memory *memory)
{
	if (o->event_idx)
		put_word(o, o->used + RING_AT + USED_ELEM * o->num, 2, o->seen % 65536);
	else
		put_word(o, o->used + FLAGS_AT, 2, 0);
	return news(o, memory);
}

int oracle_kick_off(struct oracle *o)
{
	if (!o->event_idx)
		put_word(o, o->used + FLAGS_AT, 2, 1);
	return 0;
}

/* 2.7.8 */
int oracle_push(struct oracle *o, const struct oracle_done *done, u32 n)
{
	u8 *elem;

	for (; n; n--, done++, o->given++) {
		elem = o->used + RING_AT + USED_ELEM * (o->given % o->num);
		put_word(o, elem, 4, done->head);
		put_word(o, elem + 4, 4, done->len);
	}
	put_word(o, o->used + IDX_AT, 2, o->given % 65536);
	return 0;
}

/* 2.7.7.2: was what the driver waits for given back since it was last told? */
static int crossed(const struct oracle *o, const struct oracle_memory *memory)
{
	u64 event;
	u16 x;
	int err;

	err = load16(o, memory, ORACLE_AVAIL, RING_AT + AVAIL_ELEM * o->num, &x);
	if (err)
		return err;
	event = o->told + (u16)(x - (u16)o->told);	/* the first such after that */
	return event < o->given;
}

static int wanted(const struct oracle *o, const struct oracle_memory *memory)
{
	u16 flags;
	int err;

	if (o->notify_on_empty && o->taken == o->seen)
		return 1;
	if (o->event_idx)
		return o->first ? 1 : crossed(o, memory);
	err = load16(o, memory, ORACLE_AVAIL, FLAGS_AT, &flags);
	return err ? err : !(flags & 1);
}

int oracle_interrupt(struct oracle *o, const struct oracle_memory *memory)
{
	int ret = wanted(o, memory);

	if (ret >= 0) {
		o->told = o->given;
		o->first = false;
	}
	return ret;
}

static const char *disagrees_on_buffers(const struct oracle_chain *chain,
					const struct vr_chain *got)
{
	const struct oracle_visit *v;
	u64 out_len = 0, in_len = 0;
	u32 n = 0, nr_out = 0;

	for (v = chain->visit; v < chain->visit + chain->nr; v++) {
		if (!is_buffer(v))
			continue;
		if (got->segs[n].addr != v->addr || got->segs[n].len != v->len)
			return "a buffer";
		n++;
		nr_out += !(v->flags & WRITE);
		*(v->flags & WRITE ? &in_len : &out_len) += v->len;
	}
	if (got->nr_out != nr_out || got->nr_in != n - nr_out)
		return "the number of buffers";
	if (got->out_len != out_len || got->in_len != in_len)
		return "the length of buffers";
	return NULL;
}

const char *oracle_disagrees(int want, const struct oracle_chain *chain,
			     int ret, const struct vr_chain *got)
{
	bool bad = ret == -EBADMSG || ret == -EPROTO;

	if (ret == -EBADMSG && chain->may_refuse && got->fault == VR_NO_TABLE)
		return NULL;
	if (want != ret)
		return "what is returned";
	if (bad && !(chain->faults & BIT(got->fault)))
		return "why it was refused";
	return ret == 1 ? disagrees_on_buffers(chain, got) : NULL;
}

static void dump_visit(const char *name, u32 i, const struct oracle_visit *v)
{
	fprintf(stderr, "  %s %u: addr %#llx len %#x flags %#x next %u\n", name, i,
		(unsigned long long)v->addr, v->len, v->flags, v->next);
}

static void dump_word(const struct oracle *o, const struct oracle_memory *memory,
		      const char *name, enum oracle_part part, u64 from)
{
	u16 x;

	if (!load16(o, memory, part, from, &x))
		fprintf(stderr, "  %s %u\n", name, x);
}

void oracle_dump(const struct oracle *o, const struct oracle_memory *memory,
		 const struct oracle_chain *chain)
{
	struct table table = { .part = ORACLE_DESC, .size = o->num };
	struct oracle_visit v;
	u32 i;

	fprintf(stderr, "ring of %u, %s-endian%s%s%s\n",
		o->num, o->big_endian ? "big" : "little", o->indirect ? ", indirect" : "",
		o->event_idx ? ", event_idx" : "", o->notify_on_empty ? ", notify_on_empty" : "");
	fprintf(stderr, "taken %llu, seen %llu, given %llu, told %llu\n",
		(unsigned long long)o->taken, (unsigned long long)o->seen,
		(unsigned long long)o->given, (unsigned long long)o->told);
	dump_word(o, memory, "avail flags", ORACLE_AVAIL, FLAGS_AT);
	dump_word(o, memory, "avail idx", ORACLE_AVAIL, IDX_AT);
	for (i = 0; i < o->num && i < 16; i++)
		dump_word(o, memory, "avail ring", ORACLE_AVAIL, RING_AT + AVAIL_ELEM * i);
	dump_word(o, memory, "used event", ORACLE_AVAIL, RING_AT + AVAIL_ELEM * o->num);
	dump_word(o, memory, "used idx", ORACLE_USED, IDX_AT);
	for (i = 0; i < o->num && i < 16; i++)
		if (!visit(o, memory, &table, i, &v))
			dump_visit("desc", i, &v);
	fprintf(stderr, "what it should be: head %u, faults %#x%s\n", chain->head, chain->faults,
		chain->may_refuse ? ", may be refused" : "");
	for (i = 0; i < chain->nr && i < 40; i++)
		dump_visit(chain->visit[i].nested ? "table" : "chain", i, &chain->visit[i]);
}
