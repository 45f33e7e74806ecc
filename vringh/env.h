/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the ring needs of its surroundings, under the names it has in the kernel:
 * types, byte swaps, loads and stores of shared memory, barriers, user access.
 */
#ifndef VR_ENV_H
#define VR_ENV_H

#ifdef __KERNEL__
#include "env_kernel.h"
#else
#include "env_user.h"
#endif

#endif
