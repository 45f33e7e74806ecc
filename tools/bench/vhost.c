// SPDX-License-Identifier: GPL-2.0-only
/* A disk behind /dev/vhost-blk. */
#include <fcntl.h>
#include <linux/vhost_blk.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ring.h"

static int device;

static const char *attempt(unsigned long cmd, void *arg, const char *what)
{
	return ioctl(device, cmd, arg) ? load_error(what) : NULL;
}

static const char *set_up_device(void)
{
	const struct guest *guest = ring_guest();
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region;
	} table = {
		.head.nregions = 1,
		.region.memory_size = guest->size,
		.region.userspace_addr = (unsigned long)guest->mem,
	};
	__u64 features = RING_FEATURES;
	const char *why = attempt(VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");

	why = why ?: attempt(VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES");
	why = why ?: attempt(VHOST_SET_MEM_TABLE, &table, "VHOST_SET_MEM_TABLE");
	return why;
}

static const char *set_up_queue(const struct load *load, __u32 index, int kick_fd)
{
	const struct ring *ring = &ring_guest()->rings[index];
	struct vhost_vring_state num = { index, ring->num }, base = { index, 0 };
	struct vhost_vring_state poll = { index, load->poll_us };
	struct vhost_vring_file kick = { index, kick_fd }, call = { index, ring->call };
	struct vhost_vring_addr addr = ring_addresses(index);
	const char *why = attempt(VHOST_SET_VRING_NUM, &num, "VHOST_SET_VRING_NUM");

	why = why ?: attempt(VHOST_SET_VRING_BASE, &base, "VHOST_SET_VRING_BASE");
	why = why ?: attempt(VHOST_SET_VRING_ADDR, &addr, "VHOST_SET_VRING_ADDR");
	why = why ?: attempt(VHOST_SET_VRING_KICK, &kick, "VHOST_SET_VRING_KICK");
	why = why ?: attempt(VHOST_SET_VRING_CALL, &call, "VHOST_SET_VRING_CALL");
	why = why ?: attempt(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll,
			     "VHOST_SET_VRING_BUSYLOOP_TIMEOUT");
	return why;
}

/* A worker for each queue but the first, which has the one that is there. */
static const char *add_worker(__u32 index)
{
	struct vhost_worker_state worker = { 0 };
	struct vhost_vring_worker vring = { .index = index };
	const char *why = attempt(VHOST_NEW_WORKER, &worker, "VHOST_NEW_WORKER");

	vring.worker_id = worker.worker_id;
	why = why ?: attempt(VHOST_ATTACH_VRING_WORKER, &vring, "VHOST_ATTACH_VRING_WORKER");
	return why;
}

static const char *add_queue(const struct load *load, __u32 index, bool spare)
{
	/* All have the same rings, but only one of them is told to look. */
	int kick = spare ? eventfd(0, EFD_CLOEXEC) : ring_guest()->rings[index].kick;
	const char *why = kick < 0 ? load_error("eventfd") : set_up_queue(load, index, kick);

	return why ?: index ? add_worker(index) : NULL;
}

static const char *add_device(const struct load *load, bool spare)
{
	struct vhost_vring_file backend = { .fd = load->fd };
	const char *why;

	device = open("/dev/vhost-blk", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return load_error("/dev/vhost-blk");
	why = set_up_device();
	for (__u32 i = 0; i < load->lanes && !why; i++)
		why = add_queue(load, i, spare);
	why = why ?: attempt(VHOST_BLK_SET_BACKEND, &backend, "VHOST_BLK_SET_BACKEND");
	return why;
}

static __u64 free_memory(void)
{
	return (__u64)sysconf(_SC_AVPHYS_PAGES) * (__u64)sysconf(_SC_PAGESIZE);
}

static const char *vhost_open(struct load *load)
{
	const char *why = load_open_disk(load);
	__u64 before;

	why = why ?: ring_make_guest(load);
	before = free_memory();
	for (unsigned int i = 0; i < load->spare && !why; i++)
		why = add_device(load, true);
	if (load->spare)
		load->spare_bytes = (before - free_memory()) / load->spare;
	load->opened = load_now();
	return why ?: add_device(load, false);
}

const struct target vhost_target = {
	.name = "vhost-blk",
	.what = "DISK is attached to /dev/vhost-blk (/dev/null: to nothing)",
	.open = vhost_open,
	.start = ring_start,
	.add = ring_add,
	.go = ring_go,
	.take = ring_take,
};
