// SPDX-License-Identifier: GPL-2.0-only
/* A control group of version 2, for the caller and the children it will have. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "disk.h"
#include "group.h"

#define ROOT	"/sys/fs/cgroup"
#define OURS	ROOT "/vhost_blk_test"

long group_count(const char *file, const char *line, const char *key)
{
	char path[128], text[512];
	const char *at;
	long count = -1;
	FILE *stat;

	snprintf(path, sizeof(path), OURS "/%s", file);
	stat = fopen(path, "r");
	while (stat && fgets(text, sizeof(text), stat)) {
		at = strstr(text, key);
		if (at && !strncmp(text, line, strlen(line)))
			count = strtol(at + strlen(key), NULL, 10);
	}
	if (stat)
		fclose(stat);
	return count;
}

long group_time(void)
{
	return group_count("cpu.stat", "usage_usec", "usage_usec");
}

const char *group_enter(void)
{
	if (write_file(ROOT "/cgroup.subtree_control", "+io"))
		return "no controller for I/O in " ROOT;
	rmdir(OURS);
	if (mkdir(OURS, 0755))
		return strerror(errno);
	return write_file(OURS "/cgroup.procs", "0") ? "cannot enter a group" : NULL;
}

int group_leave_alone(void)
{
	return write_file(ROOT "/cgroup.procs", "0");
}

void group_leave(void)
{
	group_leave_alone();
	BECOMES_TRUE(!rmdir(OURS));
	write_file(ROOT "/cgroup.subtree_control", "-io");
}
