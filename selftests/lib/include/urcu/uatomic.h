/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of liburcu that the driver's half of a ring takes from <urcu/uatomic.h>. */
#ifndef LIB_URCU_UATOMIC_H
#define LIB_URCU_UATOMIC_H

#define CMM_RELAXED	__ATOMIC_RELAXED
#define CMM_ACQUIRE	__ATOMIC_ACQUIRE
#define CMM_RELEASE	__ATOMIC_RELEASE

#define uatomic_load(at, order)		__atomic_load_n(at, order)
#define uatomic_store(at, value, order)	__atomic_store_n(at, value, order)

#endif
