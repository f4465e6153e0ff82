/* SPDX-License-Identifier: MIT */
#include "tests/unit/cache/index_room.h"

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

/* ---- on disk ---------------------------------------------------------- */

/* Change SCHEMA_VERSION together with this. */
static void test_layout_is_pinned(void **state)
{
	static const char *const want =
		"chunks: id stream number raw bytes size hash used_ms; "
		"formats: stream id bytes; "
		"fragments: id stream number server_ms lead_ms length_ms size "
		"slack payload; "
		"known: stream axis start_ms end_ms as_of_ms used_ms; "
		"marks: fragment verdict format; "
		"reservations: id proc bytes; "
		"runs: stream first_id last_id; "
		"streams: id endpoint arn name created_ms retention_ms mark_ms "
		"chain_ms slack fragments total_bytes; "
		"totals: name value";
	struct room *r = *state;
	struct index_conn *conn;
	sqlite3_stmt *s;

	assert_int_equal(read_value(r->ix,
				    "SELECT user_version FROM"
				    " pragma_user_version",
				    0),
			 3);
	assert_int_equal(read_value(r->ix,
				    "SELECT application_id FROM"
				    " pragma_application_id",
				    0),
			 0x6b767366);
	assert_int_equal(index_reader_get(r->ix, &conn), 0);
	s = index_prepare(
		conn, "SELECT group_concat(line, '; ') FROM (SELECT m.name ||"
		      " ': ' || (SELECT group_concat(c.name, ' ') FROM"
		      " pragma_table_info(m.name) AS c) AS line FROM"
		      " sqlite_schema AS m WHERE m.type = 'table' AND"
		      " m.name NOT IN ('t', 'sqlite_sequence') ORDER BY"
		      " m.name)");
	assert_int_equal(index_step(s), 1);
	assert_string_equal((const char *)sqlite3_column_text(s, 0), want);
	index_done(s);
	index_reader_put(r->ix, conn);
}

static void test_files(void **state)
{
	static const char *const names[] = {"index.db", "index.db-wal",
					    "index.db-shm"};
	struct room *r = *state;
	struct stat st;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		assert_int_equal(fstatat(r->fd, names[i], &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	/* The log is given back, both while running and at the end. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(
			index_run(r->ix, put_blob, &(struct row){.k = i}), 0);
	assert_int_equal(fstatat(r->fd, "index.db-wal", &st, 0), 0);
	assert_true(st.st_size < 8 << 20);
	reopen(r);
	assert_int_equal(fstatat(r->fd, "index.db-wal", &st, 0), 0);
	assert_true(st.st_size < 1 << 20);
	assert_true(index_bytes(r->ix) >= 80000000);
}

/* A directory that is moved meanwhile stays this index's. */
static void test_moved(void **state)
{
	struct room *r = *state;
	g_autofree char *to = g_strconcat(r->path, "-moved", NULL);
	struct row row = {.k = 3, .v = 4};

	assert_int_equal(g_rename(r->path, to), 0);
	assert_int_equal(index_run(r->ix, put_row, &row), 0);
	assert_int_equal(value_of(r->ix, 3), 4);
	reopen(r);
	assert_int_equal(value_of(r->ix, 3), 4);
	g_free(r->path);
	r->path = g_steal_pointer(&to);
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
		T(test_layout_is_pinned),
		T(test_files),
		T(test_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
