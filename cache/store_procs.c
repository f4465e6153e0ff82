/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "fs/base/base.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

/*
 * A process is alive while somebody holds the lock of its file under procs/:
 * the kernel gives it back however the process ends.
 */

/* A name is taken or snatched away (below) once in a blue moon. */
#define ENTER_TRIES 8
#define IDS_AT_ONCE 64

static void proc_path(int64_t proc, char out[CHUNK_PATH_SIZE])
{
	snprintf(out, CHUNK_PATH_SIZE, "procs/%016" PRIx64, (uint64_t)proc);
}

static int enter_as(struct store *s, int64_t proc)
{
	char path[CHUNK_PATH_SIZE];
	auto_close int fd = -1;
	struct stat st;

	proc_path(proc, path);
	fd = openat(s->dirfd, path,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* Before it is locked, a sweep may take it for a dead one's. */
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EEXIST : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!st.st_nlink)
		return -EEXIST;
	s->proc = proc;
	s->proc_fd = base_steal_fd(&fd);
	return 0;
}

int procs_enter(struct store *s)
{
	int rc = 0;

	for (int i = 0; !s->proc && i < ENTER_TRIES; i++) {
		rc = enter_as(s, chunk_id_new());
		if (rc != -EEXIST)
			break;
	}
	return rc;
}

void procs_leave(struct store *s)
{
	char path[CHUNK_PATH_SIZE];

	if (!s->proc)
		return;
	proc_path(s->proc, path);
	unlinkat(s->dirfd, path, 0);
	base_closep(&s->proc_fd);
	s->proc = 0;
}

bool procs_is_dead(struct store *s, int64_t proc)
{
	char path[CHUNK_PATH_SIZE];
	auto_close int fd = -1;

	proc_path(proc, path);
	fd = openat(s->dirfd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return false;
	unlinkat(s->dirfd, path, 0);
	return true;
}

/* A reservation that is there means that no row was written for its chunk. */
static int bury(struct store *s, struct index_conn *conn, int64_t proc)
{
	int64_t ids[IDS_AT_ONCE];
	char path[CHUNK_PATH_SIZE];
	int n, rc = 0;

	while ((n = rows_reserved_by(conn, proc, ids, IDS_AT_ONCE)) > 0) {
		for (int i = 0; !rc && i < n; i++) {
			chunk_tmp_path(ids[i], path);
			unlinkat(s->dirfd, path, 0);
			chunk_path(ids[i], path);
			unlinkat(s->dirfd, path, 0);
			rc = rows_release(conn, ids[i]);
		}
		if (rc)
			return rc;
	}
	return n;
}

int procs_reap(struct store *s, struct index_conn *conn)
{
	int64_t proc = 0;
	int rc, dead = 0;

	while ((rc = rows_next_proc(conn, proc, &proc)) > 0) {
		if (proc == s->proc || !procs_is_dead(s, proc))
			continue;
		rc = bury(s, conn, proc);
		if (rc < 0)
			break;
		dead++;
	}
	return rc < 0 ? rc : dead;
}
