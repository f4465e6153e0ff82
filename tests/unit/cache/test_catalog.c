/* SPDX-License-Identifier: MIT */
#include "tests/unit/cache/catalog_room.h"

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
	catalog_show(r->c, s, CATALOG_PRODUCER, ALL, 4096);
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
	settle(r);
	assert_false(find(r, s, "1").shown);
	assert_int_equal(find(r, s, "1").file_bytes, -1);

	catalog_set_slack(r->c, s, 1000, false, NULL, NULL);
	settle(r);
	assert_false(find(r, s, "1").shown);
	assert_int_equal(find(r, s, "1").file_bytes, 1100);

	/* The slack was raised after they were shown, before it is written. */
	catalog_set_slack(r->c, s, 1000, true, NULL, NULL); /* not more */
	catalog_set_slack(r->c, s, 5000, true, NULL, NULL);
	catalog_show(r->c, s, CATALOG_PRODUCER, 10, 20, 1000); /* half open */
	catalog_show(r->c, s, CATALOG_SERVER, 2, 3, 1000);     /* "2" */
	catalog_set_slack(r->c, s, 2000, true, NULL, NULL);    /* less */
	settle(r);
	assert_int_equal(stream_row(r, s).slack_bytes, 5000);
	assert_true(find(r, s, "1").shown);
	assert_int_equal(find(r, s, "1").file_bytes, 1100);
	assert_int_equal(find(r, s, "2").file_bytes, 1200);
	assert_false(find(r, s, "3").shown);
	assert_int_equal(find(r, s, "3").file_bytes, 5300);

	got = find(r, s, "4");
	catalog_set_slack(r->c, s, 1, false, NULL, NULL);
	catalog_show_one(r->c, &got);
	settle(r);
	assert_int_equal(find(r, s, "4").file_bytes, 5400);
	assert_int_equal(find(r, s, "3").file_bytes, 301);

	catalog_set_payload(r->c, got.id, 8000, 8192, NULL, NULL);
	catalog_show_one(r->c, &got); /* read before it grew */
	settle(r);
	got = find(r, s, "4");
	assert_int_equal(got.payload_bytes, 8000);
	assert_int_equal(got.file_bytes, 8192);
	room_shut(r);
	room_open(r);
	assert_int_equal(find(r, s, "4").file_bytes, 8192);
	assert_int_equal(find(r, s, "1").file_bytes, 1100);
}

/* A pinned slack is its handle's alone: nothing of it is written. */
static void test_pinned_slack(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	struct fragment f[] = {frag("1", 10, 1, 100), frag("2", 20, 2, 200)};
	struct catalog *own = r->c, *pinned = catalog_new(r->ix);
	struct fragment page[2];

	catalog_pin_slack(pinned, 7);
	put_fragments(r, s, f, 2);
	settle(r);
	r->c = pinned;
	assert_int_equal(find(r, s, "1").file_bytes, 107);
	assert_false(find(r, s, "1").shown);
	assert_int_equal(catalog_page(r->c, s, CATALOG_PRODUCER, 0, 100, 0,
				      INT64_MIN, 0, page, 2),
			 2);
	assert_int_equal(page[1].file_bytes, 207);
	assert_int_equal(stream_row(r, s).slack_bytes, -1);

	catalog_show(r->c, s, CATALOG_PRODUCER, 10, 11, 7);
	catalog_set_slack(r->c, s, 4096, true, NULL, NULL);
	settle(r);
	assert_int_equal(find(r, s, "2").file_bytes, 207);
	r->c = own;
	assert_true(find(r, s, "1").shown);
	assert_int_equal(find(r, s, "1").file_bytes, 107);
	assert_int_equal(find(r, s, "2").file_bytes, 200 + 4096);
	catalog_free(pinned);
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
		int rc;
		int64_t start_ms, end_ms, alive_ms, first_ms, last_ms;
	} cases[] = {
		{CATALOG_PRODUCER, 0, ALL, ALIVE, -50, 500},
		{CATALOG_PRODUCER, 0, -49, 500, ALIVE, -10, 400},
		{CATALOG_PRODUCER, -ENOENT, 1, 100, ALIVE, 0, 0},
		{CATALOG_PRODUCER, 0, ALL, 980, -50, 0},
		{CATALOG_PRODUCER, -ENOENT, 1, 1000, 980, 0, 0},
		{CATALOG_SERVER, 0, ALL, ALIVE, 910, 1000},
		{CATALOG_SERVER, 0, ALL, 975, 980, 1000},
		{CATALOG_SERVER, -ENOENT, ALL, 1001, 0, 0},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_streams), T(test_no_such_stream),
		T(test_rows),	 T(test_listed_again),
		T(test_sizes),	 T(test_pinned_slack),
		T(test_pages),	 T(test_edges),
		T(test_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
