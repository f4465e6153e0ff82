/* SPDX-License-Identifier: MIT */
#include "store_room.h"

#include "cache/store_internal.h"

#include <glib/gstdio.h>
#include <sqlite3.h>

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <utime.h>

#include <cmocka.h>

#define BUDGET (20 * MIB)

static int setup(void **state)
{
	struct room *r = g_new0(struct room, 1);

	r->path = g_dir_make_tmp("kvsfs-store-XXXXXX", NULL);
	room_enter(r, r->path, BUDGET, 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct room *r = *state;

	room_leave(r);
	remove_tree(r->path);
	g_free(r->path);
	g_free(r);
	return 0;
}

static void enter_again(struct room *r, int64_t budget_bytes)
{
	room_leave(r);
	room_enter(r, r->path, budget_bytes, 0);
}

/* ---- looking into the directory --------------------------------------- */

/* Full paths of the files below one of the directory's folders. */
static GPtrArray *files_in(const struct room *r, const char *folder)
{
	g_autofree char *dir = g_build_filename(r->path, folder, NULL);
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	assert_non_null(d);
	while ((name = g_dir_read_name(d))) {
		char *path = g_build_filename(dir, name, NULL);
		GDir *sub = g_dir_open(path, 0, NULL);

		if (!sub) {
			g_ptr_array_add(out, path);
			continue;
		}
		while ((name = g_dir_read_name(sub)))
			g_ptr_array_add(out,
					g_build_filename(path, name, NULL));
		g_dir_close(sub);
		g_free(path);
	}
	g_dir_close(d);
	return out;
}

static unsigned count_files(const struct room *r, const char *folder)
{
	g_autoptr(GPtrArray) files = files_in(r, folder);

	return files->len;
}

/* The only chunk there is. */
static char *only_file(const struct room *r)
{
	g_autoptr(GPtrArray) files = files_in(r, "chunks");

	assert_int_equal(files->len, 1);
	return g_strdup(g_ptr_array_index(files, 0));
}

static void make_old(const char *path)
{
	time_t then = (time_t)((fake_now_ms - 2 * STORE_ORPHAN_MS) / 1000);
	struct utimbuf t = {.actime = then, .modtime = then};

	assert_int_equal(utime(path, &t), 0);
}

static int nothing(struct index_conn *conn, void *arg)
{
	return 0;
}

/* Whatever was posted has been done. */
static void settle(struct room *r)
{
	assert_int_equal(index_run(r->ix, nothing, NULL), 0);
	/* A done() may have posted. */
	assert_int_equal(index_run(r->ix, nothing, NULL), 0);
}

static struct store_stats stats_of(struct room *r)
{
	struct store_stats st;

	settle(r);
	assert_int_equal(store_stats(r->s, &st), 0);
	return st;
}

static bool has(struct room *r, uint64_t n)
{
	struct store_key key = KEY(n);

	return store_has(r->s, &key);
}

/* ---- putting and getting ---------------------------------------------- */

static void what_is_put_is_got(void **state)
{
	static const struct {
		int64_t bytes, size_bytes;
	} cases[] = {
		{0, 0},
		{0, 4096},
		{1, 1},
		{1, 3},
		{4096, 4096},
		{4097, 8192},
		{100000, 104096},
		{300000, 300000},
		{300000, 365536},
		{500000, 500000 + 2 * MIB},
		{3 * MIB, 3 * MIB + 65536},
	};
	struct room *r = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t bytes = cases[i].bytes, size = cases[i].size_bytes;
		struct store_chunk *c;

		assert_int_equal(look(r->s, i, bytes, size), -ENOENT);
		assert_false(has(r, i));
		assert_int_equal(put_held(r->s, i, bytes, size, &c), 0);
		assert_true(is_right(c, i, bytes, size));
		assert_int_equal(fcntl(store_chunk_fd(c), F_GETFL) & O_ACCMODE,
				 O_RDONLY);
		store_chunk_unref(c);
		assert_true(has(r, i));
		assert_int_equal(look(r->s, i, bytes, size), 0);
	}
	assert_int_equal(count_files(r, "tmp"), 0);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	enter_again(r, BUDGET);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(
			look(r->s, i, cases[i].bytes, cases[i].size_bytes), 0);
	assert_int_equal(stats_of(r).chunks, G_N_ELEMENTS(cases));
}

static void keys_are_apart(void **state)
{
	struct room *r = *state;
	struct store_key keys[] = {
		{.stream = 1, .number = "12"},
		{.stream = 2, .number = "12"},
		{.stream = 1, .number = "12", .raw = true},
		{.stream = 1, .number = "1"},
		{.stream = 1, .number = "012"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		struct store_writer *w;
		struct store_chunk *c;

		assert_int_equal(store_get(r->s, &keys[i], 1000, &c), -ENOENT);
		assert_int_equal(begin(r->s, &keys[i], 1000, &w), 0);
		assert_int_equal(append_content(w, i, 1000), 0);
		assert_int_equal(commit(w, 1000, &c), 0);
		store_chunk_unref(c);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		struct store_chunk *c;

		assert_int_equal(store_get(r->s, &keys[i], 1000, &c), 0);
		assert_true(is_right(c, i, 1000, 1000));
		store_chunk_unref(c);
	}
}

static void an_open_chunk_is_shared(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	struct store_chunk *a, *b, *c;
	const uint8_t *map;
	g_autofree uint8_t *want = content_of(1, 9000);

	assert_int_equal(put_held(r->s, 1, 9000, 10000, &a), 0);
	assert_int_equal(store_get(r->s, &key, 10000, &b), 0);
	assert_ptr_equal(a, b);
	store_chunk_unref(a);
	store_chunk_unref(store_chunk_ref(b));
	/* Idle, it is found again. */
	store_chunk_unref(b);
	assert_int_equal(store_get(r->s, &key, 10000, &c), 0);
	assert_ptr_equal(a, c);
	map = store_chunk_map(c);
	assert_non_null(map);
	assert_ptr_equal(map, store_chunk_map(c));
	assert_memory_equal(map, want, 9000);
	store_chunk_unref(c);
}

static void appended_bytes_can_be_read(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	g_autofree uint8_t *want = content_of(1, 5000);
	uint8_t got[5000];
	struct store_writer *w;

	assert_int_equal(begin(r->s, &key, 5000, &w), 0);
	assert_int_equal(store_writer_append(w, want, 3000), 0);
	assert_int_equal(store_writer_bytes(w), 3000);
	assert_int_equal(pread(store_writer_fd(w), got, 3000, 0), 3000);
	assert_memory_equal(got, want, 3000);
	assert_false(has(r, 1));
	/* More than was reserved does not go in, and breaks nothing. */
	assert_int_equal(store_writer_append(w, want, 2001), -ENOSPC);
	assert_int_equal(store_writer_append(w, want + 3000, 2000), 0);
	assert_int_equal(store_writer_bytes(w), 5000);
	store_abort(w);
	assert_false(has(r, 1));
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	assert_int_equal(count_files(r, "tmp"), 0);
}

static void a_writer_can_be_extended(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	g_autofree uint8_t *want = content_of(1, 300000);
	struct store_writer *w;
	struct store_chunk *c;
	int64_t before;

	assert_int_equal(begin(r->s, &key, 1000, &w), 0);
	before = stats_of(r).reserved_bytes;
	assert_int_equal(store_writer_append(w, want, 1000), 0);
	assert_int_equal(extend(w, BUDGET), -ENOSPC);
	assert_int_equal(extend(w, INT64_MAX), -ENOSPC);
	assert_int_equal(stats_of(r).reserved_bytes, before);
	assert_int_equal(extend(w, 299000), 0);
	assert_in_range(stats_of(r).reserved_bytes, 300000, 320000);
	assert_int_equal(store_writer_append(w, want + 1000, 299000), 0);
	assert_int_equal(commit(w, 300000, &c), 0);
	assert_true(is_right(c, 1, 300000, 300000));
	store_chunk_unref(c);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
}

static void a_size_below_the_content_is_refused(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	struct store_writer *w;
	struct store_chunk *c;

	assert_int_equal(begin(r->s, &key, 5000, &w), 0);
	assert_int_equal(append_content(w, 1, 5000), 0);
	assert_int_equal(commit(w, 4999, &c), -EINVAL);
	assert_false(has(r, 1));
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	assert_int_equal(count_files(r, "tmp"), 0);
}

static void memory_chunks_live_while_held(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	struct store_writer *w;
	struct store_chunk *c, *d;

	assert_int_equal(store_begin_memory(r->s, &key, &w), 0);
	assert_int_equal(append_content(w, 1, 50000), 0);
	assert_int_equal(extend(w, INT64_MAX), 0);
	store_abort(w);

	assert_int_equal(store_begin_memory(r->s, &key, &w), 0);
	assert_int_equal(append_content(w, 1, 50000), 0);
	assert_int_equal(commit(w, 70000, &c), 0);
	assert_true(is_right(c, 1, 50000, 70000));
	assert_int_equal(store_get(r->s, &key, 70000, &d), 0);
	assert_ptr_equal(c, d);
	store_chunk_unref(c);
	store_chunk_unref(d);
	assert_false(has(r, 1));
	assert_int_equal(stats_of(r).chunks, 0);
	assert_int_equal(count_files(r, "chunks"), 0);
}

/* ---- the same key again ----------------------------------------------- */

static void the_second_of_a_key_serves_and_goes(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	struct store_writer *v, *w;
	struct store_chunk *c, *d;

	assert_int_equal(begin(r->s, &key, 5000, &v), 0);
	assert_int_equal(begin(r->s, &key, 5000, &w), 0);
	assert_int_equal(append_content(v, 1, 5000), 0);
	assert_int_equal(append_content(w, 1, 5000), 0);
	assert_int_equal(commit(v, 8000, &c), 0);
	assert_int_equal(commit(w, 8000, &d), 0);
	assert_true(is_right(c, 1, 5000, 8000));
	assert_true(is_right(d, 1, 5000, 8000));
	assert_int_equal(stats_of(r).chunks, 1);
	/* What is still held still counts. */
	assert_in_range(stats_of(r).reserved_bytes, 5000, 20000);
	store_chunk_unref(d);
	store_chunk_unref(c);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	assert_int_equal(count_files(r, "chunks"), 1);
	assert_int_equal(look(r->s, 1, 5000, 8000), 0);
}

static void another_size_replaces(void **state)
{
	struct room *r = *state;
	struct store_chunk *held;

	assert_int_equal(put_held(r->s, 1, 5000, 8000, &held), 0);
	assert_int_equal(put(r->s, 1, 5000, 9000), 0);
	assert_true(is_right(held, 1, 5000, 8000));
	assert_int_equal(look(r->s, 1, 5000, 9000), 0);
	store_chunk_unref(held);
	assert_int_equal(stats_of(r).chunks, 1);
	assert_int_equal(count_files(r, "chunks"), 1);
	assert_int_equal(look(r->s, 1, 5000, 9000), 0);
}

static void a_wrong_size_is_a_miss_and_dropped(void **state)
{
	struct room *r = *state;

	for (int again = 0; again < 2; again++) {
		assert_int_equal(put(r->s, 1, 5000, 8000), 0);
		if (again)
			enter_again(r, BUDGET);
		assert_int_equal(look(r->s, 1, 5000, 8001), -ENOENT);
		settle(r);
		assert_false(has(r, 1));
		assert_int_equal(stats_of(r).chunks, 0);
		assert_int_equal(count_files(r, "chunks"), 0);
	}
}

/* ---- damage ----------------------------------------------------------- */

static void flip_first(const char *path)
{
	uint8_t b;
	auto_close int fd = open(path, O_RDWR);

	assert_int_equal(pread(fd, &b, 1, 0), 1);
	b ^= 0x10;
	assert_int_equal(pwrite(fd, &b, 1, 0), 1);
}

static void flip_padding(const char *path)
{
	auto_close int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, "x", 1, 99999), 1);
}

static void cut(const char *path)
{
	assert_int_equal(truncate(path, 99999), 0);
}

static void empty(const char *path)
{
	assert_int_equal(truncate(path, 0), 0);
}

static void lengthen(const char *path)
{
	assert_int_equal(truncate(path, 100001), 0);
}

static void lose(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static void swap_for_link(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
}

static void swap_for_fifo(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void (*const damages[])(const char *path) = {
	flip_first, flip_padding, cut, empty, lengthen, lose, swap_for_fifo,
};

static void damage_is_a_miss_and_dropped(void **state)
{
	struct room *r = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
		assert_int_equal(put(r->s, 1, 90000, 100000), 0);
		room_leave(r);

		g_autofree char *path = only_file(r);

		damages[i](path);
		room_enter(r, r->path, BUDGET, 0);
		assert_int_equal(look(r->s, 1, 90000, 100000), -ENOENT);
		settle(r);
		assert_false(has(r, 1));
		assert_int_equal(count_files(r, "chunks"), 0);
		assert_int_equal(stats_of(r).chunks, 0);
		/* And fetched again. */
		assert_int_equal(put(r->s, 1, 90000, 100000), 0);
		assert_int_equal(look(r->s, 1, 90000, 100000), 0);
	}
}

static void a_link_is_not_followed(void **state)
{
	struct room *r = *state;
	struct store_chunk *c = NULL;
	struct store_key key = KEY(1);
	int rc;

	assert_int_equal(put(r->s, 1, 90000, 100000), 0);
	room_leave(r);

	g_autofree char *path = only_file(r);

	swap_for_link(path);
	room_enter(r, r->path, BUDGET, 0);
	rc = store_get(r->s, &key, 100000, &c);
	assert_true(rc == -ENOENT || rc == -EIO);
	assert_null(c);
}

static void verify_finds_every_bad_one(void **state)
{
	struct room *r = *state;
	int64_t checked, dropped;

	for (uint64_t n = 0; n < 150; n++)
		assert_int_equal(put(r->s, n, 3000, 5000), 0);
	assert_int_equal(store_verify(r->s, &checked, &dropped), 0);
	assert_int_equal(checked, 150);
	assert_int_equal(dropped, 0);

	g_autoptr(GPtrArray) files = files_in(r, "chunks");

	flip_first(g_ptr_array_index(files, 3));
	cut(g_ptr_array_index(files, 70));
	lose(g_ptr_array_index(files, 149));
	assert_int_equal(store_verify(r->s, &checked, &dropped), 0);
	assert_int_equal(checked, 150);
	assert_int_equal(dropped, 3);
	assert_int_equal(store_verify(r->s, &checked, &dropped), 0);
	assert_int_equal(checked, 147);
	assert_int_equal(dropped, 0);
	assert_int_equal(stats_of(r).chunks, 147);
	assert_int_equal(count_files(r, "chunks"), 147);
}

/* ---- room ------------------------------------------------------------- */

static int64_t total_of(struct room *r)
{
	struct store_stats st = stats_of(r);

	return st.used_bytes + st.reserved_bytes + st.index_bytes;
}

static void the_least_recently_used_goes(void **state)
{
	struct room *r = *state;

	for (uint64_t n = 0; n < 60; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
		assert_true(total_of(r) <= BUDGET);
		/* The first is looked at all the time. */
		assert_int_equal(look(r->s, 0, MIB, MIB), 0);
		assert_int_equal(look(r->s, n, MIB, MIB), 0);
	}
	assert_true(has(r, 0));
	assert_true(has(r, 58));
	for (uint64_t n = 1; n < 40; n++)
		assert_false(has(r, n));
	/* Used to the full, as far as the budget goes. */
	assert_true(stats_of(r).chunks >= 15);
	assert_int_equal(count_files(r, "chunks"), stats_of(r).chunks);
}

static void uses_are_remembered_over_a_remount(void **state)
{
	struct room *r = *state;

	for (uint64_t n = 0; n < 8; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	pass_ms(2000);
	enter_again(r, BUDGET);
	assert_int_equal(look(r->s, 0, MIB, MIB), 0);
	enter_again(r, BUDGET);
	for (uint64_t n = 8; n < 20; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	assert_true(has(r, 0));
	assert_false(has(r, 1));
}

static void what_is_held_stays(void **state)
{
	struct room *r = *state;
	struct store_chunk *held[5];

	for (uint64_t n = 0; n < 5; n++)
		assert_int_equal(put_held(r->s, n, MIB, MIB, &held[n]), 0);
	for (uint64_t n = 5; n < 60; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	for (uint64_t n = 0; n < 5; n++) {
		struct stat st;

		assert_int_equal(fstat(store_chunk_fd(held[n]), &st), 0);
		assert_int_equal(st.st_nlink, 1);
		assert_int_equal(look(r->s, n, MIB, MIB), 0);
		store_chunk_unref(held[n]);
	}
}

static void nothing_goes_for_what_cannot_fit(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(100);
	struct store_chunk *held[20];
	struct store_writer *w;
	uint64_t n = 0;

	assert_int_equal(begin(r->s, &key, BUDGET / 2, &w), -ENOSPC);
	assert_int_equal(begin(r->s, &key, INT64_MAX, &w), -ENOSPC);
	for (; n < 6; n++)
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	assert_int_equal(begin(r->s, &key, BUDGET / 2, &w), -ENOSPC);
	assert_int_equal(stats_of(r).chunks, 6);

	for (n = 0; n < 20; n++)
		if (put_held(r->s, n, MIB, MIB, &held[n]))
			break;
	assert_in_range(n, 16, 19);
	assert_int_equal(begin(r->s, &key, 4 * MIB, &w), -ENOSPC);
	while (n--)
		store_chunk_unref(held[n]);
	assert_int_equal(begin(r->s, &key, 4 * MIB, &w), 0);
	store_abort(w);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
}

static void the_keeper_keeps_some_room(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(100);
	struct store_writer *w;
	int64_t full;

	for (uint64_t n = 0; n < 300; n++)
		assert_int_equal(put(r->s, n, 100000, 100000), 0);
	full = stats_of(r).chunks;
	store_tick(r->s);
	assert_true(stats_of(r).chunks < full);
	full = stats_of(r).chunks;
	store_tick(r->s);
	assert_int_equal(stats_of(r).chunks, full);
	/* So this one evicts nothing. */
	assert_int_equal(begin(r->s, &key, 400000, &w), 0);
	assert_int_equal(stats_of(r).chunks, full);
	store_abort(w);
}

static void a_small_budget_is_refused(void **state)
{
	struct room *r = *state;
	struct store_options o = {.budget_bytes = MIB - 1,
				  .clock = &fake_clock};
	g_autofree char *error = NULL;
	struct store *s = NULL;

	assert_int_equal(store_open(r->fd, r->ix, &o, &s, &error), -EINVAL);
	assert_non_null(strstr(error, "1 MiB"));
	assert_null(s);
}

/* A smaller budget than before is reached by the next writer. */
static void a_budget_can_shrink(void **state)
{
	struct room *r = *state;

	for (uint64_t n = 0; n < 16; n++)
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	enter_again(r, 8 * MIB);
	assert_int_equal(put(r->s, 99, 100000, 100000), 0);
	assert_true(total_of(r) <= 8 * MIB);
	assert_int_equal(look(r->s, 99, 100000, 100000), 0);
}

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
		lose(g_ptr_array_index(files, i));
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

/* ---- threads ---------------------------------------------------------- */

struct work {
	struct room *r;
	unsigned seed;
};

static void *worker(void *arg)
{
	struct work *k = arg;

	for (int i = 0; i < 150; i++) {
		uint64_t n = (uint64_t)rand_r(&k->seed) % 40;
		int64_t bytes = (int64_t)(n + 1) * 20000;
		int rc = look(k->r->s, n, bytes, bytes + 4096);

		if (rc == -ENOENT)
			rc = put(k->r->s, n, bytes, bytes + 4096);
		CHECK(rc == 0 || rc == -ENOSPC);
		if (i % 50 == 7) {
			struct store_key key = KEY(n);

			store_drop(k->r->s, &key);
		}
	}
	return NULL;
}

static void many_threads_share_it(void **state)
{
	struct room *r = *state;
	pthread_t threads[6];
	struct work work[6];

	enter_again(r, 8 * MIB);
	for (unsigned i = 0; i < 6; i++) {
		work[i] = (struct work){.r = r, .seed = i};
		assert_int_equal(
			pthread_create(&threads[i], NULL, worker, &work[i]), 0);
	}
	for (unsigned i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	assert_true(total_of(r) <= 8 * MIB);
	assert_int_equal(store_sweep(r->s), 0);
	assert_int_equal(count_files(r, "chunks"), stats_of(r).chunks);
	assert_int_equal(count_files(r, "tmp"), 0);
}

static void *looker(void *arg)
{
	struct work *k = arg;

	CHECK(look(k->r->s, 1, 3 * MIB, 3 * MIB) == 0);
	return NULL;
}

static void many_threads_open_one(void **state)
{
	struct room *r = *state;
	struct work work = {.r = r};
	pthread_t threads[6];

	assert_int_equal(put(r->s, 1, 3 * MIB, 3 * MIB), 0);
	enter_again(r, BUDGET);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, looker, &work), 0);
	for (unsigned i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
}

/* ---- disks that are full or cannot be written ------------------------- */

/* A small disk of our own at the room's path; false where we may not. */
static bool small_disk(struct room *r, const char *options)
{
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	room_leave(r);
	assert_int_equal(mount("tmpfs", r->path, "tmpfs", 0, options), 0);
	return true;
}

static void a_full_disk_is_enospc(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(50);
	struct store_writer *w;
	int rc = 0;
	uint64_t n;

	if (!small_disk(r, "size=8m,mode=0700"))
		skip();
	room_enter(r, r->path, 100 * MIB, 0);
	/* The disk's own end makes room as the budget's does. */
	for (n = 0; n < 20; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	assert_int_equal(look(r->s, 19, MIB, MIB), 0);

	/* Somebody else fills it while a chunk is written. */
	assert_int_equal(begin(r->s, &key, MIB, &w), 0);
	g_autofree char *hog = g_build_filename(r->path, "hog", NULL);
	auto_close int fd = open(hog, O_WRONLY | O_CREAT, 0600);
	g_autofree uint8_t *junk = content_of(0, 65536);

	while (write(fd, junk, 65536) > 0)
		;
	for (int i = 0; !rc && i < 64; i++)
		rc = store_writer_append(w, junk, 16384);
	assert_int_equal(rc, -ENOSPC);
	/* A writer that failed stays failed. */
	assert_int_equal(store_writer_append(w, junk, 1), -ENOSPC);
	store_abort(w);
	assert_int_equal(look(r->s, 19, MIB, MIB), 0);
	rc = begin(r->s, &key, 6 * MIB, &w);
	assert_int_equal(rc, -ENOSPC);

	assert_int_equal(unlink(hog), 0);
	base_closep(&fd);
	assert_int_equal(put(r->s, 51, MIB, MIB), 0);
	assert_int_equal(look(r->s, 51, MIB, MIB), 0);
	room_leave(r);
	assert_int_equal(umount(r->path), 0);
	room_enter(r, r->path, BUDGET, 0);
}

static void a_share_of_the_disk_stays_free(void **state)
{
	struct room *r = *state;
	struct stat st;
	int64_t taken = 0;

	if (!small_disk(r, "size=16m,mode=0700"))
		skip();
	room_enter(r, r->path, 100 * MIB, 0.5);
	for (uint64_t n = 0; n < 40; n++)
		assert_int_equal(put(r->s, n, 300000, 300000), 0);

	g_autoptr(GPtrArray) files = files_in(r, "chunks");

	for (guint i = 0; i < files->len; i++) {
		assert_int_equal(stat(g_ptr_array_index(files, i), &st), 0);
		taken += st.st_blocks * 512;
	}
	assert_in_range(taken, 5 * MIB, 8 * MIB);
	room_leave(r);
	assert_int_equal(umount(r->path), 0);
	room_enter(r, r->path, BUDGET, 0);
}

static bool set_immutable(const struct room *r, const char *name, bool on)
{
	auto_close int fd = openat(r->fd, name, O_RDONLY | O_DIRECTORY);
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return false;
	flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	return !ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static void where_nothing_can_be_written_reads_go_on(void **state)
{
	struct room *r = *state;
	struct store_key gone = KEY(3), key = KEY(2);
	struct store_writer *w = NULL;
	struct store_chunk *c;
	g_autofree char *fanout = NULL, *name = NULL;

	assert_int_equal(put(r->s, 1, MIB, MIB), 0);
	g_autofree char *path = only_file(r);

	fanout = g_path_get_dirname(path);
	name = g_strconcat("chunks/", fanout + strlen(fanout) - 2, NULL);
	/* Idle in the table it would be found without the disk. */
	store_table_close_idle(r->s, 0);
	if (!set_immutable(r, "tmp", true))
		skip();
	assert_true(set_immutable(r, name, true));
	assert_int_equal(look(r->s, 1, MIB, MIB), 0);
	assert_int_equal(begin(r->s, &key, 1000, &w), -EROFS);
	assert_null(w);
	store_drop(r->s, &gone);
	gone = KEY(1);
	store_drop(r->s, &gone);
	settle(r);
	assert_int_equal(look(r->s, 1, MIB, MIB), 0);

	assert_int_equal(store_begin_memory(r->s, &key, &w), 0);
	assert_int_equal(append_content(w, 2, 1000), 0);
	assert_int_equal(commit(w, 1000, &c), 0);
	assert_true(is_right(c, 2, 1000, 1000));
	store_chunk_unref(c);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	assert_true(set_immutable(r, "tmp", false));
	assert_true(set_immutable(r, name, false));
	assert_int_equal(put(r->s, 2, 1000, 1000), 0);
}

static void a_limit_on_files_is_enospc(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	struct store_writer *w = NULL;
	struct rlimit old, low;

	assert_int_equal(put(r->s, 3, 5000, 5000), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 4 * MIB;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(begin(r->s, &key, 5 * MIB, &w), -ENOSPC);
	assert_null(w);
	assert_int_equal(look(r->s, 3, 5000, 5000), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	assert_int_equal(count_files(r, "tmp"), 0);
	assert_int_equal(put(r->s, 1, 5 * MIB, 5 * MIB), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_put_is_got),
		CASE(keys_are_apart),
		CASE(an_open_chunk_is_shared),
		CASE(appended_bytes_can_be_read),
		CASE(a_writer_can_be_extended),
		CASE(a_size_below_the_content_is_refused),
		CASE(memory_chunks_live_while_held),
		CASE(the_second_of_a_key_serves_and_goes),
		CASE(another_size_replaces),
		CASE(a_wrong_size_is_a_miss_and_dropped),
		CASE(damage_is_a_miss_and_dropped),
		CASE(a_link_is_not_followed),
		CASE(verify_finds_every_bad_one),
		CASE(the_least_recently_used_goes),
		CASE(uses_are_remembered_over_a_remount),
		CASE(what_is_held_stays),
		CASE(nothing_goes_for_what_cannot_fit),
		CASE(the_keeper_keeps_some_room),
		CASE(a_small_budget_is_refused),
		CASE(a_budget_can_shrink),
		CASE(dropped_is_gone),
		CASE(what_was_left_is_swept),
		CASE(rows_and_totals_are_mended),
		CASE(layout_is_pinned),
		CASE(many_threads_share_it),
		CASE(many_threads_open_one),
		CASE(a_full_disk_is_enospc),
		CASE(a_share_of_the_disk_stays_free),
		CASE(where_nothing_can_be_written_reads_go_on),
		CASE(a_limit_on_files_is_enospc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
