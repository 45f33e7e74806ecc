// SPDX-License-Identifier: GPL-2.0-only
/* What a queue did, in numbers. */
#include <linux/compiler.h>
#include <linux/seq_file.h>

#include "queue.h"
#include "stats.h"

static const char *const vblk_state_names[] = {
	[VBLK_STOPPED] = "stopped",
	[VBLK_RUNNING] = "running",
	[VBLK_STOPPING] = "stopping",
	[VBLK_BROKEN] = "broken",
	[VBLK_DEAD] = "dead",
};

/**
 * vblk_stats_show() - a queue's line of /proc/PID/fdinfo/FD
 * @queue: the queue
 * @m: where to print it
 *
 * When nothing is in flight, taken = given = ended, and all that is pinned is kept.
 *
 * Reads without the locks that the counters are written under, not to wait for who
 * has them: each is right, but maybe not of the same moment. Hence no KCSAN.
 */
void __no_kcsan vblk_stats_show(const struct vblk_queue *queue, struct seq_file *m)
{
	const struct vblk_queue_stats *stats = &queue->stats;
	const struct vblk_pins *pins = &queue->pins;

	seq_printf(m, "vhost-blk-queue:\t%u %s mapped=%d kicks=%llu taken=%llu ended=%llu given=%llu",
		   queue->index, vblk_state_names[READ_ONCE(queue->state)], queue->avail_mapped,
		   queue->kicks, queue->started, queue->ended, queue->finished);
	seq_printf(m, " direct=%llu interrupts=%llu failed=%llu bad-chains=%llu bounced=%llu",
		   queue->direct, queue->interrupts, stats->failed, stats->bad_chains,
		   stats->bounced);
	seq_printf(m, " at-kick=%llu polled=%llu overflows=%llu stalls=%llu", stats->at_kick,
		   stats->polled, stats->overflows, stats->stalls);
	seq_printf(m, " pinned=%llu unpinned=%llu kept=%llu maps=%llu poll-us=%u\n",
		   stats->pins + pins->pinned, stats->unpins + pins->unpinned,
		   pins->pinned - pins->unpinned, stats->maps, queue->busyloop.limit);
}
