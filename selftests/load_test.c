// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load and unload the module, again and again, with the device used in between.
 *
 * VHOST_BLK_KO: the module's file; without it, modprobe finds vhost-blk.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/device.h"

#define ROUNDS	100
#define MODULE	"/sys/module/vhost_blk"

static bool exists(const char *path)
{
	struct stat stat_buf;

	return !stat(path, &stat_buf);
}

static bool loaded(void)
{
	return exists(MODULE) && exists(DEVICE);
}

static bool gone(void)
{
	return !exists(MODULE) && !exists(DEVICE);
}

/* What it says goes to @fd: on standard output there are results only. */
static int modprobe(int fd)
{
	dup2(fd, STDOUT_FILENO);
	return execlp("modprobe", "modprobe", "vhost-blk", NULL);
}

static bool load(void)
{
	const char *ko = getenv("VHOST_BLK_KO");
	bool done;
	int fd;

	if (!ko)
		return !in_child(modprobe, STDERR_FILENO) && loaded();
	fd = open(ko, O_RDONLY | O_CLOEXEC);
	done = fd >= 0 && !syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return done && loaded();
}

static int unload(void)
{
	return syscall(SYS_delete_module, "vhost_blk", O_NONBLOCK) ? errno : 0;
}

/* An open, an ioctl with its answer checked, a close. */
static bool works(void)
{
	__u64 features = 0;
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	int error = attempt(fd, VHOST_GET_FEATURES, &features);

	return !close(fd) && !error && features;
}

static bool goes_round(void)
{
	int round;

	for (round = 1; round <= ROUNDS; round++) {
		if (load() && works() && !unload() && gone())
			continue;
		ksft_print_msg("in round %d: %s\n", round, strerror(errno));
		return false;
	}
	return true;
}

static bool in_use(void)
{
	char count[16] = "";
	int fd = open(MODULE "/refcnt", O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, count, sizeof(count) - 1);

	close(fd);
	return size <= 0 || strtol(count, NULL, 10);
}

/* What keeps this machine from running the test, or NULL. */
static const char *obstacle(void)
{
	if (geteuid())
		return "only root can load modules";
	if (!exists(MODULE "/refcnt"))
		return "vhost-blk is not here as a module";
	if (in_use())
		return DEVICE " is in use";
	return NULL;
}

int main(void)
{
	int fd;

	need_device();
	ksft_print_header();
	if (obstacle())
		ksft_exit_skip("%s\n", obstacle());
	ksft_set_plan(5);

	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	ksft_test_result(fd >= 0 && unload() == EWOULDBLOCK && loaded() && works(),
			 "is not unloaded while the device is open\n");
	close(fd);
	ksft_test_result(!unload() && gone(), "is unloaded when it is closed\n");
	ksft_test_result(goes_round(), "is loaded, used and unloaded %d times\n", ROUNDS);
	ksft_test_result(load() && works(), "is loaded again\n");
	ksft_test_result(!in_use(), "is not in use at the end\n");
	ksft_finished();
}
