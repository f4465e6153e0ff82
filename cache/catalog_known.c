/* SPDX-License-Identifier: MIT */
#include "cache/catalog_known.h"

#include "cache/catalog_rows.h"

#include <errno.h>

/*
 * Rows are disjoint, so at most one that begins before ?3 reaches into an
 * interval from there: the one that begins last.
 */
#define FROM_ROW(stream, axis, start)                                     \
	" ifnull((SELECT max(b.start_ms) FROM known AS b WHERE b.stream " \
	"= " stream " AND b.axis = " axis " AND b.start_ms <= " start     \
	"), " start ") "

/* ---- reads ------------------------------------------------------------ */

/* A stretch of the interval in which nothing changes; true to stop. */
typedef bool (*segment_fn)(void *user, int64_t start_ms, int64_t end_ms,
			   enum catalog_knowledge knowledge);

/* Calls fn for the segments of [start, end) in order, without gaps. */
static int walk(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		int64_t start_ms, int64_t end_ms, segment_fn fn, void *user)
{
	auto_reading struct reading r;
	int64_t at_ms = start_ms;
	int rc;

	if (reading_begin(&r, c,
			  "SELECT k.start_ms, k.end_ms,"
			  " k.as_of_ms >= s.chain_ms"
			  " FROM streams AS s CROSS JOIN known AS k"
			  " ON k.stream = s.id AND k.axis = ?2"
			  " WHERE s.id = ?1 AND k.start_ms < ?4"
			  " AND k.start_ms >=" FROM_ROW(
				  "?1", "?2", "?3") " ORDER BY k.start_ms") < 0)
		return -EIO;
	sqlite3_bind_int64(r.stmt, 1, stream);
	sqlite3_bind_int64(r.stmt, 2, axis);
	sqlite3_bind_int64(r.stmt, 3, start_ms);
	sqlite3_bind_int64(r.stmt, 4, end_ms);
	while ((rc = reading_step(&r)) > 0) {
		int64_t from_ms = MAX(sqlite3_column_int64(r.stmt, 0), at_ms);
		int64_t to_ms = MIN(sqlite3_column_int64(r.stmt, 1), end_ms);

		if (to_ms <= from_ms)
			continue;
		if (from_ms > at_ms &&
		    fn(user, at_ms, from_ms, CATALOG_UNKNOWN))
			return 0;
		if (fn(user, from_ms, to_ms,
		       sqlite3_column_int(r.stmt, 2) ? CATALOG_KNOWN
						     : CATALOG_STALE))
			return 0;
		at_ms = to_ms;
	}
	if (!rc && at_ms < end_ms)
		fn(user, at_ms, end_ms, CATALOG_UNKNOWN);
	return rc;
}

static bool take_least(void *user, int64_t start_ms, int64_t end_ms,
		       enum catalog_knowledge knowledge)
{
	enum catalog_knowledge *least = user;

	*least = MIN(*least, knowledge);
	return *least == CATALOG_UNKNOWN;
}

int catalog_knowledge(struct catalog *c, uint32_t stream,
		      enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		      enum catalog_knowledge *ret_knowledge)
{
	enum catalog_knowledge least = CATALOG_KNOWN;
	int rc = walk(c, stream, axis, start_ms, end_ms, take_least, &least);

	if (!rc)
		*ret_knowledge = least;
	return rc;
}

struct gap {
	enum catalog_knowledge wanted;
	bool found;
	int64_t start_ms, end_ms;
};

static bool grow_gap(void *user, int64_t start_ms, int64_t end_ms,
		     enum catalog_knowledge knowledge)
{
	struct gap *gap = user;

	if (knowledge >= gap->wanted)
		return gap->found;
	if (!gap->found)
		gap->start_ms = start_ms;
	gap->found = true;
	gap->end_ms = end_ms;
	return false;
}

int catalog_gap(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		int64_t start_ms, int64_t end_ms, enum catalog_knowledge wanted,
		int64_t *ret_start, int64_t *ret_end)
{
	struct gap gap = {.wanted = wanted};
	int rc = walk(c, stream, axis, start_ms, end_ms, grow_gap, &gap);

	if (rc)
		return rc;
	if (!gap.found)
		return -ENOENT;
	*ret_start = gap.start_ms;
	*ret_end = gap.end_ms;
	return 0;
}

/* ---- changes ---------------------------------------------------------- */

static sqlite3_stmt *prepare(struct index_conn *conn, const char *sql,
			     uint32_t stream, enum catalog_axis axis,
			     int64_t start_ms)
{
	sqlite3_stmt *s = index_prepare(conn, sql);

	if (s) {
		sqlite3_bind_int64(s, 1, stream);
		sqlite3_bind_int64(s, 2, axis);
		sqlite3_bind_int64(s, 3, start_ms);
	}
	return s;
}

/* Takes rows that meet or touch [start, end] out of the table, in order. */
static int take_rows(struct index_conn *conn, uint32_t stream,
		     enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		     GArray *out)
{
	sqlite3_stmt *s =
		prepare(conn,
			"SELECT start_ms, end_ms, as_of_ms, used_ms FROM known"
			" WHERE stream = ?1 AND axis = ?2 AND start_ms <= ?4"
			" AND start_ms >=" FROM_ROW(
				"?1", "?2",
				"?3 - 1") " AND end_ms >= ?3 ORDER BY start_ms",
			stream, axis, start_ms);
	int rc;

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 4, end_ms);
	while ((rc = index_step(s)) > 0) {
		struct known k = {.start_ms = sqlite3_column_int64(s, 0),
				  .end_ms = sqlite3_column_int64(s, 1),
				  .as_of_ms = sqlite3_column_int64(s, 2),
				  .used_ms = sqlite3_column_int64(s, 3)};

		g_array_append_val(out, k);
	}
	index_done(s);
	if (rc || !out->len)
		return rc;
	s = prepare(conn,
		    "DELETE FROM known WHERE stream = ?1 AND axis = ?2"
		    " AND start_ms >= ?3 AND start_ms <= ?4",
		    stream, axis, g_array_index(out, struct known, 0).start_ms);
	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 4, end_ms);
	return index_exec(s);
}

static int insert_rows(struct index_conn *conn, uint32_t stream,
		       enum catalog_axis axis, const GArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		struct known k = g_array_index(rows, struct known, i);
		sqlite3_stmt *s = prepare(
			conn,
			"INSERT INTO known VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
			stream, axis, k.start_ms);
		int rc;

		if (!s)
			return -EIO;
		sqlite3_bind_int64(s, 4, k.end_ms);
		sqlite3_bind_int64(s, 5, k.as_of_ms);
		sqlite3_bind_int64(s, 6, k.used_ms);
		rc = index_exec(s);
		if (rc)
			return rc;
	}
	return 0;
}

/* Appends what of k is in [start, end), to the last row where they are one. */
static void append_part(GArray *rows, struct known k, int64_t start_ms,
			int64_t end_ms)
{
	struct known *last;

	k.start_ms = MAX(k.start_ms, start_ms);
	k.end_ms = MIN(k.end_ms, end_ms);
	if (k.start_ms >= k.end_ms)
		return;
	last = rows->len ? &g_array_index(rows, struct known, rows->len - 1)
			 : NULL;
	if (last && last->end_ms == k.start_ms &&
	    last->as_of_ms == k.as_of_ms) {
		last->end_ms = k.end_ms;
		last->used_ms = MAX(last->used_ms, k.used_ms);
	} else {
		g_array_append_val(rows, k);
	}
}

int known_put(struct index_conn *conn, uint32_t stream, enum catalog_axis axis,
	      const struct known *listed)
{
	g_autoptr(GArray) old = g_array_new(FALSE, FALSE, sizeof(struct known));
	g_autoptr(GArray)
		rows = g_array_new(FALSE, FALSE, sizeof(struct known));
	int64_t start_ms = listed->start_ms, end_ms = listed->end_ms;
	int64_t at_ms = start_ms;
	int rc = take_rows(conn, stream, axis, start_ms, end_ms, old);

	if (rc)
		return rc;
	for (guint i = 0; i < old->len; i++) {
		struct known k = g_array_index(old, struct known, i);
		struct known both = k;

		/* An answer that took long is no news over a later one. */
		both.as_of_ms = MAX(k.as_of_ms, listed->as_of_ms);
		both.used_ms = MAX(k.used_ms, listed->used_ms);
		append_part(rows, k, INT64_MIN, start_ms);
		append_part(rows, *listed, at_ms, MIN(k.start_ms, end_ms));
		append_part(rows, both, start_ms, end_ms);
		append_part(rows, k, end_ms, INT64_MAX);
		at_ms = CLAMP(k.end_ms, at_ms, end_ms);
	}
	append_part(rows, *listed, at_ms, end_ms);
	return insert_rows(conn, stream, axis, rows);
}

int known_cut(struct index_conn *conn, uint32_t stream, enum catalog_axis axis,
	      int64_t start_ms, int64_t end_ms)
{
	g_autoptr(GArray) old = g_array_new(FALSE, FALSE, sizeof(struct known));
	g_autoptr(GArray)
		rows = g_array_new(FALSE, FALSE, sizeof(struct known));
	int rc = take_rows(conn, stream, axis, start_ms, end_ms, old);

	if (rc)
		return rc;
	for (guint i = 0; i < old->len; i++) {
		struct known k = g_array_index(old, struct known, i);

		append_part(rows, k, INT64_MIN, start_ms);
		append_part(rows, k, end_ms, INT64_MAX);
	}
	return insert_rows(conn, stream, axis, rows);
}

int known_touch(struct index_conn *conn, uint32_t stream,
		enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		int64_t used_ms)
{
	sqlite3_stmt *s = prepare(
		conn,
		"UPDATE known SET used_ms = ?5"
		" WHERE stream = ?1 AND axis = ?2 AND start_ms < ?4"
		" AND start_ms >=" FROM_ROW(
			"?1", "?2", "?3") " AND end_ms > ?3 AND used_ms < ?5",
		stream, axis, start_ms);

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 4, end_ms);
	sqlite3_bind_int64(s, 5, used_ms);
	return index_exec(s);
}
