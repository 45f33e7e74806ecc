/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/vhost-blk, as a frontend is to see it: each ring starts when it has all it needs.
 *
 * The kernel starts what it was told of whenever it is told of the disk. So it is told of
 * a ring only when that is to run.
 */
#ifndef BRIDGE_DEVICE_H
#define BRIDGE_DEVICE_H

#include <linux/vhost_blk.h>
#include <stdbool.h>

#include "memory.h"

/* Linux kernel commit "vhost: add ioctl for workers", v6.5, for headers from before. */
#ifndef VHOST_NEW_WORKER
struct vhost_worker_state {
	__u32 worker_id;
};

struct vhost_vring_worker {
	__u32 index;
	__u32 worker_id;
};

#define VHOST_NEW_WORKER _IOR(VHOST_VIRTIO, 0x8, struct vhost_worker_state)
#define VHOST_ATTACH_VRING_WORKER _IOW(VHOST_VIRTIO, 0x15, struct vhost_vring_worker)
#endif

#define DEVICE_QUEUES	256
#define DEVICE_WORKERS	256
#define DEVICE_POLL_US	32	/* for which QEMU polls, too */

/* What is between the bridge and the kernel; 0 or more, or minus an error. */
struct kernel_ops {
	int (*open)(void);
	int (*ioctl)(int fd, unsigned long cmd, void *argument);
};

extern const struct kernel_ops kernel_ops;

/* What the operator decided. */
struct device_setup {
	const struct kernel_ops *kernel;
	int disk;
	bool read_only;
	__u32 queues;
	__u32 workers;
	__u32 poll_us;
	const char *serial;	/* NULL: that of the kernel */
};

/* A ring: what the frontend said of it, and what came of that. */
struct ring {
	__u32 num;		/* 0: not said */
	__u16 base;
	bool has_addr;
	bool enabled;
	struct vhost_vring_addr addr;	/* of the frontend */
	int kick, call, err;		/* -1 for none */
	bool runs;
	bool touched;			/* the kernel has a queue for it */
};

struct device {
	const struct device_setup *setup;
	const struct memory *memory;	/* NULL: not said */
	int fd;
	int writeback;		/* -1: not said */
	unsigned int running;
	__u32 workers[DEVICE_WORKERS];
	struct ring rings[DEVICE_QUEUES];
};

/* All that return a text return NULL if all went well, or what is wrong. */

/* What may be offered to a driver, and its configuration space. Needs no open device. */
const char *device_probe(const struct device_setup *setup, __u64 *features,
			 struct vhost_blk_config *config);

const char *device_open(struct device *device, const struct device_setup *setup);
/* When it returns the kernel does not use the frontend's memory any more. */
void device_close(struct device *device);

/* The same, of a device that is open: the disk may have changed. */
const char *device_config(const struct device *device, __u64 *features,
			  struct vhost_blk_config *config);
const char *device_set_features(const struct device *device, __u64 features);
const char *device_set_writeback(struct device *device, bool writeback);

/*
 * Have the kernel use a table of memory from here on, which stays where it is. With
 * @moved all that was in the old one is elsewhere; else what is in both is where it was.
 */
const char *device_set_memory(struct device *device, const struct memory *memory, bool moved);

const char *device_set_num(struct device *device, __u32 index, __u32 num);
const char *device_set_addr(struct device *device, const struct vhost_vring_addr *addr);
const char *device_set_base(struct device *device, __u32 index, __u32 base);
/* The file is the device's from here on, also if something is wrong. -1: none. */
const char *device_set_kick(struct device *device, __u32 index, int fd);
const char *device_set_call(struct device *device, __u32 index, int fd);
const char *device_set_err(struct device *device, __u32 index, int fd);
const char *device_enable(struct device *device, __u32 index, bool enable);
/* Stop a ring, which needs a new kick to start again. */
const char *device_get_base(struct device *device, __u32 index, __u32 *base);

/* Disable all rings. */
const char *device_disable(struct device *device);
/* As after device_open(), but for the memory. */
const char *device_reset(struct device *device);

#endif /* BRIDGE_DEVICE_H */
