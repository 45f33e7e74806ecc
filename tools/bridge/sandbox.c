// SPDX-License-Identifier: GPL-2.0-only
/* What the bridge gives up. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/vhost.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "../macros.h"
#include "sandbox.h"

/*
 * Limits
 */

static void raise_limit(int resource, rlim_t need)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) || limit.rlim_cur >= need)
		return;
	if (limit.rlim_max < need) {
		struct rlimit more = { need, need };

		/* As root; else what we may have ourselves. */
		if (!setrlimit(resource, &more))
			return;
		need = limit.rlim_max;
	}
	limit.rlim_cur = need;
	setrlimit(resource, &limit);
}

void sandbox_limits(__u32 queues)
{
	raise_limit(RLIMIT_NOFILE, 64 + 3 * queues);
	/* For rings, and pages that are kept; huge ones are only for those without a limit. */
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
}

/*
 * Capabilities. The owner of the node opens it without; the rest is done by what was
 * opened, and by limits.
 */

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	/* EPERM: not even the right to do that; EINVAL: there are no more of them. */
	for (int cap = 0; !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
		;
	return (int)syscall(SYS_capset, &header, none);
}

/*
 * System calls: an allow-list. All others fail with EPERM, as does what could bring
 * code of others: a guest shall not lose its disk to a libc that tries something new.
 */

/* On another one all calls are refused, until it is named here. */
#ifdef __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH AUDIT_ARCH_X86_64
#endif

static const int allowed[] = {
	/* the conversation */
	SYS_recvmsg, SYS_sendmsg, SYS_ppoll, SYS_accept4, SYS_read, SYS_write, SYS_close,
	/* the device of the next connection; memory of this one */
	SYS_openat, SYS_fstat, SYS_newfstatat, SYS_fstatfs, SYS_munmap, SYS_madvise,
	/* the end */
	SYS_unlinkat, SYS_exit_group, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn,
	SYS_getpid, SYS_gettid, SYS_tgkill,
	/* libc */
	SYS_brk, SYS_futex, SYS_restart_syscall, SYS_fcntl, SYS_lseek, SYS_getrandom,
	SYS_clock_gettime, SYS_mremap,
#ifdef SYS_poll
	SYS_poll, SYS_unlink,
#endif
};

#define NR_ALLOWED	ARRAY_SIZE(allowed)
#define FIELD(field)	((__u32)offsetof(struct seccomp_data, field))
#define LOAD(offset)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(what)	BPF_STMT(BPF_RET | BPF_K, what)
#define ALLOW		RETURN(SECCOMP_RET_ALLOW)
#define REFUSE		RETURN(SECCOMP_RET_ERRNO | EPERM)
/* Unless it is @nr, go on after @skip instructions. */
#define IF_NR(nr, skip)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, skip)

/* The low half of an argument: hosts are little endian. */
#define ARGUMENT(n)	(FIELD(args) + 8 * (n))

static const struct sock_filter head[] = {
	LOAD(FIELD(arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	REFUSE,
	LOAD(FIELD(nr)),
	/* No memory with code. */
	IF_NR(SYS_mmap, 4),
	LOAD(ARGUMENT(2)),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
	REFUSE,
	ALLOW,
	IF_NR(SYS_mprotect, 4),
	LOAD(ARGUMENT(2)),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
	REFUSE,
	ALLOW,
	/* Of ioctls only those of vhost. */
	IF_NR(SYS_ioctl, 5),
	LOAD(ARGUMENT(1)),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, _IOC_TYPEMASK << _IOC_TYPESHIFT),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VHOST_VIRTIO << _IOC_TYPESHIFT, 1, 0),
	REFUSE,
	ALLOW,
};

#define NR_HEAD		ARRAY_SIZE(head)

static int filter_calls(void)
{
	struct sock_filter filter[NR_HEAD + 2 * NR_ALLOWED + 1];
	struct sock_fprog program = { .filter = filter };
	unsigned int n = NR_HEAD;

	memcpy(filter, head, sizeof(head));
	for (unsigned int i = 0; i < NR_ALLOWED; i++) {
		filter[n++] = (struct sock_filter)IF_NR(allowed[i], 1);
		filter[n++] = (struct sock_filter)ALLOW;
	}
	filter[n++] = (struct sock_filter)REFUSE;
	program.len = n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

const char *sandbox_enter(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return because("cannot forgo new privileges: %s", strerror(errno));
	if (drop_capabilities())
		return because("cannot drop capabilities: %s", strerror(errno));
	if (!filter_calls())
		return NULL;
	if (errno != EINVAL)
		return because("cannot filter system calls: %s", strerror(errno));
	log_info("this kernel cannot filter system calls");
	return NULL;
}
