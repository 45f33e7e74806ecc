// SPDX-License-Identifier: GPL-2.0-only
/* The frontend's memory, mapped. */
#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"

static bool overlap(__u64 a, __u64 b, __u64 a_size, __u64 b_size)
{
	return a < b ? b - a < a_size : a - b < b_size;
}

/* What can be known of a region without its file. */
static const char *check_numbers(const struct memory *memory, const struct vhost_user_region *from)
{
	__u64 end;

	if (!from->size)
		return "a region is empty";
	if (__builtin_add_overflow(from->guest, from->size - 1, &end) ||
	    __builtin_add_overflow(from->user, from->size - 1, &end) ||
	    __builtin_add_overflow(from->offset, from->size, &end))
		return "a region is beyond the last address";
	if (memory->nr == MEMORY_SLOTS)
		return "there are too many regions";
	for (unsigned int i = 0; i < memory->nr; i++) {
		const struct region *other = &memory->regions[i];

		if (overlap(from->guest, other->guest, from->size, other->size) ||
		    overlap(from->user, other->user, from->size, other->size))
			return "regions overlap";
	}
	return NULL;
}

/*
 * What begins in the file where it may begin in a map: at a page, which for
 * hugetlbfs is a large one.
 */
static __u64 granule(int fd)
{
	struct statfs fs;

	if (!fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC)
		return fs.f_bsize;
	return sysconf(_SC_PAGESIZE);
}

/*
 * A device could be one whose memory does things, and says nothing of its size. That
 * a file has enough now is no promise, but tells those that are mistaken.
 */
static const char *check_file(const struct vhost_user_region *from, int fd)
{
	struct stat file;

	if (fstat(fd, &file) || !S_ISREG(file.st_mode))
		return "a region's file is no file of memory";
	if (from->offset + from->size > (__u64)file.st_size)
		return "a region's file is too short";
	return NULL;
}

const char *memory_add(struct memory *memory, const struct vhost_user_region *from, int fd)
{
	struct region *region = &memory->regions[memory->nr];
	const char *why = check_numbers(memory, from) ?: check_file(from, fd);
	__u64 page, before;

	if (why)
		return why;
	page = granule(fd);
	before = from->offset % page;
	region->map_size = (before + from->size + page - 1) / page * page;
	region->map = mmap(NULL, region->map_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_NORESERVE, fd, (off_t)(from->offset - before));
	if (region->map == MAP_FAILED)
		return because("a region cannot be mapped: %s", strerror(errno));
	/* A guest's memory is no business of a core dump of ours. */
	madvise(region->map, region->map_size, MADV_DONTDUMP);
	region->guest = from->guest;
	region->size = from->size;
	region->user = from->user;
	region->at = (char *)region->map + before;
	memory->nr++;
	return NULL;
}

const char *memory_take(struct memory *memory, const struct vhost_user_region *which,
			struct region *taken)
{
	for (unsigned int i = 0; i < memory->nr; i++) {
		struct region *region = &memory->regions[i];

		if (region->guest != which->guest || region->size != which->size ||
		    region->user != which->user)
			continue;
		*taken = *region;
		*region = memory->regions[--memory->nr];
		return NULL;
	}
	return "there is no such region";
}

void region_unmap(struct region *region)
{
	munmap(region->map, region->map_size);
}

void memory_clear(struct memory *memory)
{
	while (memory->nr)
		region_unmap(&memory->regions[--memory->nr]);
}

__u64 memory_translate(const struct memory *memory, __u64 user, __u64 len)
{
	for (unsigned int i = 0; i < memory->nr; i++) {
		const struct region *region = &memory->regions[i];

		if (user >= region->user && user - region->user < region->size &&
		    len <= region->size - (user - region->user))
			return (unsigned long)(region->at + (user - region->user));
	}
	return 0;
}
