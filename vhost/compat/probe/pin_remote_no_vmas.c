// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux kernel commit 0b295316b3a9 "mm/gup: remove unused vmas parameter from
 * pin_user_pages_remote()" (in v6.5)
 */
#include <linux/mm.h>

long probe(struct mm_struct *mm, struct page **pages);

long probe(struct mm_struct *mm, struct page **pages)
{
	return pin_user_pages_remote(mm, 0, 1, 0, pages, NULL);
}
