// SPDX-License-Identifier: GPL-2.0-only
/* What the bytes of a fuzzer's input mean. */

#include "arena.h"
#include "input.h"

#define SLOT		16U	/* bytes of a descriptor */
#define MAIN_SLOTS	8U	/* of the ring that one can go to */
#define NO_TABLE	U32_MAX

static u64 bit(u8 byte, unsigned int from, unsigned int to)
{
	return (u64)(byte >> from & 1) << to;
}

void input_ring(struct input *in, struct input_ring *ring)
{
	static const u32 nums[] = {
		16, 4, 2, 1, 8, 4, 2, 8, 16, 4, 2, 8, 16, 64, 256, 32768,
	};
	static const u32 maxes[] = {
		0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 17, 18, 32, 33, 34, INPUT_MAX,
	};
	static const u64 guests[] = { 0x100000, 0, 1ULL << 63, -(u64)ARENA_SIZE - SLOT };
	u8 how = input_byte(in), where = input_byte(in);
	u8 much = input_byte(in), lag = input_byte(in);
	u32 num = nums[how & 15];
	u32 bases[] = { 0, 1, num - 1, 0x7fff, 0x8000, 0xfffd, 0xfffe, 0xffff };

	*ring = (struct input_ring) {
		.config = {
			.num = num,
			.base = bases[where & 7],
			.features = bit(how, 6, VIRTIO_F_VERSION_1) |
				    bit(~how, 7, VIRTIO_RING_F_INDIRECT_DESC) |
				    bit(where, 4, VIRTIO_RING_F_EVENT_IDX) |
				    bit(where, 3, VIRTIO_F_NOTIFY_ON_EMPTY),
			.big_endian = how >> 5 & 1,
			.context = &arena.guest,
			.read = arena_read,
		},
		.space = how >> 4 & 1 ? VR_KERNEL : VR_USER,
		.max = maxes[much & 15],
		.lag = lag < 0xfe ? lag % (num + 1) : lag == 0xfe ? num + 1 : 0xffff,
		.base = guests[much >> 4 & 3],
		.cut = much >> 6,
	};
	if (!ring->max)
		ring->max = min_t(u32, num, INPUT_MAX);
}

/* Bytes of a table, or of a buffer. */
static u32 length(u8 i)
{
	static const u32 lengths[] = {
		SLOT, 0, 2 * SLOT, 3 * SLOT, 8 * SLOT, 16 * SLOT, 17 * SLOT, 33 * SLOT,
		64 * SLOT, 1, SLOT - 1, SLOT + 1, 65536 * SLOT, 65537 * SLOT, 0x80000000, U32_MAX,
	};

	return lengths[i];
}

/* Where a table is: in general in a place that is for them. */
static u64 table_at(u8 i, u32 len)
{
	const struct guest *guest = &arena.guest;

	if (i < 40)
		return guest->base + ARENA_TABLE + i * SLOT;
	if (i < 48)
		return guest->base + ARENA_DESC + (i - 40) * SLOT;
	if (i < 52)
		return guest->base + ARENA_AVAIL + (i - 48) * SLOT;
	switch (i) {
	case 52:
		return guest->base + ARENA_USED;
	case 53:
		return guest->base + ARENA_TABLE + SLOT / 2;
	case 54:
		return guest->base + ARENA_TABLE + 1;
	case 55:
		return guest->base - SLOT;
	case 56:
		return guest->base + guest->size - len;
	case 57:
		return guest->base + guest->size - len + SLOT;
	case 58:
		return guest->base + guest->size - SLOT / 2;
	case 59:
		return -(u64)len;
	case 60:
		return -(u64)len + SLOT;
	case 61:
		return -(u64)len - SLOT;
	case 62:
		return U64_MAX;
	default:
		return 0;
	}
}

/* An address that says where it is from, and which byte is which. */
static u64 buffer_at(u32 at, u8 i)
{
	return 0x0102030405060708ULL * (at / SLOT + 1) + i;
}

/* Which descriptor is next, after @i of a table. */
static u16 next_of(u8 byte, u32 i)
{
	if (byte < 0x20)
		return i + 1 + byte;
	if (byte < 0x40)
		return i - (byte & 0x1f);
	if (byte < 0xc0)
		return byte & 0x3f;
	if (byte < 0xe0)
		return arena.num - 1 + (byte & 3);
	return 0xffff - (byte & 0x1f);
}

/* A descriptor of three bytes; @how: it is elsewhere, or one of many, or as told. */
static void raw_desc(struct input *in, struct input_chains *chains, u8 how)
{
	u8 what = input_byte(in) & 0x3f, kind = input_byte(in), next = input_byte(in);
	u32 len = length(kind >> 4), more = 0;
	u16 flags = (kind & 8 ? 0xfff8 : 0) | (kind & 7);
	u64 addr;

	if (how == 1) {
		chains->table = what < MAIN_SLOTS ? ARENA_DESC :
						    ARENA_TABLE + (what - MAIN_SLOTS) * SLOT;
		chains->at = what < MAIN_SLOTS ? ARENA_DESC + what * SLOT : chains->table;
		what = 0;
	} else if (how == 2) {
		more = what;
		what = 0;
	}
	for (more++; more; more--, chains->at += SLOT) {
		if (how == 3)
			addr = U64_MAX << what;
		else if (flags & VRING_DESC_F_INDIRECT)
			addr = table_at(what, len);
		else
			addr = buffer_at(chains->at, what);
		arena_write_desc(chains->at, addr, len, flags,
				 next_of(next, (chains->at - chains->table) / SLOT));
	}
}

/* The descriptor that leads to the table which ends here. */
static void end_table(struct input_chains *chains)
{
	u8 how = chains->indirect_how;
	u32 len = chains->at - chains->table + (how & 1 ? SLOT : 0) - (how >> 1 & 1);
	u16 flags = VRING_DESC_F_INDIRECT | (how & 4 ? VRING_DESC_F_WRITE : 0) |
		    ((how & 24) == 24 ? VRING_DESC_F_NEXT : 0);

	if (chains->indirect == NO_TABLE)
		return;
	arena_write_desc(chains->indirect, arena.guest.base + chains->table, len, flags,
			 chains->indirect / SLOT + 1);
	if (chains->table_end < chains->at)
		chains->table_end = chains->at;
	chains->at = chains->indirect + SLOT;
	chains->table = ARENA_DESC;
	chains->indirect = NO_TABLE;
}

static void begin_table(struct input_chains *chains, u8 how)
{
	end_table(chains);
	chains->indirect = chains->at;
	chains->indirect_how = how;
	chains->at = chains->table_end;
	chains->table = chains->at;
}

/* @nr buffers. */
static void buffers(struct input_chains *chains, u32 nr, u32 len, bool last)
{
	u16 flags = chains->write | (last ? 0 : VRING_DESC_F_NEXT);

	for (; nr; nr--, chains->at += SLOT)
		arena_write_desc(chains->at, buffer_at(chains->at, 0), len, flags,
				 (chains->at - chains->table) / SLOT + 1);
}

static void end_chain(struct input_chains *chains)
{
	end_table(chains);
	chains->write = 0;
	chains->nr++;
	chains->head = (chains->at - ARENA_DESC) / SLOT;
}

void input_begin(struct input_chains *chains)
{
	*chains = (struct input_chains) {
		.at = ARENA_DESC,
		.table = ARENA_DESC,
		.table_end = ARENA_TABLE,
		.indirect = NO_TABLE,
	};
}

bool input_chain(struct input *in, struct input_chains *chains)
{
	u8 byte = input_byte(in);
	bool last = (byte >> 2 & 3) == 3;

	if (byte >= 0xc0) {
		raw_desc(in, chains, byte & 3);
		return false;
	}
	if (byte >= 0xa0) {
		buffers(chains, (byte & 31) + 2, SLOT, false);
		return false;
	}
	if (byte >= 0x80) {
		begin_table(chains, byte & 31);
		return false;
	}
	if ((byte & 3) == 3)
		chains->write ^= VRING_DESC_F_WRITE;
	buffers(chains, 1, length(byte >> 4), last);
	if (last)
		end_chain(chains);
	return last;
}

void input_end(struct input_chains *chains, u8 cut)
{
	static const u32 short_of[] = { 0, 0, SLOT, 2 * SLOT - 1 };

	if (chains->indirect != NO_TABLE)
		end_chain(chains);
	if (cut)
		arena.guest.size = chains->table_end - short_of[cut];
}
