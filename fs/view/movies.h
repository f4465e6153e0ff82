/* SPDX-License-Identifier: MIT */
/*
 * movies: the movies that the kernel knows, and what is kept of them.
 *
 * A movie is an immutable layout.  Its node number says nothing about it, so
 * what is needed to lay it out again is kept for as long as the kernel knows
 * the number (its lookup count): some hundred bytes.  Layouts themselves are
 * kept while there is room, the most recently used longest; so are plans, which
 * say where the bytes of a slot are.
 *
 * Any thread.  One lock guards the tables; catalog and files are never read
 * under it.
 */
#ifndef KVSFS_VIEW_MOVIES_H
#define KVSFS_VIEW_MOVIES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/mkv/slot.h"
#include "fs/view/movie_layout.h"

struct movie_range {
	uint32_t stream;
	int64_t start_ms, end_ms;
	bool reach; /* the fragment before it that reaches into it, too */
};

/* What the catalog said of the stream as a whole, and how much was found out:
   while that is the same, a layout is as well. */
struct movie_state {
	int64_t fragments, total_bytes, slack_bytes;
	unsigned facts;
};

/* All that a layout is made from, besides what is listed in it. */
struct movie_recipe {
	struct movie_range range;
	struct movie_state state;
	int64_t max_id, alive_ms; /* rows that were there */
	GArray *out; /* uint32_t: slots that were left out but not lost */
	/* What came of it. */
	uint64_t node, ino;
	uint64_t rows_fingerprint;
	int64_t size_bytes, newest_ms;
	int64_t first_ms; /* when the first of its fragments arrived */
};

/* What is kept of a movie while there is room. */
struct movie; /* refcounted */

const struct movie_layout *movie_layout(const struct movie *m);
const struct movie_recipe *movie_recipe(const struct movie *m);
struct movie *movie_ref(struct movie *m);
void movie_unref(struct movie *m); /* NULL is fine */
#define auto_movie __attribute__((cleanup(movie_cleanup)))
static inline void movie_cleanup(struct movie **m)
{
	movie_unref(*m);
}

/*
 * The format of its media and its header, once they were learnt; NULL before.
 * They live as long as the movie.  The first format that is set stays; it is
 * taken over in any case.
 */
const struct mkv_format *movie_format(struct movie *m);
GBytes *movie_head(struct movie *m);
void movie_set_format(struct movie *m, struct mkv_format *format);

/* Is it the first time that trouble with the movie as a whole is to be said? */
bool movie_says(struct movie *m);

struct movies;
struct movies *movies_new(void);
void movies_free(struct movies *all); /* nothing uses a movie any more */

/*
 * The kernel is about to learn of this movie, once more: counts a lookup.
 * Takes layout and what r points to over; r's numbers are complete.
 */
void movies_show(struct movies *all, const struct movie_recipe *r,
		 struct movie_layout *layout);
/*
 * The same for the movie of the range, if its layout is kept and was made in
 * that state, and none of it arrived before alive_ms: true, and its recipe
 * without a hold on out.
 */
bool movies_show_again(struct movies *all, const struct movie_range *range,
		       const struct movie_state *state, int64_t alive_ms,
		       struct movie_recipe *ret_recipe);
/* The kernel forgets that many lookups. */
void movies_forget(struct movies *all, uint64_t node, uint64_t n);

/*
 * The movie, if it is kept; else its recipe: a copy, movie_recipe_release(),
 * to lay it out again and give to movies_keep().  0 with the movie or the
 * recipe, or -ESTALE.
 */
int movies_get(struct movies *all, uint64_t node, struct movie **ret_movie,
	       struct movie_recipe *ret_recipe);
struct movie *movies_keep(struct movies *all, const struct movie_recipe *r,
			  struct movie_layout *layout);
/* The recipe alone, with no hold on out.  0 or -ESTALE. */
int movies_look(struct movies *all, uint64_t node,
		struct movie_recipe *ret_recipe);
void movie_recipe_release(struct movie_recipe *r);
/*
 * Something in it is not what it was any more: until the kernel looks its name
 * up again it is -ESTALE.
 */
void movies_spoil(struct movies *all, uint64_t node);

/* ---- plans --------------------------------------------------------------- */

/* slot NULL: for good there is nothing to show in it. */
struct movie_plan {
	bool known;
	struct mkv_slot *slot; /* a reference: mkv_slot_unref() */
};
struct movie_plan movies_plan(struct movies *all, uint64_t node, size_t slot);
/* Takes a reference of its own. */
void movies_set_plan(struct movies *all, uint64_t node, size_t slot,
		     struct mkv_slot *plan);

#endif
