// SPDX-License-Identifier: GPL-2.0-only
/* /dev/vhost-blk, as a frontend is to see it. */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "log.h"

/* Features of the device itself; others are of the transport, the same for all disks. */
#define DISK_FEATURES	((1ULL << 24) - 1)

static const char *open_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "/dev/vhost-blk is not there: load the module: modprobe vhost-blk";
	case EACCES:
	case EPERM:
		return "/dev/vhost-blk may not be opened: join the group kvm";
	default:
		return because("/dev/vhost-blk cannot be opened: %s", strerror(error));
	}
}

static const char *call(const struct device *device, unsigned long cmd, const char *name,
			void *argument)
{
	int ret = device->setup->kernel->ioctl(device->fd, cmd, argument);

	if (ret >= 0)
		return NULL;
	return because("the kernel refuses %s: %s", name, strerror(-ret));
}

#define CALL(device, cmd, argument) call(device, cmd, #cmd, argument)

/*
 * What a driver may be told
 */

const char *device_config(const struct device *device, __u64 *features,
			  struct vhost_blk_config *config)
{
	__u64 known;
	const char *why;

	*config = (struct vhost_blk_config) { .fd = device->setup->disk };
	why = CALL(device, VHOST_GET_FEATURES, &known) ?:
	      CALL(device, VHOST_BLK_GET_CONFIG, config);
	if (!why)
		*features = known & (~DISK_FEATURES | config->features);
	return why;
}

const char *device_probe(const struct device_setup *setup, __u64 *features,
			 struct vhost_blk_config *config)
{
	struct device device = { .setup = setup };
	const char *why;

	device.fd = setup->kernel->open();
	if (device.fd < 0)
		return open_error(-device.fd);
	why = device_config(&device, features, config);
	close(device.fd);
	return why;
}

/*
 * What is said to the kernel of the device as a whole
 */

static const char *begin_workers(struct device *device)
{
	struct vhost_worker_state state;
	const char *why = NULL;

	/* The first one is there from the beginning. */
	device->workers[0] = 0;
	for (__u32 i = 1; i < device->setup->workers && !why; i++) {
		why = CALL(device, VHOST_NEW_WORKER, &state);
		device->workers[i] = state.worker_id;
	}
	return why;
}

static const char *push_config(struct device *device)
{
	struct vhost_blk_settings settings = {};

	if (device->setup->serial) {
		settings.fields |= VHOST_BLK_SERIAL;
		memcpy(settings.serial, device->setup->serial,
		       strnlen(device->setup->serial, sizeof(settings.serial)));
	}
	if (device->writeback >= 0) {
		settings.fields |= VHOST_BLK_WRITEBACK;
		settings.writeback = device->writeback;
	}
	return CALL(device, VHOST_BLK_SET_CONFIG, &settings);
}

static const char *push_memory(struct device *device)
{
	static __u64 room[(sizeof(struct vhost_memory) +
			   MEMORY_SLOTS * sizeof(struct vhost_memory_region)) / sizeof(__u64)];
	struct vhost_memory *table = (void *)room;

	if (!device->memory)
		return NULL;
	table->nregions = device->memory->nr;
	for (unsigned int i = 0; i < device->memory->nr; i++) {
		const struct region *region = &device->memory->regions[i];

		table->regions[i] = (struct vhost_memory_region) {
			.guest_phys_addr = region->guest,
			.memory_size = region->size,
			.userspace_addr = (unsigned long)region->at,
		};
	}
	return CALL(device, VHOST_SET_MEM_TABLE, table);
}

/*
 * Rings, and what is said to the kernel of them
 */

static const char *push_file(struct device *device, __u32 index, unsigned long cmd,
			     const char *name, int fd)
{
	struct vhost_vring_file file = { index, fd };

	device->rings[index].touched = true;
	return call(device, cmd, name, &file);
}

#define PUSH_FILE(device, index, cmd, fd) push_file(device, index, cmd, #cmd, fd)

static const char *push_files(struct device *device, __u32 index)
{
	const struct ring *ring = &device->rings[index];

	return PUSH_FILE(device, index, VHOST_SET_VRING_KICK, ring->kick) ?:
	       PUSH_FILE(device, index, VHOST_SET_VRING_CALL, ring->call) ?:
	       PUSH_FILE(device, index, VHOST_SET_VRING_ERR, ring->err);
}

/* From the frontend's addresses to ours; all of the ring has to be there. */
static const char *translate(const struct memory *memory, const struct ring *ring,
			     struct vhost_vring_addr *addr)
{
	const struct vhost_vring_addr *from = &ring->addr;
	__u64 num = ring->num;

	*addr = (struct vhost_vring_addr) { .index = from->index };
	if (!memory)
		return "there is no memory for the ring";
	/* Virtio 1.3, 2.7: with the fields that VIRTIO_F_EVENT_IDX has */
	addr->desc_user_addr = memory_translate(memory, from->desc_user_addr,
						num * sizeof(struct vring_desc));
	addr->avail_user_addr = memory_translate(memory, from->avail_user_addr,
						 6 + num * sizeof(__u16));
	addr->used_user_addr = memory_translate(memory, from->used_user_addr,
						6 + num * sizeof(struct vring_used_elem));
	if (addr->desc_user_addr && addr->avail_user_addr && addr->used_user_addr)
		return NULL;
	return because("ring %u is not in the memory", from->index);
}

/* Have the kernel start this ring when it is told of the disk. */
static const char *push_ring(const struct device *device, __u32 index)
{
	const struct ring *ring = &device->rings[index];
	struct vhost_vring_state num = { index, ring->num }, base = { index, ring->base };
	struct vhost_vring_state poll = { index, device->setup->poll_us };
	struct vhost_vring_worker worker = {
		.index = index,
		.worker_id = device->workers[index % device->setup->workers],
	};
	struct vhost_vring_addr addr;
	const char *why;

	why = translate(device->memory, ring, &addr) ?:
	      CALL(device, VHOST_SET_VRING_NUM, &num) ?:
	      CALL(device, VHOST_SET_VRING_BASE, &base) ?:
	      CALL(device, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll) ?:
	      CALL(device, VHOST_ATTACH_VRING_WORKER, &worker) ?:
	      CALL(device, VHOST_SET_VRING_ADDR, &addr);
	return why;
}

/*
 * Starting and stopping
 */

/* The disk once more starts the rings that were pushed since; -1 stops all. */
static const char *set_disk(const struct device *device, int fd)
{
	struct vhost_vring_file file = { 0, fd };

	return CALL(device, VHOST_BLK_SET_BACKEND, &file);
}

/* The kernel forgets where it was. */
static const char *stop_in_kernel(struct device *device, __u32 index)
{
	struct vhost_vring_state state = { .index = index };
	const char *why = CALL(device, VHOST_GET_VRING_BASE, &state);

	if (!why)
		device->rings[index].base = state.num;
	return why;
}

/* Specification, "Ring states": a ring starts when it is kicked, and with all it needs. */
static const char *start_if_ready(struct device *device, __u32 index)
{
	struct ring *ring = &device->rings[index];
	const char *why;

	if (ring->runs || !ring->enabled || !ring->num || !ring->has_addr || ring->kick < 0)
		return NULL;
	why = push_ring(device, index) ?: set_disk(device, device->setup->disk);
	if (why)
		return why;
	ring->runs = true;
	device->running++;
	log_debug("ring %u starts at %u", index, ring->base);
	return NULL;
}

/* Without a ring that runs the kernel has no disk, and other features may come. */
static const char *stop(struct device *device, __u32 index)
{
	struct ring *ring = &device->rings[index];
	const char *why;

	if (!ring->runs)
		return NULL;
	why = stop_in_kernel(device, index);
	if (why)
		return why;
	ring->runs = false;
	device->running--;
	log_debug("ring %u stops at %u", index, ring->base);
	return device->running ? NULL : set_disk(device, -1);
}

/*
 * What the frontend says of rings
 */

const char *device_set_num(struct device *device, __u32 index, __u32 num)
{
	struct ring *ring = &device->rings[index];

	if (!num || num & (num - 1) || num > 32768)
		return because("no ring has %u descriptors", num);
	if (ring->runs && num != ring->num)
		return because("ring %u runs", index);
	ring->num = num;
	return start_if_ready(device, index);
}

const char *device_set_base(struct device *device, __u32 index, __u32 base)
{
	struct ring *ring = &device->rings[index];

	if (base > 0xffff)
		return because("no ring begins at %u", base);
	if (ring->runs)
		return because("ring %u runs", index);
	ring->base = base;
	return NULL;
}

static bool same_addr(const struct vhost_vring_addr *a, const struct vhost_vring_addr *b)
{
	return a->desc_user_addr == b->desc_user_addr &&
	       a->avail_user_addr == b->avail_user_addr &&
	       a->used_user_addr == b->used_user_addr;
}

const char *device_set_addr(struct device *device, const struct vhost_vring_addr *addr)
{
	struct ring *ring = &device->rings[addr->index];

	if (addr->flags)
		return "a ring cannot be logged";
	if (addr->desc_user_addr % VRING_DESC_ALIGN_SIZE ||
	    addr->avail_user_addr % VRING_AVAIL_ALIGN_SIZE ||
	    addr->used_user_addr % VRING_USED_ALIGN_SIZE)
		return because("ring %u is not aligned", addr->index);
	if (!device->memory ||
	    !memory_translate(device->memory, addr->desc_user_addr, sizeof(struct vring_desc)) ||
	    !memory_translate(device->memory, addr->avail_user_addr, sizeof(__u16)) ||
	    !memory_translate(device->memory, addr->used_user_addr, sizeof(__u16)))
		return because("ring %u is not in the memory", addr->index);
	if (ring->runs)
		return same_addr(addr, &ring->addr) ? NULL : because("ring %u runs", addr->index);
	ring->addr = *addr;
	ring->has_addr = true;
	return start_if_ready(device, addr->index);
}

/* The kernel has the new one before the old one is closed. */
static const char *set_file(struct device *device, __u32 index, unsigned long cmd,
			    const char *name, int *at, int fd)
{
	const char *why = push_file(device, index, cmd, name, fd);

	if (*at >= 0)
		close(*at);
	*at = fd;
	return why;
}

#define SET_FILE(device, index, cmd, at, fd) set_file(device, index, cmd, #cmd, at, fd)

const char *device_set_kick(struct device *device, __u32 index, int fd)
{
	return SET_FILE(device, index, VHOST_SET_VRING_KICK, &device->rings[index].kick, fd) ?:
	       start_if_ready(device, index);
}

const char *device_set_call(struct device *device, __u32 index, int fd)
{
	return SET_FILE(device, index, VHOST_SET_VRING_CALL, &device->rings[index].call, fd);
}

const char *device_set_err(struct device *device, __u32 index, int fd)
{
	return SET_FILE(device, index, VHOST_SET_VRING_ERR, &device->rings[index].err, fd);
}

const char *device_enable(struct device *device, __u32 index, bool enable)
{
	device->rings[index].enabled = enable;
	return enable ? start_if_ready(device, index) : stop(device, index);
}

const char *device_get_base(struct device *device, __u32 index, __u32 *base)
{
	struct ring *ring = &device->rings[index];
	const char *why = stop(device, index);

	*base = ring->base;
	if (why || ring->kick < 0)
		return why;
	return SET_FILE(device, index, VHOST_SET_VRING_KICK, &ring->kick, -1);
}

/*
 * What it says of the rest
 */

const char *device_set_features(const struct device *device, __u64 features)
{
	return CALL(device, VHOST_SET_FEATURES, &features);
}

const char *device_set_writeback(struct device *device, bool writeback)
{
	device->writeback = writeback;
	return push_config(device);
}

/* Those that run do not for a moment; where to go on is known. */
static const char *pause_rings(struct device *device)
{
	const char *why = NULL;

	for (__u32 i = 0; i < device->setup->queues && !why; i++)
		if (device->rings[i].runs)
			why = stop_in_kernel(device, i);
	return why;
}

static const char *resume_rings(const struct device *device)
{
	const char *why = NULL;

	for (__u32 i = 0; i < device->setup->queues && !why; i++)
		if (device->rings[i].runs)
			why = push_ring(device, i);
	return why || !device->running ? why : set_disk(device, device->setup->disk);
}

/* What was said of a ring that runs is to hold in another table as well. */
static const char *check_rings(const struct device *device, const struct memory *memory)
{
	struct vhost_vring_addr addr;
	const char *why = NULL;

	for (__u32 i = 0; i < device->setup->queues && !why; i++)
		if (device->rings[i].runs)
			why = translate(memory, &device->rings[i], &addr);
	return why;
}

const char *device_set_memory(struct device *device, const struct memory *memory, bool moved)
{
	const char *why = check_rings(device, memory);

	if (!why && moved)
		why = pause_rings(device);
	if (why)
		return why;
	device->memory = memory;
	why = push_memory(device);
	return why || !moved ? why : resume_rings(device);
}

/*
 * The device as a whole
 */

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The eventfds are the connection's, and not all frontends say them again. */
static void forget_rings(struct device *device)
{
	for (__u32 i = 0; i < DEVICE_QUEUES; i++) {
		struct ring *ring = &device->rings[i];

		close_file(&ring->kick);
		*ring = (struct ring) {
			.kick = -1,
			.call = ring->call,
			.err = ring->err,
			.touched = ring->touched,
		};
	}
	device->running = 0;
	device->writeback = -1;
}

const char *device_open(struct device *device, const struct device_setup *setup)
{
	const char *why;

	*device = (struct device) { .setup = setup, .writeback = -1 };
	for (__u32 i = 0; i < DEVICE_QUEUES; i++)
		device->rings[i] = (struct ring) { .kick = -1, .call = -1, .err = -1 };
	device->fd = setup->kernel->open();
	if (device->fd < 0)
		return open_error(-device->fd);
	why = CALL(device, VHOST_SET_OWNER, NULL) ?:
	      begin_workers(device) ?: push_config(device);
	if (why)
		device_close(device);
	return why;
}

void device_close(struct device *device)
{
	forget_rings(device);
	for (__u32 i = 0; i < DEVICE_QUEUES; i++) {
		close_file(&device->rings[i].call);
		close_file(&device->rings[i].err);
	}
	close_file(&device->fd);
}

const char *device_disable(struct device *device)
{
	const char *why = NULL;

	for (__u32 i = 0; i < device->setup->queues && !why; i++)
		why = device_enable(device, i, false);
	return why;
}

const char *device_reset(struct device *device)
{
	const char *why;

	forget_rings(device);
	why = CALL(device, VHOST_RESET_OWNER, NULL) ?:
	      CALL(device, VHOST_SET_OWNER, NULL) ?:
	      begin_workers(device) ?: push_config(device) ?: push_memory(device);
	for (__u32 i = 0; i < device->setup->queues && !why; i++)
		if (device->rings[i].touched)
			why = push_files(device, i);
	return why;
}
