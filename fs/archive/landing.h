/* SPDX-License-Identifier: MIT */
/*
 * landing: one fragment on its way from the network into a chunk.
 *
 * Bytes are put in as they arrive; readers are answered as soon as their own
 * bytes are there; at the end the file is padded to its size and sealed.
 * Where the disk cannot take it, the same happens in memory.
 *
 * Network thread only.
 */
#ifndef KVSFS_ARCHIVE_LANDING_H
#define KVSFS_ARCHIVE_LANDING_H

#include "fs/archive/internal.h"

/*
 * The service keeps 50 MB a fragment at most (kvs-facts section 2).  What is
 * listed or sent as five times that is no fragment, and would only fill memory
 * or disk.
 */
#define FRAGMENT_MAX_BYTES (INT64_C(256) << 20)

enum download_state {
	DOWNLOAD_QUEUED, /* waits for a call */
	DOWNLOAD_ASKED,	 /* in a call that is under way */
	DOWNLOAD_WHOLE,	 /* all content is here; being sealed */
	DOWNLOAD_FAILED, /* rc is told to whoever asks again soon */
};

struct download {
	struct archive *a;
	struct stream_state *st;
	struct fragment f; /* file_bytes -1 while it calibrates */
	int refs;
	enum download_state state;
	bool calibrates;
	GPtrArray *waiters; /* read questions */

	/* fetch.c */
	int64_t progress_ms;	/* monotonic: created, or got further */
	int64_t furthest_bytes; /* of content, in any try */
	int64_t not_before_ms;	/* monotonic: backoff */
	unsigned tries;
	bool alone;		 /* a batch with it was refused as a whole */
	bool unreadable;	 /* the answer for it was not Matroska */
	int rc;			 /* why the last try failed */
	char *reason;		 /* the same for people */
	struct net_timer *timer; /* deadline; then end of DOWNLOAD_FAILED */

	/* landing.c, landing_size.c, room.c */
	unsigned landing;	/* counts tries, tells late answers apart */
	struct store_writer *w; /* NULL until room was made */
	bool in_memory, asks_room;
	bool telling;	     /* it grew: the kernel is being told */
	int64_t room_bytes;  /* what may be written */
	int64_t put_bytes;   /* content produced so far */
	int64_t size_bytes;  /* of the file, once it is padded; else -1 */
	GByteArray *pending; /* put, but not yet written */
};

/* A new try: forget what arrived, ask for room. */
void landing_begin(struct download *d);
/* Content in order; never fails: what the disk refuses goes to memory. */
void landing_put(struct download *d, const void *bytes, size_t n);
/* The content is whole: pad, seal, answer. */
void landing_whole(struct download *d);
/* Drops what has arrived. */
void landing_abort(struct download *d);
/* Goes on as far as it can. */
void landing_step(struct download *d);
/* landing_size.c: size_bytes, from put_bytes and what was shown. */
void landing_choose_size(struct download *d);
/* Answers the readers whose bytes are there. */
void landing_answer(struct download *d);
struct store_key landing_key(const struct download *d);

/* room.c: for landing only.  The answer comes through landing_step(). */
void room_ask(struct download *d);
void room_more(struct download *d);
/* An answer still under way is no longer for this try. */
void room_drop(struct download *d);
/* What may be written now; d->w is there and nothing is asked for. */
int64_t room_left(const struct download *d);
void room_write(struct download *d, const uint8_t *bytes, size_t n);

/* fetch.c: called by landing when a download has ended well or badly */
void download_ended(struct download *d);
void download_fail(struct download *d, int rc, const char *reason);
struct download *download_ref(struct download *d);
void download_unref(struct download *d);

/* held.c: chunks in memory, oldest out first; any thread may look */
void held_keep(struct archive *a, int64_t fragment, struct store_chunk *c);
struct store_chunk *held_find(struct archive *a, int64_t fragment);

#endif
