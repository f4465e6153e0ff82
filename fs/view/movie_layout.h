/* SPDX-License-Identifier: MIT */
/*
 * movie_layout: where everything is in a movie, from what was listed alone: its
 * header, then a slot for each fragment, as large as the fragment's file.
 *
 * Of fragments that start together, or that overlap by more than half of the
 * shorter, the one with the lowest number stays; the others are Void.  It is
 * decided in the order of time, against those that have stayed so far: two
 * cameras' worth of uploads after a reconnect do not erase each other.
 *
 * Times are milliseconds; a movie's clock is 0 where its first slot begins.
 * Pure but for the callback; any thread; immutable once sealed.
 */
#ifndef KVSFS_VIEW_MOVIE_LAYOUT_H
#define KVSFS_VIEW_MOVIE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/catalog_movie.h"
#include "fs/mkv/movie_head.h"

/* The service ends a fragment after so long (kvs-facts): what starts this long
   before a range may reach into it. */
#define MOVIE_REACH_MS INT64_C(20000)

struct movie_slot {
	int64_t id;
	int64_t at; /* bytes from the first slot */
	int64_t t_ms;
	int32_t length_ms;
	bool lost;     /* another goes before it */
	bool left_out; /* lost, or for good there is nothing to show */
};

struct movie_layout {
	struct movie_slot *slots;
	size_t n;
	size_t n_left_out;
	int64_t head_bytes, slots_bytes;
	int64_t base_ms; /* UTC at 0 of the movie's clock */
	int64_t duration_ms;
	int64_t newest_ms;
	size_t n_cues_room; /* those for which the header has room */
	char *title;
	bool clock;
	/* Of all that the bytes depend on; of that and the rows' ids. */
	uint64_t fingerprint, rows_fingerprint;
};

/* < 0: the fragment a has the lower number. */
typedef int (*movie_order_fn)(void *user, int64_t a, int64_t b);

/*
 * Rows by time and number, n > 0 of them with file_bytes >= 0.  Slot i is of
 * row i.
 */
struct movie_layout *movie_layout_new(const struct catalog_slot *rows, size_t n,
				      movie_order_fn order, void *user);
void movie_layout_free(struct movie_layout *l); /* NULL is fine */
/* Before it is sealed: there is nothing to show of it, for good. */
void movie_layout_leave_out(struct movie_layout *l, size_t slot);
void movie_layout_seal(struct movie_layout *l, const char *title, bool clock);

/*
 * Which of the rows are in the movie of [start, end): those that start in it
 * and, with reach, the last one before it that reaches into it.
 * *ret_first..*ret_end, half open.
 */
void movie_layout_choose(const struct catalog_slot *rows, size_t n,
			 int64_t start_ms, bool reach, size_t *ret_first,
			 size_t *ret_end);

static inline int64_t movie_layout_bytes(const struct movie_layout *l)
{
	return l->head_bytes + l->slots_bytes;
}
/* The slot that holds a byte; offset is from the first slot, in range. */
size_t movie_layout_find(const struct movie_layout *l, int64_t offset);
/* Where a slot ends. */
int64_t movie_layout_end(const struct movie_layout *l, size_t slot);
/* Of slots that are left out: how far around this one there is nothing else.
   Bytes from the first slot, half open. */
void movie_layout_gap(const struct movie_layout *l, size_t slot,
		      int64_t *ret_start, int64_t *ret_end);

/* When a slot is: on the movie's clock, but for wall_end_ms. */
struct movie_time {
	int64_t at_ms;
	int64_t from_ms, to_ms; /* no Cluster is stamped outside of that */
	int64_t wall_end_ms;	/* UTC: until when the clock runs */
};
struct movie_time movie_layout_time(const struct movie_layout *l, size_t slot);

/* All of the movie's header, in the format of its media. */
void movie_layout_write_head(const struct movie_layout *l,
			     const struct mkv_format *format, GByteArray *out);

/* Memory that it takes. */
size_t movie_layout_cost_bytes(const struct movie_layout *l);

#endif
