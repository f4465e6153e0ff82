/* SPDX-License-Identifier: MIT */
#include "fs/view/movie_layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "fs/base/utc.h"

#define T_MS INT64_C(1795352700000) /* 2026-11-22T13:05:00Z */

struct row {
	int64_t t_ms; /* from T_MS */
	int32_t length_ms;
	int64_t number; /* and id; rows of one time come in its order */
	int64_t bytes;
};

static int by_id(void *user, int64_t a, int64_t b)
{
	return a < b ? -1 : 1;
}

static struct movie_layout *lay_out(const struct row *rows, size_t n)
{
	g_autofree struct catalog_slot *slots = g_new0(struct catalog_slot, n);

	for (size_t i = 0; i < n; i++)
		slots[i] = (struct catalog_slot){
			.id = rows[i].number,
			.t_ms = T_MS + rows[i].t_ms,
			.length_ms = rows[i].length_ms,
			.file_bytes = rows[i].bytes ? rows[i].bytes : 1000,
		};
	return movie_layout_new(slots, n, by_id, NULL);
}

static struct movie_layout *sealed(const struct row *rows, size_t n)
{
	struct movie_layout *l = lay_out(rows, n);

	movie_layout_seal(l, "cam", true);
	return l;
}

/* ---- who stays ---------------------------------------------------------- */

static void test_who_stays(void **state)
{
	static const struct {
		const char *what, *stays; /* '+' stays, '-' is lost */
		struct row rows[5];
	} cases[] = {
		{"one after the other",
		 "+++",
		 {{0, 960, 1, 0}, {1000, 960, 2, 0}, {2000, 960, 3, 0}}},
		{"the same start: the lowest number",
		 "+-+",
		 {{0, 960, 1, 0}, {0, 960, 2, 0}, {1000, 960, 3, 0}}},
		{"the same start, of which one is longer",
		 "+-",
		 {{0, 100, 1, 0}, {0, 5000, 2, 0}}},
		{"the same start without length",
		 "+--",
		 {{0, 0, 1, 0}, {0, 0, 2, 0}, {0, 0, 3, 0}}},
		{"half of the shorter is not more than half",
		 "++",
		 {{0, 2000, 1, 0}, {1000, 2000, 2, 0}}},
		{"more than half of the shorter",
		 "+-",
		 {{0, 2000, 1, 0}, {999, 2000, 2, 0}}},
		{"the later one has the lower number",
		 "-+",
		 {{0, 2000, 2, 0}, {999, 2000, 1, 0}}},
		{"inside a longer one",
		 "+-",
		 {{0, 9000, 1, 0}, {4000, 1000, 2, 0}}},
		{"a chain: who is lost takes nobody along",
		 "+-+",
		 {{0, 2000, 1, 0}, {900, 2000, 2, 0}, {1800, 2000, 3, 0}}},
		{"one beats several that stayed",
		 "--+",
		 {{0, 2000, 8, 0}, {1500, 2000, 9, 0}, {500, 2900, 1, 0}}},
		{"a moment inside a span is no conflict",
		 "++",
		 {{0, 2000, 1, 0}, {1000, 0, 2, 0}}},
		{"a moment does not hide the span before it",
		 "++-",
		 {{0, 2000, 1, 0}, {100, 0, 2, 0}, {200, 2000, 3, 0}}},
		{"two recorders at once",
		 "+-+-+",
		 {{0, 1960, 1, 0},
		  {700, 1960, 11, 0},
		  {2000, 1960, 2, 0},
		  {2700, 1960, 12, 0},
		  {4000, 1960, 3, 0}}},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		size_t n = strlen(cases[i].stays);
		g_autofree struct row *rows = g_memdup2(cases[i].rows,
							n * sizeof(struct row));
		struct movie_layout *l;

		/* As the catalog gives them: by time, then number. */
		for (size_t k = 1; k < n; k++)
			if (rows[k].t_ms < rows[k - 1].t_ms) {
				struct row swap = rows[k];

				rows[k] = rows[k - 1];
				rows[k - 1] = swap;
			}
		l = lay_out(rows, n);
		for (size_t k = 0; k < n; k++) {
			bool stays = !l->slots[k].lost;

			if (i == 9) /* sorted: 8, 1, 9 */
				assert_true(stays == (k == 1));
			else if (stays != (cases[i].stays[k] == '+'))
				fail_msg("%s: slot %zu", cases[i].what, k);
			assert_true(stays != l->slots[k].left_out);
		}
		movie_layout_free(l);
	}
}

static void test_many_moments_are_fast(void **state)
{
	const size_t n = 300000;
	g_autofree struct row *rows = g_new0(struct row, n);
	int64_t before_us = g_get_monotonic_time();
	struct movie_layout *l;

	for (size_t i = 0; i < n; i++)
		rows[i] = (struct row){(int64_t)i * 40, 0, (int64_t)i + 1, 0};
	l = sealed(rows, n);
	assert_int_equal(l->n_left_out, 0);
	movie_layout_free(l);
	/* Some 50 ms; were it quadratic, minutes. */
	assert_true(g_get_monotonic_time() - before_us < 10 * G_USEC_PER_SEC);
}

/* ---- which are in it ---------------------------------------------------- */

static void test_reach(void **state)
{
	static const struct {
		struct catalog_slot rows[3];
		size_t n;
		bool reach;
		size_t first;
	} cases[] = {
		{{{.t_ms = 10, .length_ms = 5}, {.t_ms = 20}}, 2, true, 1},
		{{{.t_ms = 10, .length_ms = 10}, {.t_ms = 20}}, 2, true, 1},
		{{{.t_ms = 10, .length_ms = 11}, {.t_ms = 20}}, 2, true, 0},
		{{{.t_ms = 10, .length_ms = 11}, {.t_ms = 20}}, 2, false, 1},
		{{{.t_ms = 5, .length_ms = 90}, {.t_ms = 10}, {.t_ms = 20}},
		 3,
		 true,
		 2},
		{{{.t_ms = 10, .length_ms = 15},
		  {.t_ms = 10, .length_ms = 15},
		  {.t_ms = 20}},
		 3,
		 true,
		 0},
		{{{.t_ms = 10, .length_ms = 15}}, 1, true, 0},
		{{{.t_ms = 10, .length_ms = 15}}, 1, false, 1},
		{{{.t_ms = 20}}, 1, true, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		size_t first, end;

		movie_layout_choose(cases[i].rows, cases[i].n, 20,
				    cases[i].reach, &first, &end);
		if (first != cases[i].first)
			fail_msg("case %zu begins with %zu", i, first);
		assert_int_equal(end, cases[i].n);
	}
}

/* ---- bytes -------------------------------------------------------------- */

static void test_bytes(void **state)
{
	static const struct row rows[] = {
		{0, 960, 1, 100}, {1000, 960, 2, 7}, {2000, 960, 3, 50}};
	struct movie_layout *l = lay_out(rows, 3);
	int64_t start, end;

	movie_layout_leave_out(l, 1);
	movie_layout_leave_out(l, 2);
	movie_layout_seal(l, "cam", false);
	assert_int_equal(l->slots_bytes, 157);
	assert_int_equal(l->head_bytes % 4096, 0);
	assert_int_equal(movie_layout_bytes(l), l->head_bytes + 157);
	assert_int_equal(l->n_left_out, 2);
	for (int64_t at = 0; at < 157; at++) {
		size_t slot = movie_layout_find(l, at);

		assert_true(l->slots[slot].at <= at);
		assert_true(movie_layout_end(l, slot) > at);
	}
	for (size_t slot = 1; slot < 3; slot++) {
		movie_layout_gap(l, slot, &start, &end);
		assert_int_equal(start, 100);
		assert_int_equal(end, 157);
	}
	movie_layout_free(l);
}

/* A verdict that comes later moves nothing. */
static void test_verdicts_move_nothing(void **state)
{
	for (size_t n = 1; n < 20000; n = n * 3 + 1) {
		g_autofree struct row *rows = g_new0(struct row, n);
		struct movie_layout *a, *b;

		for (size_t i = 0; i < n; i++)
			rows[i] = (struct row){(int64_t)i * 2000, 1960,
					       (int64_t)i + 1, 0};
		a = sealed(rows, n);
		b = lay_out(rows, n);
		for (size_t i = 0; i < n; i += 3)
			movie_layout_leave_out(b, i);
		movie_layout_seal(b, "cam", true);
		assert_int_equal(a->head_bytes, b->head_bytes);
		assert_int_equal(a->duration_ms, b->duration_ms);
		assert_true(a->fingerprint != b->fingerprint);
		movie_layout_free(a);
		movie_layout_free(b);
	}
}

static void test_fingerprints(void **state)
{
	static const struct row rows[] = {{0, 960, 1, 100}, {1000, 960, 2, 70}};
	struct row other[2];
	struct movie_layout *l = sealed(rows, 2), *m;

	for (unsigned what = 0; what < 5; what++) {
		memcpy(other, rows, sizeof(rows));
		other[1].t_ms += what == 1;
		other[1].length_ms += what == 2;
		other[1].bytes += what == 3;
		other[1].number += what == 4;
		m = sealed(other, 2);
		/* Another row that looks the same has the same bytes. */
		assert_true((m->fingerprint == l->fingerprint) ==
			    (what == 0 || what == 4));
		assert_true((m->rows_fingerprint == l->rows_fingerprint) ==
			    (what == 0));
		movie_layout_free(m);
	}
	movie_layout_free(l);
}

/* ---- time --------------------------------------------------------------- */

static void test_time(void **state)
{
	static const struct row rows[] = {
		{0, 960, 1, 0},	    /* the next begins 40 ms later */
		{1000, 1500, 2, 0}, /* reaches into the next */
		{2400, 960, 3, 0},  /* then a gap */
		{9000, 0, 4, 0},    /* no length */
		{9500, 960, 5, 0},  /* left out */
		{10500, 960, 6, 0}, /* the last */
	};
	static const struct movie_time want[] = {
		{0, 0, 960, T_MS + 1000},
		{1000, 960, 2400, T_MS + 2400},
		{2400, 2400, 3360, T_MS + 3360},
		{9000, 3360, 10500, T_MS + 10500},
		{0, 0, 0, 0},
		{10500, 10500, 11460 + UTC_HOUR_MS, T_MS + 11460},
	};
	struct movie_layout *l = lay_out(rows, G_N_ELEMENTS(rows));

	movie_layout_leave_out(l, 4);
	movie_layout_seal(l, "cam", true);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct movie_time t = movie_layout_time(l, i);

		if (i == 4)
			continue;
		assert_int_equal(t.at_ms, want[i].at_ms);
		assert_int_equal(t.from_ms, want[i].from_ms);
		assert_int_equal(t.to_ms, want[i].to_ms);
		assert_int_equal(t.wall_end_ms, want[i].wall_end_ms);
		assert_true(t.from_ms <= t.at_ms && t.at_ms <= t.to_ms);
	}
	assert_int_equal(l->duration_ms, 11460);
	assert_int_equal(l->newest_ms, T_MS + 10500);
	movie_layout_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_stays),
		cmocka_unit_test(test_many_moments_are_fast),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_verdicts_move_nothing),
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
