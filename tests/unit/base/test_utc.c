/* SPDX-License-Identifier: MIT */
#include "fs/base/utc.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* Milliseconds by Python's datetime. */
static const struct {
	int64_t ms;
	struct utc utc;
	const char *iso;
} times[] = {
	{0, {1970, 1, 1, 0, 0, 0, 0}, "1970-01-01T00:00:00.000Z"},
	{-1, {1969, 12, 31, 23, 59, 59, 999}, "1969-12-31T23:59:59.999Z"},
	{-1000, {1969, 12, 31, 23, 59, 59, 0}, "1969-12-31T23:59:59.000Z"},
	{-1001, {1969, 12, 31, 23, 59, 58, 999}, "1969-12-31T23:59:58.999Z"},
	{INT64_C(1795352702513),
	 {2026, 11, 22, 13, 5, 2, 513},
	 "2026-11-22T13:05:02.513Z"},
	{INT64_C(951782400000),
	 {2000, 2, 29, 0, 0, 0, 0},
	 "2000-02-29T00:00:00.000Z"},
	{INT64_C(1709251199999),
	 {2024, 2, 29, 23, 59, 59, 999},
	 "2024-02-29T23:59:59.999Z"},
	{INT64_C(1709251200000),
	 {2024, 3, 1, 0, 0, 0, 0},
	 "2024-03-01T00:00:00.000Z"},
	{INT64_C(4107542400000),
	 {2100, 3, 1, 0, 0, 0, 0},
	 "2100-03-01T00:00:00.000Z"},
	/* one past what 32 bits of seconds hold */
	{INT64_C(2147483648000),
	 {2038, 1, 19, 3, 14, 8, 0},
	 "2038-01-19T03:14:08.000Z"},
	{INT64_C(-2208988800000),
	 {1900, 1, 1, 0, 0, 0, 0},
	 "1900-01-01T00:00:00.000Z"},
	{INT64_C(-62135596800000),
	 {1, 1, 1, 0, 0, 0, 0},
	 "0001-01-01T00:00:00.000Z"},
	{INT64_C(253402300799999),
	 {9999, 12, 31, 23, 59, 59, 999},
	 "9999-12-31T23:59:59.999Z"},
};

static void both_ways(void **state)
{
	for (size_t i = 0; i < N_OF(times); i++) {
		struct utc u = utc_from_ms(times[i].ms);
		char iso[UTC_ISO_SIZE];
		int64_t ms = 42;

		assert_memory_equal(&u, &times[i].utc, sizeof(u));
		assert_true(utc_to_ms(&times[i].utc, &ms));
		assert_int_equal(ms, times[i].ms);
		utc_format_iso(times[i].ms, iso);
		assert_string_equal(iso, times[i].iso);
	}
}

static void no_such_time(void **state)
{
	static const struct utc none[] = {
		{2026, 2, 30, 0, 0, 0, 0},   {2023, 2, 29, 0, 0, 0, 0},
		{2100, 2, 29, 0, 0, 0, 0},   {2026, 4, 31, 0, 0, 0, 0},
		{2026, 0, 1, 0, 0, 0, 0},    {2026, 13, 1, 0, 0, 0, 0},
		{2026, 1, 0, 0, 0, 0, 0},    {2026, 1, 32, 0, 0, 0, 0},
		{2026, 1, -1, 0, 0, 0, 0},   {2026, 1, 1, 24, 0, 0, 0},
		{2026, 1, 1, -1, 0, 0, 0},   {2026, 1, 1, 0, 60, 0, 0},
		{2026, 1, 1, 0, 0, 60, 0},   {2026, 1, 1, 0, 0, -1, 0},
		{2026, 1, 1, 0, 0, 0, 1000}, {2026, 1, 1, 0, 0, 0, -1},
		{0, 12, 31, 0, 0, 0, 0},     {10000, 1, 1, 0, 0, 0, 0},
		{-1, 1, 1, 0, 0, 0, 0},
	};

	for (size_t i = 0; i < N_OF(none); i++) {
		int64_t ms = 42;

		assert_false(utc_to_ms(&none[i], &ms));
		assert_int_equal(ms, 42);
	}
}

/* Fields as far off as an int goes are refused, not computed with. */
static void extreme_fields(void **state)
{
	static const int far[] = {INT32_MAX, INT32_MIN};

	for (size_t i = 0; i < N_OF(far); i++) {
		struct utc u[6];

		for (size_t k = 0; k < N_OF(u); k++)
			u[k] = (struct utc){2026, 1, 1, 0, 0, 0, 0};
		u[0].year = u[1].month = u[2].day = far[i];
		u[3].hour = u[4].minute = u[5].second = far[i];
		for (size_t k = 0; k < N_OF(u); k++) {
			int64_t ms;

			assert_false(utc_to_ms(&u[k], &ms));
		}
	}
}

static void floors(void **state)
{
	static const struct {
		int64_t t, step, floor;
	} cases[] = {
		{0, UTC_HOUR_MS, 0},
		{1, UTC_HOUR_MS, 0},
		{UTC_HOUR_MS - 1, UTC_HOUR_MS, 0},
		{UTC_HOUR_MS, UTC_HOUR_MS, UTC_HOUR_MS},
		{-1, UTC_HOUR_MS, -UTC_HOUR_MS},
		{-UTC_HOUR_MS, UTC_HOUR_MS, -UTC_HOUR_MS},
		{-UTC_HOUR_MS - 1, UTC_HOUR_MS, -2 * UTC_HOUR_MS},
		{INT64_C(1795352702513), UTC_MINUTE_MS, INT64_C(1795352700000)},
		{INT64_C(1795352702513), UTC_DAY_MS, INT64_C(1795305600000)},
		{7, 1, 7},
		{-7, 1, -7},
	};

	for (size_t i = 0; i < N_OF(cases); i++)
		assert_int_equal(utc_floor(cases[i].t, cases[i].step),
				 cases[i].floor);
}

/* Every day of 800 years is the one after the day before. */
static void every_day(void **state)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};
	int64_t ms = INT64_C(-11676096000000); /* 1600-01-01 */

	for (int y = 1600; y < 2400; y++) {
		bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

		for (int m = 1; m <= 12; m++) {
			int n = days[m - 1] + (m == 2 && leap);

			for (int d = 1; d <= n; d++, ms += UTC_DAY_MS) {
				struct utc u = {y, m, d, 0, 0, 0, 0};
				int64_t got;

				assert_true(utc_to_ms(&u, &got));
				assert_int_equal(got, ms);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(no_such_time),
		cmocka_unit_test(extreme_fields),
		cmocka_unit_test(floors),
		cmocka_unit_test(every_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
