/* SPDX-License-Identifier: MIT */
/*
 * catalog_forget: deleting fragments, for what expires and what does not fit.
 * Both go in bites, one post each, so that other changes never wait long and
 * the log stays small.  Writer's connection only.  Belongs to catalog.
 */
#ifndef KVSFS_CACHE_CATALOG_FORGET_H
#define KVSFS_CACHE_CATALOG_FORGET_H

#include "cache/catalog_rows.h"

/* Fragments in a bite: some ten milliseconds, a few hundred KiB of log. */
#define BITE_FRAGMENTS 1000

struct gone {
	int64_t id;
	uint32_t stream;
	int64_t size_bytes;
	int64_t ms[CATALOG_AXES];
};

/* An array of struct gone. */
GArray *gone_new(void);
/* What gone_collect() takes, of "fragments AS f". */
#define GONE_COLUMNS "f.id, f.stream, f.size, f.producer_ms, f.server_ms"
/* Appends the rows of a bound statement. */
int gone_collect(struct sqlite3_stmt *stmt, GArray *gone);
/* Deletes them, in any order, and takes them out of their streams' totals. */
int gone_delete(struct index_conn *conn, GArray *gone);

#endif
