// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl of /dev/vhost-blk by itself: what it does, each error it gives,
 * and that nothing changes when it fails.
 */
#include <linux/fs.h>
#include <signal.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/device.h"
#include "lib/ioctls.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define PAGE		4096

static bool has_ioctl(unsigned int cmd)
{
	for (size_t i = 0; i < NR_IOCTLS; i++)
		if (ioctl_rows[i].cmd == cmd)
			return true;
	return false;
}

FIXTURE(device) {
	int fd;
};

FIXTURE_SETUP(device)
{
	self->fd = open(DEVICE, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(device)
{
	EXPECT_EQ(0, close(self->fd));
}

#define EXPECT_STATE(_fd, _owned, _features) do {			\
	struct state state = { .owned = -1 };				\
	ASSERT_TRUE(read_state(_fd, &state));				\
	EXPECT_EQ(_owned, state.owned);					\
	EXPECT_EQ(_features, state.features);				\
} while (0)

TEST_F(device, is_unowned_after_open)
{
	EXPECT_STATE(self->fd, 0, 0);
}

TEST_F(device, has_only_ioctls)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(device, is_another_with_each_open)
{
	__u64 features = OFFERED;
	int other = open(DEVICE, O_RDWR);

	ASSERT_GE(other, 0);
	EXPECT_EQ(0, set_owner(other));
	EXPECT_EQ(0, attempt(other, VHOST_SET_FEATURES, &features));
	EXPECT_STATE(self->fd, 0, 0);
	EXPECT_EQ(0, set_owner(self->fd));
	EXPECT_EQ(0, close(other));
	EXPECT_STATE(self->fd, 1, 0);
}

TEST_F(device, is_the_same_through_a_duplicate)
{
	int same = dup(self->fd);

	ASSERT_GE(same, 0);
	EXPECT_EQ(0, set_owner(same));
	EXPECT_EQ(0, close(same));
	EXPECT_EQ(EBUSY, set_owner(self->fd));
}

TEST_F(device, set_owner)
{
	EXPECT_EQ(0, set_owner(self->fd));
	EXPECT_STATE(self->fd, 1, 0);
}

TEST_F(device, set_owner_twice)
{
	__u64 features = OFFERED;

	ASSERT_EQ(0, set_owner(self->fd));
	ASSERT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	EXPECT_EQ(EBUSY, set_owner(self->fd));
	EXPECT_STATE(self->fd, 1, OFFERED);
	EXPECT_EQ(0, reset_owner(self->fd));
}

TEST_F(device, reset_owner)
{
	__u64 features = OFFERED;

	ASSERT_EQ(0, set_owner(self->fd));
	ASSERT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	EXPECT_EQ(0, reset_owner(self->fd));
	EXPECT_STATE(self->fd, 0, 0);
	EXPECT_EQ(EPERM, reset_owner(self->fd));
	EXPECT_EQ(0, set_owner(self->fd));
	EXPECT_STATE(self->fd, 1, 0);
}

TEST_F(device, reset_owner_without_owner)
{
	__u64 features = OFFERED;

	ASSERT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	EXPECT_EQ(EPERM, reset_owner(self->fd));
	EXPECT_STATE(self->fd, 0, OFFERED);
}

TEST_F(device, owner_ioctls_ignore_their_argument)
{
	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_OWNER, (void *)-1L));
	EXPECT_EQ(0, attempt(self->fd, VHOST_RESET_OWNER, (void *)-1L));
}

TEST_F(device, get_features)
{
	__u64 features = ~0ULL;

	EXPECT_EQ(0, attempt(self->fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(OFFERED, features);
	ASSERT_EQ(0, set_owner(self->fd));
	features = ~0ULL;
	EXPECT_EQ(0, attempt(self->fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(OFFERED, features);
}

TEST_F(device, get_features_is_not_what_was_set)
{
	__u64 features = 0;

	ASSERT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	EXPECT_EQ(0, attempt(self->fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(OFFERED, features);
}

TEST_F(device, set_features)
{
	__u64 features = OFFERED;

	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	EXPECT_STATE(self->fd, 0, OFFERED);
	features = 0;
	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	EXPECT_STATE(self->fd, 0, 0);
}

TEST_F(device, set_features_outlives_set_owner)
{
	__u64 features = OFFERED;

	ASSERT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	ASSERT_EQ(0, set_owner(self->fd));
	EXPECT_STATE(self->fd, 1, OFFERED);
}

TEST_F(device, set_features_not_offered)
{
	__u64 features = OFFERED;

	ASSERT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	for (int bit = 0; bit < 64; bit++) {
		features = 1ULL << bit;
		if (features & OFFERED)
			continue;
		EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_FEATURES, &features))
			TH_LOG("bit %d", bit);
		features |= OFFERED;
		EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_FEATURES, &features))
			TH_LOG("bit %d", bit);
	}
	EXPECT_STATE(self->fd, 0, OFFERED);
}

TEST_F(device, get_backend_features)
{
	__u64 features = ~0ULL;

	EXPECT_EQ(0, attempt(self->fd, VHOST_GET_BACKEND_FEATURES, &features));
	EXPECT_EQ(0, features);
}

TEST_F(device, set_backend_features)
{
	__u64 features = 0;

	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_BACKEND_FEATURES, &features));
	for (int bit = 0; bit < 64; bit++) {
		features = 1ULL << bit;
		EXPECT_EQ(EOPNOTSUPP, attempt(self->fd, VHOST_SET_BACKEND_FEATURES, &features))
			TH_LOG("bit %d", bit);
	}
}

/* A page that can only be read, and behind it one that cannot be. */
static char *map_edge(void)
{
	char *at = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED || mprotect(at + PAGE, PAGE, PROT_NONE) ? NULL : at;
}

TEST_F(device, bad_pointers)
{
	char *readable = map_edge(), *hidden = readable + PAGE;
	__u64 features = OFFERED;
	void *bad[] = { NULL, hidden, (void *)-1L, (void *)-8L,
			(void *)(1UL << (__SIZEOF_LONG__ * 8 - 1)) };

	ASSERT_NE(NULL, readable);
	ASSERT_EQ(0, set_owner(self->fd));
	ASSERT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	for (size_t i = 0; i < NR_IOCTLS; i++) {
		const struct ioctl_row *row = &ioctl_rows[i];

		if (!_IOC_SIZE(row->cmd))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			EXPECT_EQ(row->without ?: EFAULT, attempt(self->fd, row->cmd, bad[j]))
				TH_LOG("%s, pointer %zu", row->name, j);
		}
	}
	EXPECT_STATE(self->fd, 1, OFFERED);
}

/* Not all of the argument can be reached, or it cannot be written. */
TEST_F(device, half_bad_pointers)
{
	char *readable = map_edge(), *hidden = readable + PAGE;
	__u64 features = OFFERED;

	ASSERT_NE(NULL, readable);
	ASSERT_EQ(0, set_owner(self->fd));
	ASSERT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, &features));
	for (size_t i = 0; i < NR_IOCTLS; i++) {
		const struct ioctl_row *row = &ioctl_rows[i];
		unsigned int size = _IOC_SIZE(row->cmd);

		for (unsigned int n = 1; n < size; n += n < 8 || n > size - 3 ? 1 : 7) {
			EXPECT_EQ(row->without ?: EFAULT, attempt(self->fd, row->cmd, hidden - n))
				TH_LOG("%s, %u bytes of %u", row->name, n, size);
		}
		/* Without a disk the file, 0, and not the argument, is what is wrong. */
		if (_IOC_DIR(row->cmd) & _IOC_READ && row->cmd != VHOST_BLK_GET_CONFIG) {
			EXPECT_EQ(row->without ?: EFAULT, attempt(self->fd, row->cmd, readable))
				TH_LOG("%s", row->name);
		}
	}
	EXPECT_STATE(self->fd, 1, OFFERED);

	/* All in the page, and not aligned. */
	EXPECT_EQ(0, attempt(self->fd, VHOST_SET_FEATURES, hidden - 9));
	EXPECT_STATE(self->fd, 1, 0);
}

/* Bad pointers or not: who may not call learns nothing else. */
TEST_F(device, owners_only)
{
	static char argument[PAGE];

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < NR_IOCTLS; i++) {
			const struct ioctl_row *row = &ioctl_rows[i];

			if (!row->owner)
				continue;
			EXPECT_EQ(EPERM, attempt(self->fd, row->cmd, NULL))
				TH_LOG("%s", row->name);
			EXPECT_EQ(EPERM, attempt(self->fd, row->cmd, argument))
				TH_LOG("%s", row->name);
		}
		/* And the same with an owner, which is somebody else. */
		EXPECT_EQ(round ? EBUSY : 0, in_child(set_owner, self->fd));
	}
}

/* All numbers of vhost, with each direction and some sizes, but those it has. */
TEST_F(device, unknown_ioctls)
{
	static const unsigned int sizes[] = { 0, 1, 4, 8, 16, 40, 72, 0x3fff };
	static char argument[0x4000], untouched[0x4000];
	unsigned int directions[] = { _IOC_NONE, _IOC_READ, _IOC_WRITE, _IOC_READ | _IOC_WRITE };

	ASSERT_EQ(0, set_owner(self->fd));
	memset(argument, 0xa5, sizeof(argument));
	memcpy(untouched, argument, sizeof(argument));
	for (unsigned int nr = 0; nr < 256; nr++) {
		for (size_t d = 0; d < ARRAY_SIZE(directions); d++) {
			for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
				unsigned int cmd = _IOC(directions[d], VHOST_VIRTIO, nr, sizes[s]);

				if (has_ioctl(cmd))
					continue;
				EXPECT_EQ(ENOTTY, attempt(self->fd, cmd, argument))
					TH_LOG("ioctl %#x", cmd);
			}
		}
	}
	EXPECT_EQ(0, memcmp(argument, untouched, sizeof(argument)));
	EXPECT_STATE(self->fd, 1, 0);
}

TEST_F(device, unknown_before_owner)
{
	EXPECT_EQ(ENOTTY, attempt(self->fd, VHOST_VSOCK_SET_RUNNING, NULL));
}

/* The numbers it has, with the magic of all others. */
TEST_F(device, foreign_ioctls)
{
	__u64 features = OFFERED;

	for (unsigned int magic = 0; magic < 256; magic++) {
		for (size_t i = 0; i < NR_IOCTLS; i++) {
			unsigned int own = ioctl_rows[i].cmd;
			unsigned int cmd = _IOC(_IOC_DIR(own), magic, _IOC_NR(own), _IOC_SIZE(own));

			/* Those are for every file. */
			if (magic == VHOST_VIRTIO || cmd == FIGETBSZ || cmd == FICLONE)
				continue;
			EXPECT_EQ(ENOTTY, attempt(self->fd, cmd, &features))
				TH_LOG("ioctl %#x", cmd);
		}
	}
	EXPECT_EQ(OFFERED, features);
	EXPECT_STATE(self->fd, 0, 0);
}

#ifdef __x86_64__

/* ioctl() as a 32-bit process calls it: 0, or the error number. */
static int attempt32(int fd, unsigned int cmd, void *arg)
{
	const long nr_ioctl = 54;
	long ret = nr_ioctl;

	asm volatile("int $0x80"
		     : "+a" (ret)
		     : "b" ((long)fd), "c" ((long)cmd), "d" (arg)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	return -(int)ret;
}

static void no_32bit(int signal)
{
	(void)signal;
	_exit(0);
}

/* In a child, as the call itself may be a fault. */
static int has_32bit(int fd)
{
	signal(SIGSEGV, no_32bit);
	return attempt32(fd, VHOST_VSOCK_SET_RUNNING, NULL) == ENOTTY;
}

TEST_F(device, from_32bit)
{
	__u64 *features;

	if (in_child(has_32bit, self->fd) != 1)
		SKIP(return, "this kernel runs no 32-bit programs");
	features = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, features);

	EXPECT_EQ(EPERM, attempt32(self->fd, VHOST_RESET_OWNER, NULL));
	EXPECT_EQ(0, attempt32(self->fd, VHOST_SET_OWNER, NULL));
	EXPECT_EQ(EBUSY, attempt32(self->fd, VHOST_SET_OWNER, NULL));
	EXPECT_EQ(0, attempt32(self->fd, VHOST_GET_FEATURES, features));
	EXPECT_EQ(OFFERED, *features);
	EXPECT_EQ(0, attempt32(self->fd, VHOST_SET_FEATURES, features));
	EXPECT_STATE(self->fd, 1, OFFERED);
	*features = 1;
	EXPECT_EQ(EOPNOTSUPP, attempt32(self->fd, VHOST_SET_FEATURES, features));
	EXPECT_EQ(EFAULT, attempt32(self->fd, VHOST_SET_FEATURES, NULL));
	EXPECT_EQ(0, attempt32(self->fd, VHOST_GET_BACKEND_FEATURES, features));
	EXPECT_EQ(0, *features);
	EXPECT_EQ(0, attempt32(self->fd, VHOST_SET_BACKEND_FEATURES, features));
	EXPECT_EQ(0, attempt32(self->fd, VHOST_RESET_OWNER, NULL));
}

#endif /* __x86_64__ */

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
