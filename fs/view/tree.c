/* SPDX-License-Identifier: MIT */
#include "fs/view/tree.h"

#include <errno.h>
#include <stdatomic.h>

#include "fs/base/utc.h"
#include "fs/view/movie.h"

struct tree *tree_new(struct archive *a, const struct tree_options *o)
{
	struct tree *t = g_new0(struct tree, 1);

	t->a = a;
	t->c = archive_catalog(a);
	t->o = *o;
	t->movies = movies_new();
	t->facts = g_atomic_rc_box_new0(_Atomic unsigned);
	return t;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	movies_free(t->movies);
	g_atomic_rc_box_release(t->facts);
	g_free(t);
}

void tree_forget(struct tree *t, uint64_t node, uint64_t n)
{
	struct node where;

	if (node_parse(node, &where) && where.kind == NODE_MOVIE)
		movies_forget(t->movies, node, n);
}

void tree_read(struct tree *t, archive_ticket ticket, uint64_t node,
	       int64_t offset, size_t n, archive_read_fn fn, void *user)
{
	struct node where;

	if (!node_parse(node, &where))
		fn(user, -ESTALE, NULL, 0);
	else if (where.kind == NODE_MOVIE)
		movie_read(t, ticket, node, offset, n, fn, user);
	else if (where.kind != NODE_FRAGMENT)
		fn(user, -EISDIR, NULL, 0);
	else
		archive_read(t->a, ticket, where.fragment, offset, n, fn, user);
}

bool tree_is_movie(uint64_t node)
{
	struct node where;

	return node_parse(node, &where) && where.kind == NODE_MOVIE;
}

int tree_pin(struct tree *t, uint64_t node, struct store_chunk **ret_chunk)
{
	struct node where;

	if (!node_parse(node, &where))
		return -ESTALE;
	if (where.kind == NODE_MOVIE) /* made of many chunks */
		return movie_open(t, node) == -ESTALE ? -ESTALE : -ENOENT;
	if (where.kind != NODE_FRAGMENT)
		return -EISDIR;
	return archive_pin(t->a, where.fragment, ret_chunk);
}

void tree_touch(struct tree *t, uint64_t node)
{
	struct node where;

	if (node_parse(node, &where) && where.kind == NODE_FRAGMENT)
		archive_touch(t->a, where.fragment);
}

/* df(1) counts in these. */
#define STATFS_BLOCK_BYTES 4096

void tree_statvfs(struct tree *t, struct statvfs *ret_stat)
{
	g_autoptr(GPtrArray) streams = archive_streams(t->a);
	int64_t bytes = 0, fragments = 0;

	for (guint i = 0; i < streams->len; i++) {
		const struct archive_stream *s = streams->pdata[i];
		struct catalog_stream row;

		/* What is not catalogued yet has no size to count. */
		if (catalog_stream_get(t->c, s->id, &row) < 0)
			continue;
		/* Sizes are the service's word. */
		if (__builtin_add_overflow(bytes, row.total_bytes, &bytes))
			bytes = INT64_MAX;
		fragments += row.fragments;
		catalog_stream_release(&row);
	}
	*ret_stat = (struct statvfs){
		.f_bsize = STATFS_BLOCK_BYTES,
		.f_frsize = STATFS_BLOCK_BYTES,
		.f_blocks = (fsblkcnt_t)bytes / STATFS_BLOCK_BYTES +
			    (bytes % STATFS_BLOCK_BYTES != 0),
		.f_files = (fsfilcnt_t)fragments,
		.f_flag = ST_RDONLY,
		.f_namemax = PATH_NAME_SIZE - 1,
	};
}

/* ---- what the kernel must forget ---------------------------------------- */

static void add_name(struct tree_change *c, uint64_t parent, const char *name)
{
	c->names[c->n_names].parent = parent;
	g_strlcpy(c->names[c->n_names].name, name, sizeof(c->names[0].name));
	c->n_names++;
}

static void add_node(struct tree_change *c, const struct node *n)
{
	uint64_t number = node_number(n);

	if (number)
		c->nodes[c->n_nodes++] = number;
}

static void add_buckets(const struct tree *t, uint32_t stream, int64_t t_ms,
			struct tree_change *c)
{
	struct node n = {.stream = stream};

	for (int kind = NODE_DAY + (int)t->o.bucket; kind >= NODE_DAY; kind--) {
		enum path_unit unit = (enum path_unit)(kind - NODE_DAY);

		n.kind = (enum node_kind)kind;
		n.start_ms = utc_floor(t_ms, path_unit_ms(unit));
		add_node(c, &n);
	}
	n.kind = NODE_TOP;
	add_node(c, &n);
}

/* Ranges have names that nobody can list: the kernel never keeps them long. */
static void add_movies(uint32_t stream, int64_t t_ms, struct tree_change *c)
{
	const struct node top = {
		.kind = NODE_TOP, .stream = stream, .top = TOP_MOVIES};
	const struct node day = {.kind = NODE_MOVIE_DAY,
				 .stream = stream,
				 .start_ms = utc_floor(t_ms, UTC_DAY_MS)};
	char name[PATH_NAME_SIZE];

	add_node(c, &day);
	add_node(c, &top);
	path_movie(PATH_HOUR, utc_floor(t_ms, UTC_HOUR_MS), name);
	add_name(c, node_number(&day), name);
	path_movie(PATH_DAY, day.start_ms, name);
	add_name(c, node_number(&top), name);
}

void tree_change_of(struct tree *t, const struct fragment *f,
		    struct tree_change *ret_change)
{
	struct tree_change c = {0};
	const struct node n = {.kind = NODE_FRAGMENT, .fragment = f->id};
	int64_t t_ms = fragment_ms(t, f);
	char name[PATH_NAME_SIZE];

	c.file = node_number(&n);
	/* What has no name is in no folder. */
	if (path_fragment(t_ms, f->number, name) > 0) {
		add_buckets(t, f->stream, t_ms, &c);
		if (c.n_nodes > 0)
			add_name(&c, c.nodes[0], name);
		if (top_shown(t, TOP_MOVIES))
			add_movies(f->stream, t_ms, &c);
	}
	*ret_change = c;
}

void tree_resized(struct tree *t)
{
	atomic_fetch_add(t->facts, 1);
}
