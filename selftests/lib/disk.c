// SPDX-License-Identifier: GPL-2.0-only
/* Disks to try things on. */
#include <glob.h>
#include <linux/loop.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "clock.h"
#include "device.h"
#include "disk.h"

#define CONFIGFS	"/sys/kernel/config"
#define NULLB		CONFIGFS "/nullb"

#define NR_NULLB	16

int shell(const char *format, ...)
{
	char command[512], *argv[] = { "sh", "-c", command, NULL };
	va_list arguments;
	int n, status;
	pid_t pid;

	va_start(arguments, format);
	n = vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	snprintf(command + n, sizeof(command) - n, " >/dev/null 2>&1");
	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ))
		return -1;
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

int write_file(const char *path, const char *format, ...)
{
	char value[128];
	va_list arguments;
	int fd, n, ret;

	va_start(arguments, format);
	n = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	ret = write(fd, value, n) == n ? 0 : errno;
	close(fd);
	return ret;
}

long read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	char text[32];
	long number;

	if (!file)
		return -1;
	number = fgets(text, sizeof(text), file) ? strtol(text, NULL, 10) : -1;
	fclose(file);
	return number;
}

long disk_attribute(const struct disk *disk, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/%s", disk->name, file);
	return read_number(path);
}

static bool is_loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

static bool load(const char *module, const char *options)
{
	return is_loaded(module) || !shell("modprobe %s %s", module, options);
}

static bool unload(const char *module)
{
	return !is_loaded(module) || !shell("modprobe -r %s", module);
}

int disk_configure(const struct disk *disk, const char *item, unsigned long value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", disk->config, item);
	return write_file(path, "%lu", value);
}

/*
 * Each kind: NULL, or why not. They set name.
 */

static int configure_null_blk(struct disk *disk)
{
	const struct disk_setup *setup = &disk->setup;
	char path[128];
	int ret;

	ret = disk_configure(disk, "memory_backed", 1) ?:
	      disk_configure(disk, "size", setup->megabytes) ?:
	      disk_configure(disk, "blocksize", setup->block_size) ?:
	      disk_configure(disk, "submit_queues", 2) ?:
	      disk_configure(disk, "hw_queue_depth", setup->depth ?: 64) ?:
	      disk_configure(disk, "discard", !setup->no_discard);
	if (!ret && setup->cache)
		ret = disk_configure(disk, "cache_size", setup->megabytes);
	if (!ret && setup->latency_us)
		ret = disk_configure(disk, "irqmode", 2) ?:
		      disk_configure(disk, "completion_nsec", setup->latency_us * 1000);
	if (!ret && setup->no_poll)
		ret = disk_configure(disk, "poll_queues", 0);
	if (!ret && setup->mbps)
		ret = disk_configure(disk, "mbps", setup->mbps);
	if (!ret && setup->badblocks) {
		snprintf(path, sizeof(path), "%s/badblocks", disk->config);
		ret = write_file(path, "+%s", setup->badblocks);
	}
	return ret ?: disk_configure(disk, "power", 1);
}

static const char *make_null_blk(struct disk *disk)
{
	char path[128];
	struct stat st;

	if (!load("null_blk", "nr_devices=0"))
		return "no module null_blk";
	if (stat(NULLB, &st))
		mount("configfs", CONFIGFS, "configfs", 0, NULL);
	for (int i = 0; i < NR_NULLB; i++) {
		snprintf(disk->config, sizeof(disk->config), NULLB "/nullb%d", i);
		if (!mkdir(disk->config, 0755))
			break;
		disk->config[0] = '\0';
	}
	if (!disk->config[0])
		return "no more null_blk, or no configfs";
	if (configure_null_blk(disk))
		return "null_blk does not take its configuration";
	/* Newer ones have the name of the directory, older ones only its number. */
	snprintf(disk->name, sizeof(disk->name), "%s", strrchr(disk->config, '/') + 1);
	snprintf(path, sizeof(path), "%s/index", disk->config);
	if (disk_attribute(disk, "size") < 0)
		snprintf(disk->name, sizeof(disk->name), "nullb%ld", read_number(path));
	return NULL;
}

static const char *make_brd(struct disk *disk)
{
	char options[64];

	unload("brd");
	snprintf(options, sizeof(options), "rd_nr=1 rd_size=%u", disk->setup.megabytes * 1024);
	if (!load("brd", options))
		return "no module brd";
	snprintf(disk->name, sizeof(disk->name), "ram0");
	return NULL;
}

static const char *make_loop(struct disk *disk)
{
	struct loop_config config = { .block_size = disk->setup.block_size };
	int control, number, loop, file, ret = -1;

	load("loop", "");
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return "no loop devices";
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(disk->name, sizeof(disk->name), "loop%d", number);
	snprintf(disk->path, sizeof(disk->path), "/dev/loop%d", number);
	loop = open(disk->path, O_RDWR | O_CLOEXEC);
	file = memfd_create("disk", MFD_CLOEXEC);
	config.fd = file;
	if (loop >= 0 && !ftruncate(file, disk->setup.megabytes * 1048576L))
		ret = ioctl(loop, LOOP_CONFIGURE, &config);
	close(file);
	close(loop);
	return ret ? "no loop device of this kind" : NULL;
}

static bool find_scsi(struct disk *disk)
{
	glob_t found;

	if (glob("/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*", 0, NULL,
		 &found))
		return false;
	snprintf(disk->name, sizeof(disk->name), "%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	snprintf(disk->path, sizeof(disk->path), "/dev/%s", disk->name);
	return disk_attribute(disk, "size") > 0 && !access(disk->path, R_OK);
}

static const char *make_scsi(struct disk *disk)
{
	const struct disk_setup *setup = &disk->setup;
	char options[128];

	load("sd_mod", "");
	snprintf(options, sizeof(options),
		 "dev_size_mb=%u sector_size=%u lbpu=1 lbpws=1 delay=0 %s",
		 setup->megabytes, setup->block_size, setup->options ?: "");
	if (!load("scsi_debug", options))
		return "n/a: this kernel has no scsi_debug";
	/* It is found in the background. */
	return BECOMES_TRUE(find_scsi(disk)) ? NULL : "scsi_debug has no disk";
}

static const char *make_dev_null(struct disk *disk)
{
	snprintf(disk->path, sizeof(disk->path), "/dev/null");
	disk->sectors = 1ULL << 31;
	disk->block_size = 512;
	return NULL;
}

static const char *(*const makers[])(struct disk *disk) = {
	[DISK_NULL_BLK] = make_null_blk,
	[DISK_BRD] = make_brd,
	[DISK_LOOP] = make_loop,
	[DISK_SCSI] = make_scsi,
	[DISK_DEV_NULL] = make_dev_null,
};

/*
 * Stacked
 */

/* Without udev, as it may not be there. */
#define DMSETUP "DM_DISABLE_UDEV=1 dmsetup"

static const char *stack(struct disk *disk)
{
	long size = disk_attribute(disk, "size");
	char link[64], target[128] = "/";
	struct stat st;

	load(disk->setup.waits ? "dm_flakey" : "dm_mod", "");
	snprintf(disk->lower, sizeof(disk->lower), "%s", disk->name);
	if (shell(DMSETUP " create vblk-%s --table '0 %ld %s /dev/%s 0 %s'", disk->lower, size,
		  disk->setup.waits ? "flakey" : "linear", disk->lower,
		  disk->setup.waits ? "60 0" : ""))
		return disk->setup.waits ? "no dm-flakey" : "no device mapper";
	snprintf(disk->path, sizeof(disk->path), "/dev/mapper/vblk-%s", disk->lower);
	if (stat(disk->path, &st))
		return "device mapper made no node";
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (readlink(link, target, sizeof(target) - 1) < 0)
		return "no such disk in sysfs";
	snprintf(disk->name, sizeof(disk->name), "%.31s", strrchr(target, '/') + 1);
	return NULL;
}

int disk_suspend(const struct disk *disk)
{
	return shell(DMSETUP " suspend --noflush --nolockfs vblk-%s", disk->lower);
}

int disk_resume(const struct disk *disk)
{
	return shell(DMSETUP " resume vblk-%s", disk->lower);
}

/*
 * All kinds
 */

static const char *open_disk(struct disk *disk)
{
	bool none = disk->setup.kind == DISK_DEV_NULL, there;

	if (!disk->path[0])
		snprintf(disk->path, sizeof(disk->path), "/dev/%s", disk->name);
	there = BECOMES_TRUE(!access(disk->path, R_OK));
	if (!there)
		return "the disk has no node in /dev";
	disk->fd = open(disk->path, (disk->setup.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	disk->raw = open(disk->path, O_RDWR | O_CLOEXEC | (none ? 0 : O_DIRECT));
	if (disk->fd < 0 || disk->raw < 0)
		return strerror(errno);
	if (!none) {
		disk->sectors = disk_attribute(disk, "size");
		disk->block_size = disk_attribute(disk, "queue/logical_block_size");
	}
	return NULL;
}

static const char *limit_disk(const struct disk *disk)
{
	char path[128];

	if (!disk->setup.max_kb)
		return NULL;
	snprintf(path, sizeof(path), "/sys/block/%s/queue/max_sectors_kb", disk->name);
	return write_file(path, "%u", disk->setup.max_kb) ? "the disk takes no limit" : NULL;
}

const char *disk_make(struct disk *disk, const struct disk_setup *setup)
{
	const char *why;

	memset(disk, 0, sizeof(*disk));
	disk->fd = -1;
	disk->raw = -1;
	disk->setup = *setup;
	disk->setup.block_size = setup->block_size ?: 512;
	disk->setup.megabytes = setup->megabytes ?: 64;
	if (geteuid())
		return "only root can make disks";
	why = makers[setup->kind](disk);
	if (!why && setup->stacked)
		why = stack(disk);
	if (!why)
		why = limit_disk(disk) ?: open_disk(disk);
	if (why)
		disk_remove(disk);
	return why;
}

static void detach_loop(const struct disk *disk)
{
	int loop = open(disk->path, O_RDWR | O_CLOEXEC);

	ioctl(loop, LOOP_CLR_FD);
	close(loop);
}

void disk_remove(struct disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	if (disk->raw >= 0)
		close(disk->raw);
	disk->fd = -1;
	disk->raw = -1;
	if (disk->lower[0]) {
		disk_resume(disk);
		BECOMES_TRUE(!shell(DMSETUP " remove vblk-%s", disk->lower));
	}
	if (disk->config[0]) {
		rmdir(disk->config);
		disk->config[0] = '\0';
	}
	if (disk->setup.kind == DISK_LOOP && disk->path[0])
		detach_loop(disk);
	else if (disk->setup.kind == DISK_BRD)
		BECOMES_TRUE(unload("brd"));
	else if (disk->setup.kind == DISK_SCSI)
		BECOMES_TRUE(unload("scsi_debug"));
}

static struct disk *shared[16];
static unsigned int nr_shared;
static pid_t sharer;

/* Tests are children, and end as well. */
static void remove_shared(void)
{
	while (getpid() == sharer && nr_shared)
		disk_remove(shared[--nr_shared]);
}

const char *disk_share(struct disk *disk, const struct disk_setup *setup)
{
	const char *why = "too many disks";

	if (nr_shared < ARRAY_SIZE(shared))
		why = disk_make(disk, setup);
	if (why)
		return why;
	if (!nr_shared) {
		sharer = getpid();
		atexit(remove_shared);
	}
	shared[nr_shared++] = disk;
	return NULL;
}

void *disk_buffer(unsigned int len)
{
	void *buffer = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return buffer == MAP_FAILED ? NULL : buffer;
}

bool disk_read(const struct disk *disk, void *to, unsigned int len, off_t at)
{
	return pread(disk->raw, to, len, at) == (ssize_t)len;
}

bool disk_write(const struct disk *disk, const void *from, unsigned int len, off_t at)
{
	return pwrite(disk->raw, from, len, at) == (ssize_t)len;
}

bool null_blk_is_old(void)
{
	struct utsname system;
	long major, minor;
	char *rest;

	if (uname(&system))
		return true;
	major = strtol(system.release, &rest, 10);
	minor = strtol(rest + 1, NULL, 10);
	return major < 6 || (major == 6 && minor < 12);
}
