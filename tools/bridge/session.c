// SPDX-License-Identifier: GPL-2.0-only
/* A connection: what each message does. */
#include <endian.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include "log.h"
#include "message.h"
#include "session.h"

#define PROTOCOL_FEATURES							\
	(VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_MQ) |				\
	 VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |			\
	 VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) |			\
	 VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_CONFIG) |				\
	 VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |			\
	 VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |		\
	 VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_STATUS))

struct session {
	int sock;
	int backend_req;	/* where the frontend is asked for things; -1: nowhere */
	struct message_limits limits;
	struct device device;
	struct memory memory;
	__u64 features;		/* what the frontend accepted */
	__u8 status;
};

/*
 * Features. The frontend may see none but those that are offered here.
 */

static const char *offer(struct session *session, __u64 *features,
			 struct vhost_blk_config *config)
{
	const char *why = device_config(&session->device, features, config);
	struct virtio_blk_config *space = (void *)config->space;

	if (why)
		return why;
	space->num_queues = htole16(session->limits.queues);
	if (session->limits.queues == 1)
		*features &= ~VHOST_USER_BIT(VIRTIO_BLK_F_MQ);
	*features |= VHOST_USER_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	return NULL;
}

static const char *get_features(struct session *session, struct message *message)
{
	struct vhost_blk_config config;

	return offer(session, &message->payload.u64, &config);
}

static const char *set_features(struct session *session, struct message *message)
{
	struct vhost_blk_config config;
	__u64 offered, accepted = message->payload.u64;
	const char *why = offer(session, &offered, &config);

	if (why)
		return why;
	if (accepted & ~offered)
		return because("accepts 0x%llx, which was not offered",
			       (unsigned long long)(accepted & ~offered));
	session->features = accepted;
	accepted &= ~VHOST_USER_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	return device_set_features(&session->device, accepted);
}

static const char *get_protocol_features(struct session *session, struct message *message)
{
	(void)session;
	message->payload.u64 = PROTOCOL_FEATURES;
	return NULL;
}

static const char *set_protocol_features(struct session *session, struct message *message)
{
	if (message->payload.u64 & ~PROTOCOL_FEATURES)
		return because("accepts 0x%llx, which was not offered",
			       (unsigned long long)(message->payload.u64 & ~PROTOCOL_FEATURES));
	session->limits.protocol = message->payload.u64;
	return NULL;
}

static const char *get_queue_num(struct session *session, struct message *message)
{
	message->payload.u64 = session->limits.queues;
	return NULL;
}

/* The device is the bridge's from the beginning of a connection. */
static const char *set_owner(struct session *session, struct message *message)
{
	(void)session;
	(void)message;
	return NULL;
}

/*
 * Memory
 */

static const char *set_mem_table(struct session *session, struct message *message)
{
	static struct memory table;
	struct memory old = session->memory;
	const char *why = NULL;

	table.nr = 0;
	for (__u32 i = 0; i < message->payload.memory.nr && !why; i++)
		why = memory_add(&table, &message->payload.memory.regions[i], message->fds[i]);
	if (why) {
		memory_clear(&table);
		return why;
	}
	/* The old one has to be there for as long as the kernel may use it. */
	session->memory = table;
	why = device_set_memory(&session->device, &session->memory, true);
	/* The connection ends, and the kernel may not have left the old one. */
	if (why)
		device_close(&session->device);
	memory_clear(&old);
	return why;
}

static const char *get_max_mem_slots(struct session *session, struct message *message)
{
	(void)session;
	message->payload.u64 = MEMORY_SLOTS;
	return NULL;
}

static const char *add_mem_reg(struct session *session, struct message *message)
{
	return memory_add(&session->memory, &message->payload.slot.region, message->fds[0]) ?:
	       device_set_memory(&session->device, &session->memory, false);
}

static const char *rem_mem_reg(struct session *session, struct message *message)
{
	struct region gone;
	const char *why;

	why = memory_take(&session->memory, &message->payload.slot.region, &gone);
	if (why)
		return why;
	why = device_set_memory(&session->device, &session->memory, false);
	if (why)
		device_close(&session->device);
	region_unmap(&gone);
	return why;
}

/*
 * Rings
 */

static const char *set_vring_num(struct session *session, struct message *message)
{
	return device_set_num(&session->device, message->payload.state.index,
			      message->payload.state.num);
}

/*
 * "Ring states": without the negotiation of protocol features rings are enabled from
 * the beginning, which is before the first thing that can start one.
 */
static void enable_if_old(struct session *session, __u32 index)
{
	if (!(session->features & VHOST_USER_BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
		session->device.rings[index].enabled = true;
}

static const char *set_vring_addr(struct session *session, struct message *message)
{
	enable_if_old(session, message->payload.addr.index);
	return device_set_addr(&session->device, &message->payload.addr);
}

static const char *set_vring_base(struct session *session, struct message *message)
{
	return device_set_base(&session->device, message->payload.state.index,
			       message->payload.state.num);
}

static const char *get_vring_base(struct session *session, struct message *message)
{
	return device_get_base(&session->device, message->payload.state.index,
			       &message->payload.state.num);
}

/* To do without an eventfd somebody would have to look at the ring all the time. */
static const char *check_eventfd(const struct message *message)
{
	return message->nr_fds ? NULL : "has no eventfd, and rings are not polled";
}

static const char *set_vring_kick(struct session *session, struct message *message)
{
	__u32 index = message_index(message);
	const char *why = check_eventfd(message);

	if (why)
		return why;
	enable_if_old(session, index);
	return device_set_kick(&session->device, index, message_take_fd(message, 0));
}

static const char *set_vring_call(struct session *session, struct message *message)
{
	return check_eventfd(message) ?:
	       device_set_call(&session->device, message_index(message),
			       message_take_fd(message, 0));
}

static const char *set_vring_err(struct session *session, struct message *message)
{
	int fd = message->nr_fds ? message_take_fd(message, 0) : -1;

	return device_set_err(&session->device, message_index(message), fd);
}

static const char *set_vring_enable(struct session *session, struct message *message)
{
	if (message->payload.state.num > 1)
		return because("has %u for enable", message->payload.state.num);
	return device_enable(&session->device, message->payload.state.index,
			     message->payload.state.num);
}

/*
 * The configuration space
 */

static const char *get_config(struct session *session, struct message *message)
{
	struct vhost_user_config *part = &message->payload.config;
	struct vhost_blk_config config;
	__u64 features;
	const char *why = offer(session, &features, &config);

	if (!why)
		memcpy(part->space, config.space + part->offset, part->size);
	return why;
}

/* Virtio 1.3, 5.2.4: the only field that a driver may write to is writeback. */
static const char *set_config(struct session *session, struct message *message)
{
	const struct vhost_user_config *part = &message->payload.config;

	if (part->offset != offsetof(struct virtio_blk_config, wce) ||
	    part->size != sizeof(__u8))
		return "is about a field that cannot be written";
	if (part->space[0] > 1)
		return because("has %u for writeback", part->space[0]);
	return device_set_writeback(&session->device, part->space[0]);
}

static const char *set_backend_req_fd(struct session *session, struct message *message)
{
	struct stat file;

	if (fstat(message->fds[0], &file) || !S_ISSOCK(file.st_mode))
		return "has a file that is no socket";
	if (session->backend_req >= 0)
		close(session->backend_req);
	session->backend_req = message_take_fd(message, 0);
	return NULL;
}

static void tell_config_change(const struct session *session)
{
	if (session->backend_req < 0)
		log_info("the disk has changed, and the frontend cannot be told");
	else if (message_request(session->backend_req, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG))
		log_info("the disk has changed, and the frontend does not listen");
	else
		log_info("the disk has changed, the frontend was told");
}

/*
 * Status and reset
 */

static const char *reset_owner(struct session *session, struct message *message)
{
	(void)message;
	return device_disable(&session->device);
}

static const char *reset_device(struct session *session, struct message *message)
{
	(void)message;
	session->status = 0;
	session->features = 0;
	return device_reset(&session->device);
}

static const char *set_status(struct session *session, struct message *message)
{
	if (message->payload.u64 > 0xff)
		return "has a status of more than a byte";
	if (!message->payload.u64)
		return reset_device(session, message);
	session->status = message->payload.u64;
	return NULL;
}

/* cppcheck-suppress constParameterCallback; as all handlers have it */
static const char *get_status(struct session *session, struct message *message)
{
	message->payload.u64 = session->status;
	return NULL;
}

/*
 * The conversation
 */

/* What a message does; its answer, if it has one, is of size bytes. */
struct handler {
	const char *(*run)(struct session *session, struct message *message);
	size_t size;
};

static const struct handler handlers[] = {
	[VHOST_USER_GET_FEATURES] = { .run = get_features, .size = sizeof(__u64) },
	[VHOST_USER_SET_FEATURES] = { .run = set_features },
	[VHOST_USER_SET_OWNER] = { .run = set_owner },
	[VHOST_USER_RESET_OWNER] = { .run = reset_owner },
	[VHOST_USER_SET_MEM_TABLE] = { .run = set_mem_table },
	[VHOST_USER_SET_VRING_NUM] = { .run = set_vring_num },
	[VHOST_USER_SET_VRING_ADDR] = { .run = set_vring_addr },
	[VHOST_USER_SET_VRING_BASE] = { .run = set_vring_base },
	[VHOST_USER_GET_VRING_BASE] = {
		.run = get_vring_base,
		.size = sizeof(struct vhost_vring_state),
	},
	[VHOST_USER_SET_VRING_KICK] = { .run = set_vring_kick },
	[VHOST_USER_SET_VRING_CALL] = { .run = set_vring_call },
	[VHOST_USER_SET_VRING_ERR] = { .run = set_vring_err },
	[VHOST_USER_GET_PROTOCOL_FEATURES] = {
		.run = get_protocol_features,
		.size = sizeof(__u64),
	},
	[VHOST_USER_SET_PROTOCOL_FEATURES] = { .run = set_protocol_features },
	[VHOST_USER_GET_QUEUE_NUM] = { .run = get_queue_num, .size = sizeof(__u64) },
	[VHOST_USER_SET_VRING_ENABLE] = { .run = set_vring_enable },
	[VHOST_USER_SET_BACKEND_REQ_FD] = { .run = set_backend_req_fd },
	[VHOST_USER_GET_CONFIG] = { .run = get_config },
	[VHOST_USER_SET_CONFIG] = { .run = set_config },
	[VHOST_USER_RESET_DEVICE] = { .run = reset_device },
	[VHOST_USER_GET_MAX_MEM_SLOTS] = {
		.run = get_max_mem_slots,
		.size = sizeof(__u64),
	},
	[VHOST_USER_ADD_MEM_REG] = { .run = add_mem_reg },
	[VHOST_USER_REM_MEM_REG] = { .run = rem_mem_reg },
	[VHOST_USER_SET_STATUS] = { .run = set_status },
	[VHOST_USER_GET_STATUS] = { .run = get_status, .size = sizeof(__u64) },
};

/* What is said to a frontend whose message went wrong, or well. */
static int answer(const struct session *session, struct message *message, bool good)
{
	__u32 request = message->header.request;

	if (request == VHOST_USER_GET_CONFIG)	/* of the size that was asked for, or none */
		return message_reply(message, session->sock, good ? message->header.size : 0);
	if (message_is_answered(request))
		return good ? message_reply(message, session->sock, handlers[request].size) : 0;
	if (!(message->header.flags & VHOST_USER_NEED_REPLY) ||
	    !(session->limits.protocol & VHOST_USER_BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK)))
		return 0;
	message->payload.u64 = !good;
	return message_reply(message, session->sock, sizeof(__u64));
}

/* One message, from its first byte to its answer; whether there may be another. */
static bool serve(struct session *session, struct message *message, struct events *events,
		  bool *good)
{
	const char *why = NULL;

	switch (message_receive(message, session->sock, events, &session->limits, &why)) {
	case MESSAGE_STOP:
		return false;
	case MESSAGE_END:
		*good = true;
		return false;
	case MESSAGE_BAD:
		break;
	case MESSAGE_GOT:
		log_debug("%s", message_name(message->header.request));
		why = handlers[message->header.request].run(session, message);
		break;
	}
	if (why)
		log_error("connection closed: %s: %s", message_name(message->header.request), why);
	if (answer(session, message, !why) && !why) {
		log_error("connection closed: the frontend does not take answers");
		return false;
	}
	return !why;
}

/* Of a frontend that may go on with another bridge: nothing is to be lost. */
static void drain(struct session *session)
{
	const char *why = device_disable(&session->device);

	if (why)
		log_error("requests in flight may be lost: %s", why);
}

static void end(struct session *session)
{
	if (session->device.fd >= 0)
		device_close(&session->device);
	memory_clear(&session->memory);
	if (session->backend_req >= 0)
		close(session->backend_req);
}

bool session_run(int sock, struct events *events, const struct device_setup *setup)
{
	static struct session session;
	struct message message;
	bool good = false, more = true;
	const char *why;

	session.sock = sock;
	session.backend_req = -1;
	session.limits = (struct message_limits) { .queues = setup->queues };
	session.memory.nr = 0;
	session.features = 0;
	session.status = 0;
	why = device_open(&session.device, setup);
	if (why) {
		log_error("%s", why);
		return false;
	}
	while (more && !events->stop) {
		if (events->reload) {
			events->reload = false;
			tell_config_change(&session);
		}
		if (!events_wait(events, sock))
			continue;
		more = serve(&session, &message, events, &good);
		message_close(&message);
	}
	if (events->stop)
		drain(&session);
	end(&session);
	return good || events->stop;
}
