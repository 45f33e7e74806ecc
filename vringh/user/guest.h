/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of a guest, for struct vr_config.read. */
#ifndef VR_USER_GUEST_H
#define VR_USER_GUEST_H

#include <stddef.h>

#include <linux/types.h>

/* One region: @size bytes at @mem, which the guest has at @base. */
struct guest {
	void *mem;
	__u64 base;
	size_t size;
};

/* As struct vr_config.read, with a struct guest as @context. */
int guest_read(void *context, void *to, __u64 from, size_t len);

#endif
