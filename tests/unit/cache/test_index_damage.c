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

static void test_newer_versions_are_left_alone(void **state)
{
	struct room *r = *state;
	struct cache_index *none = NULL;
	g_autofree char *error = NULL;
	int before = warnings;

	assert_int_equal(
		index_run(r->ix, run_sql, (char[]){"PRAGMA user_version=4"}),
		0);
	assert_int_equal(index_open(r->fd, &none, &error), -EPROTO);
	assert_null(none);
	assert_non_null(strstr(error, "newer layout"));
	assert_int_equal(warnings, before);
	assert_false(exists(r, "index.db.damaged"));
}

/* The tables that version 1 had and has no more; the others are the same. */
static const char version_1[] =
	"DROP TABLE fragments; DROP TABLE known; DROP TABLE runs;"
	"DROP TABLE marks; DROP TABLE formats;"
	"CREATE TABLE fragments(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" stream INTEGER NOT NULL, number TEXT NOT NULL, producer_ms INTEGER"
	" NOT NULL, server_ms INTEGER NOT NULL, length_ms INTEGER NOT NULL,"
	" size INTEGER NOT NULL, file INTEGER, payload INTEGER,"
	" UNIQUE(stream, number));"
	"CREATE INDEX fragments_producer ON fragments(stream, producer_ms);"
	"CREATE INDEX fragments_server ON fragments(stream, server_ms);"
	"CREATE INDEX fragments_since ON fragments(stream);"
	"CREATE TABLE known(stream INTEGER NOT NULL, axis INTEGER NOT NULL,"
	" start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, as_of_ms INTEGER"
	" NOT NULL, used_ms INTEGER NOT NULL, PRIMARY KEY(stream, axis,"
	" start_ms)) WITHOUT ROWID;"
	"CREATE INDEX known_used ON known(used_ms);"
	"INSERT INTO streams(endpoint, arn, name, created_ms, retention_ms,"
	" mark_ms, chain_ms, slack, fragments, total_bytes)"
	" VALUES('', 'arn:cam', 'cam', 1, 2, 300, 200, 4096, 1, 9);"
	"INSERT INTO fragments(id, stream, number, producer_ms, server_ms,"
	" length_ms, size) VALUES(77, 1, '5', 1, 2, 3, 9);"
	"INSERT INTO known VALUES(1, 0, 0, 100, 200, 0);"
	"INSERT INTO chunks VALUES(5, 1, '5', 0, 8192, 100, x'00', 1);"
	"PRAGMA user_version=1;";

static void test_older_version_is_mended(void **state)
{
	static const struct {
		const char *sql;
		int64_t want;
	} cases[] = {
		{"SELECT count(*) FROM fragments", 0},
		{"SELECT count(*) FROM known", 0},
		{"SELECT fragments + total_bytes + mark_ms + chain_ms FROM"
		 " streams",
		 0},
		{"SELECT slack FROM streams", 4096},
		{"SELECT count(*) FROM chunks", 1},
		{"SELECT seq FROM sqlite_sequence WHERE name = 'fragments'",
		 77},
	};
	struct room *r = *state;
	struct cache_index *other;
	int before = warnings;

	assert_int_equal(
		index_run(r->ix, run_sql, (char *)(uintptr_t)version_1), 0);
	index_close(r->ix);
	r->ix = open_index(r->fd);
	other = open_index(r->fd); /* nothing is left to be done */
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(read_value(r->ix, cases[i].sql, 0),
				 cases[i].want);
	assert_true(intact(other));
	index_close(other);
	assert_int_equal(warnings, before);
	assert_false(exists(r, "index.db.damaged"));
}

/* Version 2 had all tables but those of movies. */
static void test_version_before_movies_keeps_all(void **state)
{
	struct room *r = *state;

	assert_int_equal(
		index_run(r->ix, run_sql,
			  (char[]){"DROP TABLE marks; DROP TABLE formats;"
				   "INSERT INTO fragments(id, stream, number,"
				   " server_ms, lead_ms, length_ms, size)"
				   " VALUES(77, 1, x'05', 1, 2, 3, 9);"
				   "INSERT INTO known VALUES(1, 0, 0, 100, 200,"
				   " 0); PRAGMA user_version=2;"}),
		0);
	reopen(r);
	assert_int_equal(read_value(r->ix,
				    "SELECT size FROM fragments WHERE id = 77",
				    0),
			 9);
	assert_int_equal(read_value(r->ix, "SELECT count(*) FROM known", 0), 1);
	assert_int_equal(read_value(r->ix,
				    "SELECT (SELECT count(*) FROM marks) +"
				    " (SELECT count(*) FROM formats)",
				    0),
			 0);
	assert_int_equal(read_value(r->ix,
				    "SELECT user_version FROM"
				    " pragma_user_version",
				    0),
			 3);
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
		T(test_newer_versions_are_left_alone),
		T(test_older_version_is_mended),
		T(test_version_before_movies_keeps_all),
		T(test_cannot_be_opened),
	};

	g_log_set_writer_func(drop_log, &warnings, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
