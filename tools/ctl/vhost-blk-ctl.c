// SPDX-License-Identifier: GPL-2.0-only
/* vhost-blk-ctl: what an operator asks of vhost-blk, at a shell prompt. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vhost_blk.h>

#define DEVICE "/dev/vhost-blk"

enum { DONE, FAILED, MISUSED };

static const char usage[] =
	"usage: vhost-blk-ctl COMMAND [ARGUMENT...]\n"
	"\n"
	"  features [DEVICE]   what the host offers to virtual machines\n"
	"\n"
	"  -h, --help          show this text\n"
	"\n"
	"DEVICE is " DEVICE " if it is not given. The exit status is 0 if all went\n"
	"well, 1 if something went wrong and 2 if the command line is wrong.\n";

/* A bit's name, by its number: headers of any age will do. */
struct bit {
	unsigned int number;
	const char *name;
};

static const struct bit features[] = {
	{ 0, "VIRTIO_BLK_F_BARRIER" },
	{ 1, "VIRTIO_BLK_F_SIZE_MAX" },
	{ 2, "VIRTIO_BLK_F_SEG_MAX" },
	{ 4, "VIRTIO_BLK_F_GEOMETRY" },
	{ 5, "VIRTIO_BLK_F_RO" },
	{ 6, "VIRTIO_BLK_F_BLK_SIZE" },
	{ 7, "VIRTIO_BLK_F_SCSI" },
	{ 9, "VIRTIO_BLK_F_FLUSH" },
	{ 10, "VIRTIO_BLK_F_TOPOLOGY" },
	{ 11, "VIRTIO_BLK_F_CONFIG_WCE" },
	{ 12, "VIRTIO_BLK_F_MQ" },
	{ 13, "VIRTIO_BLK_F_DISCARD" },
	{ 14, "VIRTIO_BLK_F_WRITE_ZEROES" },
	{ 15, "VIRTIO_BLK_F_LIFETIME" },
	{ 16, "VIRTIO_BLK_F_SECURE_ERASE" },
	{ 17, "VIRTIO_BLK_F_ZONED" },
	{ 24, "VIRTIO_F_NOTIFY_ON_EMPTY" },
	{ 26, "VHOST_F_LOG_ALL" },
	{ 27, "VIRTIO_F_ANY_LAYOUT" },
	{ 28, "VIRTIO_RING_F_INDIRECT_DESC" },
	{ 29, "VIRTIO_RING_F_EVENT_IDX" },
	{ 32, "VIRTIO_F_VERSION_1" },
	{ 33, "VIRTIO_F_ACCESS_PLATFORM" },
	{ 34, "VIRTIO_F_RING_PACKED" },
	{ 35, "VIRTIO_F_IN_ORDER" },
	{ 36, "VIRTIO_F_ORDER_PLATFORM" },
	{ 37, "VIRTIO_F_SR_IOV" },
	{ 38, "VIRTIO_F_NOTIFICATION_DATA" },
	{ 40, "VIRTIO_F_RING_RESET" },
	{ 0, NULL }
};

static const struct bit backend_features[] = {
	{ 1, "VHOST_BACKEND_F_IOTLB_MSG_V2" },
	{ 2, "VHOST_BACKEND_F_IOTLB_BATCH" },
	{ 3, "VHOST_BACKEND_F_IOTLB_ASID" },
	{ 4, "VHOST_BACKEND_F_SUSPEND" },
	{ 5, "VHOST_BACKEND_F_RESUME" },
	{ 6, "VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK" },
	{ 7, "VHOST_BACKEND_F_DESC_ASID" },
	{ 8, "VHOST_BACKEND_F_IOTLB_PERSIST" },
	{ 0, NULL }
};

static const char *name_of(const struct bit *bits, unsigned int number)
{
	for (; bits->name; bits++)
		if (bits->number == number)
			return bits->name;
	return "(unknown to this tool)";
}

static void print_mask(const char *title, const struct bit *bits, __u64 mask)
{
	printf("%s: 0x%016llx\n", title, (unsigned long long)mask);
	for (unsigned int number = 0; number < 64; number++)
		if (mask & (1ULL << number))
			printf("  %2u  %s\n", number, name_of(bits, number));
	if (!mask)
		printf("  none\n");
}

static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "load the module: modprobe vhost-blk";
	case EACCES:
		return "join group kvm: adduser USER kvm, as root, then log in again";
	case EPERM:
		return "let this container or cgroup use the device";
	case ENOMEM:
		return "free some of the host's memory";
	default:
		return "name a device that vhost-blk made, such as " DEVICE;
	}
}

/* Say that @what failed with errno, and what to do next. */
static void complain(const char *device, const char *what)
{
	fprintf(stderr, "vhost-blk-ctl: %s: %s: %s; %s\n", device, what,
		strerror(errno), advice(errno));
}

static bool call(const char *device, int fd, unsigned long cmd, const char *name,
		 void *argument)
{
	if (!ioctl(fd, cmd, argument))
		return true;
	complain(device, name);
	return false;
}

#define CALL(device, fd, cmd, argument) call(device, fd, cmd, #cmd, argument)

static int show_features(const char *device)
{
	__u64 offered, backend;
	bool done;
	int fd;

	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		complain(device, "cannot open it");
		return FAILED;
	}
	done = CALL(device, fd, VHOST_SET_OWNER, NULL) &&
	       CALL(device, fd, VHOST_GET_FEATURES, &offered) &&
	       CALL(device, fd, VHOST_GET_BACKEND_FEATURES, &backend);
	close(fd);
	if (!done)
		return FAILED;
	print_mask("features", features, offered);
	print_mask("backend features", backend_features, backend);
	return DONE;
}

static int misused(const char *why)
{
	if (why)
		fprintf(stderr, "vhost-blk-ctl: %s\n", why);
	fputs("try 'vhost-blk-ctl --help'\n", stderr);
	return MISUSED;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};

	switch (getopt_long(argc, argv, "h", options, NULL)) {
	case -1:
		break;
	case 'h':
		fputs(usage, stdout);
		return DONE;
	default:
		return misused(NULL);
	}
	argv += optind;
	argc -= optind;
	if (!argc)
		return misused("a command is missing");
	if (strcmp(argv[0], "features"))
		return misused("there is no such command");
	if (argc > 2)
		return misused("features takes one device");
	return show_features(argc == 2 ? argv[1] : DEVICE);
}
