/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_DATA_H
#define _VBLK_DATA_H

#include <linux/types.h>

#include "../vringh/vring.h"

struct vblk_memory;
struct vblk_queue;
struct vblk_request;

/**
 * struct vblk_cursor - a place in a list of buffers
 * @seg: the first that is not behind it
 * @nr: number of those
 * @done: bytes of @seg that are behind it
 */
struct vblk_cursor {
	const struct vr_seg *seg;
	u32 nr;
	u32 done;
};

struct vblk_cursor vblk_cursor_skip(struct vblk_cursor cursor, u64 len);
int vblk_data_copy(const struct vblk_memory *memory, struct vblk_cursor *cursor, void *at,
		   u64 len, bool write);
int vblk_data_read_kept(struct vblk_queue *queue, struct vblk_cursor cursor, void *to, u64 len);
void vblk_data_init(struct vblk_request *request);
int vblk_data_map(struct vblk_request *request, struct vblk_cursor cursor);
int vblk_data_give(struct vblk_request *request);
void vblk_data_drop(struct vblk_request *request);

#endif /* _VBLK_DATA_H */
