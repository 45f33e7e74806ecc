/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_STATUS_H
#define _VBLK_STATUS_H

#include <linux/blk_types.h>
#include <linux/types.h>

u8 vblk_status_of_blk(blk_status_t error, u32 type);

#endif /* _VBLK_STATUS_H */
