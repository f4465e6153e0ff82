/* SPDX-License-Identifier: MIT */
/*
 * download: one fragment that is being fetched, from the moment that it is
 * wanted until it is whole, or has failed and that is forgotten.  There is one
 * at a time for each fragment, however many readers wait.
 *
 * Network thread only.
 */
#ifndef KVSFS_ARCHIVE_DOWNLOAD_H
#define KVSFS_ARCHIVE_DOWNLOAD_H

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

struct reader;

struct download {
	struct archive *a;
	struct stream_state *st;
	struct fragment f; /* file_bytes -1 while it calibrates */
	int refs;
	enum download_state state;
	bool calibrates;
	GPtrArray *waiters;    /* read questions */
	struct reader *reader; /* for whom it is read ahead, or NULL */

	/* fetch.c */
	GQueue *queue; /* where it waits for a call, or NULL */
	GList link;    /* there */

	/* download.c */
	int64_t progress_ms;	/* monotonic: created, or got further */
	int64_t furthest_bytes; /* of content, in any try */
	int64_t not_before_ms;	/* monotonic: backoff */
	unsigned tries;
	bool alone;		 /* a batch with it was refused as a whole */
	int rc;			 /* why the last try failed; -ENODATA: the
				    fragment was not found, in the stream */
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

/* A fragment that nobody fetches yet; in the table, in no queue. */
struct download *download_new(struct stream_state *st, const struct fragment *f,
			      bool calibrates);
struct download *download_ref(struct download *d);
void download_unref(struct download *d);

/* One more waits for it; into the queue that this wants it in. */
void download_wait(struct download *d, struct question *q);
/* Somebody waits for it now. */
bool download_waited_for(const struct download *d);
/* The same, or it is read ahead, or calibrates. */
bool download_wanted(const struct download *d);

/* Its chunk is there. */
void download_ended(struct download *d);
/* Waiters are told rc, and so is who asks again in a moment. */
void download_fail(struct download *d, int rc, const char *reason);
/* Out of table and queue: as if it had never been wanted. */
void download_forget(struct download *d);

/* read.c: what was to calibrate the stream has ended badly. */
void calibration_failed(struct stream_state *st, int64_t fragment, int rc);

#endif
