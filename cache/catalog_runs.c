/* SPDX-License-Identifier: MIT */
#include "cache/catalog_runs.h"

#include "cache/index.h"

#include <errno.h>
#include <sqlite3.h>

/* The run that begins last at or before id: 1, 0 where there is none. */
static int run_at(struct index_conn *conn, uint32_t stream, int64_t id,
		  int64_t *ret_first_id, int64_t *ret_last_id)
{
	sqlite3_stmt *s = index_prepare(
		conn, "SELECT first_id, last_id FROM runs WHERE stream = ?1"
		      " AND first_id <= ?2 ORDER BY first_id DESC LIMIT 1");
	int rc;

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, stream);
	sqlite3_bind_int64(s, 2, id);
	rc = index_step(s);
	if (rc > 0) {
		*ret_first_id = sqlite3_column_int64(s, 0);
		*ret_last_id = sqlite3_column_int64(s, 1);
	}
	index_done(s);
	return rc;
}

static int put(struct index_conn *conn, const char *sql, uint32_t stream,
	       int64_t first_id, int64_t last_id)
{
	sqlite3_stmt *s = index_prepare(conn, sql);

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, stream);
	sqlite3_bind_int64(s, 2, first_id);
	sqlite3_bind_int64(s, 3, last_id);
	return index_exec(s);
}

int run_add(struct index_conn *conn, uint32_t stream, int64_t first_id,
	    int64_t last_id)
{
	int64_t before_id = 0, ended_id = 0;
	int rc = run_at(conn, stream, first_id, &before_id, &ended_id);

	if (rc < 0)
		return rc;
	if (rc > 0 && ended_id == first_id - 1)
		return put(conn,
			   "UPDATE runs SET last_id = ?3"
			   " WHERE stream = ?1 AND first_id = ?2",
			   stream, before_id, last_id);
	return put(conn, "INSERT INTO runs VALUES(?1, ?2, ?3)", stream,
		   first_id, last_id);
}

static int is_empty(struct index_conn *conn, int64_t first_id, int64_t last_id)
{
	sqlite3_stmt *s = index_prepare(conn,
					"SELECT 1 FROM fragments WHERE id >= ?1"
					" AND id <= ?2 LIMIT 1");
	int rc;

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, first_id);
	sqlite3_bind_int64(s, 2, last_id);
	rc = index_step(s);
	index_done(s);
	return rc < 0 ? rc : !rc;
}

int run_drop_empty(struct index_conn *conn, uint32_t stream, int64_t id,
		   int64_t *ret_last_id)
{
	int64_t first_id = id, last_id = id;
	sqlite3_stmt *s;
	int rc = run_at(conn, stream, id, &first_id, &last_id);

	if (rc > 0)
		rc = is_empty(conn, first_id, last_id);
	if (rc < 0)
		return rc;
	*ret_last_id = last_id;
	if (!rc)
		return 0;
	s = index_prepare(conn, "DELETE FROM runs"
				" WHERE stream = ?1 AND first_id = ?2");
	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, stream);
	sqlite3_bind_int64(s, 2, first_id);
	return index_exec(s);
}
