/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "cache/index.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

/* Every change of a chunk's row keeps the totals: they are never counted. */

#define ROW "SELECT id, bytes, size, hash, used_ms FROM chunks "

static void read_row(sqlite3_stmt *q, struct chunk_row *row)
{
	const void *hash = sqlite3_column_blob(q, 3);

	*row = (struct chunk_row){
		.id = sqlite3_column_int64(q, 0),
		.allocated_bytes = sqlite3_column_int64(q, 1),
		.size_bytes = sqlite3_column_int64(q, 2),
		.used_ms = sqlite3_column_int64(q, 4),
	};
	/* Any other length leaves zeros, which no content has. */
	if (hash && sqlite3_column_bytes(q, 3) == CHUNK_HASH_SIZE)
		memcpy(row->hash, hash, CHUNK_HASH_SIZE);
}

static int read_one(sqlite3_stmt *q, struct chunk_row *ret_row)
{
	int rc = index_step(q);

	if (rc > 0)
		read_row(q, ret_row);
	index_done(q);
	return rc > 0 ? 0 : rc ? rc : -ENOENT;
}

static int read_many(sqlite3_stmt *q, struct chunk_row *out, size_t max)
{
	size_t n = 0;
	int rc = 0;

	while (n < max && (rc = index_step(q)) > 0)
		read_row(q, &out[n++]);
	index_done(q);
	return rc < 0 ? rc : (int)n;
}

int rows_find(struct index_conn *conn, const struct store_key *key,
	      struct chunk_row *ret_row)
{
	static const char sql[] = ROW
		"WHERE stream = ?1 AND number = ?2 AND raw = ?3";
	sqlite3_stmt *q = index_prepare(conn, sql);

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, key->stream);
	sqlite3_bind_text(q, 2, key->number, -1, SQLITE_STATIC);
	sqlite3_bind_int(q, 3, key->raw);
	return read_one(q, ret_row);
}

int rows_get(struct index_conn *conn, int64_t id, struct chunk_row *ret_row)
{
	static const char sql[] = ROW "WHERE id = ?1";
	sqlite3_stmt *q = index_prepare(conn, sql);

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, id);
	return read_one(q, ret_row);
}

int rows_range(struct index_conn *conn, int64_t from, int64_t to,
	       struct chunk_row *out, size_t max)
{
	static const char sql[] = ROW
		"WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
	sqlite3_stmt *q = index_prepare(conn, sql);

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, from);
	sqlite3_bind_int64(q, 2, to);
	sqlite3_bind_int64(q, 3, (int64_t)max);
	return read_many(q, out, max);
}

int rows_oldest(struct index_conn *conn, int64_t used_ms, int64_t id,
		struct chunk_row *out, size_t max)
{
	static const char sql[] = ROW
		"WHERE used_ms >= ?1 AND (used_ms > ?1 OR id > ?2) "
		"ORDER BY used_ms, id LIMIT ?3";
	sqlite3_stmt *q = index_prepare(conn, sql);

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, used_ms);
	sqlite3_bind_int64(q, 2, id);
	sqlite3_bind_int64(q, 3, (int64_t)max);
	return read_many(q, out, max);
}

/* ---- totals ----------------------------------------------------------- */

static int add_total(struct index_conn *conn, const char *name, int64_t delta)
{
	static const char sql[] =
		"INSERT INTO totals(name, value) VALUES(?1, ?2) "
		"ON CONFLICT(name) DO UPDATE SET value = value + ?2";
	sqlite3_stmt *q;

	if (!delta)
		return 0;
	q = index_prepare(conn, sql);
	if (!q)
		return -EIO;
	sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 2, delta);
	return index_exec(q);
}

int rows_mend(struct index_conn *conn, int64_t chunks, int64_t bytes)
{
	int rc = add_total(conn, "chunks", chunks);

	return rc ? rc : add_total(conn, "chunk_bytes", bytes);
}

int rows_add_dir_bytes(struct index_conn *conn, int64_t delta)
{
	return add_total(conn, "dir_bytes", delta);
}

int rows_ledger(struct index_conn *conn, struct ledger *ret_ledger)
{
	static const char sql[] =
		"SELECT (SELECT value FROM totals WHERE name = 'chunks'),"
		" (SELECT value FROM totals WHERE name = 'chunk_bytes'),"
		" (SELECT value FROM totals WHERE name = 'dir_bytes'),"
		" (SELECT sum(bytes) FROM reservations)";
	sqlite3_stmt *q = index_prepare(conn, sql);
	int rc;

	if (!q)
		return -EIO;
	rc = index_step(q);
	if (rc > 0)
		*ret_ledger = (struct ledger){
			.chunks = sqlite3_column_int64(q, 0),
			.chunk_bytes = sqlite3_column_int64(q, 1),
			.dir_bytes = sqlite3_column_int64(q, 2),
			.reserved_bytes = sqlite3_column_int64(q, 3),
		};
	index_done(q);
	return rc > 0 ? 0 : rc ? rc : -EIO;
}

int rows_drift(struct index_conn *conn, int64_t *ret_chunks, int64_t *ret_bytes)
{
	/* One statement, so that it sees one moment. */
	static const char sql[] =
		"SELECT count(*) - coalesce("
		"  (SELECT value FROM totals WHERE name = 'chunks'), 0),"
		" coalesce(sum(bytes), 0) - coalesce("
		"  (SELECT value FROM totals WHERE name = 'chunk_bytes'), 0)"
		" FROM chunks";
	sqlite3_stmt *q = index_prepare(conn, sql);
	int rc;

	if (!q)
		return -EIO;
	rc = index_step(q);
	if (rc > 0) {
		*ret_chunks = sqlite3_column_int64(q, 0);
		*ret_bytes = sqlite3_column_int64(q, 1);
	}
	index_done(q);
	return rc > 0 ? 0 : rc ? rc : -EIO;
}

/* ---- chunks ----------------------------------------------------------- */

int rows_add(struct index_conn *conn, const struct store_key *key,
	     const struct chunk_row *row)
{
	static const char sql[] =
		"INSERT INTO chunks(id, stream, number, raw, bytes, size, "
		"hash, used_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
	sqlite3_stmt *q = index_prepare(conn, sql);
	int rc;

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, row->id);
	sqlite3_bind_int64(q, 2, key->stream);
	sqlite3_bind_text(q, 3, key->number, -1, SQLITE_STATIC);
	sqlite3_bind_int(q, 4, key->raw);
	sqlite3_bind_int64(q, 5, row->allocated_bytes);
	sqlite3_bind_int64(q, 6, row->size_bytes);
	sqlite3_bind_blob(q, 7, row->hash, CHUNK_HASH_SIZE, SQLITE_STATIC);
	sqlite3_bind_int64(q, 8, row->used_ms);
	rc = index_exec(q);
	return rc ? rc : rows_mend(conn, 1, row->allocated_bytes);
}

int rows_delete(struct index_conn *conn, const struct chunk_row *row)
{
	static const char sql[] = "DELETE FROM chunks WHERE id = ?1";
	sqlite3_stmt *q = index_prepare(conn, sql);
	int rc;

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, row->id);
	rc = index_exec(q);
	if (rc || !sqlite3_changes(index_db(conn)))
		return rc;
	return rows_mend(conn, -1, -row->allocated_bytes);
}

int rows_doom(struct index_conn *conn, int64_t id)
{
	/* The id as number keeps the key unique. */
	static const char sql[] =
		"UPDATE chunks SET stream = 0, number = id, used_ms = 0 "
		"WHERE id = ?1";
	sqlite3_stmt *q = index_prepare(conn, sql);

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, id);
	return index_exec(q);
}

int rows_touch(struct index_conn *conn, int64_t id, int64_t used_ms)
{
	/* Never back (another process knows better), never a doomed one. */
	static const char sql[] = "UPDATE chunks SET used_ms = ?2 WHERE "
				  "id = ?1 AND used_ms < ?2 AND stream > 0";
	sqlite3_stmt *q = index_prepare(conn, sql);

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, used_ms);
	return index_exec(q);
}

/* ---- reservations ----------------------------------------------------- */

int rows_reserve(struct index_conn *conn, int64_t id, int64_t proc,
		 int64_t bytes)
{
	static const char sql[] =
		"INSERT INTO reservations(id, proc, bytes) VALUES(?1, ?2, ?3)";
	sqlite3_stmt *q = index_prepare(conn, sql);

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, proc);
	sqlite3_bind_int64(q, 3, bytes);
	return index_exec(q);
}

int rows_reserve_change(struct index_conn *conn, int64_t id, int64_t bytes)
{
	static const char sql[] =
		"UPDATE reservations SET bytes = ?2 WHERE id = ?1";
	sqlite3_stmt *q = index_prepare(conn, sql);
	int rc;

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, bytes);
	rc = index_exec(q);
	if (rc)
		return rc;
	return sqlite3_changes(index_db(conn)) ? 0 : -ENOENT;
}

int rows_release(struct index_conn *conn, int64_t id)
{
	static const char sql[] = "DELETE FROM reservations WHERE id = ?1";
	sqlite3_stmt *q = index_prepare(conn, sql);

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, id);
	return index_exec(q);
}

int rows_is_reserved(struct index_conn *conn, int64_t id, bool *ret_is)
{
	static const char sql[] = "SELECT 1 FROM reservations WHERE id = ?1";
	sqlite3_stmt *q = index_prepare(conn, sql);
	int rc;

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, id);
	rc = index_step(q);
	index_done(q);
	if (rc < 0)
		return rc;
	*ret_is = rc > 0;
	return 0;
}

int rows_reserved_by(struct index_conn *conn, int64_t proc, int64_t *out,
		     size_t max)
{
	static const char sql[] =
		"SELECT id FROM reservations WHERE proc = ?1 LIMIT ?2";
	sqlite3_stmt *q = index_prepare(conn, sql);
	size_t n = 0;
	int rc = 0;

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, proc);
	sqlite3_bind_int64(q, 2, (int64_t)max);
	while (n < max && (rc = index_step(q)) > 0)
		out[n++] = sqlite3_column_int64(q, 0);
	index_done(q);
	return rc < 0 ? rc : (int)n;
}

int rows_next_proc(struct index_conn *conn, int64_t after, int64_t *ret_proc)
{
	static const char sql[] =
		"SELECT min(proc) FROM reservations WHERE proc > ?1";
	sqlite3_stmt *q = index_prepare(conn, sql);
	int rc;

	if (!q)
		return -EIO;
	sqlite3_bind_int64(q, 1, after);
	rc = index_step(q);
	if (rc > 0 && sqlite3_column_type(q, 0) == SQLITE_NULL)
		rc = 0;
	if (rc > 0)
		*ret_proc = sqlite3_column_int64(q, 0);
	index_done(q);
	return rc;
}
