/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vhost-user protocol, from the specification in QEMU's documentation,
 * docs/interop/vhost-user.rst, whose sections are named below. Numbers are in the
 * byte order of the host.
 */
#ifndef BRIDGE_PROTOCOL_H
#define BRIDGE_PROTOCOL_H

#include <linux/types.h>
#include <linux/vhost.h>

/* "Header" */
struct vhost_user_header {
	__u32 request;
	__u32 flags;
	__u32 size;
};

#define VHOST_USER_VERSION_MASK		0x3
#define VHOST_USER_VERSION		0x1
#define VHOST_USER_REPLY		0x4
#define VHOST_USER_NEED_REPLY		0x8

/* "Memory region description" */
struct vhost_user_region {
	__u64 guest;
	__u64 size;
	__u64 user;
	__u64 offset;
};

/* "Multiple Memory regions description" */
#define VHOST_USER_MAX_REGIONS		8

struct vhost_user_memory {
	__u32 nr;
	__u32 padding;
	struct vhost_user_region regions[VHOST_USER_MAX_REGIONS];
};

/* "Single memory region description" */
struct vhost_user_slot {
	__u64 padding;
	struct vhost_user_region region;
};

/* "Virtio device config space" */
#define VHOST_USER_CONFIG_SIZE		256

struct vhost_user_config {
	__u32 offset;
	__u32 size;
	__u32 flags;
	__u8 space[VHOST_USER_CONFIG_SIZE];
};

#define VHOST_USER_CONFIG_WRITABLE	0
#define VHOST_USER_CONFIG_MIGRATION	1

/* "Payload": what a message is about, by its request */
union vhost_user_payload {
	__u64 u64;
	struct vhost_vring_state state;
	struct vhost_vring_addr addr;
	struct vhost_user_memory memory;
	struct vhost_user_slot slot;
	struct vhost_user_config config;
};

/* "VHOST_USER_SET_VRING_KICK": what is in the u64 */
#define VHOST_USER_VRING_INDEX_MASK	0xff
#define VHOST_USER_VRING_NOFD		0x100

/* "Feature negotiation": a bit of the virtio features that no device has */
#define VHOST_USER_F_PROTOCOL_FEATURES	30

/* "Protocol features" */
#define VHOST_USER_PROTOCOL_F_MQ		0
#define VHOST_USER_PROTOCOL_F_REPLY_ACK		3
#define VHOST_USER_PROTOCOL_F_BACKEND_REQ	5
#define VHOST_USER_PROTOCOL_F_CONFIG		9
#define VHOST_USER_PROTOCOL_F_RESET_DEVICE	13
#define VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS 15
#define VHOST_USER_PROTOCOL_F_STATUS		16

/* "Front-end message types": those that the bridge knows */
#define VHOST_USER_GET_FEATURES		1
#define VHOST_USER_SET_FEATURES		2
#define VHOST_USER_SET_OWNER		3
#define VHOST_USER_RESET_OWNER		4
#define VHOST_USER_SET_MEM_TABLE	5
#define VHOST_USER_SET_VRING_NUM	8
#define VHOST_USER_SET_VRING_ADDR	9
#define VHOST_USER_SET_VRING_BASE	10
#define VHOST_USER_GET_VRING_BASE	11
#define VHOST_USER_SET_VRING_KICK	12
#define VHOST_USER_SET_VRING_CALL	13
#define VHOST_USER_SET_VRING_ERR	14
#define VHOST_USER_GET_PROTOCOL_FEATURES 15
#define VHOST_USER_SET_PROTOCOL_FEATURES 16
#define VHOST_USER_GET_QUEUE_NUM	17
#define VHOST_USER_SET_VRING_ENABLE	18
#define VHOST_USER_SET_BACKEND_REQ_FD	21
#define VHOST_USER_GET_CONFIG		24
#define VHOST_USER_SET_CONFIG		25
#define VHOST_USER_RESET_DEVICE		34
#define VHOST_USER_GET_MAX_MEM_SLOTS	36
#define VHOST_USER_ADD_MEM_REG		37
#define VHOST_USER_REM_MEM_REG		38
#define VHOST_USER_SET_STATUS		39
#define VHOST_USER_GET_STATUS		40

/* "Back-end message types" */
#define VHOST_USER_BACKEND_CONFIG_CHANGE_MSG 2

#define VHOST_USER_BIT(nr)		(1ULL << (nr))

#endif /* BRIDGE_PROTOCOL_H */
