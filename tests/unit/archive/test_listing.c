/* SPDX-License-Identifier: MIT */
/* What is listed, how often, and what is known of it afterwards. */
#include "world.h"

/* ---- listing ------------------------------------------------------------ */

static void test_list_pages(void **state)
{
	struct world *w = *state;
	struct fragment out[N_FRAGMENTS + 1];

	atomic_store(&fake.page_rows, 50);
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 2);
	assert_int_equal(catalog_page(w->catalog, w->stream, CATALOG_PRODUCER,
				      w->hour_ms, w->hour_ms + UTC_HOUR_MS, 0,
				      INT64_MIN, 0, out, N_FRAGMENTS + 1),
			 N_FRAGMENTS);
	/* Known, fresh and over: nobody is asked again. */
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 2);
	assert_true(archive_settled(w->a, w->stream, w->hour_ms,
				    w->hour_ms + UTC_HOUR_MS));
	close_archive(w);
}

static void test_empty_pages_prove_nothing(void **state)
{
	struct world *w = *state;

	atomic_store(&fake.empty_pages, 3);
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 4);
	row(w, N_FRAGMENTS - 1);
	close_archive(w);
}

static void test_mark_moves_by_one_call(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.lists, 0);
	atomic_fetch_add(&skew_ms, TTL_MS + 1000);
	/* A late upload, with an old producer time. */
	add_fragment(w->hour_ms + 7, test_realtime(NULL) - 500, 3000, 0);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 1);
	row(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&w->added), 1);
	close_archive(w);
}

static void test_remount_asks_nothing_settled(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	reopen(w);
	atomic_store(&fake.lists, 0);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 0);
	close_archive(w);
}

static void test_old_mark_lists_anew(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	/* Arrived in the gap, into a bucket that was listed before it. */
	atomic_fetch_add(&skew_ms, 2 * UTC_HOUR_MS);
	add_fragment(w->hour_ms + 9, test_realtime(NULL) - UTC_HOUR_MS, 3000,
		     0);
	atomic_store(&fake.lists, 0);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 1);
	row(w, N_FRAGMENTS);
	close_archive(w);
}

static void test_offline_shows_what_is_known(void **state)
{
	struct world *w = *state;
	int64_t other = w->hour_ms - 5 * UTC_HOUR_MS;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.list_rc, -ETIMEDOUT);
	atomic_fetch_add(&skew_ms, TTL_MS + 1000);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(list_range(w, other, other + UTC_HOUR_MS), -ETIMEDOUT);
	/* Back again: nothing of the failure is remembered. */
	atomic_store(&fake.list_rc, 0);
	assert_int_equal(list_range(w, other, other + UTC_HOUR_MS), 0);
	close_archive(w);
}

/* Nobody takes what was not to be found out for what is not there. */
static void test_offline_nothing_is_said_to_be_absent(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.list_rc, -EACCES);
	atomic_fetch_add(&skew_ms, TTL_MS + 1000);
	/* The second is answered without a try. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(list_how(w, w->hour_ms,
					  w->hour_ms + UTC_HOUR_MS,
					  ARCHIVE_LIST_FRESH),
				 -EACCES);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.list_rc, 0);
	close_archive(w);
}

/* A service that answers is waited for, however long that takes. */
static void test_slow_but_whole(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_fetch_add(&skew_ms, 2 * UTC_HOUR_MS);
	add_fragment(w->hour_ms + 9, test_realtime(NULL) - UTC_HOUR_MS, 3000,
		     0);
	atomic_store(&fake.answers, true);
	atomic_store(&fake.list_delay_ms, 2200);
	assert_int_equal(list_hour(w), 0);
	row(w, N_FRAGMENTS);
	/* One that does not is not. */
	atomic_fetch_add(&skew_ms, 2 * UTC_HOUR_MS);
	atomic_store(&fake.answers, false);
	atomic_store(&fake.list_delay_ms, 60000);
	assert_int_equal(list_hour(w), 0);
	close_archive(w);
}

/* It is asked for again until it is let in, and asks no more once closed. */
static void test_throttled(void **state)
{
	struct world *w = *state;
	struct reply r;

	for (int round = 0; round < 2; round++) {
		open_archive(w);
		atomic_store(&fake.lists, 0);
		atomic_store(&fake.list_rc, -EBUSY);
		reply_init(&r);
		archive_list(w->a, archive_ticket_new(w->a), w->stream,
			     w->hour_ms - round * UTC_HOUR_MS,
			     w->hour_ms + (1 - round) * UTC_HOUR_MS,
			     ARCHIVE_LIST_KNOWN, reply_in, &r);
		while (atomic_load(&fake.lists) < 3)
			g_usleep(1000);
		if (round == 0) {
			atomic_store(&fake.list_rc, 0);
			assert_int_equal(reply_wait(&r), 0);
			row(w, N_FRAGMENTS - 1);
		}
		close_archive(w);
		assert_int_equal(reply_wait(&r), round == 0 ? 0 : -EIO);
		reply_release(&r);
	}
}

static void test_list_errors(void **state)
{
	static const struct {
		int kvs, want;
	} cases[] = {
		{-EACCES, -EACCES},
		{-ENOENT, -ENOENT},
		{-EBUSY, -ETIMEDOUT},
		{-ETIMEDOUT, -ETIMEDOUT},
		{-EPROTO, -EIO},
		{-EIO, -EIO},
		{-ERANGE, 0 /* an empty folder, not an error */},
	};
	struct world *w = *state;

	w->timeout_ms = 300;
	open_archive(w);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t t = w->hour_ms - (3 + (int64_t)i) * UTC_HOUR_MS;

		atomic_store(&fake.list_rc, cases[i].kvs);
		assert_int_equal(list_range(w, t, t + UTC_HOUR_MS),
				 cases[i].want);
	}
	close_archive(w);
}

static void test_many_ask_one_listing(void **state)
{
	struct world *w = *state;
	struct reply r[16];

	open_archive(w);
	for (size_t i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		archive_list(w->a, archive_ticket_new(w->a), w->stream,
			     w->hour_ms, w->hour_ms + UTC_HOUR_MS,
			     ARCHIVE_LIST_KNOWN, reply_in, &r[i]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(r); i++) {
		assert_int_equal(reply_wait(&r[i]), 0);
		reply_release(&r[i]);
	}
	assert_int_equal(atomic_load(&fake.lists), 1);
	close_archive(w);
}

/* ---- surveying ---------------------------------------------------------- */

static enum archive_state state_of(struct world *w, int64_t start_ms,
				   int64_t end_ms)
{
	g_autoptr(GPtrArray) streams = NULL;
	const struct archive_stream *s = archive_stream_by_id(w->a, w->stream,
							      &streams);

	return archive_state(w->a, s, start_ms, end_ms);
}

static void test_survey_sparse(void **state)
{
	struct world *w = *state;
	int64_t h = w->hour_ms;

	open_archive(w);
	assert_int_equal(
		survey(w, h - 10 * UTC_HOUR_MS, h + UTC_HOUR_MS, UTC_HOUR_MS),
		0);
	assert_int_equal(atomic_load(&fake.lists), 1);
	assert_int_equal(state_of(w, h, h + UTC_HOUR_MS), ARCHIVE_HOLDS);
	assert_int_equal(state_of(w, h - UTC_HOUR_MS, h), ARCHIVE_EMPTY);
	close_archive(w);
}

static void test_survey_dense(void **state)
{
	struct world *w = *state;
	int64_t h = w->hour_ms;
	int held = 0, empty = 0;

	/* Another hour with something, and a page that holds little. */
	for (int i = 0; i < 50; i++)
		add_fragment(h - 6 * UTC_HOUR_MS + i * STEP_MS,
			     h - 6 * UTC_HOUR_MS + i * STEP_MS, 100, 0);
	atomic_store(&fake.page_rows, 20);
	open_archive(w);
	assert_int_equal(
		survey(w, h - 12 * UTC_HOUR_MS, h + UTC_HOUR_MS, UTC_HOUR_MS),
		0);
	for (int i = -12; i <= 0; i++) {
		enum archive_state s = state_of(w, h + i * UTC_HOUR_MS,
						h + (i + 1) * UTC_HOUR_MS);

		held += s == ARCHIVE_HOLDS;
		empty += s == ARCHIVE_EMPTY;
	}
	assert_int_equal(held, 2);
	assert_int_equal(empty, 11);
	assert_in_range(atomic_load(&fake.lists), 2, 20);
	close_archive(w);
}

static void test_survey_empty_page_with_token(void **state)
{
	struct world *w = *state;
	int64_t h = w->hour_ms;

	atomic_store(&fake.empty_pages, 1000000);
	open_archive(w);
	assert_int_equal(
		survey(w, h - UTC_HOUR_MS, h + UTC_HOUR_MS, UTC_HOUR_MS), 0);
	assert_int_equal(state_of(w, h, h + UTC_HOUR_MS), ARCHIVE_UNKNOWN);
	assert_int_equal(state_of(w, h - UTC_HOUR_MS, h), ARCHIVE_UNKNOWN);
	close_archive(w);
}

static void test_survey_fails_where_nothing_is_known(void **state)
{
	struct world *w = *state;
	int64_t h = w->hour_ms;

	atomic_store(&fake.list_rc, -EACCES);
	open_archive(w);
	assert_int_equal(
		survey(w, h - UTC_HOUR_MS, h + UTC_HOUR_MS, UTC_HOUR_MS),
		-EACCES);
	close_archive(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_list_pages),
		T(test_empty_pages_prove_nothing),
		T(test_mark_moves_by_one_call),
		T(test_remount_asks_nothing_settled),
		T(test_old_mark_lists_anew),
		T(test_offline_shows_what_is_known),
		T(test_offline_nothing_is_said_to_be_absent),
		T(test_slow_but_whole),
		T(test_throttled),
		T(test_list_errors),
		T(test_many_ask_one_listing),
		T(test_survey_sparse),
		T(test_survey_dense),
		T(test_survey_empty_page_with_token),
		T(test_survey_fails_where_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
