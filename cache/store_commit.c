/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "fs/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * A chunk is sealed without fsync(2): the rename may reach the disk before the
 * bytes, and then a power cut leaves a file whose checksum does not match,
 * which is dropped and fetched again.  Syncing each would cost every reader
 * milliseconds to spare few of them a download once in a year.
 */

struct commit_job {
	struct store_job job;
	struct store_writer *w;
	struct store_chunk *c;
	struct chunk_row row;
	store_commit_fn done;
	void *user;
	int rc;	     /* what sealing came to */
	bool is_row; /* the row that stands for the key is this chunk's */
};

/* ---- seal: on the caller's thread ------------------------------------- */

/* The chunk is for reading: from here on nobody can write it. */
static int reopen(struct store_writer *w, struct store_chunk *c)
{
	char path[CHUNK_PATH_SIZE];
	int64_t size_bytes;

	if (!w->id) {
		c->fd = base_steal_fd(&w->fd);
		return 0;
	}
	chunk_tmp_path(w->id, path);
	return chunk_file_open(w->s->dirfd, path, &c->fd, &size_bytes);
}

static int seal(struct commit_job *j, int64_t size_bytes)
{
	struct store_writer *w = j->w;
	int rc;

	rc = store_writer_flush(w);
	if (rc)
		return rc;
	g_clear_pointer(&w->buffer, g_free);
	if (size_bytes < w->bytes)
		return -EINVAL;
	if (ftruncate(w->fd, size_bytes))
		return store_errno(errno);
	chunk_hash_append_zeros(w->hash, size_bytes - w->bytes);
	chunk_hash_end(w->hash, j->row.hash);
	rc = reopen(w, j->c);
	if (rc)
		return store_errno(-rc);
	j->c->size_bytes = size_bytes;
	j->c->reservation = w->id;
	j->row.id = w->id;
	j->row.size_bytes = size_bytes;
	return 0;
}

/* ---- file and row: on the writer thread ------------------------------- */

/*
 * Some filesystems (ZFS) tell the blocks only later: what was appended is a
 * lower bound.
 */
static int64_t allocated(int fd, int64_t appended_bytes)
{
	struct stat st;
	int64_t least = space_for(appended_bytes) - space_for(0);

	return fstat(fd, &st) ? least : MAX(least, (int64_t)st.st_blocks * 512);
}

/* tmp/ID to chunks/AB/ID; what the directory grew by is counted. */
static int move_in(struct store *s, struct index_conn *conn, int64_t id)
{
	char from[CHUNK_PATH_SIZE], to[CHUNK_PATH_SIZE], dir[CHUNK_PATH_SIZE];
	int64_t before_bytes;
	int rc;

	chunk_tmp_path(id, from);
	chunk_path(id, to);
	chunk_fanout_path((unsigned)((uint64_t)id >> 56), dir);
	before_bytes = space_dir_blocks(s, dir);
	rc = renameat(s->dirfd, from, s->dirfd, to) ? -errno : 0;
	if (rc == -ENOENT) {
		if (mkdirat(s->dirfd, dir, 0700) && errno != EEXIST)
			return -errno;
		rc = renameat(s->dirfd, from, s->dirfd, to) ? -errno : 0;
	}
	if (rc)
		return rc;
	return rows_add_dir_bytes(conn,
				  space_dir_blocks(s, dir) - before_bytes);
}

static void unlink_both(struct store *s, int64_t id)
{
	char path[CHUNK_PATH_SIZE];

	chunk_tmp_path(id, path);
	unlinkat(s->dirfd, path, 0);
	chunk_path(id, path);
	unlinkat(s->dirfd, path, 0);
}

/* Another process was first, and its file looks right. */
static bool is_there(struct store *s, const struct chunk_row *row,
		     int64_t size_bytes)
{
	char path[CHUNK_PATH_SIZE];
	struct stat st;

	chunk_path(row->id, path);
	return row->size_bytes == size_bytes &&
	       !fstatat(s->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) &&
	       st.st_size == size_bytes;
}

static int commit_write(struct index_conn *conn, struct store_job *job)
{
	struct commit_job *j = (struct commit_job *)job;
	struct store *s = job->s;
	struct chunk_row other;
	int rc;

	j->is_row = false;
	if (j->rc || !j->row.id)
		return 0;
	j->row.allocated_bytes = allocated(j->c->fd, j->w->bytes);
	j->row.used_ms = clock_realtime_ms(s->options.clock);
	rc = rows_find(conn, &j->w->key, &other);
	/* The reservation shrinks to what this one takes while it is held. */
	if (!rc && is_there(s, &other, j->row.size_bytes))
		return rows_reserve_change(conn, j->row.id,
					   j->row.allocated_bytes);
	if (!rc)
		rc = space_discard(s, conn, &other);
	if (rc && rc != -ENOENT)
		return rc;
	rc = move_in(s, conn, j->row.id);
	if (!rc)
		rc = rows_add(conn, &j->w->key, &j->row);
	if (!rc)
		rc = rows_release(conn, j->row.id);
	j->is_row = !rc;
	return rc;
}

/*
 * Without a row the chunk lives as long as it is held, and so does its
 * reservation.
 */
static void commit_done(struct store_job *job, int rc)
{
	struct commit_job *j = (struct commit_job *)job;
	struct store_chunk *c = j->c;

	if (j->rc) {
		store_chunk_unref(c);
		c = NULL;
		store_abort(j->w);
	} else {
		if (!rc && j->is_row) {
			c->id = j->row.id;
			c->allocated_bytes = j->row.allocated_bytes;
			c->touched_ms = j->row.used_ms;
			c->reservation = 0;
		} else if (j->row.id) {
			unlink_both(job->s, j->row.id);
		}
		store_table_add(c);
		store_writer_free(j->w);
	}
	j->done(j->user, j->rc, c);
	g_free(j);
}

void store_commit(struct store_writer *w, int64_t size_bytes,
		  store_commit_fn done, void *user)
{
	struct commit_job *j = g_new0(struct commit_job, 1);

	j->job.write = commit_write;
	j->job.done = commit_done;
	j->w = w;
	j->c = store_chunk_new(w->s, &w->key);
	j->done = done;
	j->user = user;
	j->rc = seal(j, size_bytes);
	if (!j->rc)
		base_closep(&w->fd);
	store_post(w->s, &j->job);
}
