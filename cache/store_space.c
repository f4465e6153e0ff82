/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "cache/dir.h"
#include "cache/index.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/*
 * The largest block of the filesystems we meet; rounding up to it is right for
 * smaller ones too.  On top: a block of the file's extents and one that the
 * directory may grow by.
 */
#define BLOCK_BYTES    INT64_C(4096)
#define OVERHEAD_BYTES (2 * BLOCK_BYTES)

/*
 * The index grows between two looks at it, and its log by a MiB between two
 * checkpoints, without asking here.  That share is kept for it.
 */
#define MARGIN_DIVISOR 32
#define MARGIN_MAX     (INT64_C(16) << 20)
/* What the keeper keeps free, so that a writer seldom waits for an unlink. */
#define HEADROOM_DIVISOR 32

/*
 * Rows looked at together; evicted in one transaction by the keeper.  A writer
 * that waits may have more evicted, but not minutes of it: where the budget has
 * shrunk a lot, it goes without and the keeper gets there.
 */
#define BATCH		   64
#define WAITED_BATCHES_MAX 32

int64_t space_for(int64_t bytes)
{
	return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES +
	       OVERHEAD_BYTES;
}

/* ---- how much there is ------------------------------------------------ */

static const char *const fixed_paths[] = {".", CACHE_TAG_NAME, "chunks", "tmp",
					  "procs"};

int64_t space_dir_blocks(struct store *s, const char *path)
{
	struct stat st;

	if (fstatat(s->dirfd, path, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	return (int64_t)st.st_blocks * 512;
}

int space_measure_dirs(struct store *s, struct index_conn *conn)
{
	char path[CHUNK_PATH_SIZE];
	struct ledger l;
	int64_t sum = 0;
	int rc = rows_ledger(conn, &l);

	if (rc)
		return rc;
	for (size_t i = 0; i < G_N_ELEMENTS(fixed_paths); i++)
		sum += space_dir_blocks(s, fixed_paths[i]);
	for (unsigned i = 0; i < CHUNK_FANOUT; i++) {
		chunk_fanout_path(i, path);
		sum += space_dir_blocks(s, path);
	}
	return rows_add_dir_bytes(conn, sum - l.dir_bytes);
}

/*
 * How much of the disk's free share would be gone.  What is reserved counts as
 * if none of it were written yet: a little too much, never too little.
 */
static int64_t disk_shortage(struct store *s, const struct ledger *l,
			     int64_t need_bytes)
{
	struct statvfs fs;
	int64_t total, free_bytes;

	if (fstatvfs(s->dirfd, &fs) || !fs.f_blocks)
		return 0;
	total = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
	free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	return (int64_t)((double)total * s->options.min_free_ratio) +
	       l->reserved_bytes + need_bytes - free_bytes;
}

/* How many bytes are missing for need_bytes more; <= 0: none. */
static int64_t shortage(struct store *s, const struct ledger *l,
			int64_t need_bytes)
{
	int64_t budget = s->options.budget_bytes;
	int64_t margin = MIN(budget / MARGIN_DIVISOR, MARGIN_MAX);
	int64_t taken = l->chunk_bytes + l->dir_bytes + l->reserved_bytes +
			index_bytes(s->ix) + margin;
	int64_t disk = disk_shortage(s, l, need_bytes);

	return MAX(taken + need_bytes - budget, disk);
}

/* ---- making more ------------------------------------------------------ */

static int evict_one(struct store *s, struct index_conn *conn,
		     const struct chunk_row *row, int64_t *freed)
{
	int rc;

	if (!store_table_yield(s, row->id))
		return 0;
	rc = chunk_file_remove(s->dirfd, row->id);
	if (rc)
		return rc == -EBUSY ? 0 : rc;
	/* The file is gone first: rows never promise more room than there is.
	 */
	rc = rows_delete(conn, row);
	if (!rc)
		*freed += row->allocated_bytes;
	return rc;
}

static int evict(struct store *s, struct index_conn *conn, int64_t want_bytes,
		 unsigned max_batches, int64_t *ret_freed)
{
	struct chunk_row rows[BATCH];
	int64_t used_ms = INT64_MIN, id = 0, freed = 0;
	int n, rc = store_touches_apply(s, conn);

	if (rc)
		return rc;
	for (unsigned b = 0; freed < want_bytes && b < max_batches; b++) {
		n = rows_oldest(conn, used_ms, id, rows, BATCH);
		if (n <= 0) {
			rc = n;
			break;
		}
		for (int i = 0; !rc && i < n && freed < want_bytes; i++)
			rc = evict_one(s, conn, &rows[i], &freed);
		if (rc)
			break;
		used_ms = rows[n - 1].used_ms;
		id = rows[n - 1].id;
	}
	*ret_freed = freed;
	return rc;
}

int space_make(struct store *s, struct index_conn *conn, int64_t need_bytes,
	       bool *ret_fits)
{
	struct ledger l;
	int64_t missing, freed = 0;
	int rc;

	if (!s->dirs_measured) {
		rc = space_measure_dirs(s, conn);
		if (rc)
			return rc;
		s->dirs_measured = true;
	}
	rc = rows_ledger(conn, &l);
	if (!rc && shortage(s, &l, need_bytes) > 0) {
		rc = procs_reap(s, conn);
		if (rc > 0)
			rc = rows_ledger(conn, &l);
	}
	if (rc < 0)
		return rc;
	missing = shortage(s, &l, need_bytes);
	if (missing > 0 && missing <= l.chunk_bytes)
		rc = evict(s, conn, missing, WAITED_BATCHES_MAX, &freed);
	if (!rc)
		*ret_fits = freed >= missing;
	return rc;
}

static int64_t headroom_shortage(struct store *s, struct index_conn *conn)
{
	int64_t headroom = s->options.budget_bytes / HEADROOM_DIVISOR;
	struct ledger l;
	int64_t missing;

	if (rows_ledger(conn, &l))
		return 0;
	missing = shortage(s, &l, headroom);
	return missing <= l.chunk_bytes ? missing : 0;
}

bool space_is_short(struct store *s)
{
	struct index_conn *conn;
	bool is_short;

	if (index_reader_get(s->ix, &conn))
		return false;
	is_short = headroom_shortage(s, conn) > 0;
	index_reader_put(s->ix, conn);
	return is_short;
}

int space_headroom(struct store *s, struct index_conn *conn, bool *ret_more)
{
	int64_t missing = headroom_shortage(s, conn);
	int64_t freed = 0;
	int rc = 0;

	if (missing > 0)
		rc = evict(s, conn, missing, 1, &freed);
	*ret_more = !rc && freed > 0 && freed < missing;
	return rc;
}

/* ---- forgetting ------------------------------------------------------- */

int space_discard(struct store *s, struct index_conn *conn,
		  const struct chunk_row *row)
{
	int rc;

	/*
	 * Unlinked while it is used it would take room that no row tells of,
	 * so it stays, under a key that nobody asks for.
	 */
	if (store_table_forget(s, row->id))
		return rows_doom(conn, row->id);
	rc = chunk_file_remove(s->dirfd, row->id);
	if (rc == -EBUSY)
		return rows_doom(conn, row->id);
	return rc ? rc : rows_delete(conn, row);
}

int space_discard_doomed(struct store *s, struct index_conn *conn)
{
	struct chunk_row rows[BATCH];
	int n = rows_oldest(conn, INT64_MIN, 0, rows, BATCH);
	int64_t freed = 0;
	int rc = n < 0 ? n : 0;

	for (int i = 0; !rc && i < n && !rows[i].used_ms; i++)
		rc = evict_one(s, conn, &rows[i], &freed);
	return rc;
}
