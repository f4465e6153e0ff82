/* SPDX-License-Identifier: MIT */
/*
 * schema: every table of the index in one place, and the version of the
 * layout.  Belongs to index; nobody else includes it.
 */
#ifndef KVSFS_CACHE_SCHEMA_H
#define KVSFS_CACHE_SCHEMA_H

struct sqlite3;

/* "kvsf": file(1) and sqlite3 show it. */
#define SCHEMA_APPLICATION_ID 0x6b767366
/* Raise it with every change of a table; test_index pins the layout. */
#define SCHEMA_VERSION 3

/*
 * Makes the tables where there are none, and those of older versions anew where
 * they differ (a process of that version that still runs gets EIO for what it
 * lists, until it is mounted again); safe when several processes do it at once.
 * An SQLite result code, and in *ret_version what the file says (other than
 * SCHEMA_VERSION: a newer one, nothing was touched); SQLITE_NOTADB for a
 * database that is not ours.
 */
int schema_ensure(struct sqlite3 *db, int *ret_version);

#endif
