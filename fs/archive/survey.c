/* SPDX-License-Identifier: MIT */
/*
 * survey: which buckets of a wide range hold something, for few calls.
 *
 * One wide ListFragments call settles a sparse stream at once.  Where there is
 * more than a page, small probes go into what is still unknown: a
 * probe of a run of buckets that comes back empty and without a NextToken
 * settles the whole run; one that finds a fragment splits the run there.  An
 * empty page with a NextToken proves nothing.  What the budget does not reach
 * stays unknown, and unknown is shown.
 */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/internal.h"
#include "fs/base/utc.h"

/*
 * A probe costs its MaxResults of 10,000 points a second.  One would do, were
 * the service's ranges not inclusive at both ends: a fragment that starts when
 * the next bucket does may be the only one it shows.
 */
#define PROBE_RESULTS 4
/* What limits their number is how long somebody waits for `ls`. */
#define PROBES_MAX     64
#define PROBES_AT_ONCE 8
#define PROBES_MS      1000
/* A range that was surveyed is not probed again for so long. */
#define AGAIN_MS    30000
#define PATIENCE_MS 1500

struct survey;

struct run {
	int64_t start_ms, end_ms;
};

struct probe {
	struct survey *s; /* NULL: the slot is free */
	struct run run;
};

struct survey {
	struct stream_state *st;
	int64_t start_ms, end_ms, bucket_ms;
	char *key;
	GPtrArray *waiters; /* questions; answered when done */
	GQueue runs;	    /* struct run: of buckets nothing is known of */
	struct probe slots[PROBES_AT_ONCE];
	unsigned probes, in_flight;
	struct net_timer *timer;
	bool answered; /* the waiters are; probes may still come back */
};

static void probe_on(struct survey *s);

static void push_run(struct survey *s, int64_t start_ms, int64_t end_ms)
{
	struct run *r;

	if (start_ms >= end_ms)
		return;
	r = g_new(struct run, 1);
	r->start_ms = start_ms;
	r->end_ms = end_ms;
	g_queue_push_tail(&s->runs, r);
}

static void survey_drop(struct survey *s)
{
	g_queue_clear_full(&s->runs, g_free);
	if (s->waiters) {
		for (guint i = 0; i < s->waiters->len; i++)
			question_unref(s->waiters->pdata[i]);
		g_ptr_array_unref(s->waiters);
	}
	g_free(s->key);
	g_free(s);
}

static gboolean long_ago(void *key, void *at_ms, void *now_ms)
{
	return *(int64_t *)now_ms - *(int64_t *)at_ms >= AGAIN_MS;
}

static void remember_surveyed(struct survey *s)
{
	struct stream_state *st = s->st;
	int64_t now_ms = clock_monotonic_ms(st->a->o.clock);

	/* A walk through ten years of folders leaves nothing behind. */
	g_hash_table_foreach_remove(st->surveyed, long_ago, &now_ms);
	g_hash_table_replace(st->surveyed, g_strdup(s->key),
			     g_memdup2(&now_ms, sizeof(now_ms)));
}

static void survey_answer(struct survey *s, int rc)
{
	struct stream_state *st = s->st;

	if (!s->answered) {
		s->answered = true;
		if (s->timer)
			net_timer_cancel(g_steal_pointer(&s->timer));
		if (rc == 0)
			remember_surveyed(s);
		waiters_answer(&s->waiters, rc);
	}
	if (s->in_flight == 0) {
		g_ptr_array_remove_fast(st->surveys, s);
		survey_drop(s);
	}
}

static void time_is_up(void *arg)
{
	struct survey *s = arg;

	s->timer = NULL;
	g_queue_clear_full(&s->runs, g_free);
	survey_answer(s, 0);
}

/* ---- probes ------------------------------------------------------------- */

static void probe_done(void *arg, int rc)
{
	struct probe *p = arg;
	struct survey *s = p->s;
	struct archive *a = s->st->a;
	struct run run = p->run;
	int64_t found_ms, bucket;

	p->s = NULL;
	s->in_flight--;
	/* rc 0: the run is known to the end; < 0: it stays unknown. */
	if (rc > 0 && !s->answered &&
	    catalog_next_time(a->catalog, s->st->id, a->o.axis, run.start_ms,
			      run.end_ms, INT64_MIN, &found_ms) == 0) {
		bucket = utc_floor(found_ms, s->bucket_ms);
		push_run(s, run.start_ms, MAX(bucket, run.start_ms));
		push_run(s, bucket + s->bucket_ms, run.end_ms);
	}
	probe_on(s);
}

static void probe_run(struct survey *s, const struct run *run)
{
	struct probe *p = s->slots;

	while (p->s) /* in_flight < PROBES_AT_ONCE: one is free */
		p++;
	p->s = s;
	p->run = *run;
	s->probes++;
	s->in_flight++;
	list_pages(s->st,
		   &(struct list_range){.axis = s->st->a->o.axis,
					.start_ms = run->start_ms,
					.end_ms = run->end_ms,
					.max_results = PROBE_RESULTS,
					.first_page_only = true,
					.known = true},
		   probe_done, p);
}

static void probe_on(struct survey *s)
{
	while (!s->answered && s->in_flight < PROBES_AT_ONCE &&
	       s->probes < PROBES_MAX && !g_queue_is_empty(&s->runs)) {
		g_autofree struct run *run = g_queue_pop_head(&s->runs);

		probe_run(s, run);
	}
	if (s->in_flight == 0)
		survey_answer(s, 0);
}

/* The runs of buckets between those that are known to hold something. */
static void find_runs(struct survey *s)
{
	struct archive *a = s->st->a;
	int64_t from_ms = s->start_ms, found_ms, bucket;

	while (from_ms < s->end_ms &&
	       catalog_next_time(a->catalog, s->st->id, a->o.axis, from_ms,
				 s->end_ms, INT64_MIN, &found_ms) == 0) {
		bucket = utc_floor(found_ms, s->bucket_ms);
		push_run(s, from_ms, bucket);
		from_ms = MAX(from_ms, bucket) + s->bucket_ms;
		from_ms = utc_floor(from_ms, s->bucket_ms);
	}
	push_run(s, from_ms, s->end_ms);
}

/* ---- the wide call ------------------------------------------------------ */

static void wide_done(void *arg, int rc)
{
	struct survey *s = arg;
	struct archive *a = s->st->a;
	int64_t first_ms;

	s->in_flight--;
	if (rc < 0) {
		/* What is known of the range must do; nothing is an error. */
		if (catalog_next_time(a->catalog, s->st->id, a->o.axis,
				      s->start_ms, s->end_ms, INT64_MIN,
				      &first_ms) == 0)
			rc = 0;
		survey_answer(s, rc);
		return;
	}
	if (rc > 0 && !s->answered) {
		s->timer = net_timer_start(a->loop, PROBES_MS, time_is_up, s);
		find_runs(s);
	}
	probe_on(s);
}

static struct survey *survey_under_way(struct stream_state *st, const char *key)
{
	for (guint i = 0; i < st->surveys->len; i++) {
		struct survey *s = st->surveys->pdata[i];

		if (!s->answered && g_str_equal(s->key, key))
			return s;
	}
	return NULL;
}

static void survey_start(struct question *q, char *key)
{
	struct stream_state *st = stream_state_get(q->a, q->stream);
	struct survey *s = g_new0(struct survey, 1);

	s->st = st;
	s->start_ms = q->start_ms;
	s->end_ms = q->end_ms;
	s->bucket_ms = q->bucket_ms;
	s->key = key;
	g_queue_init(&s->runs);
	waiters_add(&s->waiters, q);
	g_ptr_array_add(st->surveys, s);
	s->in_flight++;
	list_pages(st,
		   &(struct list_range){.axis = st->a->o.axis,
					.start_ms = s->start_ms,
					.end_ms = s->end_ms,
					.max_results = KVS_LIST_MAX,
					.first_page_only = true,
					.known = true},
		   wide_done, s);
}

static bool surveyed_lately(struct stream_state *st, const char *key)
{
	const int64_t *at_ms = g_hash_table_lookup(st->surveyed, key);

	return at_ms && clock_monotonic_ms(st->a->o.clock) - *at_ms < AGAIN_MS;
}

/* Is anything at all known of the question's range? */
static bool something_known(struct question *q)
{
	enum catalog_knowledge k;
	int64_t first_ms;

	return (catalog_knowledge(q->a->catalog, q->stream, q->a->o.axis,
				  q->start_ms, q->end_ms, &k) == 0 &&
		k >= CATALOG_STALE) ||
	       catalog_next_time(q->a->catalog, q->stream, q->a->o.axis,
				 q->start_ms, q->end_ms, INT64_MIN,
				 &first_ms) == 0;
}

static bool all_known(struct question *q)
{
	enum catalog_knowledge k;

	return catalog_knowledge(q->a->catalog, q->stream, q->a->o.axis,
				 q->start_ms, q->end_ms, &k) == 0 &&
	       k == CATALOG_KNOWN;
}

static void survey_fresh(void *arg, int rc)
{
	struct question *q = arg;
	struct stream_state *st = stream_state_get(q->a, q->stream);
	g_autofree char *key = g_strdup_printf(
		"%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT,
		q->start_ms, q->end_ms, q->bucket_ms);
	struct survey *s = survey_under_way(st, key);

	if (q->answered)
		;
	else if (all_known(q) || surveyed_lately(st, key) ||
		 (rc < 0 && something_known(q)))
		question_answer(q, 0);
	else if (rc < 0 && rc != -EAGAIN) /* it has waited a whole deadline */
		question_answer(q, archive_errno(rc));
	else if (s)
		waiters_add(&s->waiters, q);
	else
		survey_start(q, g_steal_pointer(&key));
	question_unref(q);
}

void survey_begin(struct question *q)
{
	struct stream_state *st = stream_state_get(q->a, q->stream);

	if (!st) {
		question_answer(q, -ENOENT);
		return;
	}
	if (something_known(q))
		question_patience(q, PATIENCE_MS);
	fresh_ensure(st, survey_fresh, question_ref(q));
}

void archive_survey(struct archive *a, archive_ticket t, uint32_t stream,
		    int64_t start_ms, int64_t end_ms, int64_t bucket_ms,
		    archive_fn fn, void *user)
{
	struct question *q = question_new(a, t, survey_begin, user);

	q->fn = fn;
	q->stream = stream;
	/* Whole buckets, or what is found out is never all of one. */
	q->start_ms = utc_floor(start_ms, bucket_ms);
	q->end_ms = utc_floor(end_ms + bucket_ms - 1, bucket_ms);
	q->bucket_ms = bucket_ms;
	question_ask(q);
}

/* ---- closing ------------------------------------------------------------ */

void survey_stop(struct stream_state *st)
{
	for (guint i = 0; i < st->surveys->len; i++) {
		struct survey *s = st->surveys->pdata[i];

		if (s->timer)
			net_timer_cancel(g_steal_pointer(&s->timer));
		g_queue_clear_full(&s->runs, g_free);
		s->answered = true;
	}
}

void survey_free(struct stream_state *st)
{
	for (guint i = 0; i < st->surveys->len; i++)
		survey_drop(st->surveys->pdata[i]);
	g_ptr_array_unref(st->surveys);
	g_hash_table_unref(st->surveyed);
}
