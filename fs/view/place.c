/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fs/base/utc.h"
#include "fs/view/internal.h"

/*
 * The folders of a stream, in the order in which they are listed.  The index
 * is part of node and inode numbers: new ones go to the end.
 */
static const struct top {
	const char *name;
	unsigned view;
} tops[] = {
	{"fragments", TREE_FRAGMENTS},
	{"movies", TREE_MOVIES},
};

const char *top_name(unsigned top)
{
	return top < G_N_ELEMENTS(tops) ? tops[top].name : NULL;
}

bool top_shown(const struct tree *t, unsigned top)
{
	return top < G_N_ELEMENTS(tops) && (t->o.view & tops[top].view);
}

/* ---- folders ------------------------------------------------------------ */

static enum node_kind innermost(const struct tree *t)
{
	return (enum node_kind)(NODE_DAY + t->o.bucket);
}

static enum path_unit unit_of(enum node_kind kind)
{
	switch (kind) {
	case NODE_HOUR:
		return PATH_HOUR;
	case NODE_MINUTE:
		return PATH_MINUTE;
	default:
		return PATH_DAY;
	}
}

static void set_bucket(const struct tree *t, struct place *p)
{
	if (p->node.kind == NODE_MOVIE_DAY)
		p->role = ROLE_HOUR_MOVIES;
	else if (p->node.kind == innermost(t))
		p->role = ROLE_FRAGMENTS;
	else
		p->role = ROLE_BUCKETS;
	p->start_ms = p->node.start_ms;
	p->end_ms = p->start_ms + path_unit_ms(unit_of(p->node.kind));
}

static void set_top(struct place *p)
{
	p->role = p->node.top == TOP_MOVIES ? ROLE_MOVIES : ROLE_BUCKETS;
	p->start_ms = PATH_FIRST_MS;
	p->end_ms = PATH_END_MS;
}

struct place place_stream(const struct archive_stream *s)
{
	return (struct place){
		.node = {.kind = NODE_STREAM, .stream = s->id},
		.role = ROLE_TOPS,
		.stream = s,
	};
}

struct place place_top(const struct place *p, unsigned top)
{
	struct place child = {
		.node = {.kind = NODE_TOP, .stream = p->stream->id, .top = top},
		.stream = p->stream,
	};

	set_top(&child);
	return child;
}

enum path_unit place_unit(const struct place *p)
{
	switch (p->node.kind) {
	case NODE_DAY:
	case NODE_MOVIE_DAY:
		return PATH_HOUR;
	case NODE_HOUR:
		return PATH_MINUTE;
	default:
		return PATH_DAY;
	}
}

struct place place_bucket(const struct tree *t, const struct place *p,
			  int64_t start_ms)
{
	enum node_kind kind = (enum node_kind)(NODE_DAY + place_unit(p));
	struct place child = {
		.node = {.kind = p->role == ROLE_MOVIES ? NODE_MOVIE_DAY : kind,
			 .stream = p->stream->id,
			 .start_ms = start_ms},
		.stream = p->stream,
	};

	set_bucket(t, &child);
	return child;
}

void place_release(struct place *p)
{
	g_clear_pointer(&p->streams, g_ptr_array_unref);
}

static int root_at(struct tree *t, struct place *p)
{
	if (archive_is_pattern(t->a)) {
		p->role = ROLE_STREAMS;
		return 0;
	}
	p->streams = archive_streams(t->a);
	if (p->streams->len == 0)
		return -ESTALE;
	p->role = ROLE_TOPS;
	p->stream = p->streams->pdata[0];
	return 0;
}

static int below_root_at(struct tree *t, struct place *p)
{
	p->stream = archive_stream_by_id(t->a, p->node.stream, &p->streams);
	if (!p->stream)
		return -ESTALE;
	switch (p->node.kind) {
	case NODE_STREAM:
		p->role = ROLE_TOPS;
		return archive_is_pattern(t->a) ? 0 : -ESTALE;
	case NODE_TOP:
		if (!top_shown(t, p->node.top))
			return -ESTALE;
		set_top(p);
		return 0;
	case NODE_MOVIE_DAY:
		set_bucket(t, p);
		return top_shown(t, TOP_MOVIES) ? 0 : -ESTALE;
	default:
		set_bucket(t, p);
		return p->node.kind <= innermost(t) ? 0 : -ESTALE;
	}
}

int place_at(struct tree *t, uint64_t number, struct place *ret_place)
{
	struct place p = {0};
	int rc = 0;

	if (!node_parse(number, &p.node))
		return -ESTALE;
	switch (p.node.kind) {
	case NODE_ROOT:
		rc = root_at(t, &p);
		break;
	case NODE_FRAGMENT:
		p.role = ROLE_FILE;
		break;
	case NODE_MOVIE:
		p.role = ROLE_MOVIE;
		break;
	default:
		rc = below_root_at(t, &p);
		break;
	}
	if (rc < 0)
		place_release(&p);
	else
		*ret_place = p;
	return rc;
}

/* ---- files -------------------------------------------------------------- */

void file_release(struct file *f)
{
	g_clear_pointer(&f->streams, g_ptr_array_unref);
}

int file_at(struct tree *t, int64_t fragment, struct file *ret_file)
{
	struct file file = {0};
	int rc = catalog_fragment_get(t->c, fragment, &file.f);

	if (rc < 0)
		return rc == -ENOENT ? -ESTALE : rc;
	file.stream = archive_stream_by_id(t->a, file.f.stream, &file.streams);
	if (!file.stream ||
	    file.f.server_ms < archive_alive_ms(t->a, file.stream)) {
		file_release(&file);
		return -ESTALE;
	}
	*ret_file = file;
	return 0;
}

/* ---- inode numbers of folders -------------------------------------------- */

static uint64_t ino_of(const struct archive_stream *s, const struct node *n)
{
	return node_ino_folder(node_ino_stream(s ? s->arn : ""), n);
}

uint64_t place_ino(const struct place *p)
{
	return ino_of(p->stream, &p->node);
}

uint64_t place_parent_ino(const struct tree *t, const struct place *p)
{
	bool pattern = archive_is_pattern(t->a);
	struct node n = {.kind = NODE_ROOT};

	switch (p->node.kind) {
	case NODE_TOP:
		n.kind = pattern ? NODE_STREAM : NODE_ROOT;
		break;
	case NODE_DAY:
		n.kind = NODE_TOP;
		break;
	case NODE_MOVIE_DAY:
		n.kind = NODE_TOP;
		n.top = TOP_MOVIES;
		break;
	case NODE_HOUR:
		n.kind = NODE_DAY;
		n.start_ms = utc_floor(p->start_ms, UTC_DAY_MS);
		break;
	case NODE_MINUTE:
		n.kind = NODE_HOUR;
		n.start_ms = utc_floor(p->start_ms, UTC_HOUR_MS);
		break;
	default:
		/* The root's own parent is the mountpoint's: not ours to say.
		 */
		return pattern ? ino_of(NULL, &n) : ino_of(p->stream, &n);
	}
	return ino_of(p->stream, &n);
}
