/* SPDX-License-Identifier: MIT */
/* A catalog in a folder of its own, and waiting for its writer. */
#ifndef KVSFS_TESTS_CATALOG_ROOM_H
#define KVSFS_TESTS_CATALOG_ROOM_H

#include "cache/catalog.h"

#include "cache/index.h"
#include "fs/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL	INT64_MIN, INT64_MAX
#define ALIVE	INT64_MIN
#define HOUR_MS INT64_C(3600000)

struct room {
	char *path;
	int fd;
	struct cache_index *ix;
	struct catalog *c;
};

static inline void room_open(struct room *r)
{
	char *error = NULL;

	assert_int_equal(index_open(r->fd, &r->ix, &error), 0);
	r->c = catalog_new(r->ix);
}

static inline void room_shut(struct room *r)
{
	catalog_free(r->c);
	index_close(r->ix);
}

static inline int setup(void **state)
{
	struct room *r = g_new0(struct room, 1);

	r->path = g_dir_make_tmp("kvsfs-catalog-XXXXXX", NULL);
	r->fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	room_open(r);
	*state = r;
	return 0;
}

static inline int teardown(void **state)
{
	struct room *r = *state;
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", r->path);

	room_shut(r);
	close(r->fd);
	if (system(command) != 0)
		return -1;
	g_free(r->path);
	g_free(r);
	return 0;
}

/* ---- waiting for the writer ------------------------------------------- */

static inline int run_sql(struct index_conn *conn, void *sql)
{
	return sqlite3_exec(index_db(conn), sql, NULL, NULL, NULL) ? -EIO : 0;
}

/* All that was posted so far is committed. */
static inline void settle(struct room *r)
{
	assert_int_equal(index_run(r->ix, run_sql, (char[]){"SELECT 1"}), 0);
}

static inline void keep_rc(void *user, int rc)
{
	*(int *)user = rc;
}

static inline uint32_t put_stream(struct room *r, const char *endpoint,
				  const char *arn, const char *name)
{
	struct catalog_stream s = {.endpoint = g_strdup(endpoint),
				   .arn = g_strdup(arn),
				   .name = g_strdup(name),
				   .created_ms = 5,
				   .retention_ms = 24 * HOUR_MS};
	int rc = 1;

	catalog_put_streams(r->c, &s, 1, keep_rc, &rc);
	catalog_stream_release(&s); /* it was copied */
	settle(r);
	assert_int_equal(rc, 0);
	assert_int_equal(catalog_stream_find(r->c, endpoint, arn, &s), 0);
	assert_string_equal(s.name, name);
	catalog_stream_release(&s);
	return s.id;
}

static inline uint32_t any_stream(struct room *r)
{
	return put_stream(r, "", "arn:cam", "cam");
}

static inline int put_listing(struct room *r, const struct catalog_listing *l)
{
	int rc = 1;

	catalog_put_listing(r->c, l, keep_rc, &rc);
	settle(r);
	return rc;
}

static inline struct fragment frag(const char *number, int64_t producer_ms,
				   int64_t server_ms, int64_t size)
{
	struct fragment f = {.producer_ms = producer_ms,
			     .server_ms = server_ms,
			     .length_ms = 2000,
			     .size_bytes = size};

	g_strlcpy(f.number, number, sizeof(f.number));
	return f;
}

static inline void put_fragments(struct room *r, uint32_t stream,
				 const struct fragment *f, size_t n)
{
	struct catalog_listing l = {.stream = stream, .fragments = f, .n = n};

	assert_int_equal(put_listing(r, &l), 0);
}

static inline struct fragment find(struct room *r, uint32_t stream,
				   const char *number)
{
	struct fragment f = {0};

	assert_int_equal(catalog_fragment_find(r->c, stream, number, &f), 0);
	return f;
}

static inline struct catalog_stream stream_row(struct room *r, uint32_t stream)
{
	struct catalog_stream s;

	assert_int_equal(catalog_stream_get(r->c, stream, &s), 0);
	catalog_stream_release(&s);
	return s;
}

static inline int64_t query(struct room *r, const char *sql)
{
	struct index_conn *conn;
	sqlite3_stmt *s;
	int64_t v = -1;

	assert_int_equal(index_reader_get(r->ix, &conn), 0);
	s = index_prepare(conn, sql);
	assert_non_null(s);
	if (index_step(s) == 1)
		v = sqlite3_column_int64(s, 0);
	index_done(s);
	index_reader_put(r->ix, conn);
	return v;
}

/* ---- what the tests put in ---------------------------------------------- */

static inline void know(struct room *r, uint32_t s, enum catalog_axis axis,
			int64_t start_ms, int64_t end_ms, int64_t as_of_ms)
{
	struct catalog_listing l = {.stream = s,
				    .axis = axis,
				    .known_start_ms = start_ms,
				    .known_end_ms = end_ms,
				    .as_of_ms = as_of_ms};

	catalog_put_listing(r->c, &l, NULL, NULL);
}

static inline void move_mark(struct room *r, uint32_t s, int64_t mark_ms,
			     bool chain)
{
	struct catalog_listing l = {
		.stream = s, .mark_ms = mark_ms, .new_chain = chain};

	catalog_put_listing(r->c, &l, NULL, NULL);
	settle(r);
}

static inline int knowledge(struct room *r, uint32_t s, enum catalog_axis axis,
			    int64_t start_ms, int64_t end_ms)
{
	enum catalog_knowledge k = -1;

	assert_int_equal(catalog_knowledge(r->c, s, axis, start_ms, end_ms, &k),
			 0);
	return k;
}

#define NUMBER "913438523331814323926820626076439201%011d"

/* n fragments, two seconds each from start_ms, numbered from first. */
static inline void fill(struct room *r, uint32_t s, int first, int n,
			int64_t start_ms)
{
	g_autofree struct fragment *f = g_new(struct fragment, 1000);
	struct catalog_listing l = {.stream = s, .fragments = f};

	for (int at = 0; at < n; at += 1000) {
		l.n = (size_t)MIN(1000, n - at);
		for (size_t i = 0; i < l.n; i++) {
			char number[64];
			int64_t ms = start_ms + (at + (int64_t)i) * 2000;

			g_snprintf(number, sizeof(number), NUMBER,
				   first + at + (int)i);
			f[i] = frag(number, ms, ms + 500, 1000);
		}
		catalog_put_listing(r->c, &l, NULL, NULL);
	}
	settle(r);
}

#endif
