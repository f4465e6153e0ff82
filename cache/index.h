/* SPDX-License-Identifier: MIT */
/*
 * index: the SQLite file in which catalog and store keep their rows: schema
 * and its version, the one writer thread, read connections for everybody else.
 *
 * Several processes may have the same index open (WAL).  A crash loses at most
 * the last moments' rows, never the file (synchronous=NORMAL).  An index that
 * is damaged is put aside and begun anew; what it described is fetched again.
 * One of an older layout is mended when it is opened (schema.h), a newer one is
 * refused.
 * It never blocks on the network.
 */
#ifndef KVSFS_CACHE_INDEX_H
#define KVSFS_CACHE_INDEX_H

#include <stdint.h>

struct cache_index;
struct index_conn; /* a connection with its prepared statements */
struct sqlite3;
struct sqlite3_stmt;

/* 0 or -errno with a sentence in *ret_error. dirfd is borrowed. */
int index_open(int dirfd, struct cache_index **ret_index, char **ret_error);

/* Runs what was posted, ends the writer thread.  NULL is fine. */
void index_close(struct cache_index *ix);

/*
 * Post a change.  On the writer thread, inside a transaction (shared with other
 * posts that wait, each in a savepoint of its own), write(conn, arg) is called;
 * it returns 0 or -errno (then its own changes are undone).  After the commit
 * done(arg, rc) is called there too (done may be NULL): readers see the change
 * by then.  rc is -ENOSPC on a full disk, -EROFS where it cannot be written,
 * -EIO else.  Any thread; never blocks.  arg is the caller's until done().
 */
typedef int (*index_write_fn)(struct index_conn *conn, void *arg);
typedef void (*index_done_fn)(void *arg, int rc);
void index_post(struct cache_index *ix, index_write_fn write,
		index_done_fn done, void *arg);

/* As index_post(), and waits.  Never on a thread that must not block. */
int index_run(struct cache_index *ix, index_write_fn write, void *arg);

/*
 * Call fn(arg) on the writer thread about every period_ms, outside any
 * transaction, until index_close().
 */
void index_every(struct cache_index *ix, int64_t period_ms,
		 void (*fn)(void *arg), void *arg);

/* A read connection for this thread until it is given back.  0 or -errno. */
int index_reader_get(struct cache_index *ix, struct index_conn **ret_conn);
void index_reader_put(struct cache_index *ix, struct index_conn *conn);

/*
 * The prepared statement for this SQL literal (kept with the connection by the
 * address of sql), reset and with no bindings; NULL on failure (-EIO).  Reset
 * it with index_done() so that it holds no read transaction.
 */
struct sqlite3_stmt *index_prepare(struct index_conn *conn, const char *sql);
void index_done(struct sqlite3_stmt *stmt);

/* Steps: 1 a row, 0 done, -errno.  Runs to the end: 0 or -errno. */
int index_step(struct sqlite3_stmt *stmt);
int index_exec(struct sqlite3_stmt *stmt);

struct sqlite3 *index_db(struct index_conn *conn);

/*
 * Writes the log back and gives its bytes, and pages cut off, to the disk.
 * Only the writer's connection, outside any transaction (in a done function).
 * Does nothing while a reader needs the log.
 */
void index_checkpoint(struct index_conn *conn);

/* Allocated bytes of the index file and its log. */
int64_t index_bytes(const struct cache_index *ix);

#endif
