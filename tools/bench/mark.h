/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a load begins and where it ends, for who counts its instructions from outside the
 * machine that it runs on: it calls functions at addresses that both know.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_BEGIN	0x76626c6b0000UL	/* "vblk"; nothing else of a process is there */
#define MARK_END	(MARK_BEGIN + 1)

#endif
