// SPDX-License-Identifier: GPL-2.0-only
/* An instance of ftrace of its own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk.h"
#include "trace.h"

#define INSTANCE	TRACE_INSTANCES "/vhost_blk_test"

char trace_text[256 * 1024];

const char *trace_begin(void)
{
	if (access(TRACE_INSTANCES, W_OK))
		return "no " TRACE_INSTANCES;
	trace_end();	/* of a test that did not get so far */
	return mkdir(INSTANCE, 0700) ? strerror(errno) : NULL;
}

bool trace_event(const char *event, const char *filter)
{
	char path[128];

	snprintf(path, sizeof(path), INSTANCE "/events/%s/filter", event);
	if (filter && write_file(path, "%s", filter))
		return false;
	snprintf(path, sizeof(path), INSTANCE "/events/%s/enable", event);
	return !write_file(path, "1");
}

bool trace_read(void)
{
	FILE *file = fopen(INSTANCE "/trace", "r");
	size_t length;

	if (!file)
		return false;
	length = fread(trace_text, 1, sizeof(trace_text) - 1, file);
	trace_text[length] = '\0';
	fclose(file);
	return true;
}

bool trace_clear(void)
{
	FILE *file = fopen(INSTANCE "/trace", "w");

	return file && !fclose(file);
}

void trace_end(void)
{
	rmdir(INSTANCE);
}

const char *trace_disk(const struct disk *disk)
{
	const char *why = trace_begin();
	char filter[64];
	struct stat st;

	if (why || fstat(disk->fd, &st))
		return why ?: strerror(errno);
	/* As the kernel packs the numbers for itself. */
	snprintf(filter, sizeof(filter), "dev == %u", major(st.st_rdev) << 20 | minor(st.st_rdev));
	if (!trace_event("block/block_rq_issue", filter)) {
		trace_end();
		return "no trace events of the block layer";
	}
	return NULL;
}

int trace_count(const char *flags)
{
	char word[16], *line, *at;
	int count = 0;

	if (!trace_read())
		return -1;
	for (line = strtok_r(trace_text, "\n", &at); line; line = strtok_r(NULL, "\n", &at)) {
		const char *event = strstr(line, "block_rq_issue: ");

		if (event && sscanf(event, "block_rq_issue: %*s %15s", word) == 1)
			count += !strcmp(word, flags);
	}
	return count;
}
