// SPDX-License-Identifier: GPL-2.0-only
/* What a process may do. */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privileges.h"

int lose_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {};

	return setgid(65534) || setuid(65534) || syscall(SYS_capset, &header, none);
}
