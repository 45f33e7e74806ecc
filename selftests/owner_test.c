// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who the owner is: across fork, exec and death, among threads that race, and
 * for how long the device keeps the owner's memory.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/device.h"
#include "lib/ioctls.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define AFTER_EXEC	"--after-exec"
#define EXEC_FD		100
#define THREADS		8
#define ROUNDS		50
#define STACK		(64 * 1024)
#define PAGE		4096

FIXTURE(owner) {
	int fd;
};

FIXTURE_SETUP(owner)
{
	self->fd = open(DEVICE, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(owner)
{
	EXPECT_EQ(0, close(self->fd));
}

static int get_and_set_features(int fd)
{
	__u64 features;

	return attempt(fd, VHOST_GET_FEATURES, &features) ?:
	       attempt(fd, VHOST_SET_FEATURES, &features);
}

TEST_F(owner, is_not_the_child_of_a_fork)
{
	ASSERT_EQ(0, set_owner(self->fd));
	EXPECT_EQ(EPERM, in_child(reset_owner, self->fd));
	EXPECT_EQ(EBUSY, in_child(set_owner, self->fd));
	EXPECT_EQ(0, reset_owner(self->fd));
}

TEST_F(owner, is_not_needed_for_features)
{
	struct state state = {};

	ASSERT_EQ(0, set_owner(self->fd));
	EXPECT_EQ(0, in_child(get_and_set_features, self->fd));
	ASSERT_TRUE(read_state(self->fd, &state));
	EXPECT_EQ(OFFERED, state.features);
}

TEST_F(owner, can_be_another_after_reset)
{
	ASSERT_EQ(0, set_owner(self->fd));
	ASSERT_EQ(0, reset_owner(self->fd));
	EXPECT_EQ(0, in_child(set_owner, self->fd));
	EXPECT_EQ(EPERM, reset_owner(self->fd));
}

TEST_F(owner, stays_after_its_death)
{
	struct state state = {};

	ASSERT_EQ(0, in_child(set_owner, self->fd));
	EXPECT_EQ(EBUSY, set_owner(self->fd));
	EXPECT_EQ(EPERM, reset_owner(self->fd));
	EXPECT_EQ(EBUSY, set_owner(self->fd));
	ASSERT_TRUE(read_state(self->fd, &state));
	EXPECT_EQ(1, state.owned);
}

static int set_owner_and_die(int fd)
{
	int ret = set_owner(fd);

	if (!ret)
		kill(getpid(), SIGKILL);
	return ret;
}

TEST_F(owner, stays_after_its_violent_death)
{
	EXPECT_EQ(-1, in_child(set_owner_and_die, self->fd));
	EXPECT_EQ(EBUSY, set_owner(self->fd));
	EXPECT_EQ(EPERM, reset_owner(self->fd));
}

static int set_owner_and_exec(int fd)
{
	if (set_owner(fd) || dup2(fd, EXEC_FD) != EXEC_FD)
		return 100;
	execl("/proc/self/exe", "owner_test", AFTER_EXEC, NULL);
	return 101;
}

/* In the process that was the owner: 0 if it is not any more. */
static int after_exec(void)
{
	return reset_owner(EXEC_FD) != EPERM || set_owner(EXEC_FD) != EBUSY;
}

TEST_F(owner, is_not_itself_after_exec)
{
	EXPECT_EQ(0, in_child(set_owner_and_exec, self->fd));
}

static int clone_body(void *fd)
{
	_exit(reset_owner(*(int *)fd));
}

/* What makes an owner is the memory, not the process. */
TEST_F(owner, is_any_process_with_its_memory)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, stack);
	ASSERT_EQ(0, set_owner(self->fd));
	pid = clone(clone_body, stack + STACK, CLONE_VM | SIGCHLD, &self->fd);
	ASSERT_GT(pid, 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(EPERM, reset_owner(self->fd));
}

/*
 * A memfd cannot be sealed while somebody has it mapped for writing, which
 * tells whether an address space is still there.
 */
static int memfd;

static int map_memfd(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0) == MAP_FAILED;
}

static int seal_memfd(void)
{
	return fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) ? errno : 0;
}

static int map_and_set_owner(int fd)
{
	return map_memfd() ?: set_owner(fd);
}

static int map_set_and_reset_owner(int fd)
{
	return map_and_set_owner(fd) ?: reset_owner(fd);
}

TEST_F(owner, memory_is_kept_until_close)
{
	int fd = open(DEVICE, O_RDWR);

	memfd = memfd_create("owner", MFD_ALLOW_SEALING);
	ASSERT_GE(memfd, 0);
	ASSERT_EQ(0, ftruncate(memfd, PAGE));
	ASSERT_EQ(0, in_child(map_and_set_owner, fd));
	EXPECT_EQ(EBUSY, seal_memfd());
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(0, seal_memfd());
}

TEST_F(owner, memory_is_kept_until_reset)
{
	memfd = memfd_create("owner", MFD_ALLOW_SEALING);
	ASSERT_GE(memfd, 0);
	ASSERT_EQ(0, ftruncate(memfd, PAGE));
	ASSERT_EQ(0, in_child(map_set_and_reset_owner, self->fd));
	EXPECT_EQ(0, seal_memfd());
}

/* One device and the threads that race for it. */
struct race {
	int fd;
	pthread_barrier_t round;
	int set, busy, reset, refused, features, other;
};

static void count(int *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static void *race_for_owner(void *argument)
{
	struct race *race = argument;
	int ret;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&race->round);
		ret = set_owner(race->fd);
		count(!ret ? &race->set : ret == EBUSY ? &race->busy : &race->other);
		pthread_barrier_wait(&race->round);
		count(get_and_set_features(race->fd) ? &race->other : &race->features);
		ret = reset_owner(race->fd);
		count(!ret ? &race->reset : ret == EPERM ? &race->refused : &race->other);
	}
	return NULL;
}

TEST_F(owner, is_one_of_all_who_try_at_once)
{
	struct race race = { .fd = self->fd };
	pthread_t threads[THREADS];

	ASSERT_EQ(0, pthread_barrier_init(&race.round, NULL, THREADS));
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race_for_owner, &race));
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(ROUNDS, race.set);
	EXPECT_EQ(ROUNDS * (THREADS - 1), race.busy);
	EXPECT_EQ(ROUNDS, race.reset);
	EXPECT_EQ(ROUNDS * (THREADS - 1), race.refused);
	EXPECT_EQ(ROUNDS * THREADS, race.features);
	EXPECT_EQ(0, race.other);
}

static void *call_until_closed(void *argument)
{
	struct race *race = argument;
	int ret;

	while ((ret = set_owner(race->fd)) != EBADF) {
		count(!ret || ret == EBUSY ? &race->set : &race->other);
		reset_owner(race->fd);
	}
	return NULL;
}

TEST_F(owner, may_close_while_others_call)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < ROUNDS / 5; i++) {
		struct race race = { .fd = open(DEVICE, O_RDWR) };

		ASSERT_GE(race.fd, 0);
		for (int t = 0; t < THREADS; t++)
			ASSERT_EQ(0, pthread_create(&threads[t], NULL, call_until_closed, &race));
		while (!__atomic_load_n(&race.set, __ATOMIC_RELAXED))
			sched_yield();
		ASSERT_EQ(0, close(race.fd));
		for (int t = 0; t < THREADS; t++)
			ASSERT_EQ(0, pthread_join(threads[t], NULL));
		EXPECT_EQ(0, race.other);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], AFTER_EXEC))
		return after_exec();
	need_device();
	return test_harness_run(argc, argv);
}
