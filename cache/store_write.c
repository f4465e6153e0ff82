/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "fs/base/base.h"

#include <errno.h>
#include <fcntl.h>

/* One chunk that pushed everything else out would be no cache. */
#define CHUNK_DIVISOR 2 /* of the budget */

void store_writer_free(struct store_writer *w)
{
	base_closep(&w->fd);
	chunk_hash_free(w->hash);
	g_free(w->buffer);
	store_key_release(&w->key);
	g_free(w);
}

struct store_writer *store_writer_new(struct store *s,
				      const struct store_key *key)
{
	struct store_writer *w = g_new0(struct store_writer, 1);

	w->s = s;
	w->key = store_key_copy(key);
	w->fd = -1;
	w->hash = chunk_hash_new();
	return w;
}

/* ---- begin ------------------------------------------------------------ */

struct begin_job {
	struct store_job job;
	struct store_writer *w;
	store_begin_fn done;
	void *user;
	int rc; /* what write() found without undoing what it evicted */
};

static int begin_write(struct index_conn *conn, struct store_job *job)
{
	struct begin_job *b = (struct begin_job *)job;
	struct store *s = job->s;
	int64_t need_bytes = space_for(b->w->limit_bytes);
	bool fits = false;
	int rc;

	if (need_bytes > s->options.budget_bytes / CHUNK_DIVISOR) {
		b->rc = -ENOSPC;
		return 0;
	}
	rc = procs_enter(s);
	if (rc) {
		b->rc = store_errno(-rc);
		return 0;
	}
	rc = space_make(s, conn, need_bytes, &fits);
	if (rc)
		return store_errno(-rc);
	if (!fits) {
		b->rc = -ENOSPC;
		return 0;
	}
	return rows_reserve(conn, b->w->id, s->proc, need_bytes);
}

/*
 * Extended to its limit at once: XFS allocates ahead of a file that grows, far
 * more than was reserved.
 */
static int create(struct store_writer *w)
{
	char path[CHUNK_PATH_SIZE];

	chunk_tmp_path(w->id, path);
	w->fd = openat(w->s->dirfd, path,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (w->fd < 0)
		return store_errno(errno);
	return ftruncate(w->fd, w->limit_bytes) ? store_errno(errno) : 0;
}

static void begin_done(struct store_job *job, int rc)
{
	struct begin_job *b = (struct begin_job *)job;
	struct store_writer *w = b->w;

	if (!rc)
		rc = b->rc;
	if (rc) {
		store_writer_free(w);
		w = NULL;
	} else {
		/* Only now: every file under tmp/ has a reservation. */
		rc = create(w);
	}
	if (rc && w) {
		store_abort(w);
		w = NULL;
	}
	b->done(b->user, rc, w);
	g_free(b);
}

void store_begin(struct store *s, const struct store_key *key, int64_t bytes,
		 store_begin_fn done, void *user)
{
	struct begin_job *b = g_new0(struct begin_job, 1);

	b->job.write = begin_write;
	b->job.done = begin_done;
	b->w = store_writer_new(s, key);
	b->w->id = chunk_id_new();
	/* What is too large for any budget stays so, without overflow. */
	b->w->limit_bytes = CLAMP(bytes, 0, s->options.budget_bytes);
	b->done = done;
	b->user = user;
	store_post(s, &b->job);
}

/* ---- extend ----------------------------------------------------------- */

struct extend_job {
	struct store_job job;
	struct store_writer *w;
	int64_t limit_bytes;
	store_extend_fn done;
	void *user;
	int rc;
};

static int extend_write(struct index_conn *conn, struct store_job *job)
{
	struct extend_job *e = (struct extend_job *)job;
	int64_t had_bytes, need_bytes;
	bool fits = false;
	int rc;

	if (!e->w->id || e->limit_bytes <= e->w->limit_bytes)
		return 0;
	had_bytes = space_for(e->w->limit_bytes);
	need_bytes = space_for(e->limit_bytes);
	if (need_bytes > job->s->options.budget_bytes / CHUNK_DIVISOR) {
		e->rc = -ENOSPC;
		return 0;
	}
	rc = space_make(job->s, conn, need_bytes - had_bytes, &fits);
	if (rc)
		return store_errno(-rc);
	if (!fits) {
		e->rc = -ENOSPC;
		return 0;
	}
	rc = rows_reserve_change(conn, e->w->id, need_bytes);
	return rc == -ENOENT ? -EIO : rc;
}

static void extend_done(struct store_job *job, int rc)
{
	struct extend_job *e = (struct extend_job *)job;
	struct store_writer *w = e->w;

	/* What is in memory does not care whether the index can be written. */
	rc = !w->id ? 0 : rc ? rc : e->rc;
	if (!rc && e->limit_bytes > w->limit_bytes) {
		if (ftruncate(w->fd, e->limit_bytes))
			rc = store_errno(errno);
		else
			w->limit_bytes = e->limit_bytes;
	}
	e->done(e->user, rc);
	g_free(e);
}

void store_extend(struct store_writer *w, int64_t bytes, store_extend_fn done,
		  void *user)
{
	struct extend_job *e = g_new0(struct extend_job, 1);

	e->job.write = extend_write;
	e->job.done = extend_done;
	e->w = w;
	/* A memory writer has no limit; more than the budget never fits. */
	e->limit_bytes = w->limit_bytes;
	if (w->id)
		e->limit_bytes += CLAMP(bytes, 0, w->s->options.budget_bytes);
	e->done = done;
	e->user = user;
	store_post(w->s, &e->job);
}

/* ---- append, abort ---------------------------------------------------- */

void store_abort(struct store_writer *w)
{
	char path[CHUNK_PATH_SIZE];

	if (!w)
		return;
	if (w->id) {
		chunk_tmp_path(w->id, path);
		unlinkat(w->s->dirfd, path, 0);
		/* Its room is free once it is closed. */
		base_closep(&w->fd);
		store_release(w->s, w->id);
	}
	store_writer_free(w);
}
