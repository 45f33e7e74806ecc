// SPDX-License-Identifier: GPL-2.0-only
/* The trace event vhost_blk:vblk_ioctl: one for each call, with name and result. */
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/device.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define INSTANCES	"/sys/kernel/tracing/instances"
#define INSTANCE	INSTANCES "/vhost_blk_trace_test"

static char text[64 * 1024];

/* Whatever is in the trace, in text[]. */
static bool read_trace(void)
{
	FILE *file = fopen(INSTANCE "/trace", "r");
	size_t length;

	if (!file)
		return false;
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	return true;
}

static bool write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

FIXTURE(trace) {
	int fd;
};

FIXTURE_SETUP(trace)
{
	self->fd = open(DEVICE, O_RDWR);
	ASSERT_GE(self->fd, 0);
	if (access(INSTANCES, W_OK))
		SKIP(return, "%s: %s", INSTANCES, strerror(errno));
	ASSERT_EQ(0, mkdir(INSTANCE, 0700));
	ASSERT_TRUE(write_file(INSTANCE "/events/vhost_blk/vblk_ioctl/enable", "1"));
}

FIXTURE_TEARDOWN(trace)
{
	EXPECT_EQ(0, close(self->fd));
	EXPECT_EQ(0, rmdir(INSTANCE));
}

#define EXPECT_TRACED(_name, _cmd, _result) do {				\
	char event[128];							\
	snprintf(event, sizeof(event), "%s cmd=0x%08x result=%d\n", _name,	\
		 (unsigned int)(_cmd), _result);				\
	EXPECT_NE(NULL, strstr(text, event))					\
		TH_LOG("no %sin:\n%s", event, text);				\
} while (0)

TEST_F(trace, every_ioctl_with_its_name)
{
	__u64 mask = 0;

	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_OWNER, NULL));
	EXPECT_EQ(0, attempt(self->fd, VHOST_GET_FEATURES, &mask));
	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &mask));
	EXPECT_EQ(0, attempt(self->fd, VHOST_GET_BACKEND_FEATURES, &mask));
	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_BACKEND_FEATURES, &mask));
	EXPECT_EQ(0, attempt(self->fd, VHOST_RESET_OWNER, NULL));
	ASSERT_TRUE(read_trace());
	EXPECT_TRACED("VHOST_SET_OWNER", VHOST_SET_OWNER, 0);
	EXPECT_TRACED("VHOST_GET_FEATURES", VHOST_GET_FEATURES, 0);
	EXPECT_TRACED("VHOST_SET_FEATURES", VHOST_SET_FEATURES, 0);
	EXPECT_TRACED("VHOST_GET_BACKEND_FEATURES", VHOST_GET_BACKEND_FEATURES, 0);
	EXPECT_TRACED("VHOST_SET_BACKEND_FEATURES", VHOST_SET_BACKEND_FEATURES, 0);
	EXPECT_TRACED("VHOST_RESET_OWNER", VHOST_RESET_OWNER, 0);
}

TEST_F(trace, errors)
{
	EXPECT_EQ(EPERM, attempt(self->fd, VHOST_RESET_OWNER, NULL));
	EXPECT_EQ(EFAULT, attempt(self->fd, VHOST_GET_FEATURES, NULL));
	EXPECT_EQ(ENOTTY, attempt(self->fd, VHOST_VSOCK_SET_RUNNING, NULL));
	ASSERT_TRUE(read_trace());
	EXPECT_TRACED("VHOST_RESET_OWNER", VHOST_RESET_OWNER, -EPERM);
	EXPECT_TRACED("VHOST_GET_FEATURES", VHOST_GET_FEATURES, -EFAULT);
	EXPECT_TRACED("unknown", VHOST_VSOCK_SET_RUNNING, -ENOTTY);
}

TEST_F(trace, nothing_but_calls)
{
	ASSERT_TRUE(read_trace());
	EXPECT_EQ(NULL, strstr(text, "vblk_ioctl:"));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
