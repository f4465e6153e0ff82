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
#define AHEAD_MS 60000
/* After a failure nobody waits for the next try within this time. */
#define FAILED_MS 5000

struct fresh_wait {
	fresh_fn fn;
	void *arg;
};

bool fresh_enough(struct archive *a, const struct catalog_stream *row)
{
	return row->mark_ms > 0 &&
	       archive_now_ms(a) - row->mark_ms <= a->o.metadata_ttl_ms;
}

void fresh_told(struct stream_state *st)
{
	struct archive *a = st->a;
	int64_t *id;

	pthread_mutex_lock(&a->lock);
	id = g_hash_table_lookup(a->told_ids, GUINT_TO_POINTER(st->id));
	if (!id) {
		id = g_new(int64_t, 1);
		g_hash_table_insert(a->told_ids, GUINT_TO_POINTER(st->id), id);
	}
	*id = st->notified_id;
	pthread_mutex_unlock(&a->lock);
}

bool fresh_untold(struct archive *a, uint32_t stream)
{
	struct fragment next;
	const int64_t *id;
	int64_t told_id = -1;

	pthread_mutex_lock(&a->lock);
	id = g_hash_table_lookup(a->told_ids, GUINT_TO_POINTER(stream));
	if (id)
		told_id = *id;
	pthread_mutex_unlock(&a->lock);
	return told_id < 0 ||
	       catalog_since(a->catalog, stream, told_id, &next, 1) != 0;
}

void fresh_tell(struct stream_state *st, int64_t skip_start_ms,
		int64_t skip_end_ms)
{
	struct archive *a = st->a;
	struct fragment news[32];
	int64_t t_ms;
	int n;

	do {
		n = catalog_since(a->catalog, st->id, st->notified_id, news,
				  G_N_ELEMENTS(news));
		for (int i = 0; i < n; i++) {
			st->notified_id = news[i].id;
			t_ms = a->o.axis == CATALOG_SERVER
				       ? news[i].server_ms
				       : news[i].producer_ms;
			if (a->events.fragment_added &&
			    !(t_ms >= skip_start_ms && t_ms < skip_end_ms))
				a->events.fragment_added(a->events_user,
							 &news[i]);
		}
	} while (n == (int)G_N_ELEMENTS(news));
	fresh_told(st);
}

static void fresh_done(struct stream_state *st, int rc)
{
	GPtrArray *waiters = g_steal_pointer(&st->fresh_waiters);

	st->fresh_failed_ms = rc < 0 ? clock_monotonic_ms(st->a->o.clock) : 0;
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
	struct stream_state *st = arg;

	fresh_tell(st, 0, 0);
	fresh_done(st, rc);
}

/* ---- a new chain: nothing is asked, the mark begins now ----------------- */

struct chain {
	struct stream_state *st;
	int rc;
};

static void chain_begun(void *arg)
{
	g_autofree struct chain *c = arg;

	caught_up(c->st, c->rc);
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

void fresh_stop(struct stream_state *st)
{
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
		fresh_tell(st, 0, 0);
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
		if (!row.mark_ms ||
		    archive_now_ms(a) - row.mark_ms > CHAIN_MAX_MS)
			begin_chain(st);
		else
			catch_up(st, &row);
	}
	catalog_stream_release(&row);
}
