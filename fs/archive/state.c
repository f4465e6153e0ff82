/* SPDX-License-Identifier: MIT */
/*
 * state: what the network thread keeps for each stream, and the housekeeping
 * that nobody asks for: expired fragments go, the catalog keeps its share.
 */
#include "fs/archive/ahead.h"
#include "fs/base/utc.h"

/* Expired rows and the catalog's share of the budget are seen to so often. */
#define HOUSEKEEPING_MS (10 * UTC_MINUTE_MS)
/*
 * While folders are listed the catalog's share is seen to more often; but what
 * a listing under way has written must still be there when it ends.
 */
#define TRIM_MS 30000
/* The catalog may take at most this share of the budget (DESIGN section 6). */
#define CATALOG_SHARE 4
/* Expired rows between two looks at whether the writer keeps up. */
#define SWEEP_ROWS 64

/* ---- per-stream state, network thread ----------------------------------- */

struct stream_state *stream_state_get(struct archive *a, uint32_t stream)
{
	struct stream_state *st = g_hash_table_lookup(a->states,
						      GUINT_TO_POINTER(stream));
	g_autoptr(GPtrArray) streams = NULL;
	const struct archive_stream *s;

	if (st)
		return st;
	s = archive_stream_by_id(a, stream, &streams);
	if (!s)
		return NULL;
	st = g_new0(struct stream_state, 1);
	st->a = a;
	st->id = stream;
	st->arn = g_strdup(s->arn);
	st->name = g_strdup(s->name);
	st->created_ms = s->created_ms;
	st->retention_ms = s->retention_ms;
	st->listings = g_ptr_array_new();
	st->buckets = g_ptr_array_new();
	st->batches = g_ptr_array_new();
	st->surveys = g_ptr_array_new();
	st->surveyed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					     g_free);
	g_queue_init(&st->readers);
	g_queue_init(&st->queued);
	quota_init(st);
	/* What was there already was there before anything was shown. */
	st->notified_id = a->first_id;
	g_hash_table_insert(a->states, GUINT_TO_POINTER(stream), st);
	return st;
}

void stream_state_free(void *state)
{
	struct stream_state *st = state;

	g_clear_pointer(&st->fresh_waiters, g_ptr_array_unref);
	g_ptr_array_unref(st->batches);
	pages_free(st);
	list_free(st);
	survey_free(st);
	ahead_free(st);
	g_free(st->arn);
	g_free(st->name);
	g_free(st);
}

/* ---- housekeeping ------------------------------------------------------- */

/*
 * Goes through the streams a little at a time, at the writer's pace: a whole
 * catalog may have expired while nothing was mounted, and neither the loop nor
 * the writer's queue is to be filled with that.
 */
struct sweep {
	struct archive *a;
	GPtrArray *streams;
	guint at;
	int64_t alive_ms, after_ms, after_id; /* of the stream at `at` */
};

static void sweep_step(void *arg);

static void next_stream(struct sweep *s)
{
	const struct archive_stream *stream;

	s->after_ms = INT64_MIN;
	s->after_id = 0;
	if (s->at == s->streams->len)
		return;
	stream = s->streams->pdata[s->at];
	s->alive_ms = archive_alive_ms(s->a, stream);
}

/* Drops chunks of some expired rows; how many, or -errno. */
static int drop_some(struct sweep *s, uint32_t stream)
{
	struct archive *a = s->a;
	struct fragment gone[SWEEP_ROWS];
	int n = catalog_page(a->catalog, stream, CATALOG_SERVER, INT64_MIN,
			     s->alive_ms, INT64_MIN, s->after_ms, s->after_id,
			     gone, SWEEP_ROWS);

	for (int i = 0; i < n; i++) {
		store_drop(a->store,
			   &(struct store_key){.stream = stream,
					       .number = gone[i].number,
					       .raw = a->o.raw});
		s->after_ms = gone[i].server_ms;
		s->after_id = gone[i].id;
	}
	return n;
}

static void sweep_free(struct sweep *s)
{
	g_ptr_array_unref(s->streams);
	g_free(s);
}

/* The catalog keeps to its share of the budget. */
static void trim(struct archive *a)
{
	struct store_stats stats;

	a->trimmed_ms = clock_monotonic_ms(a->o.clock);
	if (store_stats(a->store, &stats) == 0)
		catalog_trim(a->catalog, stats.budget_bytes / CATALOG_SHARE);
}

void state_listed(struct archive *a)
{
	int64_t now_ms = clock_monotonic_ms(a->o.clock);

	if (!atomic_load(&a->closing) && now_ms - a->trimmed_ms >= TRIM_MS)
		trim(a);
}

static void sweep_end(struct sweep *s)
{
	struct archive *a = s->a;

	sweep_free(s);
	trim(a);
	state_start_housekeeping(a);
}

static int write_nothing(struct index_conn *conn, void *arg)
{
	return 0;
}

static void writer_is_here(void *arg, int rc)
{
	struct sweep *s = arg;

	archive_pay(s->a, sweep_step, s);
}

static void sweep_step(void *arg)
{
	struct sweep *s = arg;
	struct archive *a = s->a;

	if (atomic_load(&a->closing)) {
		sweep_free(s);
		return;
	}
	for (int work = 0; work < SWEEP_ROWS && s->at < s->streams->len;) {
		const struct archive_stream *stream = s->streams->pdata[s->at];
		int n = drop_some(s, stream->id);

		work += MAX(n, 1);
		if (n == SWEEP_ROWS)
			continue;
		/* A row goes after its chunk, which is found through it. */
		if (n >= 0)
			catalog_expire(a->catalog, stream->id, s->alive_ms);
		s->at++;
		next_stream(s);
	}
	if (s->at == s->streams->len) {
		sweep_end(s);
		return;
	}
	archive_owe(a);
	index_post(a->ix, write_nothing, writer_is_here, s);
}

static void housekeeping(void *arg)
{
	struct archive *a = arg;
	struct sweep *s;

	a->housekeeping = NULL;
	/* By a clock that was set since the service told the time, all might
	   seem to have expired. */
	if (!archive_clock_sure(a)) {
		state_start_housekeeping(a);
		return;
	}
	s = g_new0(struct sweep, 1);
	s->a = a;
	s->streams = archive_streams(a);
	next_stream(s);
	sweep_step(s);
}

void state_start_housekeeping(void *archive)
{
	struct archive *a = archive;

	a->housekeeping = net_timer_start(a->loop, HOUSEKEEPING_MS,
					  housekeeping, a);
}

/* ---- closing ------------------------------------------------------------ */

void state_stop_all(struct archive *a)
{
	GHashTableIter it;
	void *st;

	if (a->housekeeping)
		net_timer_cancel(g_steal_pointer(&a->housekeeping));
	g_hash_table_iter_init(&it, a->states);
	while (g_hash_table_iter_next(&it, NULL, &st)) {
		pages_stop(st);
		survey_stop(st);
		fresh_stop(st);
	}
	ahead_stop(a);
	fetch_stop(a);
}
