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

/*
 * The columns that fragment_fill() takes, of "fragments AS f"; the stream's id,
 * best as a parameter: its slack is looked up once, then.
 */
#define FRAGMENT_COLUMNS(stream)                                         \
	"f.id, f.stream, f.number, f.server_ms, f.lead_ms, f.length_ms," \
	" f.size, f.slack, f.payload,"                                   \
	" (SELECT slack FROM streams WHERE id = " stream ")"
void fragment_fill(struct sqlite3_stmt *stmt, struct fragment *out);
/* Of one column: f.slack, where it is not NULL. */
int64_t fragment_slack(struct sqlite3_stmt *stmt, int column);
/* For those outside: its size by the pinned slack, where none was shown. */
void fragment_pin(const struct catalog *c, struct fragment *f);

/*
 * What a file is larger than its fragment, as a row has it: in blocks where
 * they are whole ones.  The usual one block takes no byte then, as the NULL
 * before it, and rows do not outgrow their page when they are shown.
 */
#define SLACK_BLOCK 4096
#define SLACK_OTHER 1099511627776 /* 1 TiB: no file is */
#define SLACK_SQL(bytes)                                                    \
	" iif((" bytes                                                      \
	") % " G_STRINGIFY(SLACK_BLOCK) " = 0, (" bytes ") / " G_STRINGIFY( \
		SLACK_BLOCK) ", (" bytes ") + " G_STRINGIFY(SLACK_OTHER) ") "

/*
 * That a time is in [from, to): by the index, which is by the second, and to
 * the millisecond.  t is "producer" or "server", with a prefix "f." or none.
 */
#define IN_RANGE(prefix, t, from, to)                                       \
	" " prefix t "_s >= " from " / 1000 AND " prefix t "_s <= " to      \
	" / 1000 AND " prefix t "_ms >= " from " AND " prefix t "_ms < " to \
	" "

/* On any connection: 0, -ENOENT or -EIO. */
int fragment_find(struct index_conn *conn, uint32_t stream, const char *number,
		  struct fragment *ret_fragment);

/* On the writer's; the number is not there yet. */
int fragment_insert(struct index_conn *conn, uint32_t stream,
		    const struct fragment *f);
/* What the service says of row now; what was shown of it stays. */
int fragment_update(struct index_conn *conn, const struct fragment *row,
		    const struct fragment *f);

/* What is posted to the writer begins with it; job_done() frees it. */
struct job {
	catalog_done_fn done;
	void *user;
	void (*release)(struct job *job); /* what it holds, or NULL */
};
void job_done(void *arg, int rc);

/* Sends what was touched so far to the writer. */
void touch_flush(struct catalog *c);
/* Its set of touches. */
GHashTable *touch_set_new(void);

#endif
