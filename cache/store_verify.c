/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "cache/index.h"
#include "fs/base/base.h"

#include <errno.h>

/* Rows read together. */
#define BATCH 64

struct bad {
	struct store *s;
	struct chunk_row row;
};

static int bad_write(struct index_conn *conn, void *arg)
{
	struct bad *b = arg;
	struct chunk_row row;
	int rc = rows_get(conn, b->row.id, &row);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return space_discard(b->s, conn, &row);
}

/* 0: right, or going at this moment; 1: bad; -errno: who knows. */
static int look_at(struct store *s, const struct chunk_row *row)
{
	char path[CHUNK_PATH_SIZE];
	auto_close int fd = -1;
	int64_t size_bytes = -1;
	int rc;

	chunk_path(row->id, path);
	rc = chunk_file_open(s->dirfd, path, &fd, &size_bytes);
	if (rc == -EBUSY)
		return 0;
	if (!rc)
		rc = chunk_file_check(fd, row->size_bytes, row->hash);
	return rc == -ENOENT || rc == -EBADMSG ? 1 : rc;
}

static int next_rows(struct store *s, int64_t after, struct chunk_row *out)
{
	struct index_conn *conn;
	int n;

	if (index_reader_get(s->ix, &conn))
		return -EIO;
	n = rows_range(conn, after + 1, INT64_MAX, out, BATCH);
	index_reader_put(s->ix, conn);
	return n;
}

int store_verify(struct store *s, int64_t *ret_checked, int64_t *ret_dropped)
{
	struct chunk_row rows[BATCH];
	int64_t after = 0, checked = 0, dropped = 0;
	int n, rc = 0;

	while (!rc && (n = next_rows(s, after, rows)) > 0) {
		for (int i = 0; !rc && i < n; i++) {
			struct bad b = {.s = s, .row = rows[i]};

			rc = look_at(s, &rows[i]);
			checked++;
			if (rc <= 0)
				continue;
			dropped++;
			rc = index_run(s->ix, bad_write, &b);
		}
		after = rows[n - 1].id;
	}
	if (!rc)
		rc = n;
	if (rc < 0)
		return rc;
	*ret_checked = checked;
	*ret_dropped = dropped;
	return 0;
}
