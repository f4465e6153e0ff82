/* SPDX-License-Identifier: MIT */
#include "tests/unit/cache/index_room.h"

static void fill_rows(struct room *r, int n)
{
	struct row rows[1000];

	for (int i = 0; i < n; i++) {
		rows[i] = (struct row){.k = i, .v = i};
		index_post(r->ix, put_row, NULL, &rows[i]);
	}
	assert_int_equal(index_run(r->ix, nothing, NULL), 0);
}

static GLogWriterOutput drop_log(GLogLevelFlags level, const GLogField *fields,
				 gsize n, void *count)
{
	if (level & G_LOG_LEVEL_WARNING)
		++*(int *)count;
	return G_LOG_WRITER_HANDLED;
}

static int warnings;

static void test_damaged_is_put_aside(void **state)
{
	static const char junk[4096] = "this is no database at all";
	const struct {
		const char *what;
		off_t at;
		size_t n;
		off_t cut; /* 0: not */
		bool aside;
	} cases[] = {
		{"all of the first page", 0, sizeof(junk), 0, true},
		{"the first bytes", 0, 20, 0, true},
		{"cut within the first page", 0, 0, 700, true},
		{"cut after two pages", 0, 0, 8192, true},
		{"the schema's page type", 100, 1, 0, true},
		{"another application", 68, 4, 0, true},
		{"cut to nothing: simply new", 0, 0, 1, false},
	};
	struct room *r = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = file_of(r, "index.db");
		int before = warnings;

		assert_int_equal(index_run(r->ix, make_table, NULL), 0);
		fill_rows(r, 1000);
		index_close(r->ix);
		if (cases[i].n)
			overwrite(r, "index.db", cases[i].at, junk, cases[i].n);
		if (cases[i].cut)
			assert_int_equal(truncate(path, cases[i].cut & ~1), 0);
		r->ix = open_index(r->fd);
		print_message("%s\n", cases[i].what);
		assert_int_equal(warnings - before, cases[i].aside);
		assert_int_equal(exists(r, "index.db.damaged"), true);
		assert_true(intact(r->ix));
		assert_int_equal(
			read_value(r->ix, "SELECT count(*) FROM streams", 0),
			0);
	}
}

/* Damage that only a read of that page meets: found at the next open. */
static void test_damage_met_later(void **state)
{
	struct room *r = *state;
	struct index_conn *conn;
	struct stat st;
	sqlite3_stmt *s;
	int rc, before = warnings;

	fill_rows(r, 1000);
	index_close(r->ix);
	assert_int_equal(fstatat(r->fd, "index.db", &st, 0), 0);
	for (off_t at = st.st_size - 3 * 4096; at < st.st_size; at += 4096)
		overwrite(r, "index.db", at, "\xff\xff\xff\xff\xff\xff\xff\xff",
			  8);
	r->ix = open_index(r->fd);
	assert_int_equal(warnings, before);

	assert_int_equal(index_reader_get(r->ix, &conn), 0);
	s = index_prepare(conn, "SELECT v FROM t ORDER BY k DESC");
	while ((rc = index_step(s)) > 0)
		;
	index_done(s);
	index_reader_put(r->ix, conn);
	assert_int_equal(rc, -EIO);

	reopen(r);
	assert_int_equal(warnings, before + 1);
	assert_true(exists(r, "index.db.damaged"));
	assert_true(intact(r->ix));
	reopen(r);
	assert_int_equal(warnings, before + 1);
}

static void test_other_versions_are_left_alone(void **state)
{
	struct room *r = *state;
	struct cache_index *none = NULL;
	g_autofree char *error = NULL;
	int before = warnings;

	assert_int_equal(
		index_run(r->ix, run_sql, (char[]){"PRAGMA user_version=2"}),
		0);
	assert_int_equal(index_open(r->fd, &none, &error), -EPROTO);
	assert_null(none);
	assert_non_null(strstr(error, "another layout"));
	assert_int_equal(warnings, before);
	assert_false(exists(r, "index.db.damaged"));
}

/* What a directory of somebody else's program looks like. */
static void test_cannot_be_opened(void **state)
{
	struct room *r = *state;
	struct cache_index *none = NULL;
	char *error = NULL;
	g_autofree char *path = file_of(r, "sub");
	int fd;

	assert_int_equal(g_mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(fd, "index.db", 0700), 0);
	assert_true(index_open(fd, &none, &error) < 0);
	assert_null(none);
	assert_non_null(strstr(error, "index"));
	g_free(error);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_damaged_is_put_aside),
		T(test_damage_met_later),
		T(test_other_versions_are_left_alone),
		T(test_cannot_be_opened),
	};

	g_log_set_writer_func(drop_log, &warnings, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
