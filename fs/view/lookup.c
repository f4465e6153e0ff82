/* SPDX-License-Identifier: MIT */
/*
 * lookup: a name in a folder.  What cannot be a name there is not asked for;
 * what may be is looked for in the catalog, and where that is not enough its
 * bucket is listed, once.
 */
#include <errno.h>
#include <string.h>

#include "fs/base/utc.h"
#include "fs/view/movie.h"

struct lookup {
	struct tree *t;
	archive_ticket ticket;
	uint64_t parent;
	char name[PATH_NAME_SIZE];
	tree_entry_fn fn;
	void *user;
};

static void absent(const struct lookup *l, int64_t ttl_ms)
{
	struct tree_entry e = {.entry_ttl_ms = ttl_ms};

	l->fn(l->user, -ENOENT, &e);
}

static void folder(const struct lookup *l, const struct place *p)
{
	struct tree_entry e;

	entry_folder(l->t, p, &e);
	if (e.node)
		l->fn(l->user, 0, &e);
	else
		absent(l, TREE_FOR_EVER);
}

/* ---- streams ------------------------------------------------------------ */

static bool stream_is(const struct archive_stream *s, const char *name)
{
	char escaped[PATH_NAME_SIZE];

	/* Only what was escaped holds a '%', and only dots need it. */
	if (name[0] != '.' && !strchr(name, '%'))
		return strcmp(s->name, name) == 0;
	return path_stream(s->name, escaped) > 0 && strcmp(escaped, name) == 0;
}

/* false: it is not among those known. */
static bool look_for_stream(const struct lookup *l)
{
	g_autoptr(GPtrArray) streams = archive_streams(l->t->a);

	for (guint i = 0; i < streams->len; i++) {
		const struct archive_stream *s = streams->pdata[i];
		struct place p = place_stream(s);

		if (!stream_is(s, l->name))
			continue;
		folder(l, &p);
		return true;
	}
	return false;
}

static void streams_refreshed(void *user, int rc)
{
	g_autofree struct lookup *l = user;

	if (rc < 0)
		l->fn(l->user, rc, NULL);
	else if (!look_for_stream(l))
		absent(l, l->t->o.metadata_ttl_ms);
}

static void in_streams(struct lookup *l)
{
	if (look_for_stream(l))
		return;
	archive_refresh_streams(l->t->a, l->ticket, streams_refreshed,
				g_memdup2(l, sizeof(*l)));
}

/* ---- folders ------------------------------------------------------------ */

static void in_tops(struct lookup *l, const struct place *p)
{
	for (unsigned top = 0; top_name(top); top++) {
		struct place child = place_top(p, top);

		if (!top_shown(l->t, top) || strcmp(top_name(top), l->name))
			continue;
		folder(l, &child);
		return;
	}
	absent(l, TREE_FOR_EVER);
}

/* However old: a late upload may fill it, and the kernel is told of a name in
   a folder, not of that folder's own. */
static void no_bucket(const struct lookup *l)
{
	absent(l, l->t->o.metadata_ttl_ms);
}

/* The folder of the name in p; false: it cannot be one. */
static bool bucket_of(const struct lookup *l, const struct place *p,
		      struct place *ret_child)
{
	int64_t start_ms;

	if (!path_parse_bucket(place_unit(p), p->start_ms, l->name, &start_ms))
		return false;
	*ret_child = place_bucket(l->t, p, start_ms);
	return true;
}

static void bucket_fresh(void *user, int rc)
{
	g_autofree struct lookup *l = user;
	struct place auto_place p = {0};
	struct place child;

	if (rc == 0)
		rc = place_at(l->t, l->parent, &p);
	if (rc < 0)
		l->fn(l->user, rc, NULL);
	else if (bucket_of(l, &p, &child) &&
		 bucket_shown(l->t, p.stream, child.start_ms, child.end_ms))
		folder(l, &child);
	else
		no_bucket(l);
}

static void in_buckets(struct lookup *l, const struct place *p)
{
	struct place child;

	if (!bucket_of(l, p, &child))
		absent(l, TREE_FOR_EVER);
	else if (bucket_shown(l->t, p->stream, child.start_ms, child.end_ms))
		folder(l, &child);
	else if (!bucket_in_window(l->t, p->stream, child.start_ms,
				   child.end_ms))
		no_bucket(l);
	else /* it was empty when it was listed */
		archive_list(l->t->a, l->ticket, p->stream->id, child.start_ms,
			     child.end_ms, ARCHIVE_LIST_FRESH, bucket_fresh,
			     g_memdup2(l, sizeof(*l)));
}

/* ---- fragments ---------------------------------------------------------- */

/* A late upload may bring the name even where all was listed. */
static void absent_now(const struct lookup *l, const struct place *p)
{
	struct tree_entry e = {.entry_ttl_ms = l->t->o.metadata_ttl_ms};

	if (archive_settled(l->t->a, p->stream->id, p->start_ms, p->end_ms)) {
		e.entry_ttl_ms = TREE_FOR_EVER;
		e.may_change = true;
	}
	l->fn(l->user, -ENOENT, &e);
}

/* 0 and it is answered; -ENOENT: the catalog does not have it, or -errno. */
static int look_for_fragment(const struct lookup *l, const struct place *p,
			     int64_t t_ms, const char *number)
{
	struct fragment f;
	int rc = catalog_fragment_find(l->t->c, p->stream->id, number, &f);

	if (rc < 0)
		return rc;
	if (fragment_ms(l->t, &f) != t_ms)
		return -ENOENT;
	if (f.server_ms < archive_alive_ms(l->t->a, p->stream))
		absent(l, TREE_FOR_EVER);
	else
		entry_give(l->t, l->ticket, f.id, -ENOENT, l->fn, l->user);
	return 0;
}

/* Of a name that parses and lies in p's bucket. */
static int find_in(const struct lookup *l, const struct place *p)
{
	char number[CATALOG_NUMBER_MAX + 1];
	int64_t t_ms;

	if (!path_parse_fragment(l->name, &t_ms, number) ||
	    t_ms < p->start_ms || t_ms >= p->end_ms) {
		absent(l, TREE_FOR_EVER);
		return 0;
	}
	return look_for_fragment(l, p, t_ms, number);
}

static void bucket_listed(void *user, int rc)
{
	g_autofree struct lookup *l = user;
	struct place auto_place p = {0};

	if (rc == 0)
		rc = place_at(l->t, l->parent, &p);
	if (rc == 0) {
		rc = find_in(l, &p);
		if (rc == 0)
			return;
	}
	if (rc == -ENOENT && p.stream)
		absent_now(l, &p);
	else
		l->fn(l->user, rc, NULL);
}

static void in_fragments(struct lookup *l, const struct place *p)
{
	int rc = find_in(l, p);

	if (rc == 0)
		return;
	if (rc != -ENOENT)
		l->fn(l->user, rc, NULL);
	else if (archive_settled(l->t->a, p->stream->id, p->start_ms,
				 p->end_ms))
		absent_now(l, p);
	else
		archive_list(l->t->a, l->ticket, p->stream->id, p->start_ms,
			     p->end_ms, ARCHIVE_LIST_FRESH, bucket_listed,
			     g_memdup2(l, sizeof(*l)));
}

/* ---- movies ------------------------------------------------------------- */

static void movie(const struct lookup *l, const struct place *p,
		  int64_t start_ms, int64_t end_ms, bool reach)
{
	const struct movie_range r = {p->stream->id, start_ms, end_ms, reach};

	movie_lookup(l->t, l->ticket, p->stream, &r, l->fn, l->user);
}

static void in_hour_movies(struct lookup *l, const struct place *p)
{
	int64_t start_ms;

	if (path_parse_movie_hour(p->start_ms, l->name, &start_ms))
		movie(l, p, start_ms, start_ms + UTC_HOUR_MS, false);
	else
		absent(l, TREE_FOR_EVER);
}

static void in_movies(struct lookup *l, const struct place *p)
{
	int64_t start_ms, end_ms;

	if (path_parse_movie_day(l->name, &start_ms))
		movie(l, p, start_ms, start_ms + UTC_DAY_MS, false);
	else if (path_parse_movie_range(l->name, &start_ms, &end_ms))
		movie(l, p, start_ms, end_ms, true);
	else
		in_buckets(l, p);
}

void tree_lookup(struct tree *t, archive_ticket ticket, uint64_t parent,
		 const char *name, tree_entry_fn fn, void *user)
{
	struct lookup l = {.t = t,
			   .ticket = ticket,
			   .parent = parent,
			   .fn = fn,
			   .user = user};
	struct place auto_place p = {0};
	int rc = place_at(t, parent, &p);

	if (rc < 0) {
		fn(user, rc, NULL);
		return;
	}
	if (g_strlcpy(l.name, name, sizeof(l.name)) >= sizeof(l.name)) {
		fn(user, -ENAMETOOLONG, NULL);
		return;
	}
	switch (p.role) {
	case ROLE_STREAMS:
		in_streams(&l);
		break;
	case ROLE_TOPS:
		in_tops(&l, &p);
		break;
	case ROLE_BUCKETS:
		in_buckets(&l, &p);
		break;
	case ROLE_FRAGMENTS:
		in_fragments(&l, &p);
		break;
	case ROLE_MOVIES:
		in_movies(&l, &p);
		break;
	case ROLE_HOUR_MOVIES:
		in_hour_movies(&l, &p);
		break;
	case ROLE_FILE:
	case ROLE_MOVIE:
		fn(user, -ENOTDIR, NULL);
		break;
	}
}
