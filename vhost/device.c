// SPDX-License-Identifier: GPL-2.0-only
/* The device: who owns it, what was negotiated, and what it is made of. */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "backend.h"
#include "config.h"
#include "device.h"
#include "memory.h"
#include "queue.h"
#include "stats.h"
#include "worker.h"

static void vblk_dev_defaults(struct vblk_dev *dev)
{
	WRITE_ONCE(dev->features, 0);
	memset(dev->serial, 0, sizeof(dev->serial));
	strscpy(dev->serial, "vhost-blk", sizeof(dev->serial));
	dev->writeback = true;
}

static void vblk_dev_drop_owner(struct vblk_dev *dev)
{
	struct mm_struct *mm = dev->mm;

	WRITE_ONCE(dev->mm, NULL);
	if (mm)
		mmput(mm);
}

static void vblk_backend_destroy(struct vblk_backend *backend)
{
	if (!backend)
		return;
	fput(backend->file);
	kfree(backend);
}

static void vblk_dev_drop_backend(struct vblk_dev *dev)
{
	vblk_backend_destroy(dev->backend);
	dev->backend = NULL;
}

static void vblk_dev_drop_queues(struct vblk_dev *dev)
{
	struct vblk_queue *queue;
	LIST_HEAD(gone);
	unsigned long i;

	xa_for_each(&dev->queues, i, queue) {
		xa_erase(&dev->queues, i);
		list_add(&queue->gone, &gone);
	}
	/* For vblk_dev_show(). */
	synchronize_rcu();
	while ((queue = list_first_entry_or_null(&gone, struct vblk_queue, gone))) {
		list_del(&queue->gone);
		vblk_queue_destroy(queue);
	}
}

/* Drop all that was told since open; nothing is in flight. */
static void vblk_dev_drop(struct vblk_dev *dev)
{
	vblk_dev_drop_queues(dev);
	vblk_dev_drop_backend(dev);
	vblk_memory_put(dev->memory);
	dev->memory = NULL;
	vblk_dev_drop_owner(dev);
}

static void vblk_dev_free(struct vblk_dev *dev)
{
	vblk_dev_drop(dev);
	mutex_destroy(&dev->mutex);
	kfree(dev);
}

/* The last request of a device that is closed has ended, in any context. */
static void vblk_dev_gone(struct work_struct *work)
{
	vblk_dev_free(container_of(work, struct vblk_dev, gone));
	/* Unloading waits for vblk_wq after this, so there is code to return to. */
	module_put(THIS_MODULE);
}

/**
 * vblk_dev_create() - a device as open finds it: no owner, nothing negotiated
 *
 * Return: the device, or NULL if there is no memory for it
 */
struct vblk_dev *vblk_dev_create(void)
{
	struct vblk_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (!dev)
		return NULL;
	refcount_set(&dev->refs, 1);
	INIT_WORK(&dev->gone, vblk_dev_gone);
	mutex_init(&dev->mutex);
	spin_lock_init(&dev->lock);
	xa_init_flags(&dev->workers, XA_FLAGS_ALLOC);
	xa_init_flags(&dev->queues, XA_FLAGS_ACCOUNT);
	vblk_dev_defaults(dev);
	return dev;
}

/* No worker serves a queue any more. */
static void vblk_dev_stop_workers(struct vblk_dev *dev)
{
	struct vblk_worker *worker;
	struct vblk_queue *queue;
	unsigned long id, i;

	xa_for_each(&dev->queues, i, queue) {
		vblk_queue_set_kick(queue, -1);
		RCU_INIT_POINTER(queue->worker, NULL);
	}
	synchronize_rcu();
	xa_for_each(&dev->workers, id, worker) {
		xa_erase(&dev->workers, id);
		vblk_worker_destroy(worker);
	}
}

/**
 * vblk_dev_get() - have the device stay, also after its close
 * @dev: one that is not closed
 *
 * Context: any.
 */
void vblk_dev_get(struct vblk_dev *dev)
{
	refcount_inc(&dev->refs);
}

/**
 * vblk_dev_put() - undo vblk_dev_get(), or the last request of a closed queue has ended
 * @dev: the device
 *
 * Context: any.
 */
void vblk_dev_put(struct vblk_dev *dev)
{
	if (refcount_dec_and_test(&dev->refs)) {
		queue_work(vblk_wq, &dev->gone);
		return;
	}
	smp_mb__after_atomic();	/* who waits has said so, or sees the new value */
	wake_up_var(&dev->refs);
}

/**
 * vblk_dev_close() - undo vblk_dev_create() and all that came after it
 * @dev: the device, which nobody else uses any more
 *
 * Does not wait for the disk: if there are requests in flight, the last of them
 * frees the device. Until then the disk, the pages they go to and this module stay.
 */
void vblk_dev_close(struct vblk_dev *dev)
{
	struct vblk_queue *queue;
	unsigned long i;

	vblk_dev_stop_workers(dev);
	/* So that the references of queues are never the last here. */
	__module_get(THIS_MODULE);
	xa_for_each(&dev->queues, i, queue) {
		refcount_inc(&dev->refs);
		if (!vblk_queue_kill(queue))
			refcount_dec(&dev->refs);
	}
	if (refcount_dec_and_test(&dev->refs)) {
		vblk_dev_free(dev);
		module_put(THIS_MODULE);
	}
}

/**
 * vblk_dev_is_owner() - does the caller run in the owner's address space?
 * @dev: the device
 *
 * True for all threads of the owner; false for its children after a fork and
 * for itself after an exec. Only for ioctls, whose caller always has a mm.
 *
 * Return: whether it does
 */
bool vblk_dev_is_owner(const struct vblk_dev *dev)
{
	lockdep_assert_held(&dev->mutex);
	return dev->mm == current->mm;
}

/**
 * vblk_dev_set_owner() - make the calling process the owner
 * @dev: the device
 *
 * The device keeps the address space alive, and nothing keeps the device alive
 * in turn: the file cannot be mapped, so no address space holds it.
 *
 * Return: 0, -EBUSY if there is an owner already, or why there is no worker
 */
int vblk_dev_set_owner(struct vblk_dev *dev)
{
	u32 id;
	int ret;

	lockdep_assert_held(&dev->mutex);
	if (dev->mm)
		return -EBUSY;
	ret = vblk_dev_new_worker(dev, &id);
	if (!ret)
		WRITE_ONCE(dev->mm, get_task_mm(current));
	return ret;
}

/* Do something to all queues, up to the first to which it cannot be done. */
static int vblk_dev_each_queue(struct vblk_dev *dev, int (*do_it)(struct vblk_queue *queue))
{
	struct vblk_queue *queue;
	unsigned long i;
	int ret;

	xa_for_each(&dev->queues, i, queue) {
		ret = do_it(queue);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * vblk_dev_reset() - back to the state that vblk_dev_create() made
 * @dev: the device
 *
 * Only the owner may call it, which also keeps the last reference to the address
 * space from being dropped under the mutex.
 *
 * Return: 0, or -EINTR in a task that is being killed
 */
int vblk_dev_reset(struct vblk_dev *dev)
{
	int ret;

	lockdep_assert_held(&dev->mutex);
	ret = vblk_dev_each_queue(dev, vblk_queue_stop);
	if (ret)
		return ret;
	vblk_dev_stop_workers(dev);
	/* Who notified a queue, and is not yet on its way back. */
	wait_var_event(&dev->refs, refcount_read(&dev->refs) == 1);
	vblk_dev_drop(dev);
	vblk_dev_defaults(dev);
	return 0;
}

/**
 * vblk_dev_set_features() - take what the guest's driver accepted
 * @dev: the device
 * @features: bits of VBLK_FEATURES
 *
 * Return: 0, -EOPNOTSUPP if a bit was not offered, or -EBUSY if the device runs
 * with others
 */
int vblk_dev_set_features(struct vblk_dev *dev, u64 features)
{
	lockdep_assert_held(&dev->mutex);
	if (features & ~VBLK_FEATURES)
		return -EOPNOTSUPP;
	if (dev->backend && features != dev->features)
		return -EBUSY;
	WRITE_ONCE(dev->features, features);
	return 0;
}

/**
 * vblk_dev_set_memory() - take what the guest's memory is from now on
 * @dev: the device
 * @memory: the table; its reference is taken over, also if this fails
 *
 * When it returns 0, nothing is done by the old one any more.
 *
 * Return: 0, or -EINTR in a task that is being killed
 */
int vblk_dev_set_memory(struct vblk_dev *dev, struct vblk_memory *memory)
{
	bool drain = dev->memory && !vblk_memory_has_all_of(memory, dev->memory);
	struct vblk_queue *queue;
	unsigned long i;
	int ret;

	lockdep_assert_held(&dev->mutex);
	xa_for_each(&dev->queues, i, queue) {
		ret = vblk_queue_set_memory(queue, memory, drain);
		if (ret) {
			vblk_memory_put(memory);
			return ret;
		}
	}
	vblk_memory_put(dev->memory);
	dev->memory = memory;
	return 0;
}

/**
 * vblk_dev_queue() - a queue that an ioctl speaks of
 * @dev: the device
 * @index: what user space said
 *
 * Return: the queue, or -ENOBUFS, -ENOMEM
 */
struct vblk_queue *vblk_dev_queue(struct vblk_dev *dev, u32 index)
{
	struct vblk_worker *worker = xa_load(&dev->workers, 0);
	struct vblk_queue *queue;

	lockdep_assert_held(&dev->mutex);
	if (index >= VBLK_MAX_QUEUES)
		return ERR_PTR(-ENOBUFS);
	queue = xa_load(&dev->queues, index);
	if (queue)
		return queue;
	queue = vblk_queue_create(dev, index);
	if (!queue)
		return ERR_PTR(-ENOMEM);
	rcu_assign_pointer(queue->worker, worker);
	if (xa_err(xa_store(&dev->queues, index, queue, GFP_KERNEL))) {
		vblk_queue_destroy(queue);
		return ERR_PTR(-ENOMEM);
	}
	worker->queues++;
	return queue;
}

/*
 * Workers
 */

/**
 * vblk_dev_new_worker() - have one more worker
 * @dev: the device
 * @id: set to its number
 *
 * Context: the owner, or who becomes it.
 * Return: 0, -EBUSY if there are VBLK_MAX_WORKERS, or why there is none
 */
int vblk_dev_new_worker(struct vblk_dev *dev, u32 *id)
{
	struct vblk_worker *worker;
	int ret;

	lockdep_assert_held(&dev->mutex);
	worker = vblk_worker_create();
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	ret = xa_alloc(&dev->workers, id, worker, XA_LIMIT(0, VBLK_MAX_WORKERS - 1), GFP_KERNEL);
	if (ret)
		vblk_worker_destroy(worker);
	else
		worker->id = *id;
	return ret;
}

/**
 * vblk_dev_free_worker() - end a worker that has no queue
 * @dev: the device
 * @id: its number
 *
 * Return: 0, -ENODEV if there is none, -EBUSY if it has queues, or may get some
 */
int vblk_dev_free_worker(struct vblk_dev *dev, u32 id)
{
	struct vblk_worker *worker = xa_load(&dev->workers, id);

	lockdep_assert_held(&dev->mutex);
	if (!worker)
		return -ENODEV;
	if (!id || worker->queues)
		return -EBUSY;
	xa_erase(&dev->workers, id);
	/* Who found it at a queue that it had may still add to it. */
	synchronize_rcu();
	vblk_worker_destroy(worker);
	return 0;
}

/**
 * vblk_dev_attach_worker() - have a queue served by a certain worker
 * @dev: the device
 * @queue: the queue, in any state
 * @id: the worker's number
 *
 * Return: 0, -ENODEV
 */
int vblk_dev_attach_worker(struct vblk_dev *dev, struct vblk_queue *queue, u32 id)
{
	struct vblk_worker *worker = xa_load(&dev->workers, id), *old;

	lockdep_assert_held(&dev->mutex);
	if (!worker)
		return -ENODEV;
	old = rcu_replace_pointer(queue->worker, worker, lockdep_is_held(&dev->mutex));
	if (old == worker)
		return 0;
	worker->queues++;
	old->queues--;
	return 0;
}

/*
 * The disk
 */

static const struct vblk_backend_ops *const vblk_backends[] = {
	&vblk_bdev_ops,
	&vblk_null_ops,
};

static int vblk_backend_init(struct vblk_backend *backend)
{
	struct file *file = backend->file;
	u32 i;

	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	for (i = 0; i < ARRAY_SIZE(vblk_backends); i++) {
		if (vblk_backends[i]->probe(file))
			continue;
		backend->ops = vblk_backends[i];
		backend->read_only = !(file->f_mode & FMODE_WRITE);
		return 0;
	}
	return -ENOTBLK;
}

static struct vblk_backend *vblk_backend_create(int fd)
{
	struct vblk_backend *backend;
	int ret = -EBADF;

	backend = kzalloc(sizeof(*backend), GFP_KERNEL_ACCOUNT);
	if (!backend)
		return ERR_PTR(-ENOMEM);
	backend->file = fget(fd);
	if (backend->file) {
		ret = vblk_backend_init(backend);
		if (!ret)
			return backend;
		fput(backend->file);
	}
	kfree(backend);
	return ERR_PTR(ret);
}

/* All that do not run and are set up, or none. */
static int vblk_dev_start_queues(struct vblk_dev *dev)
{
	int ret = vblk_dev_each_queue(dev, vblk_queue_prepare);
	struct vblk_queue *queue;
	unsigned long i;

	xa_for_each(&dev->queues, i, queue) {
		if (ret)
			vblk_queue_abandon(queue);
		else
			vblk_queue_start(queue);
	}
	return ret;
}

static bool vblk_dev_has_disk(const struct vblk_dev *dev, int fd)
{
	struct file *file = fget(fd);
	bool has = file == dev->backend->file;

	if (file)
		fput(file);
	return has;
}

/**
 * vblk_dev_attach() - give the device its disk, and let it run
 * @dev: the device
 * @fd: the disk; may be the file that is attached already
 *
 * All queues that were set up and do not run begin to be served.
 *
 * Return: 0, -EEXIST if there is another disk, -EFAULT if there is no memory or a ring
 * cannot be reached, -EINVAL if one cannot be, -EBADF, -ENOTBLK, -ENOMEM
 */
int vblk_dev_attach(struct vblk_dev *dev, int fd)
{
	struct vblk_backend *backend;
	int ret;

	lockdep_assert_held(&dev->mutex);
	if (dev->backend)
		return vblk_dev_has_disk(dev, fd) ? vblk_dev_start_queues(dev) : -EEXIST;
	if (!dev->memory)
		return -EFAULT;
	backend = vblk_backend_create(fd);
	if (IS_ERR(backend))
		return PTR_ERR(backend);
	dev->backend = backend;
	ret = vblk_dev_start_queues(dev);
	if (ret)
		vblk_dev_drop_backend(dev);
	return ret;
}

/**
 * vblk_dev_detach() - take the disk away
 * @dev: the device
 *
 * Waits for all requests in flight; queues keep their place.
 *
 * Return: 0, or -EINTR in a task that is being killed
 */
int vblk_dev_detach(struct vblk_dev *dev)
{
	int ret;

	lockdep_assert_held(&dev->mutex);
	ret = vblk_dev_each_queue(dev, vblk_queue_stop);
	if (ret)
		return ret;
	vblk_dev_drop_backend(dev);
	return 0;
}

/*
 * What the driver sees of the disk
 */

/**
 * vblk_dev_writes_through() - does a write have to be durable when it ends?
 * @dev: the device
 * @features: what the driver accepted
 *
 * A driver that cannot flush relies on it, and one that may choose did (virtio
 * 1.3, 5.2.5.2, 5.2.6.2).
 *
 * Context: any.
 * Return: whether it has to
 */
bool vblk_dev_writes_through(struct vblk_dev *dev, u64 features)
{
	if (features & BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE))
		return !READ_ONCE(dev->writeback);
	return !(features & BIT_ULL(VIRTIO_BLK_F_FLUSH));
}

/**
 * vblk_dev_get_config() - what a driver may be told of a disk
 * @dev: the device
 * @config: which disk, and where to tell it
 *
 * Return: 0, -EBADF, -ENOTBLK, -ENOMEM, or -ENODEV if it is about the disk that is
 * attached and there is none
 */
int vblk_dev_get_config(struct vblk_dev *dev, struct vhost_blk_config *config)
{
	struct vblk_backend *backend = dev->backend;

	lockdep_assert_held(&dev->mutex);
	if (config->fd != -1)
		backend = vblk_backend_create(config->fd);
	else if (!backend)
		return -ENODEV;
	if (IS_ERR(backend))
		return PTR_ERR(backend);
	vblk_config_get(config, backend, dev->writeback);
	if (backend != dev->backend)
		vblk_backend_destroy(backend);
	return 0;
}

/**
 * vblk_dev_set_config() - set what the VMM decides on
 * @dev: the device
 * @settings: checked
 */
void vblk_dev_set_config(struct vblk_dev *dev, const struct vhost_blk_settings *settings)
{
	spin_lock(&dev->lock);
	if (settings->fields & VHOST_BLK_SERIAL)
		memcpy(dev->serial, settings->serial, sizeof(dev->serial));
	if (settings->fields & VHOST_BLK_WRITEBACK)
		WRITE_ONCE(dev->writeback, settings->writeback);
	spin_unlock(&dev->lock);
}

/**
 * vblk_dev_get_serial() - what the driver is told of the disk
 * @dev: the device
 * @serial: room for VIRTIO_BLK_ID_BYTES
 */
void vblk_dev_get_serial(struct vblk_dev *dev, char *serial)
{
	spin_lock(&dev->lock);
	memcpy(serial, dev->serial, sizeof(dev->serial));
	spin_unlock(&dev->lock);
}

/**
 * vblk_dev_show() - the device's lines of /proc/PID/fdinfo/FD
 * @dev: the device
 * @m: where to print them
 */
void vblk_dev_show(struct vblk_dev *dev, struct seq_file *m)
{
	struct vblk_queue *queue;
	unsigned long i;

	seq_printf(m, "vhost-blk-owned:\t%d\n", !!READ_ONCE(dev->mm));
	seq_printf(m, "vhost-blk-features:\t0x%016llx\n", READ_ONCE(dev->features));
	rcu_read_lock();
	xa_for_each(&dev->queues, i, queue)
		vblk_stats_show(queue, m);
	rcu_read_unlock();
}
