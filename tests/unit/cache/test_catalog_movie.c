/* SPDX-License-Identifier: MIT */
#include "cache/catalog_movie.h"

#include "tests/unit/cache/catalog_room.h"

static size_t slots(struct room *r, uint32_t s, enum catalog_axis axis,
		    int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		    int64_t max_id, struct catalog_slot **ret_slots)
{
	size_t n = 1234;

	assert_int_equal(catalog_slots(r->c, s, axis, start_ms, end_ms,
				       alive_ms, max_id, ret_slots, &n),
			 0);
	assert_true((n == 0) == (*ret_slots == NULL));
	return n;
}

/* Sizes tell them apart, in the order in which they come. */
static void assert_slots(struct room *r, uint32_t s, enum catalog_axis axis,
			 int64_t start_ms, int64_t end_ms, int64_t alive_ms,
			 int64_t max_id, const char *want)
{
	struct catalog_slot *all;
	size_t n = slots(r, s, axis, start_ms, end_ms, alive_ms, max_id, &all);
	g_autoptr(GString) have = g_string_new(NULL);

	for (size_t i = 0; i < n; i++) {
		struct fragment f;

		assert_int_equal(catalog_fragment_get(r->c, all[i].id, &f), 0);
		assert_int_equal(all[i].t_ms, catalog_time_ms(axis, &f));
		assert_int_equal(all[i].file_bytes, f.file_bytes);
		assert_int_equal(all[i].shown, f.shown);
		g_string_append_printf(have, "%s%" PRId64, i ? " " : "",
				       f.size_bytes);
	}
	free(all);
	assert_string_equal(have->str, want);
}

/* 47 digits, as the service's are. */
#define LONG "91343852333181432392682062607743920146159169392"

static void test_order_and_range(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	uint32_t other = put_stream(r, "", "arn:other", "other");
	const struct fragment rows[] = {
		frag("30", 2000, 9000, 1),
		frag("4", 1000, 8000, 2),
		/* three of one millisecond: shorter numbers go first */
		frag("12", 3000, 7001, 3),
		frag(LONG, 3000, 7002, 4),
		frag("9", 3000, 7000, 5),
		frag("11", 3000, 7003, 6),
		/* in the same second, but not the same millisecond */
		frag("1", 3001, 6000, 7),
	};
	const struct fragment its = frag("5", 2500, 8500, 99);
	struct fragment f;

	put_fragments(r, s, rows, G_N_ELEMENTS(rows));
	put_fragments(r, other, &its, 1);
	assert_slots(r, s, CATALOG_PRODUCER, ALL, ALIVE, INT64_MAX,
		     "2 1 5 6 3 4 7");
	assert_slots(r, s, CATALOG_SERVER, ALL, ALIVE, INT64_MAX,
		     "7 5 3 4 6 2 1");
	/* half open */
	assert_slots(r, s, CATALOG_PRODUCER, 1000, 3000, ALIVE, INT64_MAX,
		     "2 1");
	assert_slots(r, s, CATALOG_PRODUCER, 1001, 3001, ALIVE, INT64_MAX,
		     "1 5 6 3 4");
	assert_slots(r, s, CATALOG_PRODUCER, 3002, 9000, ALIVE, INT64_MAX, "");
	/* by server time, whatever the axis */
	assert_slots(r, s, CATALOG_PRODUCER, ALL, 7002, INT64_MAX, "2 1 6 4");
	/* what came in later */
	f = find(r, s, "12");
	assert_slots(r, s, CATALOG_PRODUCER, ALL, ALIVE, f.id, "2 1 3");
	assert_slots(r, other, CATALOG_PRODUCER, ALL, ALIVE, INT64_MAX, "99");
	assert_slots(r, other + 1, CATALOG_PRODUCER, ALL, ALIVE, INT64_MAX, "");
}

static void test_sizes(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	struct fragment f[] = {frag("1", 1000, 1000, 10),
			       frag("2", 2000, 2000, 20)};
	struct catalog_slot *all;
	static const struct {
		int64_t slack, pinned, first, second;
		bool shown;
	} steps[] = {
		{-1, -1, -1, -1, false},      {4096, -1, 4106, 4116, false},
		{4096, -1, 4106, 4116, true}, /* the first was shown */
		{8192, -1, 4106, 8212, true}, {8192, 100, 4106, 120, true},
	};

	f[0].length_ms = -5;
	f[1].length_ms = INT64_C(1) << 40;
	put_fragments(r, s, f, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		if (steps[i].slack > 0)
			catalog_set_slack(r->c, s, steps[i].slack, false, NULL,
					  NULL);
		if (steps[i].shown)
			catalog_show(r->c, s, CATALOG_PRODUCER, 1000, 1001,
				     4096);
		catalog_pin_slack(r->c, steps[i].pinned);
		settle(r);
		assert_int_equal(slots(r, s, CATALOG_PRODUCER, ALL, ALIVE,
				       INT64_MAX, &all),
				 2);
		assert_int_equal(all[0].file_bytes, steps[i].first);
		assert_int_equal(all[1].file_bytes, steps[i].second);
		assert_int_equal(all[0].shown, steps[i].shown);
		assert_false(all[1].shown);
		assert_int_equal(all[0].length_ms, 0);
		assert_int_equal(all[1].length_ms, INT32_MAX);
		free(all);
	}
}

/* ---- marks -------------------------------------------------------------- */

static void mark(struct room *r, int64_t id, enum catalog_verdict verdict,
		 int64_t format)
{
	int rc = 1;

	catalog_mark(r->c, id, verdict, format, keep_rc, &rc);
	settle(r);
	assert_int_equal(rc, 0);
}

static void test_marks(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	struct fragment f[] = {frag("1", 1000, 1000, 10),
			       frag("2", 2000, 2000, 20)};
	const int64_t big = INT64_C(0x7fedcba987654321);
	struct catalog_slot *all;
	enum catalog_verdict verdict;
	int64_t format;

	put_fragments(r, s, f, 2);
	f[0] = find(r, s, "1");
	f[1] = find(r, s, "2");
	assert_int_equal(catalog_mark_get(r->c, f[1].id, &verdict, &format),
			 -ENOENT);
	mark(r, f[1].id, CATALOG_NOT_FOUND, 0);
	mark(r, f[1].id, CATALOG_OTHER_FORMAT, big);
	mark(r, f[1].id + 100, CATALOG_UNFIT, 0); /* there is no such row */
	assert_int_equal(query(r, "SELECT count(*) FROM marks"), 1);
	room_shut(r);
	room_open(r);
	assert_int_equal(catalog_mark_get(r->c, f[1].id, &verdict, &format), 0);
	assert_int_equal(verdict, CATALOG_OTHER_FORMAT);
	assert_int_equal(format, big);
	assert_int_equal(
		slots(r, s, CATALOG_PRODUCER, ALL, ALIVE, INT64_MAX, &all), 2);
	assert_int_equal(all[0].verdict, CATALOG_USABLE);
	assert_int_equal(all[0].format, 0);
	assert_int_equal(all[1].verdict, CATALOG_OTHER_FORMAT);
	assert_int_equal(all[1].format, big);
	free(all);
}

static void test_marks_go_with_their_rows(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	struct fragment f[] = {frag("1", 1000, 1000, 10),
			       frag("2", 2000, 2000, 20),
			       frag("3", 3000, 3000, 30)};

	put_fragments(r, s, f, 3);
	for (size_t i = 0; i < 3; i++)
		mark(r, find(r, s, f[i].number).id, CATALOG_NO_CLUSTER, 0);
	catalog_expire(r->c, s, 2000);
	for (int i = 0; i < 4; i++)
		settle(r);
	assert_int_equal(query(r, "SELECT count(*) FROM marks"), 2);
	move_mark(r, s, HOUR_MS, true); /* they are settled */
	for (int call = 0; call < 2; call++) {
		/* Fragments that no interval holds go at the second call. */
		catalog_trim(r->c, 0);
		for (int i = 0; i < 50; i++)
			settle(r);
	}
	assert_int_equal(query(r, "SELECT count(*) FROM fragments"), 0);
	assert_int_equal(query(r, "SELECT count(*) FROM marks"), 0);
}

/* ---- formats ------------------------------------------------------------ */

static void test_formats(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	const char first[] = "the first\0that came", second[] = "another";
	const int64_t id = INT64_MAX;
	void *bytes = NULL;
	size_t n = 0;
	int rc = 1;

	assert_int_equal(catalog_format_get(r->c, s, id, &bytes, &n), -ENOENT);
	catalog_put_format(r->c, s, id, first, sizeof(first), keep_rc, &rc);
	catalog_put_format(r->c, s, id, second, sizeof(second), NULL, NULL);
	settle(r);
	assert_int_equal(rc, 0);
	room_shut(r);
	room_open(r);
	assert_int_equal(catalog_format_get(r->c, s, id, &bytes, &n), 0);
	assert_int_equal(n, sizeof(first));
	assert_memory_equal(bytes, first, n);
	free(bytes);
	assert_int_equal(catalog_format_get(r->c, s + 1, id, &bytes, &n),
			 -ENOENT);
	assert_int_equal(catalog_format_get(r->c, s, id - 1, &bytes, &n),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_order_and_range), T(test_sizes),
		T(test_marks),		 T(test_marks_go_with_their_rows),
		T(test_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
