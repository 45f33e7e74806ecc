/* SPDX-License-Identifier: GPL-2.0-only */
/* What a fuzzer defines, by names of ours, for libFuzzer. */
#ifndef VR_USER_FUZZER_H
#define VR_USER_FUZZER_H

#include "../env.h"

int fuzz_begin(int *argc, char ***argv) __asm__("LLVMFuzzerInitialize");
int fuzz(const u8 *data, size_t size) __asm__("LLVMFuzzerTestOneInput");

#endif
