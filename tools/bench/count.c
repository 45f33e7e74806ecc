// SPDX-License-Identifier: GPL-2.0-only
/*
 * count.so: a plugin of QEMU's emulation that counts the instructions of the whole machine,
 * by address, from a call of MARK_BEGIN to one of MARK_END.
 *
 *   qemu-system-x86_64 -plugin file=count.so,out=FILE ...
 *
 * FILE then has lines "ADDRESS INSTRUCTIONS", one for each block of code that ran: where it
 * begins, in hexadecimal, and how often it ran times what instructions it has. A block
 * ends with a jump, so it is of one function. There may be several lines for an address.
 *
 * It is for a machine that counts its instructions itself (-icount), which QEMU runs in
 * one thread.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"
#include "plugin.h"

int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* Of code as it was translated, maybe for a second time. It stays: QEMU may still run it. */
struct block {
	struct block *next;
	__u64 address;
	__u64 runs;
	unsigned int instructions;
};

static struct block *blocks;
static const char *path;	/* of the file */
static bool counting;

static void begin(unsigned int cpu, void *data)
{
	for (struct block *block = blocks; block; block = block->next)
		block->runs = 0;
	counting = true;
}

static void end(unsigned int cpu, void *data)
{
	FILE *file = fopen(path, "w");

	counting = false;
	if (!file) {
		perror(path);
		exit(1);
	}
	for (struct block *block = blocks; block; block = block->next)
		if (block->runs)
			fprintf(file, "%llx %llu\n", block->address,
				block->runs * block->instructions);
	if (fclose(file)) {
		perror(path);
		exit(1);
	}
}

static void run_block(unsigned int cpu, void *data)
{
	struct block *block = data;

	block->runs += counting;
}

static struct block *add_block(const struct qemu_plugin_tb *tb)
{
	struct block *block = malloc(sizeof(*block));

	if (!block)
		abort();
	*block = (struct block) {
		.next = blocks,
		.address = qemu_plugin_tb_vaddr(tb),
		.instructions = qemu_plugin_tb_n_insns(tb),
	};
	blocks = block;
	return block;
}

static void translate_block(struct qemu_plugin_tb *tb, void *data)
{
	__u64 address = qemu_plugin_tb_vaddr(tb);

	if (address == MARK_BEGIN)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, begin, QEMU_PLUGIN_CB_NO_REGS, NULL);
	else if (address == MARK_END)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, end, QEMU_PLUGIN_CB_NO_REGS, NULL);
	else
		qemu_plugin_register_vcpu_tb_exec_cb(tb, run_block, QEMU_PLUGIN_CB_NO_REGS,
						     add_block(tb));
}

/* Called by QEMU, when it has loaded this. */
int qemu_plugin_install(__u64 id, const void *info, int argc, char **argv)
{
	if (argc != 1 || strncmp(argv[0], "out=", strlen("out="))) {
		fputs("count.so: usage: -plugin file=count.so,out=FILE\n", stderr);
		return -1;
	}
	path = argv[0] + strlen("out=");
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_block, NULL);
	return 0;
}
