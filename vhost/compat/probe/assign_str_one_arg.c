// SPDX-License-Identifier: GPL-2.0-only
/*
 * __assign_str() takes the string from the __string() of the same name.
 *
 * Linux commit 2c92ca849fcc ("tracing/treewide: Remove second parameter of
 * __assign_str()") (in v6.10)
 */
#include <linux/stringify.h>
#include <linux/tracepoint.h>
#include <trace/stages/stage6_event_callback.h>

#ifndef __assign_str
#error "no __assign_str()"
#endif

/* The preprocessor refuses a macro that wants two arguments. */
static const char probe[] __used = __stringify(__assign_str(name));
