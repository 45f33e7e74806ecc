/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VBLK_STATS_H
#define _VBLK_STATS_H

struct seq_file;
struct vblk_queue;

void vblk_stats_show(const struct vblk_queue *queue, struct seq_file *m);

#endif /* _VBLK_STATS_H */
