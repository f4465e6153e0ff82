/* SPDX-License-Identifier: MIT */
/*
 * streams: which streams the mount shows: one, by name or ARN, or all with a
 * prefix.  Asked for again about once a minute while somebody looks: streams
 * come and go, and so does their retention.
 */
#define G_LOG_DOMAIN "kvsfs"
#include <stdlib.h>
#include <string.h>

#include "fs/archive/internal.h"
#include "fs/aws/settings.h"

/*
 * ListStreams allows 50 calls a second for the account, and an account may
 * have 100,000 streams in pages of 1,000: once a minute is polite.
 */
#define REFRESH_MS 60000

static void stream_free(void *p)
{
	struct archive_stream *s = p;

	g_free(s->name);
	g_free(s->arn);
	g_free(s);
}

GPtrArray *archive_streams(struct archive *a)
{
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);

	return g_ptr_array_ref(a->streams);
}

const struct archive_stream *archive_stream_by_id(struct archive *a,
						  uint32_t id,
						  GPtrArray **ret_streams)
{
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);
	const struct archive_stream *s =
		g_hash_table_lookup(a->by_id, GUINT_TO_POINTER(id));

	if (s)
		*ret_streams = g_ptr_array_ref(a->streams);
	return s;
}

static int by_name(const void *x, const void *y)
{
	const struct archive_stream *const *a = x, *const *b = y;

	return strcmp((*a)->name, (*b)->name);
}

/* ---- from the service to the catalog to the snapshot -------------------- */

struct update {
	struct archive *a;
	GPtrArray *infos; /* struct kvs_stream_info */
	void (*fn)(void *arg, int rc);
	void *arg;
	int rc;
};

static void swap_in(struct archive *a, GPtrArray *set)
{
	GHashTable *by_id = g_hash_table_new(g_direct_hash, g_direct_equal);
	g_autoptr(GPtrArray) old = NULL;

	for (guint i = 0; i < set->len; i++) {
		struct archive_stream *s = set->pdata[i];

		g_hash_table_insert(by_id, GUINT_TO_POINTER(s->id), s);
	}
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);

	old = a->streams;
	a->streams = set;
	g_hash_table_unref(a->by_id);
	a->by_id = by_id;
}

/* 0 or -errno: then the set stays as it was. */
static int install(struct archive *a, GPtrArray *infos)
{
	g_autoptr(GPtrArray) set = g_ptr_array_new_with_free_func(stream_free);
	struct catalog_stream row;

	for (guint i = 0; i < infos->len; i++) {
		const struct kvs_stream_info *info = infos->pdata[i];
		struct archive_stream *s;
		struct stream_state *st;

		if (catalog_stream_find(a->catalog, a->endpoint, info->arn,
					&row) < 0)
			return -EIO;
		s = g_new0(struct archive_stream, 1);
		s->id = row.id;
		s->name = g_strdup(info->name);
		s->arn = g_strdup(info->arn);
		s->created_ms = info->created_ms;
		s->retention_ms = info->retention_ms;
		st = g_hash_table_lookup(a->states, GUINT_TO_POINTER(s->id));
		if (st)
			st->retention_ms = s->retention_ms;
		g_ptr_array_add(set, s);
		catalog_stream_release(&row);
	}
	g_ptr_array_sort(set, by_name);
	swap_in(a, g_steal_pointer(&set));
	return 0;
}

static void written(void *arg)
{
	struct update *u = arg;

	if (u->rc == 0)
		u->rc = install(u->a, u->infos);
	u->fn(u->arg, u->rc);
	g_ptr_array_unref(u->infos);
	g_free(u);
}

static void rows_put(void *arg, int rc)
{
	struct update *u = arg;

	u->rc = rc;
	archive_pay(u->a, written, u);
}

/*
 * What had expired when a bucket was listed was called known with the rest.
 * Where fragments are kept for longer than that, it is to be asked for again.
 */
static void kept_longer(struct archive *a, const struct kvs_stream_info *info)
{
	struct catalog_listing l = {.mark_ms = archive_now_ms(a),
				    .new_chain = true};
	struct catalog_stream row;

	if (catalog_stream_find(a->catalog, a->endpoint, info->arn, &row) < 0)
		return;
	l.stream = row.id;
	if (row.mark_ms && row.retention_ms < info->retention_ms)
		catalog_put_listing(a->catalog, &l, NULL, NULL);
	catalog_stream_release(&row);
}

static void update_streams(struct archive *a, GPtrArray *infos,
			   void (*fn)(void *arg, int rc), void *arg)
{
	g_autofree struct catalog_stream *rows = g_new0(struct catalog_stream,
							infos->len);
	struct update *u = g_new0(struct update, 1);

	for (guint i = 0; i < infos->len; i++) {
		const struct kvs_stream_info *info = infos->pdata[i];

		rows[i].endpoint = a->endpoint;
		rows[i].arn = info->arn;
		rows[i].name = info->name;
		rows[i].created_ms = info->created_ms;
		rows[i].retention_ms = info->retention_ms;
		kept_longer(a, info);
	}
	u->a = a;
	u->infos = g_ptr_array_ref(infos);
	u->fn = fn;
	u->arg = arg;
	archive_owe(a);
	catalog_put_streams(a->catalog, rows, infos->len, rows_put, u);
}

/* What the mount names: all streams with the prefix, or one. */
static struct kvs_call *look_up(struct archive *a, kvs_streams_fn fn,
				void *user)
{
	/* An empty prefix is that of '*': all there are. */
	if (a->prefix)
		return kvs_list_streams(a->kvs, a->prefix, a->o.timeout_ms, fn,
					user);
	return kvs_describe_stream(a->kvs, a->o.stream, a->o.timeout_ms, fn,
				   user);
}

/* ---- at the mount: archive_open() waits --------------------------------- */

struct opening {
	struct archive *a;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	int rc;
	char *error;
};

static void opening_done(struct opening *o, int rc, char *error)
{
	pthread_mutex_lock(&o->lock);
	o->rc = rc;
	o->error = error;
	o->done = true;
	pthread_cond_signal(&o->answered);
	pthread_mutex_unlock(&o->lock);
}

static void opening_updated(void *arg, int rc)
{
	struct opening *o = arg;

	o->a->streams_at_ms = clock_monotonic_ms(o->a->o.clock);
	opening_done(o, rc,
		     rc < 0 ? g_strdup_printf("the cache's index cannot be "
					      "written: %s",
					      g_strerror(-rc))
			    : NULL);
}

static char *refusal(const struct archive *a, const struct kvs_error *e)
{
	const char *stream = a->o.stream;
	const char *region = a->settings->region;
	g_autofree char *cause = g_strdup_printf(
		"%s%s%s%s%s%s", e->message, *e->name ? " (" : "", e->name,
		*e->name ? ")" : "", *e->request_id ? ", request id " : "",
		e->request_id);

	if (e->no_credentials)
		return g_strdup(e->message);
	switch (e->rc) {
	case -ENOENT:
		return g_strdup_printf("no stream %s in region %s: check the "
				       "name and --region: %s",
				       stream, region, cause);
	case -EACCES:
		return g_strdup_printf("access to stream %s in region %s was "
				       "refused: check credentials, IAM policy "
				       "and --region ('kvsfs check' does): %s",
				       stream, region, cause);
	case -ETIMEDOUT:
		return g_strdup_printf("no answer from %s: check the network, "
				       "--region and --endpoint-url ('kvsfs "
				       "check' does): %s",
				       a->settings->control_url, cause);
	case -EKEYREJECTED:
		return g_strdup_printf("%s could not show that it is what it "
				       "says: where something of your own "
				       "stands in between, name its "
				       "certificates in AWS_CA_BUNDLE: %s",
				       a->settings->control_url, cause);
	default:
		return g_strdup_printf("stream %s could not be looked up: %s",
				       stream, cause);
	}
}

static void opening_answered(void *user, const struct kvs_error *e,
			     GPtrArray *infos)
{
	struct opening *o = user;
	struct archive *a = o->a;

	if (e->rc < 0) {
		opening_done(o, e->rc, refusal(a, e));
		return;
	}
	archive_learn_clock(a);
	for (guint i = 0; i < infos->len; i++) {
		const struct kvs_stream_info *info = infos->pdata[i];

		if (info->retention_ms > 0)
			continue;
		if (!a->prefix) {
			opening_done(o, -ENOENT,
				     g_strdup_printf(
					     "stream %s keeps no data (its "
					     "retention is 0): set a retention "
					     "period to have an archive",
					     info->name));
			return;
		}
		g_message("stream %s keeps no data (its retention is 0): its "
			  "folder is empty",
			  info->name);
	}
	if (infos->len == 0 && a->prefix)
		g_warning("no stream whose name begins with '%s' in region %s "
			  "yet",
			  a->prefix, a->settings->region);
	update_streams(a, infos, opening_updated, o);
}

static void opening_begin(void *arg)
{
	struct opening *o = arg;

	look_up(o->a, opening_answered, o);
}

int streams_open(struct archive *a, char **ret_error)
{
	struct opening o = {.a = a,
			    .lock = PTHREAD_MUTEX_INITIALIZER,
			    .answered = PTHREAD_COND_INITIALIZER};
	const char *stream = a->o.stream;

	if (g_str_has_suffix(stream, "*"))
		a->prefix = g_strndup(stream, strlen(stream) - 1);
	net_loop_post(a->loop, opening_begin, &o);
	pthread_mutex_lock(&o.lock);
	while (!o.done)
		pthread_cond_wait(&o.answered, &o.lock);
	pthread_mutex_unlock(&o.lock);
	if (o.rc < 0)
		*ret_error = o.error;
	return o.rc;
}

/* ---- later: is there a new one? ----------------------------------------- */

static void refreshed(void *arg, int rc)
{
	struct archive *a = arg;

	a->streams_at_ms = clock_monotonic_ms(a->o.clock);
	/* What is known does: a folder that is shown is never taken away
	   because the service did not answer. */
	waiters_answer(&a->refresh_waiters, 0);
}

static void refresh_answered(void *user, const struct kvs_error *e,
			     GPtrArray *infos)
{
	struct archive *a = user;

	a->refresh_call = NULL;
	if (e->rc < 0) {
		if (e->rc != -ECANCELED)
			g_warning("the streams cannot be looked up anew: %s",
				  e->message);
		refreshed(a, e->rc);
		return;
	}
	archive_learn_clock(a);
	update_streams(a, infos, refreshed, a);
}

static bool out_of_date(const struct archive *a)
{
	int64_t age_ms = clock_monotonic_ms(a->o.clock) - a->streams_at_ms;

	return age_ms >= MAX(REFRESH_MS, a->o.metadata_ttl_ms);
}

static void refresh(struct archive *a)
{
	if (!a->refresh_call)
		a->refresh_call = look_up(a, refresh_answered, a);
}

void streams_keep_fresh(struct archive *a)
{
	if (out_of_date(a))
		refresh(a);
}

void streams_begin_refresh(struct question *q)
{
	struct archive *a = q->a;

	if (!out_of_date(a)) {
		question_answer(q, 0);
		return;
	}
	waiters_add(&a->refresh_waiters, q);
	question_patience(q, 1500);
	refresh(a);
}

void streams_stop(struct archive *a)
{
	if (a->refresh_call)
		kvs_call_cancel(g_steal_pointer(&a->refresh_call));
	waiters_answer(&a->refresh_waiters, -EIO);
}

void archive_refresh_streams(struct archive *a, archive_ticket t, archive_fn fn,
			     void *user)
{
	struct question *q;

	q = question_new(a, t, streams_begin_refresh, user);
	q->fn = fn;
	question_ask(q);
}
