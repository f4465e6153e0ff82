/* SPDX-License-Identifier: MIT */
/*
 * catalog: which fragments each stream has, which intervals are known in full,
 * and as of when (server time).
 *
 * Passive: it never asks anybody.  Reads are synchronous, from any thread.
 * Changes are posted to the index's writer; done(user, rc) comes on the writer
 * thread after the commit (it may be NULL), and readers see them by then.
 *
 * How freshness is kept (DESIGN section 6).  A stream has one mark, in server
 * time: everything that arrived up to mark_ms has been seen, as far as the
 * chain of catch-ups reaches back, which is chain_ms.  An interval listed in
 * full at as_of_ms (server time when the listing began) is
 *
 *   CATALOG_KNOWN   where as_of_ms >= chain_ms: what arrived since was caught
 *                   up with by the chain
 *   CATALOG_STALE   where as_of_ms <  chain_ms: there was a gap since; good
 *                   enough only when the network is down
 *   CATALOG_UNKNOWN where no listing covered it
 *
 * A KNOWN interval that ended CATALOG_SETTLE_MS or more before the mark is
 * settled.
 *
 * Times are milliseconds since the epoch; intervals are half open.
 */
#ifndef KVSFS_CACHE_CATALOG_H
#define KVSFS_CACHE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CATALOG_SETTLE_MS  INT64_C(120000)
#define CATALOG_NUMBER_MAX 128
/* Clocks that differ by less agree; a mark further ahead was a mistake. */
#define CATALOG_AHEAD_MS INT64_C(60000)

struct cache_index;
struct catalog;

enum catalog_axis {
	CATALOG_PRODUCER,
	CATALOG_SERVER
};
enum catalog_knowledge {
	CATALOG_UNKNOWN,
	CATALOG_STALE,
	CATALOG_KNOWN
};

/* A stream's row.  Strings are the row's; catalog_stream_release(). */
struct catalog_stream {
	uint32_t id;	/* > 0, the same in every process; never used again */
	char *endpoint; /* override or "" : streams of another service apart */
	char *arn;	/* holds the creation time: a new stream, a new row */
	char *name;
	int64_t created_ms;
	int64_t retention_ms;
	int64_t mark_ms, chain_ms;	/* 0: never */
	int64_t slack_bytes;		/* -1: not calibrated */
	int64_t fragments, total_bytes; /* catalogued: count, listed bytes */
};
void catalog_stream_release(struct catalog_stream *s);

struct fragment {
	int64_t id; /* row; never used again, survives remounts */
	uint32_t stream;
	char number[CATALOG_NUMBER_MAX + 1];
	int64_t producer_ms, server_ms;
	int64_t length_ms;
	int64_t size_bytes; /* as listed */
	/*
	 * st_size: what was shown once, for ever (or until the content did not
	 * fit).  Where nothing was shown yet and the stream is calibrated it is
	 * size_bytes + slack, and shown is false.  -1: not calibrated.
	 */
	int64_t file_bytes;
	bool shown;
	int64_t payload_bytes; /* content before padding; -1: not known */
};

/* When it was, on that axis. */
static inline int64_t catalog_time_ms(enum catalog_axis axis,
				      const struct fragment *f)
{
	return axis == CATALOG_SERVER ? f->server_ms : f->producer_ms;
}

struct catalog *catalog_new(struct cache_index *ix);
/*
 * All streams are read as if they were calibrated with this slack; what they
 * were calibrated with stays in their rows.  Before any other call.
 */
void catalog_pin_slack(struct catalog *c, int64_t slack_bytes);
void catalog_free(struct catalog *c);

/* ---- reads: 0, -ENOENT or -EIO ---------------------------------------- */

int catalog_stream_get(struct catalog *c, uint32_t stream,
		       struct catalog_stream *ret_stream);
/* By endpoint and ARN. */
int catalog_stream_find(struct catalog *c, const char *endpoint,
			const char *arn, struct catalog_stream *ret_stream);
int catalog_fragment_get(struct catalog *c, int64_t id,
			 struct fragment *ret_fragment);
int catalog_fragment_find(struct catalog *c, uint32_t stream,
			  const char *number, struct fragment *ret_fragment);

/* The least knowledge of any part of [start, end). */
int catalog_knowledge(struct catalog *c, uint32_t stream,
		      enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		      enum catalog_knowledge *ret_knowledge);

/*
 * The first gap in [start, end) that is less than `wanted` (CATALOG_STALE or
 * CATALOG_KNOWN): *ret_start..*ret_end; -ENOENT where there is none.
 */
int catalog_gap(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		int64_t start_ms, int64_t end_ms, enum catalog_knowledge wanted,
		int64_t *ret_start, int64_t *ret_end);

/*
 * Up to max fragments with axis time in [start, end) whose server time is
 * >= alive_ms (older ones have expired), in (time, id) order, after the cursor
 * (time after_ms and id after_id; INT64_MIN, 0 to begin).  Fills out, returns
 * how many (0: no more) or -errno.
 */
int catalog_page(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		 int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		 int64_t after_ms, int64_t after_id, struct fragment *out,
		 size_t max);

/*
 * The first and last axis time in [start, end) of fragments alive; -ENOENT
 * where there is none.
 */
int catalog_span(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		 int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		 int64_t *ret_first_ms, int64_t *ret_last_ms);

/*
 * The first axis time >= start_ms and < end_ms of an alive fragment: hopping
 * from bucket to bucket costs one call per bucket that holds something.
 */
int catalog_next_time(struct catalog *c, uint32_t stream,
		      enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		      int64_t alive_ms, int64_t *ret_ms);

/*
 * Fragments of the stream whose id is > after_id, in id order: what came in
 * since, whoever wrote it.  Fills out, returns how many or -errno.
 */
int catalog_since(struct catalog *c, uint32_t stream, int64_t after_id,
		  struct fragment *out, size_t max);
/* The largest id in the catalog, 0 where it is empty. */
int catalog_last_id(struct catalog *c, int64_t *ret_id);

/* ---- changes: any thread; never block --------------------------------- */

typedef void (*catalog_done_fn)(void *user, int rc);

/*
 * Insert or update (name, retention) by endpoint and ARN; only endpoint, arn,
 * name, created_ms, retention_ms are read, and copied.
 */
void catalog_put_streams(struct catalog *c, const struct catalog_stream *rows,
			 size_t n, catalog_done_fn done, void *user);

struct catalog_listing {
	uint32_t stream;
	const struct fragment *fragments; /* number, times, length, size */
	size_t n;
	/* The interval that is now known in full, or start == end: none. */
	enum catalog_axis axis;
	int64_t known_start_ms, known_end_ms, as_of_ms;
	/* The mark moves to mark_ms (never back); 0: it stays. */
	int64_t mark_ms;
	/*
	 * A new chain begins at mark_ms, which may lie before the old mark:
	 * what was known before is stale.
	 */
	bool new_chain;
};
/*
 * One transaction.  A fragment already there keeps id, shown size and payload.
 * Everything is copied.
 */
void catalog_put_listing(struct catalog *c, const struct catalog_listing *l,
			 catalog_done_fn done, void *user);

/*
 * Sizes of [start, end) are being shown with this slack: they stay, whatever
 * the stream's slack is by the time this is written.
 */
void catalog_show(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		  int64_t start_ms, int64_t end_ms, int64_t slack_bytes);
/* The same for one row, as it was read: shown is false, file_bytes >= 0. */
void catalog_show_one(struct catalog *c, const struct fragment *f);

/*
 * The stream's slack from now on.  What has been shown keeps its size.  With
 * only_raise a smaller or equal value changes nothing.
 */
void catalog_set_slack(struct catalog *c, uint32_t stream, int64_t slack_bytes,
		       bool only_raise, catalog_done_fn done, void *user);

/* What a fragment's content turned out to be; file_bytes -1: as it is. */
void catalog_set_payload(struct catalog *c, int64_t id, int64_t payload_bytes,
			 int64_t file_bytes, catalog_done_fn done, void *user);

/* Forget fragments of the stream that arrived before alive_ms. */
void catalog_expire(struct catalog *c, uint32_t stream, int64_t alive_ms);

/*
 * Forget least recently touched settled intervals and their fragments until
 * the index is at most max_bytes (no-op below it).  To be called now and then:
 * fragments that no interval holds go only where they were there at the call
 * before, or a listing under way would lose its first pages.
 */
void catalog_trim(struct catalog *c, int64_t max_bytes);
/*
 * Call fn on the writer thread with the ids that a trim of this process has
 * forgotten, after the commit.  NULL: no more, once the writer has been waited
 * for.
 */
typedef void (*catalog_forgot_fn)(void *user, const int64_t *ids, size_t n);
void catalog_on_forget(struct catalog *c, catalog_forgot_fn fn, void *user);

/* The interval was looked at: what catalog_trim() goes by. Cheap. */
void catalog_touch(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		   int64_t start_ms, int64_t end_ms);

#endif
