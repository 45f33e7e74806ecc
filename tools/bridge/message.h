/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages: from bytes and file descriptors of somebody who is not trusted to
 * something of a shape that is known. Nothing happens here but that files are
 * received and closed.
 */
#ifndef BRIDGE_MESSAGE_H
#define BRIDGE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol.h"

#define MESSAGE_FDS VHOST_USER_MAX_REGIONS

struct events;

struct message {
	struct vhost_user_header header;
	union vhost_user_payload payload;
	int fds[MESSAGE_FDS];	/* -1 for those that were taken */
	unsigned int nr_fds;
};

/* What a message may be, from what was negotiated. */
struct message_limits {
	__u64 protocol;		/* protocol features */
	__u32 queues;
};

enum message_got { MESSAGE_GOT, MESSAGE_END, MESSAGE_BAD, MESSAGE_STOP };

/*
 * Receive one. MESSAGE_END: the other end is closed, between two messages.
 * MESSAGE_BAD: *@why says what is wrong; what has come of the header is there.
 * MESSAGE_STOP: the bridge is to end. Files are to be closed by message_close(),
 * whatever the result is.
 */
enum message_got message_receive(struct message *message, int sock, struct events *events,
				 const struct message_limits *limits, const char **why);
void message_close(struct message *message);

/* The only file of a message, which is the caller's from now on. */
int message_take_fd(struct message *message, unsigned int i);

/* Which queue a message is about, one that exists, if it is about one. */
__u32 message_index(const struct message *message);

/* "GET_FEATURES"; never NULL. */
const char *message_name(__u32 request);
/* Whether a message of that kind has an answer of its own, and no other. */
bool message_is_answered(__u32 request);

/* Answer with the first @size bytes of the payload: 0 or -1. */
int message_reply(const struct message *message, int sock, size_t size);
/* Ask the frontend for something, on the socket for that. */
int message_request(int sock, __u32 request);

#endif /* BRIDGE_MESSAGE_H */
