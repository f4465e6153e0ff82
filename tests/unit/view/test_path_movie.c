/* SPDX-License-Identifier: MIT */
/* path: names of movies. */
#include "fs/view/path.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "fs/base/utc.h"

static int64_t ms_of(int day, int hour, int minute, int second, int ms)
{
	struct utc u = {2026, 11, day, hour, minute, second, ms};
	int64_t t_ms = 0;

	assert_true(utc_to_ms(&u, &t_ms));
	return t_ms;
}

static void test_hours_and_days(void **state)
{
	int64_t day_ms = ms_of(22, 0, 0, 0, 0), start_ms;
	char name[PATH_NAME_SIZE];

	assert_int_equal(path_movie(PATH_DAY, day_ms, name), 14);
	assert_string_equal(name, "2026-11-22.mkv");
	assert_true(path_parse_movie_day(name, &start_ms));
	assert_int_equal(start_ms, day_ms);
	for (int hour = 0; hour < 24; hour++) {
		int64_t hour_ms = day_ms + hour * UTC_HOUR_MS;

		assert_int_equal(path_movie(PATH_HOUR, hour_ms, name), 17);
		assert_true(path_parse_movie_hour(day_ms, name, &start_ms));
		assert_int_equal(start_ms, hour_ms);
		assert_false(path_parse_movie_hour(day_ms + UTC_DAY_MS, name,
						   &start_ms));
	}
	assert_string_equal(name, "2026-11-22T23.mkv");
}

static void test_ranges(void **state)
{
	static const struct {
		const char *name;
		int day, hour, minute, second, ms;
		int64_t length_ms;
	} cases[] = {
		{"2026-11-22T13-05-00Z_2026-11-22T13-20-00Z.mkv", 22, 13, 5, 0,
		 0, 900000},
		{"2026-11-22T13-05-00.250Z_2026-11-22T13-05-00.251Z.mkv", 22,
		 13, 5, 0, 250, 1},
		{"2026-11-22T13-05-00Z_2026-11-22T13-05-00.001Z.mkv", 22, 13, 5,
		 0, 0, 1},
		{"2026-11-22T23-59-59Z_2026-11-23T00-00-01Z.mkv", 22, 23, 59,
		 59, 0, 2000},
		{"2026-11-01T00-00-00Z_2026-11-08T00-00-00Z.mkv", 1, 0, 0, 0, 0,
		 PATH_RANGE_MAX_MS},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t start_ms = 0, end_ms = 0;
		int64_t from_ms = ms_of(cases[i].day, cases[i].hour,
					cases[i].minute, cases[i].second,
					cases[i].ms);

		if (!path_parse_movie_range(cases[i].name, &start_ms, &end_ms))
			fail_msg("'%s' is no range", cases[i].name);
		assert_int_equal(start_ms, from_ms);
		assert_int_equal(end_ms - start_ms, cases[i].length_ms);
	}
}

static void test_what_is_no_movie(void **state)
{
	static const char *const names[] = {
		"",
		".mkv",
		"2026-11-22",
		"2026-11-22T13",
		"2026-11-22T24.mkv",
		"2026-11-22T1.mkv",
		"2026-11-22T013.mkv",
		"2026-11-22t13.mkv",
		"2026-02-30.mkv",
		"2026-11-22.mkv ",
		" 2026-11-22.mkv",
		"2026-11-22.MKV",
		"2026-11-22.mkv.part",
		"2026-11-22T13-05-00Z.mkv",
		"2026-11-22T13-05-00Z_.mkv",
		"2026-11-22T13-05-00Z_2026-11-22T13-20-00Z",
		"2026-11-22T13-05-00_2026-11-22T13-20-00.mkv",
		"2026-11-22T13-05-00Z-2026-11-22T13-20-00Z.mkv",
		"2026-11-22T13:05:00Z_2026-11-22T13:20:00Z.mkv",
		"2026-11-22T13-05-00.Z_2026-11-22T13-20-00Z.mkv",
		"2026-11-22T13-05-00.5Z_2026-11-22T13-20-00Z.mkv",
		"2026-11-22T13-05-00.5000Z_2026-11-22T13-20-00Z.mkv",
		"2026-11-22T13-05-60Z_2026-11-22T13-20-00Z.mkv",
		"2026-11-22T13-60-00Z_2026-11-22T14-20-00Z.mkv",
		/* empty, backwards, longer than seven days */
		"2026-11-22T13-05-00Z_2026-11-22T13-05-00Z.mkv",
		"2026-11-22T13-05-00Z_2026-11-22T13-04-59Z.mkv",
		"2026-11-01T00-00-00Z_2026-11-08T00-00-00.001Z.mkv",
		"0001-01-01T00-00-00Z_9999-12-31T23-59-59Z.mkv",
	};
	int64_t day_ms = ms_of(22, 0, 0, 0, 0), start_ms = 7, end_ms = 7;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (path_parse_movie_hour(day_ms, names[i], &start_ms) ||
		    path_parse_movie_day(names[i], &start_ms) ||
		    path_parse_movie_range(names[i], &start_ms, &end_ms))
			fail_msg("'%s' is a movie", names[i]);
	assert_int_equal(start_ms, 7);
	assert_int_equal(end_ms, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hours_and_days),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_what_is_no_movie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
