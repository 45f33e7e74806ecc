// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to the bridge: what each of them answers, and what comes of those that no
 * frontend may send: an error, a line in the log, and the end of the connection.
 */
#include <endian.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "../lib/clock.h"
#include "frontend.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

static struct disk disk;
static const char *why_not;

FIXTURE(message) {
	struct bridge bridge;
	struct frontend frontend;
	int memory;		/* of 64 KiB */
	int event;
	int null;		/* a file that is neither */
};

#define SELF FIXTURE_DATA(message)

FIXTURE_SETUP(message)
{
	if (why_not)
		SKIP(return, "%s", why_not);
	self->frontend.sock = -1;
	self->memory = memfd_create("guest", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(self->memory, 65536));
	self->event = eventfd(0, EFD_CLOEXEC);
	self->null = open("/dev/zero", O_RDWR | O_CLOEXEC);
}

FIXTURE_TEARDOWN(message)
{
	frontend_end(&self->frontend);
	EXPECT_TRUE(bridge_stop(&self->bridge));
}

#define BEGIN(...) do {									\
	char *const _options[16] = { __VA_ARGS__ };					\
	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, _options));			\
	ASSERT_EQ(0, frontend_connect(&self->frontend, &self->bridge));			\
} while (0)

/*
 * Answers
 */

#define OF_DISK	(FEATURE(VIRTIO_BLK_F_SEG_MAX) | FEATURE(VIRTIO_BLK_F_BLK_SIZE) |	\
		 FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_CONFIG_WCE) |	\
		 FEATURE(VIRTIO_BLK_F_WRITE_ZEROES) | FEATURE(VIRTIO_F_VERSION_1) |	\
		 FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC))

TEST_F(message, features)
{
	struct frontend *frontend = &self->frontend;
	__u64 offered, queues;

	BEGIN("--num-queues", "3");
	ASSERT_EQ(0, frontend_ask(frontend, GET_FEATURES, &offered));
	EXPECT_EQ(OF_DISK | F_PROTOCOL, offered & (OF_DISK | F_PROTOCOL));
	EXPECT_TRUE(offered & FEATURE(VIRTIO_BLK_F_MQ));
	EXPECT_FALSE(offered & FEATURE(VIRTIO_BLK_F_RO));
	EXPECT_FALSE(offered & FEATURE(VHOST_F_LOG_ALL));
	ASSERT_EQ(0, frontend_ask(frontend, GET_PROTOCOL_FEATURES, &offered));
	EXPECT_EQ(P_ALL, offered);
	ASSERT_EQ(0, frontend_tell_u64(frontend, SET_PROTOCOL_FEATURES, P_MQ));
	ASSERT_EQ(0, frontend_ask(frontend, GET_QUEUE_NUM, &queues));
	EXPECT_EQ(3, queues);
}

TEST_F(message, one_queue_is_no_mq)
{
	__u64 offered;

	BEGIN("--num-queues", "1");
	ASSERT_EQ(0, frontend_ask(&self->frontend, GET_FEATURES, &offered));
	EXPECT_FALSE(offered & FEATURE(VIRTIO_BLK_F_MQ));
}

static int get_config(struct frontend *frontend, struct vu_config *config, __u32 size)
{
	config->size = size;
	size += 12;
	return frontend_send(frontend, GET_CONFIG, VERSION_1, config, size, NULL, 0) ?:
	       frontend_receive(frontend, GET_CONFIG, config, &size) ?:
	       size == config->size + 12 ? 0 : EBADMSG;
}

static int set_writeback(struct frontend *frontend, __u8 writeback)
{
	struct vu_config config = { .offset = 32, .size = 1, .space = { writeback } };

	return frontend_tell(frontend, SET_CONFIG, &config, 13, NULL, 0);
}

TEST_F(message, config)
{
	struct vu_config config = {};
	const struct virtio_blk_config *space = (void *)config.space;

	BEGIN("--num-queues", "5");
	ASSERT_EQ(0, frontend_negotiate(&self->frontend, P_ALL));
	ASSERT_EQ(0, get_config(&self->frontend, &config, 256));
	EXPECT_EQ(disk.sectors, le64toh(space->capacity));
	EXPECT_EQ(5, le16toh(space->num_queues));
	EXPECT_EQ(1, space->wce);
	config.offset = 34;
	ASSERT_EQ(0, get_config(&self->frontend, &config, 2));
	EXPECT_EQ(5, config.space[0]);
	config.offset = 256;
	ASSERT_EQ(0, get_config(&self->frontend, &config, 0));

	ASSERT_EQ(0, set_writeback(&self->frontend, 0));
	config.offset = 32;
	ASSERT_EQ(0, get_config(&self->frontend, &config, 1));
	EXPECT_EQ(0, config.space[0]);
	ASSERT_EQ(0, set_writeback(&self->frontend, 1));
	ASSERT_EQ(0, get_config(&self->frontend, &config, 1));
	EXPECT_EQ(1, config.space[0]);
}

TEST_F(message, config_change)
{
	__u32 header[3];
	int pair[2];

	BEGIN();
	ASSERT_EQ(0, frontend_negotiate(&self->frontend, P_ALL));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, frontend_tell(&self->frontend, SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1));
	close(pair[1]);
	kill(self->bridge.pid, SIGHUP);
	ASSERT_EQ(sizeof(header), recv(pair[0], header, sizeof(header), MSG_WAITALL));
	EXPECT_EQ(2, header[0]);
	EXPECT_EQ(1, header[1]);
	EXPECT_EQ(0, header[2]);
	/* The frontend looks at the config again. */
	EXPECT_EQ(0, set_writeback(&self->frontend, 1));
}

/* A message in pieces, and two in one. */
TEST_F(message, pieces)
{
	__u32 two[] = { GET_FEATURES, VERSION_1, 0, GET_FEATURES, VERSION_1, 0 };
	__u32 size = 8;
	__u64 u64;

	BEGIN();
	for (unsigned int i = 0; i < sizeof(two); i += 5) {
		unsigned int n = sizeof(two) - i < 5 ? sizeof(two) - i : 5;

		ASSERT_EQ(n, send(self->frontend.sock, (char *)two + i, n, 0));
		sleep_ms(5);
	}
	EXPECT_EQ(0, frontend_receive(&self->frontend, GET_FEATURES, &u64, &size));
	EXPECT_EQ(0, frontend_receive(&self->frontend, GET_FEATURES, &u64, &size));
}

/* Those that came before protocol features: rings are enabled when they are kicked. */
TEST_F(message, without_protocol_features)
{
	struct frontend *frontend = &self->frontend;

	BEGIN();
	ASSERT_EQ(0, frontend_ask(frontend, GET_FEATURES, &frontend->features));
	frontend->features &= ~F_PROTOCOL;
	ASSERT_EQ(0, frontend_tell(frontend, SET_OWNER, NULL, 0, NULL, 0));
	ASSERT_EQ(0, frontend_tell_u64(frontend, SET_FEATURES, frontend->features));
	ASSERT_EQ(0, frontend_set_up(frontend, 2));
	EXPECT_TRUE(request_works(&frontend->guest.queues[0]));
	EXPECT_TRUE(request_works(&frontend->guest.queues[1]));
}

/*
 * What no frontend may send. All messages come after the negotiation of everything,
 * and with memory at BASE of 64 KiB.
 */

#define BASE		0x4000000000ULL
#define FILE_SIZE	65536

enum { NONE = 0, MEMORY, EVENT, NULL_FILE };

struct bad {
	const char *name;
	__u32 request;
	__u32 flags;		/* (VERSION_1 | NEED_REPLY) */
	__u32 size;		/* of what is sent */
	__u32 says;		/* of what the header says; 0: the same */
	union {
		__u64 u64;
		struct vu_state state;
		struct vu_addr addr;
		struct vu_table table;
		struct vu_slot slot;
		struct vu_config config;
	};
	int files[12];
};

#define STATE(i, n)		.size = 8, .state = { i, n }
#define U64(n)			.size = 8, .u64 = n
#define TABLE1(g, s, u, o)	.size = 40, .table = { 1, 0, { { g, s, u, o } } }
#define SLOT(g, s, u, o)	.size = 40, .slot = { 0, { g, s, u, o } }
#define ADDR(...)		.size = 40, .addr = { __VA_ARGS__ }
#define TOP			(~0ULL - 4095)

static const struct bad bad[] = {
	{ "an unknown request", 77, U64(0) },
	{ "request 0", 0, .size = 0 },
	{ "the last request", 0xffffffff, .size = 0 },
	{ "version 0", GET_FEATURES, .flags = NEED_REPLY },
	{ "version 2", GET_FEATURES, .flags = 2 | NEED_REPLY },
	{ "a reply", SET_OWNER, .flags = VERSION_1 | IS_REPLY | NEED_REPLY },
	{ "a payload where there is none", SET_OWNER, U64(0) },
	{ "a short payload", SET_FEATURES, .size = 4 },
	{ "a long payload", SET_FEATURES, .size = 12 },
	{ "a huge payload", SET_FEATURES, .size = 8, .says = 0x7fffffff },
	{ "a payload of all", SET_FEATURES, .size = 8, .says = 0xffffffff },
	{ "a file where there is none", SET_OWNER, .files = { EVENT } },
	{ "a log", SET_LOG_BASE, .size = 16, .files = { MEMORY } },
	{ "a log's eventfd", SET_LOG_FD, .files = { EVENT } },
	{ "an IOTLB message", IOTLB_MSG, .size = 32 },
	{ "byte order", SET_VRING_ENDIAN, STATE(0, 1) },
	{ "inflight", GET_INFLIGHT_FD, .size = 24 },
	{ "an inband kick", VRING_KICK, STATE(0, 0) },
	{ "features that are not offered", SET_FEATURES, U64(1ULL << 63) },
	{ "logging", SET_FEATURES, U64(1ULL << 26) },
	{ "protocol features that are not offered", SET_PROTOCOL_FEATURES, U64(1 << 1) },

	{ "queue 4 of 4", SET_VRING_NUM, STATE(4, 256) },
	{ "queue 2^31", SET_VRING_BASE, STATE(1U << 31, 0) },
	{ "the base of the last queue", GET_VRING_BASE, STATE(0xffffffff, 0) },
	{ "enable queue 4", SET_VRING_ENABLE, STATE(4, 1) },
	{ "enable twice", SET_VRING_ENABLE, STATE(0, 2) },
	{ "no descriptors", SET_VRING_NUM, STATE(0, 0) },
	{ "three descriptors", SET_VRING_NUM, STATE(0, 3) },
	{ "65536 descriptors", SET_VRING_NUM, STATE(0, 65536) },
	{ "base 65536", SET_VRING_BASE, STATE(0, 65536) },
	{ "an address without memory", SET_VRING_ADDR, ADDR(0, 0, 0, 0, 0, 0) },
	{ "an address in front of the memory", SET_VRING_ADDR,
	  ADDR(0, 0, BASE - 16, BASE, BASE, 0) },
	{ "an address behind the memory", SET_VRING_ADDR,
	  ADDR(0, 0, BASE, BASE + FILE_SIZE, BASE, 0) },
	{ "an address of the guest", SET_VRING_ADDR, ADDR(0, 0, 0x1000, 0x1000, 0x1000, 0) },
	{ "the last address", SET_VRING_ADDR, ADDR(0, 0, -16ULL, -16ULL, -16ULL, 0) },
	{ "an odd address", SET_VRING_ADDR, ADDR(0, 0, BASE + 8, BASE, BASE, 0) },
	{ "a logged ring", SET_VRING_ADDR, ADDR(0, 1, BASE, BASE, BASE, 0) },
	{ "an address of queue 4", SET_VRING_ADDR, ADDR(4, 0, BASE, BASE, BASE, 0) },

	{ "no kick", SET_VRING_KICK, U64(NOFD) },
	{ "no call", SET_VRING_CALL, U64(NOFD) },
	{ "no kick, with one", SET_VRING_KICK, U64(NOFD), .files = { EVENT } },
	{ "a kick without a file", SET_VRING_KICK, U64(0) },
	{ "two kicks", SET_VRING_KICK, U64(0), .files = { EVENT, EVENT } },
	{ "a kick that is memory", SET_VRING_KICK, U64(0), .files = { MEMORY } },
	{ "a call that is a device", SET_VRING_CALL, U64(0), .files = { NULL_FILE } },
	{ "an error that is memory", SET_VRING_ERR, U64(0), .files = { MEMORY } },
	{ "a kick of queue 4", SET_VRING_KICK, U64(4), .files = { EVENT } },
	{ "a kick with unknown flags", SET_VRING_KICK, U64(0x200), .files = { EVENT } },
	{ "a kick with high flags", SET_VRING_KICK, U64(1ULL << 63), .files = { EVENT } },

	{ "a table without its file", SET_MEM_TABLE, TABLE1(0, 4096, BASE, 0) },
	{ "a table with two files for one", SET_MEM_TABLE, TABLE1(0, 4096, BASE, 0),
	  .files = { MEMORY, MEMORY } },
	{ "a table of 9", SET_MEM_TABLE, .size = 8 + 9 * 32, .table = { 9 },
	  .files = { MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY } },
	{ "a table of 12 files", SET_MEM_TABLE, TABLE1(0, 4096, BASE, 0),
	  .files = { MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY,
		     MEMORY, MEMORY, MEMORY } },
	{ "a table of too many", SET_MEM_TABLE, .size = 40, .table = { 0xffffffff },
	  .files = { MEMORY } },
	{ "a table that is short", SET_MEM_TABLE, .size = 39, .table = { 1 }, .files = { MEMORY } },
	{ "half a table", SET_MEM_TABLE, .size = 4, .table = { 1 }, .files = { MEMORY } },
	{ "a region without size", SET_MEM_TABLE, TABLE1(0, 0, BASE, 0), .files = { MEMORY } },
	{ "a region that wraps for the guest", SET_MEM_TABLE, TABLE1(TOP, 8192, BASE, 0),
	  .files = { MEMORY } },
	{ "a region that wraps for the frontend", SET_MEM_TABLE, TABLE1(0, 8192, TOP, 0),
	  .files = { MEMORY } },
	{ "a region that wraps in its file", SET_MEM_TABLE, TABLE1(0, 8192, BASE, TOP),
	  .files = { MEMORY } },
	{ "a region longer than its file", SET_MEM_TABLE, TABLE1(0, FILE_SIZE + 1, BASE, 0),
	  .files = { MEMORY } },
	{ "a region behind its file", SET_MEM_TABLE, TABLE1(0, 4096, BASE, FILE_SIZE),
	  .files = { MEMORY } },
	{ "a region of all there is", SET_MEM_TABLE, TABLE1(0, ~0ULL, 0, 0), .files = { MEMORY } },
	{ "a region of an eventfd", SET_MEM_TABLE, TABLE1(0, 4096, BASE, 0), .files = { EVENT } },
	{ "a region of a device", SET_MEM_TABLE, TABLE1(0, 4096, BASE, 0),
	  .files = { NULL_FILE } },
	{ "regions that overlap for the guest", SET_MEM_TABLE, .size = 72,
	  .table = { 2, 0, { { 0, 8192, BASE, 0 }, { 4096, 4096, 2 * BASE, 0 } } },
	  .files = { MEMORY, MEMORY } },
	{ "regions that overlap for the frontend", SET_MEM_TABLE, .size = 72,
	  .table = { 2, 0, { { 0, 8192, BASE, 0 }, { 8192, 4096, BASE + 4096, 0 } } },
	  .files = { MEMORY, MEMORY } },

	{ "a slot without a file", ADD_MEM_REG, SLOT(1 << 20, 4096, 2 * BASE, 0) },
	{ "a slot with two files", ADD_MEM_REG, SLOT(1 << 20, 4096, 2 * BASE, 0),
	  .files = { MEMORY, MEMORY } },
	{ "a slot that is there", ADD_MEM_REG, SLOT(0, FILE_SIZE, BASE, 0), .files = { MEMORY } },
	{ "a slot of a short file", ADD_MEM_REG, SLOT(1 << 20, 8192, 2 * BASE, FILE_SIZE - 4096),
	  .files = { MEMORY } },
	{ "removing what is not there", REM_MEM_REG, SLOT(1 << 20, 4096, 2 * BASE, 0) },
	{ "removing a part", REM_MEM_REG, SLOT(0, 4096, BASE, 0) },
	{ "removing with two files", REM_MEM_REG, SLOT(0, FILE_SIZE, BASE, 0),
	  .files = { MEMORY, MEMORY } },

	{ "config of more than there is", GET_CONFIG, .size = 12 + 4,
	  .config = { .offset = 254, .size = 4 } },
	{ "config that wraps", GET_CONFIG, .size = 12 + 4,
	  .config = { .offset = 0xfffffffe, .size = 4 } },
	{ "config of another size", GET_CONFIG, .size = 12 + 4, .config = { .size = 8 } },
	{ "config of a huge size", GET_CONFIG, .size = 12, .config = { .size = 0xfffffff4 } },
	{ "config without a size", GET_CONFIG, .size = 11 },
	{ "setting the capacity", SET_CONFIG, .size = 12 + 8, .config = { .size = 8 } },
	{ "setting writeback to 2", SET_CONFIG, .size = 13,
	  .config = { .offset = 32, .size = 1, .space = { 2 } } },
	{ "setting config with unknown flags", SET_CONFIG, .size = 13,
	  .config = { .offset = 32, .size = 1, .flags = 2 } },
	{ "no channel", SET_BACKEND_REQ_FD, .size = 0 },
	{ "a channel that is no socket", SET_BACKEND_REQ_FD, .files = { EVENT } },
	{ "a status of more than a byte", SET_STATUS, U64(256) },
};

static int file_of(const SELF *self, int file)
{
	return file == MEMORY ? self->memory : file == EVENT ? self->event : self->null;
}

static int send_bad(SELF *self, const struct bad *bad)
{
	__u32 message[3 + sizeof(*bad) / 4] = {
		bad->request, bad->flags ?: VERSION_1 | NEED_REPLY, bad->says ?: bad->size
	};
	struct frontend *frontend = &self->frontend;
	int files[12], n = 0;

	while (n < 12 && bad->files[n]) {
		files[n] = file_of(self, bad->files[n]);
		n++;
	}
	memcpy(message + 3, &bad->u64, bad->size);
	if (!bad->says)
		return frontend_send(frontend, message[0], message[1], message + 3, bad->size,
				     files, n);
	return send(frontend->sock, message, 12 + bad->size, MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* Memory of one region, and a ring that would be fine. */
static int begin_bad(SELF *self)
{
	static const struct vu_table table = { 1, 0, { { 0, FILE_SIZE, BASE, 0 } } };
	static const struct vu_addr addr = { 1, 0, BASE, BASE + 8192, BASE + 4096, 0 };
	struct frontend *frontend = &self->frontend;

	return frontend_connect(frontend, &self->bridge) ?:
	       frontend_negotiate(frontend, P_ALL) ?:
	       frontend_tell(frontend, SET_MEM_TABLE, &table, 40, &self->memory, 1) ?:
	       frontend_tell_state(frontend, SET_VRING_NUM, 1, 128) ?:
	       frontend_tell(frontend, SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static bool has_own_answer(__u32 request)
{
	return request == GET_FEATURES || request == GET_VRING_BASE || request == GET_CONFIG;
}

/* Was it refused as it should, and is the bridge as it was? */
static const char *check_bad(SELF *self, const struct bad *bad, int *files)
{
	__u64 answer[64] = {};
	__u32 size = sizeof(answer);
	bool clean;
	int ret, lines = bridge_said(&self->bridge, "connection closed");

	if (begin_bad(self))
		return "no connection";
	ret = send_bad(self, bad);
	if (ret)
		return "cannot be sent";
	ret = frontend_receive(&self->frontend, bad->request, answer, &size);
	if (bad->request == GET_CONFIG ? ret || size :
	    has_own_answer(bad->request) ? ret != EPIPE : ret || size != 8 || !answer[0])
		return "has another answer";
	if (!frontend_is_closed(&self->frontend))
		return "leaves the connection open";
	frontend_disconnect(&self->frontend);
	if (bridge_said(&self->bridge, "connection closed") != lines + 1)
		return "is not one line in the log";
	if (waitpid(self->bridge.pid, NULL, WNOHANG))
		return "killed the bridge";
	clean = BECOMES_TRUE(!bridge_maps(&self->bridge));
	if (!clean)
		return "leaves memory";
	if (!*files)
		*files = bridge_files(&self->bridge);
	return BECOMES_TRUE(*files == bridge_files(&self->bridge)) ? NULL : "leaves files";
}

TEST_F(message, bad_ones)
{
	const char *what;
	int files = 0;

	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, (char *[]) { "--num-queues", "4", NULL }));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		what = check_bad(self, &bad[i], &files);
		if (what)
			ksft_print_msg("%s: %s\n", bad[i].name, what);
		EXPECT_EQ(NULL, what);
		frontend_disconnect(&self->frontend);
	}
}

/* What a connection did not negotiate is not there for it. */
TEST_F(message, not_negotiated)
{
	static const __u32 requests[] = { GET_QUEUE_NUM, GET_CONFIG, GET_MAX_MEM_SLOTS,
					  GET_STATUS, RESET_DEVICE, ADD_MEM_REG };

	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++) {
		ASSERT_EQ(0, frontend_connect(&self->frontend, &self->bridge));
		ASSERT_EQ(0, frontend_send(&self->frontend, requests[i], VERSION_1, NULL, 0, NULL,
					   0));
		/* GET_CONFIG has an answer, of no bytes. */
		if (requests[i] == GET_CONFIG)
			recv(self->frontend.sock, (__u32[3]) {}, 12, MSG_WAITALL);
		EXPECT_TRUE(frontend_is_closed(&self->frontend));
		frontend_disconnect(&self->frontend);
		EXPECT_TRUE(BECOMES_TRUE(bridge_said(&self->bridge, "was not negotiated") ==
					 (int)i + 1));
	}
}

/* Connections that end in the middle of a message. */
TEST_F(message, cut_off)
{
	__u32 message[] = { SET_FEATURES, VERSION_1, 8, 0, 0 };

	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, NULL));
	for (unsigned int n = 1; n < sizeof(message); n += 3) {
		ASSERT_EQ(0, frontend_connect(&self->frontend, &self->bridge));
		ASSERT_EQ(n, send(self->frontend.sock, message, n, 0));
		frontend_disconnect(&self->frontend);
	}
	EXPECT_TRUE(BECOMES_TRUE(bridge_said(&self->bridge, "ends in the middle") == 7));
}

/* Rings that are fine by their first byte, but not by their last. */
TEST_F(message, rings_that_do_not_fit)
{
	const __u64 end = BASE + FILE_SIZE;
	const struct vu_addr addrs[] = {
		{ 1, 0, end - 127 * 16 - 16, BASE, BASE, 0 },	/* fits */
		{ 1, 0, end - 127 * 16, BASE, BASE, 0 },
		{ 1, 0, BASE, end - 6 - 8 * 127 - 2, BASE, 0 },
		{ 1, 0, BASE, BASE, end - 6 - 2 * 127, 0 },
		{ 1, 0, BASE, BASE, end - 2, 0 },
	};
	__u64 index = 1;
	int ret;

	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, NULL));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, begin_bad(self));
		ASSERT_EQ(0, frontend_tell(&self->frontend, SET_VRING_ADDR, &addrs[i],
					   sizeof(addrs[i]), NULL, 0));
		ASSERT_EQ(0, frontend_tell(&self->frontend, SET_VRING_KICK, &index, 8,
					   &self->event, 1));
		ret = frontend_tell_state(&self->frontend, SET_VRING_ENABLE, 1, 1);
		EXPECT_EQ(i ? EPROTO : 0, ret);
		frontend_disconnect(&self->frontend);
	}
}

/* A region that a ring is in cannot be taken away from under it. */
TEST_F(message, a_region_in_use)
{
	const struct vu_slot slot = { 0, { 0, FILE_SIZE, BASE, 0 } };
	__u64 index = 1;

	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, NULL));
	ASSERT_EQ(0, begin_bad(self));
	ASSERT_EQ(0, frontend_tell(&self->frontend, SET_VRING_KICK, &index, 8, &self->event, 1));
	ASSERT_EQ(0, frontend_tell_state(&self->frontend, SET_VRING_ENABLE, 1, 1));
	EXPECT_EQ(EPROTO, frontend_tell(&self->frontend, REM_MEM_REG, &slot, sizeof(slot), NULL,
					0));
	EXPECT_TRUE(frontend_is_closed(&self->frontend));
}

/*
 * The command line
 */

static int status_of(SELF *self, char *const *options)
{
	if (bridge_run(&self->bridge, options))
		return -1;
	return WEXITSTATUS(bridge_wait(&self->bridge));
}

TEST_F(message, command_line)
{
	char *const wrong[][8] = {
		{ NULL },
		{ "--socket", "/x" },
		{ "--blk-file", "/dev/null" },
		{ "--socket", "/x", "--fd", "3", "--blk-file", "/dev/null" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "--blk-fd", "3" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "--num-queues", "0" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "--num-queues", "257" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "--workers", "many" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "--poll-us", "10001" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "--poll-us", "" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "--serial",
		  "more than twenty bytes" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "--log-level", "loud" },
		{ "--socket", "/x", "--blk-file", "/dev/null", "more" },
		{ "--frobnicate" },
		{ "--socket" },
	};
	char *failing[][8] = {
		{ "--socket", "/no/such/folder", "--blk-file", disk.path },
		{ "--socket", P_tmpdir "/x", "--blk-file", "/no-such-disk" },
		{ "--socket", P_tmpdir "/x", "--blk-file", "/dev/zero" },
		{ "--socket", P_tmpdir "/x", "--blk-fd", "99" },
		{ "--fd", "99", "--blk-file", disk.path },
		{ "--fd", "2", "--blk-file", disk.path },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(2, status_of(self, wrong[i]));
		EXPECT_EQ(1, bridge_said(&self->bridge, "vhost-blk-bridge: "));
		EXPECT_EQ(1, bridge_said(&self->bridge, "\n"));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(failing); i++) {
		EXPECT_EQ(1, status_of(self, failing[i]));
		EXPECT_EQ(1, bridge_said(&self->bridge, "\n"));
	}
	EXPECT_EQ(0, status_of(self, (char *[]) { "--help", NULL }));
	EXPECT_EQ(0, status_of(self, (char *[]) { "--version", NULL }));
	EXPECT_EQ(0, status_of(self, (char *[]) { "--junk", "--print-capabilities", NULL }));
	EXPECT_EQ(1, bridge_said(&self->bridge, "\"type\": \"block\""));
}

int main(int argc, char **argv)
{
	static const struct disk_setup setup = { .kind = DISK_NULL_BLK };

	need_device();
	why_not = disk_share(&disk, &setup);
	return test_harness_run(argc, argv);
}
