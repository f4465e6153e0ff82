/* SPDX-License-Identifier: MIT */
#include "cache/index.h"

#include "fs/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Plain text tables of our own in the index; nothing else touches them. */
#define MAKE_SQL "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v)"

struct room {
	char *path;
	int fd;
	struct cache_index *ix;
};

static struct cache_index *open_index(int fd)
{
	struct cache_index *ix = NULL;
	char *error = NULL;
	int rc = index_open(fd, &ix, &error);

	if (rc)
		print_error("index_open: %d %s\n", rc, error);
	assert_int_equal(rc, 0);
	return ix;
}

static int make_table(struct index_conn *conn, void *arg)
{
	return index_exec(index_prepare(conn, MAKE_SQL));
}

static int setup(void **state)
{
	struct room *r = g_new0(struct room, 1);

	r->path = g_dir_make_tmp("kvsfs-index-XXXXXX", NULL);
	r->fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->ix = open_index(r->fd);
	assert_int_equal(index_run(r->ix, make_table, NULL), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct room *r = *state;
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", r->path);

	index_close(r->ix);
	close(r->fd);
	if (system(command) != 0)
		return -1;
	g_free(r->path);
	g_free(r);
	return 0;
}

static void reopen(struct room *r)
{
	index_close(r->ix);
	r->ix = open_index(r->fd);
}

/* ---- what the tests write and read ------------------------------------ */

struct row {
	int64_t k, v;
	int fail; /* the write's own result, after it wrote */
	int rc;	  /* what done() was told, 1 until then */
	int *order;
	int position;
};

static int put_row(struct index_conn *conn, void *arg)
{
	struct row *row = arg;
	sqlite3_stmt *s = index_prepare(conn,
					"INSERT OR REPLACE INTO t VALUES(?,?)");
	int rc;

	sqlite3_bind_int64(s, 1, row->k);
	sqlite3_bind_int64(s, 2, row->v);
	rc = index_exec(s);
	return rc ? rc : row->fail;
}

static void row_done(void *arg, int rc)
{
	struct row *row = arg;

	row->rc = rc;
	if (row->order)
		row->position = (*row->order)++;
}

static int64_t read_value(struct cache_index *ix, const char *sql, int64_t k)
{
	struct index_conn *conn;
	sqlite3_stmt *s;
	int64_t v = -1;

	assert_int_equal(index_reader_get(ix, &conn), 0);
	s = index_prepare(conn, sql);
	assert_non_null(s);
	if (sqlite3_bind_parameter_count(s))
		sqlite3_bind_int64(s, 1, k);
	if (index_step(s) == 1)
		v = sqlite3_column_int64(s, 0);
	index_done(s);
	index_reader_put(ix, conn);
	return v;
}

static int64_t value_of(struct cache_index *ix, int64_t k)
{
	return read_value(ix, "SELECT v FROM t WHERE k=?", k);
}

static int64_t count_rows(struct cache_index *ix)
{
	return read_value(ix, "SELECT count(*) FROM t", 0);
}

static bool intact(struct cache_index *ix)
{
	return read_value(ix,
			  "SELECT integrity_check='ok' FROM "
			  "pragma_integrity_check LIMIT 1",
			  0) == 1;
}

/* ---- writing ---------------------------------------------------------- */

static void test_rows_stay(void **state)
{
	struct room *r = *state;
	struct row row = {.k = -5, .v = 7};

	assert_int_equal(index_run(r->ix, put_row, &row), 0);
	assert_int_equal(value_of(r->ix, -5), 7);
	reopen(r);
	assert_int_equal(value_of(r->ix, -5), 7);
	assert_true(intact(r->ix));
	assert_true(index_bytes(r->ix) >= 4096);
}

/* Holds the writer until it is let go, so that what follows is one batch. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool open, reached;
};

static int gate_write(struct index_conn *conn, void *arg)
{
	struct gate *g = arg;

	pthread_mutex_lock(&g->lock);
	g->reached = true;
	pthread_cond_broadcast(&g->wake);
	while (!g->open)
		pthread_cond_wait(&g->wake, &g->lock);
	pthread_mutex_unlock(&g->lock);
	return 0;
}

static void gate_hold(struct gate *g, struct cache_index *ix)
{
	index_post(ix, gate_write, NULL, g);
	pthread_mutex_lock(&g->lock);
	while (!g->reached)
		pthread_cond_wait(&g->wake, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->wake);
	pthread_mutex_unlock(&g->lock);
}

#define GATE                                       \
	{                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, \
		.wake = PTHREAD_COND_INITIALIZER   \
	}

static int nothing(struct index_conn *conn, void *arg)
{
	return 0;
}

static void test_one_failure_undoes_itself_alone(void **state)
{
	struct room *r = *state;
	struct gate gate = GATE;
	struct row rows[600] = {0};
	int order = 0;

	gate_hold(&gate, r->ix);
	for (int i = 0; i < 600; i++) {
		rows[i] =
			(struct row){.k = i, .v = 1, .rc = 1, .order = &order};
		rows[i].fail = i % 7 == 3 ? -EILSEQ : 0;
		index_post(r->ix, put_row, row_done, &rows[i]);
	}
	gate_open(&gate);
	assert_int_equal(index_run(r->ix, nothing, NULL), 0);
	for (int i = 0; i < 600; i++) {
		assert_int_equal(rows[i].rc, rows[i].fail);
		assert_int_equal(rows[i].position, i);
		assert_int_equal(value_of(r->ix, i), rows[i].fail ? -1 : 1);
	}
}

/* SQLite itself takes the transaction away, as it may on a full disk. */
static int lose_transaction(struct index_conn *conn, void *arg)
{
	sqlite3_exec(index_db(conn), "ROLLBACK", NULL, NULL, NULL);
	return -ENOSPC;
}

static void test_lost_transaction_is_told_to_all_of_it(void **state)
{
	struct room *r = *state;
	struct gate gate = GATE;
	struct row before = {.k = 1, .v = 1, .rc = 1};
	struct row lost = {.rc = 1}, after = {.k = 2, .v = 2, .rc = 1};

	gate_hold(&gate, r->ix);
	gate_open(&gate);
	assert_int_equal(index_run(r->ix, nothing, NULL), 0);
	gate = (struct gate)GATE;
	gate_hold(&gate, r->ix);
	index_post(r->ix, put_row, row_done, &before);
	index_post(r->ix, lose_transaction, row_done, &lost);
	index_post(r->ix, put_row, row_done, &after);
	gate_open(&gate);
	assert_int_equal(index_run(r->ix, nothing, NULL), 0);
	assert_int_equal(before.rc, -ENOSPC);
	assert_int_equal(lost.rc, -ENOSPC);
	assert_int_equal(after.rc, 0);
	assert_int_equal(value_of(r->ix, 1), -1);
	assert_int_equal(value_of(r->ix, 2), 2);
}

static int set_max_pages(struct index_conn *conn, void *arg)
{
	g_autofree char *sql = g_strdup_printf("PRAGMA max_page_count=%d",
					       *(int *)arg);

	return sqlite3_exec(index_db(conn), sql, NULL, NULL, NULL) ? -EIO : 0;
}

static int put_blob(struct index_conn *conn, void *arg)
{
	sqlite3_stmt *s = index_prepare(
		conn, "INSERT INTO t VALUES(?, zeroblob(4000000))");

	sqlite3_bind_int64(s, 1, ((struct row *)arg)->k);
	return index_exec(s);
}

static void test_full(void **state)
{
	struct room *r = *state;
	int pages = 100, many = 1 << 30;
	struct row big = {.k = 1}, row = {.k = 2, .v = 2};

	assert_int_equal(index_run(r->ix, set_max_pages, &pages), 0);
	assert_int_equal(index_run(r->ix, put_blob, &big), -ENOSPC);
	assert_int_equal(index_run(r->ix, put_row, &row), 0);
	assert_int_equal(index_run(r->ix, set_max_pages, &many), 0);
	assert_int_equal(index_run(r->ix, put_blob, &big), 0);
	assert_int_equal(count_rows(r->ix), 2);
}

static void test_close_runs_what_was_posted(void **state)
{
	struct room *r = *state;
	struct row rows[300] = {0};

	for (int i = 0; i < 300; i++) {
		rows[i] = (struct row){.k = i, .v = i, .rc = 1};
		index_post(r->ix, put_row, row_done, &rows[i]);
	}
	reopen(r);
	for (int i = 0; i < 300; i++)
		assert_int_equal(rows[i].rc, 0);
	assert_int_equal(count_rows(r->ix), 300);
}

/* A post from done() while the index closes is run too. */
static void post_again(void *arg, int rc)
{
	struct room *r = arg;
	static struct row row = {.k = 77, .v = 78};

	index_post(r->ix, put_row, NULL, &row);
}

static void test_post_from_done(void **state)
{
	struct room *r = *state;

	index_post(r->ix, nothing, post_again, r);
	reopen(r);
	assert_int_equal(value_of(r->ix, 77), 78);
}

struct ticks {
	struct room *room;
	struct row row;
	int fired;
	struct gate gate;
};

static void tick(void *arg)
{
	struct ticks *t = arg;

	/* Outside any transaction: a post's own begins later. */
	index_post(t->room->ix, put_row, NULL, &t->row);
	if (++t->fired == 3)
		gate_open(&t->gate);
}

static void test_timer(void **state)
{
	struct room *r = *state;
	struct ticks t = {.room = r, .row = {.k = 9, .v = 9}, .gate = GATE};

	index_every(r->ix, 5, tick, &t);
	gate_write(NULL, &t.gate); /* returns once it fired three times */
	reopen(r);
	assert_int_equal(value_of(r->ix, 9), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_rows_stay),
		T(test_one_failure_undoes_itself_alone),
		T(test_lost_transaction_is_told_to_all_of_it),
		T(test_full),
		T(test_close_runs_what_was_posted),
		T(test_post_from_done),
		T(test_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
