/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>

#include "fs/base/base.h"
#include "fs/fuse/backing.h"
#include "fs/fuse/internal.h"

/* Decades: what the kernel turns into jiffies without an overflow. */
#define FOR_EVER_S 1e9

/*
 * The ticket is all that the function needs: a context of ours could be freed
 * by the answer while the interrupt looks at it.
 */
static void interrupted(fuse_req_t req, void *data)
{
	struct fuse_mount *m = fuse_req_userdata(req);

	archive_cancel(m->a, (archive_ticket)(uintptr_t)data);
}

archive_ticket reply_ticket(fuse_req_t req)
{
	struct fuse_mount *m = fuse_req_userdata(req);
	archive_ticket t = archive_ticket_new(m->a);

	/* Calls it at once where the interrupt has overtaken the request. */
	fuse_req_interrupt_func(req, interrupted, (void *)(uintptr_t)t);
	return t;
}

struct buffer {
	size_t n;
	uint8_t bytes[];
};
static GPrivate buffers = G_PRIVATE_INIT(g_free);

void *reply_buffer(size_t n)
{
	struct buffer *b = g_private_get(&buffers);

	if (!b || b->n < n) {
		b = g_malloc(sizeof(*b) + n);
		b->n = n;
		g_private_replace(&buffers, b);
	}
	return b->bytes;
}

static double seconds(int64_t ms)
{
	return MIN((double)ms / 1000, FOR_EVER_S);
}

double reply_attr_seconds(struct fuse_mount *m, const struct tree_entry *e)
{
	return seconds(io_hidden(m, e->node)
			       ? MIN(e->attr_ttl_ms, m->metadata_ttl_ms)
			       : e->attr_ttl_ms);
}

struct fuse_entry_param reply_entry(struct fuse_mount *m,
				    const struct tree_entry *e)
{
	return (struct fuse_entry_param){
		.ino = e->node,
		.attr = e->st,
		.attr_timeout = reply_attr_seconds(m, e),
		.entry_timeout = seconds(e->entry_ttl_ms),
	};
}

/* ---- bytes -------------------------------------------------------------- */

/* More are gathered first: the kernel's copy of so many is slower than ours. */
#define IOV_MAX_PIECES 64

static bool all_mapped(const struct archive_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!pieces[i].map)
			return false;
	return true;
}

static void reply_mapped(fuse_req_t req, const struct archive_piece *pieces,
			 size_t n)
{
	struct iovec iov[IOV_MAX_PIECES];

	if (n == 1) { /* without an allocation */
		fuse_reply_buf(req, (const char *)pieces->map, pieces->n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		iov[i] = (struct iovec){(void *)(uintptr_t)pieces[i].map,
					pieces[i].n};
	fuse_reply_iov(req, iov, (int)n);
}

static int gather(const struct archive_piece *piece, void *to)
{
	if (piece->fd >= 0)
		return base_read_all(piece->fd, to, piece->n, piece->offset);
	memcpy(to, piece->map, piece->n);
	return 0;
}

void reply_pieces(fuse_req_t req, const struct archive_piece *pieces,
		  size_t n_pieces)
{
	size_t total = 0, used = 0;
	uint8_t *buffer;
	int rc = 0;

	if (n_pieces <= IOV_MAX_PIECES && all_mapped(pieces, n_pieces)) {
		reply_mapped(req, pieces, n_pieces);
		return;
	}
	for (size_t i = 0; i < n_pieces; i++)
		total += pieces[i].n;
	buffer = reply_buffer(total);
	for (size_t i = 0; i < n_pieces && rc == 0; i++) {
		rc = gather(&pieces[i], buffer + used);
		used += pieces[i].n;
	}
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_buf(req, (const char *)buffer, total);
}

void reply_xattr(fuse_req_t req, int rc, GBytes *value, size_t size)
{
	size_t n;
	const void *bytes;

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	bytes = g_bytes_get_data(value, &n);
	if (size == 0)
		fuse_reply_xattr(req, n);
	else if (size < n)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, bytes, n);
}

/* ---- the device --------------------------------------------------------- */

static ssize_t hook_read(int fd, void *buf, size_t n, void *userdata)
{
	return read(fd, buf, n);
}

/*
 * writev(2) copies straight from the mapped chunk; where the disk fails, that
 * is EFAULT and the kernel has taken nothing.  libfuse would forget the
 * request, and its reader would wait for ever.
 */
static ssize_t write_reply(int fd, struct iovec *iov, int count)
{
	ssize_t rc = writev(fd, iov, count);
	struct fuse_out_header header;

	if (rc >= 0 || errno != EFAULT || count < 1 ||
	    iov[0].iov_len < sizeof(header))
		return rc;
	header = *(struct fuse_out_header *)iov[0].iov_base;
	header.len = sizeof(header);
	header.error = -EIO;
	g_warning("a cached chunk cannot be read from its disk");
	return write(fd, &header, sizeof(header));
}

/* The first reply of all is that to INIT. */
static ssize_t write_init(struct fuse_mount *m, int fd, struct iovec *iov,
			  int count)
{
	struct backing_init init;
	struct iovec ours[2];

	if (count != 2 || iov[1].iov_len != sizeof(init))
		return write_reply(fd, iov, count);
	memcpy(&init, iov[1].iov_base, sizeof(init));
	backing_ask(&init, io_asks_passthrough(m));
	ours[0] = iov[0];
	ours[1] = (struct iovec){&init, sizeof(init)};
	return write_reply(fd, ours, count);
}

static ssize_t hook_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fuse_mount *m = userdata;
	ssize_t rc = -1;

	atomic_fetch_add(&m->writing, 1);
	if (atomic_load(&m->closed))
		errno = ENOENT; /* to libfuse: nobody waits for it any more */
	else if (!atomic_exchange(&m->init_answered, true))
		rc = write_init(m, fd, iov, count);
	else
		rc = write_reply(fd, iov, count);
	atomic_fetch_sub(&m->writing, 1);
	return rc;
}

int reply_hook(struct fuse_mount *m)
{
	static const struct fuse_custom_io io = {
		.writev = hook_writev,
		.read = hook_read,
	};

	return fuse_session_custom_io(m->se, &io, fuse_session_fd(m->se));
}

void reply_close(struct fuse_mount *m)
{
	atomic_store(&m->closed, true);
	while (atomic_load(&m->writing) > 0)
		g_usleep(100);
}
