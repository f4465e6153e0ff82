/* SPDX-License-Identifier: MIT */
/*
 * Reads of many fragments.  INDEXED BY pins the plan: without statistics
 * SQLite may prefer another index, and then a folder costs what the stream
 * holds instead of what the folder holds.  What is in one second is sorted.
 */
#include "cache/catalog.h"

#include "cache/catalog_rows.h"

#include <errno.h>

/* Statements by axis. */
#define BY_AXIS(name, make)                                              \
	static const char *const name[CATALOG_AXES] = {make("producer"), \
						       make("server")}

static int fill_rows(struct reading *r, struct fragment *out, size_t max)
{
	size_t n = 0;
	int rc = 0;

	while (n < max && (rc = reading_step(r)) > 0) {
		fragment_fill(r->stmt, &out[n]);
		fragment_pin(r->c, &out[n++]);
	}
	return rc < 0 ? rc : (int)n;
}

static void bind_range(struct reading *r, uint32_t stream, int64_t start_ms,
		       int64_t end_ms, int64_t alive_ms)
{
	sqlite3_bind_int64(r->stmt, 1, stream);
	sqlite3_bind_int64(r->stmt, 2, start_ms);
	sqlite3_bind_int64(r->stmt, 3, end_ms);
	sqlite3_bind_int64(r->stmt, 4, alive_ms);
}

#define PAGE_SQL(t)                                                   \
	"SELECT " FRAGMENT_COLUMNS(                                   \
		"?1") " FROM fragments AS f INDEXED BY fragments_" t  \
		      " WHERE f.stream = ?1 AND" IN_RANGE(            \
			      "f.", t, "?2",                          \
			      "?3") "AND f.server_ms >= ?4 AND (f." t \
				    "_ms > ?5 OR f.id > ?6)"          \
				    " ORDER BY f." t "_s, f." t       \
				    "_ms, f.id LIMIT ?7"
BY_AXIS(page_sql, PAGE_SQL);

int catalog_page(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		 int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		 int64_t after_ms, int64_t after_id, struct fragment *out,
		 size_t max)
{
	auto_reading struct reading r;

	if (reading_begin(&r, c, page_sql[axis]) < 0)
		return -EIO;
	bind_range(&r, stream, MAX(start_ms, after_ms), end_ms, alive_ms);
	sqlite3_bind_int64(r.stmt, 5, after_ms);
	sqlite3_bind_int64(r.stmt, 6, after_id);
	sqlite3_bind_int64(r.stmt, 7, (int64_t)MIN(max, (size_t)INT_MAX));
	return fill_rows(&r, out, MIN(max, (size_t)INT_MAX));
}

#define EDGE_SQL(t, order)                                           \
	"SELECT " t "_ms FROM fragments INDEXED BY fragments_" t     \
	" WHERE stream = ?1 AND" IN_RANGE(                           \
		"", t, "?2", "?3") "AND server_ms >= ?4 ORDER BY " t \
				   "_s" order ", " t "_ms" order " LIMIT 1"
#define FIRST_SQL(t) EDGE_SQL(t, "")
#define LAST_SQL(t)  EDGE_SQL(t, " DESC")
BY_AXIS(first_sql, FIRST_SQL);
BY_AXIS(last_sql, LAST_SQL);

static int read_edge(struct catalog *c, const char *sql, uint32_t stream,
		     int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		     int64_t *ret_ms)
{
	auto_reading struct reading r;
	int rc;

	if (reading_begin(&r, c, sql) < 0)
		return -EIO;
	bind_range(&r, stream, start_ms, end_ms, alive_ms);
	rc = reading_step(&r);
	if (rc <= 0)
		return rc ? rc : -ENOENT;
	*ret_ms = sqlite3_column_int64(r.stmt, 0);
	return 0;
}

/* Server times before alive_ms are expired: no need to walk over them. */
static int64_t alive_start(enum catalog_axis axis, int64_t start_ms,
			   int64_t alive_ms)
{
	return axis == CATALOG_SERVER ? MAX(start_ms, alive_ms) : start_ms;
}

int catalog_span(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		 int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		 int64_t *ret_first_ms, int64_t *ret_last_ms)
{
	int64_t first_ms, last_ms;
	int rc;

	start_ms = alive_start(axis, start_ms, alive_ms);
	rc = read_edge(c, first_sql[axis], stream, start_ms, end_ms, alive_ms,
		       &first_ms);
	if (!rc)
		rc = read_edge(c, last_sql[axis], stream, start_ms, end_ms,
			       alive_ms, &last_ms);
	if (rc)
		return rc;
	*ret_first_ms = first_ms;
	*ret_last_ms = last_ms;
	return 0;
}

int catalog_next_time(struct catalog *c, uint32_t stream,
		      enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		      int64_t alive_ms, int64_t *ret_ms)
{
	return read_edge(c, first_sql[axis], stream,
			 alive_start(axis, start_ms, alive_ms), end_ms,
			 alive_ms, ret_ms);
}

int catalog_since(struct catalog *c, uint32_t stream, int64_t after_id,
		  struct fragment *out, size_t max)
{
	auto_reading struct reading r;

	if (reading_begin(
		    &r, c,
		    "SELECT " FRAGMENT_COLUMNS(
			    "?1") " FROM runs AS r CROSS JOIN fragments AS f"
				  " ON f.id > ?2 AND f.id >= r.first_id"
				  " AND f.id <= r.last_id WHERE r.stream = ?1"
				  " AND r.first_id >= ifnull((SELECT "
				  "max(b.first_id)"
				  " FROM runs AS b WHERE b.stream = ?1"
				  " AND b.first_id <= ?2), ?2)"
				  " ORDER BY r.first_id, f.id LIMIT ?3") < 0)
		return -EIO;
	sqlite3_bind_int64(r.stmt, 1, stream);
	sqlite3_bind_int64(r.stmt, 2, after_id);
	sqlite3_bind_int64(r.stmt, 3, (int64_t)MIN(max, (size_t)INT_MAX));
	return fill_rows(&r, out, MIN(max, (size_t)INT_MAX));
}

int catalog_last_id(struct catalog *c, int64_t *ret_id)
{
	auto_reading struct reading r;

	if (reading_begin(&r, c, "SELECT ifnull(max(id), 0) FROM fragments") <
		    0 ||
	    reading_step(&r) != 1)
		return -EIO;
	*ret_id = sqlite3_column_int64(r.stmt, 0);
	return 0;
}
