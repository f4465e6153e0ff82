/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/archive.h"

#include <string.h>

#include "fs/archive/internal.h"
#include "fs/aws/settings.h"
#include "fs/base/utc.h"

/* ---- rows lately read --------------------------------------------------- */

static struct fragment *hot_slot(struct archive *a, int64_t id)
{
	return &a->hot[(uint64_t)id % G_N_ELEMENTS(a->hot)];
}

int archive_fragment(struct archive *a, int64_t id, struct fragment *ret)
{
	struct fragment f;
	int rc;

	{
		auto_unlock pthread_mutex_t *held = base_lock(&a->lock);
		const struct fragment *hot = hot_slot(a, id);

		if (hot->id == id) {
			*ret = *hot;
			return 0;
		}
	}
	rc = catalog_fragment_get(a->catalog, id, &f);
	if (rc < 0)
		return rc;
	/* Until its content is known, its size may change in any process. */
	if (f.shown && f.payload_bytes >= 0) {
		auto_unlock pthread_mutex_t *held = base_lock(&a->lock);

		*hot_slot(a, id) = f;
	}
	*ret = f;
	return 0;
}

bool archive_expired(struct archive *a, const struct fragment *f)
{
	g_autoptr(GPtrArray) streams = NULL;
	const struct archive_stream *s = archive_stream_by_id(a, f->stream,
							      &streams);

	return !s || f->server_ms < archive_alive_ms(a, s);
}

void archive_fragment_forget(struct archive *a, int64_t id)
{
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);
	struct fragment *hot = hot_slot(a, id);

	if (hot->id == id)
		hot->id = 0;
}

/* ---- other threads' answers --------------------------------------------- */

void archive_owe(struct archive *a)
{
	atomic_fetch_add(&a->writer_owes, 1);
}

struct payment {
	struct archive *a;
	void (*fn)(void *arg);
	void *arg;
};

static void paid(void *arg)
{
	g_autofree struct payment *p = arg;

	p->fn(p->arg);
	/* Only now: what fn asks of the writer in turn is counted already, so
	   that close never finds nothing owed in between. */
	atomic_fetch_sub(&p->a->writer_owes, 1);
}

void archive_pay(struct archive *a, void (*fn)(void *arg), void *arg)
{
	struct payment *p = g_new(struct payment, 1);

	*p = (struct payment){a, fn, arg};
	net_loop_post(a->loop, paid, p);
}

/* ---- time --------------------------------------------------------------- */

void archive_learn_clock(struct archive *a)
{
	int64_t local_ms = clock_realtime_ms(a->o.clock);
	int64_t offset_ms = kvs_now_ms(a->kvs) - local_ms;
	int64_t was_ms = atomic_exchange(&a->server_offset_ms, offset_ms);

	a->learnt_gap_ms = local_ms - clock_monotonic_ms(a->o.clock);
	if (was_ms - offset_ms > CATALOG_AHEAD_MS)
		fresh_clock_was_ahead(a);
}

bool archive_clock_sure(const struct archive *a)
{
	int64_t gap_ms = clock_realtime_ms(a->o.clock) -
			 clock_monotonic_ms(a->o.clock);

	return ABS(gap_ms - a->learnt_gap_ms) < CATALOG_AHEAD_MS;
}

int64_t archive_now_ms(const struct archive *a)
{
	return clock_realtime_ms(a->o.clock) +
	       atomic_load(&a->server_offset_ms);
}

int64_t archive_alive_ms(struct archive *a, const struct archive_stream *s)
{
	return archive_now_ms(a) - s->retention_ms;
}

void archive_window(struct archive *a, const struct archive_stream *s,
		    int64_t *ret_start_ms, int64_t *ret_end_ms)
{
	int64_t now_ms = archive_now_ms(a);

	*ret_start_ms = MAX(s->created_ms, now_ms - s->retention_ms);
	*ret_end_ms = now_ms + 1;
}

/* ---- what is known ------------------------------------------------------ */

struct catalog *archive_catalog(struct archive *a)
{
	return a->catalog;
}

bool archive_is_pattern(const struct archive *a)
{
	return a->prefix != NULL;
}

enum archive_state archive_state(struct archive *a,
				 const struct archive_stream *s,
				 int64_t start_ms, int64_t end_ms)
{
	enum catalog_knowledge knowledge;
	int64_t first_ms;

	if (catalog_next_time(a->catalog, s->id, a->o.axis, start_ms, end_ms,
			      archive_alive_ms(a, s), &first_ms) == 0)
		return ARCHIVE_HOLDS;
	if (catalog_knowledge(a->catalog, s->id, a->o.axis, start_ms, end_ms,
			      &knowledge) == 0 &&
	    knowledge == CATALOG_KNOWN)
		return ARCHIVE_EMPTY;
	return ARCHIVE_UNKNOWN;
}

bool archive_settled(struct archive *a, uint32_t stream, int64_t start_ms,
		     int64_t end_ms)
{
	struct catalog_stream row;
	enum catalog_knowledge knowledge;
	bool over;

	if (catalog_stream_get(a->catalog, stream, &row) < 0)
		return false;
	over = end_ms + CATALOG_SETTLE_MS <= row.mark_ms &&
	       !fresh_mark_ahead(a, &row);
	catalog_stream_release(&row);
	return over &&
	       catalog_knowledge(a->catalog, stream, a->o.axis, start_ms,
				 end_ms, &knowledge) == 0 &&
	       knowledge == CATALOG_KNOWN;
}

static void rows_forgotten(void *user, const int64_t *ids, size_t n)
{
	struct archive *a = user;

	for (size_t i = 0; i < n; i++) {
		archive_fragment_forget(a, ids[i]);
		if (a->events.fragment_forgotten)
			a->events.fragment_forgotten(a->events_user, ids[i]);
	}
}

/* ---- open and close ----------------------------------------------------- */

static void archive_free(struct archive *a)
{
	g_clear_pointer(&a->states, g_hash_table_unref);
	g_clear_pointer(&a->downloads, g_hash_table_unref);
	g_clear_pointer(&a->questions, g_hash_table_unref);
	g_clear_pointer(&a->held, g_hash_table_unref);
	g_clear_pointer(&a->told, g_hash_table_unref);
	g_clear_pointer(&a->told_ids, g_hash_table_unref);
	g_clear_pointer(&a->ahead, g_hash_table_unref);
	g_clear_pointer(&a->by_id, g_hash_table_unref);
	g_clear_pointer(&a->streams, g_ptr_array_unref);
	g_queue_clear_full(&a->held_order, g_free);
	kvs_client_free(a->kvs);
	net_loop_free(a->loop);
	pthread_mutex_destroy(&a->lock);
	g_free(a->endpoint);
	g_free(a->prefix);
	g_free(a);
}

static struct archive *archive_alloc(const struct archive_options *o,
				     const struct aws_settings *settings)
{
	struct archive *a = g_new0(struct archive, 1);

	a->o = *o;
	a->settings = settings;
	/* A row has one size for a fragment's file, and as sent it is another
	   file: streams apart in the catalog, as those of another service. */
	a->endpoint = g_strconcat(o->raw ? "raw " : "",
				  settings->override_url ?: "", NULL);
	pthread_mutex_init(&a->lock, NULL);
	a->streams = g_ptr_array_new();
	a->by_id = g_hash_table_new(g_direct_hash, g_direct_equal);
	a->held = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
					(GDestroyNotify)store_chunk_unref);
	a->told = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
					NULL);
	a->told_ids = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL,
					    g_free);
	a->ahead = g_hash_table_new(g_int64_hash, g_int64_equal);
	a->questions = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
					     (GDestroyNotify)question_unref);
	a->states = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL,
					  stream_state_free);
	a->downloads = g_hash_table_new(g_int64_hash, g_int64_equal);
	g_queue_init(&a->held_order);
	return a;
}

int archive_open(const struct archive_options *o,
		 const struct aws_settings *settings, struct cache_index *ix,
		 struct catalog *catalog, struct store *store,
		 struct archive **ret_archive, char **ret_error)
{
	g_autofree char *agent = aws_settings_agent(settings, o->user_agent);
	struct net_loop_options net = {.ca_bundle = settings->ca_bundle,
				       .user_agent = agent,
				       .proxy = settings->proxy,
				       .no_proxy = settings->no_proxy};
	struct archive *a = archive_alloc(o, settings);
	struct store_stats stats;
	int rc;

	a->ix = ix;
	a->catalog = catalog;
	a->store = store;
	catalog_pin_slack(catalog, o->slack_bytes);
	/* What is not read yet must not push itself out of the cache. */
	if (store_stats(store, &stats) == 0)
		a->ahead_max_bytes = MIN(o->readahead_bytes,
					 stats.budget_bytes / 4 * 3);
	rc = net_loop_new(&net, &a->loop);
	if (rc < 0) {
		*ret_error = g_strdup_printf("cannot start the network thread: "
					     "%s",
					     g_strerror(-rc));
		archive_free(a);
		return rc;
	}
	/* What comes in from now on may have to be told. */
	if (catalog_last_id(catalog, &a->first_id) < 0)
		a->first_id = 0;
	rc = kvs_client_new(a->loop, settings, o->clock, o->random, &a->kvs);
	if (rc < 0)
		*ret_error = g_strdup_printf("cannot set up the client: %s",
					     g_strerror(-rc));
	else
		rc = streams_open(a, ret_error);
	if (rc < 0) {
		archive_close(a);
		return rc;
	}
	catalog_on_forget(a->catalog, rows_forgotten, a);
	net_loop_post(a->loop, state_start_housekeeping, a);
	*ret_archive = a;
	return 0;
}

void archive_set_events(struct archive *a, const struct archive_events *events,
			void *user)
{
	a->events = *events;
	a->events_user = user;
}

struct barrier {
	pthread_mutex_t lock;
	pthread_cond_t passed;
	bool done;
	struct archive *a;
	void (*fn)(struct archive *a);
};

static void barrier_pass(void *arg)
{
	struct barrier *b = arg;

	if (b->fn)
		b->fn(b->a);
	pthread_mutex_lock(&b->lock);
	b->done = true;
	pthread_cond_signal(&b->passed);
	pthread_mutex_unlock(&b->lock);
}

/* Wait until the network thread has run fn and all that was posted before. */
static void run_on_loop(struct archive *a, void (*fn)(struct archive *a))
{
	struct barrier b = {.lock = PTHREAD_MUTEX_INITIALIZER,
			    .passed = PTHREAD_COND_INITIALIZER,
			    .a = a,
			    .fn = fn};

	net_loop_post(a->loop, barrier_pass, &b);
	pthread_mutex_lock(&b.lock);
	while (!b.done)
		pthread_cond_wait(&b.passed, &b.lock);
	pthread_mutex_unlock(&b.lock);
}

static int write_nothing(struct index_conn *conn, void *arg)
{
	return 0;
}

/* On the loop's thread, while calls and timers can still be cancelled. */
static void begin_closing(struct archive *a)
{
	atomic_store(&a->closing, true);
	questions_answer_all(a, -EIO);
	streams_stop(a);
	state_stop_all(a);
}

void archive_close(struct archive *a)
{
	if (!a)
		return;
	run_on_loop(a, begin_closing);
	/* A trim goes on without us. */
	catalog_on_forget(a->catalog, NULL, NULL);
	index_run(a->ix, write_nothing, NULL);
	/*
	 * What the writer thread still owes is posted to the loop, so the loop
	 * must outlive it; and what is posted may owe again.
	 */
	run_on_loop(a, NULL);
	while (atomic_load(&a->writer_owes) > 0) {
		index_run(a->ix, write_nothing, NULL);
		run_on_loop(a, NULL);
	}
	net_loop_stop(a->loop);
	archive_free(a);
}
