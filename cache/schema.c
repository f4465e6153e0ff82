/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "cache/schema.h"

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>

/* ---- catalog ---------------------------------------------------------- */

/* AUTOINCREMENT: chunk keys and inodes hold ids, so none may come again. */
static const char streams_sql[] = "CREATE TABLE streams("
				  " id INTEGER PRIMARY KEY AUTOINCREMENT,"
				  " endpoint TEXT NOT NULL,"
				  " arn TEXT NOT NULL,"
				  " name TEXT NOT NULL,"
				  " created_ms INTEGER NOT NULL,"
				  " retention_ms INTEGER NOT NULL,"
				  " mark_ms INTEGER NOT NULL DEFAULT 0,"
				  " chain_ms INTEGER NOT NULL DEFAULT 0,"
				  " slack INTEGER NOT NULL DEFAULT -1,"
				  " fragments INTEGER NOT NULL DEFAULT 0,"
				  " total_bytes INTEGER NOT NULL DEFAULT 0,"
				  " UNIQUE(endpoint, arn));";

static const char fragments_sql[] =
	/*
	 * number: see catalog_number.h; slack: see catalog_rows.h, NULL until
	 * shown; payload: what it is more than size, NULL until known.
	 * Differences, and indexes by the second, since 10 years are 157
	 * million rows.
	 */
	"CREATE TABLE fragments("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" stream INTEGER NOT NULL,"
	" number NOT NULL,"
	" server_ms INTEGER NOT NULL,"
	" lead_ms INTEGER NOT NULL,"
	" length_ms INTEGER NOT NULL,"
	" size INTEGER NOT NULL,"
	" slack INTEGER,"
	" payload INTEGER,"
	" producer_ms INTEGER AS (server_ms - lead_ms) VIRTUAL,"
	" producer_s INTEGER AS ((server_ms - lead_ms) / 1000) VIRTUAL,"
	" server_s INTEGER AS (server_ms / 1000) VIRTUAL);"
	"CREATE INDEX fragments_producer ON fragments(stream, producer_s);"
	"CREATE INDEX fragments_server ON fragments(stream, server_s);"
	"CREATE UNIQUE INDEX fragments_digits ON fragments(stream, number)"
	" WHERE typeof(number) = 'blob';"

	/* Ids first to last were given to this stream, one after the other. */
	"CREATE TABLE runs("
	" stream INTEGER NOT NULL,"
	" first_id INTEGER NOT NULL,"
	" last_id INTEGER NOT NULL,"
	" PRIMARY KEY(stream, first_id)) WITHOUT ROWID;"

	/* Disjoint per stream and axis. */
	"CREATE TABLE known("
	" stream INTEGER NOT NULL,"
	" axis INTEGER NOT NULL,"
	" start_ms INTEGER NOT NULL,"
	" end_ms INTEGER NOT NULL,"
	" as_of_ms INTEGER NOT NULL,"
	" used_ms INTEGER NOT NULL,"
	" PRIMARY KEY(stream, axis, start_ms)) WITHOUT ROWID;"
	"CREATE INDEX known_used ON known(used_ms);";

/* What was found out for movies; see catalog_movie.h. */
static const char movies_sql[] = "CREATE TABLE marks("
				 " fragment INTEGER PRIMARY KEY,"
				 " verdict INTEGER NOT NULL,"
				 " format INTEGER NOT NULL);"

				 "CREATE TABLE formats("
				 " stream INTEGER NOT NULL,"
				 " id INTEGER NOT NULL,"
				 " bytes BLOB NOT NULL,"
				 " PRIMARY KEY(stream, id));";

/* ---- store ------------------------------------------------------------ */

/*
 * Ids are random and name the files (chunk_file.h); a reservation's becomes
 * its chunk's.  Stream 0 holds chunks that are to go when nobody uses them.
 */
static const char store_sql[] =
	"CREATE TABLE chunks("
	" id INTEGER PRIMARY KEY,"
	" stream INTEGER NOT NULL,"
	" number TEXT NOT NULL,"
	" raw INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL," /* allocated */
	" size INTEGER NOT NULL,"  /* length */
	" hash BLOB NOT NULL,"	   /* XXH3, 128 bits, canonical */
	" used_ms INTEGER NOT NULL,"
	" UNIQUE(stream, number, raw));"
	"CREATE INDEX chunks_used ON chunks(used_ms);"

	"CREATE TABLE reservations("
	" id INTEGER PRIMARY KEY,"
	" proc INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL);"

	/* chunks, chunk_bytes, dir_bytes */
	"CREATE TABLE totals("
	" name TEXT PRIMARY KEY,"
	" value INTEGER NOT NULL) WITHOUT ROWID;";

/* ---- making and recognising ------------------------------------------- */

static int read_int(sqlite3 *db, const char *sql, int *ret_value)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW) {
			*ret_value = sqlite3_column_int(stmt, 0);
			rc = SQLITE_OK;
		}
	}
	/* A failed prepare leaves no statement, and finalize likes NULL. */
	sqlite3_finalize(stmt);
	return rc;
}

/* SQLITE_OK and *ret_empty, or why the file is not to be used. */
static int look(sqlite3 *db, bool *ret_empty, int *ret_version)
{
	int app = 0, version = 0, tables = 0;
	int rc = read_int(db, "PRAGMA application_id", &app);

	if (rc == SQLITE_OK)
		rc = read_int(db, "PRAGMA user_version", &version);
	/* Parses the whole schema, so damage there shows here. */
	if (rc == SQLITE_OK)
		rc = read_int(db, "SELECT count(*) FROM sqlite_schema",
			      &tables);
	if (rc != SQLITE_OK)
		return rc;
	*ret_empty = !app && !version && !tables;
	if (!*ret_empty && app != SCHEMA_APPLICATION_ID)
		return SQLITE_NOTADB;
	*ret_version = version;
	return SQLITE_OK;
}

static int run_all(sqlite3 *db, const char *const *sql, size_t n)
{
	g_autofree char *mark = g_strdup_printf(
		"PRAGMA application_id=%d; PRAGMA user_version=%d;",
		SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
		rc = sqlite3_exec(db, sql[i], NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, mark, NULL, NULL, NULL);
	return rc;
}

static int make(sqlite3 *db)
{
	const char *const sql[] = {streams_sql, fragments_sql, movies_sql,
				   store_sql};

	return run_all(db, sql, G_N_ELEMENTS(sql));
}

/*
 * Version 1 had other rows of fragments.  They are listed again; streams with
 * their slack, chunks, and ids that must not come again stay.
 */
static int begin_catalog_anew(sqlite3 *db)
{
	const char *const sql[] = {
		"UPDATE sqlite_sequence SET name = 'before'"
		" WHERE name = 'fragments';"
		"DROP TABLE fragments; DROP TABLE known;",
		fragments_sql,
		"UPDATE sqlite_sequence SET name = 'fragments'"
		" WHERE name = 'before';"
		"UPDATE streams SET mark_ms = 0, chain_ms = 0, fragments = 0,"
		" total_bytes = 0;",
		movies_sql,
	};
	int rc = run_all(db, sql, G_N_ELEMENTS(sql));

	if (rc == SQLITE_OK)
		g_message("the cache's index was an older kvsfs's: what is "
			  "cached stays, fragments are listed again");
	return rc;
}

/* Version 2 knew nothing of movies. */
static int add_movies(sqlite3 *db)
{
	const char *const sql[] = {movies_sql};

	return run_all(db, sql, G_N_ELEMENTS(sql));
}

static bool is_older(int version)
{
	return version == 1 || version == 2;
}

/* Under the write lock. */
static int make_or_mend(sqlite3 *db, int *ret_version)
{
	bool empty;
	int rc = look(db, &empty, ret_version);

	if (rc != SQLITE_OK || (!empty && !is_older(*ret_version)))
		return rc;
	if (empty)
		rc = make(db);
	else if (*ret_version == 1)
		rc = begin_catalog_anew(db);
	else
		rc = add_movies(db);
	if (rc == SQLITE_OK)
		*ret_version = SCHEMA_VERSION;
	return rc;
}

int schema_ensure(sqlite3 *db, int *ret_version)
{
	bool empty;
	int rc = look(db, &empty, ret_version);

	if (rc != SQLITE_OK || (!empty && !is_older(*ret_version)))
		return rc;

	/* The write lock is where processes that begin together line up. */
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = make_or_mend(db, ret_version);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}
