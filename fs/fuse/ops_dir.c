/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>

#include "fs/base/base.h"
#include "fs/fuse/internal.h"

struct handle {
	/*
	 * The kernel reads one open folder with one thread at a time, but does
	 * not wait for one whose reader was killed.
	 */
	pthread_mutex_t lock;
	struct tree_dir *d;
};

static void handle_free(struct handle *h)
{
	tree_dir_close(h->d);
	pthread_mutex_destroy(&h->lock);
	g_free(h);
}

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

struct opening {
	fuse_req_t req;
	struct fuse_file_info fi;
};

static void opened(void *user, int rc, struct tree_dir *d)
{
	g_autofree struct opening *o = user;
	struct fuse_mount *m = fuse_req_userdata(o->req);
	struct handle *h;

	if (rc < 0) {
		fuse_reply_err(o->req, -rc);
		return;
	}
	h = g_new0(struct handle, 1);
	pthread_mutex_init(&h->lock, NULL);
	h->d = d;
	o->fi.fh = (uint64_t)(uintptr_t)h;
	if (m->cache_dirs && tree_dir_settled(d)) {
		o->fi.cache_readdir = 1;
		o->fi.keep_cache = 1;
	}
	/* Interrupted meanwhile: the kernel will not release what it lacks. */
	if (fuse_reply_open(o->req, &o->fi) < 0)
		handle_free(h);
}

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_mount *m = fuse_req_userdata(req);
	struct opening *o = g_new(struct opening, 1);

	*o = (struct opening){req, *fi};
	tree_dir_open(m->t, reply_ticket(req), ino, opened, o);
}

static size_t add(fuse_req_t req, char *at, size_t room, bool plus,
		  const struct tree_dirent *e)
{
	struct fuse_mount *m = fuse_req_userdata(req);
	struct fuse_entry_param p = {0};

	if (plus && e->node)
		p = reply_entry(m, &e->entry);
	else
		p.attr = (struct stat){.st_ino = e->ino, .st_mode = e->type};
	if (plus)
		return fuse_add_direntry_plus(req, at, room, e->name, &p,
					      (off_t)e->next);
	return fuse_add_direntry(req, at, room, e->name, &p.attr,
				 (off_t)e->next);
}

/* Entries from a cookie on, as many as fit.  Bytes, or -errno. */
static ssize_t fill(fuse_req_t req, struct handle *h, uint64_t cookie,
		    bool plus, char *buf, size_t size)
{
	auto_unlock pthread_mutex_t *held = base_lock(&h->lock);
	struct tree_dirent e;
	size_t used = 0;
	int rc;

	while ((rc = tree_dir_at(h->d, cookie, plus, &e)) > 0) {
		size_t n = add(req, buf + used, size - used, plus, &e);

		if (n > size - used)
			break;
		used += n;
		cookie = e.next;
	}
	/* What was read before the failure is given first. */
	return rc < 0 && used == 0 ? rc : (ssize_t)used;
}

static void read_folder(fuse_req_t req, size_t size, off_t at, bool plus,
			const struct fuse_file_info *fi)
{
	char *buf = reply_buffer(size);
	ssize_t n = fill(req, handle_of(fi), (uint64_t)at, plus, buf, size);

	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
		 struct fuse_file_info *fi)
{
	read_folder(req, size, at, false, fi);
}

void ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
		     struct fuse_file_info *fi)
{
	read_folder(req, size, at, true, fi);
}

void ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	handle_free(handle_of(fi));
	fuse_reply_err(req, 0);
}
