// SPDX-License-Identifier: GPL-2.0-only
/* The device that the kernel has. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "device.h"

static int kernel_open(void)
{
	int fd = open("/dev/vhost-blk", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int kernel_ioctl(int fd, unsigned long cmd, void *argument)
{
	return ioctl(fd, cmd, argument) ? -errno : 0;
}

const struct kernel_ops kernel_ops = {
	.open = kernel_open,
	.ioctl = kernel_ioctl,
};
