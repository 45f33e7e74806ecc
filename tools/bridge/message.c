// SPDX-License-Identifier: GPL-2.0-only
/* Messages: framing, and what each of them has to look like. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "events.h"
#include "log.h"
#include "../macros.h"
#include "message.h"

/* What a payload is. */
enum payload { NOTHING, U64, STATE, ADDR, MEMORY, SLOT, CONFIG, VRING_FD };

static const size_t sizes[] = {
	[NOTHING] = 0,
	[U64] = sizeof(__u64),
	[STATE] = sizeof(struct vhost_vring_state),
	[ADDR] = sizeof(struct vhost_vring_addr),
	[SLOT] = sizeof(struct vhost_user_slot),
	[VRING_FD] = sizeof(__u64),
};

struct shape {
	const char *name;
	__u64 needs;			/* what of the protocol's features */
	enum payload payload;
	unsigned int min_fds, max_fds;	/* without those that the payload tells the number of */
	bool answered;
};

#define SHAPE(_name, _payload, ...) \
	[VHOST_USER_##_name] = { .name = #_name, .payload = (_payload), ##__VA_ARGS__ }
#define NEEDS(feature)	.needs = VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_##feature)
#define ANSWERED	.answered = true
#define FILES(min, max)	.min_fds = (min), .max_fds = (max)

/* "Front-end message types" of the specification, as far as they are offered. */
static const struct shape shapes[] = {
	SHAPE(GET_FEATURES, NOTHING, ANSWERED),
	SHAPE(SET_FEATURES, U64),
	SHAPE(SET_OWNER, NOTHING),
	SHAPE(RESET_OWNER, NOTHING),
	SHAPE(SET_MEM_TABLE, MEMORY),
	SHAPE(SET_VRING_NUM, STATE),
	SHAPE(SET_VRING_ADDR, ADDR),
	SHAPE(SET_VRING_BASE, STATE),
	SHAPE(GET_VRING_BASE, STATE, ANSWERED),
	SHAPE(SET_VRING_KICK, VRING_FD),
	SHAPE(SET_VRING_CALL, VRING_FD),
	SHAPE(SET_VRING_ERR, VRING_FD),
	SHAPE(GET_PROTOCOL_FEATURES, NOTHING, ANSWERED),
	SHAPE(SET_PROTOCOL_FEATURES, U64),
	SHAPE(GET_QUEUE_NUM, NOTHING, ANSWERED, NEEDS(MQ)),
	SHAPE(SET_VRING_ENABLE, STATE),
	SHAPE(SET_BACKEND_REQ_FD, NOTHING, FILES(1, 1), NEEDS(BACKEND_REQ)),
	SHAPE(GET_CONFIG, CONFIG, ANSWERED, NEEDS(CONFIG)),
	SHAPE(SET_CONFIG, CONFIG, NEEDS(CONFIG)),
	SHAPE(RESET_DEVICE, NOTHING, NEEDS(RESET_DEVICE)),
	SHAPE(GET_MAX_MEM_SLOTS, NOTHING, ANSWERED, NEEDS(CONFIGURE_MEM_SLOTS)),
	SHAPE(ADD_MEM_REG, SLOT, FILES(1, 1), NEEDS(CONFIGURE_MEM_SLOTS)),
	/* A file is of no use there, but some send one. */
	SHAPE(REM_MEM_REG, SLOT, FILES(0, 1), NEEDS(CONFIGURE_MEM_SLOTS)),
	SHAPE(SET_STATUS, U64, NEEDS(STATUS)),
	SHAPE(GET_STATUS, NOTHING, ANSWERED, NEEDS(STATUS)),
};

static const struct shape *shape_of(__u32 request)
{
	if (request >= ARRAY_SIZE(shapes) || !shapes[request].name)
		return NULL;
	return &shapes[request];
}

const char *message_name(__u32 request)
{
	const struct shape *shape = shape_of(request);

	return shape ? shape->name : "message";
}

bool message_is_answered(__u32 request)
{
	const struct shape *shape = shape_of(request);

	return shape && shape->answered;
}

/*
 * Files
 */

void message_close(struct message *message)
{
	for (unsigned int i = 0; i < message->nr_fds; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	message->nr_fds = 0;
}

int message_take_fd(struct message *message, unsigned int i)
{
	int fd = message->fds[i];

	message->fds[i] = -1;
	return fd;
}

/* Keep what came, or close it: false if there is no room for it. */
static bool keep_fds(struct message *message, const struct cmsghdr *cmsg)
{
	size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool all = true;
	int fd;

	for (size_t i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
		if (message->nr_fds < MESSAGE_FDS) {
			message->fds[message->nr_fds++] = fd;
		} else {
			close(fd);
			all = false;
		}
	}
	return all;
}

/* As recv(), and with files if @message is not NULL; -E2BIG if there are too many. */
static ssize_t receive_some(int sock, void *to, size_t size, struct message *message)
{
	char control[CMSG_SPACE(MESSAGE_FDS * sizeof(int))] __aligned(8);
	struct iovec iov = { to, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	bool all = true;
	ssize_t n;

	if (message) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
	n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	for (cmsg = CMSG_FIRSTHDR(&msg); message && cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
			all = keep_fds(message, cmsg) && all;
	return all && !(msg.msg_flags & MSG_CTRUNC) ? n : -E2BIG;
}

/*
 * Framing
 */

/* All of @size bytes, or how many there are before the end; or minus an error. */
static ssize_t receive_all(int sock, struct events *events, void *to, size_t size,
			   struct message *message)
{
	char *bytes = to;
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = receive_some(sock, bytes + done, size - done, message);
		if (!n)
			break;
		if (n > 0)
			done += n;
		else if (n != -EAGAIN && n != -EINTR)
			return n;
		else if (!events_wait(events, sock) && events->stop)
			return -ECANCELED;
	}
	return (ssize_t)done;
}

static enum message_got not_got(ssize_t n, const char **why)
{
	if (n == -ECANCELED)
		return MESSAGE_STOP;
	if (n == -ECONNRESET)
		return MESSAGE_END;
	if (n == -E2BIG)
		*why = "has too many files";
	else if (n < 0)
		*why = because("cannot be received: %s", strerror((int)-n));
	else
		*why = "ends in the middle";
	return MESSAGE_BAD;
}

/* What cannot be told from the header does not count yet. */
static const char *check_header(const struct message *message,
				const struct message_limits *limits)
{
	const struct vhost_user_header *header = &message->header;
	const struct shape *shape = shape_of(header->request);

	if ((header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION)
		return because("has version %u", header->flags & VHOST_USER_VERSION_MASK);
	if (header->flags & VHOST_USER_REPLY)
		return "is a reply, to nothing";
	if (!shape)
		return because("%u is not known", header->request);
	if (shape->needs & ~limits->protocol)
		return "was not negotiated";
	if (header->size > sizeof(message->payload))
		return because("has %u bytes", header->size);
	return NULL;
}

/*
 * Shapes
 */

static size_t size_of(const struct message *message, enum payload payload)
{
	switch (payload) {
	case MEMORY:
		return offsetof(struct vhost_user_memory, regions) +
		       (size_t)message->payload.memory.nr * sizeof(struct vhost_user_region);
	case CONFIG:
		return offsetof(struct vhost_user_config, space) +
		       (size_t)message->payload.config.size;
	default:
		return sizes[payload];
	}
}

__u32 message_index(const struct message *message)
{
	const struct shape *shape = shape_of(message->header.request);

	switch (shape ? shape->payload : NOTHING) {
	case STATE:
		return message->payload.state.index;
	case ADDR:
		return message->payload.addr.index;
	case VRING_FD:
		return message->payload.u64 & VHOST_USER_VRING_INDEX_MASK;
	default:
		return 0;
	}
}

static const char *check_fds(const struct message *message, const struct shape *shape)
{
	unsigned int more = 0;

	if (shape->payload == MEMORY)
		more = message->payload.memory.nr;
	else if (shape->payload == VRING_FD)
		more = !(message->payload.u64 & VHOST_USER_VRING_NOFD);
	if (message->nr_fds >= shape->min_fds + more && message->nr_fds <= shape->max_fds + more)
		return NULL;
	return because("has %u files", message->nr_fds);
}

static const char *check_config(const struct vhost_user_config *config)
{
	if (config->size > VHOST_USER_CONFIG_SIZE ||
	    config->offset > VHOST_USER_CONFIG_SIZE - config->size)
		return "is about more than there is";
	if (config->flags > VHOST_USER_CONFIG_MIGRATION)
		return "has unknown flags";
	return NULL;
}

static const char *check_vring_fd(__u64 u64)
{
	if (u64 & ~(__u64)(VHOST_USER_VRING_INDEX_MASK | VHOST_USER_VRING_NOFD))
		return "has unknown flags";
	return NULL;
}

/* All of it but what the header says. The fixed part of the payload has come. */
static const char *check_payload(const struct message *message,
				 const struct message_limits *limits)
{
	const struct shape *shape = shape_of(message->header.request);
	const char *why = NULL;

	if (message->header.size != size_of(message, shape->payload))
		return because("has %u bytes", message->header.size);
	if (shape->payload == CONFIG)
		why = check_config(&message->payload.config);
	else if (shape->payload == VRING_FD)
		why = check_vring_fd(message->payload.u64);
	if (why)
		return why;
	if (message_index(message) >= limits->queues)
		return because("is about queue %u of %u", message_index(message), limits->queues);
	return check_fds(message, shape);
}

enum message_got message_receive(struct message *message, int sock, struct events *events,
				 const struct message_limits *limits, const char **why)
{
	ssize_t n;

	/* What a short payload does not have is 0. */
	memset(message, 0, sizeof(*message));
	n = receive_all(sock, events, &message->header, sizeof(message->header), message);
	if (!n)
		return MESSAGE_END;
	if (n != sizeof(message->header))
		return not_got(n, why);
	*why = check_header(message, limits);
	if (*why)
		return MESSAGE_BAD;
	n = receive_all(sock, events, &message->payload, message->header.size, NULL);
	if (n != message->header.size)
		return not_got(n, why);
	*why = check_payload(message, limits);
	return *why ? MESSAGE_BAD : MESSAGE_GOT;
}

/*
 * Answers
 */

/* What does not fit into the socket now is for somebody who never reads. */
static int send_all(int sock, const struct vhost_user_header *header, const void *payload)
{
	struct iovec iov[] = {
		{ (void *)header, sizeof(*header) },
		{ (void *)payload, header->size },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == (ssize_t)(sizeof(*header) + header->size) ? 0 : -1;
}

int message_reply(const struct message *message, int sock, size_t size)
{
	struct vhost_user_header header = {
		.request = message->header.request,
		.flags = VHOST_USER_VERSION | VHOST_USER_REPLY,
		.size = size,
	};

	return send_all(sock, &header, &message->payload);
}

int message_request(int sock, __u32 request)
{
	struct vhost_user_header header = { .request = request, .flags = VHOST_USER_VERSION };

	return send_all(sock, &header, NULL);
}
