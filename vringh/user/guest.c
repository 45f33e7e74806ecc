// SPDX-License-Identifier: GPL-2.0-only
/* Memory of a guest. */

#include <errno.h>
#include <string.h>

#include "../env.h"
#include "guest.h"

int guest_read(void *context, void *to, __u64 from, size_t len)
{
	const struct guest *guest = context;
	__u64 offset = from - guest->base;

	if (from < guest->base || offset > guest->size || len > guest->size - offset)
		return -EFAULT;
	vr_hook_load((const char *)guest->mem + offset, len);
	memcpy(to, (const char *)guest->mem + offset, len);
	return 0;
}
