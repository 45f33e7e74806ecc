// SPDX-License-Identifier: GPL-2.0-only
/* A disk behind the socket of a vhost-user-blk backend, as qemu-storage-daemon has. */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../bridge/protocol.h"
#include "ring.h"

/* What is asked for, of what every backend has to have. */
#define FEATURES	(RING_FEATURES | VHOST_USER_BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define PROTOCOL	(VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_MQ) | \
			 VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_CONFIG))

struct message {
	struct vhost_user_header header;
	union vhost_user_payload payload;
} __packed;

#define HEADER	sizeof(struct vhost_user_header)

static int backend;

static const char *say(struct message *message, __u32 request, __u32 size, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = "";
	struct iovec vec = { message, HEADER + size };
	struct msghdr head = { .msg_iov = &vec, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	message->header = (struct vhost_user_header) { request, VHOST_USER_VERSION, size };
	if (fd >= 0) {
		head.msg_control = control;
		head.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&head);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(backend, &head, 0) == (ssize_t)(HEADER + size) ? NULL :
	       load_error("send to the backend");
}

static const char *say_u64(__u32 request, __u64 u64, int fd)
{
	struct message message = { .payload.u64 = u64 };

	return say(&message, request, sizeof(u64), fd);
}

static const char *say_state(__u32 request, __u32 index, __u32 num)
{
	struct message message = { .payload.state = { index, num } };

	return say(&message, request, sizeof(message.payload.state), -1);
}

static bool receive(void *to, size_t size)
{
	return recv(backend, to, size, MSG_WAITALL) == (ssize_t)size;
}

static const char *ask(struct message *message, __u32 request, __u32 size)
{
	const char *why = say(message, request, size, -1);

	if (why)
		return why;
	if (!receive(&message->header, HEADER) || message->header.request != request ||
	    message->header.size > sizeof(*message) - HEADER ||
	    !receive(&message->payload.u64, message->header.size))
		return "the backend does not answer";
	return NULL;
}

/* Features first: what it offers is among what it has to have. */
static const char *negotiate(const struct load *load)
{
	__u64 want = FEATURES | (load->lanes > 1 ? BIT_ULL(VIRTIO_BLK_F_MQ) : 0);
	struct message message = { 0 };
	const char *why = ask(&message, VHOST_USER_GET_FEATURES, 0);

	if (!why && (message.payload.u64 & want) != want)
		return "the backend has not all the features that are needed";
	why = why ?: ask(&message, VHOST_USER_GET_PROTOCOL_FEATURES, 0);
	why = why ?: say_u64(VHOST_USER_SET_PROTOCOL_FEATURES, message.payload.u64 & PROTOCOL, -1);
	why = why ?: say_u64(VHOST_USER_SET_FEATURES, want, -1);
	why = why ?: say(&message, VHOST_USER_SET_OWNER, 0, -1);
	return why;
}

/* The config space begins with the number of sectors. */
static const char *ask_capacity(struct load *load)
{
	__u64 sectors;
	struct message message = { .payload.config = { .size = sizeof(sectors) } };
	const char *why = ask(&message, VHOST_USER_GET_CONFIG,
			      offsetof(struct vhost_user_config, space) + sizeof(sectors));

	memcpy(&sectors, message.payload.config.space, sizeof(sectors));
	load->bytes = sectors << 9;
	return why;
}

static const char *share_memory(void)
{
	const struct guest *guest = ring_guest();
	struct message message = {
		.payload.memory = {
			.nr = 1,
			.regions[0] = { .size = guest->size, .user = (unsigned long)guest->mem },
		},
	};

	return say(&message, VHOST_USER_SET_MEM_TABLE,
		   offsetof(struct vhost_user_memory, regions[1]), guest->memfd);
}

static const char *set_up_queue(__u32 index)
{
	const struct ring *ring = &ring_guest()->rings[index];
	struct message message = { .payload.addr = ring_addresses(index) };
	const char *why = say_state(VHOST_USER_SET_VRING_NUM, index, ring->num);

	why = why ?: say_state(VHOST_USER_SET_VRING_BASE, index, 0);
	why = why ?: say(&message, VHOST_USER_SET_VRING_ADDR, sizeof(message.payload.addr), -1);
	why = why ?: say_u64(VHOST_USER_SET_VRING_CALL, index, ring->call);
	why = why ?: say_u64(VHOST_USER_SET_VRING_KICK, index, ring->kick);
	why = why ?: say_state(VHOST_USER_SET_VRING_ENABLE, index, 1);
	return why;
}

/* A backend may make it non-blocking for itself, and so for us, who wait in read(). */
static const char *make_calls_block(__u32 queues)
{
	struct message message = { 0 };
	const char *why = ask(&message, VHOST_USER_GET_FEATURES, 0);	/* it has read all of it */

	for (__u32 i = 0; i < queues && !why; i++)
		if (fcntl(ring_guest()->rings[i].call, F_SETFL, 0))
			why = load_error("an eventfd");
	return why;
}

static const char *vhost_user_open(struct load *load)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const char *why;

	if (strlen(load->disk) >= sizeof(at.sun_path))
		return "the path of the socket is too long";
	memcpy(at.sun_path, load->disk, strlen(load->disk));
	load->opened = load_now();
	backend = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (backend < 0 || connect(backend, (void *)&at, sizeof(at)))
		return load_error("connect to the backend");
	why = negotiate(load);
	why = why ?: ask_capacity(load);
	why = why ?: ring_make_guest(load);
	why = why ?: share_memory();
	for (__u32 i = 0; i < load->lanes && !why; i++)
		why = set_up_queue(i);
	why = why ?: make_calls_block(load->lanes);
	return why;
}

const struct target vhost_user_target = {
	.name = "vhost-user",
	.what = "DISK is the socket of a vhost-user-blk backend",
	.open = vhost_user_open,
	.start = ring_start,
	.add = ring_add,
	.go = ring_go,
	.take = ring_take,
};
