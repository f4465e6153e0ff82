/* SPDX-License-Identifier: MIT */
/*
 * movie_read: bytes of a movie, from its header, its fragments' files and Void.
 *
 * A read that spans slots asks for one fragment after the other.  An answer may
 * come before the question has returned, or later on another thread: whoever of
 * the two comes second goes on.
 */
#define G_LOG_DOMAIN "kvsfs"
#include <errno.h>

#include "fs/view/movie_reading.h"

static void finish(struct reading *r)
{
	if (r->rc == -ESTALE)
		movies_spoil(r->t->movies, r->node);
	if (r->rc < 0)
		r->fn(r->user, r->rc, NULL, 0);
	else
		r->fn(r->user, 0, (struct archive_piece *)r->pieces->data,
		      r->pieces->len);
	movie_reading_end(r);
	movie_unref(r->m);
	g_free(r);
}

static void slot_came(struct reading *r, struct store_chunk *c)
{
	struct movie_plan plan = movies_plan(r->t->movies, r->node, r->slot);
	int64_t start, end;

	if (!plan.known) {
		r->rc = movie_plan_make(r, c, &plan.slot);
		if (r->rc < 0)
			return;
	}
	if (plan.slot) {
		reading_add_slot(r, plan.slot, c);
		mkv_slot_unref(plan.slot);
		return;
	}
	reading_slot_bounds(r, &start, &end);
	reading_add_void(r, start, end);
}

/* ---- the movie's format ------------------------------------------------- */

static void format_came(struct reading *r, struct store_chunk *c)
{
	const struct mkv_source source = movie_plan_source(c);
	const uint32_t stream = movie_recipe(r->m)->range.stream;
	struct mkv_format *format;
	int rc = mkv_format_read(&source, &format);

	if (rc == 0) {
		movie_fact_usable(r->t, stream, reading_fragment(r), format);
		movie_set_format(r->m, format);
	} else if (rc == -ENODATA) {
		movie_plan_leave_out(r, CATALOG_NO_CLUSTER, 0,
				     "it has no media");
	} else {
		r->rc = -EIO;
		if (rc != -EIO && movie_says(r->m))
			g_warning("movie %s: the header of its first fragment "
				  "cannot be that of a movie (Tracks of more "
				  "than %d KiB?)",
				  reading_layout(r)->title,
				  MKV_FORMAT_TRACKS_MAX_BYTES >> 10);
	}
}

/* ---- one after the other ------------------------------------------------ */

static void came(struct reading *r, int rc, struct store_chunk *c)
{
	if (rc == -ENODATA) /* the next round knows, and goes on without */
		movie_plan_leave_out(
			r, CATALOG_NOT_FOUND, 0,
			"it is listed, but the service does not find it");
	else if (rc < 0)
		r->rc = rc;
	else if (!r->learns)
		slot_came(r, c);
	else if (!movie_format(r->m))
		format_came(r, c);
}

static void go_on(struct reading *r);

static void chunk_came(void *user, int rc, struct store_chunk *c)
{
	struct reading *r = user;

	came(r, rc, c);
	if (atomic_fetch_add(&r->turn, 1) == 1)
		go_on(r);
}

/* Nothing is left to find out about it: the verdict, and its format. */
static bool is_out(struct reading *r, const struct mkv_format *format,
		   int64_t *ret_format)
{
	struct movie_plan plan = movies_plan(r->t->movies, r->node, r->slot);
	enum catalog_verdict verdict;

	*ret_format = 0;
	mkv_slot_unref(plan.slot);
	if (plan.known)
		return !plan.slot;
	return catalog_mark_get(r->t->c, reading_fragment(r), &verdict,
				ret_format) == 0 &&
	       movie_fact_is_out(r->t, movie_recipe(r->m)->range.stream,
				 verdict, *ret_format, format);
}

/* true: r->slot is to be asked for, to learn the format. */
static bool format_wanted(struct reading *r)
{
	const struct movie_layout *l = reading_layout(r);

	for (; r->source < l->n; r->source++) {
		struct mkv_format *format;
		int64_t id;

		r->slot = r->source;
		if (l->slots[r->slot].left_out || is_out(r, NULL, &id))
			continue;
		format = movie_fact_format(
			r->t, movie_recipe(r->m)->range.stream, id);
		if (!format)
			return true;
		movie_set_format(r->m, format);
		return false;
	}
	if (movie_says(r->m))
		g_warning("movie %s: none of its fragments can be shown",
			  l->title);
	r->rc = -EIO;
	return false;
}

/* What needs no fragment is added.  true: r->slot is to be asked for. */
static bool slot_wanted(struct reading *r)
{
	const struct movie_layout *l = reading_layout(r);
	struct movie_plan plan;
	int64_t start, end, id;
	bool done;

	r->slot = movie_layout_find(l, r->at - l->head_bytes);
	if (l->slots[r->slot].left_out) {
		movie_layout_gap(l, r->slot, &start, &end);
		reading_add_void(r, l->head_bytes + start, l->head_bytes + end);
		return false;
	}
	plan = movies_plan(r->t->movies, r->node, r->slot);
	if (plan.slot) {
		done = reading_add_slot(r, plan.slot, NULL);
		mkv_slot_unref(plan.slot);
		return !done;
	}
	if (!is_out(r, movie_format(r->m), &id))
		return true;
	reading_slot_bounds(r, &start, &end);
	reading_add_void(r, start, end);
	return false;
}

static bool wanted(struct reading *r)
{
	GBytes *head;

	r->learns = !movie_format(r->m);
	if (r->learns)
		return format_wanted(r);
	if (r->at >= reading_layout(r)->head_bytes)
		return slot_wanted(r);
	head = movie_head(r->m);
	reading_add_bytes(r,
			  (const uint8_t *)g_bytes_get_data(head, NULL) + r->at,
			  MIN(r->end, reading_layout(r)->head_bytes) - r->at);
	return false;
}

static void go_on(struct reading *r)
{
	while (r->rc == 0 && r->at < r->end) {
		if (!wanted(r))
			continue;
		atomic_store(&r->turn, 0);
		archive_whole(r->t->a, r->ticket, reading_fragment(r),
			      chunk_came, r);
		if (atomic_fetch_add(&r->turn, 1) == 0)
			return;
	}
	finish(r);
}

void movie_read(struct tree *t, archive_ticket ticket, uint64_t node,
		int64_t offset, size_t n, archive_read_fn fn, void *user)
{
	struct movie *m;
	struct reading *r;
	int rc = movie_at(t, node, &m);

	if (rc < 0) {
		fn(user, rc, NULL, 0);
		return;
	}
	r = g_new0(struct reading, 1);
	*r = (struct reading){
		.t = t,
		.ticket = ticket,
		.node = node,
		.m = m,
		.at = offset,
		.end = MIN(offset + (int64_t)n,
			   movie_layout_bytes(movie_layout(m))),
		.fn = fn,
		.user = user,
	};
	movie_reading_begin(r);
	go_on(r);
}
