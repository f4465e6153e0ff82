/* SPDX-License-Identifier: MIT */
#include "cache/catalog.h"

#include "cache/catalog_rows.h"
#include "fs/base/clock.h"

#include <errno.h>
#include <string.h>

struct catalog *catalog_new(struct cache_index *ix)
{
	struct catalog *c = g_new0(struct catalog, 1);

	atomic_init(&c->refs, 1);
	c->ix = ix;
	pthread_mutex_init(&c->lock, NULL);
	c->touched = touch_set_new();
	c->flushed_ms = clock_monotonic_ms(&clock_system);
	if (catalog_last_id(c, &c->trimmed_id) < 0)
		c->trimmed_id = 0;
	c->pinned_slack = -1;
	return c;
}

void catalog_pin_slack(struct catalog *c, int64_t slack_bytes)
{
	c->pinned_slack = slack_bytes;
}

struct catalog *catalog_ref(struct catalog *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void catalog_unref(struct catalog *c)
{
	if (atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	g_hash_table_unref(c->touched);
	pthread_mutex_destroy(&c->lock);
	g_free(c);
}

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	touch_flush(c);
	atomic_store(&c->ending, true);
	catalog_unref(c);
}

/* ---- reading ---------------------------------------------------------- */

int reading_begin(struct reading *r, struct catalog *c, const char *sql)
{
	*r = (struct reading){.c = c};
	if (index_reader_get(c->ix, &r->conn) < 0)
		return -EIO;
	r->stmt = index_prepare(r->conn, sql);
	return r->stmt ? 0 : -EIO;
}

void reading_end(struct reading *r)
{
	if (r->stmt)
		index_done(r->stmt);
	if (r->conn)
		index_reader_put(r->c->ix, r->conn);
}

int reading_step(struct reading *r)
{
	int rc = index_step(r->stmt);

	return rc < 0 ? -EIO : rc;
}

/* ---- streams ---------------------------------------------------------- */

#define STREAM_COLUMNS                                                       \
	"SELECT id, endpoint, arn, name, created_ms, retention_ms, mark_ms," \
	" chain_ms, slack, fragments, total_bytes FROM streams "

void catalog_stream_release(struct catalog_stream *s)
{
	g_clear_pointer(&s->endpoint, g_free);
	g_clear_pointer(&s->arn, g_free);
	g_clear_pointer(&s->name, g_free);
}

static char *text(sqlite3_stmt *stmt, int column)
{
	return g_strdup((const char *)sqlite3_column_text(stmt, column));
}

static int read_stream(struct reading *r, struct catalog_stream *ret_stream)
{
	sqlite3_stmt *s = r->stmt;
	int rc = reading_step(r);

	if (rc <= 0)
		return rc ? rc : -ENOENT;
	*ret_stream = (struct catalog_stream){
		.id = (uint32_t)sqlite3_column_int64(s, 0),
		.endpoint = text(s, 1),
		.arn = text(s, 2),
		.name = text(s, 3),
		.created_ms = sqlite3_column_int64(s, 4),
		.retention_ms = sqlite3_column_int64(s, 5),
		.mark_ms = sqlite3_column_int64(s, 6),
		.chain_ms = sqlite3_column_int64(s, 7),
		.slack_bytes = sqlite3_column_int64(s, 8),
		.fragments = sqlite3_column_int64(s, 9),
		.total_bytes = sqlite3_column_int64(s, 10),
	};
	return 0;
}

int catalog_stream_get(struct catalog *c, uint32_t stream,
		       struct catalog_stream *ret_stream)
{
	auto_reading struct reading r;

	if (reading_begin(&r, c, STREAM_COLUMNS "WHERE id = ?1") < 0)
		return -EIO;
	sqlite3_bind_int64(r.stmt, 1, stream);
	return read_stream(&r, ret_stream);
}

int catalog_stream_find(struct catalog *c, const char *endpoint,
			const char *arn, struct catalog_stream *ret_stream)
{
	auto_reading struct reading r;

	if (reading_begin(&r, c,
			  STREAM_COLUMNS
			  "WHERE endpoint = ?1 AND arn = ?2") < 0)
		return -EIO;
	sqlite3_bind_text(r.stmt, 1, endpoint, -1, SQLITE_STATIC);
	sqlite3_bind_text(r.stmt, 2, arn, -1, SQLITE_STATIC);
	return read_stream(&r, ret_stream);
}
