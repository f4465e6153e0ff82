/* SPDX-License-Identifier: MIT */
/* What is fetched before it is asked for: how much, and for whom. */
#include "world.h"

#define AMPLE (INT64_C(64) << 20)

static void begin(struct world *w, int64_t readahead_bytes)
{
	w->readahead_bytes = readahead_bytes;
	ready(w);
	atomic_store(&fake.numbers_asked, 0);
}

/* Until the network thread has seen all that was said so far. */
static void pass(struct world *w)
{
	struct reply r;

	reply_init(&r);
	archive_refresh_streams(w->a, archive_ticket_new(w->a), reply_in, &r);
	assert_int_equal(reply_wait(&r), 0);
	reply_release(&r);
}

/* Nothing is under way, and nothing will be by itself. */
static void settle(struct world *w)
{
	for (int quiet = 0; quiet < 3;) {
		pass(w);
		quiet = atomic_load(&fake.open_medias) ? 0 : quiet + 1;
	}
}

static int asked(struct world *w)
{
	settle(w);
	return atomic_load(&fake.numbers_asked);
}

static void wait_for(struct world *w, int numbers)
{
	while (atomic_load(&fake.numbers_asked) < numbers)
		pass(w);
}

static bool has(struct world *w, guint i)
{
	struct fragment f = row(w, i);

	return archive_cached(w->a, &f);
}

static void comes(struct world *w, guint i)
{
	while (!has(w, i))
		pass(w);
}

static void test_one_is_one(void **state)
{
	struct world *w = *state;

	begin(w, AMPLE);
	assert_content(w, 10);
	assert_content(w, 10);
	assert_int_equal(asked(w), 1);
	close_archive(w);
}

static void test_here_and_there(void **state)
{
	static const guint places[] = {40, 20, 38, 12, 22, 11};
	struct world *w = *state;

	begin(w, AMPLE);
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		assert_content(w, places[i]);
	assert_int_equal(asked(w), G_N_ELEMENTS(places));
	close_archive(w);
}

static void test_off(void **state)
{
	struct world *w = *state;

	begin(w, 0);
	for (guint i = 10; i < 20; i++)
		assert_content(w, i);
	assert_int_equal(asked(w), 10);
	close_archive(w);
}

static void test_who_goes_on(void **state)
{
	struct world *w = *state;

	begin(w, AMPLE);
	assert_content(w, 10);
	assert_content(w, 11);
	wait_for(w, N_FRAGMENTS - 10);
	comes(w, N_FRAGMENTS - 1);
	/* Each once, and none before it. */
	for (guint i = 10; i < N_FRAGMENTS; i++)
		assert_content(w, i);
	assert_int_equal(asked(w), N_FRAGMENTS - 10);
	assert_false(has(w, 9));
	close_archive(w);
}

/* The first one is there before it is read: it was fetched for its size. */
static void test_from_the_first(void **state)
{
	struct world *w = *state;

	begin(w, AMPLE);
	assert_content(w, 0);
	assert_content(w, 1);
	wait_for(w, N_FRAGMENTS - 1);
	close_archive(w);
}

/* What is fetched and not read counts, whatever has arrived of it. */
static void test_budget(void **state)
{
	struct world *w = *state;
	int64_t file_bytes;

	begin(w, 45000);
	file_bytes = row(w, 12).file_bytes;
	assert_in_range(file_bytes, 11000, 15000);
	assert_content(w, 10);
	for (int i = 11; i < 20; i++) {
		assert_content(w, (guint)i);
		assert_int_equal(asked(w), i - 9 + 45000 / file_bytes);
	}
	close_archive(w);
}

static void test_two_readers_share(void **state)
{
	struct world *w = *state;
	int64_t each;

	begin(w, 90000);
	each = 90000 / 2 / row(w, 12).file_bytes;
	assert_content(w, 10);
	assert_content(w, 30);
	assert_content(w, 31);
	assert_content(w, 11);
	/* The first had all of it when it was alone. */
	for (guint i = 0; i < 6; i++) {
		assert_content(w, 12 + i);
		assert_content(w, 32 + i);
	}
	settle(w);
	for (int64_t i = 1; i <= each; i++) {
		comes(w, (guint)(17 + i));
		comes(w, (guint)(37 + i));
	}
	assert_false(has(w, (guint)(17 + each + 1)));
	assert_false(has(w, (guint)(37 + each + 1)));
	close_archive(w);
}

static void test_what_is_there_is_passed_over(void **state)
{
	struct world *w = *state;

	begin(w, AMPLE);
	assert_content(w, 15);
	assert_content(w, 20);
	assert_content(w, 10);
	assert_content(w, 11);
	wait_for(w, N_FRAGMENTS - 10);
	assert_int_equal(asked(w), N_FRAGMENTS - 10);
	close_archive(w);
}

/* Into an hour that nobody has listed, but not far: its end may be the end. */
static void test_across_the_hour(void **state)
{
	struct world *w = *state;
	int64_t next_ms = w->hour_ms + UTC_HOUR_MS;

	for (int i = 0; i < 20; i++)
		add_fragment(next_ms + i * STEP_MS, next_ms + i * STEP_MS + 300,
			     10000, -200);
	begin(w, INT64_C(8) * 45000);
	assert_content(w, N_FRAGMENTS - 2);
	assert_content(w, N_FRAGMENTS - 1);
	wait_for(w, 5);
	assert_int_equal(asked(w), 5);
	assert_int_equal(atomic_load(&fake.lists), 1);
	/* Once it went there it may go as far as it likes. */
	assert_content(w, N_FRAGMENTS);
	wait_for(w, 22);
	close_archive(w);
}

/* The other half of a call that is refused is nobody's error. */
static void test_failure_ahead_is_no_failure(void **state)
{
	struct world *w = *state;

	begin(w, AMPLE);
	assert_content(w, 10);
	atomic_store(&fake.not_found, 100000);
	assert_int_equal(read_file(w, row(w, 11).id, 0, 100, NULL), -EIO);
	atomic_store(&fake.not_found, 0);
	assert_content(w, 12);
	assert_content(w, 30);
	close_archive(w);
}

static void test_given_up(void **state)
{
	struct world *w = *state;
	archive_ticket t;
	struct reply r;

	begin(w, AMPLE);
	atomic_store(&fake.hold_media, true);
	reply_init(&r);
	t = archive_ticket_new(w->a);
	archive_read(w->a, t, row(w, 10).id, 0, 1 << 20, read_in, &r);
	while (!atomic_load(&fake.open_medias))
		pass(w);
	archive_cancel(w->a, t);
	assert_int_equal(reply_wait(&r), -EINTR);
	reply_release(&r);
	/* Nobody waits for it, so it is not fetched to its end. */
	while (atomic_load(&fake.open_medias))
		pass(w);
	atomic_store(&fake.hold_media, false);
	assert_content(w, 10);
	close_archive(w);
}

/* One that the cache could not take is no reason to read less ahead of all
   others. */
static void test_after_one_that_was_not_cached(void **state)
{
	struct world *w = *state;
	guint huge = N_FRAGMENTS;

	w->budget_bytes = 40 << 20;
	w->memory_bytes = 400000;
	/* The last, so that nobody goes on to it or from it. */
	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 3000, 100 << 20);
	begin(w, AMPLE);
	assert_int_equal(read_file(w, row(w, huge).id, 0, 100, NULL), 0);
	assert_content(w, 10);
	assert_content(w, 11);
	comes(w, N_FRAGMENTS - 1);
	close_archive(w);
}

/* Closing in the middle of it. */
static void test_closed(void **state)
{
	struct world *w = *state;

	begin(w, AMPLE);
	assert_content(w, 10);
	assert_content(w, 11);
	close_archive(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_is_one),
		T(test_here_and_there),
		T(test_off),
		T(test_who_goes_on),
		T(test_from_the_first),
		T(test_budget),
		T(test_two_readers_share),
		T(test_what_is_there_is_passed_over),
		T(test_across_the_hour),
		T(test_failure_ahead_is_no_failure),
		T(test_given_up),
		T(test_after_one_that_was_not_cached),
		T(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
