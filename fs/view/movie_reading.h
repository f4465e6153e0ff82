/* SPDX-License-Identifier: MIT */
/*
 * movie_reading: a read of a movie that is under way, shared by movie_read.c
 * (what is asked for, one after the other), movie_plan.c (where the bytes of a
 * slot are) and movie_pieces.c (the answer).  One thread at a time.
 */
#ifndef KVSFS_VIEW_MOVIE_READING_H
#define KVSFS_VIEW_MOVIE_READING_H

#include <stdatomic.h>

#include "cache/store.h"
#include "fs/view/movie.h"

struct reading {
	struct tree *t;
	archive_ticket ticket;
	uint64_t node;
	struct movie *m;
	int64_t at, end; /* in the movie; what lies before at is in pieces */
	size_t slot;	 /* whose fragment is asked for */
	bool learns; /* for the movie's format, which others may learn first */
	size_t source; /* the next that may say the movie's format */
	int rc;
	_Atomic int turn;

	GArray *pieces;	   /* struct archive_piece */
	GPtrArray *chunks; /* references, for as long as pieces are used */
	GPtrArray *slots;  /* likewise */
	GPtrArray *heads;  /* of Voids */

	archive_read_fn fn;
	void *user;
};

static inline const struct movie_layout *reading_layout(const struct reading *r)
{
	return movie_layout(r->m);
}

/* The slot at which it is. */
static inline int64_t reading_fragment(const struct reading *r)
{
	return reading_layout(r)->slots[r->slot].id;
}

/* ---- the answer (movie_pieces.c) ---------------------------------------- */

void movie_reading_begin(struct reading *r); /* nothing is there yet */
void movie_reading_end(struct reading *r);   /* frees what pieces point to */

void reading_add_bytes(struct reading *r, const void *bytes, int64_t n);
/* Of a Void element that is [start, end) of the movie, what is still wanted. */
void reading_add_void(struct reading *r, int64_t start, int64_t end);
/* Of the slot at which the reading is: in the movie, half open. */
void reading_slot_bounds(const struct reading *r, int64_t *ret_start,
			 int64_t *ret_end);
/*
 * What of the slot is wanted.  Without a chunk it ends where the fragment's
 * file is needed: false.
 */
bool reading_add_slot(struct reading *r, struct mkv_slot *slot,
		      struct store_chunk *c);

/* ---- plans (movie_plan.c) ----------------------------------------------- */

struct mkv_source movie_plan_source(struct store_chunk *c);
/* There is nothing to show in the slot, for good. */
void movie_plan_leave_out(struct reading *r, enum catalog_verdict verdict,
			  int64_t format, const char *why);
/*
 * Where the slot's bytes are, or that there are none (*ret_slot stays NULL): it
 * has a plan from now on.  0 or -errno.
 */
int movie_plan_make(struct reading *r, struct store_chunk *c,
		    struct mkv_slot **ret_slot);

#endif
