/* SPDX-License-Identifier: MIT */
#include "cache/catalog_forget.h"

#include "cache/catalog_runs.h"

#include <errno.h>

GArray *gone_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(struct gone));
}

int gone_collect(sqlite3_stmt *s, GArray *gone)
{
	int rc;

	while ((rc = index_step(s)) > 0) {
		struct gone g = {.id = sqlite3_column_int64(s, 0),
				 .stream = (uint32_t)sqlite3_column_int64(s, 1),
				 .size_bytes = sqlite3_column_int64(s, 2),
				 .ms = {sqlite3_column_int64(s, 3),
					sqlite3_column_int64(s, 4)}};

		g_array_append_val(gone, g);
	}
	index_done(s);
	return rc;
}

static int by_stream_and_id(const void *a, const void *b)
{
	const struct gone *x = a, *y = b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static int delete_by_id(struct index_conn *conn, const char *sql, int64_t id)
{
	sqlite3_stmt *s = index_prepare(conn, sql);

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, id);
	return index_exec(s);
}

static int delete_fragment(struct index_conn *conn, int64_t id)
{
	int rc = delete_by_id(conn, "DELETE FROM marks WHERE fragment = ?1",
			      id);

	return rc ? rc
		  : delete_by_id(conn, "DELETE FROM fragments WHERE id = ?1",
				 id);
}

static int subtract(struct index_conn *conn, uint32_t stream, int64_t n,
		    int64_t bytes)
{
	sqlite3_stmt *s = index_prepare(
		conn, "UPDATE streams SET fragments = fragments - ?2,"
		      " total_bytes = total_bytes - ?3 WHERE id = ?1");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, stream);
	sqlite3_bind_int64(s, 2, n);
	sqlite3_bind_int64(s, 3, bytes);
	return index_exec(s);
}

/* Those of one stream, n of them from i on, by id. */
static int delete_some(struct index_conn *conn, const GArray *gone, guint i,
		       guint n)
{
	uint32_t stream = g_array_index(gone, struct gone, i).stream;
	int64_t bytes = 0, dropped_id = 0;
	int rc = 0;

	for (guint k = i; !rc && k < i + n; k++) {
		const struct gone *g = &g_array_index(gone, struct gone, k);

		bytes += g->size_bytes;
		rc = delete_fragment(conn, g->id);
	}
	for (guint k = i; !rc && k < i + n; k++) {
		int64_t id = g_array_index(gone, struct gone, k).id;

		if (id > dropped_id)
			rc = run_drop_empty(conn, stream, id, &dropped_id);
	}
	return rc ? rc : subtract(conn, stream, n, bytes);
}

int gone_delete(struct index_conn *conn, GArray *gone)
{
	guint n;
	int rc = 0;

	g_array_sort(gone, by_stream_and_id);
	for (guint i = 0; !rc && i < gone->len; i += n) {
		uint32_t stream = g_array_index(gone, struct gone, i).stream;

		for (n = 1; i + n < gone->len; n++)
			if (g_array_index(gone, struct gone, i + n).stream !=
			    stream)
				break;
		rc = delete_some(conn, gone, i, n);
	}
	return rc;
}
