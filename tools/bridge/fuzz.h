/* SPDX-License-Identifier: GPL-2.0-only */
/* What others call of the fuzzer. */
#ifndef BRIDGE_FUZZ_H
#define BRIDGE_FUZZ_H

#include <linux/types.h>
#include <stddef.h>
#include <sys/types.h>

/* What libFuzzer calls, by names of ours. */
int fuzz_begin(int *argc, char ***argv) __asm__("LLVMFuzzerInitialize");
int fuzz(const __u8 *data, size_t size) __asm__("LLVMFuzzerTestOneInput");

/* Memory is mapped by these in memory.c. */
void *fuzz_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
int fuzz_munmap(void *at, size_t len);

#endif /* BRIDGE_FUZZ_H */
