/* SPDX-License-Identifier: MIT */
#include "cache/catalog.h"

#include "cache/index.h"
#include "fs/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL	INT64_MIN, INT64_MAX
#define ALIVE	INT64_MIN
#define HOUR_MS INT64_C(3600000)

struct room {
	char *path;
	int fd;
	struct cache_index *ix;
	struct catalog *c;
};

static void room_open(struct room *r)
{
	char *error = NULL;

	assert_int_equal(index_open(r->fd, &r->ix, &error), 0);
	r->c = catalog_new(r->ix);
}

static void room_shut(struct room *r)
{
	catalog_free(r->c);
	index_close(r->ix);
}

static int setup(void **state)
{
	struct room *r = g_new0(struct room, 1);

	r->path = g_dir_make_tmp("kvsfs-catalog-XXXXXX", NULL);
	r->fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	room_open(r);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct room *r = *state;
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", r->path);

	room_shut(r);
	close(r->fd);
	if (system(command) != 0)
		return -1;
	g_free(r->path);
	g_free(r);
	return 0;
}

/* ---- waiting for the writer ------------------------------------------- */

static int run_sql(struct index_conn *conn, void *sql)
{
	return sqlite3_exec(index_db(conn), sql, NULL, NULL, NULL) ? -EIO : 0;
}

/* All that was posted so far is committed. */
static void settle(struct room *r)
{
	assert_int_equal(index_run(r->ix, run_sql, (char[]){"SELECT 1"}), 0);
}

static void keep_rc(void *user, int rc)
{
	*(int *)user = rc;
}

static uint32_t put_stream(struct room *r, const char *endpoint,
			   const char *arn, const char *name)
{
	struct catalog_stream s = {.endpoint = g_strdup(endpoint),
				   .arn = g_strdup(arn),
				   .name = g_strdup(name),
				   .created_ms = 5,
				   .retention_ms = 24 * HOUR_MS};
	int rc = 1;

	catalog_put_streams(r->c, &s, 1, keep_rc, &rc);
	catalog_stream_release(&s); /* it was copied */
	settle(r);
	assert_int_equal(rc, 0);
	assert_int_equal(catalog_stream_find(r->c, endpoint, arn, &s), 0);
	assert_string_equal(s.name, name);
	catalog_stream_release(&s);
	return s.id;
}

static uint32_t any_stream(struct room *r)
{
	return put_stream(r, "", "arn:cam", "cam");
}

static int put_listing(struct room *r, const struct catalog_listing *l)
{
	int rc = 1;

	catalog_put_listing(r->c, l, keep_rc, &rc);
	settle(r);
	return rc;
}

static struct fragment frag(const char *number, int64_t producer_ms,
			    int64_t server_ms, int64_t size)
{
	struct fragment f = {.producer_ms = producer_ms,
			     .server_ms = server_ms,
			     .length_ms = 2000,
			     .size_bytes = size};

	g_strlcpy(f.number, number, sizeof(f.number));
	return f;
}

static void put_fragments(struct room *r, uint32_t stream,
			  const struct fragment *f, size_t n)
{
	struct catalog_listing l = {.stream = stream, .fragments = f, .n = n};

	assert_int_equal(put_listing(r, &l), 0);
}

static struct fragment find(struct room *r, uint32_t stream, const char *number)
{
	struct fragment f = {0};

	assert_int_equal(catalog_fragment_find(r->c, stream, number, &f), 0);
	return f;
}

static struct catalog_stream stream_row(struct room *r, uint32_t stream)
{
	struct catalog_stream s;

	assert_int_equal(catalog_stream_get(r->c, stream, &s), 0);
	catalog_stream_release(&s);
	return s;
}

/* ---- streams ---------------------------------------------------------- */

static void test_streams(void **state)
{
	struct room *r = *state;
	uint32_t a = put_stream(r, "", "arn:a/1", "a");
	uint32_t again = put_stream(r, "", "arn:a/2", "a"); /* made anew */
	uint32_t other = put_stream(r, "http://127.0.0.1:1", "arn:a/1", "a");
	struct catalog_stream s;

	assert_true(a > 0);
	assert_int_not_equal(a, again);
	assert_int_not_equal(a, other);
	assert_int_equal(put_stream(r, "", "arn:a/1", "renamed"), a);
	assert_int_equal(catalog_stream_get(r->c, a, &s), 0);
	assert_string_equal(s.endpoint, "");
	assert_string_equal(s.arn, "arn:a/1");
	assert_string_equal(s.name, "renamed");
	assert_int_equal(s.created_ms, 5);
	assert_int_equal(s.retention_ms, 24 * HOUR_MS);
	assert_int_equal(s.mark_ms, 0);
	assert_int_equal(s.slack_bytes, -1);
	assert_int_equal(s.fragments, 0);
	catalog_stream_release(&s);
	assert_int_equal(catalog_stream_get(r->c, 999, &s), -ENOENT);
	assert_int_equal(catalog_stream_find(r->c, "", "arn:b", &s), -ENOENT);
}

static void test_no_such_stream(void **state)
{
	struct room *r = *state;
	struct fragment f = frag("1", 1, 1, 1);
	struct catalog_listing l = {.stream = 77, .fragments = &f, .n = 1};
	enum catalog_knowledge k;
	int rc = 1;

	assert_int_equal(put_listing(r, &l), -ENOENT);
	/* Nothing of it is left behind. */
	assert_int_equal(catalog_fragment_find(r->c, 77, "1", &f), -ENOENT);
	assert_int_equal(
		catalog_knowledge(r->c, 77, CATALOG_PRODUCER, 0, 9, &k), 0);
	assert_int_equal(k, CATALOG_UNKNOWN);
	catalog_set_slack(r->c, 77, 1, false, keep_rc, &rc);
	settle(r);
	assert_int_equal(rc, -ENOENT);
	catalog_set_payload(r->c, 12345, 1, -1, keep_rc, &rc);
	settle(r);
	assert_int_equal(rc, -ENOENT);
}

/* ---- fragments -------------------------------------------------------- */

static void test_rows(void **state)
{
	static const char longest[] = "1234567890123456789012345678901234567890"
				      "123456789012345678901234"
				      "9999999999999999999999999999999999999999"
				      "999999999999999999999999";
	struct room *r = *state;
	uint32_t s = any_stream(r);
	const struct {
		const char *number;
		int64_t producer_ms, server_ms, size;
	} cases[] = {
		{"1", 1000, 2000, 100},
		{"01", 1000, 2000, 100}, /* text: not the same number */
		{longest, -62135596800000, 3000, INT64_C(1) << 40},
		{"7", -1, 4000, 0},
		{"8", INT64_C(253402300799999), 5000, 1},
	};

	assert_int_equal(strlen(longest), CATALOG_NUMBER_MAX);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct fragment f = frag(cases[i].number, cases[i].producer_ms,
					 cases[i].server_ms, cases[i].size);
		struct fragment got;

		put_fragments(r, s, &f, 1);
		got = find(r, s, cases[i].number);
		assert_int_equal(got.stream, s);
		assert_string_equal(got.number, cases[i].number);
		assert_int_equal(got.producer_ms, cases[i].producer_ms);
		assert_int_equal(got.server_ms, cases[i].server_ms);
		assert_int_equal(got.length_ms, 2000);
		assert_int_equal(got.size_bytes, cases[i].size);
		assert_int_equal(got.file_bytes, -1);
		assert_int_equal(got.payload_bytes, -1);
		assert_false(got.shown);
		assert_int_equal(catalog_fragment_get(r->c, got.id, &f), 0);
		assert_string_equal(f.number, cases[i].number);
	}
	assert_int_equal(stream_row(r, s).fragments, G_N_ELEMENTS(cases));
	assert_int_equal(stream_row(r, s).total_bytes,
			 201 + (INT64_C(1) << 40));
}

static void test_listed_again(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	struct fragment f[] = {frag("1", 10, 20, 100), frag("2", 30, 40, 200)};
	struct fragment first, again;

	put_fragments(r, s, f, 2);
	catalog_set_slack(r->c, s, 4096, false, NULL, NULL);
	catalog_show(r->c, s, CATALOG_PRODUCER, ALL);
	first = find(r, s, "1");
	catalog_set_payload(r->c, first.id, 77, -1, NULL, NULL);
	f[0].size_bytes = 150; /* the service lists it otherwise now */
	f[0].length_ms = 2100;
	put_fragments(r, s, f, 2);
	again = find(r, s, "1");
	assert_int_equal(again.id, first.id);
	assert_int_equal(again.size_bytes, 150);
	assert_int_equal(again.length_ms, 2100);
	assert_int_equal(again.payload_bytes, 77);
	assert_int_equal(again.file_bytes, 100 + 4096); /* as it was shown */
	assert_int_equal(stream_row(r, s).fragments, 2);
	assert_int_equal(stream_row(r, s).total_bytes, 350);
}

static void test_sizes(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	struct fragment f[] = {frag("1", 10, 1, 100), frag("2", 20, 2, 200),
			       frag("3", 30, 3, 300), frag("4", 40, 4, 400)};
	struct fragment got;

	put_fragments(r, s, f, 4);
	catalog_show(r->c, s, CATALOG_PRODUCER, ALL); /* not calibrated */
	settle(r);
	assert_false(find(r, s, "1").shown);
	assert_int_equal(find(r, s, "1").file_bytes, -1);

	catalog_set_slack(r->c, s, 1000, false, NULL, NULL);
	settle(r);
	assert_false(find(r, s, "1").shown);
	assert_int_equal(find(r, s, "1").file_bytes, 1100);

	catalog_show(r->c, s, CATALOG_PRODUCER, 10, 20);    /* half open */
	catalog_show(r->c, s, CATALOG_SERVER, 2, 3);	    /* "2" */
	catalog_set_slack(r->c, s, 1000, true, NULL, NULL); /* not more */
	catalog_set_slack(r->c, s, 5000, true, NULL, NULL);
	catalog_set_slack(r->c, s, 2000, true, NULL, NULL); /* less */
	settle(r);
	assert_int_equal(stream_row(r, s).slack_bytes, 5000);
	assert_true(find(r, s, "1").shown);
	assert_int_equal(find(r, s, "1").file_bytes, 1100);
	assert_int_equal(find(r, s, "2").file_bytes, 1200);
	assert_false(find(r, s, "3").shown);
	assert_int_equal(find(r, s, "3").file_bytes, 5300);

	catalog_show_one(r->c, find(r, s, "4").id);
	catalog_set_slack(r->c, s, 1, false, NULL, NULL);
	settle(r);
	assert_int_equal(find(r, s, "4").file_bytes, 5400);
	assert_int_equal(find(r, s, "3").file_bytes, 301);

	catalog_set_payload(r->c, find(r, s, "4").id, 8000, 8192, NULL, NULL);
	catalog_show_one(r->c, find(r, s, "4").id);
	settle(r);
	got = find(r, s, "4");
	assert_int_equal(got.payload_bytes, 8000);
	assert_int_equal(got.file_bytes, 8192);
	room_shut(r);
	room_open(r);
	assert_int_equal(find(r, s, "4").file_bytes, 8192);
	assert_int_equal(find(r, s, "1").file_bytes, 1100);
}

/* ---- ranges ----------------------------------------------------------- */

/* Ten fragments; three of one producer time; server times run backwards. */
static uint32_t ten(struct room *r)
{
	static const int64_t producer[] = {-50, -10, 0,	  100, 100,
					   100, 200, 300, 400, 500};
	uint32_t s = any_stream(r);
	struct fragment f[10];

	for (int i = 0; i < 10; i++) {
		char number[8];

		g_snprintf(number, sizeof(number), "%d", i);
		f[i] = frag(number, producer[i], 1000 - i * 10, 1);
	}
	put_fragments(r, s, f, 10);
	return s;
}

/* All pages of a range as the digits of their numbers. */
static char *digits(struct room *r, uint32_t s, enum catalog_axis axis,
		    int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		    size_t page)
{
	GString *out = g_string_new(NULL);
	int64_t after_ms = INT64_MIN, after_id = 0;
	struct fragment f[16];
	int n;

	do {
		n = catalog_page(r->c, s, axis, start_ms, end_ms, alive_ms,
				 after_ms, after_id, f, page);
		assert_true(n >= 0 && (size_t)n <= page);
		for (int i = 0; i < n; i++) {
			g_string_append(out, f[i].number);
			after_ms = axis == CATALOG_PRODUCER ? f[i].producer_ms
							    : f[i].server_ms;
			after_id = f[i].id;
		}
	} while (n > 0);
	return g_string_free(out, FALSE);
}

static void test_pages(void **state)
{
	struct room *r = *state;
	uint32_t s = ten(r);
	uint32_t empty = put_stream(r, "", "arn:empty", "empty");
	const struct {
		enum catalog_axis axis;
		int64_t start_ms, end_ms, alive_ms;
		const char *want;
	} cases[] = {
		{CATALOG_PRODUCER, ALL, ALIVE, "0123456789"},
		{CATALOG_PRODUCER, -50, 500, ALIVE, "012345678"},
		{CATALOG_PRODUCER, -49, 101, ALIVE, "12345"},
		{CATALOG_PRODUCER, 100, 100, ALIVE, ""},
		{CATALOG_PRODUCER, 100, 101, ALIVE, "345"},
		{CATALOG_PRODUCER, 101, 100, ALIVE, ""},
		{CATALOG_PRODUCER, ALL, 960, "01234"},
		{CATALOG_SERVER, ALL, ALIVE, "9876543210"},
		{CATALOG_SERVER, 950, 980, ALIVE, "543"},
		{CATALOG_SERVER, 0, 980, 960, "43"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		for (size_t page = 1; page <= 16; page++) {
			g_autofree char *got = digits(
				r, s, cases[i].axis, cases[i].start_ms,
				cases[i].end_ms, cases[i].alive_ms, page);
			g_autofree char *none = digits(
				r, empty, cases[i].axis, cases[i].start_ms,
				cases[i].end_ms, cases[i].alive_ms, page);

			assert_string_equal(got, cases[i].want);
			assert_string_equal(none, "");
		}
}

static void test_edges(void **state)
{
	struct room *r = *state;
	uint32_t s = ten(r);
	const struct {
		enum catalog_axis axis;
		int64_t start_ms, end_ms, alive_ms;
		int rc;
		int64_t first_ms, last_ms;
	} cases[] = {
		{CATALOG_PRODUCER, ALL, ALIVE, 0, -50, 500},
		{CATALOG_PRODUCER, -49, 500, ALIVE, 0, -10, 400},
		{CATALOG_PRODUCER, 1, 100, ALIVE, -ENOENT, 0, 0},
		{CATALOG_PRODUCER, ALL, 980, 0, -50, 0},
		{CATALOG_PRODUCER, 1, 1000, 980, -ENOENT, 0, 0},
		{CATALOG_SERVER, ALL, ALIVE, 0, 910, 1000},
		{CATALOG_SERVER, ALL, 975, 0, 980, 1000},
		{CATALOG_SERVER, ALL, 1001, -ENOENT, 0, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t first = 7, last = 7, next = 7;

		assert_int_equal(catalog_span(r->c, s, cases[i].axis,
					      cases[i].start_ms,
					      cases[i].end_ms,
					      cases[i].alive_ms, &first, &last),
				 cases[i].rc);
		assert_int_equal(catalog_next_time(r->c, s, cases[i].axis,
						   cases[i].start_ms,
						   cases[i].end_ms,
						   cases[i].alive_ms, &next),
				 cases[i].rc);
		assert_int_equal(first, cases[i].rc ? 7 : cases[i].first_ms);
		assert_int_equal(last, cases[i].rc ? 7 : cases[i].last_ms);
		assert_int_equal(next, first);
	}
}

static void test_since(void **state)
{
	struct room *r = *state;
	struct fragment f[4], late = frag("99", -1000, 2000, 1);
	int64_t id = -1;
	uint32_t s, other;

	assert_int_equal(catalog_last_id(r->c, &id), 0);
	assert_int_equal(id, 0);
	s = ten(r);
	assert_int_equal(catalog_last_id(r->c, &id), 0);
	assert_int_equal(id, find(r, s, "9").id);
	other = put_stream(r, "", "arn:other", "other");
	put_fragments(r, other, &late, 1);
	put_fragments(r, s, &late, 1);
	assert_int_equal(catalog_since(r->c, s, id, f, 4), 1);
	assert_string_equal(f[0].number, "99");
	assert_int_equal(f[0].stream, s);
	assert_int_equal(catalog_since(r->c, s, f[0].id, f, 4), 0);
	assert_int_equal(catalog_since(r->c, s, 0, f, 4), 4);
	assert_true(f[0].id < f[1].id && f[2].id < f[3].id);
	assert_int_equal(catalog_last_id(r->c, &id), 0);
	assert_int_equal(id, find(r, s, "99").id);
}

/* ---- knowledge -------------------------------------------------------- */

static void know(struct room *r, uint32_t s, enum catalog_axis axis,
		 int64_t start_ms, int64_t end_ms, int64_t as_of_ms)
{
	struct catalog_listing l = {.stream = s,
				    .axis = axis,
				    .known_start_ms = start_ms,
				    .known_end_ms = end_ms,
				    .as_of_ms = as_of_ms};

	catalog_put_listing(r->c, &l, NULL, NULL);
}

static void move_mark(struct room *r, uint32_t s, int64_t mark_ms, bool chain)
{
	struct catalog_listing l = {
		.stream = s, .mark_ms = mark_ms, .new_chain = chain};

	catalog_put_listing(r->c, &l, NULL, NULL);
	settle(r);
}

static int knowledge(struct room *r, uint32_t s, enum catalog_axis axis,
		     int64_t start_ms, int64_t end_ms)
{
	enum catalog_knowledge k = -1;

	assert_int_equal(catalog_knowledge(r->c, s, axis, start_ms, end_ms, &k),
			 0);
	return k;
}

static void test_mark(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	uint32_t other = put_stream(r, "", "arn:other", "other");

	move_mark(r, s, 1000, true);
	know(r, s, CATALOG_PRODUCER, 0, 100, 1000);
	move_mark(r, s, 2000, false);
	assert_int_equal(stream_row(r, s).mark_ms, 2000);
	assert_int_equal(stream_row(r, s).chain_ms, 1000);
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 0, 100),
			 CATALOG_KNOWN);
	assert_int_equal(knowledge(r, s, CATALOG_SERVER, 0, 100),
			 CATALOG_UNKNOWN);
	assert_int_equal(knowledge(r, other, CATALOG_PRODUCER, 0, 100),
			 CATALOG_UNKNOWN);
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 5, 5),
			 CATALOG_KNOWN);
	move_mark(r, s, 1500, false); /* never back */
	assert_int_equal(stream_row(r, s).mark_ms, 2000);
	move_mark(r, s, 0, false); /* stays */
	assert_int_equal(stream_row(r, s).mark_ms, 2000);

	move_mark(r, s, 9000, true);
	know(r, s, CATALOG_PRODUCER, 50, 60, 9000);
	settle(r);
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 0, 100),
			 CATALOG_STALE);
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 50, 60),
			 CATALOG_KNOWN);
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 50, 101),
			 CATALOG_UNKNOWN);
	/* An answer from before the chain is no news where a later one is. */
	know(r, s, CATALOG_PRODUCER, 40, 200, 8000);
	settle(r);
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 50, 60),
			 CATALOG_KNOWN);
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 0, 200),
			 CATALOG_STALE);
}

/* The model: for every millisecond of a small world, as of when; -1 never. */
#define WORLD 160
#define LOW   (-WORLD / 2)

static int model_level(const int64_t *as_of, int at, int64_t chain)
{
	if (as_of[at] < 0)
		return CATALOG_UNKNOWN;
	return as_of[at] < chain ? CATALOG_STALE : CATALOG_KNOWN;
}

static void compare_gap(struct room *r, uint32_t s, const int64_t *as_of,
			int64_t chain, int a, int b, int wanted)
{
	int64_t start = 0, end = 0;
	int rc = catalog_gap(r->c, s, CATALOG_SERVER, a + LOW, b + LOW, wanted,
			     &start, &end);
	int i = a, j;

	while (i < b && model_level(as_of, i, chain) >= wanted)
		i++;
	for (j = i; j < b && model_level(as_of, j, chain) < wanted;)
		j++;
	assert_int_equal(rc, i < b ? 0 : -ENOENT);
	if (i < b) {
		assert_int_equal(start, i + LOW);
		assert_int_equal(end, j + LOW);
	}
}

static void compare(struct room *r, uint32_t s, GRand *rand,
		    const int64_t *as_of, int64_t chain)
{
	for (int n = 0; n < 20; n++) {
		int a = g_rand_int_range(rand, 0, WORLD);
		int b = g_rand_int_range(rand, a, WORLD + 1);
		int least = CATALOG_KNOWN;

		for (int i = a; i < b; i++)
			least = MIN(least, model_level(as_of, i, chain));
		assert_int_equal(
			knowledge(r, s, CATALOG_SERVER, a + LOW, b + LOW),
			least);
		compare_gap(r, s, as_of, chain, a, b, CATALOG_STALE);
		compare_gap(r, s, as_of, chain, a, b, CATALOG_KNOWN);
	}
}

static int64_t query(struct room *r, const char *sql)
{
	struct index_conn *conn;
	sqlite3_stmt *s;
	int64_t v = -1;

	assert_int_equal(index_reader_get(r->ix, &conn), 0);
	s = index_prepare(conn, sql);
	assert_non_null(s);
	if (index_step(s) == 1)
		v = sqlite3_column_int64(s, 0);
	index_done(s);
	index_reader_put(r->ix, conn);
	return v;
}

static void test_knowledge_against_a_model(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	GRand *rand = g_rand_new_with_seed(20260601);
	int64_t as_of[WORLD], chain = 0, now = 1;

	for (int i = 0; i < WORLD; i++)
		as_of[i] = -1;
	for (int round = 0; round < 600; round++) {
		int a = g_rand_int_range(rand, 0, WORLD);
		int b = g_rand_int_range(
			rand, a, MIN(a + (round % 3 ? 12 : 80), WORLD) + 1);
		/* Some answers took long: others with a later one came. */
		int64_t t = MAX(now - g_rand_int_range(rand, 0, 4), 0);

		now += g_rand_int_range(rand, 0, 3);
		for (int i = a; i < b; i++)
			as_of[i] = MAX(as_of[i], t);
		know(r, s, CATALOG_SERVER, a + LOW, b + LOW, t);
		if (round % 50 == 49) {
			chain = now;
			move_mark(r, s, now, true);
		}
		if (round % 4 == 0) {
			settle(r);
			compare(r, s, rand, as_of, chain);
		}
	}
	settle(r);
	/* Disjoint, and as few rows as there are changes. */
	int64_t rows = 0;

	for (int i = 0; i < WORLD; i++)
		rows += as_of[i] >= 0 && (i == 0 || as_of[i] != as_of[i - 1]);
	assert_int_equal(query(r, "SELECT count(*) FROM known"), rows);
	g_rand_free(rand);
}

static void test_ten_years_of_hours(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	int64_t hours = 10 * 365 * 24, start, end;
	int64_t steps;

	/* Different as_of each: no two are one row. */
	for (int64_t h = 0; h < hours; h++)
		know(r, s, CATALOG_PRODUCER, h * HOUR_MS, (h + 1) * HOUR_MS,
		     h + 1);
	settle(r);
	assert_int_equal(query(r, "SELECT count(*) FROM known"), hours);
	steps = g_get_monotonic_time();
	for (int64_t h = 0; h < hours; h += 100)
		assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, h * HOUR_MS,
					   (h + 2) * HOUR_MS),
				 CATALOG_KNOWN);
	steps = g_get_monotonic_time() - steps;
	print_message("knowledge of 2 of %" PRId64 " hours: %.1f us\n", hours,
		      (double)steps / ((double)hours / 100));
	assert_int_equal(catalog_gap(r->c, s, CATALOG_PRODUCER, 0,
				     (hours + 5) * HOUR_MS, CATALOG_KNOWN,
				     &start, &end),
			 0);
	assert_int_equal(start, hours * HOUR_MS);
	assert_int_equal(end, (hours + 5) * HOUR_MS);
	/* One wide listing makes them one. */
	know(r, s, CATALOG_PRODUCER, 0, hours * HOUR_MS, hours + 7);
	settle(r);
	assert_int_equal(query(r, "SELECT count(*) FROM known"), 1);
}

/* ---- forgetting ------------------------------------------------------- */

#define NUMBER "913438523331814323926820626076439201%011d"

/* n fragments, two seconds each from start_ms, numbered from first. */
static void fill(struct room *r, uint32_t s, int first, int n, int64_t start_ms)
{
	g_autofree struct fragment *f = g_new(struct fragment, 1000);
	struct catalog_listing l = {.stream = s, .fragments = f};

	for (int at = 0; at < n; at += 1000) {
		l.n = (size_t)MIN(1000, n - at);
		for (size_t i = 0; i < l.n; i++) {
			char number[64];
			int64_t ms = start_ms + (at + (int64_t)i) * 2000;

			g_snprintf(number, sizeof(number), NUMBER,
				   first + at + (int)i);
			f[i] = frag(number, ms, ms + 500, 1000);
		}
		catalog_put_listing(r->c, &l, NULL, NULL);
	}
	settle(r);
}

static void test_expire(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	uint32_t other = put_stream(r, "", "arn:other", "other");
	struct fragment wrong_clock = frag("5", 1000, 100000000, 10);
	int64_t alive_ms = 2500 * 2000 + 500, first, last;

	fill(r, s, 0, 3000, 0);
	fill(r, other, 0, 10, 0);
	put_fragments(r, s, &wrong_clock, 1);
	know(r, s, CATALOG_PRODUCER, 0, HOUR_MS / 2, 1);
	know(r, s, CATALOG_PRODUCER, HOUR_MS / 2, HOUR_MS, 2);
	know(r, s, CATALOG_SERVER, 0, HOUR_MS / 2, 1);
	catalog_expire(r->c, s, alive_ms);
	/* Bites post one another: each settle() lets at least one go by. */
	for (int i = 0; i < 4; i++)
		settle(r);
	assert_int_equal(catalog_span(r->c, s, CATALOG_SERVER, ALL, ALIVE,
				      &first, &last),
			 0);
	assert_int_equal(first, alive_ms);
	assert_int_equal(stream_row(r, s).fragments, 501);
	assert_int_equal(stream_row(r, s).total_bytes, 500 * 1000 + 10);
	assert_int_equal(stream_row(r, other).fragments, 10);
	find(r, s, "5");
	/* What holds something alive stays known; what is over does not. */
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 0, 10),
			 CATALOG_KNOWN);
	assert_int_equal(
		knowledge(r, s, CATALOG_PRODUCER, HOUR_MS / 2, HOUR_MS),
		CATALOG_UNKNOWN);
	assert_int_equal(knowledge(r, s, CATALOG_SERVER, 0, 10),
			 CATALOG_UNKNOWN);
}

static void settle_trim(struct room *r)
{
	for (int i = 0; i < 400; i++)
		settle(r);
}

/* Makes touches and listings from now on later than what was so far. */
static void grow_old(struct room *r)
{
	settle(r);
	assert_int_equal(index_run(r->ix, run_sql,
				   (char[]){"UPDATE known SET used_ms ="
					    " used_ms - 100000"}),
			 0);
}

static void test_trim(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	int64_t now_ms = 12 * HOUR_MS, before, after;

	fill(r, s, 0, 10 * 1800, 0);
	for (int h = 0; h < 10; h++)
		know(r, s, CATALOG_PRODUCER, h * HOUR_MS, (h + 1) * HOUR_MS,
		     now_ms + h);
	know(r, s, CATALOG_SERVER, 2 * HOUR_MS, 10 * HOUR_MS, now_ms);
	grow_old(r);
	catalog_touch(r->c, s, CATALOG_PRODUCER, 5 * HOUR_MS, 6 * HOUR_MS);
	/* Hours from 9:00 on are not settled. */
	move_mark(r, s, 10 * HOUR_MS + CATALOG_SETTLE_MS - 1, false);

	before = index_bytes(r->ix);
	catalog_trim(r->c, before + 1000000); /* below it: nothing */
	settle_trim(r);
	assert_int_equal(stream_row(r, s).fragments, 18000);

	catalog_trim(r->c, before / 2);
	settle_trim(r);
	after = index_bytes(r->ix);
	print_message("trim to %" PRId64 ": %" PRId64 " -> %" PRId64
		      ", %" PRId64 " fragments left\n",
		      before / 2, before, after, stream_row(r, s).fragments);
	assert_true(after <= before / 2);
	assert_true(after > before / 3);
	assert_int_equal(stream_row(r, s).total_bytes,
			 stream_row(r, s).fragments * 1000);
	assert_int_equal(query(r, "SELECT count(*) FROM fragments"),
			 stream_row(r, s).fragments);
	/* The touched and the unsettled hour are whole, the first is gone. */
	assert_int_equal(
		knowledge(r, s, CATALOG_PRODUCER, 5 * HOUR_MS, 6 * HOUR_MS),
		CATALOG_KNOWN);
	assert_int_equal(
		knowledge(r, s, CATALOG_PRODUCER, 9 * HOUR_MS, 10 * HOUR_MS),
		CATALOG_KNOWN);
	assert_int_equal(knowledge(r, s, CATALOG_PRODUCER, 0, 1),
			 CATALOG_UNKNOWN);

	/* What is known holds all its fragments, on both axes. */
	for (int64_t ms = 0; ms < 10 * HOUR_MS; ms += 2000) {
		int64_t t;

		if (knowledge(r, s, CATALOG_PRODUCER, ms, ms + 1) ==
		    CATALOG_KNOWN)
			assert_int_equal(catalog_next_time(r->c, s,
							   CATALOG_PRODUCER, ms,
							   ms + 1, ALIVE, &t),
					 0);
		if (knowledge(r, s, CATALOG_SERVER, ms + 500, ms + 501) ==
		    CATALOG_KNOWN)
			assert_int_equal(catalog_next_time(
						 r->c, s, CATALOG_SERVER,
						 ms + 500, ms + 501, ALIVE, &t),
					 0);
	}

	catalog_trim(r->c, 0); /* all that may go */
	settle_trim(r);
	assert_int_equal(stream_row(r, s).fragments, 1800);
	assert_int_equal(
		knowledge(r, s, CATALOG_PRODUCER, 9 * HOUR_MS, 10 * HOUR_MS),
		CATALOG_KNOWN);
}

/* Fragments that no interval holds go last, and only settled ones. */
static void test_trim_loose(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);

	fill(r, s, 0, 3 * 1800, 0);
	move_mark(r, s, 2 * HOUR_MS + CATALOG_SETTLE_MS + 500, true);
	catalog_trim(r->c, 0);
	settle_trim(r);
	assert_int_equal(stream_row(r, s).fragments, 1800);
	assert_int_equal(query(r, "SELECT min(producer_ms) FROM fragments"),
			 2 * HOUR_MS);
}

/* ---- many ------------------------------------------------------------- */

static void test_hundred_thousand(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	const int n = 100000;
	g_autofree struct fragment *page = g_new(struct fragment, 500);
	int64_t t0 = g_get_monotonic_time(), t1, t2;
	int64_t after_ms = INT64_MIN, after_id = 0;
	int got, total = 0;

	fill(r, s, 0, n, 0);
	t1 = g_get_monotonic_time();
	while ((got = catalog_page(r->c, s, CATALOG_PRODUCER, ALL, ALIVE,
				   after_ms, after_id, page, 500)) > 0) {
		total += got;
		after_ms = page[got - 1].producer_ms;
		after_id = page[got - 1].id;
	}
	t2 = g_get_monotonic_time();
	assert_int_equal(total, n);
	print_message("%d fragments: put %.2f us, page %.2f us each; "
		      "%" PRId64 " bytes each on disk\n",
		      n, (double)(t1 - t0) / n, (double)(t2 - t1) / n,
		      index_bytes(r->ix) / n);
	for (int i = 0; i < n; i += 997) {
		char number[64];

		g_snprintf(number, sizeof(number), NUMBER, i);
		assert_int_equal(find(r, s, number).producer_ms, i * 2000);
	}
}

/* Two processes write and read one index at once. */
static void other_process(const char *path)
{
	struct room r = {.fd = open(path, O_RDONLY | O_DIRECTORY)};

	room_open(&r);
	fill(&r, put_stream(&r, "", "arn:cam", "cam"), 0, 5000, 0);
	for (int i = 0; i < 20; i++)
		fill(&r, put_stream(&r, "", "arn:own", "own"), i * 100, 100,
		     i * 1000000);
	room_shut(&r);
	close(r.fd);
	_exit(0);
}

static void test_two_processes(void **state)
{
	struct room *r = *state;
	pid_t child;
	uint32_t s;
	int status;

	room_shut(r); /* SQLite is not carried across a fork */
	child = fork();
	if (child == 0)
		other_process(r->path);
	room_open(r);
	s = any_stream(r);
	fill(r, s, 2500, 5000, 0);
	for (int i = 0; i < 20; i++)
		fill(r, s, 10000 + i * 100, 100, i);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(stream_row(r, s).fragments, 7500 + 2000);
	assert_int_equal(query(r, "SELECT count(*) FROM fragments"),
			 7500 + 2000 + 2000);
	assert_int_equal(query(r, "SELECT count(*) FROM streams WHERE"
				  " fragments <> (SELECT count(*) FROM"
				  " fragments WHERE stream = streams.id) OR"
				  " total_bytes <> (SELECT sum(size) FROM"
				  " fragments WHERE stream = streams.id)"),
			 0);
}

/* ---- threads ---------------------------------------------------------- */

struct crowd {
	struct room *room;
	uint32_t stream;
	atomic_bool stop;
	atomic_int reads, failures;
};

static void *reader(void *arg)
{
	struct crowd *w = arg;
	struct catalog *c = w->room->c;
	struct fragment f[64];
	struct catalog_stream s;
	enum catalog_knowledge k;
	int64_t a, b;

	while (!atomic_load(&w->stop)) {
		bool ok;
		int n = catalog_page(c, w->stream, CATALOG_PRODUCER, ALL, ALIVE,
				     INT64_MIN, 0, f, 64);

		ok = n >= 0 && catalog_last_id(c, &a) == 0 &&
		     catalog_knowledge(c, w->stream, CATALOG_PRODUCER, 0, 100,
				       &k) == 0 &&
		     catalog_span(c, w->stream, CATALOG_SERVER, ALL, ALIVE, &a,
				  &b) != -EIO;
		for (int i = 0; ok && i < n; i++)
			ok = catalog_fragment_get(c, f[i].id, &f[i]) != -EIO;
		catalog_touch(c, w->stream, CATALOG_PRODUCER,
			      atomic_load(&w->reads) % 500, 1000);
		if (catalog_stream_get(c, w->stream, &s) == 0)
			catalog_stream_release(&s);
		else
			ok = false;
		atomic_fetch_add(&w->reads, 1);
		if (!ok)
			atomic_fetch_add(&w->failures, 1);
	}
	return NULL;
}

/* What done() was told is what a reader sees right after. */
struct promise {
	struct crowd *crowd;
	char number[32];
};

static void promised(void *user, int rc)
{
	struct promise *p = user;
	struct fragment f;

	if (rc || catalog_fragment_find(p->crowd->room->c, p->crowd->stream,
					p->number, &f) < 0)
		atomic_fetch_add(&p->crowd->failures, 1);
	g_free(p);
}

static void test_readers_and_posts(void **state)
{
	struct room *r = *state;
	struct crowd w = {.room = r, .stream = any_stream(r)};
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &w),
				 0);
	for (int i = 0; i < 300; i++) {
		struct promise *p = g_new(struct promise, 1);
		struct fragment f;
		struct catalog_listing l = {.stream = w.stream,
					    .fragments = &f,
					    .n = 1,
					    .known_start_ms = i,
					    .known_end_ms = i + 1,
					    .as_of_ms = i};

		p->crowd = &w;
		g_snprintf(p->number, sizeof(p->number), "%d", i);
		f = frag(p->number, i, i, 1);
		catalog_put_listing(r->c, &l, promised, p);
		catalog_show(r->c, w.stream, CATALOG_PRODUCER, i, i + 1);
		if (i % 50 == 25)
			catalog_trim(r->c, 0);
		if (i % 10 == 0)
			settle(r);
	}
	while (atomic_load(&w.reads) < 500)
		settle(r);
	settle(r);
	atomic_store(&w.stop, true);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&w.failures), 0);
	assert_int_equal(stream_row(r, w.stream).fragments, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_streams),
		T(test_no_such_stream),
		T(test_rows),
		T(test_listed_again),
		T(test_sizes),
		T(test_pages),
		T(test_edges),
		T(test_since),
		T(test_mark),
		T(test_knowledge_against_a_model),
		T(test_ten_years_of_hours),
		T(test_expire),
		T(test_trim),
		T(test_trim_loose),
		T(test_hundred_thousand),
		T(test_two_processes),
		T(test_readers_and_posts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
