/* SPDX-License-Identifier: MIT */
/* Rates that give way to refusals, by a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fs/archive/internal.h"

static int64_t time_ms;

static int64_t the_time(void *user)
{
	return time_ms;
}

static const struct clock test_clock = {the_time, the_time, NULL};
static const struct kvs_error fine = {.rc = 0, .name = ""};
static const struct kvs_error busy = {.rc = -EBUSY,
				      .name = "ClientLimitExceededException"};

static void begin(struct archive *a, struct stream_state *st)
{
	time_ms = 1000000;
	a->o.clock = &test_clock;
	st->a = a;
	quota_init(st);
}

/* Takes one page after the other for a second; how many? */
static int pages_in_a_second(struct stream_state *st)
{
	int64_t until_ms = time_ms + 1000, wait_ms;
	int n = 0;

	while (time_ms < until_ms) {
		wait_ms = quota_list(st, KVS_LIST_MAX);
		time_ms += wait_ms;
		n += wait_ms == 0;
	}
	return n;
}

static void test_listing_yields(void **state)
{
	struct archive a = {.o.list_points_per_s = 10000};
	struct stream_state st = {0};
	int64_t asked_ms;

	begin(&a, &st);
	pages_in_a_second(&st); /* the burst */
	assert_in_range(pages_in_a_second(&st), 9, 11);
	/* Those that were asked at that time count once. */
	asked_ms = time_ms;
	time_ms += 100;
	for (int i = 0; i < 5; i++, time_ms += 2000)
		quota_list_done(&st, &busy, asked_ms);
	pages_in_a_second(&st);
	assert_in_range(pages_in_a_second(&st), 4, 6);
	/* One that was asked since then is news. */
	quota_list_done(&st, &busy, time_ms);
	pages_in_a_second(&st);
	assert_in_range(pages_in_a_second(&st), 2, 3);
	/* Never to nothing. */
	for (int i = 0; i < 9; i++, time_ms += 2000)
		quota_list_done(&st, &busy, time_ms);
	assert_true(st.list_points.rate.per_second >= KVS_LIST_MAX);
	/* Failures of other kinds are no reason to go faster. */
	time_ms += 6000;
	quota_list_done(&st, &(struct kvs_error){.rc = -EIO, .name = ""},
			time_ms);
	assert_true(st.list_points.rate.per_second <= KVS_LIST_MAX);
	for (int i = 0; i < 4; i++, time_ms += 6000)
		quota_list_done(&st, &fine, time_ms);
	pages_in_a_second(&st);
	assert_in_range(pages_in_a_second(&st), 9, 11);
	assert_int_equal(st.list_points.slowed_ms, 0);
}

static void test_media_yields(void **state)
{
	static const double set[] = {5, 0, 0.2};

	for (size_t i = 0; i < G_N_ELEMENTS(set); i++) {
		struct archive a = {.o.media_calls_per_s = set[i]};
		struct stream_state st = {0};
		const double *rate = &st.media_calls.rate.per_second;
		double first = set[i] > 0 ? set[i] / 2 : 5;

		begin(&a, &st);
		quota_media_take(&st, 1);
		quota_media_take(&st, 1);
		/* Two in flight are one. */
		quota_media_done(&st, &busy);
		quota_media_done(&st, &busy);
		assert_true(*rate > first * 0.99 && *rate < first * 1.01);
		for (int n = 0; n < 20; n++) {
			time_ms += 6000;
			quota_media_take(&st, 1);
			quota_media_done(&st, &fine);
		}
		assert_true(*rate >= set[i] && *rate <= set[i]);
		assert_int_equal(st.media_calls.slowed_ms, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listing_yields),
		cmocka_unit_test(test_media_yields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
