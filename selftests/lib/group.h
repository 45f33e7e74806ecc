/* SPDX-License-Identifier: GPL-2.0-only */
/* A control group of version 2, for the caller and the children it will have. */
#ifndef LIB_GROUP_H
#define LIB_GROUP_H

/*
 * NULL, or why there is none. It has the controller for I/O; the time of the CPUs is counted
 * without one.
 */
const char *group_enter(void);
/* The caller goes and the group stays, as its children may be in it; 0 if so. */
int group_leave_alone(void);
/* The caller goes and the group, too. */
void group_leave(void);

/* The number behind @key in @file of the group, in the line that begins with @line. */
long group_count(const char *file, const char *line, const char *key);
/* Of the CPUs, that it has used, in microseconds. */
long group_time(void);

#endif /* LIB_GROUP_H */
