/* SPDX-License-Identifier: MIT */
/*
 * dir_fragments: the innermost bucket, read a page of rows at a time.
 *
 * The kernel asks for the next entry, or goes back by less than what it was
 * given last, so where the page before began is remembered; other jumps start
 * anew.
 */
#include <errno.h>

#include "fs/view/dir.h"

static const struct dir_cursor beginning = {0, INT64_MIN, 0};

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
static int page_read(struct tree_dir *d, const struct dir_cursor *from)
{
	const struct place *p = &d->p;
	int n;

	if (!d->page)
		d->page = g_new(struct fragment, DIR_PAGE_ROWS);
	catalog_touch(d->t->c, p->stream->id, d->t->o.axis, p->start_ms,
		      p->end_ms);
	n = catalog_page(d->t->c, p->stream->id, d->t->o.axis, p->start_ms,
			 p->end_ms, archive_alive_ms(d->t->a, p->stream),
			 from->ms, from->id, d->page, DIR_PAGE_ROWS);
	if (n < 0) { /* the next call reads anew, or it would see the end */
		g_clear_pointer(&d->page, g_free);
		return n;
	}
	if (n < DIR_PAGE_ROWS && is_forgotten(d)) {
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
		struct dir_cursor from = beginning;

		if (d->page && row >= d->before.row)
			from = d->before;
		d->before = beginning;
		n = page_read(d, &from);
	}
	while (n > 0 && row >= d->at.row + d->n_rows) {
		struct dir_cursor next, was = d->at;

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

int dir_fragments_at(struct tree_dir *d, uint64_t row, bool attributes,
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
	e->next = DIR_FIRST_COOKIE + row;
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
