/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_CONFIG_H
#define _VBLK_CONFIG_H

#include <linux/types.h>

struct vblk_backend;
struct vhost_blk_config;

void vblk_config_get(struct vhost_blk_config *config, const struct vblk_backend *backend,
		     bool writeback);

#endif /* _VBLK_CONFIG_H */
