/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of liburcu that the driver's half of a ring takes from <urcu/compiler.h>. */
#ifndef LIB_URCU_COMPILER_H
#define LIB_URCU_COMPILER_H

static inline void cmm_barrier(void)
{
	__asm__ __volatile__("" : : : "memory");
}

#endif
