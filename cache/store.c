/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "cache/dir.h"
#include "cache/index.h"
#include "fs/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

/* Below this the index alone would fill it. */
#define BUDGET_MIN_BYTES (INT64_C(1) << 20)

struct store_key store_key_copy(const struct store_key *key)
{
	struct store_key copy = *key;

	copy.number = g_strdup(key->number);
	return copy;
}

void store_key_release(struct store_key *key)
{
	g_free((char *)(uintptr_t)key->number);
	key->number = NULL;
}

int store_errno(int err)
{
	switch (err) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG: /* RLIMIT_FSIZE */
		return -ENOSPC;
	case EROFS:
	case EACCES:
	case EPERM:
		return -EROFS;
	default:
		return -EIO;
	}
}

/* ---- jobs ------------------------------------------------------------- */

static int job_write(struct index_conn *conn, void *arg)
{
	struct store_job *job = arg;

	return job->write(conn, job);
}

static void job_done(void *arg, int rc)
{
	struct store_job *job = arg;
	struct store *s = job->s;
	auto_unlock pthread_mutex_t *held = NULL;

	job->done(job, rc);
	held = base_lock(&s->lock);
	if (!--s->jobs)
		pthread_cond_signal(&s->no_jobs);
}

void store_post(struct store *s, struct store_job *job)
{
	job->s = s;
	pthread_mutex_lock(&s->lock);
	s->jobs++;
	pthread_mutex_unlock(&s->lock);
	index_post(s->ix, job_write, job_done, job);
}

static void wait_for_jobs(struct store *s)
{
	auto_unlock pthread_mutex_t *held = base_lock(&s->lock);

	while (s->jobs)
		pthread_cond_wait(&s->no_jobs, &s->lock);
}

struct release_job {
	struct store_job job;
	int64_t id;
};

static int release_write(struct index_conn *conn, struct store_job *job)
{
	struct release_job *r = (struct release_job *)job;

	return rows_release(conn, r->id);
}

static void release_done(struct store_job *job, int rc)
{
	g_free(job);
}

void store_release(struct store *s, int64_t reservation)
{
	struct release_job *r = g_new0(struct release_job, 1);

	r->job.write = release_write;
	r->job.done = release_done;
	r->id = reservation;
	store_post(s, &r->job);
}

/* ---- forgetting ------------------------------------------------------- */

struct drop_job {
	struct store_job job;
	int64_t id; /* or 0: by key */
	struct store_key key;
};

static int drop_write(struct index_conn *conn, struct store_job *job)
{
	struct drop_job *d = (struct drop_job *)job;
	struct chunk_row row;
	int rc;

	if (d->id)
		rc = rows_get(conn, d->id, &row);
	else
		rc = rows_find(conn, &d->key, &row);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return space_discard(job->s, conn, &row);
}

/* What could not be dropped is met again, or swept. */
static void drop_done(struct store_job *job, int rc)
{
	struct drop_job *d = (struct drop_job *)job;

	store_key_release(&d->key);
	g_free(d);
}

static struct drop_job *drop_job_new(void)
{
	struct drop_job *d = g_new0(struct drop_job, 1);

	d->job.write = drop_write;
	d->job.done = drop_done;
	return d;
}

void store_drop_id(struct store *s, int64_t id)
{
	struct drop_job *d = drop_job_new();

	d->id = id;
	store_post(s, &d->job);
}

void store_drop(struct store *s, const struct store_key *key)
{
	struct drop_job *d = drop_job_new();

	store_table_forget_key(s, key);
	d->key = store_key_copy(key);
	store_post(s, &d->job);
}

/* ---- looking ---------------------------------------------------------- */

int store_stats(struct store *s, struct store_stats *ret_stats)
{
	struct index_conn *conn;
	struct ledger l;
	int rc = index_reader_get(s->ix, &conn);

	if (rc)
		return rc;
	rc = rows_ledger(conn, &l);
	index_reader_put(s->ix, conn);
	if (rc)
		return rc;
	*ret_stats = (struct store_stats){
		.budget_bytes = s->options.budget_bytes,
		.used_bytes = l.chunk_bytes + l.dir_bytes,
		.reserved_bytes = l.reserved_bytes,
		.index_bytes = index_bytes(s->ix),
		.chunks = l.chunks,
	};
	return 0;
}

int store_sample(struct store *s)
{
	int fd = openat(s->dirfd, CACHE_TAG_NAME,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* ---- open and close --------------------------------------------------- */

/*
 * A page of a hole takes memory of a tmpfs once it is mapped, of which a full
 * one has none.  read(2) needs none.
 */
static bool may_map(int dirfd)
{
	struct statfs fs;

	return fstatfs(dirfd, &fs) == 0 && fs.f_type != TMPFS_MAGIC;
}

int store_open(int dirfd, struct cache_index *ix, const struct store_options *o,
	       struct store **ret_store, char **ret_error)
{
	struct store *s;
	int rc;

	if (o->budget_bytes < BUDGET_MIN_BYTES) {
		*ret_error = g_strdup("the cache's size must be 1 MiB or more");
		return -EINVAL;
	}
	s = g_new0(struct store, 1);
	s->dirfd = dirfd;
	s->ix = ix;
	s->options = *o;
	s->maps = may_map(dirfd);
	s->proc_fd = -1;
	store_table_init(s);
	pthread_cond_init(&s->no_jobs, NULL);
	/* On a full or read-only disk what is cached can still be read. */
	procs_enter(s);
	rc = keeper_start(s);
	if (rc) {
		*ret_error = g_strdup_printf("cannot start a thread: %s",
					     g_strerror(-rc));
		procs_leave(s);
		store_table_release(s);
		g_free(s);
		return rc;
	}
	*ret_store = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	keeper_stop(s);
	store_touches_post(s);
	wait_for_jobs(s);
	store_table_release(s);
	procs_leave(s);
	pthread_cond_destroy(&s->no_jobs);
	g_free(s);
}
