/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of /dev/vhost-blk share. */
#ifndef DEVICE_H
#define DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "uapi.h"

#define DEVICE "/dev/vhost-blk"

/* Ends the whole program as skipped if there is nothing to test. */
static inline void need_device(void)
{
	if (!access(DEVICE, R_OK | W_OK))
		return;
	ksft_print_header();
	ksft_exit_skip("%s: %s\n", DEVICE, strerror(errno));
}

/* Set a parameter of the module, for all devices: 0 or an error number. */
static inline int set_parameter(const char *name, unsigned int value)
{
	char path[64], text[16];
	int fd, len, ret;

	snprintf(path, sizeof(path), "/sys/module/vhost_blk/parameters/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	len = snprintf(text, sizeof(text), "%u", value);
	ret = write(fd, text, len) == len ? 0 : errno;
	close(fd);
	return ret;
}

/* Have the worker give back all requests, instead of whoever ends them. */
static inline int set_defer(bool defer)
{
	return set_parameter("defer", defer);
}

/* ioctl(), with 0 or the error number as its result. */
static inline int attempt(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

/* Run @body(@fd) in a child: what it returned, or -1 if it did not return. */
static inline int in_child(int (*body)(int fd), int fd)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(body(fd));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static inline int set_owner(int fd)
{
	return attempt(fd, VHOST_SET_OWNER, NULL);
}

static inline int reset_owner(int fd)
{
	return attempt(fd, VHOST_RESET_OWNER, NULL);
}

/* What the device shows of itself in fdinfo. */
struct state {
	int owned;
	unsigned long long features;
};

/* True if both lines are there. */
static inline bool read_state(int fd, struct state *state)
{
	char path[64], line[128];
	int found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		found += sscanf(line, "vhost-blk-owned: %d", &state->owned) == 1;
		found += sscanf(line, "vhost-blk-features: %llx", &state->features) == 1;
	}
	fclose(file);
	return found == 2;
}

#endif /* DEVICE_H */
