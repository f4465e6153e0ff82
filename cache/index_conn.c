/* SPDX-License-Identifier: MIT */
#include "cache/index_conn.h"

#include "cache/schema.h"

#include <errno.h>
#include <glib.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/*
 * Another process holds the write lock for one group commit, which is
 * milliseconds; a slow disk's fsync may take seconds.
 */
#define BUSY_MS 10000

/*
 * Page caches: the writer touches four B-trees for every fragment, a reader
 * walks one range at a time and the kernel has the pages anyway.  Readers are
 * capped (index.c), so all of it stays within a few MiB.
 */
#define WRITER_CACHE_KIB 4096
#define READER_CACHE_KIB 512

/*
 * The log is written back every MiB and kept no larger: it counts in the
 * cache's budget, which may be as small as some MiB.
 */
#define CHECKPOINT_PAGES 256
#define LOG_BYTES	 1048576

struct index_conn {
	sqlite3 *db;
	GHashTable *stmts; /* address of the SQL -> sqlite3_stmt */
};

int index_conn_errno(sqlite3 *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		break;
	default:
		return -EIO;
	}
	switch (sqlite3_system_errno(db)) {
	case ENOSPC:
	case EDQUOT:
		return -ENOSPC;
	case EROFS:
		return -EROFS;
	default:
		return -EIO;
	}
}

static bool is_damage(int rc)
{
	return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

/* While opening, the caller wants to know more than while running. */
static int open_errno(sqlite3 *db, int rc)
{
	int cause = sqlite3_system_errno(db);

	if (is_damage(rc))
		return -EBADMSG;
	if ((rc & 0xff) == SQLITE_BUSY)
		return -EBUSY;
	if ((rc & 0xff) == SQLITE_CANTOPEN && cause)
		return -cause;
	return index_conn_errno(db, rc);
}

static void finalize(void *stmt)
{
	sqlite3_finalize(stmt);
}

/*
 * The first switch to WAL needs the file for itself, and SQLite does not wait
 * for that (it would deadlock with another that waits for the same).
 */
static int begin_wal(sqlite3 *db)
{
	int rc = SQLITE_BUSY;

	for (int waited_ms = 0; waited_ms < BUSY_MS; waited_ms += 5) {
		rc = sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL,
				  NULL);
		if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED)
			break;
		g_usleep(5000);
	}
	return rc;
}

/*
 * No mmap: a failing disk would be SIGBUS instead of an error, and every
 * connection's mapping counts as resident memory.  Deleted content is not
 * overwritten with zeros (Debian's default): it is no secret, the files next
 * to it hold the media.
 */
static int configure(sqlite3 *db, bool writer)
{
	g_autofree char *pragmas = g_strdup_printf(
		"PRAGMA synchronous=NORMAL; PRAGMA secure_delete=OFF;"
		"PRAGMA mmap_size=0; PRAGMA cache_size=-%d;"
		"PRAGMA wal_autocheckpoint=%d; PRAGMA journal_size_limit=%d;"
		"PRAGMA query_only=%d;",
		writer ? WRITER_CACHE_KIB : READER_CACHE_KIB, CHECKPOINT_PAGES,
		LOG_BYTES, !writer);
	int persist = 1;
	int rc = SQLITE_OK;

	sqlite3_busy_timeout(db, BUSY_MS);
	/*
	 * Never unlink the log by name: once the directory has been moved, or
	 * a damaged index put aside, the name is another index's.
	 */
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	/* Only counts before the first page is written. */
	if (writer)
		rc = sqlite3_exec(db, "PRAGMA auto_vacuum=INCREMENTAL", NULL,
				  NULL, NULL);
	if (rc == SQLITE_OK && writer)
		rc = begin_wal(db);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
	return rc;
}

int index_conn_open(int dirfd, bool writer, struct index_conn **ret_conn)
{
	/*
	 * SQLite resolves the link when it opens, so a directory that was
	 * moved meanwhile is found where it is now; files that are open stay.
	 */
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/" INDEX_FILE,
						dirfd);
	struct index_conn *conn = g_new0(struct index_conn, 1);
	int version = SCHEMA_VERSION;
	int rc, err;

	conn->stmts = g_hash_table_new_full(NULL, NULL, NULL, finalize);
	rc = sqlite3_open_v2(path, &conn->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_extended_result_codes(conn->db, 1);
		rc = configure(conn->db, writer);
	}
	if (rc == SQLITE_OK)
		rc = schema_ensure(conn->db, &version);
	err = open_errno(conn->db, rc);
	if (!err && version != SCHEMA_VERSION)
		err = -EPROTO;
	if (err)
		goto fail;
	*ret_conn = conn;
	return 0;
fail:
	index_conn_free(conn);
	return err;
}

void index_conn_free(struct index_conn *conn)
{
	if (!conn)
		return;
	g_hash_table_destroy(conn->stmts);
	sqlite3_close(conn->db);
	g_free(conn);
}

bool index_conn_damaged(const struct index_conn *conn)
{
	return is_damage(sqlite3_errcode(conn->db));
}

int index_conn_check(struct index_conn *conn)
{
	sqlite3_stmt *stmt = index_prepare(conn, "PRAGMA quick_check(1)");
	const unsigned char *said;
	int rc;

	if (!stmt)
		return index_conn_damaged(conn) ? -EBADMSG : -EIO;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		said = sqlite3_column_text(stmt, 0);
		if (!said || strcmp((const char *)said, "ok") != 0)
			rc = SQLITE_CORRUPT;
	}
	index_done(stmt);
	return is_damage(rc) ? -EBADMSG : index_conn_errno(conn->db, rc);
}

sqlite3_stmt *index_prepare(struct index_conn *conn, const char *sql)
{
	sqlite3_stmt *stmt = g_hash_table_lookup(conn->stmts, sql);

	if (stmt) {
		index_done(stmt);
		return stmt;
	}
	if (sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
			       &stmt, NULL) != SQLITE_OK)
		return NULL;
	g_hash_table_insert(conn->stmts, (void *)(uintptr_t)sql, stmt);
	return stmt;
}

void index_done(sqlite3_stmt *stmt)
{
	sqlite3_clear_bindings(stmt);
	sqlite3_reset(stmt);
}

int index_step(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return index_conn_errno(sqlite3_db_handle(stmt), rc);
}

int index_exec(sqlite3_stmt *stmt)
{
	int rc;

	do {
		rc = index_step(stmt);
	} while (rc > 0);
	index_done(stmt);
	return rc;
}

sqlite3 *index_db(struct index_conn *conn)
{
	return conn->db;
}

void index_checkpoint(struct index_conn *conn)
{
	/* Readers hold it for microseconds; one that is stopped, for ever. */
	sqlite3_busy_timeout(conn->db, 100);
	sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
				  NULL, NULL);
	sqlite3_busy_timeout(conn->db, BUSY_MS);
}
