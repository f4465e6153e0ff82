/* SPDX-License-Identifier: MIT */
#include "tests/unit/cache/catalog_room.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_mark),
		T(test_knowledge_against_a_model),
		T(test_ten_years_of_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
