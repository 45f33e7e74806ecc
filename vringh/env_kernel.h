/* SPDX-License-Identifier: GPL-2.0-only */
/* The ring's surroundings in the kernel. */
#ifndef VR_ENV_KERNEL_H
#define VR_ENV_KERNEL_H

#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/swab.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <asm/barrier.h>

#ifdef __LITTLE_ENDIAN
#define VR_HOST_BIG_ENDIAN false
#else
#define VR_HOST_BIG_ENDIAN true
#endif

/* What is loaded after it comes after it, and so what is stored because of it. */
#define vr_get_user_acquire(x, p)			\
({							\
	int _err = get_user(x, p);			\
							\
	smp_rmb(); /* the user says what it is paired with */	\
	_err;						\
})

/*
 * A full barrier, as smp_wmb() would not do: what this CPU saw another one write,
 * as a disk into a buffer, has to be visible as well.
 */
#define vr_put_user_release(x, p)			\
({							\
	smp_mb(); /* likewise */			\
	put_user(x, p);					\
})

#endif
