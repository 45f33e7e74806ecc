// SPDX-License-Identifier: GPL-2.0-only
/* The leanest driver there is. */
#include <linux/virtio_blk.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <urcu/arch.h>

#include "ring.h"

#define PAGE 4096UL
#define MAX_DESCRIPTORS 32768	/* 2.7 */

/* What the device sees of a request, but its descriptors and its data. */
struct ring_request {
	struct virtio_blk_outhdr header;
	__u8 status;
};

/* What the memory of a ring holds, one behind the other: offsets in bytes. */
struct layout {
	size_t tables, requests, data, end;
};

static struct guest guest;

static size_t up(size_t size)
{
	return (size + PAGE - 1) & -PAGE;
}

/* Of the data of a request, what is in a row: bytes. */
static size_t piece(const struct load *load)
{
	return load->scattered ? PAGE : up(load->size);
}

/* Where each page of the data is elsewhere, one in so many is data. */
#define SPREAD 8

static __u32 pieces(const struct load *load)
{
	return up(load->size) / piece(load);
}

/* Descriptors: header, data, status. */
static __u32 chain(const struct load *load)
{
	return pieces(load) + 2;
}

/* Of the ring. */
static __u32 descriptors(const struct load *load)
{
	__u32 num, need = load->depth * (load->indirect ? 1 : chain(load));

	for (num = 1; num < need; num *= 2)
		;
	return num;
}

static struct layout layout_of(const struct load *load)
{
	size_t tables = up(vring_size(descriptors(load), PAGE));
	size_t requests = tables + up(load->depth * chain(load) * sizeof(struct vring_desc));
	size_t data = requests + up(load->depth * sizeof(struct ring_request));
	size_t len = load_nr_buffers(load) * up(load->size);

	return (struct layout) {
		tables, requests, data, data + (load->scattered ? len * SPREAD : len)
	};
}

static __u64 at(const void *mem)
{
	return (const char *)mem - guest.mem;
}

/* The descriptors of @slot, where they stay. */
static struct vring_desc *chain_of(const struct ring *ring, unsigned int slot)
{
	struct vring_desc *desc = ring->load->indirect ? ring->tables : ring->vring.desc;

	return desc + slot * ring->chain;
}

/* A number as if by chance, but the same in each run. */
static __u32 scatter(__u32 number)
{
	number *= 0x9e3779b1;
	number ^= number >> 15;
	number *= 0x85ebca77;
	return number ^ number >> 13;
}

/* Where a piece is, in units of its length: in one of the places that it may have. */
static __u64 place(const struct load *load, __u32 piece)
{
	return load->scattered ? (__u64)piece * SPREAD + scatter(piece) % SPREAD : piece;
}

/* Have the data in a buffer: the first pieces of all are in a row, then the second ones. */
static void use_buffer(const struct ring *ring, struct vring_desc *data, unsigned int buffer)
{
	size_t len = piece(ring->load);

	for (__u32 i = 0; i < ring->pieces; i++, buffer += load_nr_buffers(ring->load))
		data[i].addr = ring->data + place(ring->load, buffer) * len;
}

/* The chain of @slot, but its type, sector and direction. */
static void write_chain(struct ring *ring, unsigned int slot)
{
	struct vring_desc *desc = chain_of(ring, slot), *data = desc + 1;
	__u32 next = ring->load->indirect ? 0 : slot * ring->chain;
	size_t len = piece(ring->load), left = ring->load->size;

	*desc = (struct vring_desc) { at(&ring->requests[slot].header),
				      sizeof(struct virtio_blk_outhdr), VRING_DESC_F_NEXT, ++next };
	for (; left; left -= data->len, data++)
		*data = (struct vring_desc) { .len = left < len ? left : len, .next = ++next };
	use_buffer(ring, desc + 1, slot);
	*data = (struct vring_desc) { at(&ring->requests[slot].status), 1, VRING_DESC_F_WRITE, 0 };
	if (ring->load->indirect)
		ring->vring.desc[slot] = (struct vring_desc) {
			at(desc), ring->chain * sizeof(*desc), VRING_DESC_F_INDIRECT, 0
		};
}

static const char *make_ring(struct ring *ring)
{
	struct layout layout = layout_of(ring->load);

	vring_init(&ring->vring, ring->num, ring->mem, PAGE);
	ring->tables = (void *)(ring->mem + layout.tables);
	ring->requests = (void *)(ring->mem + layout.requests);
	ring->data = at(ring->mem + layout.data);
	for (unsigned int slot = 0; slot < ring->load->depth; slot++)
		write_chain(ring, slot);
	ring->kick = eventfd(0, EFD_CLOEXEC);
	ring->call = eventfd(0, EFD_CLOEXEC);
	return ring->kick < 0 || ring->call < 0 ? load_error("eventfd") : NULL;
}

const char *ring_make_guest(const struct load *load)
{
	size_t size = layout_of(load).end;
	const char *why = NULL;

	if (descriptors(load) > MAX_DESCRIPTORS)
		return "a ring has no room for so many pieces: use --indirect";
	guest.size = load_round(size * load->lanes);
	guest.memfd = memfd_create("guest", MFD_CLOEXEC);
	if (guest.memfd < 0 || ftruncate(guest.memfd, (off_t)guest.size))
		return load_error("memory of the guest");
	guest.mem = load_map(load, guest.size, guest.memfd);
	guest.rings = load_alloc(load->lanes, sizeof(*guest.rings));
	for (unsigned int i = 0; i < load->lanes && !why; i++) {
		guest.rings[i] = (struct ring) {
			.load = load, .mem = guest.mem + i * size, .num = descriptors(load),
			.pieces = pieces(load), .chain = chain(load),
		};
		why = make_ring(&guest.rings[i]);
	}
	return why;
}

const struct guest *ring_guest(void)
{
	return &guest;
}

struct vhost_vring_addr ring_addresses(__u32 index)
{
	const struct vring *vring = &guest.rings[index].vring;

	return (struct vhost_vring_addr) {
		.index = index,
		.desc_user_addr = (unsigned long)vring->desc,
		.avail_user_addr = (unsigned long)vring->avail,
		.used_user_addr = (unsigned long)vring->used,
	};
}

const char *ring_start(struct lane *lane)
{
	lane->own = &guest.rings[lane->index];
	return NULL;
}

void ring_add(struct lane *lane, unsigned int slot, bool write, __u64 offset)
{
	struct ring *ring = lane->own;
	struct ring_request *request = &ring->requests[slot];
	struct vring_desc *data = chain_of(ring, slot) + 1;

	if (load_takes_turns(ring->load))
		use_buffer(ring, data, load_next_buffer(lane, slot));
	request->header.type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	request->header.sector = offset >> 9;
	request->status = 0xff;
	for (__u32 i = 0; i < ring->pieces; i++)
		data[i].flags = VRING_DESC_F_NEXT | (write ? 0 : VRING_DESC_F_WRITE);
	ring->vring.avail->ring[ring->added++ & (ring->num - 1)] =
		lane->load->indirect ? slot : slot * ring->chain;
}

static __u16 used_idx(const struct ring *ring)
{
	return __atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE);
}

static __u16 can_take(const struct ring *ring)
{
	return used_idx(ring) - ring->taken;
}

static const char *notify(const struct ring *ring)
{
	__u64 one = 1;

	return write(ring->kick, &one, sizeof(one)) == sizeof(one) ? NULL : load_error("kick");
}

/* Without interrupts: the next one would be that of the chain before (2.7.10). */
static void spin_until(const struct ring *ring, unsigned int done)
{
	vring_used_event(&ring->vring) = ring->taken - 1;
	while (can_take(ring) < done)
		caa_cpu_relax();
}

/* An interrupt when @done can be taken, if not enough can be already (2.7.10). */
static const char *sleep_until(const struct ring *ring, unsigned int done)
{
	__u64 signals;

	while (can_take(ring) < done) {
		vring_used_event(&ring->vring) = ring->taken + done - 1;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (can_take(ring) >= done)
			break;
		if (read(ring->call, &signals, sizeof(signals)) != sizeof(signals))
			return load_error("wait for an interrupt");
	}
	return NULL;
}

const char *ring_go(struct lane *lane, unsigned int done)
{
	struct ring *ring = lane->own;
	__u16 old = ring->shown;
	const char *why = NULL;

	if (ring->added != old) {
		ring->shown = ring->added;
		__atomic_store_n(&ring->vring.avail->idx, ring->added, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (vring_need_event(__atomic_load_n(&vring_avail_event(&ring->vring),
						     __ATOMIC_RELAXED), ring->added, old))
			why = notify(ring);
	}
	if (why)
		return why;
	if (!ring->load->spin)
		return sleep_until(ring, done);
	spin_until(ring, done);
	return NULL;
}

int ring_take(struct lane *lane, bool *ok)
{
	struct ring *ring = lane->own;
	struct vring_used_elem *used;
	__u32 slot;

	if (used_idx(ring) == ring->taken)
		return -1;
	used = &ring->vring.used->ring[ring->taken++ & (ring->num - 1)];
	slot = lane->load->indirect ? used->id : used->id / ring->chain;
	*ok = ring->requests[slot].status == VIRTIO_BLK_S_OK;
	return (int)slot;
}
