/* SPDX-License-Identifier: MIT */
#include "cache/catalog_forget.h"

#include <errno.h>

GArray *gone_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(struct gone));
}

/* Deletes the fragment and takes it out of its stream's totals. */
static int delete_fragment(struct index_conn *conn, int64_t id)
{
	sqlite3_stmt *s = index_prepare(
		conn,
		"UPDATE streams SET fragments = fragments - 1, total_bytes ="
		" total_bytes - (SELECT size FROM fragments WHERE id = ?1)"
		" WHERE id = (SELECT stream FROM fragments WHERE id = ?1)");
	int rc;

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, id);
	rc = index_exec(s);
	if (rc)
		return rc;
	s = index_prepare(conn, "DELETE FROM fragments WHERE id = ?1");
	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, id);
	return index_exec(s);
}

int gone_collect(sqlite3_stmt *s, GArray *gone)
{
	int rc;

	while ((rc = index_step(s)) > 0) {
		struct gone g = {.id = sqlite3_column_int64(s, 0),
				 .ms = {sqlite3_column_int64(s, 1),
					sqlite3_column_int64(s, 2)}};

		g_array_append_val(gone, g);
	}
	index_done(s);
	return rc;
}

int gone_delete(struct index_conn *conn, const GArray *gone)
{
	int rc = 0;

	for (guint i = 0; !rc && i < gone->len; i++)
		rc = delete_fragment(conn,
				     g_array_index(gone, struct gone, i).id);
	return rc;
}
