/* SPDX-License-Identifier: GPL-2.0-only */
/* What the bridge says, on standard error: a line at a time. */
#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include "../macros.h"

enum log_level { LOG_NOTHING, LOG_ERROR, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;

/* "error", "info" or "debug"; -1 if it is none of them. */
int log_level_of(const char *name);

__printf(2, 3)
void log_at(enum log_level level, const char *format, ...);

#define log_error(...)	log_at(LOG_ERROR, __VA_ARGS__)
#define log_info(...)	log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_at(LOG_DEBUG, __VA_ARGS__)

/*
 * A reason, for those that return NULL if all went well, and else what is wrong. It
 * is valid until the next one.
 */
__printf(1, 2)
const char *because(const char *format, ...);

#endif /* BRIDGE_LOG_H */
