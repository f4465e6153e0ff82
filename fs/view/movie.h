/* SPDX-License-Identifier: MIT */
/*
 * movie: what the files about movies share: movie_build.c lays one out from
 * the catalog, movie_lookup.c answers for names and attributes, movie_facts.c
 * keeps what was found out about single fragments, movie_read.c reads.
 */
#ifndef KVSFS_VIEW_MOVIE_H
#define KVSFS_VIEW_MOVIE_H

#include "fs/view/internal.h"
#include "fs/view/movies.h"

/* ---- building (movie_build.c) -------------------------------------------- */

/*
 * The movie of r's range as the catalog knows it now: of rows up to r->max_id
 * that are r->alive_ms or younger.  With r->out those slots are left out, else
 * by what is known of their fragments now; then r is completed.  0, -ENOENT: it
 * holds nothing, -EAGAIN: there is a fragment that has no size yet, or -errno.
 */
int movie_build(struct tree *t, const struct archive_stream *s,
		struct movie_recipe *r, struct movie_layout **ret_layout);
/* A fragment of it that has no size yet, after so many others; 0: none. */
int64_t movie_sizeless(struct tree *t, const struct movie_recipe *r,
		       size_t pass_over);
/* How many of a movie's fragments are not in it, as far as is known now. */
size_t movie_skipped(struct tree *t, struct movie *m);
/* The movie of a node; -ESTALE where it cannot be laid out as it was. */
int movie_at(struct tree *t, uint64_t node, struct movie **ret_movie);

/* ---- lookup (movie_lookup.c) --------------------------------------------- */

void movie_lookup(struct tree *t, archive_ticket ticket,
		  const struct archive_stream *s, const struct movie_range *r,
		  tree_entry_fn fn, void *user);
/* What is open is as it was: 0 or -ESTALE. */
int movie_open(struct tree *t, uint64_t node);
/* By what is kept; -ESTALE. */
int movie_entry(struct tree *t, uint64_t node, struct tree_entry *ret_entry);

/* ---- facts (movie_facts.c) ---------------------------------------------- */

/* Is there nothing to show of it, for good, in a movie of that format (NULL:
   not known yet)? */
bool movie_fact_is_out(struct tree *t, uint32_t stream,
		       enum catalog_verdict verdict, int64_t format_id,
		       const struct mkv_format *format);
/* The format that a mark speaks of; NULL where it is not known. */
struct mkv_format *movie_fact_format(struct tree *t, uint32_t stream,
				     int64_t id);
/* Keeps it, and says it once; why: for people. */
void movie_fact_out(struct tree *t, int64_t fragment,
		    enum catalog_verdict verdict, int64_t format,
		    const char *why);
/* It can be shown in that format. */
void movie_fact_usable(struct tree *t, uint32_t stream, int64_t fragment,
		       const struct mkv_format *format);
void movie_fact_keep_format(struct tree *t, uint32_t stream,
			    const struct mkv_format *format);

/* ---- reading (movie_read.c) --------------------------------------------- */

void movie_read(struct tree *t, archive_ticket ticket, uint64_t node,
		int64_t offset, size_t n, archive_read_fn fn, void *user);

#endif
