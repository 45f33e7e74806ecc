/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks to try things on. What they need of the machine (modules, configfs) is
 * loaded and mounted, and stays; the disks go with disk_remove().
 */
#ifndef LIB_DISK_H
#define LIB_DISK_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/types.h>

#include "kselftest.h"

enum disk_kind {
	DISK_NULL_BLK,		/* a blk-mq driver with its data in memory */
	DISK_BRD,		/* the RAM disk: bios, no requests */
	DISK_LOOP,		/* a file in memory */
	DISK_SCSI,		/* scsi_debug: errors, limits and alignment of a real disk */
	DISK_DEV_NULL,		/* /dev/null: none */
};

/* What it is to be; 0 is what is in brackets. Not every kind can do everything. */
struct disk_setup {
	enum disk_kind kind;
	unsigned int block_size;	/* (512) */
	unsigned int megabytes;		/* (64) */
	bool cache;			/* null_blk: a volatile cache, with FUA */
	bool no_discard;		/* null_blk */
	const char *badblocks;		/* null_blk: "FIRST-LAST" sectors that fail */
	unsigned long latency_us;	/* null_blk: ends requests in an interrupt, so much later */
	unsigned int depth;		/* null_blk: requests that it takes at a time (64) */
	unsigned int max_kb;		/* that it takes at a time (what it likes) */
	bool no_poll;			/* null_blk: interrupts for all requests */
	unsigned int mbps;		/* null_blk: at most so many MiB in a second (any) */
	bool stacked;			/* device mapper on top, for disk_suspend() */
	bool waits;			/* one that does not know REQ_NOWAIT, if stacked */
	bool read_only;
	const char *options;		/* more for scsi_debug */
};

struct disk {
	struct disk_setup setup;
	char name[32];		/* in /sys/block */
	char path[64];
	char lower[32];		/* the name of what is below, if it is stacked */
	char config[96];	/* directory in configfs */
	int fd;			/* for the device */
	int raw;		/* for the test: direct I/O that vhost-blk has no part in */
	__u64 sectors;
	unsigned int block_size;
};

/* Make a disk: NULL, or why this machine cannot. */
const char *disk_make(struct disk *disk, const struct disk_setup *setup);
void disk_remove(struct disk *disk);
/* The same, of a disk for all tests of a program: it is removed when that ends. */
const char *disk_share(struct disk *disk, const struct disk_setup *setup);

/* As the host sees it, behind the back of vhost-blk. @len and @at in whole blocks. */
bool disk_read(const struct disk *disk, void *to, unsigned int len, off_t at);
bool disk_write(const struct disk *disk, const void *from, unsigned int len, off_t at);
/* Memory for that. */
void *disk_buffer(unsigned int len);

/* Nothing that is submitted from here on ends before disk_resume(); 0 if so. */
int disk_suspend(const struct disk *disk);
int disk_resume(const struct disk *disk);

/* A number in null_blk's own configuration, while it is in use: 0 or an error number. */
int disk_configure(const struct disk *disk, const char *item, unsigned long value);

/* Before 6.12: how null_blk polls changed several times on the way to that. */
bool null_blk_is_old(void);
#define NOT_SLOW "n/a: null_blk of this kernel is not slow when it is polled"

/* A number in a file of /sys/block/NAME, or -1. */
long disk_attribute(const struct disk *disk, const char *file);

/* The number in a file, or -1. */
long read_number(const char *path);

/* Run a command of the shell, in silence; 0 if all is well. */
__printf(1, 2) int shell(const char *format, ...);
/* 0 or an error number. */
__printf(2, 3) int write_file(const char *path, const char *format, ...);

#endif /* LIB_DISK_H */
