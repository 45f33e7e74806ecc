/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of QEMU's interface for plugins as count.c uses, which Debian has no header for. A
 * QEMU that wants another version says so, and does not start.
 */
#ifndef BENCH_PLUGIN_H
#define BENCH_PLUGIN_H

#include <linux/types.h>
#include <stddef.h>

#define QEMU_PLUGIN_VERSION	7

/* For what QEMU looks for. */
#define PLUGIN_EXPORT	__attribute__((visibility("default")))

/* A piece of code as QEMU translates it at once, up to a jump. */
struct qemu_plugin_tb;

/* What a function that is called looks at: nothing of the CPU. */
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

typedef void qemu_plugin_translate(struct qemu_plugin_tb *tb, void *data);
typedef void qemu_plugin_execute(unsigned int cpu, void *data);

/* Have @call called with @data for all code, when it is translated. */
void qemu_plugin_register_vcpu_tb_trans_cb(__u64 id, qemu_plugin_translate *call, void *data);

/* From a function called so: have @call called each time, before @tb runs. */
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, qemu_plugin_execute *call,
					  enum qemu_plugin_cb_flags flags, void *data);

/* Where it begins. */
__u64 qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

/* How many instructions it has. */
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);

/* What a plugin has to have: the version that it is for, and what is called first. */
extern int qemu_plugin_version PLUGIN_EXPORT;
int qemu_plugin_install(__u64 id, const void *info, int argc, char **argv) PLUGIN_EXPORT;

#endif
