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
#include <stdatomic.h>
#include <unistd.h>

#include "cache/store.h"
#include "fs/mkv/reader.h"
#include "fs/view/movie.h"

struct reading {
	struct tree *t;
	archive_ticket ticket;
	uint64_t node;
	struct movie *m;
	int64_t at, end; /* in the movie; what lies before at is in pieces */
	size_t slot;	 /* whose fragment is asked for */
	size_t source;	 /* the next that may say the movie's format */
	int rc;
	_Atomic int turn;

	GArray *pieces;	   /* struct archive_piece */
	GPtrArray *chunks; /* references, for as long as pieces are used */
	GPtrArray *slots;  /* likewise */
	GPtrArray *heads;  /* of Voids */

	archive_read_fn fn;
	void *user;
};

static void chunk_unref(void *c)
{
	store_chunk_unref(c);
}

static void slot_unref(void *s)
{
	mkv_slot_unref(s);
}

static void finish(struct reading *r)
{
	if (r->rc == -ESTALE)
		movies_spoil(r->t->movies, r->node);
	if (r->rc < 0)
		r->fn(r->user, r->rc, NULL, 0);
	else
		r->fn(r->user, 0, (struct archive_piece *)r->pieces->data,
		      r->pieces->len);
	g_array_unref(r->pieces);
	g_ptr_array_unref(r->chunks);
	g_ptr_array_unref(r->slots);
	g_ptr_array_unref(r->heads);
	movie_unref(r->m);
	g_free(r);
}

/* ---- pieces -------------------------------------------------------------- */

static void add_bytes(struct reading *r, const void *bytes, int64_t n)
{
	const struct archive_piece p = {.map = bytes, .fd = -1, .n = (size_t)n};

	g_array_append_val(r->pieces, p);
	r->at += n;
}

static void add_zeros(struct reading *r, int64_t n)
{
	static const uint8_t zeros[64 << 10];

	while (n > 0) {
		int64_t part = MIN(n, (int64_t)sizeof(zeros));

		add_bytes(r, zeros, part);
		n -= part;
	}
}

/* Of a Void element that is [start, end) of the movie, what is still wanted. */
static void add_void(struct reading *r, int64_t start, int64_t end)
{
	uint8_t *head = g_malloc(MKV_VOID_HEAD_MAX);
	int64_t n = (int64_t)mkv_void_head((uint64_t)(end - start), head);
	int64_t skip = r->at - start;

	g_ptr_array_add(r->heads, head);
	if (skip < n)
		add_bytes(r, head + skip, MIN(n - skip, r->end - r->at));
	add_zeros(r, MIN(end, r->end) - r->at);
}

static void add_part(struct reading *r, struct store_chunk *c,
		     const struct mkv_piece *p)
{
	const uint8_t *map = store_chunk_map(c);
	const struct archive_piece piece = {
		.map = map ? map + p->at : NULL,
		.fd = store_chunk_fd(c),
		.offset = p->at,
		.n = (size_t)p->n,
	};

	g_array_append_val(r->pieces, piece);
	r->at += p->n;
}

/* ---- slots --------------------------------------------------------------- */

static const struct movie_layout *layout(const struct reading *r)
{
	return movie_layout(r->m);
}

/* Of the slot at which the reading is: in the movie, half open. */
static void slot_bounds(const struct reading *r, int64_t *ret_start,
			int64_t *ret_end)
{
	const struct movie_layout *l = layout(r);

	*ret_start = l->head_bytes + l->slots[r->slot].at;
	*ret_end = l->head_bytes + movie_layout_end(l, r->slot);
}

/*
 * What of the slot is wanted.  Without a chunk it ends where the fragment's
 * file is needed: false.
 */
static bool add_slot(struct reading *r, struct mkv_slot *slot,
		     struct store_chunk *c)
{
	struct mkv_piece pieces[16];
	int64_t start, end;

	g_ptr_array_add(r->slots, mkv_slot_ref(slot));
	if (c)
		g_ptr_array_add(r->chunks, store_chunk_ref(c));
	slot_bounds(r, &start, &end);
	end = MIN(end, r->end);
	while (r->at < end) {
		size_t n = mkv_slot_pieces(slot, r->at - start, end - r->at,
					   pieces, G_N_ELEMENTS(pieces));

		for (size_t i = 0; i < MIN(n, G_N_ELEMENTS(pieces)); i++) {
			const struct mkv_piece *p = &pieces[i];

			if (p->bytes)
				add_bytes(r, p->bytes, p->n);
			else if (p->at < 0)
				add_zeros(r, p->n);
			else if (c)
				add_part(r, c, p);
			else
				return false;
		}
	}
	return true;
}

static int chunk_read(void *user, void *bytes, size_t n, int64_t offset)
{
	uint8_t *to = bytes;
	int fd = store_chunk_fd(user);

	while (n > 0) {
		ssize_t got = pread(fd, to, n, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EIO;
		to += got;
		offset += got;
		n -= (size_t)got;
	}
	return 0;
}

static struct mkv_source source_of(struct store_chunk *c)
{
	return (struct mkv_source){chunk_read, c, store_chunk_size(c)};
}

static struct mkv_slot_spec spec_of(const struct reading *r,
				    const struct mkv_format *f)
{
	const struct movie_layout *l = layout(r);
	struct movie_time time = movie_layout_time(l, r->slot);

	return (struct mkv_slot_spec){
		.slot_bytes = movie_layout_end(l, r->slot) -
			      l->slots[r->slot].at,
		.scale_ns = f->scale_ns,
		.cue_track = f->cue_track,
		.at_ticks = mkv_ticks(time.at_ms, f->scale_ns),
		.from_ticks = mkv_ticks(time.from_ms, f->scale_ns),
		.to_ticks = mkv_ticks(time.to_ms, f->scale_ns),
		.clock_track = l->clock ? f->free_track : 0,
		.wall_ms = l->slots[r->slot].t_ms,
		.wall_end_ms = time.wall_end_ms,
	};
}

static int64_t fragment_of(const struct reading *r)
{
	return layout(r)->slots[r->slot].id;
}

static void leave_out(struct reading *r, enum catalog_verdict verdict,
		      int64_t format, const char *why)
{
	movie_fact_out(r->t, fragment_of(r), verdict, format, why);
	movies_set_plan(r->t->movies, r->node, r->slot, NULL);
}

/* It does not fit where it was to go. */
static void too_large(struct reading *r, struct store_chunk *c)
{
	const struct movie_layout *l = layout(r);

	if (store_chunk_size(c) ==
	    movie_layout_end(l, r->slot) - l->slots[r->slot].at) {
		leave_out(r, CATALOG_UNFIT, 0, "it does not fit its place");
		return;
	}
	/* It has grown since: the next lookup makes room for it. */
	g_warning("a fragment has grown since the movie %s was opened and is "
		  "left out of it: open it again",
		  l->title);
	atomic_fetch_add(r->t->facts, 1);
	movies_set_plan(r->t->movies, r->node, r->slot, NULL);
}

static bool is_alike(struct reading *r, const struct mkv_format *its,
		     const struct mkv_format *format)
{
	if (its->decoder_id == format->decoder_id)
		return true;
	movie_fact_keep_format(r->t, movie_recipe(r->m)->range.stream, its);
	leave_out(r, CATALOG_OTHER_FORMAT, its->id,
		  "its Tracks are not those of the movie's beginning (a movie "
		  "of the time from there on has them)");
	return false;
}

/* Where the slot's bytes are, or that there are none: then it has a plan. */
static int make_plan(struct reading *r, struct store_chunk *c,
		     struct mkv_slot **ret_slot)
{
	const struct mkv_format *format = movie_format(r->m);
	const struct mkv_source source = source_of(c);
	const struct mkv_slot_spec spec = spec_of(r, format);
	struct mkv_format *its = NULL;
	struct mkv_slot *slot = NULL;
	int rc = mkv_format_read(&source, &its);
	int64_t t_ms = layout(r)->slots[r->slot].t_ms;

	/* What is being watched is used. */
	catalog_touch(r->t->c, movie_recipe(r->m)->range.stream, r->t->o.axis,
		      t_ms, t_ms + 1);
	if (rc == 0 && is_alike(r, its, format))
		rc = mkv_slot_new(&source, &spec, &slot);
	mkv_format_free(its);
	if (slot) {
		movies_set_plan(r->t->movies, r->node, r->slot, slot);
		*ret_slot = slot;
	} else if (rc == -ENODATA) {
		leave_out(r, CATALOG_NO_CLUSTER, 0, "it has no media");
	} else if (rc == -EPROTO || rc == -EBADMSG) {
		leave_out(r, CATALOG_UNFIT, 0,
			  "its header or its media cannot be part of a movie");
	} else if (rc == -EFBIG) {
		too_large(r, c);
	} else if (rc < 0) {
		return rc;
	}
	return 0;
}

static void slot_came(struct reading *r, struct store_chunk *c)
{
	struct movie_plan plan = movies_plan(r->t->movies, r->node, r->slot);
	int64_t start, end;

	if (!plan.known) {
		r->rc = make_plan(r, c, &plan.slot);
		if (r->rc < 0)
			return;
	}
	if (plan.slot) {
		add_slot(r, plan.slot, c);
		mkv_slot_unref(plan.slot);
		return;
	}
	slot_bounds(r, &start, &end);
	add_void(r, start, end);
}

/* ---- the movie's format ---------------------------------------------------
 */

static void format_came(struct reading *r, struct store_chunk *c)
{
	const struct mkv_source source = source_of(c);
	const uint32_t stream = movie_recipe(r->m)->range.stream;
	struct mkv_format *format;
	int rc = mkv_format_read(&source, &format);

	if (rc == 0) {
		movie_fact_usable(r->t, stream, fragment_of(r), format);
		movie_set_format(r->m, format);
	} else if (rc == -ENODATA) {
		leave_out(r, CATALOG_NO_CLUSTER, 0, "it has no media");
	} else {
		g_warning("movie %s: the header of its first fragment cannot "
			  "be that of a movie (Tracks of more than %d KiB?)",
			  layout(r)->title, MKV_FORMAT_TRACKS_MAX_BYTES >> 10);
		r->rc = -EIO;
	}
}

/* ---- one after the other --------------------------------------------------
 */

static void came(struct reading *r, int rc, struct store_chunk *c)
{
	if (rc == -ENODATA) /* the next round knows, and goes on without */
		leave_out(r, CATALOG_NOT_FOUND, 0,
			  "it is listed, but the service does not find it");
	else if (rc < 0)
		r->rc = rc;
	else if (!movie_format(r->m))
		format_came(r, c);
	else
		slot_came(r, c);
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
	return catalog_mark_get(r->t->c, fragment_of(r), &verdict,
				ret_format) == 0 &&
	       movie_fact_is_out(r->t, movie_recipe(r->m)->range.stream,
				 verdict, *ret_format, format);
}

/* true: r->slot is to be asked for, to learn the format. */
static bool format_wanted(struct reading *r)
{
	const struct movie_layout *l = layout(r);

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
	g_warning("movie %s: none of its fragments can be shown", l->title);
	r->rc = -EIO;
	return false;
}

/* What needs no fragment is added.  true: r->slot is to be asked for. */
static bool slot_wanted(struct reading *r)
{
	const struct movie_layout *l = layout(r);
	struct movie_plan plan;
	int64_t start, end, id;
	bool done;

	r->slot = movie_layout_find(l, r->at - l->head_bytes);
	if (l->slots[r->slot].left_out) {
		movie_layout_gap(l, r->slot, &start, &end);
		add_void(r, l->head_bytes + start, l->head_bytes + end);
		return false;
	}
	plan = movies_plan(r->t->movies, r->node, r->slot);
	if (plan.slot) {
		done = add_slot(r, plan.slot, NULL);
		mkv_slot_unref(plan.slot);
		return !done;
	}
	if (!is_out(r, movie_format(r->m), &id))
		return true;
	slot_bounds(r, &start, &end);
	add_void(r, start, end);
	return false;
}

static bool wanted(struct reading *r)
{
	GBytes *head;

	if (!movie_format(r->m))
		return format_wanted(r);
	if (r->at >= layout(r)->head_bytes)
		return slot_wanted(r);
	head = movie_head(r->m);
	add_bytes(r, (const uint8_t *)g_bytes_get_data(head, NULL) + r->at,
		  MIN(r->end, layout(r)->head_bytes) - r->at);
	return false;
}

static void go_on(struct reading *r)
{
	while (r->rc == 0 && r->at < r->end) {
		if (!wanted(r))
			continue;
		atomic_store(&r->turn, 0);
		archive_whole(r->t->a, r->ticket, fragment_of(r), chunk_came,
			      r);
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
		.pieces = g_array_new(FALSE, FALSE,
				      sizeof(struct archive_piece)),
		.chunks = g_ptr_array_new_with_free_func(chunk_unref),
		.slots = g_ptr_array_new_with_free_func(slot_unref),
		.heads = g_ptr_array_new_with_free_func(g_free),
		.fn = fn,
		.user = user,
	};
	go_on(r);
}
