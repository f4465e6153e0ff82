/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include <errno.h>

#include "fs/base/base.h"
#include "fs/view/movie_reading.h"

static int chunk_read(void *user, void *bytes, size_t n, int64_t offset)
{
	return base_read_all(store_chunk_fd(user), bytes, n, offset);
}

struct mkv_source movie_plan_source(struct store_chunk *c)
{
	return (struct mkv_source){chunk_read, c, store_chunk_size(c)};
}

static struct mkv_slot_spec spec_of(const struct reading *r,
				    const struct mkv_format *f)
{
	const struct movie_layout *l = reading_layout(r);
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

void movie_plan_leave_out(struct reading *r, enum catalog_verdict verdict,
			  int64_t format, const char *why)
{
	movie_fact_out(r->t, reading_fragment(r), verdict, format, why);
	movies_set_plan(r->t->movies, r->node, r->slot, NULL);
}

/* It does not fit where it was to go. */
static void too_large(struct reading *r, struct store_chunk *c)
{
	const struct movie_layout *l = reading_layout(r);

	if (store_chunk_size(c) ==
	    movie_layout_end(l, r->slot) - l->slots[r->slot].at) {
		movie_plan_leave_out(r, CATALOG_UNFIT, 0,
				     "it does not fit its place");
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
	movie_plan_leave_out(
		r, CATALOG_OTHER_FORMAT, its->id,
		"its Tracks are not those of the movie's beginning (a movie "
		"of the time from there on has them)");
	return false;
}

int movie_plan_make(struct reading *r, struct store_chunk *c,
		    struct mkv_slot **ret_slot)
{
	const struct mkv_format *format = movie_format(r->m);
	const struct mkv_source source = movie_plan_source(c);
	const struct mkv_slot_spec spec = spec_of(r, format);
	struct mkv_format *its = NULL;
	struct mkv_slot *slot = NULL;
	int rc = mkv_format_read(&source, &its);
	int64_t t_ms = reading_layout(r)->slots[r->slot].t_ms;

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
		movie_plan_leave_out(r, CATALOG_NO_CLUSTER, 0,
				     "it has no media");
	} else if (rc == -EPROTO || rc == -EBADMSG) {
		movie_plan_leave_out(
			r, CATALOG_UNFIT, 0,
			"its header or its media cannot be part of a movie");
	} else if (rc == -EFBIG) {
		too_large(r, c);
	} else if (rc < 0) {
		return rc;
	}
	return 0;
}
