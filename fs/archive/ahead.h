/* SPDX-License-Identifier: MIT */
/*
 * ahead: what will be read next is fetched before it is asked for.
 *
 * A reader is known by its place in a stream.  It has shown that it goes on
 * when it reads the fragment after the one it read last; from then on fragments
 * are queued ahead of it, as many bytes as its window holds, and the window
 * grows whenever it still had to wait.  (Of a movie, when it does so for
 * longer: a player that is sent to a place reads somewhat around it.)  Many
 * readers of a stream have a window each; all of them together stay within one
 * budget.  A fragment that was fetched ahead counts until it is read: whoever
 * stops reading stops being read ahead for, and after a while what is queued
 * for it is dropped.
 *
 * Retrieved data costs money, so a fragment that is opened by itself fetches
 * that fragment alone, and the end of an hour is crossed with a part of the
 * window only, until the reader has crossed one.
 *
 * Network thread only, but for ahead_hit().
 */
#ifndef KVSFS_ARCHIVE_AHEAD_H
#define KVSFS_ARCHIVE_AHEAD_H

#include "fs/archive/download.h"

/* Queued ahead, on its way, or there and not read yet. */
struct ahead {
	int64_t fragment;
	int64_t bytes;
	struct reader *r;
	bool told; /* a worker saw it read; under archive.lock */
};

struct reader {
	struct stream_state *st;
	uint64_t serial;
	int64_t at_ms, at_id;	  /* what it read last */
	int64_t edge_ms, edge_id; /* what was queued last; or at */
	int64_t next_id;	  /* after the edge; 0: not known yet */
	int64_t window_bytes;	  /* 0: it has not gone on yet */
	int64_t ahead_bytes;	  /* of all entries */
	GQueue entries;		  /* struct ahead, in order */
	GQueue queued;		  /* struct download, in order */
	int64_t used_ms;	  /* monotonic */
	bool crossed;		  /* it went from one hour to the next */
	unsigned borders;	  /* from one fragment to the next */
	bool movie;		  /* it reads them as parts of one */
	bool more;		  /* only the window ends what is queued */
	bool lists;		  /* what comes after the edge */
};

/*
 * A read of the fragment came here; waits: it is not there yet.  Downloads are
 * queued, not scheduled.
 */
void ahead_read(struct stream_state *st, const struct fragment *f, bool waits,
		bool movie);
/* Any thread: a read of the fragment was answered without asking here. */
void ahead_hit(struct archive *a, int64_t fragment);

/* A download is over: what came of it still counts until it is read, or
   nothing did and nothing counts. */
void ahead_ended(struct download *d);
void ahead_failed(struct download *d);

/*
 * The readers of a stream take turns: the next whose downloads wait, or NULL.
 * It goes to the end of the line.
 */
struct reader *ahead_turn(struct stream_state *st);
/* Is more to come than what is queued now, as soon as that is read? */
bool ahead_more(const struct stream_state *st);

/* ahead_fill.c: queue downloads up to the window. */
void ahead_fill(struct reader *r);
/* Of all readers together; less where only memory has room. */
int64_t ahead_limit_bytes(const struct archive *a);
/* d, which is new, is queued ahead of the reader. */
void ahead_add(struct reader *r, const struct fragment *f, struct download *d);
struct reader *ahead_reader(struct stream_state *st, uint64_t serial);

void ahead_stop(struct archive *a);	  /* closing: no timer any more */
void ahead_free(struct stream_state *st); /* after the loop has ended */

#endif
