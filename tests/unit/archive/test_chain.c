/* SPDX-License-Identifier: MIT */
/* That no sequence of listings, marks and clocks loses a fragment for ever. */
#include "world.h"

static int64_t mark_of(struct world *w)
{
	struct catalog_stream row;
	int64_t mark_ms;

	assert_int_equal(catalog_stream_get(w->catalog, w->stream, &row), 0);
	mark_ms = row.mark_ms;
	catalog_stream_release(&row);
	return mark_ms;
}

static bool has_row(struct world *w, guint i)
{
	struct fragment f;

	return catalog_fragment_find(
		       w->catalog, w->stream,
		       g_array_index(fake.fragments, struct fake_fragment, i)
			       .number,
		       &f) == 0;
}

/* ---- the index ---------------------------------------------------------- */

struct veto {
	int64_t server_ms; /* 0: none any more */
};

static int write_veto(struct index_conn *conn, void *arg)
{
	const struct veto *v = arg;
	g_autofree char *sql =
		v->server_ms ? g_strdup_printf(
				       "CREATE TRIGGER veto BEFORE INSERT ON "
				       "fragments WHEN new.server_ms = "
				       "%" G_GINT64_FORMAT " BEGIN "
				       "SELECT RAISE(ABORT, 'veto'); END",
				       v->server_ms)
			     : g_strdup("DROP TRIGGER veto");
	struct sqlite3_stmt *s = index_prepare(conn, g_intern_string(sql));

	return s ? index_exec(s) : -EIO;
}

static int write_nothing(struct index_conn *conn, void *arg)
{
	return 0;
}

/* A page that could not be kept is not known with the rest. */
static void test_page_that_cannot_be_kept(void **state)
{
	struct world *w = *state;
	struct veto v = {g_array_index(fake.fragments, struct fake_fragment, 3)
				 .server_ms};

	atomic_store(&fake.page_rows, 30);
	open_archive(w);
	assert_int_equal(index_run(w->ix, write_veto, &v), 0);
	assert_int_equal(list_hour(w), -EIO);
	assert_int_equal(atomic_load(&fake.lists), 1);
	v.server_ms = 0;
	assert_int_equal(index_run(w->ix, write_veto, &v), 0);
	assert_int_equal(list_hour(w), 0);
	for (guint i = 0; i < N_FRAGMENTS; i++)
		assert_true(has_row(w, i));
	close_archive(w);
}

/* ---- clocks ------------------------------------------------------------- */

/* A mark of a clock that was wrong is not believed until it comes true. */
static void test_mark_ahead_of_time(void **state)
{
	struct world *w = *state;

	atomic_fetch_add(&skew_ms, 2 * UTC_HOUR_MS);
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_true(archive_settled(w->a, w->stream, w->hour_ms,
				    w->hour_ms + UTC_HOUR_MS));
	atomic_fetch_sub(&skew_ms, 2 * UTC_HOUR_MS);
	assert_false(archive_settled(w->a, w->stream, w->hour_ms,
				     w->hour_ms + UTC_HOUR_MS));
	add_fragment(w->hour_ms + 7, test_realtime(NULL) - 300000, 3000, 0);
	assert_int_equal(list_hour(w), 0);
	assert_true(has_row(w, N_FRAGMENTS));
	assert_in_range(mark_of(w), 0, test_realtime(NULL));
	close_archive(w);
}

/*
 * Corrected while nobody looks: the mark must not wait for its time to come,
 * when the gap before it would seem to have been seen.
 */
static void test_clock_corrected_by_an_answer(void **state)
{
	struct world *w = *state;
	int64_t other = w->hour_ms - 3 * UTC_HOUR_MS;

	atomic_store(&fake.ahead_ms, 2 * UTC_HOUR_MS);
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.ahead_ms, 0);
	assert_int_equal(list_range(w, other, other + UTC_HOUR_MS), 0);
	/* Behind the reset: the writer thread keeps the order. */
	assert_int_equal(list_range(w, other, other + UTC_HOUR_MS), 0);
	assert_in_range(mark_of(w), 0, test_realtime(NULL) + 1000);
	add_fragment(w->hour_ms + 7, test_realtime(NULL) - UTC_HOUR_MS, 3000,
		     0);
	atomic_fetch_add(&skew_ms, 2 * UTC_HOUR_MS);
	assert_int_equal(list_hour(w), 0);
	assert_true(has_row(w, N_FRAGMENTS));
	close_archive(w);
}

/* ---- refusals ----------------------------------------------------------- */

static void test_refused_catch_up_moves_no_mark(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_fetch_add(&skew_ms, 100000);
	add_fragment(w->hour_ms + 7, test_realtime(NULL), 3000, 0);
	atomic_fetch_add(&skew_ms, 200000);
	atomic_store(&fake.list_rc, -ERANGE);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.list_rc, 0);
	atomic_fetch_add(&skew_ms, 10000);
	assert_int_equal(list_hour(w), 0);
	assert_true(has_row(w, N_FRAGMENTS));
	close_archive(w);
}

/* What had expired when it was listed comes back when it is kept longer. */
static void test_retention_is_raised(void **state)
{
	struct world *w = *state;

	atomic_store(&fake.retention_ms, UTC_HOUR_MS);
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_false(has_row(w, 5));
	atomic_store(&fake.retention_ms, 24 * UTC_HOUR_MS);
	reopen(w);
	assert_int_equal(list_hour(w), 0);
	assert_true(has_row(w, 5));
	close_archive(w);
}

static int64_t retention_of(struct world *w)
{
	g_autoptr(GPtrArray) streams = archive_streams(w->a);

	return ((struct archive_stream *)streams->pdata[0])->retention_ms;
}

/* A mount that stays up hears of it, too. */
static void test_retention_is_raised_while_mounted(void **state)
{
	struct world *w = *state;

	atomic_store(&fake.retention_ms, UTC_HOUR_MS);
	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_false(has_row(w, 5));
	atomic_store(&fake.retention_ms, 24 * UTC_HOUR_MS);
	atomic_fetch_add(&skew_ms, 61000);
	while (retention_of(w) != 24 * UTC_HOUR_MS) {
		atomic_fetch_add(&skew_ms, 6000);
		assert_int_equal(list_hour(w), 0);
	}
	assert_int_equal(list_hour(w), 0);
	assert_true(has_row(w, 5));
	close_archive(w);
}

/* ---- two processes ------------------------------------------------------ */

/*
 * One keeps the mark fresh, so that the other never asks; but its kernel must
 * hear of what came in, too.
 */
static void test_told_of_what_another_found(void **state)
{
	struct world *w = *state;
	struct world other = {
		.dir = w->dir, .settings = w->settings, .hour_ms = w->hour_ms};

	open_archive(w);
	open_archive(&other);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(list_hour(&other), 0);
	atomic_store(&w->added, 0);
	atomic_fetch_add(&skew_ms, TTL_MS + 1000);
	add_fragment(w->hour_ms + 7, test_realtime(NULL) - 500, 3000, 0);
	assert_int_equal(list_hour(&other), 0);
	atomic_store(&fake.lists, 0);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&fake.lists), 0);
	assert_int_equal(atomic_load(&w->added), 1);
	/* Once. */
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&w->added), 1);
	close_archive(&other);
	close_archive(w);
}

/* The same where the first question comes after the other has found it. */
static void test_told_of_what_came_before_the_first_question(void **state)
{
	struct world *w = *state;
	struct world other = {
		.dir = w->dir, .settings = w->settings, .hour_ms = w->hour_ms};

	open_archive(&other);
	assert_int_equal(list_hour(&other), 0);
	open_archive(w);
	atomic_fetch_add(&skew_ms, TTL_MS + 1000);
	add_fragment(w->hour_ms + 7, test_realtime(NULL) - 500, 3000, 0);
	assert_int_equal(list_hour(&other), 0);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(atomic_load(&w->added), 1);
	close_archive(w);
	close_archive(&other);
}

/* ---- a catalog that makes room ------------------------------------------ */

static void test_told_of_what_was_forgotten(void **state)
{
	struct world *w = *state;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	catalog_trim(w->catalog, 0);
	/* It posts itself again until nothing more may go. */
	while (atomic_load(&w->forgotten) < N_FRAGMENTS)
		assert_int_equal(index_run(w->ix, write_nothing, NULL), 0);
	/* Pages are given back after the last row, a few thousand at a time. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(index_run(w->ix, write_nothing, NULL), 0);
	assert_false(has_row(w, 5));
	assert_int_equal(list_hour(w), 0);
	assert_true(has_row(w, 5));
	close_archive(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_page_that_cannot_be_kept),
		T(test_mark_ahead_of_time),
		T(test_clock_corrected_by_an_answer),
		T(test_refused_catch_up_moves_no_mark),
		T(test_retention_is_raised),
		T(test_retention_is_raised_while_mounted),
		T(test_told_of_what_another_found),
		T(test_told_of_what_came_before_the_first_question),
		T(test_told_of_what_was_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
