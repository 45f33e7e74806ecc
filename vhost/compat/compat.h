/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forced in front of every file of the module. The code is written for the
 * newest kernel; here older ones learn its words, as far as the probes did not
 * find them. What cannot be said in the newest kernel's words is named
 * compat_*, to be found again when the old way is dropped.
 */
#ifndef _VBLK_COMPAT_H
#define _VBLK_COMPAT_H

#include "compat/probed.h"

/*
 * compat_assign_str() - fill the __string() @dst of a trace event with @src
 *
 * The kernel's headers define __assign_str() anew each time they read a trace
 * event, so there is no place to replace an older kernel's.
 */
#ifdef HAVE_ASSIGN_STR_ONE_ARG
#define compat_assign_str(dst, src) do { (void)(src); __assign_str(dst); } while (0)
#else
#define compat_assign_str(dst, src) __assign_str(dst, src)
#endif

#endif /* _VBLK_COMPAT_H */
