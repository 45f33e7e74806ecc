// SPDX-License-Identifier: GPL-2.0-only
/* A guest without a VMM: its memory, and its queues. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "guest.h"

static const struct {
	__u64 gpa;
	size_t size;
	bool shared;
} layout[GUEST_REGIONS] = {
	[LOW] = { GUEST_LOW, 16 * MIB, true },
	[MAIN] = { GUEST_MAIN, GUEST_NEXT - GUEST_MAIN, false },
	[NEXT] = { GUEST_NEXT, 64 * MIB, true },
	[HIGH] = { GUEST_HIGH, 16 * MIB, false },
};

static void die(const char *what)
{
	ksft_print_msg("guest: %s: %s\n", what, strerror(errno));
	abort();
}

/*
 * Memory
 */

/*
 * Where nothing is yet, with a page around it that cannot be accessed. In huge pages it is
 * where the guest has it in theirs; in others it is not.
 */
static char *map_nothing(__u64 gpa, size_t size, bool huge)
{
	size_t room = size + 2 * PAGE + HUGE;
	char *mem = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (mem == MAP_FAILED)
		return NULL;
	before = (gpa - (unsigned long)mem - PAGE) % HUGE;
	if (!huge)
		before = (before + PAGE) % HUGE;
	munmap(mem, before);
	munmap(mem + before + size + 2 * PAGE, HUGE - before);
	return mem + before + PAGE;
}

static char *map_region(__u64 gpa, size_t size, bool shared, bool huge)
{
	int kind = shared ? MAP_SHARED : MAP_PRIVATE;
	char *mem = map_nothing(gpa, size, huge);

	if (!mem)
		return NULL;
	mem = mmap(mem, size, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (mem == MAP_FAILED || (huge && madvise(mem, size, MADV_HUGEPAGE)))
		return NULL;
	return mem;
}

static int map_memory(struct guest *guest, bool huge)
{
	for (int i = 0; i < GUEST_REGIONS; i++) {
		struct guest_region *region = &guest->regions[i];

		region->gpa = layout[i].gpa;
		region->size = layout[i].size;
		region->mem = map_region(region->gpa, region->size, layout[i].shared, huge);
		if (!region->mem)
			return errno;
	}
	guest->low = GUEST_LOW;
	guest->top = GUEST_MAIN;
	return 0;
}

static void unmap_memory(struct guest *guest)
{
	for (int i = 0; i < GUEST_REGIONS; i++)
		if (guest->regions[i].mem)
			munmap(guest->regions[i].mem - PAGE, guest->regions[i].size + 2 * PAGE);
}

int guest_set_regions(const struct guest *guest, const struct guest_region *regions, __u32 nr)
{
	struct vhost_memory *memory = calloc(1, sizeof(*memory) + nr * sizeof(memory->regions[0]));
	int ret;

	if (!memory)
		die("table of memory");
	memory->nregions = nr;
	for (__u32 i = 0; i < nr; i++) {
		memory->regions[i].guest_phys_addr = regions[i].gpa;
		memory->regions[i].memory_size = regions[i].size;
		memory->regions[i].userspace_addr = (unsigned long)regions[i].mem;
	}
	ret = attempt(guest->fd, VHOST_SET_MEM_TABLE, memory);
	free(memory);
	return ret;
}

int guest_set_memory(const struct guest *guest)
{
	return guest_set_regions(guest, guest->regions, GUEST_REGIONS);
}

__u64 guest_alloc(struct guest *guest, size_t size, size_t align)
{
	__u64 gpa = (guest->top + align - 1) / align * align;

	guest->top = gpa + size;
	if (guest->top > GUEST_NEXT + layout[NEXT].size) {
		errno = ENOMEM;
		die("memory");
	}
	return gpa;
}

char *guest_at(const struct guest *guest, __u64 gpa, size_t *len)
{
	for (int i = 0; i < GUEST_REGIONS; i++) {
		const struct guest_region *region = &guest->regions[i];
		__u64 offset = gpa - region->gpa;

		if (gpa < region->gpa || offset >= region->size)
			continue;
		if (*len > region->size - offset)
			*len = region->size - offset;
		return region->mem + offset;
	}
	errno = EFAULT;
	return NULL;
}

/* As guest_at(), where there has to be memory. */
static char *owner_at(const struct guest *guest, __u64 gpa, size_t *len)
{
	char *at = guest_at(guest, gpa, len);

	if (!at)
		die("no such memory");
	return at;
}

void guest_put(const struct guest *guest, __u64 gpa, const void *from, size_t len)
{
	const char *rest = from;
	size_t piece;
	char *at;

	for (; len; rest += piece, gpa += piece, len -= piece) {
		piece = len;
		at = owner_at(guest, gpa, &piece);
		memcpy(at, rest, piece);
	}
}

void guest_get(const struct guest *guest, void *to, __u64 gpa, size_t len)
{
	char *rest = to;
	const char *at;
	size_t piece;

	for (; len; rest += piece, gpa += piece, len -= piece) {
		piece = len;
		at = owner_at(guest, gpa, &piece);
		memcpy(rest, at, piece);
	}
}

void guest_set(const struct guest *guest, __u64 gpa, int byte, size_t len)
{
	size_t piece;
	char *at;

	for (; len; gpa += piece, len -= piece) {
		piece = len;
		at = owner_at(guest, gpa, &piece);
		memset(at, byte, piece);
	}
}

bool guest_is(const struct guest *guest, __u64 gpa, int byte, size_t len)
{
	const char *at;
	size_t piece;

	for (; len; gpa += piece, len -= piece) {
		piece = len;
		at = owner_at(guest, gpa, &piece);
		/* All are like the first, which is as it should be. */
		if (*at != (char)byte || memcmp(at, at + 1, piece - 1))
			return false;
	}
	return true;
}

/*
 * Queues
 */

int guest_queue_ioctl(const struct guest_queue *queue, unsigned int cmd, __u32 *num)
{
	struct vhost_vring_state state = { queue->index, *num };
	int ret = attempt(queue->guest->fd, cmd, &state);

	*num = state.num;
	return ret;
}

int guest_queue_file(const struct guest_queue *queue, unsigned int cmd, int fd)
{
	struct vhost_vring_file file = { queue->index, fd };

	return attempt(queue->guest->fd, cmd, &file);
}

int guest_set_busyloop(const struct guest_queue *queue, __u32 us)
{
	return guest_queue_ioctl(queue, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &us);
}

int guest_set_addresses(const struct guest_queue *queue)
{
	struct vhost_vring_addr addr = {
		.index = queue->index,
		.desc_user_addr = (unsigned long)queue->drv.desc,
		.avail_user_addr = (unsigned long)queue->drv.avail,
		.used_user_addr = (unsigned long)queue->drv.used,
	};

	return attempt(queue->guest->fd, VHOST_SET_VRING_ADDR, &addr);
}

static int set_queue(const struct guest_queue *queue, unsigned int cmd, __u32 num)
{
	return guest_queue_ioctl(queue, cmd, &num);
}

int guest_set_up_queue(const struct guest_queue *queue)
{
	return set_queue(queue, VHOST_SET_VRING_ENDIAN, queue->big_endian ?
			 VHOST_VRING_BIG_ENDIAN : VHOST_VRING_LITTLE_ENDIAN) ?:
	       set_queue(queue, VHOST_SET_VRING_NUM, queue->num) ?:
	       set_queue(queue, VHOST_SET_VRING_BASE, (__u16)queue->drv.taken) ?:
	       guest_set_addresses(queue) ?:
	       guest_queue_file(queue, VHOST_SET_VRING_KICK, queue->kick) ?:
	       guest_queue_file(queue, VHOST_SET_VRING_CALL, queue->call) ?:
	       guest_queue_file(queue, VHOST_SET_VRING_ERR, queue->err);
}

int guest_new_ring(struct guest_queue *queue)
{
	drv_fini(&queue->drv);
	return -drv_init(&queue->drv, queue->ring, queue->num, queue->guest->features,
			 queue->big_endian);
}

int guest_stop_queue(const struct guest_queue *queue)
{
	__u32 base = 0;
	int ret = guest_queue_ioctl(queue, VHOST_GET_VRING_BASE, &base);

	return ret ? -ret : (int)base;
}

static int open_queue(struct guest *guest, __u32 index, const struct guest_setup *setup)
{
	struct guest_queue *queue = &guest->queues[index];
	size_t left;

	queue->guest = guest;
	queue->index = index;
	queue->num = setup->num ?: 256;
	queue->big_endian = setup->big_endian;
	queue->kick = eventfd(0, EFD_CLOEXEC);
	queue->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->kick < 0 || queue->call < 0 || queue->err < 0)
		return errno;
	queue->ring_size = drv_ring_size(queue->num);
	left = queue->ring_size;
	queue->ring = guest_at(guest, guest->low, &left);
	if (left != queue->ring_size) {
		errno = ENOMEM;
		die("rings");
	}
	guest->low += (left + PAGE - 1) / PAGE * PAGE;
	return guest_new_ring(queue) ?: guest_set_up_queue(queue);
}

static void close_queue(struct guest_queue *queue)
{
	if (!queue->guest)
		return;
	drv_fini(&queue->drv);
	close(queue->kick);
	close(queue->call);
	close(queue->err);
}

void guest_kick(struct guest_queue *queue)
{
	drv_publish(&queue->drv);
	if (drv_must_kick(&queue->drv))
		eventfd_write(queue->kick, 1);
}

__u64 guest_signals(int eventfd)
{
	eventfd_t count = 0;

	return eventfd_read(eventfd, &count) ? 0 : count;
}

/*
 * What the device tells
 */

/* The line of a queue, from the state on; false if there is none. */
static bool read_line(const struct guest_queue *queue, char *line, size_t size)
{
	static const char key[] = "vhost-blk-queue:";
	bool found = false;
	char path[64], *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", queue->guest->fd);
	file = fopen(path, "r");
	if (!file)
		return false;
	while (!found && fgets(line, (int)size, file)) {
		found = !strncmp(line, key, strlen(key)) &&
			strtoul(line + strlen(key), &end, 10) == queue->index;
		if (found)
			memmove(line, end + 1, strlen(end + 1) + 1);
	}
	fclose(file);
	return found;
}

long guest_count(const struct guest_queue *queue, const char *what)
{
	char line[1024], *word, *at;
	size_t length = strlen(what);

	if (!read_line(queue, line, sizeof(line)))
		return -1;
	for (word = strtok_r(line, "\n ", &at); word; word = strtok_r(NULL, "\n ", &at))
		if (!strncmp(word, what, length) && word[length] == '=')
			return strtol(word + length + 1, NULL, 10);
	return -1;
}

bool guest_queue_is(const struct guest_queue *queue, const char *state)
{
	size_t length = strlen(state);
	char line[1024];

	return read_line(queue, line, sizeof(line)) && !strncmp(line, state, length) &&
	       line[length] == ' ';
}

bool guest_balances(const struct guest *guest)
{
	for (__u32 i = 0; i < guest->nr_queues; i++) {
		const struct guest_queue *queue = &guest->queues[i];
		long taken = guest_count(queue, "taken"), given = guest_count(queue, "given");
		long ended = guest_count(queue, "ended"), pinned = guest_count(queue, "pinned");
		long unpinned = guest_count(queue, "unpinned"), kept = guest_count(queue, "kept");

		if (taken >= 0 && taken == given && taken == ended && pinned == unpinned + kept)
			continue;
		ksft_print_msg("queue %u: %ld taken, %ld ended, %ld given\n", i, taken, ended,
			       given);
		ksft_print_msg("%ld pinned, %ld unpinned, %ld kept\n", pinned, unpinned, kept);
		return false;
	}
	return true;
}

/*
 * All of it
 */

static int set_features(struct guest *guest, const struct guest_setup *setup)
{
	__u64 offered;
	int ret = attempt(guest->fd, VHOST_GET_FEATURES, &offered);

	guest->features = (setup->features ?: offered) & ~setup->without;
	return ret ?: attempt(guest->fd, VHOST_SET_FEATURES, &guest->features);
}

int guest_open(struct guest *guest, const struct guest_setup *setup)
{
	int ret;

	memset(guest, 0, sizeof(*guest));
	guest->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (guest->fd < 0)
		return errno;
	ret = set_owner(guest->fd) ?: map_memory(guest, setup->huge) ?: guest_set_memory(guest) ?:
	      set_features(guest, setup);
	for (__u32 i = 0; !ret && i < (setup->queues ?: 1); i++) {
		ret = open_queue(guest, i, setup);
		guest->nr_queues++;
	}
	return ret;
}

static int set_backend(const struct guest *guest, int disk)
{
	struct vhost_vring_file file = { 0, disk };

	return attempt(guest->fd, VHOST_BLK_SET_BACKEND, &file);
}

int guest_attach(const struct guest *guest, int disk)
{
	return set_backend(guest, disk);
}

int guest_detach(const struct guest *guest)
{
	return set_backend(guest, -1);
}

int guest_restart(struct guest *guest, int disk)
{
	int ret = guest_detach(guest);

	for (__u32 i = 0; !ret && i < guest->nr_queues; i++) {
		guest_signals(guest->queues[i].call);
		guest_signals(guest->queues[i].err);
		ret = guest_new_ring(&guest->queues[i]) ?: guest_set_up_queue(&guest->queues[i]);
	}
	return ret ?: guest_attach(guest, disk);
}

void guest_close(struct guest *guest)
{
	if (guest->fd >= 0)
		close(guest->fd);
	guest->fd = -1;
	for (__u32 i = 0; i < guest->nr_queues; i++)
		close_queue(&guest->queues[i]);
	guest->nr_queues = 0;
	unmap_memory(guest);
}
