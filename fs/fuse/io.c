/* SPDX-License-Identifier: MIT */
/*
 * io: how files are opened.
 *
 * passthrough: the kernel reads what is cached from its chunk by itself.
 * no-open: after ENOSYS it opens by itself, for good, and keeps what it has in
 * its page cache.  plain: both come here.  The first two exclude each other,
 * and all three show the same bytes.
 */
#define G_LOG_DOMAIN "kvsfs"
#include <errno.h>

#include "fs/base/base.h"
#include "fs/fuse/internal.h"

bool io_asks_passthrough(const struct fuse_mount *m)
{
	return m->io_wanted == FUSE_IO_AUTO ||
	       m->io_wanted == FUSE_IO_PASSTHROUGH;
}

/* Tried on a file that lies where the chunks do: only that tells for sure. */
static bool passthrough_works(struct fuse_mount *m)
{
	auto_close int fd = archive_sample(m->a);

	return fd >= 0 && opened_try(fuse_session_fd(m->se), fd);
}

static enum fuse_io choose(struct fuse_mount *m)
{
	if (io_asks_passthrough(m) && passthrough_works(m))
		return FUSE_IO_PASSTHROUGH;
	if (m->io_wanted != FUSE_IO_PLAIN && m->may_not_open)
		return FUSE_IO_NO_OPEN;
	return FUSE_IO_PLAIN;
}

enum fuse_io io_mode(struct fuse_mount *m)
{
	static const char *const names[] = {
		[FUSE_IO_PASSTHROUGH] = "passthrough",
		[FUSE_IO_NO_OPEN] = "no-open",
		[FUSE_IO_PLAIN] = "plain",
	};
	enum fuse_io io = atomic_load(&m->io);
	auto_unlock pthread_mutex_t *held = NULL;

	if (io != FUSE_IO_AUTO)
		return io;
	held = base_lock(&m->io_lock);
	io = atomic_load(&m->io);
	if (io != FUSE_IO_AUTO)
		return io;
	io = choose(m);
	if (io == FUSE_IO_PASSTHROUGH)
		m->opened = opened_new(m->t);
	else if (io == FUSE_IO_NO_OPEN)
		m->seen = seen_new();
	g_debug("files are opened in %s mode", names[io]);
	atomic_store(&m->io, io);
	return io;
}

void io_was_read(struct fuse_mount *m, fuse_ino_t ino)
{
	int64_t now_ms;
	uint64_t node;

	/* A read comes after the open that has decided. */
	if (atomic_load(&m->io) != FUSE_IO_NO_OPEN)
		return;
	now_ms = g_get_monotonic_time() / 1000;
	seen_add(m->seen, ino, now_ms);
	/*
	 * Only what is read brings more into the cache, so it is early enough
	 * to let go of older ones now.
	 */
	while (seen_take(m->seen, now_ms - m->metadata_ttl_ms, &node))
		notify_stale(m->notify, node);
}

bool io_hidden(struct fuse_mount *m, fuse_ino_t ino)
{
	return atomic_load(&m->io) == FUSE_IO_NO_OPEN && seen_has(m->seen, ino);
}

/*
 * Past the page cache, where the kernel would read a mebibyte ahead: a player
 * that looks at one picture of a day would fetch the fragments beside it, and
 * they cost.  Who reads on is read ahead for by the archive.
 */
static void open_movie(struct fuse_mount *m, fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct store_chunk *none;

	if (tree_pin(m->t, ino, &none) == -ESTALE) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

void io_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_mount *m = fuse_req_userdata(req);

	enum fuse_io io = io_mode(m);

	if (io != FUSE_IO_NO_OPEN && tree_is_movie(ino)) {
		open_movie(m, req, ino, fi);
		return;
	}
	switch (io) {
	case FUSE_IO_PASSTHROUGH:
		opened_open(m->opened, req, fuse_session_fd(m->se), ino);
		break;
	case FUSE_IO_NO_OPEN:
		fuse_reply_err(req, ENOSYS);
		break;
	default:
		fi->keep_cache = 1;
		tree_touch(m->t, ino);
		fuse_reply_open(req, fi);
		break;
	}
}

void io_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_mount *m = fuse_req_userdata(req);

	if (io_mode(m) == FUSE_IO_PASSTHROUGH && !tree_is_movie(ino))
		opened_release(m->opened, fuse_session_fd(m->se), fi);
	fuse_reply_err(req, 0);
}
