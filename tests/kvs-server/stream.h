/* SPDX-License-Identifier: MIT */
/*
 * stream: one stream of the server, its fragments by time and by number.
 *
 * Most fragments are the grid's, computed.  Extras are fragments that were
 * added one by one: late uploads, producers with a wrong clock.  Fragments are
 * visible once they are complete, and until their server time has left the
 * retention.
 *
 * Immutable but for the extras and what is marked; any thread.
 */
#ifndef KVS_SERVER_STREAM_H
#define KVS_SERVER_STREAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvs-server/grid.h"
#include "tests/kvs-server/media.h"
#include "tests/kvs-server/quota.h"
#include "tests/kvs-server/stats.h"

enum media_order {
	ORDER_REQUEST,
	ORDER_SORTED,
	ORDER_SHUFFLED
};

/* What fragments that start then or later look like. */
struct later {
	int64_t from_ms;
	const struct media *media;
};

struct stream {
	char *name, *arn;
	char *media_type; /* or NULL */
	char status[16];
	int64_t created_ms;
	_Atomic int64_t retention_ms;
	atomic_bool deleted;
	struct grid grid;
	const struct media *media;
	struct later *later; /* by time */
	size_t n_later;
	int64_t n_templates; /* Clusters of the clip, or 1 */
	int64_t session_fragments;
	bool sorted; /* the lists; else shuffled */
	int order;   /* enum media_order */
	bool exception_tags;
	bool stop_after_error;
	int64_t empty_pages; /* before the first fragment of a listing */
	uint64_t seed;
	struct quota quota;
	struct counters counters[API_COUNT]; /* stats' lock */

	pthread_mutex_t lock;
	struct frag *extras; /* under lock; values, never removed */
	size_t n_extras;
};

void stream_free(struct stream *s);
const struct media *stream_media(const struct stream *s, const struct frag *f);
void stream_grid_frag(const struct stream *s, int64_t index, struct frag *ret);

/* What to add; -1 or empty where the server chooses. */
struct extra {
	int64_t producer_ms, server_ms;
	int64_t spacing_ms, length_ms, size_bytes, cluster;
	char number[NUMBER_LEN + 1];
	bool lost;
};
void stream_add(struct stream *s, const struct extra *x, struct frag *ret);

/* false: never made, not yet complete, or past retention. */
bool stream_find(struct stream *s, const char *number, int64_t now_ms,
		 struct frag *ret);
/* Whether the number was ever given to a fragment of this stream. */
bool stream_owns(struct stream *s, const char *number);

/* Fragments by a range of one of the clocks, inclusive at both ends. */
struct selection {
	bool by_server;
	int64_t start_ms, end_ms;
	int64_t lo_rank, hi_rank;  /* of the grid */
	int64_t n_extras;	   /* extras that were there */
	int64_t oldest_ms, now_ms; /* server times that are visible */
	int64_t total;
	int64_t *extras; /* which of them; selection_free() */
};
void stream_select(struct stream *s, bool by_server, int64_t start_ms,
		   int64_t end_ms, int64_t now_ms, struct selection *ret);
/* As it was: the counts of an earlier selection, from a token. */
void stream_reselect(struct stream *s, struct selection *sel);
/* The k-th of sel->total. */
void stream_nth(struct stream *s, const struct selection *sel, int64_t k,
		struct frag *ret);
void selection_free(struct selection *sel);

#endif
