// SPDX-License-Identifier: GPL-2.0-only
/* The trace events: one for each call, with name and result; one for each request. */
#include <sys/eventfd.h>

#include "kselftest_harness.h"
#include "lib/clock.h"
#include "lib/disk.h"
#include "lib/ioctls.h"
#include "lib/request.h"
#include "lib/trace.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

FIXTURE(trace) {
	int fd;
};

FIXTURE_SETUP(trace)
{
	const char *why = trace_begin();

	if (why)
		SKIP(return, "%s", why);
	self->fd = open(DEVICE, O_RDWR);
	ASSERT_GE(self->fd, 0);
	ASSERT_TRUE(trace_event("vhost_blk/vblk_ioctl", NULL));
}

FIXTURE_TEARDOWN(trace)
{
	EXPECT_EQ(0, close(self->fd));
	trace_end();
}

#define EXPECT_TRACED(_name, _cmd, _result) do {				\
	char event[128];							\
	snprintf(event, sizeof(event), "%s cmd=0x%08x result=%d\n", _name,	\
		 (unsigned int)(_cmd), _result);				\
	EXPECT_NE(NULL, strstr(trace_text, event))					\
		TH_LOG("no %sin:\n%s", event, trace_text);				\
} while (0)

TEST_F(trace, every_ioctl_with_its_name)
{
	int results[NR_IOCTLS];

	for (unsigned int i = 0; i < NR_IOCTLS; i++)
		results[i] = attempt(self->fd, ioctl_rows[i].cmd, NULL);
	ASSERT_TRUE(trace_read());
	for (unsigned int i = 0; i < NR_IOCTLS; i++)
		EXPECT_TRACED(ioctl_rows[i].name, ioctl_rows[i].cmd, -results[i]);
}

TEST_F(trace, errors)
{
	EXPECT_EQ(EPERM, attempt(self->fd, VHOST_RESET_OWNER, NULL));
	EXPECT_EQ(EFAULT, attempt(self->fd, VHOST_GET_FEATURES, NULL));
	EXPECT_EQ(ENOTTY, attempt(self->fd, VHOST_VSOCK_SET_RUNNING, NULL));
	ASSERT_TRUE(trace_read());
	EXPECT_TRACED("VHOST_RESET_OWNER", VHOST_RESET_OWNER, -EPERM);
	EXPECT_TRACED("VHOST_GET_FEATURES", VHOST_GET_FEATURES, -EFAULT);
	EXPECT_TRACED("unknown", VHOST_VSOCK_SET_RUNNING, -ENOTTY);
}

TEST_F(trace, nothing_but_calls)
{
	ASSERT_TRUE(trace_read());
	EXPECT_EQ(NULL, strstr(trace_text, "vblk_ioctl:"));
}

/* All in this order? */
static bool traced_in_order(const char *const *events, unsigned int n)
{
	const char *at = trace_text;

	for (unsigned int i = 0; i < n; i++) {
		at = strstr(at, events[i]);
		if (!at) {
			ksft_print_msg("no '%s' after the one before it in:\n%s", events[i],
				       trace_text);
			return false;
		}
		at += strlen(events[i]);
	}
	return true;
}

/*
 * From the notification, which may come when the worker has found the request already, to
 * the interrupt; a bad chain, and a broken ring.
 */
TEST_F(trace, requests)
{
	static const char *const notice[] = { "vblk_queue_kick: ", "queue=0" };
	static const char *const life[] = {
		"vblk_request_begin: ", "head=0 OUT sector=16 len=4096 status=OK",
		"vblk_request_submit: ", "vblk_request_end: ", "status=OK",
		"vblk_queue_give: ", "queue=0 n=1", "vblk_queue_interrupt: ", "queue=0",
		"vblk_queue_bad_chain: ", "fault=bad-next",
		"vblk_queue_broken: ", "fault=bad-index",
	};
	const struct disk_setup none = { .kind = DISK_DEV_NULL };
	struct guest_setup setup = {};
	struct request request = { .type = VIRTIO_BLK_T_OUT, .sector = 16, .len = PAGE };
	struct drv_buf nothing = { GUEST_HOLE, ~0U };
	struct guest_queue *queue;
	struct guest guest;
	struct disk disk;

	ASSERT_TRUE(trace_event("vhost_blk", NULL));
	ASSERT_EQ(NULL, disk_make(&disk, &none));
	ASSERT_EQ(0, guest_open(&guest, &setup));
	ASSERT_EQ(0, guest_attach(&guest, disk.fd));
	queue = &guest.queues[0];
	request.data = request_alloc(&guest, PAGE, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_run(queue, &request));
	/* Who offers more before he was told is told later, of both. */
	EXPECT_TRUE(BECOMES_TRUE(guest_count(queue, "interrupts") == 1));
	ASSERT_EQ(0, request_add_raw(queue, &nothing, 1, 0));
	queue->drv.desc[queue->drv.avail->ring[1]].flags = VRING_DESC_F_NEXT;
	queue->drv.desc[queue->drv.avail->ring[1]].next = 0xffff;
	guest_kick(queue);
	EXPECT_EQ(0, request_wait_all(queue));
	queue->drv.avail->idx += 1000;
	eventfd_write(queue->kick, 1);
	EXPECT_TRUE(BECOMES_TRUE(guest_queue_is(queue, "broken")));
	ASSERT_TRUE(trace_read());
	EXPECT_TRUE(traced_in_order(notice, ARRAY_SIZE(notice)));
	EXPECT_TRUE(traced_in_order(life, ARRAY_SIZE(life)));
	guest_close(&guest);
	disk_remove(&disk);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
