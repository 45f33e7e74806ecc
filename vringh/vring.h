/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's half of a virtqueue.
 *
 * A driver writes chains of descriptors into memory that it goes on sharing
 * with the device. vr_pop() takes the next chain and hands out a checked copy of
 * it; vr_push() gives chains back. The driver is not trusted: it may write
 * anything, anywhere in that memory, at any time.
 *
 * One look. Each visit to a word of the driver loads it once, and only that copy
 * is checked and used.
 *
 * Two sides. What takes chains and what gives them back may run at the same time,
 * so each side has its own state and its own way to the memory of the ring.
 * X: the caller lets one wait for the other.
 *
 *                                       avail side   used side   set-up
 *   vr_pop vr_pending vr_seen vr_base
 *   vr_kick_on vr_kick_off
 *   vr_bind_avail                            X                      X
 *   vr_push vr_interrupt vr_bind_used                    X          X
 *   vr_init vr_start                         X           X          X
 *
 * Context. With VR_KERNEL any, and nothing sleeps but vr_pop(), and that only
 * where struct vr_config.read does. With VR_USER a process that has the driver's
 * memory as its own; everything may sleep.
 *
 * Errors. There are two kinds, and vr_pop() tells them apart.
 *   -EBADMSG   This chain is bad. It has been taken, and the ring goes on: give
 *              it back with length 0.
 *   -EPROTO    This ring is broken: the driver's indices cannot be right. The word
 *              of vr_pop() is final if it says so again after its caller had the
 *              lock of the used side: just before it may not have seen all that
 *              was given back (proof/room-lock.litmus).
 *   -EFAULT    This ring is broken: its memory cannot be reached.
 * A call that returns one of the last two, or an error of struct vr_config.read,
 * has taken nothing and given nothing, and may be repeated. It may have seen more
 * of the ring than the calls before it.
 */
#ifndef VR_VRING_H
#define VR_VRING_H

#include "env.h"

/* How to reach the memory of the ring. */
enum vr_space {
	VR_USER = 0,	/* by addresses of user space, which may fault */
	VR_KERNEL = 1,	/* directly: it is mapped, and stays so */
};

/**
 * struct vr_areas - Where the parts of a ring are
 * @desc: Descriptor table, aligned to 16.
 * @avail: What the driver writes, aligned to 2.
 * @used: What the device writes, aligned to 4.
 *
 * With VR_USER these are addresses of user space all the same.
 */
struct vr_areas {
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
};

/**
 * struct vr_config - What a ring is, until the next vr_init()
 * @num: Number of descriptors, a power of two from 1 to 32768.
 * @base: Where to go on: 0, or what vr_base() told.
 * @features: As negotiated. Of interest are VIRTIO_RING_F_INDIRECT_DESC,
 *	VIRTIO_RING_F_EVENT_IDX, VIRTIO_F_NOTIFY_ON_EMPTY and VIRTIO_F_VERSION_1.
 * @big_endian: Byte order of a legacy ring; without effect on VIRTIO_F_VERSION_1.
 * @context: First argument of @read.
 * @read: Copies @len bytes, of a table of indirect descriptors, from address
 *	@from of the driver; also of those that no chain goes through. Returns 0,
 *	-EFAULT if the driver has no such memory, or another error to have vr_pop()
 *	return it: the chain stays where it is.
 */
struct vr_config {
	u32 num;
	u32 base;
	u64 features;
	bool big_endian;
	void *context;
	int (*read)(void *context, void *to, u64 from, size_t len);
};

/* Which rule a chain breaks, or a ring from VR_BAD_INDEX on. */
enum vr_fault {
	VR_NO_FAULT,
	VR_BAD_NEXT,	/* a next descriptor outside of the table */
	VR_TOO_LONG,	/* more descriptors than the caller takes, or a loop */
	VR_BAD_ORDER,	/* a readable buffer after a writable one */
	VR_BAD_TABLE,	/* indirect, but not 1 to 65536 whole descriptors that end below 2^64 */
	VR_NESTED,	/* an indirect descriptor in an indirect table */
	VR_NOT_LAST,	/* an indirect descriptor with a next one */
	VR_NOT_AGREED,	/* an indirect descriptor without the feature */
	VR_NO_TABLE,	/* indirect, but the driver has no such memory */
	VR_BAD_INDEX,	/* more chains than the ring has room for */
	VR_BAD_HEAD,	/* a chain that begins outside of the table */
};

/* A chain that was taken, as vr_push() wants it. Opaque. */
struct vr_ticket {
	u32 cookie;
};

/**
 * struct vr_done - A chain to give back
 * @ticket: As vr_pop() told.
 * @len: Bytes that were written, from the start of the writable buffers; never
 *	more than that (2.7.8.2).
 */
struct vr_done {
	struct vr_ticket ticket;
	u32 len;
};

/* A buffer of the driver: may be empty, may be anywhere, may end beyond 2^64. */
struct vr_seg {
	u64 addr;
	u32 len;
};

/**
 * struct vr_chain - What vr_pop() tells of a chain
 * @segs: The caller's room for @max buffers: those to read, then those to write.
 * @max: How many descriptors a chain may have, at least 1. What a driver may
 *	expect is the size of the ring (2.7.5.3.1, 2.7.5.2).
 * @nr_out: Number of buffers to read.
 * @nr_in: Number of buffers to write.
 * @out_len: Bytes to read.
 * @in_len: Bytes to write.
 * @ticket: What vr_push() wants; valid with -EBADMSG as well.
 * @fault: Why not, for traces; the return value is what counts.
 *
 * The rest is valid if there is a chain, @fault with -EBADMSG and -EPROTO.
 */
struct vr_chain {
	struct vr_seg *segs;
	u32 max;
	u32 nr_out;
	u32 nr_in;
	u64 out_len;
	u64 in_len;
	struct vr_ticket ticket;
	enum vr_fault fault;
};

/*
 * Locks: A is what serialises the avail side, U the used side. Fields of one side
 * that the other reads, marked +, are written with WRITE_ONCE().
 */
struct vr_avail {
	const struct vr_ops *ops;	/* A */
	struct vr_areas at;		/* A */
	u16 next;			/* A+ position of the next chain to take */
	u16 seen;			/* A+ the driver's index, as last loaded */
	u16 returned;			/* A  used.next, as last loaded */
} ____cacheline_aligned;

struct vr_used {
	const struct vr_ops *ops;	/* U */
	struct vr_areas at;		/* U */
	u16 next;			/* U+ position of the next chain to give back */
	u64 unsignalled;		/* U  given back since the driver was thought of */
} ____cacheline_aligned;

/* A ring. Allocated by the caller; has nothing that must be freed. */
struct vr {
	u32 num;
	u32 mask;
	bool swap;
	bool indirect;
	bool event_idx;
	bool notify_on_empty;
	void *context;
	int (*read)(void *context, void *to, u64 from, size_t len);
	struct vr_avail avail;
	struct vr_used used;
};

/*
 * What one layout of rings does in one space. The functions below say what; none
 * but them calls these.
 */
struct vr_ops {
	int (*start)(struct vr *vr);
	int (*pop)(struct vr *vr, struct vr_chain *chain);
	int (*pending)(struct vr *vr);
	int (*kick_on)(struct vr *vr);
	int (*kick_off)(struct vr *vr);
	int (*push)(struct vr *vr, const struct vr_done *done, u32 n);
	int (*interrupt)(struct vr *vr);
};

const struct vr_ops *vr_split_ops(enum vr_space space, bool swap);

int vr_init(struct vr *vr, const struct vr_config *config);
void vr_bind_avail(struct vr *vr, enum vr_space space, const struct vr_areas *at);
void vr_bind_used(struct vr *vr, enum vr_space space, const struct vr_areas *at);
u32 vr_base(const struct vr *vr);

/**
 * vr_start() - Go on where ring and base say
 * @vr: A ring after vr_init(), with both sides bound.
 *
 * Learns from the ring how many chains were given back. Whether the driver will
 * notify is not known before vr_kick_on(). With VIRTIO_RING_F_EVENT_IDX the first
 * vr_interrupt() will say yes, as nobody knows what the driver was told before.
 *
 * Return: 0, -EPROTO if ring and base do not fit, -EFAULT.
 */
static inline int vr_start(struct vr *vr)
{
	return vr->used.ops->start(vr);
}

/**
 * vr_pop() - Take the next chain
 * @vr: A ring that was started.
 * @chain: With room for its buffers; told what the chain is.
 *
 * Return: 1 with a chain, 0 if there is none, or an error as told above.
 */
static inline int vr_pop(struct vr *vr, struct vr_chain *chain)
{
	return vr->avail.ops->pop(vr, chain);
}

/**
 * vr_pending() - How many chains are there to take?
 * @vr: A ring that was started.
 *
 * For polling: cheap, and no promise about what vr_pop() will say of them. It looks for
 * more only where vr_pop() has taken all that it knew of.
 *
 * Return: what the driver says, up to 65535, 0 if there is none, -EFAULT.
 */
static inline int vr_pending(struct vr *vr)
{
	return vr->avail.ops->pending(vr);
}

/**
 * vr_seen() - How many more chains are there to take?
 * @vr: A ring that was started.
 *
 * As far as vr_pop() knows; it looks for more when it has taken these.
 *
 * Return: their number.
 */
static inline u32 vr_seen(const struct vr *vr)
{
	return (u16)(vr->avail.seen - vr->avail.next);
}

/**
 * vr_kick_on() - Have the driver notify of the next chain
 * @vr: A ring that was started.
 *
 * The next chain is the first that vr_pop() has not yet seen, whether or not it
 * has taken all that it saw: a device may leave some for later and sleep.
 *
 * Return: 0 if the driver will notify; 1 if there is a new chain already, and no
 * notification may come; -EFAULT.
 */
static inline int vr_kick_on(struct vr *vr)
{
	return vr->avail.ops->kick_on(vr);
}

/**
 * vr_kick_off() - Tell the driver that it need not notify
 * @vr: A ring that was started.
 *
 * A hint. Some will come nevertheless.
 *
 * Return: 0 or -EFAULT.
 */
static inline int vr_kick_off(struct vr *vr)
{
	return vr->avail.ops->kick_off(vr);
}

/**
 * vr_push() - Give chains back
 * @vr: A ring that was started.
 * @done: The chains, in any order, each taken before and not yet given back.
 * @n: Number of them.
 *
 * All that this CPU wrote or knows of, into the buffers above all, is visible to
 * a driver that sees the chains. Unless 0 is returned it sees none of them; while
 * it fails, vr_pop() may take as many chains more than the ring has room for.
 *
 * Return: 0 or -EFAULT.
 */
static inline int vr_push(struct vr *vr, const struct vr_done *done, u32 n)
{
	return vr->used.ops->push(vr, done, n);
}

/**
 * vr_interrupt() - Does the driver want to be told of what was given back?
 * @vr: A ring that was started.
 *
 * To be asked after one or more vr_push(), and then acted upon: it covers all
 * since the last time it was asked.
 *
 * Return: 1 if the driver is to be notified, 0 if not, -EFAULT.
 */
static inline int vr_interrupt(struct vr *vr)
{
	return vr->used.ops->interrupt(vr);
}

#endif
