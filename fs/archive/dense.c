/* SPDX-License-Identifier: MIT */
/*
 * dense: a range of many pages, listed by several calls in flight.
 *
 * A NextToken has to be waited for, so a day of 43,200 fragments is 44 calls
 * one after the other.  Where there is so much, the range is cut into parts
 * that go by their own NextTokens at the same time, as fast as the quota lets
 * them.
 *
 * Whatever the parts turn out to hold, each costs at most one call too many:
 * its last page is not full.  So there is one part for ten pages.  How many
 * pages there are and where to cut is told by the first page and one probe, a
 * page of a short stretch in the middle of what the first page has shown:
 *
 *   - The probe finds more there than the first page did, k times as much.  So
 *     a page is a sample of the range, and there are k pages.  Cuts are where
 *     the sample has as much on either side.
 *   - It finds the same.  So pages come in order of time, and the first has
 *     shown what there is of its own span; the rest is taken to be like it.
 *
 * A guess that is wrong makes it slower, or costs a call for each part.
 */
#include "fs/archive/dense.h"
#include "fs/base/utc.h"

/* What is asked for are whole seconds. */
#define SECOND_MS      INT64_C(1000)
#define PAGES_PER_PART 10
/* Calls of a second by the quota: more in flight would wait for it. */
#define PARTS_MAX 10
/* So many of the first page's rows are in the probe's stretch. */
#define PROBE_ROWS 16
/* A page of fewer tells nothing. */
#define PAGE_ROWS_MIN 100
/* A fragment has a second or more: shorter ranges are of few pages. */
#define RANGE_MIN_MS (PAGES_PER_PART * KVS_LIST_MAX * SECOND_MS)

static int64_t time_at(const GArray *times_ms, guint i)
{
	return g_array_index(times_ms, int64_t, i);
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The last thing that is done with d. */
static void end(struct dense *d, int rc)
{
	d->fn(d->arg, rc);
}

static void whole_done(void *arg, int rc)
{
	end(arg, rc);
}

/* ---- parts -------------------------------------------------------------- */

struct cuts {
	int64_t ms[PARTS_MAX + 1]; /* parts are from one to the next */
	unsigned parts;
};

static void cut(struct cuts *c, int64_t at_ms, int64_t end_ms)
{
	at_ms = utc_floor(at_ms, SECOND_MS);
	if (at_ms > c->ms[c->parts] && at_ms < end_ms)
		c->ms[++c->parts] = at_ms;
}

static unsigned parts_of(int64_t pages)
{
	return (unsigned)MIN(pages / PAGES_PER_PART + 1, PARTS_MAX);
}

/* Where the first page is a sample of k pages. */
static void cut_by_rows(struct cuts *c, const struct dense *d, int64_t k)
{
	unsigned parts = parts_of(k);

	for (unsigned i = 1; i < parts; i++)
		cut(c, time_at(d->page_ms, d->page_ms->len * i / parts),
		    d->r.end_ms);
}

/* Where it is what comes first, or last. */
static void cut_by_time(struct cuts *c, const struct dense *d)
{
	int64_t first_ms = time_at(d->page_ms, 0);
	int64_t last_ms = time_at(d->page_ms, d->page_ms->len - 1);
	int64_t page_ms = MAX(last_ms - first_ms, 1);
	bool forward = d->r.end_ms - last_ms > first_ms - d->r.start_ms;
	int64_t from_ms = forward ? first_ms : d->r.start_ms;
	int64_t to_ms = forward ? d->r.end_ms : last_ms;
	unsigned parts = parts_of((to_ms - from_ms) / page_ms);

	for (unsigned i = 1; i < parts; i++)
		cut(c, from_ms + (to_ms - from_ms) * i / parts, d->r.end_ms);
}

/* more: the probe has found more than a page. */
static void find_cuts(const struct dense *d, bool more, struct cuts *c)
{
	guint shown = 0, found = d->probe_ms->len;

	for (guint i = 0; i < d->page_ms->len; i++)
		shown += time_at(d->page_ms, i) >= d->probe_start_ms &&
			 time_at(d->page_ms, i) < d->probe_end_ms;
	*c = (struct cuts){.ms = {d->r.start_ms}};
	if (found > shown)
		cut_by_rows(c, d, more ? INT64_MAX : found / MAX(shown, 1));
	else
		cut_by_time(c, d);
	c->ms[++c->parts] = d->r.end_ms;
}

static void part_done(void *arg, int rc)
{
	struct dense *d = arg;

	if (rc < 0 && d->rc == 0)
		d->rc = rc;
	if (--d->in_flight == 0)
		end(d, d->rc);
}

static void list_parts(struct dense *d, const struct cuts *c)
{
	struct list_range r = d->r;

	d->in_flight = c->parts;
	for (unsigned i = 0; i < c->parts; i++) {
		r.start_ms = c->ms[i];
		r.end_ms = c->ms[i + 1];
		list_pages(d->st, &r, part_done, d);
	}
}

/* ---- the probe ---------------------------------------------------------- */

static void probed(void *arg, int rc)
{
	struct dense *d = arg;
	struct cuts c;

	if (atomic_load(&d->st->a->closing))
		return; /* pages_free() */
	if (rc < 0) {
		list_drop(d->whole);
		end(d, rc);
		return;
	}
	find_cuts(d, rc > 0, &c);
	if (c.parts == 1) {
		list_go_on(d->whole);
		return;
	}
	list_drop(d->whole);
	list_parts(d, &c);
}

static void look(void *arg, struct listing *whole)
{
	struct dense *d = arg;
	struct list_range r = d->r;
	guint from = (d->page_ms->len - MIN(d->page_ms->len, PROBE_ROWS)) / 2;

	d->whole = whole;
	g_array_sort(d->page_ms, by_time);
	if (d->page_ms->len >= PAGE_ROWS_MIN) {
		d->probe_start_ms = time_at(d->page_ms, from);
		d->probe_end_ms = time_at(d->page_ms, from + PROBE_ROWS);
	}
	if (d->probe_start_ms >= d->probe_end_ms) {
		list_go_on(whole);
		return;
	}
	d->probe_ms = g_array_new(FALSE, FALSE, sizeof(int64_t));
	r.start_ms = d->probe_start_ms;
	r.end_ms = d->probe_end_ms;
	r.times_ms = d->probe_ms;
	r.first_page_only = true;
	list_pages(d->st, &r, probed, d);
}

void dense_list(struct dense *d, struct stream_state *st,
		const struct list_range *r, list_fn fn, void *arg)
{
	struct list_range whole;

	d->st = st;
	d->fn = fn;
	d->arg = arg;
	d->r = *r;
	/* All as of one moment, so that what is known is one interval. */
	d->r.as_of_ms = list_as_of_ms(st);
	d->r.failed = &d->failed;
	whole = d->r;
	if (r->end_ms - r->start_ms >= RANGE_MIN_MS) {
		d->page_ms = g_array_new(FALSE, FALSE, sizeof(int64_t));
		whole.times_ms = d->page_ms;
		whole.more = look;
	}
	list_pages(st, &whole, whole_done, d);
}

void dense_clear(struct dense *d)
{
	g_clear_pointer(&d->page_ms, g_array_unref);
	g_clear_pointer(&d->probe_ms, g_array_unref);
}
