/* SPDX-License-Identifier: MIT */
/* An index in a folder of its own, and a table that only the tests write. */
#ifndef KVSFS_TESTS_INDEX_ROOM_H
#define KVSFS_TESTS_INDEX_ROOM_H

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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MAKE_SQL "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v)"

struct room {
	char *path;
	int fd;
	struct cache_index *ix;
};

static inline struct cache_index *open_index(int fd)
{
	struct cache_index *ix = NULL;
	char *error = NULL;
	int rc = index_open(fd, &ix, &error);

	if (rc)
		print_error("index_open: %d %s\n", rc, error);
	assert_int_equal(rc, 0);
	return ix;
}

static inline int make_table(struct index_conn *conn, void *arg)
{
	return index_exec(index_prepare(conn, MAKE_SQL));
}

static inline int setup(void **state)
{
	struct room *r = g_new0(struct room, 1);

	r->path = g_dir_make_tmp("kvsfs-index-XXXXXX", NULL);
	r->fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->ix = open_index(r->fd);
	assert_int_equal(index_run(r->ix, make_table, NULL), 0);
	*state = r;
	return 0;
}

static inline int teardown(void **state)
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

static inline void reopen(struct room *r)
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

static inline int put_row(struct index_conn *conn, void *arg)
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

static inline void row_done(void *arg, int rc)
{
	struct row *row = arg;

	row->rc = rc;
	if (row->order)
		row->position = (*row->order)++;
}

static inline int64_t read_value(struct cache_index *ix, const char *sql,
				 int64_t k)
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

static inline int64_t value_of(struct cache_index *ix, int64_t k)
{
	return read_value(ix, "SELECT v FROM t WHERE k=?", k);
}

static inline int64_t count_rows(struct cache_index *ix)
{
	return read_value(ix, "SELECT count(*) FROM t", 0);
}

static inline bool intact(struct cache_index *ix)
{
	return read_value(ix,
			  "SELECT integrity_check='ok' FROM "
			  "pragma_integrity_check LIMIT 1",
			  0) == 1;
}

static inline int nothing(struct index_conn *conn, void *arg)
{
	return 0;
}

static inline int run_sql(struct index_conn *conn, void *sql)
{
	return sqlite3_exec(index_db(conn), sql, NULL, NULL, NULL) ? -EIO : 0;
}

static inline int put_blob(struct index_conn *conn, void *arg)
{
	sqlite3_stmt *s = index_prepare(
		conn, "INSERT INTO t VALUES(?, zeroblob(4000000))");

	sqlite3_bind_int64(s, 1, ((struct row *)arg)->k);
	return index_exec(s);
}

static inline bool exists(struct room *r, const char *name)
{
	return faccessat(r->fd, name, F_OK, 0) == 0;
}

static inline int make_room(void **state)
{
	struct room *r = g_new0(struct room, 1);

	r->path = g_dir_make_tmp("kvsfs-index-XXXXXX", NULL);
	r->fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = r;
	return 0;
}

static inline char *file_of(struct room *r, const char *name)
{
	return g_build_filename(r->path, name, NULL);
}

static inline void overwrite(struct room *r, const char *name, off_t at,
			     const char *bytes, size_t n)
{
	g_autofree char *path = file_of(r, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	close(fd);
}

#endif
