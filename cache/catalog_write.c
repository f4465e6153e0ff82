/* SPDX-License-Identifier: MIT */
/*
 * Changes of streams and fragments.  Each is a job: a copy of what was asked
 * for, posted to the index's writer, freed after its done().
 */
#include "cache/catalog.h"

#include "cache/catalog_known.h"
#include "cache/catalog_rows.h"
#include "cache/catalog_runs.h"
#include "fs/base/clock.h"

#include <errno.h>

void job_done(void *arg, int rc)
{
	struct job *job = arg;

	if (job->done)
		job->done(job->user, rc);
	if (job->release)
		job->release(job);
	g_free(job);
}

/* A statement that changes one row or none: -ENOENT for none. */
static int exec_one(struct index_conn *conn, sqlite3_stmt *s)
{
	int rc = index_exec(s);

	if (!rc && sqlite3_changes(index_db(conn)) == 0)
		return -ENOENT;
	return rc;
}

/* ---- streams ---------------------------------------------------------- */

struct streams_job {
	struct job job;
	size_t n;
	struct catalog_stream *rows;
};

static void streams_release(struct job *job)
{
	struct streams_job *j = (struct streams_job *)job;

	for (size_t i = 0; i < j->n; i++)
		catalog_stream_release(&j->rows[i]);
	g_free(j->rows);
}

static int streams_write(struct index_conn *conn, void *arg)
{
	struct streams_job *j = arg;

	for (size_t i = 0; i < j->n; i++) {
		const struct catalog_stream *row = &j->rows[i];
		sqlite3_stmt *s = index_prepare(
			conn,
			"INSERT INTO streams(endpoint, arn, name, created_ms,"
			" retention_ms) VALUES(?1, ?2, ?3, ?4, ?5)"
			" ON CONFLICT(endpoint, arn) DO UPDATE SET name = ?3,"
			" created_ms = ?4, retention_ms = ?5"
			" WHERE name <> ?3 OR created_ms <> ?4"
			" OR retention_ms <> ?5");
		int rc;

		if (!s)
			return -EIO;
		sqlite3_bind_text(s, 1, row->endpoint, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, row->arn, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 3, row->name, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 4, row->created_ms);
		sqlite3_bind_int64(s, 5, row->retention_ms);
		rc = index_exec(s);
		if (rc)
			return rc;
	}
	return 0;
}

void catalog_put_streams(struct catalog *c, const struct catalog_stream *rows,
			 size_t n, catalog_done_fn done, void *user)
{
	struct streams_job *j = g_new0(struct streams_job, 1);

	j->job = (struct job){done, user, streams_release};
	j->n = n;
	j->rows = g_new0(struct catalog_stream, n);
	for (size_t i = 0; i < n; i++) {
		j->rows[i].endpoint =
			g_strdup(rows[i].endpoint ? rows[i].endpoint : "");
		j->rows[i].arn = g_strdup(rows[i].arn);
		j->rows[i].name = g_strdup(rows[i].name);
		j->rows[i].created_ms = rows[i].created_ms;
		j->rows[i].retention_ms = rows[i].retention_ms;
	}
	index_post(c->ix, streams_write, job_done, j);
}

/* ---- listings --------------------------------------------------------- */

struct listing_job {
	struct job job;
	struct catalog_listing l;
	struct fragment *fragments;
	int64_t now_ms;
	int64_t added, added_bytes; /* what the totals grow by */
	int64_t last_id;	    /* of those added; one after the other */
};

static void listing_release(struct job *job)
{
	g_free(((struct listing_job *)job)->fragments);
}

static bool is_listed_so(const struct fragment *row, const struct fragment *f)
{
	return row->producer_ms == f->producer_ms &&
	       row->server_ms == f->server_ms &&
	       row->length_ms == f->length_ms &&
	       row->size_bytes == f->size_bytes;
}

static int put_fragment(struct index_conn *conn, struct listing_job *j,
			const struct fragment *f)
{
	struct fragment row;
	int rc = fragment_find(conn, j->l.stream, f->number, &row);

	if (rc == -ENOENT) {
		rc = fragment_insert(conn, j->l.stream, f);
		if (rc)
			return rc;
		j->last_id = sqlite3_last_insert_rowid(index_db(conn));
		j->added++;
		j->added_bytes += f->size_bytes;
		return 0;
	}
	/* The service may correct what it lists, which is rare. */
	if (rc || is_listed_so(&row, f))
		return rc;
	j->added_bytes += f->size_bytes - row.size_bytes;
	return fragment_update(conn, &row, f);
}

/* Totals and mark; -ENOENT where there is no such stream. */
static int put_stream(struct index_conn *conn, const struct listing_job *j)
{
	sqlite3_stmt *s = index_prepare(
		conn, "UPDATE streams SET fragments = fragments + ?2,"
		      " total_bytes = total_bytes + ?3,"
		      " mark_ms = CASE WHEN ?5 THEN ?4"
		      " ELSE max(mark_ms, ?4) END,"
		      " chain_ms = CASE WHEN ?5 THEN ?4 ELSE chain_ms END"
		      " WHERE id = ?1");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->l.stream);
	sqlite3_bind_int64(s, 2, j->added);
	sqlite3_bind_int64(s, 3, j->added_bytes);
	sqlite3_bind_int64(s, 4, j->l.mark_ms);
	sqlite3_bind_int(s, 5, j->l.new_chain);
	return exec_one(conn, s);
}

/*
 * What a clock that was ahead has called known as of a time still to come
 * would outlive every chain until then.
 */
static int forget_future(struct index_conn *conn, const struct listing_job *j)
{
	sqlite3_stmt *s = index_prepare(conn,
					"UPDATE known SET as_of_ms = 0"
					" WHERE stream = ?1 AND as_of_ms > ?2");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->l.stream);
	sqlite3_bind_int64(s, 2, j->l.mark_ms + CATALOG_AHEAD_MS);
	return index_exec(s);
}

static int listing_write(struct index_conn *conn, void *arg)
{
	struct listing_job *j = arg;
	struct known known = {.start_ms = j->l.known_start_ms,
			      .end_ms = j->l.known_end_ms,
			      .as_of_ms = j->l.as_of_ms,
			      .used_ms = j->now_ms};
	int rc = 0;

	for (size_t i = 0; !rc && i < j->l.n; i++)
		rc = put_fragment(conn, j, &j->fragments[i]);
	if (!rc && j->added)
		rc = run_add(conn, j->l.stream, j->last_id - j->added + 1,
			     j->last_id);
	if (!rc && known.start_ms < known.end_ms)
		rc = known_put(conn, j->l.stream, j->l.axis, &known);
	if (!rc && j->l.new_chain)
		rc = forget_future(conn, j);
	return rc ? rc : put_stream(conn, j);
}

void catalog_put_listing(struct catalog *c, const struct catalog_listing *l,
			 catalog_done_fn done, void *user)
{
	struct listing_job *j = g_new0(struct listing_job, 1);

	j->job = (struct job){done, user, listing_release};
	j->l = *l;
	j->fragments = g_new(struct fragment, l->n);
	for (size_t i = 0; i < l->n; i++)
		j->fragments[i] = l->fragments[i];
	j->now_ms = clock_realtime_ms(&clock_system);
	index_post(c->ix, listing_write, job_done, j);
}

/* ---- sizes ------------------------------------------------------------ */

struct size_job {
	struct job job;
	uint32_t stream;
	enum catalog_axis axis;
	int64_t start_ms, end_ms;
	int64_t id;
	int64_t bytes, file_bytes;
	bool only_raise;
};

static struct size_job *size_job_new(catalog_done_fn done, void *user)
{
	struct size_job *j = g_new0(struct size_job, 1);

	j->job = (struct job){.done = done, .user = user};
	return j;
}

#define SHOW_SQL(t)                                                      \
	"UPDATE fragments INDEXED BY fragments_" t                       \
	" SET slack =" SLACK_SQL("?4") "WHERE stream = ?1 AND" IN_RANGE( \
		"", t, "?2", "?3") "AND slack IS NULL"

static int show_write(struct index_conn *conn, void *arg)
{
	static const char *const sql[CATALOG_AXES] = {SHOW_SQL("producer"),
						      SHOW_SQL("server")};
	struct size_job *j = arg;
	sqlite3_stmt *s = index_prepare(conn, sql[j->axis]);

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->stream);
	sqlite3_bind_int64(s, 2, j->start_ms);
	sqlite3_bind_int64(s, 3, j->end_ms);
	sqlite3_bind_int64(s, 4, j->bytes);
	return index_exec(s);
}

void catalog_show(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		  int64_t start_ms, int64_t end_ms, int64_t slack_bytes)
{
	struct size_job *j = size_job_new(NULL, NULL);

	j->stream = stream;
	j->axis = axis;
	j->start_ms = start_ms;
	j->end_ms = end_ms;
	j->bytes = slack_bytes;
	index_post(c->ix, show_write, job_done, j);
}

static int show_one_write(struct index_conn *conn, void *arg)
{
	struct size_job *j = arg;
	sqlite3_stmt *s = index_prepare(
		conn, "UPDATE fragments SET slack =" SLACK_SQL(
			      "?2 - size") "WHERE id = ?1 AND slack IS NULL");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->id);
	sqlite3_bind_int64(s, 2, j->file_bytes);
	return index_exec(s);
}

void catalog_show_one(struct catalog *c, const struct fragment *f)
{
	struct size_job *j = size_job_new(NULL, NULL);

	j->id = f->id;
	j->file_bytes = f->file_bytes;
	index_post(c->ix, show_one_write, job_done, j);
}

static int slack_write(struct index_conn *conn, void *arg)
{
	struct size_job *j = arg;
	sqlite3_stmt *s = index_prepare(
		conn, "UPDATE streams SET slack = CASE WHEN ?3"
		      " THEN max(slack, ?2) ELSE ?2 END WHERE id = ?1");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->stream);
	sqlite3_bind_int64(s, 2, j->bytes);
	sqlite3_bind_int(s, 3, j->only_raise);
	return exec_one(conn, s);
}

void catalog_set_slack(struct catalog *c, uint32_t stream, int64_t slack_bytes,
		       bool only_raise, catalog_done_fn done, void *user)
{
	struct size_job *j = size_job_new(done, user);

	j->stream = stream;
	j->bytes = slack_bytes;
	j->only_raise = only_raise;
	index_post(c->ix, slack_write, job_done, j);
}

static int payload_write(struct index_conn *conn, void *arg)
{
	struct size_job *j = arg;
	sqlite3_stmt *s = index_prepare(
		conn, "UPDATE fragments SET payload = ?2 - size, slack = CASE"
		      " WHEN ?3 >= 0 THEN" SLACK_SQL(
			      "?3 - size") "ELSE slack END WHERE id = ?1");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->id);
	sqlite3_bind_int64(s, 2, j->bytes);
	sqlite3_bind_int64(s, 3, j->file_bytes);
	return exec_one(conn, s);
}

void catalog_set_payload(struct catalog *c, int64_t id, int64_t payload_bytes,
			 int64_t file_bytes, catalog_done_fn done, void *user)
{
	struct size_job *j = size_job_new(done, user);

	j->id = id;
	j->bytes = payload_bytes;
	j->file_bytes = file_bytes;
	index_post(c->ix, payload_write, job_done, j);
}
