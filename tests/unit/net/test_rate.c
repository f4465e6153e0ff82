/* SPDX-License-Identifier: MIT */
#include "fs/net/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_burst_then_pace(void **state)
{
	struct rate r;

	rate_init(&r, 5, 5, 1000);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(rate_wait_ms(&r, 1, 1000), 0);
		rate_take(&r, 1, 1000);
	}
	for (int64_t now = 1000; now < 3000; now += 200) {
		assert_int_equal(rate_wait_ms(&r, 1, now), 200);
		assert_int_equal(rate_wait_ms(&r, 1, now + 150), 50);
		assert_int_equal(rate_wait_ms(&r, 1, now + 200), 0);
		rate_take(&r, 1, now + 200);
	}
	/* Idle time fills it up to the burst and no further. */
	assert_int_equal(rate_wait_ms(&r, 5, 1000000), 0);
	rate_take(&r, 5, 1000000);
	assert_int_equal(rate_wait_ms(&r, 1, 1000000), 200);
}

static void test_wait_takes_nothing(void **state)
{
	struct rate r;

	rate_init(&r, 10, 1, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(rate_wait_ms(&r, 1, 0), 0);
}

static void test_what_it_says_is_enough(void **state)
{
	/* Fractions that no double holds exactly. */
	static const double speeds[] = {0.1, 3, 7, 33.3, 499.99, 10000};

	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		struct rate r;
		int64_t now = 0;

		rate_init(&r, speeds[i], 1, 0);
		for (int n = 0; n < 1000; n++) {
			now += rate_wait_ms(&r, 0.7, now);
			assert_int_equal(rate_wait_ms(&r, 0.7, now), 0);
			rate_take(&r, 0.7, now);
		}
		/* Never faster than agreed: 999 * 0.7 beyond the burst. */
		assert_true((double)now * speeds[i] / 1000 >= 700 - 1.001);
	}
}

static void test_cost_above_burst(void **state)
{
	struct rate r;

	rate_init(&r, 500, 500, 0);
	assert_int_equal(rate_wait_ms(&r, 1000, 0), 0);
	rate_take(&r, 1000, 0);
	/* 500 in debt, and one to be earned. */
	assert_int_equal(rate_wait_ms(&r, 1, 0), 1002);
	assert_int_equal(rate_wait_ms(&r, 1000, 0), 2000);
	assert_int_equal(rate_wait_ms(&r, 1000, 2000), 0);
}

static void test_no_limit(void **state)
{
	struct rate r;

	rate_init(&r, 0, 0, 0);
	assert_int_equal(rate_wait_ms(&r, 1e12, 0), 0);
	rate_take(&r, 1e12, 0);
	assert_int_equal(rate_wait_ms(&r, 1e12, 0), 0);
}

static void test_set(void **state)
{
	struct rate r;

	rate_init(&r, 10, 10, 0);
	rate_take(&r, 10, 0);
	rate_set(&r, 5, 500); /* 5 tokens earned at the old speed stay */
	assert_int_equal(rate_wait_ms(&r, 5, 500), 0);
	rate_take(&r, 5, 500);
	assert_int_equal(rate_wait_ms(&r, 1, 500), 200);
	rate_set(&r, 0, 500);
	assert_int_equal(rate_wait_ms(&r, 100, 500), 0);
	/* Time without a limit earns nothing. */
	rate_set(&r, 1, 100000);
	assert_int_equal(rate_wait_ms(&r, 1, 100000), 1000);
}

static void test_clock_goes_back(void **state)
{
	struct rate r;

	rate_init(&r, 1, 1, 5000);
	rate_take(&r, 1, 5000);
	assert_int_equal(rate_wait_ms(&r, 1, 1000), 1000);
	assert_int_equal(rate_wait_ms(&r, 1, 6000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_then_pace),
		cmocka_unit_test(test_wait_takes_nothing),
		cmocka_unit_test(test_what_it_says_is_enough),
		cmocka_unit_test(test_cost_above_burst),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_clock_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
