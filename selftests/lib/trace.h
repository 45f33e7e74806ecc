/* SPDX-License-Identifier: GPL-2.0-only */
/* An instance of ftrace of its own. */
#ifndef LIB_TRACE_H
#define LIB_TRACE_H

#include <stdbool.h>

#define TRACE_INSTANCES	"/sys/kernel/tracing/instances"

/* What is in the trace, after trace_read(). */
extern char trace_text[256 * 1024];

/* NULL, or why there is none. */
const char *trace_begin(void);
/* Add an event, "SYSTEM/NAME", with a filter or NULL. */
bool trace_event(const char *event, const char *filter);
bool trace_read(void);
bool trace_clear(void);
void trace_end(void);

struct disk;

/*
 * Requests that a disk gets, from here on. Their flags, as blktrace has them, are the
 * word behind the number of the disk: "WFS" is a synchronous write with FUA, "FF" a
 * flush.
 */
const char *trace_disk(const struct disk *disk);
/* How many of those have these flags. */
int trace_count(const char *flags);

#endif /* LIB_TRACE_H */
