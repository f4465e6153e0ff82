/* SPDX-License-Identifier: MIT */
#include "tests/unit/cache/catalog_room.h"

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

/* Of a fragment every two seconds: what is known holds it, on both axes. */
static void known_is_whole(struct room *r, uint32_t s)
{
	for (int64_t ms = 0; ms < 10 * HOUR_MS; ms += 1000) {
		int axis = ms % 2000 ? CATALOG_SERVER : CATALOG_PRODUCER;
		int64_t at = ms % 2000 ? ms - 500 : ms;
		int64_t t;

		if (knowledge(r, s, axis, at, at + 1) == CATALOG_KNOWN)
			assert_int_equal(catalog_next_time(r->c, s, axis, at,
							   at + 1, ALIVE, &t),
					 0);
	}
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

	known_is_whole(r, s);

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
	/* Those that a listing may just have brought stay. */
	catalog_trim(r->c, 0);
	settle_trim(r);
	assert_int_equal(stream_row(r, s).fragments, 3 * 1800);
	catalog_trim(r->c, 0);
	settle_trim(r);
	assert_int_equal(stream_row(r, s).fragments, 1800);
	assert_int_equal(query(r, "SELECT min(producer_ms) FROM fragments"),
			 2 * HOUR_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_expire),
		T(test_trim),
		T(test_trim_loose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
