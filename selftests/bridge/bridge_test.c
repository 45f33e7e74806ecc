// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bridge, on the real device, as a frontend sees it: data, rings that start and
 * stop, memory that comes and goes, connections that end in all ways.
 */
#include <endian.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "kselftest_harness.h"
#include "../lib/clock.h"
#include "../lib/traffic.h"
#include "frontend.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

static struct disk disk;
static const char *why_not;

FIXTURE(bridge) {
	struct bridge bridge;
	struct frontend frontend;
	struct guest_queue *queue;
	struct traffic traffic[4];
};

#define SELF FIXTURE_DATA(bridge)

FIXTURE_SETUP(bridge)
{
	if (why_not)
		SKIP(return, "%s", why_not);
	self->frontend.sock = -1;
	self->queue = &self->frontend.guest.queues[0];
}

FIXTURE_TEARDOWN(bridge)
{
	frontend_end(&self->frontend);
	EXPECT_TRUE(bridge_stop(&self->bridge));
	for (int i = 0; i < 4; i++)
		free(self->traffic[i].model);
}

#define BEGIN(queues, ...) do {								\
	char *const _options[16] = { __VA_ARGS__ };					\
	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, _options));			\
	ASSERT_EQ(0, frontend_begin(&self->frontend, &self->bridge, queues));		\
} while (0)

/* All kinds of requests on a queue, each on a part of the disk of its own. */
static int start_traffic(SELF *self, int i)
{
	struct traffic *traffic = &self->traffic[i];

	traffic->queue = &self->frontend.guest.queues[i];
	traffic->sector = i * (disk.sectors / 4);
	traffic->sectors = disk.sectors / 4;
	traffic->discards = true;
	traffic->max_len = 16384;
	traffic->seed = i + 1;
	return traffic_start(traffic);
}

/*
 * Data
 */

TEST_F(bridge, reads_and_writes)
{
	struct guest *guest = &self->frontend.guest;
	char *there = disk_buffer(64 * 1024), *wanted = disk_buffer(64 * 1024);
	__u64 data;

	BEGIN(1);
	data = request_alloc(guest, 64 * 1024, 0);
	data_fill(guest, data, 64 * 1024, 7);
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  request_do(self->queue, VIRTIO_BLK_T_OUT, 2048, data, 64 * 1024));
	ASSERT_TRUE(disk_read(&disk, there, 64 * 1024, MIB));
	guest_get(guest, wanted, data, 64 * 1024);
	EXPECT_EQ(0, memcmp(wanted, there, 64 * 1024));
	guest_set(guest, data, 0, 64 * 1024);
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  request_do(self->queue, VIRTIO_BLK_T_IN, 2048, data, 64 * 1024));
	EXPECT_TRUE(data_is(guest, data, 64 * 1024, 7));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_FLUSH, 0, data, 0));
	/* A buffer that goes from one region, and one map, to the next. */
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_IN, 2048,
					      GUEST_NEXT - 8 * PAGE, 64 * 1024));
	EXPECT_TRUE(data_is(guest, GUEST_NEXT - 8 * PAGE, 64 * 1024, 7));
}

TEST_F(bridge, traffic_on_a_queue)
{
	BEGIN(1);
	ASSERT_EQ(0, start_traffic(self, 0));
	EXPECT_TRUE(traffic_flows(&self->traffic[0], 2000));
	EXPECT_EQ(NULL, traffic_stop(&self->traffic[0]));
}

TEST_F(bridge, traffic_on_four_queues_and_workers)
{
	BEGIN(4, "--workers", "4", "--num-queues", "4", "--poll-us", "20");
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, start_traffic(self, i));
	for (int i = 0; i < 4; i++)
		EXPECT_TRUE(traffic_flows(&self->traffic[i], 500));
	EXPECT_EQ(4, bridge_workers(&self->bridge));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(NULL, traffic_stop(&self->traffic[i]));
}

/* The point of it all. */
TEST_F(bridge, sleeps_while_requests_flow)
{
	long wakes, switches;

	BEGIN(2);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, start_traffic(self, i));
	EXPECT_TRUE(traffic_flows(&self->traffic[0], 10));
	wakes = bridge_status(&self->bridge, "voluntary_ctxt_switches", 10);
	switches = bridge_status(&self->bridge, "nonvoluntary_ctxt_switches", 10);
	for (int i = 0; i < 2; i++)
		EXPECT_TRUE(traffic_flows(&self->traffic[i], 1000));
	EXPECT_EQ(wakes, bridge_status(&self->bridge, "voluntary_ctxt_switches", 10));
	EXPECT_EQ(switches, bridge_status(&self->bridge, "nonvoluntary_ctxt_switches", 10));
	EXPECT_LT(0, wakes);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(NULL, traffic_stop(&self->traffic[i]));
}

TEST_F(bridge, read_only)
{
	char *there = disk_buffer(PAGE), *after = disk_buffer(PAGE);
	__u64 data;

	BEGIN(1, "--read-only");
	EXPECT_TRUE(self->frontend.features & FEATURE(VIRTIO_BLK_F_RO));
	data = request_alloc(&self->frontend.guest, PAGE, 0);
	data_fill(&self->frontend.guest, data, PAGE, 99);
	ASSERT_TRUE(disk_read(&disk, there, PAGE, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request_do(self->queue, VIRTIO_BLK_T_OUT, 0, data, PAGE));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_IN, 0, data, PAGE));
	ASSERT_TRUE(disk_read(&disk, after, PAGE, 0));
	EXPECT_EQ(0, memcmp(there, after, PAGE));
}

TEST_F(bridge, serial)
{
	char name[VIRTIO_BLK_ID_BYTES + 1] = "";
	__u64 data;

	BEGIN(1, "--serial", "a disk of 20 letters");
	data = request_alloc(&self->frontend.guest, PAGE, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_do(self->queue, VIRTIO_BLK_T_GET_ID, 0, data,
					      VIRTIO_BLK_ID_BYTES));
	guest_get(&self->frontend.guest, name, data, VIRTIO_BLK_ID_BYTES);
	EXPECT_STREQ("a disk of 20 letters", name);
}

/*
 * Rings
 */

TEST_F(bridge, a_ring_stops_and_goes_on)
{
	struct vu_state state = { 0, 0 };
	__u32 size = sizeof(state);

	BEGIN(1);
	for (int i = 0; i < 3; i++) {
		EXPECT_TRUE(request_works(self->queue));
		ASSERT_EQ(0, frontend_send(&self->frontend, GET_VRING_BASE, VERSION_1, &state,
					   sizeof(state), NULL, 0));
		ASSERT_EQ(0, frontend_receive(&self->frontend, GET_VRING_BASE, &state, &size));
		EXPECT_EQ((__u16)self->queue->drv.taken, state.num);
		ASSERT_EQ(0, frontend_set_up_queue(&self->frontend, self->queue));
	}
	EXPECT_TRUE(request_works(self->queue));
}

TEST_F(bridge, what_was_in_the_ring_before_is_served)
{
	struct request request = { .type = VIRTIO_BLK_T_IN, .len = PAGE };
	struct frontend *frontend = &self->frontend;

	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, NULL));
	ASSERT_EQ(0, frontend_connect(frontend, &self->bridge));
	ASSERT_EQ(0, frontend_negotiate(frontend, P_ALL));
	ASSERT_EQ(0, frontend_set_up(frontend, 1));
	request.data = request_alloc(&frontend->guest, PAGE, 0);
	ASSERT_EQ(0, request_add(self->queue, &request));
	drv_publish(&self->queue->drv);
	ASSERT_EQ(0, frontend_enable(frontend, 0, true));
	EXPECT_EQ(0, request_wait(self->queue, &request));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request.status);
}

/* Others go on while one stops, and what stopped does not start with others. */
TEST_F(bridge, rings_stop_and_start_one_by_one)
{
	struct frontend *frontend = &self->frontend;
	struct request request = { .type = VIRTIO_BLK_T_IN, .len = PAGE };
	struct guest_queue *second = &frontend->guest.queues[1];

	BEGIN(4);
	ASSERT_EQ(0, start_traffic(self, 0));
	for (int i = 0; i < 3; i++) {
		EXPECT_TRUE(request_works(second));
		ASSERT_EQ(0, frontend_enable(frontend, 1, false));
		ASSERT_EQ(0, frontend_enable(frontend, 2, false));
		ASSERT_EQ(0, frontend_enable(frontend, 2, true));
		EXPECT_TRUE(traffic_flows(&self->traffic[0], 10));
		EXPECT_TRUE(request_works(&frontend->guest.queues[2]));
		request.data = request_alloc(&frontend->guest, PAGE, 0);
		ASSERT_EQ(0, request_add(second, &request));
		guest_kick(second);
		sleep_ms(50);
		EXPECT_EQ(0, request_poll(second));
		ASSERT_EQ(0, frontend_enable(frontend, 1, true));
		EXPECT_EQ(0, request_wait(second, &request));
		EXPECT_EQ(VIRTIO_BLK_S_OK, request.status);
		EXPECT_TRUE(traffic_flows(&self->traffic[0], 10));
	}
	EXPECT_EQ(NULL, traffic_stop(&self->traffic[0]));
}

static int begin_again(struct frontend *frontend)
{
	struct guest *guest = &frontend->guest;
	int ret = frontend_tell_u64(frontend, SET_FEATURES, frontend->features);

	for (__u32 i = 0; i < guest->nr_queues && !ret; i++)
		ret = guest_new_ring(&guest->queues[i]) ?:
		      frontend_set_up_queue(frontend, &guest->queues[i]);
	return ret ?: frontend_enable_all(frontend);
}

TEST_F(bridge, resets)
{
	struct frontend *frontend = &self->frontend;
	__u64 status = 77;

	BEGIN(2);
	EXPECT_TRUE(request_works(self->queue));
	ASSERT_EQ(0, frontend_tell_u64(frontend, SET_STATUS, 15));
	ASSERT_EQ(0, frontend_ask(frontend, GET_STATUS, &status));
	EXPECT_EQ(15, status);
	ASSERT_EQ(0, frontend_tell(frontend, RESET_DEVICE, NULL, 0, NULL, 0));
	ASSERT_EQ(0, frontend_ask(frontend, GET_STATUS, &status));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, begin_again(frontend));
	EXPECT_TRUE(request_works(self->queue));

	ASSERT_EQ(0, frontend_tell_u64(frontend, SET_STATUS, 0));
	ASSERT_EQ(0, begin_again(frontend));
	EXPECT_TRUE(request_works(self->queue));

	ASSERT_EQ(0, frontend_tell(frontend, RESET_OWNER, NULL, 0, NULL, 0));
	ASSERT_EQ(0, frontend_enable_all(frontend));
	EXPECT_TRUE(request_works(self->queue));
}

/*
 * Memory
 */

TEST_F(bridge, the_table_is_replaced_under_traffic)
{
	BEGIN(2);
	ASSERT_EQ(0, start_traffic(self, 0));
	ASSERT_EQ(0, start_traffic(self, 1));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, frontend_set_table(&self->frontend));
		EXPECT_TRUE(traffic_flows(&self->traffic[0], 10));
		EXPECT_TRUE(traffic_flows(&self->traffic[1], 10));
	}
	EXPECT_EQ(GUEST_REGIONS, bridge_maps(&self->bridge));
	EXPECT_EQ(NULL, traffic_stop(&self->traffic[0]));
	EXPECT_EQ(NULL, traffic_stop(&self->traffic[1]));
}

TEST_F(bridge, slots_come_and_go_under_traffic)
{
	struct frontend *frontend = &self->frontend;
	struct vu_slot slot = {};
	__u64 slots = 0, sector;

	BEGIN(2);
	ASSERT_EQ(0, frontend_ask(frontend, GET_MAX_MEM_SLOTS, &slots));
	EXPECT_LE(32, slots);
	ASSERT_EQ(0, start_traffic(self, 0));
	sector = 3 * disk.sectors / 4;
	for (int i = 0; i < 3; i++) {
		/* HIGH is of no use to traffic. */
		slot.region = frontend_region(frontend, HIGH);
		ASSERT_EQ(0, frontend_tell(frontend, REM_MEM_REG, &slot, sizeof(slot),
					   &frontend->memory[HIGH], i % 2));
		EXPECT_EQ(GUEST_REGIONS - 1, bridge_maps(&self->bridge));
		EXPECT_TRUE(traffic_flows(&self->traffic[0], 10));
		ASSERT_EQ(0, frontend_tell(frontend, ADD_MEM_REG, &slot, sizeof(slot),
					   &frontend->memory[HIGH], 1));
		EXPECT_TRUE(traffic_flows(&self->traffic[0], 10));
		EXPECT_EQ(VIRTIO_BLK_S_OK,
			  request_do(&frontend->guest.queues[1], VIRTIO_BLK_T_IN, sector,
				     GUEST_HIGH + 8 * PAGE, PAGE));
	}
	EXPECT_EQ(NULL, traffic_stop(&self->traffic[0]));
}

/* All of the guest's memory by slots, and none by a table. */
TEST_F(bridge, slots_alone)
{
	struct frontend *frontend = &self->frontend;
	struct vu_slot slot = {};

	BEGIN(1);
	ASSERT_EQ(0, frontend_tell(frontend, RESET_OWNER, NULL, 0, NULL, 0));
	for (int i = 0; i < GUEST_REGIONS; i++) {
		slot.region = frontend_region(frontend, i);
		ASSERT_EQ(0, frontend_tell(frontend, REM_MEM_REG, &slot, sizeof(slot), NULL, 0));
	}
	EXPECT_EQ(0, bridge_maps(&self->bridge));
	for (int i = 0; i < GUEST_REGIONS; i++) {
		slot.region = frontend_region(frontend, i);
		ASSERT_EQ(0, frontend_tell(frontend, ADD_MEM_REG, &slot, sizeof(slot),
					   &frontend->memory[i], 1));
	}
	ASSERT_EQ(0, frontend_enable_all(frontend));
	EXPECT_TRUE(request_works(self->queue));
}

/* Memory whose file gets shorter is the guest's problem, not the bridge's. */
TEST_F(bridge, memory_vanishes)
{
	struct frontend *frontend = &self->frontend;
	__u64 offered;

	BEGIN(1);
	EXPECT_TRUE(request_works(self->queue));
	ASSERT_EQ(0, ftruncate(frontend->memory[MAIN], 0));
	ASSERT_EQ(0, ftruncate(frontend->memory[LOW], 0));
	eventfd_write(self->queue->kick, 1);
	EXPECT_EQ(0, frontend_ask(frontend, GET_FEATURES, &offered));
	ASSERT_EQ(0, frontend_enable(frontend, 0, false));
	/* There is no ring any more. */
	frontend_enable(frontend, 0, true);
	EXPECT_EQ(0, waitpid(self->bridge.pid, NULL, WNOHANG));
	frontend_end(frontend);
	ASSERT_EQ(0, frontend_begin(frontend, &self->bridge, 1));
	EXPECT_TRUE(request_works(self->queue));
}

/*
 * Connections
 */

TEST_F(bridge, frontends_come_and_go)
{
	int files = 0;

	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, NULL));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, frontend_begin(&self->frontend, &self->bridge, 1 + i % 4));
		EXPECT_TRUE(request_works(self->queue));
		frontend_end(&self->frontend);
		EXPECT_TRUE(BECOMES_TRUE(bridge_said(&self->bridge, "has left") == i + 1));
		EXPECT_EQ(0, bridge_maps(&self->bridge));
		if (!i)
			files = bridge_files(&self->bridge);
		EXPECT_EQ(files, bridge_files(&self->bridge));
	}
}

TEST_F(bridge, once)
{
	BEGIN(1, "--once");
	EXPECT_TRUE(request_works(self->queue));
	frontend_end(&self->frontend);
	EXPECT_EQ(0, bridge_wait(&self->bridge));
	EXPECT_NE(0, access(self->bridge.path, F_OK));
}

/* Requests in flight, and then the frontend is gone. */
TEST_F(bridge, the_frontend_is_killed)
{
	pid_t child;
	int status;

	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, NULL));
	for (int i = 0; i < 3; i++) {
		child = fork();
		if (!child) {
			if (frontend_begin(&self->frontend, &self->bridge, 2) ||
			    start_traffic(self, 0) || start_traffic(self, 1) ||
			    !traffic_flows(&self->traffic[0], 20))
				_exit(1);
			raise(SIGKILL);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	ASSERT_EQ(0, frontend_begin(&self->frontend, &self->bridge, 1));
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(GUEST_REGIONS, bridge_maps(&self->bridge));
}

/* Another one goes on where a bridge that was killed was, with the same socket. */
TEST_F(bridge, the_bridge_is_killed)
{
	struct frontend *frontend = &self->frontend;
	struct guest_queue *queue = self->queue;

	BEGIN(1);
	EXPECT_TRUE(request_works(queue));
	kill(self->bridge.pid, SIGKILL);
	ASSERT_LT(0, bridge_wait(&self->bridge));
	EXPECT_TRUE(frontend_is_closed(frontend));
	frontend_disconnect(frontend);
	ASSERT_EQ(0, bridge_start(&self->bridge, &disk, NULL));
	ASSERT_EQ(0, frontend_connect(frontend, &self->bridge));
	ASSERT_EQ(0, frontend_negotiate(frontend, P_ALL));
	ASSERT_EQ(0, frontend_set_table(frontend));
	ASSERT_EQ(0, frontend_set_up_queue(frontend, queue));
	ASSERT_EQ(0, frontend_enable(frontend, 0, true));
	EXPECT_TRUE(request_works(queue));
}

TEST_F(bridge, ends_when_told)
{
	BEGIN(1);
	ASSERT_EQ(0, start_traffic(self, 0));
	EXPECT_TRUE(traffic_flows(&self->traffic[0], 10));
	EXPECT_EQ(NULL, traffic_stop(&self->traffic[0]));
	EXPECT_TRUE(bridge_stop(&self->bridge));
	EXPECT_NE(0, access(self->bridge.path, F_OK));
	EXPECT_TRUE(frontend_is_closed(&self->frontend));
}

/* All that was taken is given back, so that another one can go on. */
TEST_F(bridge, loses_nothing_when_told_to_end)
{
	static const struct disk_setup setup = { .kind = DISK_NULL_BLK, .latency_us = 500000 };
	struct request requests[8] = {};
	struct disk slow;

	ASSERT_EQ(NULL, disk_make(&slow, &setup));
	ASSERT_EQ(0, bridge_start(&self->bridge, &slow, NULL));
	ASSERT_EQ(0, frontend_begin(&self->frontend, &self->bridge, 1));
	for (int i = 0; i < 8; i++) {
		requests[i].type = VIRTIO_BLK_T_IN;
		requests[i].len = PAGE;
		requests[i].data = request_alloc(&self->frontend.guest, PAGE, 0);
		ASSERT_EQ(0, request_add(self->queue, &requests[i]));
	}
	guest_kick(self->queue);
	sleep_ms(200);
	EXPECT_EQ(0, request_poll(self->queue));
	EXPECT_TRUE(bridge_stop(&self->bridge));
	EXPECT_EQ(8, request_poll(self->queue));
	disk_remove(&slow);
}

TEST_F(bridge, a_socket_in_use_is_left_alone)
{
	char *const options[] = { "--socket", self->bridge.path, "--blk-file", disk.path, NULL };
	struct bridge other = {};

	BEGIN(1);
	ASSERT_EQ(0, bridge_run(&other, options));
	EXPECT_EQ(1, WEXITSTATUS(bridge_wait(&other)));
	EXPECT_TRUE(request_works(self->queue));
}

/* A connection that is there, and a socket that listens. */
TEST_F(bridge, sockets_are_inherited)
{
	char disk_fd[16], *options[] = { "--fd", "3", "--blk-fd", disk_fd, NULL };
	int pair[2];

	snprintf(disk_fd, sizeof(disk_fd), "%d", fcntl(disk.fd, F_DUPFD, 20));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	if (pair[1] != 3) {
		dup2(pair[1], 3);
		fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	}
	ASSERT_EQ(0, bridge_run(&self->bridge, options));
	close(3);
	if (pair[1] != 3)
		close(pair[1]);
	self->frontend.sock = pair[0];
	ASSERT_EQ(0, frontend_negotiate(&self->frontend, P_ALL));
	ASSERT_EQ(0, frontend_set_up(&self->frontend, 1));
	ASSERT_EQ(0, frontend_enable(&self->frontend, 0, true));
	EXPECT_TRUE(request_works(self->queue));
	frontend_end(&self->frontend);
	EXPECT_EQ(0, bridge_wait(&self->bridge));
}

TEST_F(bridge, socket_activation)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *const options[] = { "--blk-file", disk.path, NULL };
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	ASSERT_LE(0, sock);
	snprintf(self->bridge.path, sizeof(self->bridge.path), P_tmpdir "/bridge.%d.sock",
		 getpid());
	memcpy(address.sun_path, self->bridge.path, sizeof(self->bridge.path));
	ASSERT_EQ(0, bind(sock, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_EQ(0, listen(sock, 1));
	if (sock != 3)
		dup2(sock, 3);
	setenv("LISTEN_FDS", "1", 1);
	ASSERT_EQ(0, bridge_run(&self->bridge, options));
	unsetenv("LISTEN_FDS");
	ASSERT_EQ(0, frontend_begin(&self->frontend, &self->bridge, 1));
	EXPECT_TRUE(request_works(self->queue));
	unlink(address.sun_path);
}

/*
 * What the bridge may do
 */

TEST_F(bridge, has_no_privileges)
{
	BEGIN(1);
	EXPECT_TRUE(request_works(self->queue));
	EXPECT_EQ(0, bridge_status(&self->bridge, "CapEff", 16));
	EXPECT_EQ(0, bridge_status(&self->bridge, "CapPrm", 16));
	EXPECT_EQ(0, bridge_status(&self->bridge, "CapBnd", 16));
	EXPECT_EQ(1, bridge_status(&self->bridge, "NoNewPrivs", 10));
	/* -1: of a kernel that has no filter. */
	if (bridge_status(&self->bridge, "Seccomp", 10) != -1)
		EXPECT_EQ(2, bridge_status(&self->bridge, "Seccomp", 10));
}

/* Somebody who has the group of the node, and a disk that somebody else opened. */
TEST_F(bridge, needs_no_root)
{
	char disk_fd[16], *options[] = { "--socket", self->bridge.path, "--blk-fd", disk_fd, NULL };

	snprintf(disk_fd, sizeof(disk_fd), "%d", fcntl(disk.fd, F_DUPFD, 20));
	snprintf(self->bridge.path, sizeof(self->bridge.path), P_tmpdir "/bridge.%d.sock",
		 getpid());
	self->bridge.nobody = true;
	ASSERT_EQ(0, chown(DEVICE, 0, 65534));
	ASSERT_EQ(0, chmod(DEVICE, 0660));
	ASSERT_EQ(0, bridge_run(&self->bridge, options));
	EXPECT_TRUE(BECOMES_TRUE(bridge_said(&self->bridge, "serves ")));
	EXPECT_EQ(65534, bridge_status(&self->bridge, "Uid", 10));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, frontend_begin(&self->frontend, &self->bridge, 4));
		EXPECT_TRUE(request_works(self->queue));
		frontend_end(&self->frontend);
	}
	EXPECT_EQ(0, chmod(DEVICE, 0600));
	EXPECT_EQ(0, chown(DEVICE, 0, 0));
}

int main(int argc, char **argv)
{
	static const struct disk_setup setup = { .kind = DISK_NULL_BLK };

	need_device();
	why_not = disk_share(&disk, &setup);
	return test_harness_run(argc, argv);
}
