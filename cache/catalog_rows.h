/* SPDX-License-Identifier: MIT */
/*
 * catalog_rows: what the catalog's files share: the catalog itself, reading
 * with a borrowed connection, rows of fragments.  Belongs to catalog.
 */
#ifndef KVSFS_CACHE_CATALOG_ROWS_H
#define KVSFS_CACHE_CATALOG_ROWS_H

#include "cache/catalog.h"
#include "cache/index.h"

#include <glib.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define CATALOG_AXES 2

struct catalog {
	/* One for the owner, one for every job that outlives its post. */
	atomic_int refs;
	struct cache_index *ix; /* borrowed */
	atomic_bool ending;	/* jobs that go on and on stop */
	int64_t pinned_slack;	/* -1: each stream's own; set at first */

	pthread_mutex_t lock;
	GHashTable *touched; /* lock; set of struct touch */
	int64_t flushed_ms;  /* lock; monotonic */
	int64_t trimmed_id;  /* lock; the last one when a trim was called */
	catalog_forgot_fn forgot; /* lock */
	void *forgot_user;	  /* lock */
};

struct catalog *catalog_ref(struct catalog *c);
void catalog_unref(struct catalog *c);

/* A statement on a reader connection of its own. */
struct reading {
	struct catalog *c;
	struct index_conn *conn;
	struct sqlite3_stmt *stmt;
};

/* 0 or -EIO; reading_end() in either case. */
int reading_begin(struct reading *r, struct catalog *c, const char *sql);
void reading_end(struct reading *r);
#define auto_reading __attribute__((cleanup(reading_end)))

/* Steps: 1 a row, 0 done, -EIO. */
int reading_step(struct reading *r);

/* The columns that fragment_fill() takes, of "fragments AS f". */
#define FRAGMENT_COLUMNS                                                     \
	"f.id, f.stream, f.number, f.producer_ms, f.server_ms, f.length_ms," \
	" f.size, f.file, f.payload,"                                        \
	" (SELECT slack FROM streams WHERE id = f.stream)"
void fragment_fill(const struct reading *r, struct fragment *out);

/* Sends what was touched so far to the writer. */
void touch_flush(struct catalog *c);
/* Its set of touches. */
GHashTable *touch_set_new(void);

#endif
