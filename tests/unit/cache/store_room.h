/* SPDX-License-Identifier: MIT */
/*
 * A cache directory with an open store, and the store's calls with a wait for
 * their answer.  What goes wrong here ends the test (or the forked child).
 */
#ifndef KVSFS_TESTS_UNIT_CACHE_STORE_ROOM_H
#define KVSFS_TESTS_UNIT_CACHE_STORE_ROOM_H

#include "cache/dir.h"
#include "cache/index.h"
#include "cache/store.h"
#include "fs/base/base.h"

#include <glib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MIB    (INT64_C(1) << 20)
#define BUDGET (20 * MIB)

/* Works in a child as well, where cmocka's asserts do not. */
#define CHECK(cond)                                                        \
	do {                                                               \
		if (!(cond)) {                                             \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#cond);                                    \
			abort();                                           \
		}                                                          \
	} while (0)

struct room {
	char *path;
	int fd;
	struct cache_index *ix;
	struct store *s;
};

/* Realtime moves only when it is told to. */
static int64_t fake_now_ms = INT64_C(1795608302513);

static inline int64_t fake_realtime_ms(void *user)
{
	return __atomic_load_n(&fake_now_ms, __ATOMIC_RELAXED);
}

static inline int64_t fake_monotonic_ms(void *user)
{
	return clock_monotonic_ms(&clock_system);
}

static const struct clock fake_clock = {
	.realtime_ms = fake_realtime_ms,
	.monotonic_ms = fake_monotonic_ms,
};

static inline void pass_ms(int64_t ms)
{
	__atomic_add_fetch(&fake_now_ms, ms, __ATOMIC_RELAXED);
}

static inline void room_enter(struct room *r, const char *path,
			      int64_t budget_bytes, double min_free_ratio)
{
	struct store_options o = {.budget_bytes = budget_bytes,
				  .min_free_ratio = min_free_ratio,
				  .clock = &fake_clock};
	char *error = NULL;

	if (cache_dir_open(path, &r->fd, &error) ||
	    index_open(r->fd, &r->ix, &error) ||
	    store_open(r->fd, r->ix, &o, &r->s, &error)) {
		fprintf(stderr, "%s\n", error);
		abort();
	}
}

static inline void room_leave(struct room *r)
{
	store_close(r->s);
	index_close(r->ix);
	base_closep(&r->fd);
	r->s = NULL;
	r->ix = NULL;
}

static inline void remove_tree(const char *path)
{
	g_autofree char *rm = g_strdup_printf("rm -rf '%s'", path);

	CHECK(g_spawn_command_line_sync(rm, NULL, NULL, NULL, NULL));
}

/* ---- answers ---------------------------------------------------------- */

struct answer {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool there;
	int rc;
	struct store_writer *w;
	struct store_chunk *c;
};

static inline void answer_set(struct answer *a, int rc, struct store_writer *w,
			      struct store_chunk *c)
{
	pthread_mutex_lock(&a->lock);
	CHECK(!a->there);
	a->there = true;
	a->rc = rc;
	a->w = w;
	a->c = c;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
}

static inline int answer_wait(struct answer *a)
{
	pthread_mutex_lock(&a->lock);
	while (!a->there)
		pthread_cond_wait(&a->wake, &a->lock);
	pthread_mutex_unlock(&a->lock);
	return a->rc;
}

static inline void answer_init(struct answer *a)
{
	memset(a, 0, sizeof(*a));
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wake, NULL);
}

static inline void on_begin(void *user, int rc, struct store_writer *w)
{
	answer_set(user, rc, w, NULL);
}

static inline void on_extend(void *user, int rc)
{
	answer_set(user, rc, NULL, NULL);
}

static inline void on_commit(void *user, int rc, struct store_chunk *c)
{
	answer_set(user, rc, NULL, c);
}

static inline int begin(struct store *s, const struct store_key *key,
			int64_t bytes, struct store_writer **ret_writer)
{
	struct answer a;

	answer_init(&a);
	store_begin(s, key, bytes, on_begin, &a);
	answer_wait(&a);
	CHECK(!a.rc == !!a.w);
	*ret_writer = a.w;
	return a.rc;
}

static inline int extend(struct store_writer *w, int64_t bytes)
{
	struct answer a;

	answer_init(&a);
	store_extend(w, bytes, on_extend, &a);
	return answer_wait(&a);
}

static inline int commit(struct store_writer *w, int64_t size_bytes,
			 struct store_chunk **ret_chunk)
{
	struct answer a;

	answer_init(&a);
	store_commit(w, size_bytes, on_commit, &a);
	answer_wait(&a);
	CHECK(!a.rc == !!a.c);
	*ret_chunk = a.c;
	return a.rc;
}

/* ---- content ---------------------------------------------------------- */

/* Chunk n: its number, and bytes that are its own. */
#define KEY(n) key_of(n, (char[40]){0})

static inline struct store_key key_of(uint64_t n, char number[40])
{
	g_snprintf(number, 40, "91343852332%020" G_GUINT64_FORMAT, (guint64)n);
	return (struct store_key){.stream = 7, .number = number};
}

static inline uint8_t *content_of(uint64_t n, int64_t bytes)
{
	uint8_t *out = g_malloc((gsize)bytes + 8);
	uint64_t x = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (int64_t i = 0; i < bytes; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(out + i, &x, 8);
	}
	return out;
}

/* The file of chunk n: `bytes` of content, then zeros up to size. */
static inline bool file_is_right(int fd, uint64_t n, int64_t bytes,
				 int64_t size_bytes)
{
	g_autofree uint8_t *want = content_of(n, bytes);
	g_autofree uint8_t *got = g_malloc((gsize)size_bytes + 1);
	int64_t at = 0;
	ssize_t did;

	while ((did = pread(fd, got + at, (size_t)(size_bytes + 1 - at), at)) >
	       0)
		at += did;
	if (did < 0 || at != size_bytes || memcmp(got, want, (size_t)bytes))
		return false;
	for (int64_t i = bytes; i < size_bytes; i++)
		if (got[i])
			return false;
	return true;
}

static inline bool is_right(struct store_chunk *c, uint64_t n, int64_t bytes,
			    int64_t size_bytes)
{
	return store_chunk_size(c) == size_bytes &&
	       file_is_right(store_chunk_fd(c), n, bytes, size_bytes);
}

/* In pieces, as the network sends them. */
static inline int append_content(struct store_writer *w, uint64_t n,
				 int64_t bytes)
{
	g_autofree uint8_t *content = content_of(n, bytes);
	int rc = 0;

	for (int64_t at = 0; !rc && at < bytes; at += 16000)
		rc = store_writer_append(w, content + at,
					 (size_t)MIN(16000, bytes - at));
	return rc;
}

/* Stores chunk n; the caller holds it. */
static inline int put_held(struct store *s, uint64_t n, int64_t bytes,
			   int64_t size_bytes, struct store_chunk **ret_chunk)
{
	struct store_key key = KEY(n);
	struct store_writer *w;
	int rc = begin(s, &key, bytes, &w);

	*ret_chunk = NULL;
	if (rc)
		return rc;
	rc = append_content(w, n, bytes);
	if (rc) {
		store_abort(w);
		return rc;
	}
	return commit(w, size_bytes, ret_chunk);
}

static inline int put(struct store *s, uint64_t n, int64_t bytes,
		      int64_t size_bytes)
{
	struct store_chunk *c;
	int rc = put_held(s, n, bytes, size_bytes, &c);

	if (!rc)
		store_chunk_unref(c);
	return rc;
}

/* 0 and checked, or what store_get() says. */
static inline int look(struct store *s, uint64_t n, int64_t bytes,
		       int64_t size_bytes)
{
	struct store_key key = KEY(n);
	struct store_chunk *c = NULL;
	int rc = store_get(s, &key, size_bytes, &c);

	if (rc)
		return rc;
	CHECK(is_right(c, n, bytes, size_bytes));
	store_chunk_unref(c);
	return 0;
}

/* ---- tests ------------------------------------------------------------- */

static inline int setup(void **state)
{
	struct room *r = g_new0(struct room, 1);

	r->path = g_dir_make_tmp("kvsfs-store-XXXXXX", NULL);
	room_enter(r, r->path, BUDGET, 0);
	*state = r;
	return 0;
}

static inline int teardown(void **state)
{
	struct room *r = *state;

	room_leave(r);
	remove_tree(r->path);
	g_free(r->path);
	g_free(r);
	return 0;
}

static inline void enter_again(struct room *r, int64_t budget_bytes)
{
	room_leave(r);
	room_enter(r, r->path, budget_bytes, 0);
}

/* ---- a room for each test, and what is in it ---------------------------- */

/* Full paths of the files below one of the directory's folders. */
static inline GPtrArray *files_below(const char *room, const char *folder)
{
	g_autofree char *dir = g_build_filename(room, folder, NULL);
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

static inline GPtrArray *files_in(const struct room *r, const char *folder)
{
	return files_below(r->path, folder);
}

static inline unsigned count_below(const char *room, const char *folder)
{
	g_autoptr(GPtrArray) files = files_below(room, folder);

	return files->len;
}

static inline unsigned count_files(const struct room *r, const char *folder)
{
	return count_below(r->path, folder);
}

/* The only chunk there is. */
static inline char *only_file(const struct room *r)
{
	g_autoptr(GPtrArray) files = files_in(r, "chunks");

	assert_int_equal(files->len, 1);
	return g_strdup(g_ptr_array_index(files, 0));
}

static inline int nothing(struct index_conn *conn, void *arg)
{
	return 0;
}

/* Whatever was posted has been done. */
static inline void settle(struct room *r)
{
	assert_int_equal(index_run(r->ix, nothing, NULL), 0);
	/* A done() may have posted. */
	assert_int_equal(index_run(r->ix, nothing, NULL), 0);
}

static inline struct store_stats stats_of(struct room *r)
{
	struct store_stats st;

	settle(r);
	assert_int_equal(store_stats(r->s, &st), 0);
	return st;
}

static inline bool has(struct room *r, uint64_t n)
{
	struct store_key key = KEY(n);

	return store_has(r->s, &key);
}

static inline int64_t total_of(struct room *r)
{
	struct store_stats st = stats_of(r);

	return st.used_bytes + st.reserved_bytes + st.index_bytes;
}

#endif
