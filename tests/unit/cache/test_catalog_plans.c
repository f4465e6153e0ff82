/* SPDX-License-Identifier: MIT */
/* No statement's cost grows with what it does not touch. */
#include "cache/catalog_movie.h"
#include "tests/unit/cache/catalog_room.h"

/*
 * Those that may walk a whole table or index: they stop at the first rows that
 * they want, or look at a small table; everything else seeks.
 */
static const char *const allowed[] = {
	"SCAN CONSTANT ROW",
	/* ordered by use; the first that is settled ends it */
	"SCAN k USING INDEX known_used",
	/* streams; then each by its own range */
	"SCAN s",
};

static bool is_allowed(const char *detail)
{
	for (size_t i = 0; i < G_N_ELEMENTS(allowed); i++)
		if (g_str_equal(detail, allowed[i]))
			return true;
	if (strstr(detail, "SCAN") || strstr(detail, "AUTOMATIC"))
		return false;
	/* All of a stream is too much: a time or a number too. */
	return !strstr(detail, "INDEX fragments_") || strstr(detail, " AND ");
}

/* Every statement that the connection has prepared; how many. */
static int check_plans(struct index_conn *conn, void *arg)
{
	sqlite3 *db = index_db(conn);
	int n = 0;

	for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s;
	     s = sqlite3_next_stmt(db, s)) {
		const char *sql = sqlite3_sql(s);
		g_autofree char *explain = g_strconcat("EXPLAIN QUERY PLAN ",
						       sql, NULL);
		sqlite3_stmt *plan = NULL;

		if (sqlite3_stmt_isexplain(s) ||
		    g_str_has_prefix(sql, "PRAGMA") ||
		    sqlite3_prepare_v2(db, explain, -1, &plan, NULL))
			continue;
		while (sqlite3_step(plan) == SQLITE_ROW) {
			const char *detail =
				(const char *)sqlite3_column_text(plan, 3);

			if (!is_allowed(detail))
				fail_msg("%s:\n%s", detail, sql);
		}
		sqlite3_finalize(plan);
		n++;
	}
	*(int *)arg += n;
	return 0;
}

/* All that the catalog can do, so that each of its statements is prepared. */
static void do_everything(struct room *r)
{
	uint32_t s = any_stream(r);
	struct fragment f[10], page[10];
	struct catalog_stream row;
	enum catalog_verdict verdict;
	char number[64];
	void *bytes;
	size_t n_bytes;
	int64_t a, b;

	fill(r, s, 0, 3000, 0);
	for (int axis = 0; axis < 2; axis++) {
		struct catalog_slot *slots;
		size_t n;

		catalog_slots(r->c, s, axis, 0, HOUR_MS, 0, INT64_MAX, &slots,
			      &n);
		free(slots);
		know(r, s, axis, 0, HOUR_MS, 1);
		settle(r);
		catalog_touch(r->c, s, axis, 0, HOUR_MS);
		catalog_show(r->c, s, axis, 0, 1000, 4096);
		catalog_page(r->c, s, axis, 0, HOUR_MS, 0, 10, 5, page, 10);
		catalog_span(r->c, s, axis, 0, HOUR_MS, 0, &a, &b);
		catalog_next_time(r->c, s, axis, 0, HOUR_MS, 0, &a);
		assert_int_equal(knowledge(r, s, axis, 0, HOUR_MS),
				 CATALOG_KNOWN);
	}
	move_mark(r, s, HOUR_MS * 2, true);
	g_snprintf(number, sizeof(number), NUMBER, 7);
	f[0] = find(r, s, number);
	assert_int_equal(catalog_fragment_get(r->c, f[0].id, page), 0);
	f[0].file_bytes = f[0].size_bytes + 1;
	catalog_show_one(r->c, &f[0]);
	catalog_set_payload(r->c, f[0].id, 5, -1, NULL, NULL);
	catalog_mark(r->c, f[0].id, CATALOG_USABLE, 5, NULL, NULL);
	catalog_put_format(r->c, s, 5, "x", 1, NULL, NULL);
	settle(r);
	assert_int_equal(catalog_mark_get(r->c, f[0].id, &verdict, &a), 0);
	assert_int_equal(catalog_format_get(r->c, s, 5, &bytes, &n_bytes), 0);
	free(bytes);
	f[0].server_ms++;
	put_fragments(r, s, f, 1);
	catalog_set_slack(r->c, s, 4096, true, NULL, NULL);
	assert_int_equal(catalog_since(r->c, s, 5, page, 10), 10);
	assert_int_equal(catalog_last_id(r->c, &a), 0);
	assert_int_equal(catalog_stream_get(r->c, s, &row), 0);
	catalog_stream_release(&row);
	catalog_expire(r->c, s, 1000);
	catalog_trim(r->c, 0);
	for (int i = 0; i < 50; i++)
		settle(r);
	catalog_trim(r->c, 0);
	for (int i = 0; i < 50; i++)
		settle(r);
}

static void test_every_statement_seeks(void **state)
{
	struct room *r = *state;
	struct index_conn *conn;
	int reads = 0, writes = 0;

	do_everything(r);
	assert_int_equal(index_run(r->ix, check_plans, &writes), 0);
	assert_int_equal(index_reader_get(r->ix, &conn), 0);
	check_plans(conn, &reads);
	index_reader_put(r->ix, conn);
	print_message("%d statements that write, %d that read\n", writes,
		      reads);
	assert_in_range(writes, 25, 100);
	assert_in_range(reads, 10, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_every_statement_seeks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
