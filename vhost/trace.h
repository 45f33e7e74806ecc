/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhost_blk

#if !defined(_VBLK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VBLK_TRACE_H

#include <linux/tracepoint.h>

/* An ioctl is done: every one, also one that is refused or unknown. */
TRACE_EVENT(vblk_ioctl,
	    TP_PROTO(const void *dev, const char *name, unsigned int cmd, int result),
	    TP_ARGS(dev, name, cmd, result),
	    TP_STRUCT__entry(__field(const void *, dev)
			     __string(name, name)
			     __field(unsigned int, cmd)
			     __field(int, result)),
	    TP_fast_assign(__entry->dev = dev;
			   compat_assign_str(name, name);
			   __entry->cmd = cmd;
			   __entry->result = result;),
	    TP_printk("dev=%p %s cmd=0x%08x result=%d", __entry->dev,
		      __get_str(name), __entry->cmd, __entry->result)
);

#endif /* _VBLK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

#include <trace/define_trace.h>
