/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "cache/index.h"
#include "fs/base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/*
 * What crashes and power cuts left behind: reservations and files of dead
 * processes, files without a row, rows without a file, totals that are off.
 *
 * What looks wrong from outside is looked at again inside the transaction that
 * mends it: chunks come and go meanwhile.
 */

/* Mended in one transaction. */
#define STEP 64

struct step {
	struct store *s;
	int (*mend)(struct store *s, struct index_conn *conn, int64_t id);
	const int64_t *ids;
	size_t n;
};

static int step_write(struct index_conn *conn, void *arg)
{
	const struct step *step = arg;
	int rc = 0;

	for (size_t i = 0; !rc && i < step->n; i++)
		rc = step->mend(step->s, conn, step->ids[i]);
	return rc;
}

static int mend_all(struct store *s, GArray *ids,
		    int (*mend)(struct store *s, struct index_conn *conn,
				int64_t id))
{
	int rc = 0;

	for (guint at = 0; !rc && at < ids->len; at += STEP) {
		struct step step = {
			.s = s,
			.mend = mend,
			.ids = &g_array_index(ids, int64_t, at),
			.n = MIN(ids->len - at, STEP),
		};

		if (keeper_ending(s))
			return -ECANCELED;
		rc = index_run(s->ix, step_write, &step);
	}
	return rc;
}

/* ---- directories ------------------------------------------------------ */

static gint by_id(gconstpointer a, gconstpointer b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static GArray *ids_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(int64_t));
}

/* The ids of the files in a directory, in order; none where it is not there. */
static int list_ids(struct store *s, const char *path, GArray *ids)
{
	int fd = openat(s->dirfd, path,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int64_t id;

	if (!d) {
		base_closep(&fd);
		return errno == ENOENT ? 0 : -errno;
	}
	while ((e = readdir(d)))
		if (chunk_id_parse(e->d_name, &id))
			g_array_append_val(ids, id);
	closedir(d);
	g_array_sort(ids, by_id);
	return 0;
}

static bool is_old(struct store *s, const char *path)
{
	int64_t now_ms = clock_realtime_ms(s->options.clock);
	struct stat st;

	return !fstatat(s->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) &&
	       now_ms - (int64_t)st.st_mtim.tv_sec * 1000 > STORE_ORPHAN_MS;
}

/* ---- what is unfinished ----------------------------------------------- */

static int mend_tmp(struct store *s, struct index_conn *conn, int64_t id)
{
	char path[CHUNK_PATH_SIZE];
	bool reserved;
	int rc = rows_is_reserved(conn, id, &reserved);

	chunk_tmp_path(id, path);
	if (!rc && !reserved && is_old(s, path))
		unlinkat(s->dirfd, path, 0);
	return rc;
}

static int sweep_tmp(struct store *s)
{
	g_autoptr(GArray) ids = ids_new();
	int rc = list_ids(s, "tmp", ids);

	return rc ? rc : mend_all(s, ids, mend_tmp);
}

/* Those who had nothing reserved when they died. */
static int sweep_procs(struct store *s)
{
	g_autoptr(GArray) ids = ids_new();
	int rc = list_ids(s, "procs", ids);

	for (guint i = 0; !rc && i < ids->len; i++)
		procs_is_dead(s, g_array_index(ids, int64_t, i));
	return rc;
}

static int begin_write(struct index_conn *conn, void *arg)
{
	struct store *s = arg;
	int rc = procs_reap(s, conn);

	if (rc >= 0)
		rc = space_discard_doomed(s, conn);
	return rc < 0 ? rc : space_measure_dirs(s, conn);
}

/* ---- files and rows --------------------------------------------------- */

static int mend_orphan(struct store *s, struct index_conn *conn, int64_t id)
{
	char path[CHUNK_PATH_SIZE];
	struct chunk_row row;
	bool reserved;
	int rc = rows_get(conn, id, &row);

	if (rc != -ENOENT)
		return rc;
	rc = rows_is_reserved(conn, id, &reserved);
	chunk_path(id, path);
	if (rc || reserved || !is_old(s, path))
		return rc;
	rc = chunk_file_remove(s->dirfd, id);
	return rc == -EBUSY ? 0 : rc;
}

static int mend_missing(struct store *s, struct index_conn *conn, int64_t id)
{
	char path[CHUNK_PATH_SIZE];
	struct chunk_row row;
	struct stat st;
	int rc = rows_get(conn, id, &row);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	chunk_path(id, path);
	if (!fstatat(s->dirfd, path, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	return errno == ENOENT ? rows_delete(conn, &row) : 0;
}

/* Rows with ids in [from, to), STEP at a time, so that no read lasts long. */
static int list_rows(struct store *s, int64_t from, int64_t to, GArray *ids)
{
	struct chunk_row rows[STEP];
	struct index_conn *conn;
	int n;

	do {
		n = index_reader_get(s->ix, &conn);
		if (n)
			return n;
		n = rows_range(conn, from, to, rows, STEP);
		index_reader_put(s->ix, conn);
		for (int i = 0; i < n; i++)
			g_array_append_val(ids, rows[i].id);
		if (n > 0)
			from = rows[n - 1].id + 1;
	} while (n == STEP);
	return n < 0 ? n : 0;
}

/* Both in order: what is in one only. */
static void compare(const GArray *files, const GArray *rows, GArray *orphans,
		    GArray *missing)
{
	guint f = 0, r = 0;

	while (f < files->len || r < rows->len) {
		int64_t file = f < files->len ? g_array_index(files, int64_t, f)
					      : INT64_MAX;
		int64_t row = r < rows->len ? g_array_index(rows, int64_t, r)
					    : INT64_MAX;

		if (file < row)
			g_array_append_val(orphans, file);
		else if (row < file)
			g_array_append_val(missing, row);
		f += file <= row;
		r += row <= file;
	}
}

static int sweep_fanout(struct store *s, unsigned index)
{
	g_autoptr(GArray) files = ids_new();
	g_autoptr(GArray) rows = ids_new();
	g_autoptr(GArray) orphans = ids_new();
	g_autoptr(GArray) missing = ids_new();
	int64_t from = (int64_t)((uint64_t)index << 56);
	int64_t to = index + 1 == CHUNK_FANOUT
			     ? INT64_MAX
			     : (int64_t)((uint64_t)(index + 1) << 56);
	char path[CHUNK_PATH_SIZE];
	int rc;

	chunk_fanout_path(index, path);
	rc = list_ids(s, path, files);
	if (!rc)
		rc = list_rows(s, from, to, rows);
	if (rc)
		return rc;
	compare(files, rows, orphans, missing);
	rc = mend_all(s, orphans, mend_orphan);
	return rc ? rc : mend_all(s, missing, mend_missing);
}

/* ---- totals ----------------------------------------------------------- */

struct drift {
	int64_t chunks, bytes;
};

static int drift_write(struct index_conn *conn, void *arg)
{
	const struct drift *d = arg;

	return rows_mend(conn, d->chunks, d->bytes);
}

/* The difference stays the same while chunks come and go. */
static int sweep_totals(struct store *s)
{
	struct index_conn *conn;
	struct drift d;
	int rc = index_reader_get(s->ix, &conn);

	if (rc)
		return rc;
	rc = rows_drift(conn, &d.chunks, &d.bytes);
	index_reader_put(s->ix, conn);
	if (rc || (!d.chunks && !d.bytes))
		return rc;
	return index_run(s->ix, drift_write, &d);
}

int store_sweep(struct store *s)
{
	int rc = index_run(s->ix, begin_write, s);

	if (!rc)
		rc = sweep_procs(s);
	if (!rc)
		rc = sweep_tmp(s);
	for (unsigned i = 0; !rc && i < CHUNK_FANOUT; i++)
		rc = keeper_ending(s) ? -ECANCELED : sweep_fanout(s, i);
	return rc ? rc : sweep_totals(s);
}
