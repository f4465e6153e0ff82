/* SPDX-License-Identifier: MIT */
/*
 * fresh: one high-water mark per stream, in server time.  A fragment's server
 * timestamp cannot lie about when it arrived, so one listing of [mark - 120 s,
 * now] by SERVER_TIMESTAMP finds all that came in since the last one, however
 * old its producer timestamp is.
 */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/internal.h"

/*
 * A server timestamp says when the fragment began to arrive; it may take 20 s
 * to arrive, and is visible a moment later (kvs-facts section 2).
 */
#define OVERLAP_MS CATALOG_SETTLE_MS
/* An older mark is not caught up: buckets are listed anew when touched. */
#define CHAIN_MAX_MS INT64_C(3600000)
/* Fragments that arrive while we ask, and clocks that differ a little. */
#define AHEAD_MS CATALOG_AHEAD_MS
/* Rows told of in one go: the loop has other things to do. */
#define TELL_MAX 4096
/* After a failure nobody waits for the next try within this time. */
#define FAILED_MS 5000

struct fresh_wait {
	fresh_fn fn;
	void *arg;
};

bool fresh_enough(struct archive *a, const struct catalog_stream *row)
{
	return row->mark_ms > 0 && !fresh_mark_ahead(a, row) &&
	       archive_now_ms(a) - row->mark_ms <= a->o.metadata_ttl_ms;
}

bool fresh_mark_ahead(struct archive *a, const struct catalog_stream *row)
{
	return row->mark_ms - archive_now_ms(a) > AHEAD_MS;
}

/* ---- what came in ------------------------------------------------------- */

static int64_t told_id(struct archive *a, uint32_t stream)
{
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);
	const int64_t *id = g_hash_table_lookup(a->told_ids,
						GUINT_TO_POINTER(stream));

	return id ? *id : a->first_id;
}

bool fresh_untold(struct archive *a, uint32_t stream)
{
	struct fragment one;

	return catalog_since(a->catalog, stream, told_id(a, stream), &one, 1) !=
	       0;
}

static void remember_told(struct stream_state *st)
{
	struct archive *a = st->a;
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);

	g_hash_table_replace(
		a->told_ids, GUINT_TO_POINTER(st->id),
		g_memdup2(&st->notified_id, sizeof(st->notified_id)));
}

static void tell_on(void *arg)
{
	struct stream_state *st = arg;

	st->tell_timer = NULL;
	fresh_tell(st);
}

void fresh_tell(struct stream_state *st)
{
	struct archive *a = st->a;
	struct fragment news[64];
	int64_t t_ms, before = st->notified_id;
	int n, told = 0;

	do {
		n = catalog_since(a->catalog, st->id, st->notified_id, news,
				  G_N_ELEMENTS(news));
		for (int i = 0; i < n; i++) {
			st->notified_id = news[i].id;
			t_ms = catalog_time_ms(a->o.axis, &news[i]);
			if (a->events.fragment_added && !list_brings(st, t_ms))
				a->events.fragment_added(a->events_user,
							 &news[i]);
		}
		told += n;
	} while (n == (int)G_N_ELEMENTS(news) && told < TELL_MAX);
	if (st->notified_id != before)
		remember_told(st);
	if (n == (int)G_N_ELEMENTS(news) && !st->tell_timer &&
	    !atomic_load(&a->closing))
		st->tell_timer = net_timer_start(a->loop, 0, tell_on, st);
}

/* ---- those who wait ----------------------------------------------------- */

static void fresh_done(struct stream_state *st, int rc)
{
	GPtrArray *waiters = g_steal_pointer(&st->fresh_waiters);

	st->fresh_failed_ms = rc < 0 ? clock_monotonic_ms(st->a->o.clock) : 0;
	st->fresh_failed_rc = rc;
	if (!waiters)
		return;
	for (guint i = 0; i < waiters->len; i++) {
		struct fresh_wait *w = waiters->pdata[i];

		w->fn(w->arg, rc);
	}
	g_ptr_array_unref(waiters);
}

static void caught_up(void *arg, int rc)
{
	fresh_done(arg, rc);
}

/* ---- a new chain: nothing is asked, the mark begins now ----------------- */

struct chain {
	struct stream_state *st;
	int rc;
};

static void chain_begun(void *arg)
{
	g_autofree struct chain *c = arg;

	fresh_tell(c->st);
	fresh_done(c->st, c->rc);
}

static void chain_written(void *arg, int rc)
{
	struct chain *c = arg;

	c->rc = rc;
	archive_pay(c->st->a, chain_begun, c);
}

static void begin_chain(struct stream_state *st)
{
	struct chain *c = g_new0(struct chain, 1);
	struct catalog_listing l = {.stream = st->id,
				    .mark_ms = archive_now_ms(st->a),
				    .new_chain = true};

	c->st = st;
	archive_owe(st->a);
	catalog_put_listing(st->a->catalog, &l, chain_written, c);
}

static void catch_up(struct stream_state *st, const struct catalog_stream *row)
{
	int64_t now_ms = archive_now_ms(st->a);
	struct list_range r = {.axis = CATALOG_SERVER,
			       .start_ms = row->mark_ms - OVERLAP_MS,
			       .end_ms = now_ms + AHEAD_MS,
			       .max_results = KVS_LIST_MAX,
			       .mark_ms = now_ms};

	list_pages(st, &r, caught_up, st);
}

static bool mark_ahead(struct stream_state *st)
{
	struct catalog_stream row;
	bool ahead;

	if (catalog_stream_get(st->a->catalog, st->id, &row) < 0)
		return false;
	ahead = fresh_mark_ahead(st->a, &row);
	catalog_stream_release(&row);
	return ahead;
}

/* At once: by the time that a mark lies ahead of it would seem to be true. */
void fresh_clock_was_ahead(struct archive *a)
{
	GHashTableIter it;
	void *st;

	if (atomic_load(&a->closing))
		return;
	g_hash_table_iter_init(&it, a->states);
	while (g_hash_table_iter_next(&it, NULL, &st))
		if (mark_ahead(st))
			begin_chain(st);
}

void fresh_stop(struct stream_state *st)
{
	if (st->tell_timer)
		net_timer_cancel(g_steal_pointer(&st->tell_timer));
	fresh_done(st, -EIO);
}

static bool failed_lately(const struct stream_state *st)
{
	int64_t now_ms = clock_monotonic_ms(st->a->o.clock);

	return st->fresh_failed_ms && now_ms - st->fresh_failed_ms < FAILED_MS;
}

void fresh_ensure(struct stream_state *st, fresh_fn fn, void *arg)
{
	struct archive *a = st->a;
	struct catalog_stream row;
	struct fresh_wait *w;
	bool under_way = st->fresh_waiters != NULL;
	int rc = catalog_stream_get(a->catalog, st->id, &row);

	if (rc < 0 || fresh_enough(a, &row) || failed_lately(st)) {
		if (rc == 0) {
			rc = fresh_enough(a, &row) ? 0 : -EAGAIN;
			catalog_stream_release(&row);
		}
		/* Another process may have moved the mark and added rows. */
		fresh_tell(st);
		fn(arg, rc);
		return;
	}
	if (!under_way)
		st->fresh_waiters = g_ptr_array_new_with_free_func(g_free);
	w = g_new(struct fresh_wait, 1);
	w->fn = fn;
	w->arg = arg;
	g_ptr_array_add(st->fresh_waiters, w);
	if (!under_way) {
		streams_keep_fresh(a);
		if (!row.mark_ms || fresh_mark_ahead(a, &row) ||
		    archive_now_ms(a) - row.mark_ms > CHAIN_MAX_MS)
			begin_chain(st);
		else
			catch_up(st, &row);
	}
	catalog_stream_release(&row);
}
