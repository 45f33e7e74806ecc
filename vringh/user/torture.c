// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver and a device in threads of their own, on a ring that does not come to
 * rest.
 *
 *   torture [SECONDS [SEED]]
 *
 *   driver      adds chains and kicks; polls, or sleeps until interrupted
 *   popper      takes them; polls, or sleeps until kicked
 *   completers  answer them, give them back in any order, and interrupt
 *   control     puts another struct vr in place of the one in use, has a side reach
 *               the ring in another way, starts anew with another ring
 *
 * Each chain is answered once, with what its question asks for, and nobody sleeps
 * for ever. For that to show, control wakes the popper only after progress; and
 * for ThreadSanitizer to see which order the ring makes, what wakes a thread makes
 * none that it knows.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../vring.h"
#include "torture.h"

#include <urcu.h>
#include <urcu/annotate.h>
#include <urcu/wfcqueue.h>

#define COMPLETERS	2
#define BATCH		32
#define STALL		10000	/* ms without progress */

struct ring {
	struct vr vr;
	bool stopped;		/* no more chains are to be taken */
};

/* A chain that was taken. */
struct request {
	struct cds_wfcq_node node;
	struct vr_seg segs[MAX_BUFS];
	struct vr_chain chain;
};

struct completer {
	struct cds_wfcq_head head;
	struct cds_wfcq_tail tail;
	struct event work;
	u64 seed;
	pthread_t thread;
};

static struct {
	struct ring *ring;
	char readers;		/* all that they did, for ThreadSanitizer */
} rcu;
static pthread_mutex_t avail_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t used_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vr_areas areas;
static u64 features;
static struct completer completers[COMPLETERS];
static u64 popped;		/* chains taken */
static u64 done;		/* chains given back, interrupt included */
static u32 limit;		/* of chains between these two */
static bool full;		/* the popper waits for fewer */

struct event kick = { .name = "kick" };
static u64 interrupts, reconfigurations;
static bool quit;		/* control is to end */
static bool over;		/* the others of the device are */

__thread u64 random_state;

static void print_event(struct event *e)
{
	fprintf(stderr, "  %s: %s%s\n", e->name, READ_ONCE(e->set) ? "set" : "not set",
		READ_ONCE(e->waiting) ? ", waited for" : "");
}

/* Whatever the others do meanwhile. */
static void print_state(const struct ring *ring)
{
	const struct vr *vr = &ring->vr;
	const __virtio16 *avail_event = (const __virtio16 *)&areas.used->ring[vr->num];
	int i;

	fprintf(stderr, "  ring: num %u, event_idx %d, swap %d; limit %u, stopped %d\n", vr->num,
		vr->event_idx, vr->swap, READ_ONCE(limit), READ_ONCE(ring->stopped));
	fprintf(stderr, "  driver: added %#llx, published %#llx, kicked %#llx, taken %#llx\n",
		(u64)drv.added, (u64)drv.published, (u64)drv.kicked, (u64)drv.taken);
	fprintf(stderr, "  avail: idx %#x, flags %#x, used_event %#x\n",
		READ_ONCE(areas.avail->idx), READ_ONCE(areas.avail->flags),
		READ_ONCE(areas.avail->ring[vr->num]));
	fprintf(stderr, "  used: idx %#x, flags %#x, avail_event %#x\n",
		READ_ONCE(areas.used->idx), READ_ONCE(areas.used->flags), READ_ONCE(*avail_event));
	fprintf(stderr, "  device: next %#x, seen %#x, used %#x, unsignalled %llu\n",
		READ_ONCE(vr->avail.next), READ_ONCE(vr->avail.seen), READ_ONCE(vr->used.next),
		READ_ONCE(vr->used.unsignalled));
	fprintf(stderr, "  popped %llu, done %llu, answered %llu, full %d\n", READ_ONCE(popped),
		READ_ONCE(done), READ_ONCE(answered), READ_ONCE(full));
	print_event(&kick);
	print_event(&interrupt);
	for (i = 0; i < COMPLETERS; i++)
		print_event(&completers[i].work);
}

void fail(const char *what)
{
	static int failed;

	while (uatomic_xchg(&failed, 1, CMM_RELAXED))
		pause();
	fprintf(stderr, "torture: %s\n", what);
	print_state(rcu_dereference(rcu.ring));
	_exit(1);
}

static struct ring *read_lock(void)
{
	rcu_read_lock();
	return rcu_dereference(rcu.ring);
}

static void read_unlock(void)
{
	cmm_annotate_mem_release(&rcu.readers);
	rcu_read_unlock();
}

static void wait_for_readers(void)
{
	synchronize_rcu();
	cmm_annotate_mem_acquire(&rcu.readers);
}

/* The device: avail side. */

static void hand_over(struct request *request)
{
	struct completer *c = &completers[below(COMPLETERS)];

	WRITE_ONCE(popped, popped + 1);
	cds_wfcq_node_init(&request->node);
	if (!cds_wfcq_enqueue(&c->head, &c->tail, &request->node))
		event_signal(&c->work);
}

static bool too_many(void)
{
	return popped - READ_ONCE(done) >= READ_ONCE(limit);
}

enum outcome { MORE, EMPTY, FULL, STOPPED };

static enum outcome take_chains(struct vr *vr)
{
	u32 budget = 1 + below(2 * BATCH), spins;
	struct request *request;
	int err;

	if (below(2))
		must(!vr_kick_off(vr), "vr_kick_off() failed");
	for (;;) {
		if (!budget--)
			return MORE;
		if (too_many()) {
			must(!below(2) || vr_kick_on(vr) >= 0, "vr_kick_on() failed");
			return FULL;
		}
		request = malloc(sizeof(*request));
		if (!request)
			abort();
		request->chain.segs = request->segs;
		request->chain.max = MAX_BUFS;
		err = vr_pop(vr, &request->chain);
		must(err >= 0, "vr_pop() failed");
		if (!err) {
			free(request);
			break;
		}
		hand_over(request);
	}
	for (spins = below(3) ? 0 : below(100); spins; spins--)
		if (vr_pending(vr))
			return MORE;
	err = vr_kick_on(vr);
	must(err >= 0, "vr_kick_on() failed");
	return err ? MORE : EMPTY;
}

static enum outcome pop(void)
{
	struct ring *ring = read_lock();
	enum outcome outcome = STOPPED;

	if (!READ_ONCE(ring->stopped)) {
		pthread_mutex_lock(&avail_lock);
		outcome = take_chains(&ring->vr);
		pthread_mutex_unlock(&avail_lock);
	}
	read_unlock();
	return outcome;
}

static void wait_until_fewer(void)
{
	WRITE_ONCE(full, true);
	smp_mb();	/* after full, before done; paired with that in give_back() */
	if (too_many())
		event_wait(&kick);
	WRITE_ONCE(full, false);
}

static void *run_popper(void *seed)
{
	enum outcome outcome;

	random_start((uintptr_t)seed);
	rcu_register_thread();
	while (!READ_ONCE(over)) {
		outcome = pop();
		if (outcome == FULL)
			wait_until_fewer();
		else if (outcome != MORE)
			event_wait(&kick);
	}
	rcu_unregister_thread();
	return NULL;
}

/* The device: used side. */

static void check_question(const struct request *request, const struct question *q)
{
	u32 i, n, offset = 0;

	must(request->chain.nr_out == q->nr_out && request->chain.nr_in == q->nr_in &&
	     request->chain.out_len == q->out_len + sizeof(*q) &&
	     request->chain.in_len == q->in_len, "another chain");
	for (i = 1; i < q->nr_out; i++) {
		const u8 *data = at(request->segs[i].addr, request->segs[i].len);

		for (n = 0; n < request->segs[i].len; n++)
			must(data[n] == pattern(q->tag, offset++), "another question");
	}
}

static void answer(const struct request *request, struct vr_done *vr_done)
{
	u32 i, n, offset = 0;
	struct question q;

	must(request->segs[0].len == sizeof(q), "a chain without a question");
	memcpy(&q, at(request->segs[0].addr, sizeof(q)), sizeof(q));
	check_question(request, &q);

	*vr_done = (struct vr_done) { request->chain.ticket, answer_len(&q) };
	for (i = q.nr_out; i < q.nr_out + q.nr_in; i++) {
		u8 *data = at(request->segs[i].addr, request->segs[i].len);

		for (n = 0; n < request->segs[i].len && offset < vr_done->len; n++, offset++)
			data[n] = pattern(~q.tag, offset);
	}
}

/* Is the driver to be interrupted? Where a ring is to stop, the next may tell. */
static int ask_interrupt(struct ring *ring)
{
	int err = 0;

	if (!READ_ONCE(ring->stopped) || below(2))
		err = vr_interrupt(&ring->vr);
	must(err >= 0, "vr_interrupt() failed");
	return err;
}

static int push(const struct vr_done *vr_done, u32 n)
{
	struct ring *ring = read_lock();
	int wanted;

	pthread_mutex_lock(&used_lock);
	must(!vr_push(&ring->vr, vr_done, n), "vr_push() failed");
	if (below(2)) {
		pthread_mutex_unlock(&used_lock);
		pthread_mutex_lock(&used_lock);
	}
	wanted = ask_interrupt(ring);
	pthread_mutex_unlock(&used_lock);
	read_unlock();
	return wanted;
}

static void interrupt_driver(void)
{
	uatomic_inc(&interrupts);
	event_signal(&interrupt);
}

static void give_back(const struct vr_done *vr_done, u32 n)
{
	u32 some;

	for (; n; n -= some, vr_done += some) {
		some = 1 + below(n);
		if (push(vr_done, some))
			interrupt_driver();
		uatomic_add(&done, some, CMM_RELEASE);
		smp_mb();	/* after done, before full; see wait_until_fewer() */
		if (READ_ONCE(full))
			event_signal(&kick);
	}
}

static struct request *next_request(struct completer *c)
{
	struct cds_wfcq_node *node = __cds_wfcq_dequeue_blocking(&c->head, &c->tail);

	return node ? caa_container_of(node, struct request, node) : NULL;
}

/* Answer what there is, up to a batch, to be given back in another order. */
static u32 answer_some(struct completer *c, struct vr_done *batch)
{
	u32 most = 1 + below(BATCH), n, other;
	struct request *request;

	for (n = 0; n < most; n++) {
		request = next_request(c);
		if (!request)
			break;
		other = below(n + 1);
		batch[n] = batch[other];
		answer(request, &batch[other]);
		free(request);
	}
	return n;
}

static void *run_completer(void *arg)
{
	struct completer *c = arg;
	struct vr_done batch[BATCH];
	u32 n;

	random_start(c->seed);
	rcu_register_thread();
	while (!READ_ONCE(over)) {
		n = answer_some(c, batch);
		if (n)
			give_back(batch, n);
		else
			event_wait(&c->work);
	}
	rcu_unregister_thread();
	return NULL;
}

/* Control. */

static enum vr_space any_space(void)
{
	return below(2) ? VR_KERNEL : VR_USER;
}

/* A ring with the memory that there is, to go on at @base. */
static struct ring *new_ring(u32 base)
{
	struct vr_config config = {
		.num = drv.num,
		.base = base,
		.features = features,
		.big_endian = drv.swap != VR_HOST_BIG_ENDIAN,
		.context = &guest,
		.read = guest_read,
	};
	struct ring *ring = aligned_alloc(__alignof__(*ring), sizeof(*ring));

	if (!ring)
		abort();
	*ring = (struct ring) {};
	must(!vr_init(&ring->vr, &config), "vr_init() failed");
	vr_bind_avail(&ring->vr, any_space(), &areas);
	vr_bind_used(&ring->vr, any_space(), &areas);
	must(!vr_start(&ring->vr), "vr_start() failed");
	return ring;
}

/* No chain is taken from now on, and those that were are back. */
static void stop_device(void)
{
	WRITE_ONCE(rcu.ring->stopped, true);
	wait_for_readers();
	while (smp_load_acquire(&done) != READ_ONCE(popped))	/* see give_back() */
		usleep(20);
}

/* Go on with @ring; each side may have missed what the other one did meanwhile. */
static void start_device(struct ring *ring)
{
	struct ring *old = rcu.ring;

	if (ask_interrupt(ring))
		interrupt_driver();
	rcu_assign_pointer(rcu.ring, ring);
	wait_for_readers();
	free(old);
	event_signal(&kick);
}

static void replace(void)
{
	stop_device();
	start_device(new_ring(vr_base(&rcu.ring->vr)));
}

/* A ring of another size, small as often as not. */
static void new_driver(void)
{
	u32 num = 1U << below(9);

	features = 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
		(u64)below(2) << VIRTIO_RING_F_EVENT_IDX |
		(u64)below(2) << VIRTIO_F_VERSION_1 |
		(u64)!below(8) << VIRTIO_F_NOTIFY_ON_EMPTY;
	driver_init(num, features, below(2));
	areas = (struct vr_areas) { drv.desc, drv.avail, drv.used };
	WRITE_ONCE(limit, 1 + below(2 * num));
}

/* Have the driver and the device come to rest, and see that nothing is left over. */
static void settle(void)
{
	const struct vr *vr = &rcu.ring->vr;

	driver_rest();
	stop_device();
	must(drv.added == drv.taken && popped == done && done == answered,
	     "the counters do not agree");
	must(vr_base(vr) == (u16)drv.added && vr->used.next == (u16)drv.added,
	     "the positions do not agree");
}

static void start_anew(void)
{
	settle();
	driver_fini();
	new_driver();
	start_device(new_ring(0));
	driver_resume();
}

static void rebind(void)
{
	if (below(2)) {
		pthread_mutex_lock(&avail_lock);
		vr_bind_avail(&rcu.ring->vr, any_space(), &areas);
		pthread_mutex_unlock(&avail_lock);
	} else {
		pthread_mutex_lock(&used_lock);
		vr_bind_used(&rcu.ring->vr, any_space(), &areas);
		pthread_mutex_unlock(&used_lock);
	}
}

static void reconfigure(void)
{
	u32 what = below(100);

	if (what == 0)
		start_anew();
	else if (what < 40)
		replace();
	else
		rebind();
	reconfigurations++;
}

/* A few milliseconds, and a few chains. */
static void wait_for_progress(void)
{
	u64 end = READ_ONCE(answered) + 1 + below(BATCH);

	do
		usleep(500 + below(4000));
	while (READ_ONCE(answered) < end && !READ_ONCE(quit));
}

static void *run_control(void *seed)
{
	int i;

	random_start((uintptr_t)seed);
	for (;;) {
		wait_for_progress();
		if (READ_ONCE(quit))
			break;
		reconfigure();
	}
	settle();
	driver_end();
	WRITE_ONCE(over, true);
	event_signal(&kick);
	for (i = 0; i < COMPLETERS; i++)
		event_signal(&completers[i].work);
	return NULL;
}

static u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/* Have all end after @ms, and see that it goes on until then. */
static void watch(u64 ms)
{
	u64 end = now() + ms, moved = now(), last = 0;

	while (!READ_ONCE(over)) {
		usleep(10000);
		if (READ_ONCE(answered) != last) {
			last = READ_ONCE(answered);
			moved = now();
		}
		must(now() - moved < STALL, "no progress");
		if (now() >= end)
			WRITE_ONCE(quit, true);
	}
}

static u64 number(const char *text)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (!errno && end != text && !*end)
		return n;
	fprintf(stderr, "usage: torture [SECONDS [SEED]]\n");
	exit(2);
}

static pthread_t start_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, run, arg), "no more threads");
	return thread;
}

int main(int argc, char **argv)
{
	u64 seconds = argc > 1 ? number(argv[1]) : 10;
	u64 seed = argc > 2 ? number(argv[2]) : (u64)time(NULL);
	pthread_t threads[3];
	int i;

	printf("torture: seed %llu\n", seed);
	fflush(stdout);
	random_start(seed * 8);
	new_driver();
	rcu.ring = new_ring(0);

	for (i = 0; i < COMPLETERS; i++) {
		struct completer *c = &completers[i];

		cds_wfcq_init(&c->head, &c->tail);
		c->work.name = "work";
		c->seed = seed * 8 + 4 + i;
		c->thread = start_thread(run_completer, c);
	}
	threads[0] = start_thread(run_popper, (void *)(uintptr_t)(seed * 8 + 1));
	threads[1] = start_thread(driver_run, (void *)(uintptr_t)(seed * 8 + 2));
	threads[2] = start_thread(run_control, (void *)(uintptr_t)(seed * 8 + 3));
	event_signal(&kick);

	watch(seconds * 1000);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < COMPLETERS; i++)
		pthread_join(completers[i].thread, NULL);
	free(rcu.ring);
	driver_fini();
	printf("torture: %llu chains, %llu kicks, %llu interrupts, %llu reconfigurations, %llu s\n",
	       answered, kicks, interrupts, reconfigurations, seconds);
	return 0;
}
