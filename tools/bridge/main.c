// SPDX-License-Identifier: GPL-2.0-only
/* vhost-blk-bridge: has a disk served by /dev/vhost-blk to a VMM that speaks vhost-user. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_blk.h>

#include "log.h"
#include "../macros.h"
#include "sandbox.h"
#include "server.h"

#ifndef VERSION
#define VERSION "unreleased"
#endif

enum { DONE, FAILED, MISUSED };

static const char usage[] =
	"usage: vhost-blk-bridge --socket PATH --blk-file PATH [OPTION...]\n"
	"\n"
	"Serves a disk to a virtual machine monitor that speaks vhost-user, as QEMU does.\n"
	"The requests of its guest go to /dev/vhost-blk in the kernel and not to here.\n"
	"\n"
	"where to listen, one of:\n"
	"      --socket PATH         a socket to make (--socket-path is the same)\n"
	"      --fd N                one that is open, connected or listening; that of\n"
	"                            socket activation (LISTEN_FDS) needs no option\n"
	"the disk, one of:\n"
	"      --blk-file PATH       a block device\n"
	"      --blk-fd N            one that is open\n"
	"\n"
	"      --read-only           the guest may not write\n"
	"      --serial TEXT         the disk's name for the guest, 20 bytes at most\n"
	"      --num-queues N        offer N queues, 1 to 256 (256)\n"
	"      --workers N           threads to serve them with, 1 to 256 (1)\n"
	"      --poll-us N           microseconds that these look for more before they\n"
	"                            sleep, 0 to 10000 (32)\n"
	"      --once                end when the first frontend leaves\n"
	"      --log-level LEVEL     error, info or debug (info)\n"
	"      --print-capabilities  tell management software what this is\n"
	"  -h, --help                show this text\n"
	"  -V, --version             show the version\n"
	"\n"
	"SIGHUP tells the frontend that the disk has changed, SIGTERM ends. The exit status\n"
	"is 0 if all went well, 1 if something went wrong and 2 if the command line is wrong.\n";

/* QEMU's docs/interop/vhost-user.json: VhostUserBackendCapabilities */
static const char capabilities[] =
	"{\n"
	"  \"type\": \"block\",\n"
	"  \"features\": [\n"
	"    \"read-only\",\n"
	"    \"blk-file\"\n"
	"  ]\n"
	"}\n";

struct options {
	const char *socket;
	int fd;
	const char *blk_file;
	int blk_fd;
	bool once;
	struct device_setup device;
};

static __noreturn void misused(const char *why)
{
	fprintf(stderr, "vhost-blk-bridge: %s; try --help\n", why);
	exit(MISUSED);
}

static __noreturn void fail(const char *why)
{
	log_error("%s", why);
	exit(FAILED);
}

static int parse_number(const char *option, const char *text, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max)
		misused(because("--%s takes a number from %ld to %ld, not '%s'", option, min, max,
				text));
	return (int)n;
}

enum {
	OPTION_SOCKET = 1, OPTION_FD, OPTION_BLK_FILE, OPTION_BLK_FD, OPTION_READ_ONLY,
	OPTION_SERIAL, OPTION_NUM_QUEUES, OPTION_WORKERS, OPTION_POLL_US, OPTION_ONCE,
	OPTION_LOG_LEVEL, OPTION_PRINT_CAPABILITIES,
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "socket-path", required_argument, NULL, OPTION_SOCKET },
	{ "fd", required_argument, NULL, OPTION_FD },
	{ "blk-file", required_argument, NULL, OPTION_BLK_FILE },
	{ "blk-fd", required_argument, NULL, OPTION_BLK_FD },
	{ "read-only", no_argument, NULL, OPTION_READ_ONLY },
	{ "serial", required_argument, NULL, OPTION_SERIAL },
	{ "num-queues", required_argument, NULL, OPTION_NUM_QUEUES },
	{ "workers", required_argument, NULL, OPTION_WORKERS },
	{ "poll-us", required_argument, NULL, OPTION_POLL_US },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
	{ "print-capabilities", no_argument, NULL, OPTION_PRINT_CAPABILITIES },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

static void set_log_level(const char *name)
{
	int level = log_level_of(name);

	if (level < 0)
		misused(because("--log-level takes error, info or debug, not '%s'", name));
	log_level = level;
}

static void set_option(struct options *options, int option)
{
	switch (option) {
	case OPTION_SOCKET:
		options->socket = optarg;
		break;
	case OPTION_FD:
		options->fd = parse_number("fd", optarg, 0, 1 << 20);
		break;
	case OPTION_BLK_FILE:
		options->blk_file = optarg;
		break;
	case OPTION_BLK_FD:
		options->blk_fd = parse_number("blk-fd", optarg, 0, 1 << 20);
		break;
	case OPTION_READ_ONLY:
		options->device.read_only = true;
		break;
	case OPTION_SERIAL:
		if (strlen(optarg) > VIRTIO_BLK_ID_BYTES)
			misused("--serial takes 20 bytes at most");
		options->device.serial = optarg;
		break;
	case OPTION_NUM_QUEUES:
		options->device.queues = parse_number("num-queues", optarg, 1, DEVICE_QUEUES);
		break;
	case OPTION_WORKERS:
		options->device.workers = parse_number("workers", optarg, 1, DEVICE_WORKERS);
		break;
	case OPTION_POLL_US:
		options->device.poll_us = parse_number("poll-us", optarg, 0, 10000);
		break;
	case OPTION_ONCE:
		options->once = true;
		break;
	case OPTION_LOG_LEVEL:
		set_log_level(optarg);
		break;
	case 'h':
		fputs(usage, stdout);
		exit(DONE);
	case 'V':
		puts("vhost-blk-bridge " VERSION);
		exit(DONE);
	default:
		misused("there is no such option, or its argument is missing");
	}
}

/* sd_listen_fds(3): the file that whoever started us listens on, or -1. */
static int activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!pid || !n || strtol(pid, NULL, 10) != getpid())
		return -1;
	if (strcmp(n, "1"))
		misused("socket activation has more than one socket");
	return 3;
}

static void check_options(struct options *options)
{
	if (options->socket && options->fd >= 0)
		misused("--socket and --fd exclude each other");
	if (!options->socket && options->fd < 0)
		options->fd = activated();
	if (!options->socket && options->fd < 0)
		misused("where to listen is missing: --socket PATH or --fd N");
	if (options->blk_file && options->blk_fd >= 0)
		misused("--blk-file and --blk-fd exclude each other");
	if (!options->blk_file && options->blk_fd < 0)
		misused("the disk is missing: --blk-file PATH or --blk-fd N");
}

static void parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options) {
		.fd = -1,
		.blk_fd = -1,
		.device = { .kernel = &kernel_ops, .queues = DEVICE_QUEUES, .workers = 1,
			    .poll_us = DEVICE_POLL_US },
	};
	/* "Backend program conventions": with it, others should be ignored. */
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--print-capabilities")) {
			fputs(capabilities, stdout);
			exit(DONE);
		}
	}
	opterr = 0;
	while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		if (option == '?')
			misused(because("'%s': there is no such option, or its argument is missing",
					argv[optind - 1]));
		set_option(options, option);
	}
	if (optind < argc)
		misused(because("'%s' is not an option", argv[optind]));
	check_options(options);
}

/* Whether the guest may write is for the kernel to know from how the file was opened. */
static int open_disk(const struct options *options)
{
	int flags = (options->device.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	const char *path = options->blk_file;
	char link[32];
	int fd;

	if (!path) {
		fcntl(options->blk_fd, F_SETFD, FD_CLOEXEC);
		if (!options->device.read_only)
			return options->blk_fd;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", options->blk_fd);
		path = link;
	}
	fd = open(path, flags);
	if (fd < 0)
		fail(because("%s: %s", path, strerror(errno)));
	return fd;
}

static const char *name_of_disk(const struct options *options)
{
	return options->blk_file ?: "the disk";
}

static void set_up(struct options *options, struct server *server, struct events *events)
{
	struct vhost_blk_config config;
	__u64 features;
	const char *why;
	char said[256];

	options->device.disk = open_disk(options);
	why = device_probe(&options->device, &features, &config);
	if (why) {
		snprintf(said, sizeof(said), "%s", why);
		fail(because("%s cannot be served: %s", name_of_disk(options), said));
	}
	why = options->socket ? server_listen(server, options->socket) :
				server_adopt(server, options->fd);
	if (why)
		fail(why);
	if (events_init(events))
		fail(because("no signals: %s", strerror(errno)));
	sandbox_limits(options->device.queues);
	why = sandbox_enter();
	if (why)
		fail(why);
	log_info("serves %s%s", name_of_disk(options),
		 features & (1ULL << VIRTIO_BLK_F_RO) ? ", to be read only" : "");
}

int main(int argc, char **argv)
{
	struct server server = { .sock = -1 };
	struct options options;
	struct events events;
	bool good;

	parse(&options, argc, argv);
	server.once = options.once;
	set_up(&options, &server, &events);
	good = server_run(&server, &events, &options.device);
	server_close(&server);
	return good ? DONE : FAILED;
}
