/* SPDX-License-Identifier: MIT */
/*
 * dir: what is in a folder.  Streams and buckets are gathered when the folder
 * is opened (there are few); fragments are read a page at a time.
 *
 * A cookie is 2 + the place in the listing, after "." and "..".  The kernel
 * asks for the next one, or goes back by less than what it was given last, so
 * where the page before began is remembered; other jumps start anew.
 */
#include <errno.h>

#include "fs/view/internal.h"

/* 120 KiB a handle; at 512 the query is a hundredth of what a row costs. */
#define PAGE_ROWS    512
#define FIRST_COOKIE 2

struct cursor {
	uint64_t row; /* in the listing */
	int64_t ms, id;
};
static const struct cursor beginning = {0, INT64_MIN, 0};

struct tree_dir {
	struct tree *t;
	struct place p;
	bool settled;
	char name[PATH_NAME_SIZE];

	GPtrArray *streams; /* ROLE_STREAMS: struct archive_stream */
	GArray *starts;	    /* ROLE_BUCKETS: int64_t */

	/* ROLE_FRAGMENTS */
	struct entry_base base;
	struct fragment *page; /* PAGE_ROWS of them; NULL: none read yet */
	size_t n_rows;
	struct cursor at, before; /* where page and the one before it begin */
	bool page_shown;
};

/* ---- opening ------------------------------------------------------------ */

struct opening {
	struct tree *t;
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
		return false;
	case ROLE_BUCKETS:
	case ROLE_FRAGMENTS:
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

static void survey(struct tree *t, archive_ticket ticket, const struct place *p,
		   struct opening *o)
{
	int64_t start_ms, end_ms;

	bucket_window(t, p->stream, &start_ms, &end_ms);
	start_ms = MAX(start_ms, p->start_ms);
	end_ms = MIN(end_ms, p->end_ms);
	if (start_ms < end_ms)
		archive_survey(t->a, ticket, p->stream->id, start_ms, end_ms,
			       path_unit_ms(place_unit(p)), opened, o);
	else /* all that can be there is in the catalog */
		opened(o, 0);
}

void tree_dir_open(struct tree *t, archive_ticket ticket, uint64_t node,
		   tree_opened_fn fn, void *user)
{
	struct place auto_place p = {0};
	struct opening *o;
	int rc = place_at(t, node, &p);

	if (rc == 0 && p.role == ROLE_FILE)
		rc = -ENOTDIR;
	if (rc < 0) {
		fn(user, rc, NULL);
		return;
	}
	o = g_new(struct opening, 1);
	*o = (struct opening){t, node, fn, user};
	switch (p.role) {
	case ROLE_STREAMS:
		archive_refresh_streams(t->a, ticket, opened, o);
		break;
	case ROLE_BUCKETS:
		survey(t, ticket, &p, o);
		break;
	case ROLE_FRAGMENTS:
		archive_list(t->a, ticket, p.stream->id, p.start_ms, p.end_ms,
			     ARCHIVE_LIST_KNOWN, opened, o);
		break;
	case ROLE_TOPS:
	case ROLE_FILE:
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
		e->next = FIRST_COOKIE + top + 1;
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
		e->next = FIRST_COOKIE + row + 1;
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
	e->next = FIRST_COOKIE + row + 1;
	return 1;
}

/* ---- fragments ---------------------------------------------------------- */

/*
 * The catalog has made room meanwhile, and what is left is not all.  Each page
 * counts as a use, so that takes a budget smaller than what is being read.
 */
static bool is_forgotten(const struct tree_dir *d)
{
	const struct place *p = &d->p;
	int64_t alive_ms = archive_alive_ms(d->t->a, p->stream);
	enum catalog_knowledge k;

	return alive_ms < p->end_ms &&
	       (catalog_knowledge(d->t->c, p->stream->id, d->t->o.axis,
				  MAX(p->start_ms, alive_ms), p->end_ms,
				  &k) < 0 ||
		k == CATALOG_UNKNOWN);
}

/* Read the page that begins there.  How many rows, or -errno. */
static int page_read(struct tree_dir *d, const struct cursor *from)
{
	const struct place *p = &d->p;
	int n;

	if (!d->page)
		d->page = g_new(struct fragment, PAGE_ROWS);
	catalog_touch(d->t->c, p->stream->id, d->t->o.axis, p->start_ms,
		      p->end_ms);
	n = catalog_page(d->t->c, p->stream->id, d->t->o.axis, p->start_ms,
			 p->end_ms, archive_alive_ms(d->t->a, p->stream),
			 from->ms, from->id, d->page, PAGE_ROWS);
	if (n < 0) { /* the next call reads anew, or it would see the end */
		g_clear_pointer(&d->page, g_free);
		return n;
	}
	if (n < PAGE_ROWS && is_forgotten(d)) {
		g_clear_pointer(&d->page, g_free);
		return -EIO;
	}
	d->n_rows = (size_t)n;
	d->at = *from;
	d->page_shown = false;
	entry_base_init(&d->base, d->t, p->stream);
	return n;
}

/* 1 and the row is in the page, 0 at the end, or -errno. */
static int page_with(struct tree_dir *d, uint64_t row)
{
	int n = 1;

	if (!d->page || row < d->at.row) {
		struct cursor from = beginning;

		if (d->page && row >= d->before.row)
			from = d->before;
		d->before = beginning;
		n = page_read(d, &from);
	}
	while (n > 0 && row >= d->at.row + d->n_rows) {
		struct cursor next, was = d->at;

		if (d->n_rows == 0) /* at is the end */
			return 0;
		next.row = d->at.row + d->n_rows;
		next.ms = fragment_ms(d->t, &d->page[d->n_rows - 1]);
		next.id = d->page[d->n_rows - 1].id;
		n = page_read(d, &next);
		d->before = was;
	}
	return n < 0 ? n : n > 0;
}

/* Sizes that the kernel is about to be told stay what they are. */
static void show_page(struct tree_dir *d)
{
	const struct fragment *first = &d->page[0];
	const struct fragment *last = &d->page[d->n_rows - 1];

	if (d->page_shown)
		return;
	d->page_shown = true;
	for (const struct fragment *f = first; f <= last; f++) {
		if (f->shown || f->file_bytes < 0)
			continue;
		/* Read in one go, so the slack is that of all. */
		catalog_show(d->t->c, d->p.stream->id, d->t->o.axis,
			     fragment_ms(d->t, first),
			     fragment_ms(d->t, last) + 1,
			     f->file_bytes - f->size_bytes);
		return;
	}
}

static int fragments_at(struct tree_dir *d, uint64_t row, bool attributes,
			struct tree_dirent *e)
{
	const struct fragment *f;
	int rc;

	do {
		rc = page_with(d, row);
		if (rc <= 0)
			return rc;
		f = &d->page[row++ - d->at.row];
	} while (path_fragment(fragment_ms(d->t, f), f->number, d->name) == 0);
	e->name = d->name;
	e->type = S_IFREG;
	e->next = FIRST_COOKIE + row;
	/* Without a size to show, names do not wait for one. */
	if (attributes && f->file_bytes >= 0) {
		show_page(d);
		entry_file(&d->base, f, &e->entry);
		e->node = e->entry.node;
		e->ino = e->entry.st.st_ino;
	} else {
		e->ino = entry_ino(&d->base, f);
	}
	return 1;
}

int tree_dir_at(struct tree_dir *d, uint64_t cookie, bool attributes,
		struct tree_dirent *ret_entry)
{
	struct tree_dirent e = {0};
	int rc = 0;

	if (cookie < FIRST_COOKIE)
		return dots_at(d, cookie, ret_entry);
	cookie -= FIRST_COOKIE;
	switch (d->p.role) {
	case ROLE_STREAMS:
		rc = streams_at(d, cookie, attributes, &e);
		break;
	case ROLE_TOPS:
		rc = tops_at(d, cookie, attributes, &e);
		break;
	case ROLE_BUCKETS:
		rc = buckets_at(d, cookie, attributes, &e);
		break;
	case ROLE_FRAGMENTS:
		rc = fragments_at(d, cookie, attributes, &e);
		break;
	case ROLE_FILE:
		break;
	}
	if (rc > 0)
		*ret_entry = e;
	return rc;
}
