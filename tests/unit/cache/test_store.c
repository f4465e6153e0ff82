/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_room.h"

#include "cache/store_internal.h"

#include <fcntl.h>
#include <sys/stat.h>

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
		struct store_chunk *c = NULL;

		assert_int_equal(store_get(r->s, &keys[i], 1000, &c), -ENOENT);
		assert_int_equal(begin(r->s, &keys[i], 1000, &w), 0);
		assert_int_equal(append_content(w, i, 1000), 0);
		assert_int_equal(commit(w, 1000, &c), 0);
		store_chunk_unref(c);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		struct store_chunk *c = NULL;

		assert_int_equal(store_get(r->s, &keys[i], 1000, &c), 0);
		assert_true(is_right(c, i, 1000, 1000));
		store_chunk_unref(c);
	}
}

static void an_open_chunk_is_shared(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	struct store_chunk *a, *b = NULL, *c = NULL;
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
	assert_ptr_equal(map, store_chunk_map(c));
	/* There is none where the tests run on a tmpfs. */
	if (map)
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
	assert_int_equal(store_writer_flush(w), 0);
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

/* Gathered on the way to the file: whatever the pieces and wherever flushed. */
static void appended_in_any_pieces_it_is_the_same(void **state)
{
	static const struct {
		size_t first, then;
		int flush_every; /* 0: never */
	} cases[] = {
		{300000, 1, 0},	     {1, 300000, 0},	{131072, 131072, 0},
		{131071, 131073, 0}, {16384, 16384, 0}, {16371, 16371, 0},
		{16371, 16371, 3},   {3, 131072, 1},	{100000, 65536, 2},
		{131072, 7000, 1},   {1, 200000, 1},
	};
	struct room *r = *state;
	size_t all = 300000;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct store_key key = KEY(i);
		g_autofree uint8_t *want = content_of(i, all);
		struct store_writer *w;
		struct store_chunk *c;
		size_t n;
		int turn = 0;

		assert_int_equal(begin(r->s, &key, (int64_t)all, &w), 0);
		for (size_t at = 0; at < all; at += n) {
			n = at ? cases[i].then : cases[i].first;
			n = MIN(n, all - at);
			assert_int_equal(store_writer_append(w, want + at, n),
					 0);
			assert_int_equal(store_writer_bytes(w), at + n);
			if (cases[i].flush_every &&
			    ++turn % cases[i].flush_every == 0)
				assert_int_equal(store_writer_flush(w), 0);
		}
		assert_int_equal(commit(w, (int64_t)all, &c), 0);
		assert_true(is_right(c, i, (int64_t)all, (int64_t)all));
		store_chunk_unref(c);
		store_drop(r->s, &key);
	}
}

static void what_was_appended_moves_to_memory(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	g_autofree uint8_t *want = content_of(1, 300000);
	struct store_writer *w, *m;
	struct store_chunk *c;

	assert_int_equal(begin(r->s, &key, 400000, &w), 0);
	assert_int_equal(store_writer_append(w, want, 200000), 0);
	assert_int_equal(store_writer_to_memory(w, &m), 0);
	assert_int_equal(count_files(r, "tmp"), 0);
	assert_int_equal(store_writer_bytes(m), 200000);
	assert_int_equal(store_writer_append(m, want + 200000, 100000), 0);
	assert_int_equal(commit(m, 300000, &c), 0);
	assert_true(is_right(c, 1, 300000, 300000));
	store_chunk_unref(c);
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
	struct store_chunk *c = NULL, *d = NULL;

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
	struct store_chunk *c = NULL, *d = NULL;

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
	flip_first, flip_padding, cut,		 empty,
	lengthen,   lose,	  swap_for_link, swap_for_fifo,
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

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_put_is_got),
		CASE(keys_are_apart),
		CASE(an_open_chunk_is_shared),
		CASE(appended_bytes_can_be_read),
		CASE(appended_in_any_pieces_it_is_the_same),
		CASE(what_was_appended_moves_to_memory),
		CASE(a_writer_can_be_extended),
		CASE(a_size_below_the_content_is_refused),
		CASE(memory_chunks_live_while_held),
		CASE(the_second_of_a_key_serves_and_goes),
		CASE(another_size_replaces),
		CASE(a_wrong_size_is_a_miss_and_dropped),
		CASE(damage_is_a_miss_and_dropped),
		CASE(verify_finds_every_bad_one),
		CASE(many_threads_share_it),
		CASE(many_threads_open_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
