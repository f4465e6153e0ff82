/* SPDX-License-Identifier: MIT */
/*
 * world: an archive over a real cache directory and a service in memory, a
 * clock that the test moves, and questions that are waited for.  Included by
 * the test files of archive/.
 */
#ifndef KVSFS_TESTS_WORLD_H
#define KVSFS_TESTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_kvs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <glib/gstdio.h>

#include "cache/catalog.h"
#include "cache/dir.h"
#include "cache/index.h"
#include "cache/store.h"
#include "fs/archive/archive.h"
#include "fs/archive/slack.h"
#include "fs/aws/settings.h"
#include "fs/base/utc.h"

#define N_FRAGMENTS 100
#define STEP_MS	    INT64_C(2000)
#define TTL_MS	    INT64_C(5000)
#define WAIT_S	    20

/* ---- the world ---------------------------------------------------------- */

static _Atomic int64_t skew_ms; /* how far the test has moved the clock */

static G_GNUC_UNUSED int64_t test_realtime(void *user)
{
	return clock_realtime_ms(&clock_system) + atomic_load(&skew_ms);
}

static G_GNUC_UNUSED int64_t test_monotonic(void *user)
{
	return clock_monotonic_ms(&clock_system) + atomic_load(&skew_ms);
}

static const struct clock test_clock = {test_realtime, test_monotonic, NULL};

static G_GNUC_UNUSED uint32_t no_random(void)
{
	return 0;
}

struct world {
	char *dir;
	int dirfd;
	struct cache_index *ix;
	struct catalog *catalog;
	struct store *store;
	struct archive *a;
	struct aws_settings settings;
	int64_t hour_ms; /* a whole hour, two hours ago */
	uint32_t stream;
	_Atomic int added, resized, forgotten;
	/* Who is told of a new size takes his time: told() is the test's. */
	_Atomic bool slow_to_tell;
	void (*told)(void *arg);
	void *_Atomic told_arg;
	int64_t timeout_ms, budget_bytes, memory_bytes, readahead_bytes;
};

static G_GNUC_UNUSED void on_added(void *user, const struct fragment *f)
{
	struct world *w = user;

	atomic_fetch_add(&w->added, 1);
}

static G_GNUC_UNUSED void on_resized(void *user, const struct fragment *f,
				     void (*told)(void *arg), void *arg)
{
	struct world *w = user;

	atomic_fetch_add(&w->resized, 1);
	w->told = told;
	if (atomic_load(&w->slow_to_tell))
		atomic_store(&w->told_arg, arg);
	else
		told(arg);
}

static G_GNUC_UNUSED void on_forgotten(void *user, int64_t id)
{
	struct world *w = user;

	atomic_fetch_add(&w->forgotten, 1);
}

static G_GNUC_UNUSED void open_archive(struct world *w)
{
	static const struct archive_events events = {on_added, on_resized,
						     on_forgotten};
	struct archive_options o = {
		.stream = "front-door",
		.raw = true,
		.metadata_ttl_ms = TTL_MS,
		.timeout_ms = w->timeout_ms ?: 5000,
		.slack_bytes = -1,
		.media_connections = 5,
		.memory_bytes = w->memory_bytes ?: 64 << 20,
		.readahead_bytes = w->readahead_bytes,
		.clock = &test_clock,
		.random = no_random,
		.user_agent = "test",
	};
	char *error = NULL;
	struct store_options so = {.budget_bytes = w->budget_bytes ?: 1 << 30,
				   .clock = &test_clock};
	g_autoptr(GPtrArray) streams = NULL;

	assert_int_equal(cache_dir_open(w->dir, &w->dirfd, &error), 0);
	assert_int_equal(index_open(w->dirfd, &w->ix, &error), 0);
	w->catalog = catalog_new(w->ix);
	assert_int_equal(store_open(w->dirfd, w->ix, &so, &w->store, &error),
			 0);
	assert_int_equal(archive_open(&o, &w->settings, w->ix, w->catalog,
				      w->store, &w->a, &error),
			 0);
	archive_set_events(w->a, &events, w);
	streams = archive_streams(w->a);
	assert_int_equal(streams->len, 1);
	w->stream = ((struct archive_stream *)streams->pdata[0])->id;
}

static G_GNUC_UNUSED void close_archive(struct world *w)
{
	archive_close(w->a);
	store_close(w->store);
	catalog_free(w->catalog);
	index_close(w->ix);
	close(w->dirfd);
}

static G_GNUC_UNUSED void reopen(struct world *w)
{
	close_archive(w);
	open_archive(w);
}

static G_GNUC_UNUSED void add_fragment(int64_t producer_ms, int64_t server_ms,
				       int payload, int64_t size_off)
{
	struct fake_fragment f = {.producer_ms = producer_ms,
				  .server_ms = server_ms,
				  .length_ms = STEP_MS - 40,
				  .payload_bytes = payload};
	g_autoptr(GByteArray) doc = NULL;

	g_snprintf(f.number, sizeof(f.number), "91343852333%018" PRId64 "%04u",
		   server_ms, fake.fragments->len);
	doc = fake_document(&f);
	f.size_bytes = (int64_t)doc->len + size_off;
	pthread_mutex_lock(&fake.lock);
	g_array_append_val(fake.fragments, f);
	pthread_mutex_unlock(&fake.lock);
}

static G_GNUC_UNUSED int setup(void **state)
{
	struct world *w = g_new0(struct world, 1);

	*state = w;
	atomic_store(&skew_ms, 0);
	memset(&fake, 0, sizeof(fake));
	pthread_mutex_init(&fake.lock, NULL);
	fake.fragments = g_array_new(FALSE, TRUE, sizeof(struct fake_fragment));
	atomic_store(&fake.retention_ms, 24 * UTC_HOUR_MS);
	atomic_store(&fake.page_rows, 1000);
	w->hour_ms = utc_floor(test_realtime(NULL), UTC_HOUR_MS) -
		     2 * UTC_HOUR_MS;
	for (int i = 0; i < N_FRAGMENTS; i++)
		add_fragment(w->hour_ms + i * STEP_MS,
			     w->hour_ms + i * STEP_MS + 300, 10000 + i, -200);
	w->dir = g_dir_make_tmp("kvsfs-archive-XXXXXX", NULL);
	w->settings.override_url = NULL;
	w->settings.region = (char[]){"us-east-1"};
	w->settings.control_url = (char[]){"http://fake"};
	return 0;
}

static G_GNUC_UNUSED void remove_tree(const char *dir)
{
	g_autofree char *quoted = g_shell_quote(dir);
	g_autofree char *command = g_strdup_printf("rm -rf %s", quoted);

	assert_int_equal(system(command), 0);
}

static G_GNUC_UNUSED int teardown(void **state)
{
	struct world *w = *state;

	remove_tree(w->dir);
	g_array_unref(fake.fragments);
	g_free(w->dir);
	g_free(w);
	return 0;
}

/* ---- asking and waiting ------------------------------------------------- */

struct reply {
	pthread_mutex_t lock;
	pthread_cond_t came;
	int count, rc;
	GByteArray *bytes;
};

static G_GNUC_UNUSED void reply_init(struct reply *r)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->came, NULL);
	r->bytes = g_byte_array_new();
}

static G_GNUC_UNUSED void reply_in(void *user, int rc)
{
	struct reply *r = user;

	pthread_mutex_lock(&r->lock);
	r->rc = rc;
	r->count++;
	pthread_cond_signal(&r->came);
	pthread_mutex_unlock(&r->lock);
}

static G_GNUC_UNUSED void read_in(void *user, int rc,
				  const struct archive_piece *p, size_t n_p)
{
	struct reply *r = user;

	if (rc == 0 && p->n) {
		g_autofree uint8_t *buf = g_malloc(p->n);
		ssize_t n = pread(p->fd, buf, p->n, p->offset);

		if (n != (ssize_t)p->n)
			rc = -1000;
		else
			g_byte_array_append(r->bytes, buf, (guint)n);
	}
	reply_in(user, rc);
}

/* Waits for the answer; that it comes exactly once is checked by release. */
static G_GNUC_UNUSED int reply_wait(struct reply *r)
{
	struct timespec until;
	int err = 0, rc;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&r->lock);
	while (!r->count && err == 0)
		err = pthread_cond_timedwait(&r->came, &r->lock, &until);
	rc = r->count ? r->rc : -10000;
	pthread_mutex_unlock(&r->lock);
	return rc;
}

static G_GNUC_UNUSED void reply_release(struct reply *r)
{
	assert_int_equal(r->count, 1);
	g_byte_array_unref(r->bytes);
}

static G_GNUC_UNUSED int list_how(struct world *w, int64_t start_ms,
				  int64_t end_ms, enum archive_list_how how)
{
	struct reply r;
	int rc;

	reply_init(&r);
	archive_list(w->a, archive_ticket_new(w->a), w->stream, start_ms,
		     end_ms, how, reply_in, &r);
	rc = reply_wait(&r);
	reply_release(&r);
	return rc;
}

static G_GNUC_UNUSED int list_range(struct world *w, int64_t start_ms,
				    int64_t end_ms)
{
	return list_how(w, start_ms, end_ms, ARCHIVE_LIST_KNOWN);
}

static G_GNUC_UNUSED int list_hour(struct world *w)
{
	return list_range(w, w->hour_ms, w->hour_ms + UTC_HOUR_MS);
}

static G_GNUC_UNUSED int survey(struct world *w, int64_t start_ms,
				int64_t end_ms, int64_t bucket_ms)
{
	struct reply r;
	int rc;

	reply_init(&r);
	archive_survey(w->a, archive_ticket_new(w->a), w->stream, start_ms,
		       end_ms, bucket_ms, reply_in, &r);
	rc = reply_wait(&r);
	reply_release(&r);
	return rc;
}

static G_GNUC_UNUSED int calibrate(struct world *w, int64_t id)
{
	struct reply r;
	int rc;

	reply_init(&r);
	archive_calibrate(w->a, archive_ticket_new(w->a), id, reply_in, &r);
	rc = reply_wait(&r);
	reply_release(&r);
	return rc;
}

/* The fragment's row, by its place in the fake's list. */
static G_GNUC_UNUSED struct fragment row(struct world *w, guint i)
{
	struct fragment f;

	assert_int_equal(
		catalog_fragment_find(
			w->catalog, w->stream,
			g_array_index(fake.fragments, struct fake_fragment, i)
				.number,
			&f),
		0);
	return f;
}

static G_GNUC_UNUSED int read_file(struct world *w, int64_t id, int64_t offset,
				   size_t n, GByteArray **ret_bytes)
{
	struct reply r;
	int rc;

	reply_init(&r);
	archive_read(w->a, archive_ticket_new(w->a), id, offset, n, read_in,
		     &r);
	rc = reply_wait(&r);
	if (ret_bytes)
		*ret_bytes = g_byte_array_ref(r.bytes);
	reply_release(&r);
	return rc;
}

/* The file is the document, then one Void to the end. */
static G_GNUC_UNUSED void assert_content(struct world *w, guint i)
{
	struct fragment f = row(w, i);
	g_autoptr(GByteArray) doc = fake_document(
		&g_array_index(fake.fragments, struct fake_fragment, i));
	g_autoptr(GByteArray) got = NULL;

	assert_int_equal(read_file(w, f.id, 0, 4 << 20, &got), 0);
	f = row(w, i);
	assert_true(got->len >= doc->len);
	assert_memory_equal(got->data, doc->data, doc->len);
	if (got->len > doc->len)
		assert_int_equal(got->data[doc->len], 0xEC);
}

static G_GNUC_UNUSED void ready(struct world *w)
{
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(calibrate(w, row(w, 0).id), 0);
	atomic_store(&fake.medias, 0);
	atomic_store(&fake.lists, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
