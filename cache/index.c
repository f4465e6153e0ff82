/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"

#include "cache/index.h"

#include "cache/index_conn.h"
#include "cache/index_writer.h"
#include "cache/schema.h"
#include "fs/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

/*
 * Reads take microseconds, so a handful serves any number of FUSE workers;
 * each costs two file descriptors and its page cache.
 */
#define READERS_MAX 8

/* Openers put a damaged file aside one after the other, in milliseconds. */
#define ASIDE_WAIT_MS 10000

#define LOG_FILE     INDEX_FILE "-wal"
#define SHARED_FILE  INDEX_FILE "-shm"
#define DAMAGED_FILE INDEX_FILE ".damaged"
/* There while damage was met and no whole check has been made since. */
#define SUSPECT_FILE INDEX_FILE ".suspect"

struct cache_index {
	int dirfd; /* borrowed */
	struct index_writer *writer;

	pthread_mutex_t lock;
	pthread_cond_t given_back;
	GQueue idle;  /* lock; struct index_conn */
	guint opened; /* lock; idle or lent */
};

/* ---- opening ---------------------------------------------------------- */

/* The lock of the directory itself, so that it needs no file of its own. */
static int lock_dir(int dirfd, int *ret_fd)
{
	auto_close int fd = openat(dirfd, ".", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0;) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (waited_ms >= ASIDE_WAIT_MS)
			return -EBUSY;
		g_usleep(10000);
		waited_ms += 10;
	}
	*ret_fd = base_steal_fd(&fd);
	return 0;
}

/* SQLite would make it 0644; log and shared memory take its mode over. */
static int make_file(int dirfd)
{
	auto_close int fd = openat(dirfd, INDEX_FILE,
				   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 && errno != EEXIST ? -errno : 0;
}

/* Opens, and where damage was met before, makes sure that it is gone. */
static int open_checked(int dirfd, struct index_conn **ret_conn)
{
	struct index_conn *conn = NULL;
	int rc = make_file(dirfd);

	if (!rc)
		rc = index_conn_open(dirfd, true, &conn);
	if (rc || faccessat(dirfd, SUSPECT_FILE, F_OK, 0) < 0)
		goto out;
	rc = index_conn_check(conn);
	if (!rc)
		unlinkat(dirfd, SUSPECT_FILE, 0);
	else
		index_conn_free(conn);
out:
	if (!rc)
		*ret_conn = conn;
	return rc;
}

/*
 * Puts the damaged file aside unless somebody else did it meanwhile.  Its log
 * goes first: SQLite would play it into the new file.
 */
static int begin_anew(int dirfd, struct index_conn **ret_conn)
{
	auto_close int held = -1;
	int rc = lock_dir(dirfd, &held);

	if (rc)
		return rc;
	rc = open_checked(dirfd, ret_conn);
	if (rc != -EBADMSG)
		return rc;
	unlinkat(dirfd, LOG_FILE, 0);
	unlinkat(dirfd, SHARED_FILE, 0);
	if (renameat(dirfd, INDEX_FILE, dirfd, DAMAGED_FILE) < 0)
		return -errno;
	unlinkat(dirfd, SUSPECT_FILE, 0);
	g_warning("the cache's index was damaged: put aside as " DAMAGED_FILE
		  ", begun anew");
	return open_checked(dirfd, ret_conn);
}

static char *open_sentence(int rc)
{
	if (rc == -EPROTO)
		return g_strdup_printf(
			"the cache's index has a newer layout than version %d, "
			"which this kvsfs knows; use another --cache-dir or "
			"empty this one with 'kvsfs cache clear'",
			SCHEMA_VERSION);
	if (rc == -EBUSY)
		return g_strdup("the cache's index stays locked by another "
				"process; end it or use another --cache-dir");
	return g_strdup_printf("cannot open the cache's index (" INDEX_FILE
			       "): %s; %suse another --cache-dir",
			       g_strerror(-rc),
			       rc == -ENOSPC ? "free some space or " : "");
}

/* Leaves word for the next open; until then reads of it fail with -EIO. */
static void met_damage(void *user)
{
	struct cache_index *ix = user;
	auto_close int fd = openat(ix->dirfd, SUSPECT_FILE,
				   O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

int index_open(int dirfd, struct cache_index **ret_index, char **ret_error)
{
	struct cache_index *ix = g_new0(struct cache_index, 1);
	struct index_conn *conn = NULL;
	int rc;

	ix->dirfd = dirfd;
	g_queue_init(&ix->idle);
	pthread_mutex_init(&ix->lock, NULL);
	pthread_cond_init(&ix->given_back, NULL);
	rc = open_checked(dirfd, &conn);
	/*
	 * While somebody else puts a damaged file aside it may be missing, or
	 * without its log: every failure is looked at once more when nobody
	 * does.
	 */
	if (rc && rc != -EPROTO && rc != -EBUSY)
		rc = begin_anew(dirfd, &conn);
	if (rc)
		goto fail;
	rc = index_writer_new(conn, met_damage, ix, &ix->writer);
	if (rc)
		goto fail;
	*ret_index = ix;
	return 0;
fail:
	*ret_error = open_sentence(rc);
	index_close(ix);
	return rc;
}

void index_close(struct cache_index *ix)
{
	struct index_conn *conn;

	if (!ix)
		return;
	if (ix->writer)
		index_writer_free(ix->writer);
	while ((conn = g_queue_pop_head(&ix->idle))) {
		index_conn_free(conn);
		ix->opened--;
	}
	g_assert(ix->opened == 0);
	pthread_cond_destroy(&ix->given_back);
	pthread_mutex_destroy(&ix->lock);
	g_free(ix);
}

/* ---- changes ---------------------------------------------------------- */

void index_post(struct cache_index *ix, index_write_fn write,
		index_done_fn done, void *arg)
{
	index_writer_post(ix->writer, write, done, arg);
}

int index_run(struct cache_index *ix, index_write_fn write, void *arg)
{
	return index_writer_run(ix->writer, write, arg);
}

void index_every(struct cache_index *ix, int64_t period_ms,
		 void (*fn)(void *arg), void *arg)
{
	index_writer_every(ix->writer, period_ms, fn, arg);
}

/* ---- readers ---------------------------------------------------------- */

/* An idle connection, or NULL and a place to open one. */
static struct index_conn *take_idle(struct cache_index *ix)
{
	auto_unlock pthread_mutex_t *held = base_lock(&ix->lock);

	while (!ix->idle.length && ix->opened >= READERS_MAX)
		pthread_cond_wait(&ix->given_back, &ix->lock);
	if (!ix->idle.length)
		ix->opened++;
	return g_queue_pop_head(&ix->idle);
}

int index_reader_get(struct cache_index *ix, struct index_conn **ret_conn)
{
	struct index_conn *conn = take_idle(ix);
	auto_unlock pthread_mutex_t *held = NULL;
	int rc;

	if (!conn) {
		rc = index_conn_open(ix->dirfd, false, &conn);
		if (rc) {
			held = base_lock(&ix->lock);
			ix->opened--;
			pthread_cond_signal(&ix->given_back);
			return -EIO;
		}
	}
	*ret_conn = conn;
	return 0;
}

/* Last in, first out: with little to do, few page caches are warm. */
void index_reader_put(struct cache_index *ix, struct index_conn *conn)
{
	auto_unlock pthread_mutex_t *held = NULL;

	if (index_conn_damaged(conn))
		met_damage(ix);
	held = base_lock(&ix->lock);
	g_queue_push_head(&ix->idle, conn);
	pthread_cond_signal(&ix->given_back);
}

/* ---- size ------------------------------------------------------------- */

int64_t index_bytes(const struct cache_index *ix)
{
	static const char *const names[] = {INDEX_FILE, LOG_FILE, SHARED_FILE};
	int64_t sum = 0;
	struct stat st;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (fstatat(ix->dirfd, names[i], &st, 0) == 0)
			sum += (int64_t)st.st_blocks * 512;
	return sum;
}
