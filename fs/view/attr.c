/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fs/view/movie.h"

/* What the kernel counts pages in; larger ones confuse its page cache. */
#define BLKSIZE_BYTES 4096

static struct timespec timespec_of(int64_t t_ms)
{
	int64_t s = t_ms / 1000, ms = t_ms % 1000;

	if (ms < 0) {
		s--;
		ms += 1000;
	}
	return (struct timespec){.tv_sec = (time_t)s, .tv_nsec = ms * 1000000};
}

static void set_times(struct stat *st, int64_t t_ms)
{
	st->st_mtim = timespec_of(t_ms);
	st->st_atim = st->st_mtim;
	st->st_ctim = st->st_mtim;
}

/* ---- folders ------------------------------------------------------------ */

/* Of a folder that may still grow: its newest fragment, or as old as can be. */
static int64_t newest_ms(struct tree *t, const struct archive_stream *s,
			 int64_t start_ms, int64_t end_ms, int64_t else_ms)
{
	int64_t first_ms, last_ms;

	if (catalog_span(t->c, s->id, t->o.axis, start_ms, end_ms,
			 archive_alive_ms(t->a, s), &first_ms, &last_ms) < 0)
		return else_ms;
	return last_ms;
}

/* The root of a pattern changes when a stream is created. */
static int64_t newest_stream_ms(struct tree *t)
{
	g_autoptr(GPtrArray) streams = archive_streams(t->a);
	int64_t newest = 0;

	for (guint i = 0; i < streams->len; i++) {
		const struct archive_stream *s = streams->pdata[i];

		newest = MAX(newest, s->created_ms);
	}
	return newest;
}

static void set_bucket(struct tree *t, const struct place *p,
		       struct tree_entry *e)
{
	const struct archive_stream *s = p->stream;
	int64_t expires_in_ms;

	g_assert(s); /* only the root of a pattern and files have none */
	/*
	 * By the clock, not by what was listed: rsync and tar look at a folder
	 * before they read it, and must find the same the next time.
	 */
	if (p->end_ms + CATALOG_SETTLE_MS <= archive_now_ms(t->a))
		set_times(&e->st, p->end_ms);
	else
		set_times(&e->st,
			  newest_ms(t, s, p->start_ms, p->end_ms, p->start_ms));
	if (!archive_settled(t->a, s->id, p->start_ms, p->end_ms))
		return;
	e->attr_ttl_ms = TREE_FOR_EVER;
	/* With its last fragment the folder goes. */
	expires_in_ms = p->end_ms - archive_alive_ms(t->a, s);
	e->entry_ttl_ms = MAX(expires_in_ms, t->o.metadata_ttl_ms);
}

void entry_folder(struct tree *t, const struct place *p,
		  struct tree_entry *ret_entry)
{
	struct tree_entry e = {
		.node = node_number(&p->node),
		.attr_ttl_ms = t->o.metadata_ttl_ms,
		.entry_ttl_ms = t->o.metadata_ttl_ms,
	};

	e.st.st_ino = node_ino_folder(
		node_ino_stream(p->stream ? p->stream->arn : ""), &p->node);
	/* Nothing can be written here, but in a copy its owner wants to. */
	e.st.st_mode = S_IFDIR | (0755 & ~t->o.umask);
	/* 1: how many folders are in it is not told; find(1) believes a 2. */
	e.st.st_nlink = 1;
	e.st.st_uid = t->o.uid;
	e.st.st_gid = t->o.gid;
	e.st.st_blksize = BLKSIZE_BYTES;
	switch (p->node.kind) {
	case NODE_DAY:
	case NODE_HOUR:
	case NODE_MINUTE:
	case NODE_MOVIE_DAY:
		set_bucket(t, p, &e);
		break;
	case NODE_TOP:
		e.entry_ttl_ms = TREE_FOR_EVER;
		/* fallthrough */
	default:
		set_times(&e.st, p->stream
					 ? newest_ms(t, p->stream,
						     PATH_FIRST_MS, PATH_END_MS,
						     p->stream->created_ms)
					 : newest_stream_ms(t));
		break;
	}
	*ret_entry = e;
}

/* ---- files -------------------------------------------------------------- */

void entry_base_init(struct entry_base *b, struct tree *t,
		     const struct archive_stream *s)
{
	b->t = t;
	b->ino_stream = node_ino_stream(s->arn);
	b->now_ms = archive_now_ms(t->a);
	b->retention_ms = s->retention_ms;
}

uint64_t entry_ino(const struct entry_base *b, const struct fragment *f)
{
	return node_ino_fragment(b->ino_stream, f->number);
}

void entry_set_file(const struct tree *t, struct tree_entry *e, uint64_t ino,
		    int64_t size_bytes, int64_t t_ms)
{
	e->st.st_ino = ino;
	e->st.st_mode = S_IFREG | (0444 & ~t->o.umask);
	e->st.st_nlink = 1;
	e->st.st_uid = t->o.uid;
	e->st.st_gid = t->o.gid;
	e->st.st_size = size_bytes;
	e->st.st_blocks = size_bytes / 512 + (size_bytes % 512 != 0);
	e->st.st_blksize = BLKSIZE_BYTES;
	set_times(&e->st, t_ms);
}

void entry_file(const struct entry_base *b, const struct fragment *f,
		struct tree_entry *ret_entry)
{
	const struct tree *t = b->t;
	struct node n = {.kind = NODE_FRAGMENT, .fragment = f->id};
	/* Nothing about a fragment changes, until it expires. */
	int64_t ttl_ms = f->server_ms + b->retention_ms - b->now_ms;
	struct tree_entry e = {.node = node_number(&n),
			       .attr_ttl_ms = MAX(ttl_ms, 0),
			       .entry_ttl_ms = MAX(ttl_ms, 0)};

	entry_set_file(t, &e, entry_ino(b, f), f->file_bytes,
		       fragment_ms(t, f));
	*ret_entry = e;
}

struct give {
	struct tree *t;
	int64_t fragment;
	int gone;
	tree_entry_fn fn;
	void *user;
};

static void give(struct tree *t, const struct file *file, tree_entry_fn fn,
		 void *user)
{
	struct entry_base b;
	struct tree_entry e;

	entry_base_init(&b, t, file->stream);
	entry_file(&b, &file->f, &e);
	if (!file->f.shown)
		catalog_show_one(t->c, &file->f);
	fn(user, 0, &e);
}

static void calibrated(void *user, int rc)
{
	g_autofree struct give *g = user;
	struct file auto_file file = {0};

	if (rc == 0)
		rc = file_at(g->t, g->fragment, &file);
	if (rc == 0 && file.f.file_bytes < 0)
		rc = -EIO;
	if (rc)
		g->fn(g->user, rc == -ESTALE ? g->gone : rc, NULL);
	else
		give(g->t, &file, g->fn, g->user);
}

void entry_give(struct tree *t, archive_ticket ticket, int64_t fragment,
		int gone, tree_entry_fn fn, void *user)
{
	struct file auto_file file = {0};
	struct give *g;
	int rc = file_at(t, fragment, &file);

	if (rc < 0) {
		fn(user, rc == -ESTALE ? gone : rc, NULL);
		return;
	}
	if (file.f.file_bytes >= 0) {
		give(t, &file, fn, user);
		return;
	}
	g = g_new(struct give, 1);
	*g = (struct give){t, fragment, gone, fn, user};
	archive_calibrate(t->a, ticket, fragment, calibrated, g);
}

void tree_getattr(struct tree *t, archive_ticket ticket, uint64_t node,
		  tree_entry_fn fn, void *user)
{
	struct place auto_place p = {0};
	struct tree_entry e;
	int rc = place_at(t, node, &p);

	if (rc == 0 && p.role == ROLE_MOVIE)
		rc = movie_entry(t, node, &e);
	if (rc < 0) {
		fn(user, rc, NULL);
	} else if (p.role == ROLE_FILE) {
		entry_give(t, ticket, p.node.fragment, -ESTALE, fn, user);
	} else if (p.role == ROLE_MOVIE) {
		fn(user, 0, &e);
	} else {
		entry_folder(t, &p, &e);
		fn(user, 0, &e);
	}
}
