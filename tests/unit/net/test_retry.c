/* SPDX-License-Identifier: MIT */
#include "fs/net/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_bounds(void **state)
{
	static const struct {
		unsigned attempt;
		int64_t high_ms;
	} cases[] = {
		{0, 100},   {1, 200},	{2, 400},	    {3, 800},
		{4, 1600},  {5, 3200},	{6, 5000},	    {7, 5000},
		{63, 5000}, {64, 5000}, {UINT32_MAX, 5000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(retry_delay_ms(cases[i].attempt, 0), 50);
		assert_int_equal(retry_delay_ms(cases[i].attempt, UINT32_MAX),
				 cases[i].high_ms);
	}
}

static void test_uniform(void **state)
{
	/* Half of the random numbers give the middle of the range. */
	assert_int_equal(retry_delay_ms(0, UINT32_C(1) << 31), 75);
	assert_int_equal(retry_delay_ms(6, UINT32_C(1) << 31), 2525);
	assert_int_equal(retry_delay_ms(6, UINT32_C(1) << 30), 1287);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_uniform),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
