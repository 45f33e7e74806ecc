/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest without a VMM: memory, queues and a driver, over the ioctls.
 *
 * What the guest sees of its memory has nothing to do with where the owner has it:
 *
 *   guest's address	size	owner's
 *   GUEST_LOW		16 MiB	rings, indirect tables
 *   GUEST_MAIN		64 MiB	private and anonymous; requests go here
 *   GUEST_NEXT		64 MiB	shared; follows GUEST_MAIN, but in front of it
 *   GUEST_HIGH		16 MiB	beyond 32 bits
 *
 * There are holes between the others, and pages that cannot be accessed around each
 * of them in the owner's memory.
 *
 * One thread per queue; what concerns the whole guest is for one thread at a time.
 */
#ifndef LIB_GUEST_H
#define LIB_GUEST_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "../../vringh/user/driver.h"
#include "device.h"

#define MIB		(1024 * 1024UL)
#define PAGE		4096UL
#define HUGE		(2 * MIB)

#define GUEST_LOW	0x100000ULL
#define GUEST_MAIN	0x10000000ULL
#define GUEST_NEXT	0x14000000ULL
#define GUEST_HOLE	0x20000000ULL
#define GUEST_HIGH	0x100000000ULL

enum { LOW, MAIN, NEXT, HIGH, GUEST_REGIONS };

#define GUEST_QUEUES	8

/* A part of the guest's memory. */
struct guest_region {
	__u64 gpa;
	size_t size;
	char *mem;
};

struct guest;

/* A queue, with the driver that uses it. */
struct guest_queue {
	struct guest *guest;
	__u32 index;
	__u32 num;
	bool big_endian;
	struct drv drv;
	char *ring;
	size_t ring_size;
	int kick, call, err;	/* eventfds */
	unsigned int strays;	/* chains without a request that came back */
	__u32 stray_used;	/* and the length that the last was given back with */
};

struct guest {
	int fd;
	__u64 features;
	struct guest_region regions[GUEST_REGIONS];
	__u32 nr_queues;
	struct guest_queue queues[GUEST_QUEUES];
	__u64 low;		/* first address of GUEST_LOW that is not in use */
	__u64 top;		/* likewise of GUEST_MAIN */
};

/* What a guest is to be; 0 is what is in brackets. */
struct guest_setup {
	__u64 features;		/* (all that are offered) */
	__u64 without;		/* features not to accept */
	__u32 queues;		/* (1) */
	__u32 num;		/* descriptors of each queue (256) */
	bool big_endian;	/* without VIRTIO_F_VERSION_1 only */
	bool huge;		/* its memory is in huge pages, where the kernel has some */
};

/* Each returns 0 or an error number. */
int guest_open(struct guest *guest, const struct guest_setup *setup);
int guest_attach(const struct guest *guest, int disk);
int guest_detach(const struct guest *guest);
int guest_set_memory(const struct guest *guest);
int guest_set_regions(const struct guest *guest, const struct guest_region *regions, __u32 nr);

/* Ends the device first, unless its fd is -1. */
void guest_close(struct guest *guest);

/* A new ring, as after a reset of the device, that the device is not told of. */
int guest_new_ring(struct guest_queue *queue);
/* Tell the device of size, base, addresses and eventfds of a queue that is stopped. */
int guest_set_up_queue(const struct guest_queue *queue);
int guest_queue_ioctl(const struct guest_queue *queue, unsigned int cmd, __u32 *num);
int guest_queue_file(const struct guest_queue *queue, unsigned int cmd, int fd);
/* For how many microseconds the worker may poll. */
int guest_set_busyloop(const struct guest_queue *queue, __u32 us);
int guest_set_addresses(const struct guest_queue *queue);
/* Stop it; its base, or minus an error number. */
int guest_stop_queue(const struct guest_queue *queue);
/* Whatever happened to the queues, they are new and served after this. */
int guest_restart(struct guest *guest, int disk);

/* Room for @size bytes in GUEST_MAIN, or going on in GUEST_NEXT; never given back. */
__u64 guest_alloc(struct guest *guest, size_t size, size_t align);
/* Where the owner has @gpa, and how much of @len follows there; NULL for a hole. */
char *guest_at(const struct guest *guest, __u64 gpa, size_t *len);
/* Copy. It is an error of the test if there is no such memory. */
void guest_put(const struct guest *guest, __u64 gpa, const void *from, size_t len);
void guest_get(const struct guest *guest, void *to, __u64 gpa, size_t len);
void guest_set(const struct guest *guest, __u64 gpa, int byte, size_t len);
bool guest_is(const struct guest *guest, __u64 gpa, int byte, size_t len);

/* Show the device what was added, and notify it if it wants to be. */
void guest_kick(struct guest_queue *queue);
/* How often an eventfd was signalled since the last time. */
__u64 guest_signals(int eventfd);

/*
 * What the device counted for a queue, as it shows in fdinfo: "taken", "given",
 * "pinned" ...; -1 if it has no such count.
 */
long guest_count(const struct guest_queue *queue, const char *what);
/* "stopped", "running", "broken" ... */
bool guest_queue_is(const struct guest_queue *queue, const char *state);
/* Of queues that are stopped: is nothing lost, nothing done twice, no page pinned? */
bool guest_balances(const struct guest *guest);

#endif /* LIB_GUEST_H */
