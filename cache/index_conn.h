/* SPDX-License-Identifier: MIT */
/*
 * index_conn: one SQLite connection to the index with its prepared statements.
 * Belongs to index; everybody else uses index.h.
 *
 * A connection is used by one thread at a time (it has no mutex of its own).
 */
#ifndef KVSFS_CACHE_INDEX_CONN_H
#define KVSFS_CACHE_INDEX_CONN_H

#include "cache/index.h"

#include <stdbool.h>

#define INDEX_FILE "index.db"

/*
 * A connection that may write makes the tables; the file is there.  0 or
 * -errno, -EBADMSG for a damaged or foreign file, -EPROTO for a newer layout
 * version.
 */
int index_conn_open(int dirfd, bool writer, struct index_conn **ret_conn);
void index_conn_free(struct index_conn *conn);

/* Did the last call meet damage? */
bool index_conn_damaged(const struct index_conn *conn);
/* Reads every page; 0, -EBADMSG, or -errno. */
int index_conn_check(struct index_conn *conn);

/* The -errno for an SQLite result of this connection; 0 for success. */
int index_conn_errno(struct sqlite3 *db, int rc);

#endif
