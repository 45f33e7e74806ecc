/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A frontend of vhost-user that has a guest, and the bridge that serves it.
 *
 * The guest is that of lib/guest.h, in memory that is shared, and without a device of
 * its own. The addresses that the frontend tells the bridge are nowhere mapped.
 */
#ifndef BRIDGE_FRONTEND_H
#define BRIDGE_FRONTEND_H

#include <sys/types.h>

#include "../lib/disk.h"
#include "../lib/request.h"

/* The protocol, by numbers of our own. */
enum {
	GET_FEATURES = 1, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_LOG_BASE,
	SET_LOG_FD, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE,
	SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR, GET_PROTOCOL_FEATURES,
	SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE, SEND_RARP, NET_SET_MTU,
	SET_BACKEND_REQ_FD, IOTLB_MSG, SET_VRING_ENDIAN, GET_CONFIG, SET_CONFIG,
	GET_INFLIGHT_FD = 31, RESET_DEVICE = 34, VRING_KICK, GET_MAX_MEM_SLOTS, ADD_MEM_REG,
	REM_MEM_REG, SET_STATUS, GET_STATUS,
};

enum {
	P_MQ = 1 << 0, P_REPLY_ACK = 1 << 3, P_BACKEND_REQ = 1 << 5, P_CONFIG = 1 << 9,
	P_RESET_DEVICE = 1 << 13, P_SLOTS = 1 << 15, P_STATUS = 1 << 16,
};

#define P_ALL	(P_MQ | P_REPLY_ACK | P_BACKEND_REQ | P_CONFIG | P_RESET_DEVICE | P_SLOTS | \
		 P_STATUS)

#define F_PROTOCOL	FEATURE(30)
#define VERSION_1	1
#define IS_REPLY	4
#define NEED_REPLY	8
#define NOFD		0x100

struct vu_region {
	__u64 guest, size, user, offset;
};

struct vu_table {
	__u32 nr, padding;
	struct vu_region regions[16];
};

struct vu_slot {
	__u64 padding;
	struct vu_region region;
};

struct vu_config {
	__u32 offset, size, flags;
	__u8 space[256];
};

struct vu_addr {
	__u32 index, flags;
	__u64 desc, used, avail, log;
};

struct vu_state {
	__u32 index, num;
};

/* Where the frontend would have it. */
#define USER(at)	((unsigned long)(at) + (1UL << 50))

struct frontend {
	int sock;
	__u64 features;		/* as far as they were negotiated */
	__u64 protocol;
	struct guest guest;
	int memory[GUEST_REGIONS];
	__u64 offset[GUEST_REGIONS];
};

/* A bridge that runs. */
struct bridge {
	pid_t pid;
	char path[64];		/* of its socket */
	char log[64];		/* what it said */
	bool nobody;		/* run it without rights */
};

/* Run it with these options, up to a NULL; 0 or an error number. */
int bridge_run(struct bridge *bridge, char *const *options);
/* The same, listening at a socket of its own, with that disk. */
int bridge_start(struct bridge *bridge, const struct disk *disk, char *const *options);
/* What waitpid() says when it ends, in time, or -1. */
int bridge_wait(struct bridge *bridge);
/* End it: true if it did in time, with status 0. */
bool bridge_stop(struct bridge *bridge);
/* How many lines it said that have this in them. */
int bridge_said(const struct bridge *bridge, const char *what);
/* A number of /proc/PID/status, or -1. */
long bridge_status(const struct bridge *bridge, const char *name, int base);
/* How many files it has open, and how much memory of a guest it has mapped. */
int bridge_files(const struct bridge *bridge);
int bridge_maps(const struct bridge *bridge);
/* Workers that the kernel made for it, in its process or as its own threads. */
int bridge_workers(const struct bridge *bridge);

/* Each of these returns 0 or an error number. */
int frontend_connect(struct frontend *frontend, const struct bridge *bridge);
int frontend_send(struct frontend *frontend, __u32 request, __u32 flags, const void *payload,
		  __u32 size, const int *fds, int nr);
/* The answer to @request; *@size as it is. EPIPE: the connection is closed. */
int frontend_receive(struct frontend *frontend, __u32 request, void *payload, __u32 *size);
/* Say something, and wait until it is done: EPROTO if it was refused. */
int frontend_tell(struct frontend *frontend, __u32 request, const void *payload, __u32 size,
		  const int *fds, int nr);
int frontend_tell_u64(struct frontend *frontend, __u32 request, __u64 u64);
int frontend_tell_state(struct frontend *frontend, __u32 request, __u32 index, __u32 num);
/* Ask for a number. */
int frontend_ask(struct frontend *frontend, __u32 request, __u64 *u64);
/* Whether the bridge closes the connection, in time. */
bool frontend_is_closed(struct frontend *frontend);

/* Features and protocol features, all that are offered or as many as of these. */
int frontend_negotiate(struct frontend *frontend, __u64 protocol);
/* Memory and @queues of a guest, told to the bridge; nothing is enabled. */
int frontend_set_up(struct frontend *frontend, __u32 queues);
int frontend_set_table(struct frontend *frontend);
/* A region as it is told. */
struct vu_region frontend_region(const struct frontend *frontend, int region);
int frontend_set_up_queue(struct frontend *frontend, struct guest_queue *queue);
int frontend_enable(struct frontend *frontend, __u32 index, bool enable);
int frontend_enable_all(struct frontend *frontend);
/* All of that: from nothing to a guest that has a disk. */
int frontend_begin(struct frontend *frontend, const struct bridge *bridge, __u32 queues);
void frontend_disconnect(struct frontend *frontend);
/* Also the guest. */
void frontend_end(struct frontend *frontend);

#endif /* BRIDGE_FRONTEND_H */
