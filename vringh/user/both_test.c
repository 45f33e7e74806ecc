// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's half against the device's: chains of random form, checked by what is
 * in them. Who has nothing to do sleeps, and is only woken as the other half says,
 * so that a notification that is lost is a test that does not end.
 */
#include "kselftest_harness.h"
#include "driver.h"
#include "unit.h"

#define NUM		16
#define CHAINS		20000
#define MAX_BUFS	40
#define BUF_SIZE	32		/* at most */
#define GUEST		0x7000000000ULL	/* where the driver's memory is, for the device */

/* A chain, as the driver has it. */
struct request {
	struct drv_buf bufs[MAX_BUFS];
	u32 nr_out;
	u32 nr;
	bool busy;
	struct vring_desc table[MAX_BUFS];
	u8 data[MAX_BUFS][BUF_SIZE];
};

/* A chain that the device has taken. */
struct job {
	struct vr_ticket ticket;
	struct vr_seg in[MAX_BUFS];
	u32 nr_in;
	u32 hash;
};

struct both {
	struct vr vr;
	struct drv drv;
	void *ring;
	struct guest guest;
	u64 seed;
	const char *wrong;
	u32 added;
	u32 taken;
	u32 nr_jobs;
	bool driver_sleeps;
	bool interrupted;
	bool device_sleeps;
	bool kicked;
	struct request requests[NUM];
	struct job jobs[NUM];
};

FIXTURE(both) {
	struct both *both;
};

FIXTURE_VARIANT(both) {
	struct unit_kind kind;
};

FIXTURE_VARIANT_ADD(both, user) { USER };
FIXTURE_VARIANT_ADD(both, user_big) { USER, BIG };
FIXTURE_VARIANT_ADD(both, kernel) { KERNEL };
FIXTURE_VARIANT_ADD(both, kernel_big) { KERNEL, BIG };
FIXTURE_VARIANT_ADD(both, user_event) { USER, EVENT };
FIXTURE_VARIANT_ADD(both, user_big_event) { USER, BIG, EVENT };
FIXTURE_VARIANT_ADD(both, kernel_event) { KERNEL, EVENT };
FIXTURE_VARIANT_ADD(both, kernel_big_event) { KERNEL, BIG, EVENT };

static u32 below(struct both *b, u32 limit)
{
	b->seed = b->seed * 6364136223846793005 + 1442695040888963407;
	return (b->seed >> 33) % limit;
}

static u32 hash(u32 sum, const u8 *bytes, u32 len)
{
	while (len--)
		sum = (sum ^ *bytes++) * 16777619;
	return sum;
}

/* What the device answers: byte @i of it. */
static u8 answer(u32 sum, u32 i)
{
	return (sum * (i + 1)) >> 13;
}

static u64 address(const struct both *b, const void *at)
{
	return GUEST + ((const u8 *)at - (const u8 *)b->guest.mem);
}

static u8 *at(const struct both *b, u64 address)
{
	return (u8 *)b->guest.mem + (address - GUEST);
}

static int setup(struct both *b, const struct unit_kind *kind)
{
	struct vr_config config = {
		.num = NUM,
		.features = unit_features(kind),
		.big_endian = kind->big_endian,
		.context = &b->guest,
		.read = guest_read,
	};
	struct vr_areas areas;

	b->seed = 1;
	b->device_sleeps = true;
	b->guest = (struct guest) { b->requests, GUEST, sizeof(b->requests) };
	if (posix_memalign(&b->ring, 4096, drv_ring_size(NUM)) ||
	    drv_init(&b->drv, b->ring, NUM, config.features, config.big_endian) ||
	    vr_init(&b->vr, &config))
		return -1;
	areas = (struct vr_areas) { b->drv.desc, b->drv.avail, b->drv.used };
	vr_bind_avail(&b->vr, kind->space, &areas);
	vr_bind_used(&b->vr, kind->space, &areas);
	return vr_start(&b->vr) || vr_kick_on(&b->vr);
}

FIXTURE_SETUP(both)
{
	self->both = calloc(1, sizeof(*self->both));
	ASSERT_NE(NULL, self->both);
	ASSERT_EQ(0, setup(self->both, &variant->kind));
}

FIXTURE_TEARDOWN(both)
{
	drv_fini(&self->both->drv);
	free(self->both->ring);
	free(self->both);
}

static struct request *idle_request(struct both *b)
{
	for (u32 i = 0; i < NUM; i++)
		if (!b->requests[i].busy)
			return &b->requests[i];
	return NULL;
}

/* Returns false if there is no room for the chain it thought of. */
static bool add(struct both *b)
{
	struct request *request = idle_request(b);
	struct drv_table table;
	bool indirect = below(b, 2);
	u32 nr;

	if (!request)
		return false;
	nr = below(b, indirect ? MAX_BUFS : 6) + 1;
	request->nr = nr;
	request->nr_out = below(b, nr + 1);
	for (u32 i = 0; i < nr; i++) {
		u32 len = below(b, 4) ? below(b, BUF_SIZE + 1) : 0;

		request->bufs[i] = (struct drv_buf) { address(b, request->data[i]), len };
		for (u32 k = 0; k < BUF_SIZE; k++)
			request->data[i][k] = i < request->nr_out ? below(b, 256) : 0xee;
	}
	table = (struct drv_table) { request->table, address(b, request->table) };
	if (drv_add(&b->drv, request->bufs, request->nr_out, nr - request->nr_out,
		    indirect ? &table : NULL, below(b, nr < 5 ? nr : 5), request))
		return false;
	request->busy = true;
	b->added++;
	return true;
}

/* Are these buffers as the device has to leave them? */
static const char *check(const struct request *request, u32 len)
{
	u32 sum = 0, total = 0;

	for (u32 i = 0; i < request->nr_out; i++)
		sum = hash(sum, request->data[i], request->bufs[i].len);
	for (u32 i = request->nr_out; i < request->nr; i++) {
		for (u32 k = 0; k < BUF_SIZE; k++) {
			bool written = k < request->bufs[i].len;

			if (request->data[i][k] != (written ? answer(sum, total) : 0xee))
				return "a buffer has other bytes";
			total += written;
		}
	}
	return len == total ? NULL : "the length is another one";
}

/* Take back what there is, add something, sleep if nothing is left to do. */
static void run_driver(struct both *b)
{
	u32 more = below(b, 5);
	struct drv_used used;
	int ret;

	if (b->driver_sleeps && !b->interrupted)
		return;
	b->driver_sleeps = false;
	b->interrupted = false;
	while ((ret = drv_take(&b->drv, &used)) == 1) {
		struct request *request = used.token;

		b->taken++;
		request->busy = false;
		b->wrong = check(request, used.len);
		if (b->wrong)
			return;
	}
	if (ret)
		b->wrong = "the device broke the protocol";

	while (more && b->added < CHAINS && add(b))
		more--;
	drv_publish(&b->drv);
	if (drv_must_kick(&b->drv))
		b->kicked = true;

	if (!more && b->added < CHAINS) {
		drv_disable_interrupt(&b->drv);
		return;
	}
	more = b->added - b->taken;
	b->driver_sleeps = drv_enable_interrupt(&b->drv, more ? below(b, more) : 0);
}

/* Take a chain; returns as vr_pop(). */
static int start_job(struct both *b)
{
	struct job *job = &b->jobs[b->nr_jobs];
	struct vr_seg segs[MAX_BUFS + 5];
	struct vr_chain chain = { .segs = segs, .max = MAX_BUFS + 5 };
	int ret = vr_pop(&b->vr, &chain);

	if (ret < 0)
		b->wrong = "vr_pop() failed";
	if (ret != 1)
		return ret;
	job->ticket = chain.ticket;
	job->hash = 0;
	for (u32 i = 0; i < chain.nr_out; i++)
		job->hash = hash(job->hash, at(b, segs[i].addr), segs[i].len);
	job->nr_in = chain.nr_in;
	memcpy(job->in, segs + chain.nr_out, chain.nr_in * sizeof(*segs));
	b->nr_jobs++;
	return 1;
}

/* Write the answer of any job. */
static struct vr_done finish_job(struct both *b)
{
	struct job *job = &b->jobs[below(b, b->nr_jobs)];
	struct vr_done done = { job->ticket, 0 };

	for (u32 i = 0; i < job->nr_in; i++) {
		u8 *data = at(b, job->in[i].addr);

		for (u32 k = 0; k < job->in[i].len; k++)
			data[k] = answer(job->hash, done.len++);
	}
	*job = b->jobs[--b->nr_jobs];
	return done;
}

/* Give back some, take some, sleep if nothing is left to do. */
static void run_device(struct both *b)
{
	u32 limit = below(b, NUM), n = b->nr_jobs ? below(b, b->nr_jobs + 1) : 0;
	struct vr_done done[NUM] = {};
	int ret = 1;

	for (u32 i = 0; i < n; i++)
		done[i] = finish_job(b);
	if (vr_push(&b->vr, done, n))
		b->wrong = "vr_push() failed";
	if (n && vr_interrupt(&b->vr) == 1)
		b->interrupted = true;

	if (b->device_sleeps && !b->kicked)
		return;
	b->kicked = false;
	b->device_sleeps = false;
	vr_kick_off(&b->vr);
	while (limit-- && ret == 1 && !b->wrong)
		ret = start_job(b);
	if (ret)
		return;
	if (!below(b, 4))
		run_driver(b);	/* between the last look and the sleep */
	b->device_sleeps = !vr_kick_on(&b->vr);
}

TEST_F(both, all_chains_come_back_as_they_should)
{
	struct both *b = self->both;
	u32 idle = 0;

	while (b->taken < CHAINS && !b->wrong && idle < 1000) {
		u32 before = b->taken + b->added + b->nr_jobs;

		run_driver(b);
		if (!b->wrong)
			run_device(b);
		idle = before == b->taken + b->added + b->nr_jobs ? idle + 1 : 0;
	}
	EXPECT_EQ(NULL, b->wrong) {
		TH_LOG("after %u chains: %s", b->taken, b->wrong);
	}
	EXPECT_EQ(CHAINS, b->taken) {
		TH_LOG("the driver sleeps: %d, the device sleeps: %d", b->driver_sleeps,
		       b->device_sleeps);
	}
	EXPECT_EQ(NUM, b->drv.nr_free);
}

TEST_HARNESS_MAIN
