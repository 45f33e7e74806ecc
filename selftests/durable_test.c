// SPDX-License-Identifier: GPL-2.0-only
/*
 * When written data is safe: when the write ends, or the next flush, as device and
 * driver agreed. What the disk is told is seen in the trace of the block layer.
 */
#include <endian.h>

#include "kselftest_harness.h"
#include "lib/disk.h"
#include "lib/request.h"
#include "lib/trace.h"

/* With a volatile cache; made once, for all tests. */
static struct disk disk;
static const char *why_not;

#define WRITEBACK	(FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_CONFIG_WCE))

FIXTURE(durable) {
	struct guest guest;
	struct guest_queue *queue;
	__u64 data;
};

FIXTURE_VARIANT(durable) {
	__u64 without;		/* features that the driver does not accept */
	bool set;		/* the mode is set, to: */
	__u8 writeback;
	bool expected;		/* writes are safe when they end */
};

FIXTURE_VARIANT_ADD(durable, with_flush) {
	.without = FEATURE(VIRTIO_BLK_F_CONFIG_WCE),
};

FIXTURE_VARIANT_ADD(durable, without_flush) {
	.without = WRITEBACK, .expected = true,
};

FIXTURE_VARIANT_ADD(durable, not_chosen) {};

FIXTURE_VARIANT_ADD(durable, chosen_writeback) {
	.set = true, .writeback = 1,
};

FIXTURE_VARIANT_ADD(durable, chosen_writethrough) {
	.set = true, .writeback = 0, .expected = true,
};

/* The driver that cannot choose did not choose. */
FIXTURE_VARIANT_ADD(durable, with_flush_writethrough) {
	.without = FEATURE(VIRTIO_BLK_F_CONFIG_WCE), .set = true, .writeback = 0,
};

FIXTURE_SETUP(durable)
{
	const struct guest_setup setup = { .without = variant->without };
	const char *why = why_not ?: trace_disk(&disk);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, guest_open(&self->guest, &setup));
	ASSERT_EQ(0, guest_attach(&self->guest, disk.fd));
	self->queue = &self->guest.queues[0];
	self->data = request_alloc(&self->guest, PAGE, 0);
	if (variant->set) {
		struct vhost_blk_settings settings = {
			.fields = VHOST_BLK_WRITEBACK, .writeback = variant->writeback,
		};

		ASSERT_EQ(0, attempt(self->guest.fd, VHOST_BLK_SET_CONFIG, &settings));
	}
}

FIXTURE_TEARDOWN(durable)
{
	EXPECT_EQ(0, guest_detach(&self->guest));
	EXPECT_TRUE(guest_balances(&self->guest));
	guest_close(&self->guest);
	trace_end();
}

TEST_F(durable, write)
{
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, PAGE));
	EXPECT_EQ(variant->expected, trace_count("WFS"))
		TH_LOG("%s", trace_text);
	EXPECT_EQ(!variant->expected, trace_count("WS"));
	EXPECT_EQ(0, trace_count("FF"));
}

TEST_F(durable, zeroes)
{
	const struct virtio_blk_discard_write_zeroes range = { .num_sectors = htole32(8) };

	guest_put(&self->guest, self->data, &range, sizeof(range));
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  request_do(self->queue, VIRTIO_BLK_T_WRITE_ZEROES, 0, self->data, sizeof(range)));
	EXPECT_EQ(variant->expected, trace_count("FF") + trace_count("WFS") > 0);
}

TEST_F(durable, flush)
{
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, self->data, PAGE));
	ASSERT_TRUE(trace_clear());
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_FLUSH, 0, self->data, 0));
	EXPECT_EQ(1, trace_count("FF"));
}

TEST_F(durable, reads_are_no_writes)
{
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_IN, 0, self->data, PAGE));
	EXPECT_EQ(1, trace_count("R"))
		TH_LOG("%s", trace_text);
	EXPECT_EQ(0, trace_count("FF"));
}

int main(int argc, char **argv)
{
	const struct disk_setup setup = { .kind = DISK_NULL_BLK, .cache = true };

	need_device();
	why_not = disk_share(&disk, &setup);
	return test_harness_run(argc, argv);
}
