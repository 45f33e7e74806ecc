// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole connections of a hostile frontend: any messages with any files, in any order,
 * with a kernel that may refuse anything.
 *
 * The kernel here is a model of the rules that device.c has to keep: it ends the
 * program if it is told of memory that is not mapped, if memory is unmapped that it
 * still knows, or if it is asked for what it does not allow. After each connection no
 * file and no map may be left.
 *
 * An input is a sequence of records; what it says is taken from it byte by byte, and
 * is 0 where it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "log.h"
#include "../macros.h"
#include "message.h"
#include "session.h"

#define MESSAGES	48	/* at most, so that all of them fit into a socket */
#define MAPS		1024
#define QUEUES		4

static __printf(1, 2) __noreturn void fail(const char *format, ...)
{
	va_list args;

	fputs("the bridge is wrong: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/*
 * What is read from the input
 */

static const __u8 *at, *end;

static __u8 byte(void)
{
	return at < end ? *at++ : 0;
}

/* Numbers that mean something, and some that do not. */
#define BASE 0x4000000000ULL

static __u64 value(void)
{
	static const __u64 values[] = {
		0, 1, 2, 3, 4, 8, 16, 128, 256, 4096, 8192, 32768, 65535, 65536, 1 << 20, 1 << 30,
		BASE, BASE + 4096, BASE + 8192, BASE + 12288, BASE + 65536 - 16, BASE + 65536,
		2 * BASE, 3 * BASE, 1ULL << 31, 1ULL << 32, 1ULL << 40, 1ULL << 62, 1ULL << 63,
		~0ULL, ~0ULL - 4095, ~0ULL << 16,
	};
	__u8 what = byte();
	__u64 number = values[what % 32];

	if (what & 0x20)
		number += byte() * 16;
	if (what & 0x40)
		number -= byte();
	return number;
}

/*
 * Files to send
 */

enum { SMALL, LARGE, EMPTY, EVENT, OTHER_EVENT, SOCKET, DEVICE, PIPE, FILES };

static int files[FILES];

static int memory_file(off_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size))
		abort();
	return fd;
}

/*
 * Maps
 */

static struct {
	char *at;
	size_t len;
} maps[MAPS];

static unsigned int nr_maps;

static bool is_mapped(__u64 at, __u64 len)
{
	for (unsigned int i = 0; i < nr_maps; i++) {
		__u64 begin = (unsigned long)maps[i].at;

		if (at >= begin && at - begin < maps[i].len && len <= maps[i].len - (at - begin))
			return true;
	}
	return false;
}

void *fuzz_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	void *map = mmap(at, len, protection, flags, fd, offset);

	if (map != MAP_FAILED) {
		if (nr_maps == MAPS)
			fail("too many maps");
		maps[nr_maps].at = map;
		maps[nr_maps++].len = len;
	}
	return map;
}

/*
 * The kernel
 */

static struct {
	int fd;			/* -1: closed */
	bool owned, attached;
	unsigned int calls, fails_at;
	__u32 workers;
	unsigned int nr;
	struct vhost_memory_region regions[MEMORY_SLOTS];
	struct {
		__u32 num;
		bool has_addr, runs;
		struct vhost_vring_addr addr;
	} queues[DEVICE_QUEUES];
} kernel;

int fuzz_munmap(void *at, size_t len)
{
	bool closed = fcntl(kernel.fd, F_GETFD) < 0;
	unsigned int i;

	for (i = 0; i < kernel.nr && !closed; i++)
		if (kernel.regions[i].userspace_addr - (unsigned long)at < len)
			fail("memory is unmapped that the kernel knows");
	for (i = 0; i < nr_maps && maps[i].at != at; i++)
		;
	if (i == nr_maps || maps[i].len != len)
		fail("what is unmapped was not mapped");
	maps[i] = maps[--nr_maps];
	return munmap(at, len);
}

static int fake_open(void)
{
	unsigned int fails_at = kernel.fails_at;

	memset(&kernel, 0, sizeof(kernel));
	kernel.fails_at = fails_at;
	kernel.fd = dup(files[DEVICE]);
	return kernel.fd;
}

static int set_table(const struct vhost_memory *memory)
{
	for (__u32 i = 0; i < memory->nregions; i++)
		if (!is_mapped(memory->regions[i].userspace_addr, memory->regions[i].memory_size))
			fail("the kernel is told of memory that is not there");
	kernel.nr = memory->nregions;
	memcpy(kernel.regions, memory->regions, kernel.nr * sizeof(kernel.regions[0]));
	return 0;
}

static int set_addr(const struct vhost_vring_addr *addr)
{
	__u64 num = kernel.queues[addr->index].num;

	if (kernel.queues[addr->index].runs)
		fail("the address of a ring that runs is changed");
	if (!is_mapped(addr->desc_user_addr, 16 * num) ||
	    !is_mapped(addr->avail_user_addr, 6 + 2 * num) ||
	    !is_mapped(addr->used_user_addr, 6 + 8 * num))
		fail("a ring is where there is no memory");
	kernel.queues[addr->index].addr = *addr;
	kernel.queues[addr->index].has_addr = true;
	return 0;
}

static int set_backend(int fd)
{
	kernel.attached = fd >= 0;
	for (int i = 0; i < QUEUES; i++) {
		kernel.queues[i].runs = fd >= 0 && kernel.queues[i].has_addr;
		if (kernel.queues[i].runs &&
		    !is_mapped(kernel.queues[i].addr.desc_user_addr, 16 * kernel.queues[i].num))
			fail("a ring starts where there is no memory any more");
	}
	return 0;
}

/* An eventfd has no type of file. */
static int set_file(const struct vhost_vring_file *file)
{
	struct stat stat;

	if (file->fd < 0)
		return 0;
	if (fstat(file->fd, &stat))
		fail("the kernel is given a file that is closed");
	return (stat.st_mode & S_IFMT) ? -EINVAL : 0;
}

static int get_config(struct vhost_blk_config *config)
{
	config->features = 0xffffff;
	memset(config->space, 0x5a, sizeof(config->space));
	return 0;
}

static int reset_owner(void)
{
	if (!kernel.owned)
		fail("what has no owner is reset");
	memset(kernel.queues, 0, sizeof(kernel.queues));
	kernel.owned = false;
	kernel.attached = false;
	kernel.nr = 0;
	kernel.workers = 0;
	return 0;
}

static int set_owner(void)
{
	if (kernel.owned)
		fail("there is an owner already");
	kernel.owned = true;
	return 0;
}

static int set_state(unsigned long cmd, const struct vhost_vring_state *state)
{
	if (kernel.queues[state->index].runs)
		fail("a ring that runs is changed");
	if (cmd == VHOST_SET_VRING_NUM)
		kernel.queues[state->index].num = state->num;
	return 0;
}

static int get_base(struct vhost_vring_state *state)
{
	kernel.queues[state->index].runs = false;
	kernel.queues[state->index].has_addr = false;
	state->num = 7;
	return 0;
}

static int fake_ioctl(int fd, unsigned long cmd, void *argument)
{
	if (fd != kernel.fd)
		fail("an ioctl for something else");
	if (++kernel.calls == kernel.fails_at)
		return -ENOMEM;
	/* VHOST_SET_VRING_NUM to _BUSYLOOP_TIMEOUT: what begins with the index of a queue. */
	if (_IOC_NR(cmd) >= 0x10 && _IOC_NR(cmd) < 0x24 && *(__u32 *)argument >= QUEUES)
		fail("there is no such queue");
	switch (cmd) {
	case VHOST_SET_OWNER:
		return set_owner();
	case VHOST_RESET_OWNER:
		return reset_owner();
	case VHOST_GET_FEATURES:
		*(__u64 *)argument = 0x173ffffff;
		return 0;
	case VHOST_SET_FEATURES:
		return kernel.attached ? -EBUSY : 0;
	case VHOST_SET_MEM_TABLE:
		return set_table(argument);
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
		return set_state(cmd, argument);
	case VHOST_GET_VRING_BASE:
		return get_base(argument);
	case VHOST_SET_VRING_ADDR:
		return set_addr(argument);
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		return set_file(argument);
	case VHOST_NEW_WORKER:
		((struct vhost_worker_state *)argument)->worker_id = ++kernel.workers;
		return 0;
	case VHOST_BLK_GET_CONFIG:
		return get_config(argument);
	case VHOST_BLK_SET_BACKEND:
		return set_backend(((struct vhost_vring_file *)argument)->fd);
	default:
		return 0;
	}
}

static const struct kernel_ops fake_ops = { fake_open, fake_ioctl };

/*
 * The frontend
 */

static void send_message(int sock, __u32 request, __u32 flags, __u32 says, const void *payload,
			 __u32 size, const int *fds, unsigned int nr)
{
	char control[CMSG_SPACE(12 * sizeof(int))] __aligned(8) = {};
	__u32 header[] = { request, flags, says };
	struct iovec iov[] = { { header, sizeof(header) }, { (void *)payload, size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct cmsghdr *cmsg = (void *)control;

	if (nr) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	}
	sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_u64(int sock, __u32 request, __u64 u64, int fd)
{
	send_message(sock, request, 1, sizeof(u64), &u64, sizeof(u64), &fd, fd >= 0);
}

static void send_state(int sock, __u32 request, __u32 index, __u32 num)
{
	const __u32 state[] = { index, num };

	send_message(sock, request, 1, sizeof(state), state, sizeof(state), NULL, 0);
}

/* A ring as it should be, with its descriptors anywhere. */
static void send_ring(int sock, __u32 index, __u64 desc)
{
	const struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = desc,
		.avail_user_addr = BASE + 4096,
		.used_user_addr = BASE + 8192,
	};

	send_state(sock, VHOST_USER_SET_VRING_NUM, index, 128);
	send_message(sock, VHOST_USER_SET_VRING_ADDR, 1, sizeof(addr), &addr, sizeof(addr),
		     NULL, 0);
	send_u64(sock, VHOST_USER_SET_VRING_KICK, index, files[EVENT]);
	send_state(sock, VHOST_USER_SET_VRING_ENABLE, index, 1);
}

/* What a good frontend says at first, as far as this one does. */
static void send_begin(int sock, __u8 what)
{
	const struct vhost_user_memory table = { 1, 0, { { 0, 65536, BASE, 0 } } };

	if (what & 1)
		send_u64(sock, VHOST_USER_SET_PROTOCOL_FEATURES, 0x1a229, -1);
	if (what & 2)
		send_u64(sock, VHOST_USER_SET_FEATURES, 1ULL << 30 | 1ULL << 32, -1);
	if (what & 4)
		send_message(sock, VHOST_USER_SET_MEM_TABLE, 1, 40, &table, 40, &files[SMALL], 1);
	for (__u32 i = 0; i < QUEUES; i++)
		if (what & 16 << i)
			send_ring(sock, i, BASE);
}

/* A payload of fields of 64 bits, or of two of 32 in the first of them. */
static __u32 make_payload(__u64 *payload, __u8 how)
{
	__u32 fields = how & 15, *first = (__u32 *)payload;

	for (__u32 i = 0; i < fields; i++)
		payload[i] = value();
	if (how & 16 && fields) {
		first[0] = how & 64 ? value() : byte() & 15;
		first[1] = value();
	}
	return fields * 8 + (how & 32 ? byte() & 15 : 0);
}

/* A part of the configuration space, anywhere, of a size that agrees with itself. */
static void send_config(int sock, __u32 request, __u32 size)
{
	struct vhost_user_config config = { .offset = value(), .size = size };

	size += offsetof(struct vhost_user_config, space);
	send_message(sock, request, 1, size, &config, size, NULL, 0);
}

static void send_any(int sock)
{
	__u8 request = byte(), flags = byte(), how = byte(), with = byte();
	__u64 payload[40] = {};
	__u32 size = make_payload(payload, how), says = size;
	int fds[12] = {}, nr = with & 3;

	if (request % 48 == 47) {
		send_ring(sock, flags % QUEUES, payload[0]);
		return;
	}
	if (request % 48 == 46) {
		send_config(sock, VHOST_USER_GET_CONFIG + flags % 2, with);
		return;
	}
	if (nr == 3)
		nr = with >> 4 & 15;
	nr = nr > 12 ? 12 : nr;
	for (int i = 0; i < nr; i++)
		fds[i] = files[i ? byte() % FILES : (with >> 2) % FILES];
	if (flags & 0x10)
		says = value();
	if (flags & 0x20)
		size /= 2;
	send_message(sock, request % 48, (flags & 1 ? 8 : 0) | (flags & 2 ? flags >> 6 : 1), says,
		     payload, size, fds, nr);
}

/*
 * All of it
 */

int fuzz_begin(int *argc, char ***argv)
{
	int pair[2];

	(void)argc;
	(void)argv;
	log_level = LOG_NOTHING;
	files[SMALL] = memory_file(65536);
	files[LARGE] = memory_file(1LL << 32);
	files[EMPTY] = memory_file(0);
	files[EVENT] = eventfd(0, EFD_CLOEXEC);
	files[OTHER_EVENT] = eventfd(0, EFD_CLOEXEC);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	files[SOCKET] = pair[0];
	files[DEVICE] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (pipe2(pair, O_CLOEXEC))
		abort();
	files[PIPE] = pair[0];
	return 0;
}

/* Which of the first 64 files are open. */
static __u64 open_files(void)
{
	__u64 open = 0;

	for (int fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			open |= 1ULL << fd;
	return open;
}

static void check_leaks(__u64 before)
{
	__u64 now = open_files();

	if (nr_maps)
		fail("%u maps are left", nr_maps);
	if (now != before)
		fail("files are open: %llx, before %llx", now, before);
}

int fuzz(const __u8 *data, size_t size)
{
	struct device_setup setup = { .kernel = &fake_ops, .queues = QUEUES, .workers = 2 };
	struct events events = { .signals = -1 };
	__u64 before = open_files();
	int pair[2];

	at = data;
	end = data + size;
	kernel.fails_at = byte();
	setup.disk = files[DEVICE];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	send_begin(pair[0], byte());
	for (int i = 0; i < MESSAGES && at < end; i++)
		send_any(pair[0]);
	shutdown(pair[0], SHUT_WR);
	session_run(pair[1], &events, &setup);
	close(pair[0]);
	close(pair[1]);
	check_leaks(before);
	return 0;
}
