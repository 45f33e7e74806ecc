// SPDX-License-Identifier: GPL-2.0-only
/* Compiles for every kernel; see ../Kbuild.include. */
#include <linux/module.h>
