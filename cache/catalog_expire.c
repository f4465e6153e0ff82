/* SPDX-License-Identifier: MIT */
#include "cache/catalog.h"

#include "cache/catalog_forget.h"

#include <errno.h>

struct expire_job {
	struct catalog *c; /* a reference */
	uint32_t stream;
	int64_t alive_ms;
	bool more;
};

/*
 * Intervals that are wholly over say nothing any more, except where a wrong
 * producer clock put fragments there that are alive by their server time.
 */
static int expire_known(struct index_conn *conn, const struct expire_job *j)
{
	sqlite3_stmt *s = index_prepare(
		conn,
		"DELETE FROM known WHERE stream = ?1 AND axis IN (0, 1)"
		" AND start_ms < ?2 AND end_ms <= ?2 AND NOT EXISTS"
		" (SELECT 1 FROM fragments AS f INDEXED BY fragments_producer"
		" WHERE f.stream = ?1 AND known.axis = 0"
		" AND" IN_RANGE("f.", "producer", "known.start_ms",
				"known.end_ms") ")");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->stream);
	sqlite3_bind_int64(s, 2, j->alive_ms);
	return index_exec(s);
}

static int expire_write(struct index_conn *conn, void *arg)
{
	g_autoptr(GArray) gone = gone_new();
	struct expire_job *j = arg;
	sqlite3_stmt *s = index_prepare(
		conn, "SELECT " GONE_COLUMNS
		      " FROM fragments AS f INDEXED BY fragments_server"
		      " WHERE f.stream = ?1 AND f.server_s <= ?2 / 1000"
		      " AND f.server_ms < ?2 ORDER BY f.server_s LIMIT ?3");
	int rc;

	j->more = false;
	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->stream);
	sqlite3_bind_int64(s, 2, j->alive_ms);
	sqlite3_bind_int(s, 3, BITE_FRAGMENTS);
	rc = gone_collect(s, gone);
	if (!rc)
		rc = gone_delete(conn, gone);
	j->more = gone->len == BITE_FRAGMENTS;
	return rc || j->more ? rc : expire_known(conn, j);
}

static void expire_done(void *arg, int rc)
{
	struct expire_job *j = arg;

	if (!rc && j->more && !atomic_load(&j->c->ending)) {
		index_post(j->c->ix, expire_write, expire_done, j);
		return;
	}
	catalog_unref(j->c);
	g_free(j);
}

void catalog_expire(struct catalog *c, uint32_t stream, int64_t alive_ms)
{
	struct expire_job *j = g_new0(struct expire_job, 1);

	j->c = catalog_ref(c);
	j->stream = stream;
	j->alive_ms = alive_ms;
	index_post(c->ix, expire_write, expire_done, j);
}
