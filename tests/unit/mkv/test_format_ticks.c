/* SPDX-License-Identifier: MIT */
/* Milliseconds in ticks: the nearest, whatever the unit. */
#include "fs/mkv/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void the_nearest_tick_is_taken(void **state)
{
	static const struct {
		int64_t ms;
		uint64_t scale_ns;
		int64_t ticks;
	} cases[] = {
		{0, 1, 0},
		{0, 1000000000, 0},
		{7, 1000000, 7},
		{-7, 1000000, -7},
		{7, 100000, 70},
		{7, 1, 7000000},
		/* halves away from 0 */
		{1, 2000000, 1},
		{-1, 2000000, -1},
		{3, 2000000, 2},
		{-3, 2000000, -2},
		{499, 1000000000, 0},
		{500, 1000000000, 1},
		{-499, 1000000000, 0},
		{-500, 1000000000, -1},
		/* odd units have no halves */
		{1, 3, 333333},
		{2, 3, 666667},
		{-2, 3, -666667},
		{3, 3000001, 1},
		{1, 2000001, 0},
		{1, 1999999, 1},
		/* a 90 kHz clock, rounded to nanoseconds; 292 years of it */
		{86400000, 11111, INT64_C(7776077761)},
		{INT64_C(9223372036854), 11111, INT64_C(830111784434704)},
		/* the ends of 64 bits */
		{INT64_MAX, 1000000, INT64_MAX},
		{INT64_MIN, 1000000, INT64_MIN},
		{INT64_MAX, 1000000000, INT64_C(9223372036854776)},
		{INT64_MIN, 1000000000, INT64_C(-9223372036854776)},
		{INT64_MAX, 1, INT64_MAX},
		{INT64_MIN, 1, INT64_MIN},
		{INT64_MAX, 999999, INT64_MAX},
		{INT64_MIN, 999999, INT64_MIN},
		{INT64_MAX, UINT64_MAX, 500000},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t ticks = mkv_ticks(cases[i].ms, cases[i].scale_ns);

		if (ticks != cases[i].ticks)
			fail_msg("case %zu: %" G_GINT64_FORMAT, i, ticks);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_tick_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
