/* SPDX-License-Identifier: MIT */
/*
 * dir: what is in a folder.  Streams, buckets and movies are gathered when the
 * folder is opened (there are few); fragments are dir_fragments.c's.
 */
#include <errno.h>

#include "fs/base/utc.h"
#include "fs/view/dir.h"

/* ---- opening ------------------------------------------------------------ */

struct opening {
	struct tree *t;
	archive_ticket ticket;
	uint64_t node;
	tree_opened_fn fn;
	void *user;
};

static bool settled(struct tree *t, const struct place *p)
{
	switch (p->role) {
	case ROLE_TOPS:
		return true;
	case ROLE_STREAMS:
	case ROLE_FILE:
	case ROLE_MOVIE:
		return false;
	case ROLE_BUCKETS:
	case ROLE_FRAGMENTS:
	case ROLE_MOVIES:
	case ROLE_HOUR_MOVIES:
		break;
	}
	/* What begins to expire loses entries without anybody being told. */
	return p->node.kind != NODE_TOP &&
	       p->start_ms > archive_alive_ms(t->a, p->stream) &&
	       archive_settled(t->a, p->stream->id, p->start_ms, p->end_ms);
}

static int dir_fill(struct tree_dir *d)
{
	/* Before what it speaks of is read: what comes later is told. */
	d->settled = settled(d->t, &d->p);
	switch (d->p.role) {
	case ROLE_STREAMS:
		d->streams = archive_streams(d->t->a);
		return 0;
	case ROLE_BUCKETS:
	case ROLE_MOVIES:
	case ROLE_HOUR_MOVIES:
		d->starts = g_array_new(FALSE, FALSE, sizeof(int64_t));
		return bucket_list(d->t, &d->p, d->starts);
	default:
		return 0;
	}
}

static void opened(void *user, int rc)
{
	g_autofree struct opening *o = user;
	struct tree_dir *d;

	if (rc < 0) {
		o->fn(o->user, rc, NULL);
		return;
	}
	d = g_new0(struct tree_dir, 1);
	d->t = o->t;
	rc = place_at(o->t, o->node, &d->p);
	if (rc == 0)
		rc = dir_fill(d);
	if (rc < 0) {
		tree_dir_close(d);
		d = NULL;
	}
	o->fn(o->user, rc, d);
}

/* The part of it that is in the stream's window; false: none. */
static bool window_of(struct tree *t, const struct place *p,
		      int64_t *ret_start_ms, int64_t *ret_end_ms)
{
	int64_t start_ms, end_ms;

	bucket_window(t, p->stream, &start_ms, &end_ms);
	*ret_start_ms = MAX(start_ms, p->start_ms);
	*ret_end_ms = MIN(end_ms, p->end_ms);
	return *ret_start_ms < *ret_end_ms;
}

static void survey(struct opening *o, const struct place *p, archive_fn fn)
{
	int64_t start_ms, end_ms;

	if (window_of(o->t, p, &start_ms, &end_ms))
		archive_survey(o->t->a, o->ticket, p->stream->id, start_ms,
			       end_ms, path_unit_ms(place_unit(p)), fn, o);
	else /* all that can be there is in the catalog */
		opened(o, 0);
}

static bool any_unknown(struct tree *t, const struct place *p, int64_t start_ms,
			int64_t end_ms)
{
	for (; start_ms < end_ms; start_ms += UTC_HOUR_MS)
		if (archive_state(t->a, p->stream, start_ms,
				  MIN(start_ms + UTC_HOUR_MS, end_ms)) ==
		    ARCHIVE_UNKNOWN)
			return true;
	return false;
}

/* A file that is listed is there: what the survey left open is listed. */
static void hours_surveyed(void *user, int rc)
{
	struct opening *o = user;
	struct tree *t = o->t;
	struct place auto_place p = {0};
	int64_t start_ms, end_ms;

	if (rc == 0)
		rc = place_at(t, o->node, &p);
	if (rc == 0 && window_of(t, &p, &start_ms, &end_ms) &&
	    any_unknown(t, &p, utc_floor(start_ms, UTC_HOUR_MS), end_ms))
		archive_list(t->a, o->ticket, p.stream->id, start_ms, end_ms,
			     ARCHIVE_LIST_KNOWN, opened, o);
	else
		opened(o, rc);
}

void tree_dir_open(struct tree *t, archive_ticket ticket, uint64_t node,
		   tree_opened_fn fn, void *user)
{
	struct place auto_place p = {0};
	struct opening *o;
	int rc = place_at(t, node, &p);

	if (rc == 0 && (p.role == ROLE_FILE || p.role == ROLE_MOVIE))
		rc = -ENOTDIR;
	if (rc < 0) {
		fn(user, rc, NULL);
		return;
	}
	o = g_new(struct opening, 1);
	*o = (struct opening){t, ticket, node, fn, user};
	switch (p.role) {
	case ROLE_STREAMS:
		archive_refresh_streams(t->a, ticket, opened, o);
		break;
	case ROLE_BUCKETS:
	case ROLE_MOVIES:
		survey(o, &p, opened);
		break;
	case ROLE_HOUR_MOVIES:
		survey(o, &p, hours_surveyed);
		break;
	case ROLE_FRAGMENTS:
		archive_list(t->a, ticket, p.stream->id, p.start_ms, p.end_ms,
			     ARCHIVE_LIST_KNOWN, opened, o);
		break;
	case ROLE_TOPS:
	case ROLE_FILE:
	case ROLE_MOVIE:
		opened(o, 0);
		break;
	}
}

void tree_dir_close(struct tree_dir *d)
{
	if (!d)
		return;
	place_release(&d->p);
	g_clear_pointer(&d->streams, g_ptr_array_unref);
	g_clear_pointer(&d->starts, g_array_unref);
	g_free(d->page);
	g_free(d);
}

bool tree_dir_settled(const struct tree_dir *d)
{
	return d->settled;
}

/* ---- "." and ".." ------------------------------------------------------- */

static int dots_at(struct tree_dir *d, uint64_t cookie,
		   struct tree_dirent *ret_entry)
{
	*ret_entry = (struct tree_dirent){
		.name = cookie == 0 ? "." : "..",
		.ino = cookie == 0 ? place_ino(&d->p)
				   : place_parent_ino(d->t, &d->p),
		.type = S_IFDIR,
		.next = cookie + 1,
	};
	return 1;
}

/* ---- folders in it ------------------------------------------------------ */

static void folder_entry(struct tree_dir *d, const struct place *p,
			 bool attributes, struct tree_dirent *e)
{
	e->name = d->name;
	e->type = S_IFDIR;
	if (attributes) {
		entry_folder(d->t, p, &e->entry);
		e->node = e->entry.node;
		e->ino = e->entry.st.st_ino;
	} else {
		e->ino = place_ino(p);
	}
}

static int tops_at(struct tree_dir *d, uint64_t row, bool attributes,
		   struct tree_dirent *e)
{
	for (unsigned top = (unsigned)MIN(row, UINT_MAX); top_name(top);
	     top++) {
		struct place p;

		if (!top_shown(d->t, top))
			continue;
		p = place_top(&d->p, top);
		g_strlcpy(d->name, top_name(top), sizeof(d->name));
		folder_entry(d, &p, attributes, e);
		e->next = DIR_FIRST_COOKIE + top + 1;
		return 1;
	}
	return 0;
}

static int streams_at(struct tree_dir *d, uint64_t row, bool attributes,
		      struct tree_dirent *e)
{
	for (; row < d->streams->len; row++) {
		const struct archive_stream *s = d->streams->pdata[row];
		struct place p = place_stream(s);

		if (node_number(&p.node) == 0 ||
		    path_stream(s->name, d->name) == 0)
			continue;
		folder_entry(d, &p, attributes, e);
		e->next = DIR_FIRST_COOKIE + row + 1;
		return 1;
	}
	return 0;
}

static int buckets_at(struct tree_dir *d, uint64_t row, bool attributes,
		      struct tree_dirent *e)
{
	struct place p;

	if (row >= d->starts->len)
		return 0;
	p = place_bucket(d->t, &d->p, g_array_index(d->starts, int64_t, row));
	path_bucket(place_unit(&d->p), p.start_ms, d->name);
	folder_entry(d, &p, attributes, e);
	e->next = DIR_FIRST_COOKIE + row + 1;
	return 1;
}

/* ---- movies -------------------------------------------------------------- */

/*
 * Names only: how large a movie is says its listing in full.  The number is not
 * the movie's own either, which it has from its layout.
 */
static int hour_movies_at(struct tree_dir *d, uint64_t row,
			  struct tree_dirent *e)
{
	int64_t start_ms;

	if (row >= d->starts->len)
		return 0;
	start_ms = g_array_index(d->starts, int64_t, row);
	path_movie(PATH_HOUR, start_ms, d->name);
	e->name = d->name;
	e->type = S_IFREG;
	e->ino = node_ino_movie(node_ino_stream(d->p.stream->arn), start_ms,
				start_ms + UTC_HOUR_MS, 0);
	e->next = DIR_FIRST_COOKIE + row + 1;
	return 1;
}

int tree_dir_at(struct tree_dir *d, uint64_t cookie, bool attributes,
		struct tree_dirent *ret_entry)
{
	struct tree_dirent e = {0};
	int rc = 0;

	if (cookie < DIR_FIRST_COOKIE)
		return dots_at(d, cookie, ret_entry);
	cookie -= DIR_FIRST_COOKIE;
	switch (d->p.role) {
	case ROLE_STREAMS:
		rc = streams_at(d, cookie, attributes, &e);
		break;
	case ROLE_TOPS:
		rc = tops_at(d, cookie, attributes, &e);
		break;
	case ROLE_BUCKETS:
	case ROLE_MOVIES:
		rc = buckets_at(d, cookie, attributes, &e);
		break;
	case ROLE_HOUR_MOVIES:
		rc = hour_movies_at(d, cookie, &e);
		break;
	case ROLE_FRAGMENTS:
		rc = dir_fragments_at(d, cookie, attributes, &e);
		break;
	case ROLE_FILE:
	case ROLE_MOVIE:
		break;
	}
	if (rc > 0)
		*ret_entry = e;
	return rc;
}
