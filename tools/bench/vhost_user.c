// SPDX-License-Identifier: GPL-2.0-only
/* A disk behind the socket of a vhost-user-blk backend, as qemu-storage-daemon has. */
#include <linux/vhost_types.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring.h"

/* What is needed of docs/interop/vhost-user.rst in QEMU's manual. */
enum {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
	GET_CONFIG = 24,
};

#define VERSION			1
#define F_PROTOCOL_FEATURES	BIT_ULL(30)
#define PROTOCOL_F_MQ		BIT_ULL(0)
#define PROTOCOL_F_CONFIG	BIT_ULL(9)
#define F_MQ			BIT_ULL(12)	/* VIRTIO_BLK_F_MQ */

struct message {
	__u32 request, flags, size;
	union {
		__u64 u64;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct {
			__u32 nregions, padding;
			__u64 gpa, size, user, offset;
		} memory;
		struct {
			__u32 offset, size, flags;
			__u64 capacity;
		} __packed config;
	};
} __packed;

#define HEADER offsetof(struct message, u64)

static struct guest guest;
static int backend;

static const char *say(struct message *message, __u32 request, __u32 size, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = "";
	struct iovec vec = { message, HEADER + size };
	struct msghdr head = { .msg_iov = &vec, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	message->request = request;
	message->flags = VERSION;
	message->size = size;
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
	struct message message = { .u64 = u64 };

	return say(&message, request, sizeof(u64), fd);
}

static const char *say_state(__u32 request, __u32 index, __u32 num)
{
	struct message message = { .state = { index, num } };

	return say(&message, request, sizeof(message.state), -1);
}

static const char *ask(struct message *message, __u32 request, __u32 size)
{
	const char *why = say(message, request, size, -1);
	ssize_t got;

	if (why)
		return why;
	got = recv(backend, message, sizeof(*message), 0);
	return got >= (ssize_t)HEADER && message->request == request ? NULL :
	       "the backend does not answer";
}

/* Features first: what it offers is among what it has to have. */
static const char *negotiate(struct load *load)
{
	__u64 want = RING_FEATURES | F_PROTOCOL_FEATURES | (load->lanes > 1 ? F_MQ : 0);
	struct message message = { 0 };
	const char *why = ask(&message, GET_FEATURES, 0);

	if (!why && (message.u64 & want) != want)
		return "the backend has not all the features that are needed";
	why = why ?: ask(&message, GET_PROTOCOL_FEATURES, 0);
	why = why ?: say_u64(SET_PROTOCOL_FEATURES,
			     message.u64 & (PROTOCOL_F_MQ | PROTOCOL_F_CONFIG), -1);
	why = why ?: say_u64(SET_FEATURES, want, -1);
	why = why ?: say(&message, SET_OWNER, 0, -1);
	message.config.offset = 0;
	message.config.size = sizeof(message.config.capacity);
	message.config.flags = 0;
	why = why ?: ask(&message, GET_CONFIG, sizeof(message.config));
	load->bytes = message.config.capacity << 9;
	return why;
}

static const char *share_memory(void)
{
	struct message message = {
		.memory = { .nregions = 1, .size = guest.size, .user = (unsigned long)guest.mem },
	};

	return say(&message, SET_MEM_TABLE, sizeof(message.memory), guest.memfd);
}

static const char *set_up_queue(__u32 index)
{
	const struct ring *ring = &guest.rings[index];
	struct message message = {
		.addr = {
			.index = index,
			.desc_user_addr = (unsigned long)ring->vring.desc,
			.avail_user_addr = (unsigned long)ring->vring.avail,
			.used_user_addr = (unsigned long)ring->vring.used,
		},
	};
	const char *why = say_state(SET_VRING_NUM, index, ring->num);

	why = why ?: say_state(SET_VRING_BASE, index, 0);
	why = why ?: say(&message, SET_VRING_ADDR, sizeof(message.addr), -1);
	why = why ?: say_u64(SET_VRING_CALL, index, ring->call);
	why = why ?: say_u64(SET_VRING_KICK, index, ring->kick);
	return why ?: say_state(SET_VRING_ENABLE, index, 1);
}

static const char *vhost_user_open(struct load *load)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const char *why;

	if (strlen(load->disk) >= sizeof(at.sun_path))
		return "the path of the socket is too long";
	memcpy(at.sun_path, load->disk, strlen(load->disk));
	backend = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (backend < 0 || connect(backend, (void *)&at, sizeof(at)))
		return load_error("connect to the backend");
	why = negotiate(load);
	why = why ?: ring_make_guest(&guest, load);
	why = why ?: share_memory();
	for (__u32 i = 0; i < load->lanes && !why; i++)
		why = set_up_queue(i);
	return why;
}

static const char *vhost_user_start(struct lane *lane)
{
	lane->own = &guest.rings[lane->index];
	return NULL;
}

const struct target vhost_user_target = {
	.name = "vhost-user",
	.what = "DISK is the socket of a vhost-user-blk backend",
	.open = vhost_user_open,
	.start = vhost_user_start,
	.add = ring_add,
	.go = ring_go,
	.take = ring_take,
};
