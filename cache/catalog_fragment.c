/* SPDX-License-Identifier: MIT */
/*
 * One fragment's row: reading it, finding it by its number, writing it.
 */
#include "cache/catalog.h"

#include "cache/catalog_number.h"
#include "cache/catalog_rows.h"

#include <errno.h>

static void read_number(sqlite3_stmt *s, int column, int64_t server_ms,
			char *ret_number)
{
	if (sqlite3_column_type(s, column) == SQLITE_INTEGER) {
		number_of_code(sqlite3_column_int64(s, column), server_ms,
			       ret_number);
		return;
	}
	number_of_digits(sqlite3_column_blob(s, column),
			 (size_t)sqlite3_column_bytes(s, column), ret_number);
}

static bool is_null(sqlite3_stmt *s, int column)
{
	return sqlite3_column_type(s, column) == SQLITE_NULL;
}

int64_t fragment_slack(sqlite3_stmt *s, int column)
{
	int64_t slack = sqlite3_column_int64(s, column);

	return slack >= SLACK_OTHER / 2 ? slack - SLACK_OTHER
					: slack * SLACK_BLOCK;
}

void fragment_fill(sqlite3_stmt *s, struct fragment *out)
{
	out->id = sqlite3_column_int64(s, 0);
	out->stream = (uint32_t)sqlite3_column_int64(s, 1);
	out->server_ms = sqlite3_column_int64(s, 3);
	read_number(s, 2, out->server_ms, out->number);
	out->producer_ms = out->server_ms - sqlite3_column_int64(s, 4);
	out->length_ms = sqlite3_column_int64(s, 5);
	out->size_bytes = sqlite3_column_int64(s, 6);
	out->shown = !is_null(s, 7);
	if (out->shown)
		out->file_bytes = out->size_bytes + fragment_slack(s, 7);
	else if (!is_null(s, 9) && sqlite3_column_int64(s, 9) >= 0)
		out->file_bytes = out->size_bytes + sqlite3_column_int64(s, 9);
	else
		out->file_bytes = -1;
	out->payload_bytes = is_null(s, 8) ? -1
					   : out->size_bytes +
						     sqlite3_column_int64(s, 8);
}

void fragment_pin(const struct catalog *c, struct fragment *f)
{
	if (!f->shown && c->pinned_slack >= 0)
		f->file_bytes = f->size_bytes + c->pinned_slack;
}

static int read_one(sqlite3_stmt *s, struct fragment *ret_fragment)
{
	int rc = index_step(s);

	if (rc > 0)
		fragment_fill(s, ret_fragment);
	index_done(s);
	return rc > 0 ? 0 : rc < 0 ? -EIO : -ENOENT;
}

int catalog_fragment_get(struct catalog *c, int64_t id,
			 struct fragment *ret_fragment)
{
	auto_reading struct reading r;
	int rc;

	if (reading_begin(&r, c,
			  "SELECT " FRAGMENT_COLUMNS(
				  "f.stream") " FROM fragments AS f WHERE f.id "
					      "= ?1") < 0)
		return -EIO;
	sqlite3_bind_int64(r.stmt, 1, id);
	rc = reading_step(&r);
	if (rc <= 0)
		return rc ? rc : -ENOENT;
	fragment_fill(r.stmt, ret_fragment);
	fragment_pin(c, ret_fragment);
	return 0;
}

/* ---- by number -------------------------------------------------------- */

static int find_code(struct index_conn *conn, uint32_t stream,
		     const struct packed_number *p,
		     struct fragment *ret_fragment)
{
	sqlite3_stmt *s = index_prepare(
		conn,
		"SELECT " FRAGMENT_COLUMNS(
			"?1") " FROM fragments AS f INDEXED BY fragments_server"
			      " WHERE f.stream = ?1 AND f.server_s = ?2 / 1000"
			      " AND f.server_ms = ?2 AND f.number = ?3");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, stream);
	sqlite3_bind_int64(s, 2, p->server_ms);
	sqlite3_bind_int64(s, 3, p->code);
	return read_one(s, ret_fragment);
}

static int find_digits(struct index_conn *conn, uint32_t stream,
		       const struct packed_number *p,
		       struct fragment *ret_fragment)
{
	sqlite3_stmt *s = index_prepare(
		conn,
		"SELECT " FRAGMENT_COLUMNS(
			"?1") " FROM fragments AS f INDEXED BY fragments_digits"
			      " WHERE f.stream = ?1 AND f.number = ?2"
			      " AND typeof(f.number) = 'blob'");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, stream);
	sqlite3_bind_blob(s, 2, p->digits, (int)p->n_digits, SQLITE_STATIC);
	return read_one(s, ret_fragment);
}

/* Of the short form, but listed with another server time: as digits. */
int fragment_find(struct index_conn *conn, uint32_t stream, const char *number,
		  struct fragment *ret_fragment)
{
	struct packed_number p;
	int rc = -ENOENT;

	number_pack(number, &p);
	if (p.short_form)
		rc = find_code(conn, stream, &p, ret_fragment);
	return rc == -ENOENT ? find_digits(conn, stream, &p, ret_fragment) : rc;
}

int catalog_fragment_find(struct catalog *c, uint32_t stream,
			  const char *number, struct fragment *ret_fragment)
{
	struct index_conn *conn;
	int rc;

	if (index_reader_get(c->ix, &conn) < 0)
		return -EIO;
	rc = fragment_find(conn, stream, number, ret_fragment);
	index_reader_put(c->ix, conn);
	if (rc == 0)
		fragment_pin(c, ret_fragment);
	return rc;
}

/* ---- writing ---------------------------------------------------------- */

static int bind_and_run(sqlite3_stmt *s, int64_t first,
			const struct fragment *f)
{
	struct packed_number p;

	number_pack(f->number, &p);
	sqlite3_bind_int64(s, 1, first);
	if (p.short_form && p.server_ms == f->server_ms)
		sqlite3_bind_int64(s, 2, p.code);
	else
		sqlite3_bind_blob(s, 2, p.digits, (int)p.n_digits,
				  SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, f->server_ms);
	sqlite3_bind_int64(s, 4, f->server_ms - f->producer_ms);
	sqlite3_bind_int64(s, 5, f->length_ms);
	sqlite3_bind_int64(s, 6, f->size_bytes);
	return index_exec(s);
}

int fragment_insert(struct index_conn *conn, uint32_t stream,
		    const struct fragment *f)
{
	sqlite3_stmt *s = index_prepare(
		conn, "INSERT INTO fragments(stream, number, server_ms,"
		      " lead_ms, length_ms, size)"
		      " VALUES(?1, ?2, ?3, ?4, ?5, ?6)");

	return s ? bind_and_run(s, stream, f) : -EIO;
}

int fragment_update(struct index_conn *conn, const struct fragment *row,
		    const struct fragment *f)
{
	sqlite3_stmt *s = index_prepare(
		conn, "UPDATE fragments SET number = ?2, server_ms = ?3,"
		      " lead_ms = ?4, length_ms = ?5, size = ?6,"
		      " slack = iif(?7 IS NULL, NULL," SLACK_SQL(
			      "?7 - ?6") "), payload = ?8 - ?6 WHERE id = ?1");

	if (!s)
		return -EIO;
	if (row->shown)
		sqlite3_bind_int64(s, 7, row->file_bytes);
	if (row->payload_bytes >= 0)
		sqlite3_bind_int64(s, 8, row->payload_bytes);
	return bind_and_run(s, row->id, f);
}
