/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of all kinds without end, on one queue, each checked against a model of
 * what has to be on the disk.
 *
 * Every sector that is written says which sector it is, and how often it was written
 * before. A queue has a number of slots, each with a part of the disk of its own, and
 * one request at a time.
 */
#ifndef LIB_TRAFFIC_H
#define LIB_TRAFFIC_H

#include <pthread.h>

#include "request.h"

#define TRAFFIC_SLOTS 16

struct traffic_slot {
	struct request request;
	bool busy;
	__u64 sector;		/* of its part of the disk, in sectors */
	__u32 max_len;
	__u32 ranges;		/* of the request, if it is about those */
	__u64 sectors[2];	/* where these ranges begin */
	__u32 nr[2];
};

struct traffic {
	/* To be set before the start. */
	struct guest_queue *queue;
	__u64 sector;		/* its part of the disk */
	__u64 sectors;
	__u32 block;		/* bytes of a block of the disk (512) */
	__u32 slots;		/* requests in flight (8) */
	__u32 max_len;		/* bytes of a request (64 KiB); slot 0 has 8 times that */
	bool discards;		/* discards, and writes zeroes, as well */
	bool may_fail;		/* errors of the disk are fine, but not lost requests */
	unsigned int seed;

	/* What comes of it; done may be read at any time. */
	unsigned long done;
	unsigned long failed;	/* requests that the disk had errors for */
	const char *error;	/* what went wrong; NULL if nothing did */
	char what[128];

	pthread_t thread;
	bool stop;
	__u32 *model;		/* by sector: how often it was written, or what is told below */
	struct traffic_slot slot[TRAFFIC_SLOTS];
};

/* 0 or an error number. */
int traffic_start(struct traffic *traffic);
/* Ends when all in flight is answered: NULL, or what went wrong. */
const char *traffic_stop(struct traffic *traffic);
/* Whether it has done @n requests more in time. */
bool traffic_flows(const struct traffic *traffic, unsigned long n);

#endif /* LIB_TRAFFIC_H */
