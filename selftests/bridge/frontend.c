// SPDX-License-Identifier: GPL-2.0-only
/* A frontend of vhost-user that has a guest, and the bridge that serves it. */
#include <dirent.h>
#include <glob.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "../lib/clock.h"
#include "frontend.h"

/*
 * The bridge
 */

#define NOBODY 65534

static void become_bridge(const struct bridge *bridge, char *const *argv, int log)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (getenv("LISTEN_FDS"))
		setenv("LISTEN_PID", pid, 1);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	if (!bridge->nobody)
		execvp(argv[0], argv);
	/* The way to the program may be for root only. */
	else if (!shell("cp \"$(command -v %s)\" " P_tmpdir, argv[0]) && !setgroups(0, NULL) &&
		 !setgid(NOBODY) && !setuid(NOBODY))
		execv(P_tmpdir "/vhost-blk-bridge", argv);
	_exit(127);
}

static int make_log(struct bridge *bridge)
{
	snprintf(bridge->log, sizeof(bridge->log), P_tmpdir "/bridge.%d.log", getpid());
	return open(bridge->log, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

int bridge_run(struct bridge *bridge, char *const *options)
{
	char *argv[32] = { "vhost-blk-bridge" };
	int log = make_log(bridge);

	for (int i = 0; options[i]; i++)
		argv[i + 1] = options[i];
	if (log < 0)
		return errno;
	bridge->pid = fork();
	if (!bridge->pid)
		become_bridge(bridge, argv, log);
	close(log);
	return bridge->pid < 0 ? errno : 0;
}

int bridge_start(struct bridge *bridge, const struct disk *disk, char *const *options)
{
	char *all[32] = { "--socket", bridge->path, "--blk-file", (char *)disk->path,
			  "--log-level", "debug" };
	int ret;

	snprintf(bridge->path, sizeof(bridge->path), P_tmpdir "/bridge.%d.sock", getpid());
	for (int i = 0; options && options[i]; i++)
		all[i + 6] = options[i];
	ret = bridge_run(bridge, all);
	if (ret)
		return ret;
	return BECOMES_TRUE(bridge_said(bridge, "serves ")) ? 0 : ETIMEDOUT;
}

int bridge_wait(struct bridge *bridge)
{
	int status = 0;
	bool ended = BECOMES_TRUE(waitpid(bridge->pid, &status, WNOHANG) == bridge->pid);

	bridge->pid = ended ? 0 : bridge->pid;
	return ended ? status : -1;
}

bool bridge_stop(struct bridge *bridge)
{
	bool good;

	if (!bridge->pid)
		return true;
	kill(bridge->pid, SIGTERM);
	good = bridge_wait(bridge) == 0;
	if (bridge->pid) {
		kill(bridge->pid, SIGKILL);
		waitpid(bridge->pid, NULL, 0);
		bridge->pid = 0;
	}
	return good;
}

int bridge_said(const struct bridge *bridge, const char *what)
{
	FILE *file = fopen(bridge->log, "r");
	char line[512];
	int n = 0;

	while (file && fgets(line, sizeof(line), file))
		n += !!strstr(line, what);
	if (file)
		fclose(file);
	return n;
}

long bridge_status(const struct bridge *bridge, const char *name, int base)
{
	char path[64], line[256];
	size_t length = strlen(name);
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", bridge->pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && line[length] == ':')
			value = strtol(line + length + 1, NULL, base);
	if (file)
		fclose(file);
	return value;
}

int bridge_files(const struct bridge *bridge)
{
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", bridge->pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

int bridge_maps(const struct bridge *bridge)
{
	char path[64], line[512];
	int n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", bridge->pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		n += !!strstr(line, "memfd:");
	if (file)
		fclose(file);
	return n;
}

static bool is_named(const char *path, const char *name)
{
	char line[64] = "";
	FILE *file = fopen(path, "r");

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	return !strncmp(line, name, strlen(name)) && line[strlen(name)] == '\n';
}

int bridge_workers(const struct bridge *bridge)
{
	glob_t found;
	char name[32];
	int n = 0;

	snprintf(name, sizeof(name), "vblk-%d", bridge->pid);
	if (glob("/proc/[0-9]*/task/*/comm", 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++)
		n += is_named(found.gl_pathv[i], name);
	globfree(&found);
	return n;
}

/*
 * Messages
 */

int frontend_connect(struct frontend *frontend, const struct bridge *bridge)
{
	const struct timeval limit = { .tv_sec = LIMIT_MS / 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", bridge->path);
	frontend->protocol = 0;
	frontend->features = 0;
	frontend->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (frontend->sock < 0)
		return errno;
	setsockopt(frontend->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(frontend->sock, (struct sockaddr *)&address, sizeof(address)))
		return errno;
	return 0;
}

int frontend_send(struct frontend *frontend, __u32 request, __u32 flags, const void *payload,
		  __u32 size, const int *fds, int nr)
{
	union {
		char room[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr head;
	} control = {};
	__u32 header[] = { request, flags, size };
	struct iovec iov[] = { { header, sizeof(header) }, { (void *)payload, size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = payload ? 2 : 1 };

	if (nr) {
		struct cmsghdr *cmsg = &control.head;

		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	}
	return sendmsg(frontend->sock, &msg, MSG_NOSIGNAL) < 0 ? errno : 0;
}

int frontend_receive(struct frontend *frontend, __u32 request, void *payload, __u32 *size)
{
	__u32 header[3];
	ssize_t n = recv(frontend->sock, header, sizeof(header), MSG_WAITALL);
	bool good;

	if (n != sizeof(header))
		return n < 0 && errno != ECONNRESET ? errno : EPIPE;
	good = header[0] == request && header[1] == (VERSION_1 | IS_REPLY) && header[2] <= *size;
	*size = good ? header[2] : 0;
	n = recv(frontend->sock, payload, *size, MSG_WAITALL);
	return !good ? EBADMSG : n == (ssize_t)*size ? 0 : EPIPE;
}

int frontend_tell(struct frontend *frontend, __u32 request, const void *payload, __u32 size,
		  const int *fds, int nr)
{
	bool ack = frontend->protocol & P_REPLY_ACK;
	__u32 got = sizeof(__u64);
	__u64 result = 0;
	int ret;

	ret = frontend_send(frontend, request, VERSION_1 | (ack ? NEED_REPLY : 0), payload, size,
			    fds, nr);
	if (!ret && ack)
		ret = frontend_receive(frontend, request, &result, &got);
	return ret ?: result ? EPROTO : 0;
}

int frontend_tell_u64(struct frontend *frontend, __u32 request, __u64 u64)
{
	return frontend_tell(frontend, request, &u64, sizeof(u64), NULL, 0);
}

int frontend_tell_state(struct frontend *frontend, __u32 request, __u32 index, __u32 num)
{
	struct vu_state state = { index, num };

	return frontend_tell(frontend, request, &state, sizeof(state), NULL, 0);
}

int frontend_ask(struct frontend *frontend, __u32 request, __u64 *u64)
{
	int ret = frontend_send(frontend, request, VERSION_1, NULL, 0, NULL, 0);
	__u32 size = sizeof(*u64);

	return ret ? ret : frontend_receive(frontend, request, u64, &size);
}

bool frontend_is_closed(struct frontend *frontend)
{
	char byte;
	ssize_t n = recv(frontend->sock, &byte, 1, 0);

	return !n || (n < 0 && errno == ECONNRESET);
}

/*
 * The guest
 */

static const struct {
	__u64 gpa;
	long size;
	long offset;
} layout[GUEST_REGIONS] = {
	[LOW] = { GUEST_LOW, 16 * MIB, 0 },
	[MAIN] = { GUEST_MAIN, GUEST_NEXT - GUEST_MAIN, 0 },
	[NEXT] = { GUEST_NEXT, 64 * MIB, 3 * PAGE },
	[HIGH] = { GUEST_HIGH, 16 * MIB, MIB },
};

/* With a page around it that cannot be accessed, as guest_close() wants it. */
static int map_region(struct frontend *frontend, int i)
{
	struct guest_region *region = &frontend->guest.regions[i];
	char *mem;

	region->gpa = layout[i].gpa;
	region->size = layout[i].size;
	frontend->offset[i] = layout[i].offset;
	frontend->memory[i] = memfd_create("guest", MFD_CLOEXEC);
	if (ftruncate(frontend->memory[i], layout[i].size + layout[i].offset))
		return errno;
	mem = mmap(NULL, region->size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return errno;
	mem = mmap(mem + PAGE, region->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   frontend->memory[i], layout[i].offset);
	if (mem == MAP_FAILED)
		return errno;
	region->mem = mem;
	return 0;
}

static int make_queue(struct frontend *frontend, __u32 index)
{
	struct guest *guest = &frontend->guest;
	struct guest_queue *queue = &guest->queues[index];
	size_t left;

	queue->guest = guest;
	queue->index = index;
	queue->num = 256;
	queue->kick = eventfd(0, EFD_CLOEXEC);
	queue->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->ring_size = drv_ring_size(queue->num);
	left = queue->ring_size;
	queue->ring = guest_at(guest, guest->low, &left);
	guest->low += (left + PAGE - 1) / PAGE * PAGE;
	guest->nr_queues++;
	return guest_new_ring(queue);
}

static int make_guest(struct frontend *frontend, __u32 queues)
{
	struct guest *guest = &frontend->guest;
	int ret = 0;

	memset(guest, 0, sizeof(*guest));
	guest->fd = -1;
	guest->features = frontend->features;
	guest->low = GUEST_LOW;
	guest->top = GUEST_MAIN;
	for (int i = 0; i < GUEST_REGIONS && !ret; i++)
		ret = map_region(frontend, i);
	for (__u32 i = 0; i < queues && !ret; i++)
		ret = make_queue(frontend, i);
	return ret;
}

struct vu_region frontend_region(const struct frontend *frontend, int i)
{
	const struct guest_region *region = &frontend->guest.regions[i];

	return (struct vu_region) {
		.guest = region->gpa,
		.size = region->size,
		.user = USER(region->mem),
		.offset = frontend->offset[i],
	};
}

int frontend_set_table(struct frontend *frontend)
{
	struct vu_table table = { .nr = GUEST_REGIONS };

	for (int i = 0; i < GUEST_REGIONS; i++)
		table.regions[i] = frontend_region(frontend, i);
	return frontend_tell(frontend, SET_MEM_TABLE, &table, 8 + GUEST_REGIONS * 32,
			     frontend->memory, GUEST_REGIONS);
}

static int tell_eventfd(struct frontend *frontend, __u32 request, __u32 index, int fd)
{
	__u64 u64 = index;

	return frontend_tell(frontend, request, &u64, sizeof(u64), &fd, 1);
}

static int tell_addr(struct frontend *frontend, const struct guest_queue *queue)
{
	const struct vu_addr addr = {
		.index = queue->index,
		.desc = USER(queue->drv.desc),
		.avail = USER(queue->drv.avail),
		.used = USER(queue->drv.used),
	};

	return frontend_tell(frontend, SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

int frontend_set_up_queue(struct frontend *frontend, struct guest_queue *queue)
{
	return frontend_tell_state(frontend, SET_VRING_NUM, queue->index, queue->num) ?:
	       frontend_tell_state(frontend, SET_VRING_BASE, queue->index,
				   (__u16)queue->drv.taken) ?:
	       tell_addr(frontend, queue) ?:
	       tell_eventfd(frontend, SET_VRING_KICK, queue->index, queue->kick) ?:
	       tell_eventfd(frontend, SET_VRING_CALL, queue->index, queue->call) ?:
	       tell_eventfd(frontend, SET_VRING_ERR, queue->index, queue->err);
}

int frontend_negotiate(struct frontend *frontend, __u64 protocol)
{
	__u64 offered = 0;
	int ret;

	ret = frontend_ask(frontend, GET_FEATURES, &frontend->features) ?:
	      frontend_ask(frontend, GET_PROTOCOL_FEATURES, &offered) ?:
	      frontend_tell_u64(frontend, SET_PROTOCOL_FEATURES, offered & protocol);
	if (ret)
		return ret;
	frontend->protocol = offered & protocol;
	return frontend_tell(frontend, SET_OWNER, NULL, 0, NULL, 0) ?:
	       frontend_tell_u64(frontend, SET_FEATURES, frontend->features);
}

int frontend_set_up(struct frontend *frontend, __u32 queues)
{
	int ret = make_guest(frontend, queues) ?: frontend_set_table(frontend);

	for (__u32 i = 0; i < queues && !ret; i++)
		ret = frontend_set_up_queue(frontend, &frontend->guest.queues[i]);
	return ret;
}

int frontend_enable(struct frontend *frontend, __u32 index, bool enable)
{
	return frontend_tell_state(frontend, SET_VRING_ENABLE, index, enable);
}

int frontend_enable_all(struct frontend *frontend)
{
	int ret = 0;

	for (__u32 i = 0; i < frontend->guest.nr_queues && !ret; i++)
		ret = frontend_enable(frontend, i, true);
	return ret;
}

int frontend_begin(struct frontend *frontend, const struct bridge *bridge, __u32 queues)
{
	return frontend_connect(frontend, bridge) ?: frontend_negotiate(frontend, P_ALL) ?:
	       frontend_set_up(frontend, queues) ?: frontend_enable_all(frontend);
}

void frontend_disconnect(struct frontend *frontend)
{
	if (frontend->sock > 0)
		close(frontend->sock);
	frontend->sock = -1;
}

void frontend_end(struct frontend *frontend)
{
	frontend_disconnect(frontend);
	if (!frontend->guest.nr_queues)
		return;
	guest_close(&frontend->guest);
	for (int i = 0; i < GUEST_REGIONS; i++)
		close(frontend->memory[i]);
}
