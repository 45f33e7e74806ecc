// SPDX-License-Identifier: GPL-2.0-only
/* What the bridge says. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum log_level log_level = LOG_INFO;

static const char *const names[] = {
	[LOG_ERROR] = "error",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

int log_level_of(const char *name)
{
	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

/* In one write(), so that lines of several bridges do not mix. */
void log_at(enum log_level level, const char *format, ...)
{
	char text[400], line[450];
	va_list args;
	int len;

	if (level > log_level)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	len = snprintf(line, sizeof(line), "vhost-blk-bridge: %s\n", text);
	if (write(STDERR_FILENO, line, len) < 0)
		return;		/* there is nobody to tell */
}

const char *because(const char *format, ...)
{
	static char reason[256];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return reason;
}
