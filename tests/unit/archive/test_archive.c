/* SPDX-License-Identifier: MIT */
/*
 * The archive against a service in memory: what is asked, what is answered,
 * what is remembered.
 */
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

static int64_t test_realtime(void *user)
{
	return clock_realtime_ms(&clock_system) + atomic_load(&skew_ms);
}

static int64_t test_monotonic(void *user)
{
	return clock_monotonic_ms(&clock_system) + atomic_load(&skew_ms);
}

static const struct clock test_clock = {test_realtime, test_monotonic, NULL};

static uint32_t no_random(void)
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
	_Atomic int added, resized;
	int64_t timeout_ms, budget_bytes, memory_bytes;
};

static void on_added(void *user, const struct fragment *f)
{
	struct world *w = user;

	atomic_fetch_add(&w->added, 1);
}

static void on_resized(void *user, const struct fragment *f)
{
	struct world *w = user;

	atomic_fetch_add(&w->resized, 1);
}

static void open_archive(struct world *w)
{
	static const struct archive_events events = {on_added, on_resized};
	struct archive_options o = {
		.stream = "front-door",
		.raw = true,
		.metadata_ttl_ms = TTL_MS,
		.timeout_ms = w->timeout_ms ?: 5000,
		.slack_bytes = -1,
		.media_connections = 5,
		.memory_bytes = w->memory_bytes ?: 64 << 20,
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

static void close_archive(struct world *w)
{
	archive_close(w->a);
	store_close(w->store);
	catalog_free(w->catalog);
	index_close(w->ix);
	close(w->dirfd);
}

static void reopen(struct world *w)
{
	close_archive(w);
	open_archive(w);
}

static void add_fragment(int64_t producer_ms, int64_t server_ms, int payload,
			 int64_t size_off)
{
	struct fake_fragment f = {.producer_ms = producer_ms,
				  .server_ms = server_ms,
				  .length_ms = STEP_MS - 40,
				  .payload_bytes = payload};
	g_autoptr(GByteArray) doc = NULL;

	g_snprintf(f.number, sizeof(f.number), "91343852333%018" PRId64 "%04u",
		   server_ms, fake.fragments->len);
	doc = fake_document(&f, false);
	f.size_bytes = (int64_t)doc->len + size_off;
	pthread_mutex_lock(&fake.lock);
	g_array_append_val(fake.fragments, f);
	pthread_mutex_unlock(&fake.lock);
}

static int setup(void **state)
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

static void remove_tree(const char *dir)
{
	g_autofree char *quoted = g_shell_quote(dir);
	g_autofree char *command = g_strdup_printf("rm -rf %s", quoted);

	assert_int_equal(system(command), 0);
}

static int teardown(void **state)
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

static void reply_init(struct reply *r)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->came, NULL);
	r->bytes = g_byte_array_new();
}

static void reply_in(void *user, int rc)
{
	struct reply *r = user;

	pthread_mutex_lock(&r->lock);
	r->rc = rc;
	r->count++;
	pthread_cond_signal(&r->came);
	pthread_mutex_unlock(&r->lock);
}

static void read_in(void *user, int rc, const struct archive_piece *p)
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
static int reply_wait(struct reply *r)
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

static void reply_release(struct reply *r)
{
	assert_int_equal(r->count, 1);
	g_byte_array_unref(r->bytes);
}

static int list_range(struct world *w, int64_t start_ms, int64_t end_ms)
{
	struct reply r;
	int rc;

	reply_init(&r);
	archive_list(w->a, archive_ticket_new(w->a), w->stream, start_ms,
		     end_ms, reply_in, &r);
	rc = reply_wait(&r);
	reply_release(&r);
	return rc;
}

static int list_hour(struct world *w)
{
	return list_range(w, w->hour_ms, w->hour_ms + UTC_HOUR_MS);
}

static int survey(struct world *w, int64_t start_ms, int64_t end_ms,
		  int64_t bucket_ms)
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

static int calibrate(struct world *w, int64_t id)
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
static struct fragment row(struct world *w, guint i)
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

static int read_file(struct world *w, int64_t id, int64_t offset, size_t n,
		     GByteArray **ret_bytes)
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
static void assert_content(struct world *w, guint i)
{
	struct fragment f = row(w, i);
	g_autoptr(GByteArray) doc = fake_document(
		&g_array_index(fake.fragments, struct fake_fragment, i), false);
	g_autoptr(GByteArray) got = NULL;

	assert_int_equal(read_file(w, f.id, 0, 4 << 20, &got),
			 0);
	f = row(w, i);
	assert_true(got->len >= doc->len);
	assert_memory_equal(got->data, doc->data, doc->len);
	if (got->len > doc->len)
		assert_int_equal(got->data[doc->len], 0xEC);
}

static void ready(struct world *w)
{
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(calibrate(w, row(w, 0).id), 0);
	atomic_store(&fake.medias, 0);
	atomic_store(&fake.lists, 0);
}

/* ---- listing ------------------------------------------------------------ */

static void test_list_pages(void **state)
{
	struct world *w = *state;
	struct fragment out[N_FRAGMENTS + 1];

	atomic_store(&fake.page_rows, 50);
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 2);
	assert_int_equal(catalog_page(w->catalog, w->stream, CATALOG_PRODUCER,
				      w->hour_ms, w->hour_ms + UTC_HOUR_MS, 0,
				      INT64_MIN, 0, out, N_FRAGMENTS + 1),
			 N_FRAGMENTS);
	/* Known, fresh and over: nobody is asked again. */
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 2);
	assert_true(archive_settled(w->a, w->stream, w->hour_ms,
				    w->hour_ms + UTC_HOUR_MS));
	close_archive(w);
}

static void test_empty_pages_prove_nothing(void **state)
{
	struct world *w = *state;

	atomic_store(&fake.empty_pages, 3);
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 4);
	row(w, N_FRAGMENTS - 1);
	close_archive(w);
}

static void test_mark_moves_by_one_call(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.lists, 0);
	atomic_fetch_add(&skew_ms, TTL_MS + 1000);
	/* A late upload, with an old producer time. */
	add_fragment(w->hour_ms + 7, test_realtime(NULL) - 500, 3000, 0);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 1);
	row(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&w->added), 1);
	close_archive(w);
}

static void test_remount_asks_nothing_settled(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	reopen(w);
	atomic_store(&fake.lists, 0);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 0);
	close_archive(w);
}

static void test_old_mark_lists_anew(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	/* Arrived in the gap, into a bucket that was listed before it. */
	atomic_fetch_add(&skew_ms, 2 * UTC_HOUR_MS);
	add_fragment(w->hour_ms + 9, test_realtime(NULL) - UTC_HOUR_MS, 3000,
		     0);
	atomic_store(&fake.lists, 0);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 1);
	row(w, N_FRAGMENTS);
	close_archive(w);
}

static void test_offline_shows_what_is_known(void **state)
{
	struct world *w = *state;
	int64_t other = w->hour_ms - 5 * UTC_HOUR_MS;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.list_rc, -ETIMEDOUT);
	atomic_fetch_add(&skew_ms, TTL_MS + 1000);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(list_range(w, other, other + UTC_HOUR_MS), -ETIMEDOUT);
	/* Back again: nothing of the failure is remembered. */
	atomic_store(&fake.list_rc, 0);
	assert_int_equal(list_range(w, other, other + UTC_HOUR_MS), 0);
	close_archive(w);
}

static void test_list_errors(void **state)
{
	static const struct {
		int kvs, want;
	} cases[] = {
		{-EACCES, -EACCES},
		{-ENOENT, -ENOENT},
		{-EBUSY, -ETIMEDOUT},
		{-ETIMEDOUT, -ETIMEDOUT},
		{-EPROTO, -EIO},
		{-EIO, -EIO},
		{-ERANGE, 0 /* an empty folder, not an error */},
	};
	struct world *w = *state;

	open_archive(w);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t t = w->hour_ms - (3 + (int64_t)i) * UTC_HOUR_MS;

		atomic_store(&fake.list_rc, cases[i].kvs);
		assert_int_equal(list_range(w, t, t + UTC_HOUR_MS),
				 cases[i].want);
	}
	close_archive(w);
}

static void test_many_ask_one_listing(void **state)
{
	struct world *w = *state;
	struct reply r[16];

	open_archive(w);
	for (size_t i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		archive_list(w->a, archive_ticket_new(w->a), w->stream,
			     w->hour_ms, w->hour_ms + UTC_HOUR_MS, reply_in,
			     &r[i]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(r); i++) {
		assert_int_equal(reply_wait(&r[i]), 0);
		reply_release(&r[i]);
	}
	assert_int_equal(atomic_load(&fake.lists), 1);
	close_archive(w);
}

/* ---- surveying ---------------------------------------------------------- */

static enum archive_state state_of(struct world *w, int64_t start_ms,
				   int64_t end_ms)
{
	g_autoptr(GPtrArray) streams = NULL;
	const struct archive_stream *s = archive_stream_by_id(w->a, w->stream,
							      &streams);

	return archive_state(w->a, s, start_ms, end_ms);
}

static void test_survey_sparse(void **state)
{
	struct world *w = *state;
	int64_t h = w->hour_ms;

	open_archive(w);
	assert_int_equal(
		survey(w, h - 10 * UTC_HOUR_MS, h + UTC_HOUR_MS, UTC_HOUR_MS),
		0);
	assert_int_equal(atomic_load(&fake.lists), 1);
	assert_int_equal(state_of(w, h, h + UTC_HOUR_MS), ARCHIVE_HOLDS);
	assert_int_equal(state_of(w, h - UTC_HOUR_MS, h), ARCHIVE_EMPTY);
	close_archive(w);
}

static void test_survey_dense(void **state)
{
	struct world *w = *state;
	int64_t h = w->hour_ms;
	int held = 0, empty = 0;

	/* Another hour with something, and a page that holds little. */
	for (int i = 0; i < 50; i++)
		add_fragment(h - 6 * UTC_HOUR_MS + i * STEP_MS,
			     h - 6 * UTC_HOUR_MS + i * STEP_MS, 100, 0);
	atomic_store(&fake.page_rows, 20);
	open_archive(w);
	assert_int_equal(
		survey(w, h - 12 * UTC_HOUR_MS, h + UTC_HOUR_MS, UTC_HOUR_MS),
		0);
	for (int i = -12; i <= 0; i++) {
		enum archive_state s = state_of(w, h + i * UTC_HOUR_MS,
						h + (i + 1) * UTC_HOUR_MS);

		held += s == ARCHIVE_HOLDS;
		empty += s == ARCHIVE_EMPTY;
	}
	assert_int_equal(held, 2);
	assert_int_equal(empty, 11);
	assert_in_range(atomic_load(&fake.lists), 2, 20);
	close_archive(w);
}

static void test_survey_empty_page_with_token(void **state)
{
	struct world *w = *state;
	int64_t h = w->hour_ms;

	atomic_store(&fake.empty_pages, 1000000);
	open_archive(w);
	assert_int_equal(
		survey(w, h - UTC_HOUR_MS, h + UTC_HOUR_MS, UTC_HOUR_MS), 0);
	assert_int_equal(state_of(w, h, h + UTC_HOUR_MS), ARCHIVE_UNKNOWN);
	assert_int_equal(state_of(w, h - UTC_HOUR_MS, h), ARCHIVE_UNKNOWN);
	close_archive(w);
}

static void test_survey_fails_where_nothing_is_known(void **state)
{
	struct world *w = *state;
	int64_t h = w->hour_ms;

	atomic_store(&fake.list_rc, -EACCES);
	open_archive(w);
	assert_int_equal(
		survey(w, h - UTC_HOUR_MS, h + UTC_HOUR_MS, UTC_HOUR_MS),
		-EACCES);
	close_archive(w);
}

/* ---- sizes -------------------------------------------------------------- */

static void test_slack_arithmetic(void **state)
{
	static const struct {
		int64_t listed, content, slack;
	} cases[] = {
		{1000, 1000, 4096},
		{1000, 1000 + 2048, 4096},
		{1000, 1000 + 2049, 65536},
		{5000, 100, 4096},
		{0, 63488, 65536},
		{0, 63489, 2097152},
		{0, INT64_C(5) << 20, 2097152},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(slack_for(cases[i].listed, cases[i].content),
				 cases[i].slack);
	assert_true(slack_fits(10, 10));
	assert_false(slack_fits(9, 10));
	assert_true(slack_fits(8, 10));
	assert_false(slack_fits(11, 10));
	assert_int_equal(slack_grown(4094), 4096);
	assert_int_equal(slack_grown(4095), 8192);
}

static void test_calibrates_once(void **state)
{
	struct world *w = *state;
	struct fragment f;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(row(w, 5).file_bytes, -1);
	assert_int_equal(calibrate(w, row(w, 3).id), 0);
	assert_int_equal(calibrate(w, row(w, 9).id), 0);
	assert_int_equal(atomic_load(&fake.medias), 1);
	f = row(w, 5);
	assert_int_equal(f.file_bytes, f.size_bytes + 4096);
	/* What was fetched for it is a file like any other. */
	assert_content(w, 3);
	assert_int_equal(atomic_load(&fake.medias), 1);
	close_archive(w);
}

static void test_growth(void **state)
{
	struct world *w = *state;
	struct fragment before, after;

	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 200000, -50000);
	ready(w);
	before = row(w, N_FRAGMENTS);
	catalog_show_one(w->catalog, row(w, 7).id);
	assert_content(w, N_FRAGMENTS);
	after = row(w, N_FRAGMENTS);
	assert_true(after.file_bytes > before.file_bytes);
	assert_int_equal(after.file_bytes % 4096, 0);
	assert_int_equal(atomic_load(&w->resized), 1);
	/* What was shown stays; what was not gets the next step. */
	assert_int_equal(row(w, 7).file_bytes, row(w, 7).size_bytes + 4096);
	assert_int_equal(row(w, 8).file_bytes, row(w, 8).size_bytes + 65536);
	/* From the cache it is the same. */
	atomic_store(&fake.medias, 0);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 0);
	close_archive(w);
}

/* ---- reading ------------------------------------------------------------ */

static void test_read_and_cached(void **state)
{
	struct world *w = *state;

	ready(w);
	for (guint i = 1; i < 20; i++)
		assert_content(w, i);
	assert_int_equal(atomic_load(&fake.numbers_asked), 20);
	assert_true(archive_cached(w->a, &(struct fragment){0}) == false);
	reopen(w);
	atomic_store(&fake.medias, 0);
	for (guint i = 0; i < 20; i++)
		assert_content(w, i);
	assert_int_equal(atomic_load(&fake.medias), 0);
	close_archive(w);
}

static void test_one_download_for_many_readers(void **state)
{
	struct world *w = *state;
	struct reply r[32];
	struct fragment f;

	ready(w);
	f = row(w, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		archive_read(w->a, archive_ticket_new(w->a), f.id,
			     (int64_t)i * 100, 100, read_in, &r[i]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(r); i++) {
		assert_int_equal(reply_wait(&r[i]), 0);
		assert_int_equal(r[i].bytes->len, 100);
		reply_release(&r[i]);
	}
	assert_int_equal(atomic_load(&fake.medias), 1);
	close_archive(w);
}

/* The first bytes do not wait for the last. */
static void test_first_bytes_early(void **state)
{
	struct world *w = *state;
	struct reply tail;
	struct fragment f;

	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 1000000, 0);
	ready(w);
	atomic_store(&fake.hold_media, 1);
	f = row(w, N_FRAGMENTS);
	reply_init(&tail);
	archive_read(w->a, archive_ticket_new(w->a), f.id, 900000, 100, read_in,
		     &tail);
	assert_int_equal(read_file(w, f.id, 0, 4096, NULL), 0);
	assert_int_equal(tail.count, 0);
	atomic_store(&fake.hold_media, 0);
	assert_int_equal(reply_wait(&tail), 0);
	reply_release(&tail);
	assert_int_equal(atomic_load(&fake.medias), 1);
	assert_content(w, N_FRAGMENTS);
	close_archive(w);
}

static void test_cancel(void **state)
{
	struct world *w = *state;
	struct reply r, other;
	archive_ticket t, early;
	struct fragment f;

	ready(w);
	atomic_store(&fake.hold_media, 1);
	f = row(w, 2);
	reply_init(&r);
	reply_init(&other);
	t = archive_ticket_new(w->a);
	archive_read(w->a, t, f.id, 9000, 100, read_in, &r);
	archive_read(w->a, archive_ticket_new(w->a), f.id, 9000, 100, read_in,
		     &other);
	archive_cancel(w->a, t);
	assert_int_equal(reply_wait(&r), -EINTR);
	reply_release(&r);
	/* The shared download goes on for the other. */
	atomic_store(&fake.hold_media, 0);
	assert_int_equal(reply_wait(&other), 0);
	reply_release(&other);
	/* A cancel that overtakes its question counts. */
	atomic_store(&fake.hold_media, 1);
	early = archive_ticket_new(w->a);
	archive_cancel(w->a, early);
	reply_init(&r);
	archive_read(w->a, early, row(w, 3).id, 9000, 100, read_in, &r);
	assert_int_equal(reply_wait(&r), -EINTR);
	reply_release(&r);
	close_archive(w);
}

struct trouble {
	const char *what;
	_Atomic int *knob;
	int value;
};

/* What goes wrong for a while is asked for again; the content is right. */
static void test_passing_troubles(void **state)
{
	const struct trouble troubles[] = {
		{"not visible yet", &fake.not_found, 2},
		{"missing from the answer", &fake.missing, 2},
		{"body cut", &fake.cut, 2},
		{"refused", &fake.fail_medias, 2},
	};
	struct world *w = *state;

	atomic_store(&fake.media_rc, -EBUSY);
	ready(w);
	for (guint i = 0; i < G_N_ELEMENTS(troubles); i++) {
		atomic_store(troubles[i].knob, troubles[i].value);
		assert_content(w, 10 + i);
		assert_int_equal(atomic_load(troubles[i].knob), 0);
	}
	close_archive(w);
}

static void test_lasting_troubles(void **state)
{
	static const struct {
		int media_rc, want;
	} cases[] = {
		{-EACCES, -EACCES}, {-ENOENT, -EIO},	      {-EIO, -EIO},
		{-ERANGE, -ESTALE}, {-ETIMEDOUT, -ETIMEDOUT},
	};
	struct world *w = *state;

	w->timeout_ms = 1500;
	ready(w);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct fragment f = row(w, 20 + i);

		atomic_store(&fake.media_rc, cases[i].media_rc);
		atomic_store(&fake.fail_medias, 1000);
		assert_int_equal(read_file(w, f.id, 0, 100, NULL),
				 cases[i].want);
		/* The kernel's second question hears the same at once. */
		atomic_store(&fake.fail_medias, 0);
		atomic_store(&fake.medias, 0);
		assert_int_equal(read_file(w, f.id, 0, 100, NULL),
				 cases[i].want);
		assert_int_equal(atomic_load(&fake.medias), 0);
	}
	close_archive(w);
}

/* One number that the service refuses must not take the others along. */
static void test_refused_batch_is_taken_apart(void **state)
{
	struct world *w = *state;
	struct reply r[8];

	ready(w);
	atomic_store(&fake.refuse_batches, 1);
	for (guint i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		archive_read(w->a, archive_ticket_new(w->a), row(w, 30 + i).id,
			     0, 100, read_in, &r[i]);
	}
	for (guint i = 0; i < G_N_ELEMENTS(r); i++) {
		assert_int_equal(reply_wait(&r[i]), 0);
		reply_release(&r[i]);
	}
	close_archive(w);
}

static void test_uncached_is_served(void **state)
{
	struct world *w = *state;

	/* Larger than half of the budget: the store refuses it. */
	w->budget_bytes = 1 << 20;
	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 1500000, 0);
	add_fragment(w->hour_ms + (N_FRAGMENTS + 1) * STEP_MS,
		     w->hour_ms + (N_FRAGMENTS + 1) * STEP_MS, 1500000, 0);
	w->memory_bytes = 2 << 20;
	ready(w);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 1);
	/* Held in memory, so that a second read is no second download. */
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 1);
	/* The next one takes its place. */
	assert_content(w, N_FRAGMENTS + 1);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 3);
	close_archive(w);
}

static void test_expired_is_stale(void **state)
{
	struct world *w = *state;
	int64_t id;

	ready(w);
	id = row(w, 4).id;
	assert_int_equal(read_file(w, id, 0, 100, NULL), 0);
	atomic_fetch_add(&skew_ms, 25 * UTC_HOUR_MS);
	assert_int_equal(read_file(w, id, 0, 100, NULL), -ESTALE);
	close_archive(w);
}

static void test_close_with_everything_open(void **state)
{
	struct world *w = *state;
	struct reply r[12];

	ready(w);
	atomic_store(&fake.hold_media, 1);
	for (guint i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		if (i % 3 == 0)
			archive_list(w->a, archive_ticket_new(w->a), w->stream,
				     w->hour_ms -
					     (int64_t)(i + 1) * UTC_HOUR_MS,
				     w->hour_ms - (int64_t)i * UTC_HOUR_MS,
				     reply_in, &r[i]);
		else
			archive_read(w->a, archive_ticket_new(w->a),
				     row(w, 40 + i).id, 5000, 100, read_in,
				     &r[i]);
	}
	close_archive(w);
	for (guint i = 0; i < G_N_ELEMENTS(r); i++)
		reply_release(&r[i]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_list_pages),
		T(test_empty_pages_prove_nothing),
		T(test_mark_moves_by_one_call),
		T(test_remount_asks_nothing_settled),
		T(test_old_mark_lists_anew),
		T(test_offline_shows_what_is_known),
		T(test_list_errors),
		T(test_many_ask_one_listing),
		T(test_survey_sparse),
		T(test_survey_dense),
		T(test_survey_empty_page_with_token),
		T(test_survey_fails_where_nothing_is_known),
		cmocka_unit_test(test_slack_arithmetic),
		T(test_calibrates_once),
		T(test_growth),
		T(test_read_and_cached),
		T(test_one_download_for_many_readers),
		T(test_first_bytes_early),
		T(test_cancel),
		T(test_passing_troubles),
		T(test_lasting_troubles),
		T(test_refused_batch_is_taken_apart),
		T(test_uncached_is_served),
		T(test_expired_is_stale),
		T(test_close_with_everything_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
