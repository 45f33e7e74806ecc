/* SPDX-License-Identifier: GPL-2.0-only */
/* What a process may do. */
#ifndef LIB_PRIVILEGES_H
#define LIB_PRIVILEGES_H

/* Be somebody for whom limits are limits, for good; 0 if so. */
int lose_privileges(void);

#endif /* LIB_PRIVILEGES_H */
