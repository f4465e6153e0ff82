/* SPDX-License-Identifier: MIT */
/*
 * ops: decode, ask the tree, reply.  What only looks (statfs, attributes) is
 * answered here and now; the rest by whoever has the answer.
 */
#include <errno.h>

#include "fs/fuse/internal.h"

struct lookup {
	fuse_req_t req;
	uint64_t parent;
};

static void looked_up(void *user, int rc, const struct tree_entry *e)
{
	g_autofree struct lookup *l = user;
	struct fuse_mount *m = fuse_req_userdata(l->req);
	struct fuse_entry_param p;

	if (rc < 0 && (rc != -ENOENT || !e || e->entry_ttl_ms <= 0)) {
		fuse_reply_err(l->req, -rc);
		return;
	}
	if (e->may_change)
		notify_kept(m->notify, l->parent);
	p = reply_entry(m, e); /* ino 0: the absence may be remembered */
	/* Interrupted: the kernel never learnt of it. */
	if (fuse_reply_entry(l->req, &p) < 0 && rc == 0)
		tree_forget(m->t, e->node, 1);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_mount *m = fuse_req_userdata(req);
	struct lookup *l = g_new(struct lookup, 1);

	*l = (struct lookup){req, parent};
	tree_lookup(m->t, reply_ticket(req), parent, name, looked_up, l);
}

static void got_attr(void *user, int rc, const struct tree_entry *e)
{
	fuse_req_t req = user;
	struct fuse_mount *m = fuse_req_userdata(req);

	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_attr(req, &e->st, reply_attr_seconds(m, e));
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct fuse_mount *m = fuse_req_userdata(req);

	if (io_hidden(m, ino))
		tree_touch(m->t, ino);
	tree_getattr(m->t, reply_ticket(req), ino, got_attr, req);
}

struct reading {
	fuse_req_t req;
	fuse_ino_t ino;
};

static void got_bytes(void *user, int rc, const struct archive_piece *pieces,
		      size_t n_pieces)
{
	g_autofree struct reading *r = user;
	struct fuse_mount *m = fuse_req_userdata(r->req);

	/*
	 * The catalog may have made room, and the fragment has another number
	 * now: without its attributes the kernel looks its name up again.
	 */
	if (rc == -ESTALE)
		notify_stale(m->notify, r->ino);
	if (rc < 0)
		fuse_reply_err(r->req, -rc);
	else
		reply_pieces(r->req, pieces, n_pieces);
	if (rc == 0)
		io_was_read(m, r->ino);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	struct fuse_mount *m = fuse_req_userdata(req);

	struct reading *r = g_new(struct reading, 1);

	*r = (struct reading){req, ino};
	tree_read(m->t, reply_ticket(req), ino, offset, size, got_bytes, r);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			size_t size)
{
	struct fuse_mount *m = fuse_req_userdata(req);
	g_autoptr(GBytes) value = NULL;
	int rc = tree_xattr(m->t, ino, name, &value);

	reply_xattr(req, rc, value, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fuse_mount *m = fuse_req_userdata(req);
	g_autoptr(GBytes) names = NULL;
	int rc = tree_xattr_list(m->t, ino, &names);

	reply_xattr(req, rc, names, size);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_mount *m = fuse_req_userdata(req);
	struct statvfs st;

	tree_statvfs(m->t, &st);
	fuse_reply_statfs(req, &st);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	struct fuse_mount *m = fuse_req_userdata(req);

	tree_forget(m->t, ino, n);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	struct fuse_mount *m = fuse_req_userdata(req);

	for (size_t i = 0; i < count; i++)
		tree_forget(m->t, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* No access: default_permissions lets the kernel decide. */
const struct fuse_lowlevel_ops ops_table = {
	.init = init_connection,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.open = io_open,
	.read = op_read,
	.release = io_release,
	.opendir = ops_opendir,
	.readdir = ops_readdir,
	.readdirplus = ops_readdirplus,
	.releasedir = ops_releasedir,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.statfs = op_statfs,
};
