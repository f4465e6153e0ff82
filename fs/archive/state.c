/* SPDX-License-Identifier: MIT */
/*
 * state: what the network thread keeps for each stream, and the housekeeping
 * that nobody asks for: expired fragments go, the catalog keeps its share.
 */
#include "fs/archive/internal.h"
#include "fs/base/utc.h"

/* Expired rows and the catalog's share of the budget are seen to so often. */
#define HOUSEKEEPING_MS (10 * UTC_MINUTE_MS)
/* The catalog may take at most this share of the budget (DESIGN section 6). */
#define CATALOG_SHARE 4

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
	g_queue_init(&st->queued);
	quota_init(st);
	/* What is there already was there before anything was shown. */
	if (catalog_last_id(a->catalog, &st->notified_id) < 0)
		st->notified_id = 0;
	fresh_told(st);
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
	g_queue_clear(&st->queued);
	g_free(st->arn);
	g_free(st->name);
	g_free(st);
}

/* ---- housekeeping ------------------------------------------------------- */

static void expire_stream(struct archive *a, const struct archive_stream *s)
{
	int64_t alive_ms = archive_alive_ms(a, s);
	struct fragment gone[64];
	int64_t after_ms = INT64_MIN, after_id = 0;
	int n;

	do {
		n = catalog_page(a->catalog, s->id, CATALOG_SERVER, INT64_MIN,
				 alive_ms, INT64_MIN, after_ms, after_id, gone,
				 G_N_ELEMENTS(gone));
		for (int i = 0; i < n; i++) {
			for (int raw = 0; raw < 2; raw++)
				store_drop(a->store, &(struct store_key){
							     s->id,
							     gone[i].number,
							     raw != 0,
						     });
			after_ms = gone[i].server_ms;
			after_id = gone[i].id;
		}
	} while (n == (int)G_N_ELEMENTS(gone));
	catalog_expire(a->catalog, s->id, alive_ms);
}

static void housekeeping(void *arg)
{
	struct archive *a = arg;
	g_autoptr(GPtrArray) streams = archive_streams(a);
	struct store_stats stats;

	for (guint i = 0; i < streams->len; i++)
		expire_stream(a, streams->pdata[i]);
	if (store_stats(a->store, &stats) == 0)
		catalog_trim(a->catalog, stats.budget_bytes / CATALOG_SHARE);
	a->housekeeping = net_timer_start(a->loop, HOUSEKEEPING_MS,
					  housekeeping, a);
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
	fetch_stop(a);
}
