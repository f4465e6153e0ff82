/* SPDX-License-Identifier: MIT */
/*
 * catalog_movie: what of the catalog only movies need: many fragments in few
 * bytes each, and what was found out about single ones for good (marks).  As
 * catalog.h says of reads and changes.
 */
#ifndef KVSFS_CACHE_CATALOG_MOVIE_H
#define KVSFS_CACHE_CATALOG_MOVIE_H

#include "cache/catalog.h"

/* Why a fragment is left out of movies.  In the index: never renumber. */
enum catalog_verdict {
	CATALOG_USABLE = 0, /* or nothing is known */
	CATALOG_NOT_FOUND = 1,
	CATALOG_NO_CLUSTER = 2,
	CATALOG_OTHER_FORMAT = 3, /* than the movie's in which it was met */
	CATALOG_UNFIT = 4,	  /* its Tracks fit no movie */
	CATALOG_OVERLAPS = 5,	  /* another that goes before it */
};

struct catalog_slot {
	int64_t id;
	int64_t t_ms; /* on the axis */
	int64_t server_ms;
	int64_t file_bytes; /* as struct fragment's */
	int64_t format;	    /* of its mark; 0: none */
	int32_t length_ms;  /* 0 to INT32_MAX */
	bool shown;
	uint8_t verdict; /* of its mark */
};

/*
 * All fragments as catalog_page() takes them, whose id is at most max_id
 * (INT64_MAX: all), by time and, where that is the same, by number (shorter
 * ones first, then by digits), so that the order is the same on every machine.
 * *ret_slots is the caller's, to be free()d; NULL where there are none.
 */
int catalog_slots(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		  int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		  int64_t max_id, struct catalog_slot **ret_slots,
		  size_t *ret_n);

/* -ENOENT: it has no mark. */
int catalog_mark_get(struct catalog *c, int64_t id,
		     enum catalog_verdict *ret_verdict, int64_t *ret_format);
/*
 * Instead of the mark it had; format 0: none.  It goes with the fragment's row;
 * without a row nothing is written.
 */
void catalog_mark(struct catalog *c, int64_t id, enum catalog_verdict verdict,
		  int64_t format, catalog_done_fn done, void *user);

/*
 * The bytes of a format (to the catalog, just bytes) under its id, which says
 * all about them: there once, they stay.  Copied.  They go with the stream.
 */
void catalog_put_format(struct catalog *c, uint32_t stream, int64_t format,
			const void *bytes, size_t n, catalog_done_fn done,
			void *user);
/* *ret_bytes is the caller's, to be free()d.  -ENOENT. */
int catalog_format_get(struct catalog *c, uint32_t stream, int64_t format,
		       void **ret_bytes, size_t *ret_n);

#endif
