/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring's surroundings in user space, by means of liburcu.
 *
 * With VR_HOOKS a test is asked before each load of shared memory, which it may
 * change just then, and before each user access, which it may have fail.
 */
#ifndef VR_ENV_USER_H
#define VR_ENV_USER_H

/* Atomic accesses that ThreadSanitizer knows. */
#ifndef CONFIG_RCU_USE_ATOMIC_BUILTINS
#define CONFIG_RCU_USE_ATOMIC_BUILTINS
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/cdefs.h>

#include <linux/types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <urcu/arch.h>
#include <urcu/compiler.h>
#include <urcu/system.h>
#include <urcu/uatomic.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define U16_MAX		UINT16_MAX
#define U32_MAX		UINT32_MAX
#define U64_MAX		UINT64_MAX

/* What sparse checks in the kernel's build. */
#ifndef __user
#define __user
#endif
#ifndef __force
#define __force
#endif

#define noinline	__attribute_noinline__
#define ____cacheline_aligned	__attribute__((__aligned__(CAA_CACHE_LINE_SIZE)))
#define likely(x)	caa_likely(x)
#define unlikely(x)	caa_unlikely(x)

#define min_t(type, x, y)			\
({						\
	type _x = (x), _y = (y);		\
						\
	_x < _y ? _x : _y;			\
})
#define min(x, y)	min_t(__typeof__(x), x, y)

#define swab16(x)	__builtin_bswap16(x)
#define swab32(x)	__builtin_bswap32(x)
#define swab64(x)	__builtin_bswap64(x)
#define VR_HOST_BIG_ENDIAN	(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

#ifdef VR_HOOKS
void vr_hook_load(const void *from, size_t size);
bool vr_hook_fault(const void *at, size_t size);
#else
static inline void vr_hook_load(const void *from, size_t size)
{
	(void)from;
	(void)size;
}

static inline bool vr_hook_fault(const void *at, size_t size)
{
	(void)at;
	(void)size;
	return false;
}
#endif

/* Barriers: who uses one says with what it is paired. */
#define smp_mb()	cmm_smp_mb()

#define vr_load(p, order)			\
({						\
	__typeof__(p) _p = (p);			\
						\
	vr_hook_load(_p, sizeof(*_p));		\
	uatomic_load(_p, order);		\
})
#define READ_ONCE(x)		vr_load(&(x), CMM_RELAXED)
#define smp_load_acquire(p)	vr_load(p, CMM_ACQUIRE)
#define WRITE_ONCE(x, v)	uatomic_store(&(x), v, CMM_RELAXED)
#define smp_store_release(p, v)	uatomic_store(p, v, CMM_RELEASE)

/* User memory, which here is memory like any other but for the hook. */
#define vr_user_load(x, p, order)		\
({						\
	__typeof__(p) _from = (p);		\
	int _err = -EFAULT;			\
						\
	if (!vr_hook_fault(_from, sizeof(*_from))) {	\
		(x) = vr_load(_from, order);	\
		_err = 0;			\
	}					\
	_err;					\
})
#define get_user(x, p)			vr_user_load(x, p, CMM_RELAXED)
#define vr_get_user_acquire(x, p)	vr_user_load(x, p, CMM_ACQUIRE)

#define vr_user_store(x, p, order)		\
({						\
	__typeof__(p) _to = (p);		\
	int _err = -EFAULT;			\
						\
	if (!vr_hook_fault(_to, sizeof(*_to))) {	\
		uatomic_store(_to, x, order);	\
		_err = 0;			\
	}					\
	_err;					\
})
#define put_user(x, p)			vr_user_store(x, p, CMM_RELAXED)
#define vr_put_user_release(x, p)	vr_user_store(x, p, CMM_RELEASE)

/* Returns how many bytes were not copied. */
static inline size_t copy_from_user(void *to, const void *from, size_t size)
{
	if (vr_hook_fault(from, size))
		return size;
	vr_hook_load(from, size);
	memcpy(to, from, size);
	return 0;
}

static inline size_t copy_to_user(void *to, const void *from, size_t size)
{
	if (vr_hook_fault(to, size))
		return size;
	memcpy(to, from, size);
	return 0;
}

#endif
