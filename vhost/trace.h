/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhost_blk

#if !defined(_VBLK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VBLK_TRACE_H

#include <linux/tracepoint.h>

#include "queue.h"
#include "request.h"

#define VBLK_TRACE_TYPES				\
	{ VIRTIO_BLK_T_IN, "IN" },			\
	{ VIRTIO_BLK_T_OUT, "OUT" },			\
	{ VIRTIO_BLK_T_FLUSH, "FLUSH" },		\
	{ VIRTIO_BLK_T_GET_ID, "GET_ID" },		\
	{ VIRTIO_BLK_T_DISCARD, "DISCARD" },		\
	{ VIRTIO_BLK_T_WRITE_ZEROES, "WRITE_ZEROES" },	\
	{ VIRTIO_BLK_T_SECURE_ERASE, "SECURE_ERASE" }

#define VBLK_TRACE_STATUS				\
	{ VIRTIO_BLK_S_OK, "OK" },			\
	{ VIRTIO_BLK_S_IOERR, "IOERR" },		\
	{ VIRTIO_BLK_S_UNSUPP, "UNSUPP" }

#define VBLK_TRACE_FAULTS				\
	{ VR_NO_FAULT, "none" },			\
	{ VR_BAD_NEXT, "bad-next" },			\
	{ VR_TOO_LONG, "too-long" },			\
	{ VR_BAD_ORDER, "bad-order" },			\
	{ VR_BAD_TABLE, "bad-table" },			\
	{ VR_NESTED, "nested" },			\
	{ VR_NOT_LAST, "not-last" },			\
	{ VR_NOT_AGREED, "not-agreed" },		\
	{ VR_NO_TABLE, "no-table" },			\
	{ VR_BAD_INDEX, "bad-index" },			\
	{ VR_BAD_HEAD, "bad-head" }

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

DECLARE_EVENT_CLASS(vblk_queue,
		    TP_PROTO(const struct vblk_queue *queue),
		    TP_ARGS(queue),
		    TP_STRUCT__entry(__field(const void *, dev)
				     __field(u32, queue)),
		    TP_fast_assign(__entry->dev = queue->dev;
				   __entry->queue = queue->index;),
		    TP_printk("dev=%p queue=%u", __entry->dev, __entry->queue)
);

/* The driver notified. */
DEFINE_EVENT(vblk_queue, vblk_queue_kick,
	     TP_PROTO(const struct vblk_queue *queue), TP_ARGS(queue));
/* The driver is told of all that was given back; not, if it did not want to be. */
DEFINE_EVENT(vblk_queue, vblk_queue_interrupt,
	     TP_PROTO(const struct vblk_queue *queue), TP_ARGS(queue));

/* Chains were given back. */
TRACE_EVENT(vblk_queue_give,
	    TP_PROTO(const struct vblk_queue *queue, u32 n),
	    TP_ARGS(queue, n),
	    TP_STRUCT__entry(__field(const void *, dev)
			     __field(u32, queue)
			     __field(u32, n)),
	    TP_fast_assign(__entry->dev = queue->dev;
			   __entry->queue = queue->index;
			   __entry->n = n;),
	    TP_printk("dev=%p queue=%u n=%u", __entry->dev, __entry->queue, __entry->n)
);

/* The driver broke a rule, or its memory is gone. */
DECLARE_EVENT_CLASS(vblk_queue_error,
		    TP_PROTO(const struct vblk_queue *queue, int error, u32 fault),
		    TP_ARGS(queue, error, fault),
		    TP_STRUCT__entry(__field(const void *, dev)
				     __field(u32, queue)
				     __field(int, error)
				     __field(u32, fault)),
		    TP_fast_assign(__entry->dev = queue->dev;
				   __entry->queue = queue->index;
				   __entry->error = error;
				   __entry->fault = fault;),
		    TP_printk("dev=%p queue=%u error=%d fault=%s", __entry->dev, __entry->queue,
			      __entry->error, __print_symbolic(__entry->fault, VBLK_TRACE_FAULTS))
);

/* That chain was given back at once. */
DEFINE_EVENT(vblk_queue_error, vblk_queue_bad_chain,
	     TP_PROTO(const struct vblk_queue *queue, int error, u32 fault),
	     TP_ARGS(queue, error, fault));
/* The queue is not served any more. */
DEFINE_EVENT(vblk_queue_error, vblk_queue_broken,
	     TP_PROTO(const struct vblk_queue *queue, int error, u32 fault),
	     TP_ARGS(queue, error, fault));

DECLARE_EVENT_CLASS(vblk_request,
		    TP_PROTO(const struct vblk_request *request),
		    TP_ARGS(request),
		    TP_STRUCT__entry(__field(const void *, dev)
				     __field(u32, queue)
				     __field(u32, head)
				     __field(u32, type)
				     __field(u64, sector)
				     __field(u64, len)
				     __field(u8, status)),
		    TP_fast_assign(__entry->dev = request->queue->dev;
				   __entry->queue = request->queue->index;
				   __entry->head = request->ticket.cookie;
				   __entry->type = request->type;
				   __entry->sector = request->sector;
				   __entry->len = request->len;
				   __entry->status = request->status;),
		    TP_printk("dev=%p queue=%u head=%u %s sector=%llu len=%llu status=%s",
			      __entry->dev, __entry->queue, __entry->head,
			      __print_symbolic(__entry->type, VBLK_TRACE_TYPES),
			      __entry->sector, __entry->len,
			      __print_symbolic(__entry->status, VBLK_TRACE_STATUS))
);

/* It was taken from the ring, and is in order, or has a status that says what is not. */
DEFINE_EVENT(vblk_request, vblk_request_begin,
	     TP_PROTO(const struct vblk_request *request), TP_ARGS(request));
/* It goes to the disk; again, if the disk had no room or could not do it that way. */
DEFINE_EVENT(vblk_request, vblk_request_submit,
	     TP_PROTO(const struct vblk_request *request), TP_ARGS(request));
/* The disk has ended it. */
DEFINE_EVENT(vblk_request, vblk_request_end,
	     TP_PROTO(const struct vblk_request *request), TP_ARGS(request));

#endif /* _VBLK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

#include <trace/define_trace.h>
