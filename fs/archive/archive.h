/* SPDX-License-Identifier: MIT */
/*
 * archive: "which fragments start in [a, b)?" and "bytes of fragment F",
 * answered from the catalog and the store, or fetched and remembered.
 *
 * It joins catalog, store and the API and knows nothing of paths or FUSE.
 * Any thread may call any function.  Nothing here waits for the network on the
 * caller's thread (but for archive_open()): a question is answered at once by
 * calling its function before the call returns, or later on the network
 * thread, or on the index's writer thread.  Each function is called exactly
 * once; it must not block and must not call back into archive_close().
 *
 * Errors are those of the table in DESIGN section 5, as -errno: -ENOENT,
 * -ESTALE (expired while open), -EACCES, -ETIMEDOUT, -EIO, -EINTR (cancelled).
 * Each is logged once, here, with stream, fragment, AWS error name and request
 * id.
 */
#ifndef KVSFS_ARCHIVE_ARCHIVE_H
#define KVSFS_ARCHIVE_ARCHIVE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/catalog.h"
#include "fs/base/clock.h"

struct archive;
struct aws_settings;
struct store;
struct store_chunk;

/* Called on the network thread; must not block. */
struct archive_events {
	/*
	 * Came into the catalog since the last touch, whoever listed it, in a
	 * bucket that may have been shown without it.
	 */
	void (*fragment_added)(void *user, const struct fragment *f);
	/*
	 * Its st_size may not be what was shown before.  told(arg) must be
	 * called once, on any thread, when nobody trusts the old one any more:
	 * readers wait for that.
	 */
	void (*fragment_resized)(void *user, const struct fragment *f,
				 void (*told)(void *arg), void *arg);
	/*
	 * Any thread: the catalog has made room and its row is gone.  It still
	 * exists, and is found again by listing its bucket.
	 */
	void (*fragment_forgotten)(void *user, int64_t id);
};

struct archive_options {
	const char *stream;	/* NAME, PREFIX*, '*' or an ARN */
	enum catalog_axis axis; /* what a bucket goes by */
	bool raw;
	int64_t metadata_ttl_ms; /* default 5000 */
	int64_t timeout_ms;	 /* a fetch's deadline, default 60000 */
	int64_t slack_bytes;	 /* --slack, or -1: calibrate */
	/* Per stream, 0: no limit (kvs-facts section 1). */
	double media_calls_per_s, media_fragments_per_s, list_points_per_s;
	int media_connections;
	int64_t memory_bytes; /* for what cannot be cached on disk */
	/* Fetched before it is asked for, of all readers; 0: nothing is. */
	int64_t readahead_bytes;
	const struct clock *clock;
	uint32_t (*random)(void);
	const char *user_agent;
};

/*
 * Resolves the stream(s): this waits for the network, up to timeout_ms.  All
 * pointers in o and the other arguments are borrowed until archive_close().
 * 0, or -errno with one sentence for people in *ret_error (g_free()).
 */
int archive_open(const struct archive_options *o,
		 const struct aws_settings *settings, struct cache_index *ix,
		 struct catalog *catalog, struct store *store,
		 struct archive **ret_archive, char **ret_error);
/* From now on events go there; before the first question. */
void archive_set_events(struct archive *a, const struct archive_events *events,
			void *user);
/* Every question still open is answered -EIO first.  NULL is fine. */
void archive_close(struct archive *a);

/* Server time as far as it is known. */
int64_t archive_now_ms(const struct archive *a);
/* For local reads: catalog_*() without asking anybody. */
struct catalog *archive_catalog(struct archive *a);
bool archive_is_pattern(const struct archive *a); /* PREFIX* or '*' */

/* ---- streams ----------------------------------------------------------- */

struct archive_stream {
	uint32_t id;
	char *name, *arn;
	int64_t created_ms, retention_ms;
};

/*
 * The streams now, by name: a snapshot of struct archive_stream * that stays
 * as it is; g_ptr_array_unref() it.  Never NULL.
 */
GPtrArray *archive_streams(struct archive *a);
/* One of them by id or name; *ret_streams keeps it alive (unref). */
const struct archive_stream *archive_stream_by_id(struct archive *a,
						  uint32_t id,
						  GPtrArray **ret_streams);

/* Fragments that arrived before this have expired. */
int64_t archive_alive_ms(struct archive *a, const struct archive_stream *s);
/* [max(creation, now - retention), now + 1 ms) */
void archive_window(struct archive *a, const struct archive_stream *s,
		    int64_t *ret_start_ms, int64_t *ret_end_ms);

enum archive_state {
	ARCHIVE_EMPTY,	 /* known to hold nothing */
	ARCHIVE_HOLDS,	 /* holds at least one fragment */
	ARCHIVE_UNKNOWN, /* nobody asked yet: it must be shown */
};
/* Of [start, end), from the catalog alone. */
enum archive_state archive_state(struct archive *a,
				 const struct archive_stream *s,
				 int64_t start_ms, int64_t end_ms);
/* Known in full, and over for CATALOG_SETTLE_MS: it may be remembered. */
bool archive_settled(struct archive *a, uint32_t stream, int64_t start_ms,
		     int64_t end_ms);

/* ---- questions ---------------------------------------------------------- */

/*
 * A ticket names a question so that it can be cancelled; it is taken before
 * the question is put, since the answer may come first.
 */
typedef uint64_t archive_ticket;
archive_ticket archive_ticket_new(struct archive *a);
/* The question is answered -EINTR if it still waits; else nothing happens. */
void archive_cancel(struct archive *a, archive_ticket t);

typedef void (*archive_fn)(void *user, int rc);

/* The set of streams is no older than the TTL (a minute at least). */
void archive_refresh_streams(struct archive *a, archive_ticket t, archive_fn fn,
			     void *user);

enum archive_list_how {
	/*
	 * To look at: where the range was listed before and the service cannot
	 * be reached, what is known is good enough, rc 0.  While it answers,
	 * refusals included, it is waited for: half a listing is none.
	 */
	ARCHIVE_LIST_KNOWN,
	/* To say that something is not there: a failure is a failure. */
	ARCHIVE_LIST_FRESH,
};

/*
 * After rc 0 the catalog holds every fragment of [start, end), as fresh as the
 * TTL asks.
 */
void archive_list(struct archive *a, archive_ticket t, uint32_t stream,
		  int64_t start_ms, int64_t end_ms, enum archive_list_how how,
		  archive_fn fn, void *user);

/*
 * Find out cheaply which buckets of bucket_ms in [start, end) hold something:
 * one wide call, then a few probes.  After rc 0 archive_state() says what is
 * known; much may stay ARCHIVE_UNKNOWN.  rc is an error only where nothing at
 * all is known of the range.
 */
void archive_survey(struct archive *a, archive_ticket t, uint32_t stream,
		    int64_t start_ms, int64_t end_ms, int64_t bucket_ms,
		    archive_fn fn, void *user);

/*
 * After rc 0 the stream is calibrated: every fragment of it has file_bytes.
 * Fetches this fragment where it is not yet.
 */
void archive_calibrate(struct archive *a, archive_ticket t, int64_t fragment,
		       archive_fn fn, void *user);

/*
 * Bytes [offset, offset + n) of a file, fewer only at its end, as pieces one
 * after the other: here always one.  map is NULL or points at all n bytes of
 * the piece; they may be handed to the kernel, but not touched (see
 * store_chunk_map()), unless fd is -1.  Else fd and offset always work.  Valid
 * during the call only.
 */
struct archive_piece {
	const uint8_t *map;
	int fd;
	int64_t offset;
	size_t n;
};
typedef void (*archive_read_fn)(void *user, int rc,
				const struct archive_piece *pieces,
				size_t n_pieces);
void archive_read(struct archive *a, archive_ticket t, int64_t fragment,
		  int64_t offset, size_t n, archive_read_fn fn, void *user);

/*
 * The fragment's file as a whole, once it is all there.  -ENODATA: the service
 * lists it and, asked again and again, does not have it: a fact about it, not a
 * moment's trouble (never said of what has only just arrived).  The chunk is
 * held during the call; its size is the file's, now.  It counts as read.
 */
typedef void (*archive_chunk_fn)(void *user, int rc, struct store_chunk *chunk);
void archive_whole(struct archive *a, archive_ticket t, int64_t fragment,
		   archive_chunk_fn fn, void *user);

/*
 * For a reader that does not come here for each read: the chunk, whole and
 * checked, and held until store_chunk_unref().  Blocks on local disk only.  0,
 * -ESTALE as archive_read(), or -ENOENT: only archive_read() has it by now.
 */
int archive_pin(struct archive *a, int64_t fragment,
		struct store_chunk **ret_chunk);
/* Somebody uses it without reading from here: the last to be evicted. */
void archive_touch(struct archive *a, int64_t fragment);
/* store_sample() */
int archive_sample(struct archive *a);

/* Is the fragment's content in the store? */
bool archive_cached(struct archive *a, const struct fragment *f);

#endif
