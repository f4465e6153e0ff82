/* SPDX-License-Identifier: MIT */
/* tree: movies as files. */
#include "fs/base/utc.h"
#include "tests/unit/view/look.h"

#define DAY	     INT64_C(1795305600000) /* 2026-11-22 */
#define HOUR_13	     (DAY + 13 * UTC_HOUR_MS)
#define NOW	     (DAY + 30 * UTC_HOUR_MS)
#define RETENTION_MS (7 * UTC_DAY_MS)
#define TTL_MS	     5000
#define RANGE	     "2026-11-22T13-00-01.500Z_2026-11-22T13-00-04Z.mkv"

static uint64_t movies(void)
{
	struct result r = look(TREE_ROOT, "movies");

	assert_int_equal(r.rc, 0);
	return r.e.node;
}

static uint64_t day(void)
{
	struct result r = look(movies(), "2026-11-22");

	assert_int_equal(r.rc, 0);
	return r.e.node;
}

static void opened(void *user, int rc, struct tree_dir *d)
{
	assert_int_equal(rc, 0);
	*(struct tree_dir **)user = d;
}

static void assert_names(uint64_t node, const char *want)
{
	g_autoptr(GString) have = g_string_new(NULL);
	struct tree_dir *d = NULL;
	struct tree_dirent e;

	tree_dir_open(tree, 1, node, opened, &d);
	for (uint64_t at = 0; tree_dir_at(d, at, true, &e) == 1; at = e.next)
		if (e.name[0] != '.')
			g_string_append_printf(have, "%s%s",
					       have->len ? " " : "", e.name);
	tree_dir_close(d);
	assert_string_equal(have->str, want);
}

static void make_tree(enum tree_view view)
{
	struct tree_options o = {.view = view,
				 .bucket = TREE_HOUR,
				 .metadata_ttl_ms = TTL_MS,
				 .clock = true};

	tree_free(tree);
	tree = tree_new(NULL, &o);
}

static int setup(void **state)
{
	fake_begin(false);
	fake.now_ms = NOW;
	tree = NULL;
	make_tree(TREE_BOTH);
	fake_add_stream(1, "front-door", DAY - UTC_DAY_MS, RETENTION_MS);
	fake_add(11, HOUR_13 + 500, "5");
	fake_add(12, HOUR_13 + 2500, "6");
	return 0;
}

static int teardown(void **state)
{
	tree_free(tree);
	fake_end();
	return 0;
}

/* ---- folders ------------------------------------------------------------ */

static void test_views(void **state)
{
	static const struct {
		enum tree_view view;
		const char *names;
	} cases[] = {
		{TREE_FRAGMENTS, "fragments"},
		{TREE_MOVIES, "movies"},
		{TREE_BOTH, "fragments movies"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct tree_options o = {.view = cases[i].view,
					 .metadata_ttl_ms = TTL_MS};

		tree_free(tree);
		tree = tree_new(NULL, &o);
		assert_names(TREE_ROOT, cases[i].names);
	}
}

static void test_hours_are_resolved(void **state)
{
	assert_int_equal(fake.n_survey, 0);
	fake_know(DAY, HOUR_13); /* by the survey: not the hours after 13 */
	assert_names(day(), "2026-11-22T13.mkv 2026-11-22T14.mkv "
			    "2026-11-22T15.mkv 2026-11-22T16.mkv "
			    "2026-11-22T17.mkv 2026-11-22T18.mkv "
			    "2026-11-22T19.mkv 2026-11-22T20.mkv "
			    "2026-11-22T21.mkv 2026-11-22T22.mkv "
			    "2026-11-22T23.mkv");
	/* What was open still was listed, once. */
	assert_int_equal(fake.n_survey, 1);
	assert_int_equal(fake.n_list, 1);
	assert_int_equal(fake.start_ms, DAY);
	assert_int_equal(fake.end_ms, DAY + UTC_DAY_MS);
	fake_know(HOUR_13, DAY + UTC_DAY_MS);
	assert_names(day(), "2026-11-22T13.mkv");
	assert_int_equal(fake.n_list, 1);
}

static void test_impossible_names_are_not_asked_for(void **state)
{
	static const char *const bad[] = {
		"x", "2026-11-22T13.mkv", "2026-02-30.mkv", "2026-11-22.mp4",
		"2026-11-22T13-00-04Z_2026-11-22T13-00-01Z.mkv"};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct result r = look(movies(), bad[i]);

		assert_int_equal(r.rc, -ENOENT);
		assert_true(r.e.entry_ttl_ms == INT64_MAX);
		r = look(day(), i == 1 ? "2026-11-23T13.mkv" : bad[i]);
		assert_int_equal(r.rc, -ENOENT);
	}
	assert_int_equal(fake.n_list + fake.n_calibrate, 0);
}

/* ---- files -------------------------------------------------------------- */

static void test_a_movie_is_a_file(void **state)
{
	struct result r = look(day(), "2026-11-22T13.mkv"), again;

	assert_int_equal(r.rc, 0);
	assert_int_equal(r.e.st.st_mode, S_IFREG | 0444);
	/* Header and two files of 1000 + 4096 bytes. */
	assert_int_equal(r.e.st.st_size % 4096, 2 * (1000 + 4096) % 4096);
	assert_int_equal(r.e.st.st_mtim.tv_sec, (HOUR_13 + 2500) / 1000);
	assert_true(r.e.attr_ttl_ms == INT64_MAX);
	assert_true(tree_is_movie(r.e.node));
	again = attr(r.e.node);
	assert_int_equal(again.rc, 0);
	assert_int_equal(again.e.st.st_size, r.e.st.st_size);
	assert_int_equal(again.e.st.st_ino, r.e.st.st_ino);
	/* What will be shown of these sizes stays. */
	assert_int_equal(fake.n_show, 1);
	assert_int_equal(fake.n_whole, 0);
}

/* Sizes are the service's word. */
static void test_no_fragment_is_that_large(void **state)
{
	struct result r = look(day(), "2026-11-22T13.mkv"), again;

	fake_add(13, HOUR_13 + 4500, "7");
	fake_add(14, HOUR_13 + 6500, "8");
	for (guint i = 2; i < 4; i++)
		fake_row(i)->size_bytes = INT64_MAX / 4;
	again = look(day(), "2026-11-22T13.mkv");
	assert_int_equal(again.rc, 0);
	assert_int_equal(again.e.st.st_size, r.e.st.st_size);
}

static void test_other_ranges(void **state)
{
	struct result hour = look(day(), "2026-11-22T13.mkv");
	struct result whole = look(movies(), "2026-11-22.mkv");
	struct result range = look(movies(), RANGE);

	assert_int_equal(whole.rc, 0);
	assert_true(whole.e.node != hour.e.node);
	assert_true(whole.e.st.st_ino != hour.e.st.st_ino);
	/* The one that began before it and reaches into it, too. */
	assert_int_equal(range.rc, 0);
	assert_int_equal(range.e.st.st_size, hour.e.st.st_size);
	assert_int_equal(range.e.entry_ttl_ms, TTL_MS);
	assert_int_equal(look(day(), "2026-11-22T14.mkv").rc, -ENOENT);
	assert_int_equal(look(movies(), "2026-12-22.mkv").rc, -ENOENT);
}

static void test_sizes_wait_for_calibration(void **state)
{
	fake.slack_bytes = -1;
	assert_int_equal(look(day(), "2026-11-22T13.mkv").rc, 0);
	assert_int_equal(fake.n_calibrate, 1);
	fake.slack_bytes = -1;
	fake.rc = -ETIMEDOUT;
	assert_int_equal(look(movies(), "2026-11-22.mkv").rc, -ETIMEDOUT);
}

static void test_a_grown_hour_is_another_file(void **state)
{
	struct result before = look(day(), "2026-11-22T13.mkv"), after;

	fake_add(13, HOUR_13 + 4500, "7");
	after = look(day(), "2026-11-22T13.mkv");
	assert_true(after.e.node != before.e.node);
	assert_true(after.e.st.st_ino != before.e.st.st_ino);
	assert_int_equal(after.e.st.st_size, before.e.st.st_size + 5096);
	/* What is open stays as it is. */
	assert_int_equal(attr(before.e.node).e.st.st_size, before.e.st.st_size);
}

static void test_settled_hours_are_remembered(void **state)
{
	struct result r = look(day(), "2026-11-22T13.mkv");

	assert_int_equal(r.e.entry_ttl_ms, TTL_MS);
	assert_false(r.e.may_change);
	fake_know(HOUR_13, HOUR_13 + UTC_HOUR_MS);
	r = look(day(), "2026-11-22T13.mkv");
	/* Until the first of them expires. */
	assert_int_equal(r.e.entry_ttl_ms,
			 HOUR_13 + 507 - (NOW - RETENTION_MS));
	assert_true(r.e.may_change);
}

static void test_forgotten(void **state)
{
	struct result r = look(day(), "2026-11-22T13.mkv");
	uint64_t node = r.e.node;

	look(day(), "2026-11-22T13.mkv");
	tree_forget(tree, node, 1);
	assert_int_equal(attr(node).rc, 0);
	tree_forget(tree, node, 1);
	assert_int_equal(attr(node).rc, -ESTALE);
	assert_int_equal(look(day(), "2026-11-22T13.mkv").e.node, node);
	assert_int_equal(attr(node).rc, 0);
}

/* ---- reading ------------------------------------------------------------ */

static void read_rc(void *user, int rc, const struct archive_piece *pieces,
		    size_t n)
{
	*(int *)user = rc;
}

static void test_trouble_is_told(void **state)
{
	uint64_t node = look(day(), "2026-11-22T13.mkv").e.node;
	int rc = 1;

	fake.whole_rc = -ETIMEDOUT;
	tree_read(tree, 1, node, 0, 5, read_rc, &rc);
	assert_int_equal(rc, -ETIMEDOUT);
	assert_int_equal(fake.n_whole, 1);
	assert_int_equal(g_hash_table_size(fake.marks), 0);
	/* What the service does not have is remembered; when nothing is left
	   the film cannot be shown. */
	fake.whole_rc = -ENODATA;
	tree_read(tree, 1, node, 0, 5, read_rc, &rc);
	assert_int_equal(rc, -EIO);
	assert_int_equal(fake.n_whole, 3);
	assert_int_equal(g_hash_table_size(fake.marks), 2);
	tree_read(tree, 1, node, 0, 5, read_rc, &rc);
	assert_int_equal(fake.n_whole, 3);
	/* And there is another file from now on. */
	assert_true(look(day(), "2026-11-22T13.mkv").e.node != node);
}

static void test_expired_while_open(void **state)
{
	uint64_t node = look(day(), "2026-11-22T13.mkv").e.node;
	int rc = 1;

	fake.whole_rc = -ESTALE;
	tree_read(tree, 1, node, 0, 5, read_rc, &rc);
	assert_int_equal(rc, -ESTALE);
	/* Until the kernel looks the name up again. */
	assert_int_equal(attr(node).rc, -ESTALE);
	assert_int_equal(look(day(), "2026-11-22T13.mkv").rc, 0);
	assert_int_equal(attr(node).rc, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_views),
		T(test_hours_are_resolved),
		T(test_impossible_names_are_not_asked_for),
		T(test_a_movie_is_a_file),
		T(test_no_fragment_is_that_large),
		T(test_other_ranges),
		T(test_sizes_wait_for_calibration),
		T(test_a_grown_hour_is_another_file),
		T(test_settled_hours_are_remembered),
		T(test_forgotten),
		T(test_trouble_is_told),
		T(test_expired_while_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
