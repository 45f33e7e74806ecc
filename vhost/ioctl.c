// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls: one table says which there are, who may call them and what
 * argument they take. See uapi/linux/vhost_blk.h for what they promise.
 */
#include <linux/build_bug.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/virtio_ring.h>

#include "device.h"
#include "memory.h"
#include "queue.h"
#include "trace.h"
#include "worker.h"

static int vblk_put_mask(void __user *argp, u64 mask)
{
	return copy_to_user(argp, &mask, sizeof(mask)) ? -EFAULT : 0;
}

static int vblk_get_mask(u64 *mask, const void __user *argp)
{
	return copy_from_user(mask, argp, sizeof(*mask)) ? -EFAULT : 0;
}

static int vblk_set_owner(struct vblk_dev *dev, void __user *argp)
{
	return vblk_dev_set_owner(dev);
}

static int vblk_reset_owner(struct vblk_dev *dev, void __user *argp)
{
	return vblk_dev_reset(dev);
}

static int vblk_get_features(struct vblk_dev *dev, void __user *argp)
{
	return vblk_put_mask(argp, VBLK_FEATURES);
}

static int vblk_set_features(struct vblk_dev *dev, void __user *argp)
{
	u64 features;

	return vblk_get_mask(&features, argp) ?: vblk_dev_set_features(dev, features);
}

static int vblk_get_backend_features(struct vblk_dev *dev, void __user *argp)
{
	return vblk_put_mask(argp, VBLK_BACKEND_FEATURES);
}

static int vblk_set_backend_features(struct vblk_dev *dev, void __user *argp)
{
	u64 features;
	int ret;

	ret = vblk_get_mask(&features, argp);
	if (ret)
		return ret;
	return features & ~VBLK_BACKEND_FEATURES ? -EOPNOTSUPP : 0;
}

static int vblk_set_mem_table(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_memory *memory = vblk_memory_create(argp);

	return IS_ERR(memory) ? PTR_ERR(memory) : vblk_dev_set_memory(dev, memory);
}

/* Dirty logging is not offered, VHOST_F_LOG_ALL, so there is nothing to log to. */
static int vblk_no_log(struct vblk_dev *dev, void __user *argp)
{
	return -EOPNOTSUPP;
}

/*
 * Rings. All arguments begin with the index of the queue.
 */

/* The queue that @argp speaks of. */
static struct vblk_queue *vblk_get_queue(struct vblk_dev *dev, const void __user *argp)
{
	u32 index;

	if (get_user(index, (const u32 __user *)argp))
		return ERR_PTR(-EFAULT);
	return vblk_dev_queue(dev, index);
}

/* The same, if it does not run. */
static struct vblk_queue *vblk_get_idle_queue(struct vblk_dev *dev, const void __user *argp)
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);

	if (!IS_ERR(queue) && vblk_queue_runs(queue))
		return ERR_PTR(-EBUSY);
	return queue;
}

/* What @argp says of @queue, which may be an error. */
static int vblk_get_arg(const struct vblk_queue *queue, void *arg, const void __user *argp,
			size_t size)
{
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	return copy_from_user(arg, argp, size) ? -EFAULT : 0;
}

static int vblk_put_state(const struct vblk_queue *queue, u32 num, void __user *argp)
{
	struct vhost_vring_state state = { queue->index, num };

	return copy_to_user(argp, &state, sizeof(state)) ? -EFAULT : 0;
}

static int vblk_set_vring_num(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_idle_queue(dev, argp);
	struct vhost_vring_state state;
	int ret = vblk_get_arg(queue, &state, argp, sizeof(state));

	if (ret)
		return ret;
	if (!is_power_of_2(state.num) || state.num > VBLK_MAX_RING)
		return -EINVAL;
	queue->num = state.num;
	return 0;
}

static int vblk_set_vring_base(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_idle_queue(dev, argp);
	struct vhost_vring_state state;
	int ret = vblk_get_arg(queue, &state, argp, sizeof(state));

	if (ret)
		return ret;
	if (state.num > U16_MAX)
		return -EINVAL;
	queue->base = state.num;
	return 0;
}

static int vblk_get_vring_base(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);
	int ret;

	if (IS_ERR(queue))
		return PTR_ERR(queue);
	/* Once before, so as not to stop the queue for nobody. */
	ret = vblk_put_state(queue, queue->base, argp) ?: vblk_queue_stop(queue);
	if (ret)
		return ret;
	/* The ring is the caller's again: nothing starts it as it was. */
	queue->has_at = false;
	return vblk_put_state(queue, queue->base, argp);
}

/* Are these addresses of the owner's, for what they have to be? */
static int vblk_check_addr(const struct vhost_vring_addr *addr)
{
	if (addr->flags)
		return -EOPNOTSUPP;
	if (addr->desc_user_addr != (unsigned long)addr->desc_user_addr ||
	    addr->avail_user_addr != (unsigned long)addr->avail_user_addr ||
	    addr->used_user_addr != (unsigned long)addr->used_user_addr)
		return -EFAULT;
	if (addr->desc_user_addr % VRING_DESC_ALIGN_SIZE ||
	    addr->avail_user_addr % VRING_AVAIL_ALIGN_SIZE ||
	    addr->used_user_addr % VRING_USED_ALIGN_SIZE ||
	    addr->log_guest_addr % VRING_USED_ALIGN_SIZE)
		return -EINVAL;
	return 0;
}

static int vblk_set_vring_addr(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);
	struct vhost_vring_addr addr;
	struct vr_areas at;
	int ret;

	ret = vblk_get_arg(queue, &addr, argp, sizeof(addr)) ?: vblk_check_addr(&addr);
	if (ret)
		return ret;
	at.desc = (void *)(unsigned long)addr.desc_user_addr;
	at.avail = (void *)(unsigned long)addr.avail_user_addr;
	at.used = (void *)(unsigned long)addr.used_user_addr;
	/* A VMM that begins to log says again what it said before. */
	if (vblk_queue_runs(queue) && memcmp(&at, &queue->at, sizeof(at)))
		return -EBUSY;
	queue->at = at;
	queue->has_at = true;
	return 0;
}

static int vblk_set_vring_endian(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_idle_queue(dev, argp);
	struct vhost_vring_state state;
	int ret = vblk_get_arg(queue, &state, argp, sizeof(state));

	if (ret)
		return ret;
	if (state.num != VHOST_VRING_LITTLE_ENDIAN && state.num != VHOST_VRING_BIG_ENDIAN)
		return -EINVAL;
	queue->big_endian = state.num == VHOST_VRING_BIG_ENDIAN;
	return 0;
}

static int vblk_get_vring_endian(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);

	if (IS_ERR(queue))
		return PTR_ERR(queue);
	return vblk_put_state(queue, queue->big_endian ? VHOST_VRING_BIG_ENDIAN :
			      VHOST_VRING_LITTLE_ENDIAN, argp);
}

/* Hand the file of @argp to @set. */
static int vblk_set_vring_file(struct vblk_dev *dev, void __user *argp,
			       int (*set)(struct vblk_queue *queue, int fd))
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);
	struct vhost_vring_file file;

	return vblk_get_arg(queue, &file, argp, sizeof(file)) ?: set(queue, file.fd);
}

static int vblk_set_vring_kick(struct vblk_dev *dev, void __user *argp)
{
	return vblk_set_vring_file(dev, argp, vblk_queue_set_kick);
}

static int vblk_set_vring_call(struct vblk_dev *dev, void __user *argp)
{
	return vblk_set_vring_file(dev, argp, vblk_queue_set_call);
}

static int vblk_set_vring_err(struct vblk_dev *dev, void __user *argp)
{
	return vblk_set_vring_file(dev, argp, vblk_queue_set_err);
}

static int vblk_set_vring_busyloop(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);
	struct vhost_vring_state state;
	int ret = vblk_get_arg(queue, &state, argp, sizeof(state));

	if (ret)
		return ret;
	WRITE_ONCE(queue->busyloop.limit, min(state.num, VBLK_MAX_BUSYLOOP));
	return 0;
}

static int vblk_get_vring_busyloop(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);

	if (IS_ERR(queue))
		return PTR_ERR(queue);
	return vblk_put_state(queue, queue->busyloop.limit, argp);
}

/*
 * Workers
 */

static int vblk_new_worker(struct vblk_dev *dev, void __user *argp)
{
	struct vhost_worker_state state;
	int ret;

	ret = vblk_dev_new_worker(dev, &state.worker_id);
	if (ret)
		return ret;
	if (!copy_to_user(argp, &state, sizeof(state)))
		return 0;
	vblk_dev_free_worker(dev, state.worker_id);
	return -EFAULT;
}

static int vblk_free_worker(struct vblk_dev *dev, void __user *argp)
{
	struct vhost_worker_state state;

	if (copy_from_user(&state, argp, sizeof(state)))
		return -EFAULT;
	return vblk_dev_free_worker(dev, state.worker_id);
}

static int vblk_attach_vring_worker(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);
	struct vhost_vring_worker state;
	int ret = vblk_get_arg(queue, &state, argp, sizeof(state));

	if (ret)
		return ret;
	return vblk_dev_attach_worker(dev, queue, state.worker_id);
}

static int vblk_get_vring_worker(struct vblk_dev *dev, void __user *argp)
{
	struct vblk_queue *queue = vblk_get_queue(dev, argp);
	struct vhost_vring_worker state;

	if (IS_ERR(queue))
		return PTR_ERR(queue);
	state.index = queue->index;
	state.worker_id = rcu_access_pointer(queue->worker)->id;
	return copy_to_user(argp, &state, sizeof(state)) ? -EFAULT : 0;
}

/* A worker is what the kernel can make one: a thread of its owner, or its own. */
#ifdef HAVE_VHOST_TASK
#define VBLK_FORK_FROM_OWNER 1
#else
#define VBLK_FORK_FROM_OWNER 0
#endif

static int vblk_set_fork_from_owner(struct vblk_dev *dev, void __user *argp)
{
	u8 fork;

	if (dev->mm)
		return -EBUSY;
	if (get_user(fork, (u8 __user *)argp))
		return -EFAULT;
	return fork == VBLK_FORK_FROM_OWNER ? 0 : -EINVAL;
}

static int vblk_get_fork_from_owner(struct vblk_dev *dev, void __user *argp)
{
	return put_user((u8)VBLK_FORK_FROM_OWNER, (u8 __user *)argp);
}

/*
 * The disk
 */

static int vblk_get_config(struct vblk_dev *dev, void __user *argp)
{
	struct vhost_blk_config config;
	int ret;

	if (copy_from_user(&config, argp, sizeof(config)))
		return -EFAULT;
	if (config.padding)
		return -EOPNOTSUPP;
	ret = vblk_dev_get_config(dev, &config);
	if (ret)
		return ret;
	return copy_to_user(argp, &config, sizeof(config)) ? -EFAULT : 0;
}

static int vblk_set_config(struct vblk_dev *dev, void __user *argp)
{
	struct vhost_blk_settings settings;

	if (copy_from_user(&settings, argp, sizeof(settings)))
		return -EFAULT;
	if (settings.fields & ~(VHOST_BLK_SERIAL | VHOST_BLK_WRITEBACK) ||
	    memchr_inv(settings.padding, 0, sizeof(settings.padding)))
		return -EOPNOTSUPP;
	if (settings.writeback > 1)
		return -EINVAL;
	vblk_dev_set_config(dev, &settings);
	return 0;
}

static int vblk_set_backend(struct vblk_dev *dev, void __user *argp)
{
	struct vhost_vring_file file;

	if (copy_from_user(&file, argp, sizeof(file)))
		return -EFAULT;
	if (file.index)
		return -ENOBUFS;
	return file.fd == -1 ? vblk_dev_detach(dev) : vblk_dev_attach(dev, file.fd);
}

/**
 * struct vblk_ioctl - one row of the table of ioctls
 * @cmd: the whole number; it implies direction and size of the argument
 * @name: for the trace
 * @owner: refused with -EPERM to all but the owner
 * @run: called with the device's mutex held; changes nothing if it fails
 */
struct vblk_ioctl {
	unsigned int cmd;
	const char *name;
	bool owner;
	int (*run)(struct vblk_dev *dev, void __user *argp);
};

/* @_type is what @_run takes @argp to point to; the number must agree. */
#define VBLK_IOCTL(_name, _type, _owner, _run) {				\
	.cmd = VHOST_##_name +							\
	       BUILD_BUG_ON_ZERO(_IOC_TYPE(VHOST_##_name) != VHOST_VIRTIO) +	\
	       BUILD_BUG_ON_ZERO(_IOC_SIZE(VHOST_##_name) != sizeof(_type)),	\
	.name = "VHOST_" #_name,						\
	.owner = (_owner),							\
	.run = (_run),								\
}

struct vblk_none {};

enum { ANYONE = false, OWNER = true };

static const struct vblk_ioctl vblk_ioctls[] = {
	VBLK_IOCTL(SET_OWNER, struct vblk_none, ANYONE, vblk_set_owner),
	VBLK_IOCTL(RESET_OWNER, struct vblk_none, OWNER, vblk_reset_owner),
	VBLK_IOCTL(GET_FEATURES, u64, ANYONE, vblk_get_features),
	VBLK_IOCTL(SET_FEATURES, u64, ANYONE, vblk_set_features),
	VBLK_IOCTL(GET_BACKEND_FEATURES, u64, ANYONE, vblk_get_backend_features),
	VBLK_IOCTL(SET_BACKEND_FEATURES, u64, ANYONE, vblk_set_backend_features),
	VBLK_IOCTL(SET_MEM_TABLE, struct vhost_memory, OWNER, vblk_set_mem_table),
	VBLK_IOCTL(SET_LOG_BASE, u64, OWNER, vblk_no_log),
	VBLK_IOCTL(SET_LOG_FD, int, OWNER, vblk_no_log),
	VBLK_IOCTL(SET_VRING_NUM, struct vhost_vring_state, OWNER, vblk_set_vring_num),
	VBLK_IOCTL(SET_VRING_BASE, struct vhost_vring_state, OWNER, vblk_set_vring_base),
	VBLK_IOCTL(GET_VRING_BASE, struct vhost_vring_state, OWNER, vblk_get_vring_base),
	VBLK_IOCTL(SET_VRING_ADDR, struct vhost_vring_addr, OWNER, vblk_set_vring_addr),
	VBLK_IOCTL(SET_VRING_ENDIAN, struct vhost_vring_state, OWNER, vblk_set_vring_endian),
	VBLK_IOCTL(GET_VRING_ENDIAN, struct vhost_vring_state, OWNER, vblk_get_vring_endian),
	VBLK_IOCTL(SET_VRING_KICK, struct vhost_vring_file, OWNER, vblk_set_vring_kick),
	VBLK_IOCTL(SET_VRING_CALL, struct vhost_vring_file, OWNER, vblk_set_vring_call),
	VBLK_IOCTL(SET_VRING_ERR, struct vhost_vring_file, OWNER, vblk_set_vring_err),
	VBLK_IOCTL(SET_VRING_BUSYLOOP_TIMEOUT, struct vhost_vring_state, OWNER,
		   vblk_set_vring_busyloop),
	VBLK_IOCTL(GET_VRING_BUSYLOOP_TIMEOUT, struct vhost_vring_state, OWNER,
		   vblk_get_vring_busyloop),
	VBLK_IOCTL(NEW_WORKER, struct vhost_worker_state, OWNER, vblk_new_worker),
	VBLK_IOCTL(FREE_WORKER, struct vhost_worker_state, OWNER, vblk_free_worker),
	VBLK_IOCTL(ATTACH_VRING_WORKER, struct vhost_vring_worker, OWNER,
		   vblk_attach_vring_worker),
	VBLK_IOCTL(GET_VRING_WORKER, struct vhost_vring_worker, OWNER, vblk_get_vring_worker),
	VBLK_IOCTL(SET_FORK_FROM_OWNER, u8, ANYONE, vblk_set_fork_from_owner),
	VBLK_IOCTL(GET_FORK_FROM_OWNER, u8, ANYONE, vblk_get_fork_from_owner),
	VBLK_IOCTL(BLK_GET_CONFIG, struct vhost_blk_config, ANYONE, vblk_get_config),
	VBLK_IOCTL(BLK_SET_CONFIG, struct vhost_blk_settings, OWNER, vblk_set_config),
	VBLK_IOCTL(BLK_SET_BACKEND, struct vhost_vring_file, OWNER, vblk_set_backend),
};

static const struct vblk_ioctl *vblk_find_ioctl(unsigned int cmd)
{
	const struct vblk_ioctl *row;

	for (row = vblk_ioctls; row < vblk_ioctls + ARRAY_SIZE(vblk_ioctls); row++)
		if (row->cmd == cmd)
			return row;
	return NULL;
}

static int vblk_run_ioctl(struct vblk_dev *dev, const struct vblk_ioctl *row,
			  void __user *argp)
{
	int ret;

	/* Only a task that is being killed gets -EINTR, and never sees it. */
	ret = mutex_lock_killable(&dev->mutex);
	if (ret)
		return ret;
	if (row->owner && !vblk_dev_is_owner(dev))
		ret = -EPERM;
	else
		ret = row->run(dev, argp);
	mutex_unlock(&dev->mutex);
	return ret;
}

/**
 * vblk_dev_ioctl() - run one ioctl from user space
 * @dev: the device
 * @cmd: its number
 * @argp: its argument
 *
 * Return: 0, -ENOTTY if there is no such ioctl, -EPERM if only the owner may
 * call it, or what it returns
 */
int vblk_dev_ioctl(struct vblk_dev *dev, unsigned int cmd, void __user *argp)
{
	const struct vblk_ioctl *row = vblk_find_ioctl(cmd);
	int ret = row ? vblk_run_ioctl(dev, row, argp) : -ENOTTY;

	trace_vblk_ioctl(dev, row ? row->name : "unknown", cmd, ret);
	return ret;
}
