/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's headers would have. */
#ifndef TOOLS_MACROS_H
#define TOOLS_MACROS_H

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define __printf(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define __aligned(bytes)	__attribute__((aligned(bytes)))
#define __noreturn		__attribute__((noreturn))
#define __packed		__attribute__((packed))
#define BIT_ULL(nr)		(1ULL << (nr))

#endif /* TOOLS_MACROS_H */
