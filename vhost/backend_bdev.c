// SPDX-License-Identifier: GPL-2.0-only
/* A block device as the disk: requests become bios. */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/vhost_blk.h>

#include "backend.h"
#include "blkcg.h"
#include "request.h"

/* Zeroes, in sectors, to write at a time where the disk has no help to offer. */
#define VBLK_PLAIN_ZEROES (SZ_4M >> SECTOR_SHIFT)

static struct block_device *vblk_bdev(const struct vblk_backend *backend)
{
	return I_BDEV(backend->file->f_mapping->host);
}

static int vblk_bdev_probe(struct file *file)
{
	return S_ISBLK(file->f_mapping->host->i_mode) ? 0 : -ENOTBLK;
}

/*
 * Not one that may keep bios for later: device mapper does, while it is suspended, and a bio
 * must not be polled for while another thread begins it.
 */
static bool vblk_bdev_polls(struct block_device *bdev)
{
	return compat_bdev_polls(bdev) && bdev_nowait(bdev);
}

static void vblk_bdev_limits(const struct vblk_backend *backend, struct vblk_limits *limits)
{
	struct block_device *bdev = vblk_bdev(backend);
	u32 block_size = bdev_logical_block_size(bdev);

	*limits = (struct vblk_limits) {
		.sectors = bdev_nr_sectors(bdev),
		.block_size = block_size,
		.physical_block_size = bdev_physical_block_size(bdev),
		.io_min = bdev_io_min(bdev),
		.io_opt = bdev_io_opt(bdev),
		.dma_mask = bdev_dma_alignment(bdev),
		.max_discard = min(bdev_max_discard_sectors(bdev), VBLK_MAX_RANGE),
		.discard_align = max(bdev_discard_granularity(bdev), block_size) >> SECTOR_SHIFT,
		.max_zeroes = min(bdev_write_zeroes_sectors(bdev), VBLK_MAX_RANGE) ?:
			      VBLK_PLAIN_ZEROES,
		.max_erase = min(bdev_max_secure_erase_sectors(bdev), VBLK_MAX_RANGE),
		.offloads_zeroes = bdev_write_zeroes_sectors(bdev),
		.read_only = backend->read_only || bdev_read_only(bdev),
		.volatile_cache = bdev_write_cache(bdev),
		.polls = vblk_bdev_polls(bdev),
		.nowait = bdev_nowait(bdev),
	};
}

/* One of those that vblk_request.bios_left counts is done. */
static void vblk_bdev_put(struct vblk_request *request)
{
	if (atomic_dec_and_test(&request->bios_left))
		vblk_request_end(request, request->error);
}

/* The first one counts. */
static void vblk_bdev_error(struct vblk_request *request, blk_status_t error)
{
	cmpxchg((__force u8 *)&request->error, 0, (__force u8)error);
}

static void vblk_bdev_end_bio(struct bio *bio)
{
	struct vblk_request *request = bio->bi_private;

	if (unlikely(bio->bi_status))
		vblk_bdev_error(request, bio->bi_status);
	if (bio == &request->bio)
		bio_uninit(bio);
	else
		bio_put(bio);
	vblk_bdev_put(request);
}

/* The last bio of a request: what held it while others were submitted is its own now. */
static void vblk_bdev_submit_last(struct vblk_request *request, struct bio *bio)
{
	if (!request->may_wait && bdev_nowait(bio->bi_bdev))
		bio->bi_opf |= REQ_NOWAIT;
	if (unlikely(request->blkcg && !vblk_blkcg_is_ours(request->blkcg)))
		bio_associate_blkg_from_css(bio, request->blkcg);
	bio->bi_private = request;
	bio->bi_end_io = vblk_bdev_end_bio;
	submit_bio(bio);
}

static void vblk_bdev_submit(struct vblk_request *request, struct bio *bio)
{
	atomic_inc(&request->bios_left);
	vblk_bdev_submit_last(request, bio);
}

/*
 * How much of what is left may be in one bio: whole blocks, at least one, and no more
 * than the disk takes at a time, as a bio that has to be split has to be waited for.
 */
static u32 vblk_bdev_fit(const struct vblk_request *request, struct bvec_iter iter,
			 struct block_device *bdev)
{
	const struct request_queue *queue = bdev_get_queue(bdev);
	u32 max = min_t(u64, (u64)queue_max_sectors(queue) << SECTOR_SHIFT, iter.bi_size);
	u32 segs = min_t(u32, queue_max_segments(queue), BIO_MAX_VECS);
	u32 len, piece;

	if (likely(request->nr_vecs == 1 && iter.bi_size <= max &&
		   iter.bi_size <= queue_max_segment_size(queue)))
		return iter.bi_size;
	for (len = 0; len < max && segs; len += piece, segs--) {
		piece = mp_bvec_iter_bvec(request->vecs, iter).bv_len;
		piece = min3(piece, queue_max_segment_size(queue), max - len);
		bvec_iter_advance_single(request->vecs, &iter, piece);
	}
	return iter.bi_size ? max(round_down(len, bdev_logical_block_size(bdev)),
				  bdev_logical_block_size(bdev)) : len;
}

static blk_opf_t vblk_bdev_opf(const struct vblk_request *request)
{
	if (!vblk_request_writes(request))
		return REQ_OP_READ;
	return REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | (request->durable ? REQ_FUA : 0);
}

/* All bios of a request share its vectors. */
static void vblk_bdev_rw(const struct vblk_backend *backend, struct vblk_request *request)
{
	blk_opf_t opf = vblk_bdev_opf(request);
	struct bvec_iter iter = { .bi_sector = request->sector, .bi_size = request->len };
	struct block_device *bdev = vblk_bdev(backend);
	struct bio *bio = &request->bio;
	u32 len;

	bio_init(bio, bdev, request->vecs, request->nr_vecs, opf);
	for (;;) {
		len = vblk_bdev_fit(request, iter, bdev);
		bio->bi_io_vec = request->vecs;
		bio->bi_vcnt = request->nr_vecs;
		bio->bi_iter = iter;
		bio->bi_iter.bi_size = len;
		if (len == iter.bi_size) {
			if (unlikely(request->polls))
				bio->bi_opf |= REQ_POLLED;
			vblk_bdev_submit_last(request, bio);
			return;
		}
		request->polls = false;	/* of several, only one could be asked for */
		vblk_bdev_submit(request, bio);
		bvec_iter_advance(request->vecs, &iter, len);
		iter.bi_sector += len >> SECTOR_SHIFT;
		bio = bio_alloc(bdev, 0, opf, GFP_NOIO);
	}
}

static void vblk_bdev_flush(const struct vblk_backend *backend, struct vblk_request *request)
{
	atomic_set(&request->bios_left, 1);
	bio_init(&request->bio, vblk_bdev(backend), NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH);
	vblk_bdev_submit_last(request, &request->bio);
}

static void vblk_bdev_ranges(const struct vblk_backend *backend, struct vblk_request *request,
			     blk_opf_t opf)
{
	struct bio *bio;
	u32 i, nr;

	for (i = 0; i < request->nr_ranges; i++) {
		nr = le32_to_cpu(request->ranges[i].num_sectors);
		if (!nr)
			continue;
		bio = bio_alloc(vblk_bdev(backend), 0, opf, GFP_NOIO);
		bio->bi_iter.bi_sector = le64_to_cpu(request->ranges[i].sector);
		bio->bi_iter.bi_size = nr << SECTOR_SHIFT;
		vblk_bdev_submit(request, bio);
	}
}

/* Where the disk has no help to offer. */
static void vblk_bdev_plain_zeroes(const struct vblk_backend *backend,
				   struct vblk_request *request, u64 sector, u64 len)
{
	struct bio *bio;
	u32 piece;

	while (len && !READ_ONCE(request->error)) {
		bio = bio_alloc(vblk_bdev(backend), bio_max_segs(DIV_ROUND_UP_ULL(len, PAGE_SIZE)),
				REQ_OP_WRITE | REQ_SYNC | REQ_IDLE, GFP_NOIO);
		bio->bi_iter.bi_sector = sector;
		while (len && bio->bi_vcnt < bio->bi_max_vecs) {
			piece = min_t(u64, len, PAGE_SIZE);
			__bio_add_page(bio, ZERO_PAGE(0), piece, 0);
			len -= piece;
		}
		sector += bio_sectors(bio);
		vblk_bdev_submit(request, bio);
	}
}

static void vblk_bdev_zeroes(const struct vblk_backend *backend, struct vblk_request *request)
{
	const struct virtio_blk_discard_write_zeroes *range = request->ranges;
	struct block_device *bdev = vblk_bdev(backend);
	u32 flags;

	if (!request->retried && bdev_write_zeroes_sectors(bdev)) {
		/* The driver may have said something else of each. */
		for (flags = 0; range < request->ranges + request->nr_ranges; range++)
			flags |= ~le32_to_cpu(range->flags);
		vblk_bdev_ranges(backend, request, REQ_OP_WRITE_ZEROES |
				 (flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP ? REQ_NOUNMAP : 0));
		return;
	}
	/* More than that is no work for who has other requests to begin. */
	if (!request->may_wait && request->len >> SECTOR_SHIFT > VBLK_PLAIN_ZEROES) {
		vblk_bdev_error(request, BLK_STS_AGAIN);
		return;
	}
	for (; range < request->ranges + request->nr_ranges; range++)
		vblk_bdev_plain_zeroes(backend, request, le64_to_cpu(range->sector),
				       (u64)le32_to_cpu(range->num_sectors) << SECTOR_SHIFT);
}

/* What has no data. */
static noinline void vblk_bdev_manage(const struct vblk_backend *backend,
				      struct vblk_request *request)
{
	switch (request->type) {
	case VIRTIO_BLK_T_DISCARD:
		vblk_bdev_ranges(backend, request, REQ_OP_DISCARD);
		break;
	case VIRTIO_BLK_T_SECURE_ERASE:
		vblk_bdev_ranges(backend, request, REQ_OP_SECURE_ERASE);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		vblk_bdev_zeroes(backend, request);
		break;
	}
	vblk_bdev_put(request);
}

static void vblk_bdev_execute(const struct vblk_backend *backend, struct vblk_request *request)
{
	/* Hold it until all is submitted. */
	atomic_set(&request->bios_left, 1);
	if (vblk_request_is_rw(request))
		vblk_bdev_rw(backend, request);
	else
		vblk_bdev_manage(backend, request);
}

const struct vblk_backend_ops vblk_bdev_ops = {
	.probe = vblk_bdev_probe,
	.limits = vblk_bdev_limits,
	.flush = vblk_bdev_flush,
	.execute = vblk_bdev_execute,
};
