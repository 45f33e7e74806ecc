/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of liburcu that the driver's half of a ring takes from <urcu/arch.h>. */
#ifndef LIB_URCU_ARCH_H
#define LIB_URCU_ARCH_H

#define cmm_smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif
