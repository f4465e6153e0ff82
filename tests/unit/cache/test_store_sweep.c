/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_room.h"

#include "cache/store_internal.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <utime.h>

/* ---- forgetting ------------------------------------------------------- */

static void dropped_is_gone(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	struct store_chunk *held;

	store_drop(r->s, &key);
	assert_int_equal(put(r->s, 1, 5000, 8000), 0);
	store_drop(r->s, &key);
	settle(r);
	assert_false(has(r, 1));
	assert_int_equal(count_files(r, "chunks"), 0);

	assert_int_equal(put_held(r->s, 1, 5000, 8000, &held), 0);
	store_drop(r->s, &key);
	settle(r);
	assert_false(has(r, 1));
	assert_int_equal(look(r->s, 1, 5000, 8000), -ENOENT);
	/* Who reads it goes on, and its room is not given away meanwhile. */
	assert_true(is_right(held, 1, 5000, 8000));
	assert_true(stats_of(r).used_bytes >= 5000);
	assert_int_equal(put(r->s, 1, 5000, 8000), 0);
	assert_int_equal(count_files(r, "chunks"), 2);
	store_chunk_unref(held);
	settle(r);
	assert_int_equal(count_files(r, "chunks"), 1);
	assert_int_equal(stats_of(r).chunks, 1);
	assert_int_equal(look(r->s, 1, 5000, 8000), 0);
}

/* ---- sweeping --------------------------------------------------------- */

static void make_old(const char *path)
{
	time_t then = (time_t)((fake_now_ms - 2 * STORE_ORPHAN_MS) / 1000);
	struct utimbuf t = {.actime = then, .modtime = then};

	assert_int_equal(utime(path, &t), 0);
}

static char *leave_file(const struct room *r, const char *name, bool old)
{
	char *path = g_build_filename(r->path, name, NULL);
	g_autofree char *dir = g_path_get_dirname(path);

	assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
	assert_true(g_file_set_contents(path, "left", 4, NULL));
	if (old)
		make_old(path);
	return path;
}

static void what_was_left_is_swept(void **state)
{
	static const struct {
		const char *name;
		bool old, goes;
	} cases[] = {
		{"chunks/00/0000000000000001", true, true},
		{"chunks/7f/7ffffffffffffffe", true, true},
		{"chunks/12/1200000000000001", true, true},
		{"chunks/12/1200000000000002", false, false},
		{"chunks/12/README", true, false},
		{"chunks/12/12000000000000FF", true, false},
		{"tmp/1200000000000003", true, true},
		{"tmp/1200000000000004", false, false},
		{"procs/1200000000000005", false, true},
	};
	struct room *r = *state;
	char *paths[G_N_ELEMENTS(cases)];
	struct store_key key = KEY(1);
	struct store_writer *w;
	struct store_chunk *c;

	fake_now_ms = clock_realtime_ms(&clock_system);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		paths[i] = leave_file(r, cases[i].name, cases[i].old);
	assert_int_equal(begin(r->s, &key, 5000, &w), 0);
	assert_int_equal(append_content(w, 1, 5000), 0);
	for (uint64_t n = 10; n < 300; n++)
		assert_int_equal(put(r->s, n, 100, 100), 0);
	/* A slow writer's file is old and not an orphan. */
	g_autoptr(GPtrArray) tmp = files_in(r, "tmp");

	for (guint i = 0; i < tmp->len; i++)
		if (!strstr(g_ptr_array_index(tmp, i), "/12000"))
			make_old(g_ptr_array_index(tmp, i));
	assert_int_equal(store_sweep(r->s), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		bool there = g_file_test(paths[i], G_FILE_TEST_EXISTS);

		if (there == cases[i].goes)
			print_error("%s\n", cases[i].name);
		assert_int_equal(there, !cases[i].goes);
		g_free(paths[i]);
	}
	assert_int_equal(stats_of(r).chunks, 290);
	for (uint64_t n = 10; n < 300; n++)
		assert_int_equal(look(r->s, n, 100, 100), 0);
	assert_int_equal(commit(w, 5000, &c), 0);
	assert_true(is_right(c, 1, 5000, 5000));
	store_chunk_unref(c);
	assert_int_equal(look(r->s, 1, 5000, 5000), 0);
}

static int spoil_totals(struct index_conn *conn, void *arg)
{
	static const char sql[] = "UPDATE totals SET value = value + 4711";

	return index_exec(index_prepare(conn, sql));
}

static void rows_and_totals_are_mended(void **state)
{
	struct room *r = *state;
	struct store_stats before, after;

	for (uint64_t n = 0; n < 200; n++)
		assert_int_equal(put(r->s, n, 5000, 5000), 0);
	room_leave(r);

	g_autoptr(GPtrArray) files = files_in(r, "chunks");

	for (guint i = 0; i < 100; i++)
		assert_int_equal(unlink(g_ptr_array_index(files, i)), 0);
	room_enter(r, r->path, BUDGET, 0);
	before = stats_of(r);
	assert_int_equal(index_run(r->ix, spoil_totals, NULL), 0);
	assert_int_equal(store_sweep(r->s), 0);
	after = stats_of(r);
	assert_int_equal(after.chunks, 100);
	assert_int_equal(after.used_bytes, before.used_bytes - 100 * 8192);
}

/* ---- layout ----------------------------------------------------------- */

static int schema_text(struct index_conn *conn, GString *out)
{
	static const char sql[] =
		"SELECT sql FROM sqlite_schema WHERE tbl_name IN ('chunks', "
		"'reservations', 'totals') AND sql IS NOT NULL ORDER BY name";
	struct sqlite3_stmt *q = index_prepare(conn, sql);

	while (index_step(q) > 0)
		g_string_append_printf(out, "%s\n",
				       (const char *)sqlite3_column_text(q, 0));
	index_done(q);
	return 0;
}

/* When this fails, caches out there are not understood any more. */
static void layout_is_pinned(void **state)
{
	/* XXH3_128bits("hello\0\0\0", 8), the high half first. */
	static const uint8_t want_hash[] = {0xd6, 0x8c, 0xb4, 0xc5, 0x8d, 0x0e,
					    0x52, 0xa6, 0x96, 0x02, 0xbd, 0xd6,
					    0xff, 0x67, 0xa3, 0x06};
	struct room *r = *state;
	g_autoptr(GString) sql = g_string_new(NULL);
	g_autofree char *sum = NULL, *path = NULL, *text = NULL;
	struct store_key key = {.stream = 7, .number = "123"};
	struct index_conn *conn;
	struct store_writer *w;
	struct store_chunk *c;
	struct chunk_row row;
	char want_path[CHUNK_PATH_SIZE];
	struct stat st;
	gsize n;

	assert_int_equal(begin(r->s, &key, 5, &w), 0);
	assert_int_equal(store_writer_append(w, "hello", 5), 0);
	assert_int_equal(commit(w, 8, &c), 0);
	store_chunk_unref(c);

	assert_int_equal(index_reader_get(r->ix, &conn), 0);
	schema_text(conn, sql);
	assert_int_equal(rows_find(conn, &key, &row), 0);
	index_reader_put(r->ix, conn);
	sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, sql->str, -1);
	assert_string_equal(sum, "62ebe2bfd838da06572d7e9dc6c9cbaebdf630b7ab38a"
				 "b081bd0d0cfd707c6ad");
	assert_memory_equal(row.hash, want_hash, sizeof(want_hash));

	path = only_file(r);
	chunk_path(row.id, want_path);
	assert_true(g_str_has_suffix(path, want_path));
	assert_int_equal(strlen(want_path), strlen("chunks/ab/") + 16);
	assert_true(g_file_get_contents(path, &text, &n, NULL));
	assert_int_equal(n, 8);
	assert_memory_equal(text, "hello\0\0\0", 8);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	chunk_path(INT64_C(0x0123456789abcdef), want_path);
	assert_string_equal(want_path, "chunks/01/0123456789abcdef");
	chunk_tmp_path(INT64_C(0x7f), want_path);
	assert_string_equal(want_path, "tmp/000000000000007f");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(dropped_is_gone),
		CASE(what_was_left_is_swept),
		CASE(rows_and_totals_are_mended),
		CASE(layout_is_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
