/* SPDX-License-Identifier: MIT */
/*
 * internal: what the files of archive share.
 *
 * All mutable state lives on the network thread and needs no lock, but for
 * what struct archive marks otherwise.  Functions named *_ask post there; all
 * others here run there unless they say so.
 */
#ifndef KVSFS_ARCHIVE_INTERNAL_H
#define KVSFS_ARCHIVE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/index.h"
#include "cache/store.h"
#include "fs/archive/archive.h"
#include "fs/base/base.h"
#include "fs/kvs/kvs.h"
#include "fs/net/loop.h"
#include "fs/net/rate.h"

struct download;
struct share;

/* ---- questions (question.c) -------------------------------------------- */

/*
 * A question that waits.  Whoever can answer it holds a reference; the first
 * answer counts, later ones do nothing.
 */
struct question {
	struct archive *a;
	archive_ticket ticket;
	archive_fn fn;		   /* one of the three */
	archive_read_fn read_fn;   /* is */
	archive_chunk_fn chunk_fn; /* set */
	void *user;
	int refs;
	bool answered;

	uint32_t stream;
	int64_t start_ms, end_ms, bucket_ms; /* list, survey */
	int64_t fragment;		     /* calibrate, read, whole */
	int64_t offset;			     /* read */
	size_t n;
	/* Runs on the network thread once the question is registered. */
	void (*begin)(struct question *q);
	struct net_timer *patience;
	bool strict; /* list: what is known already is not enough */
};

/* Any thread.  The reference is given to the network thread by _ask(). */
struct question *question_new(struct archive *a, archive_ticket t,
			      void (*begin)(struct question *q), void *user);
void question_ask(struct question *q);

struct question *question_ref(struct question *q);
void question_unref(struct question *q);
void question_answer(struct question *q, int rc);
void question_answer_piece(struct question *q,
			   const struct archive_piece *piece);
void question_answer_chunk(struct question *q, struct store_chunk *chunk);
/* Answered with 0 after ms whatever happens: what is known must do. */
void question_patience(struct question *q, int64_t ms);
/* The same, but not while the service answers, if slowly. */
void question_patience_silent(struct question *q);
void questions_answer_all(struct archive *a, int rc);

/* A list of waiting questions; each holds a reference. */
void waiters_add(GPtrArray **waiters, struct question *q);
/* Answers and forgets them all. */
void waiters_answer(GPtrArray **waiters, int rc);

/* A rate that gives way to refusals and recovers (quota.c). */
struct yielding {
	struct rate rate;
	double full;	   /* per second; 0: no limit */
	double documented; /* what is begun with where there is none */
	int64_t slowed_ms; /* monotonic; 0: it is as it was set */
};

/* ---- one stream's state ------------------------------------------------- */

struct stream_state {
	struct archive *a;
	uint32_t id;
	char *arn, *name;
	int64_t retention_ms, created_ms;

	/* fresh.c */
	GPtrArray *fresh_waiters; /* struct fresh_wait */
	int64_t fresh_failed_ms;  /* monotonic; 0: it did not */
	int fresh_failed_rc;
	int64_t notified_id; /* rows up to this id have been told */
	struct net_timer *tell_timer;

	/* list.c */
	GPtrArray *listings;  /* pages.c: struct listing under way */
	GPtrArray *buckets;   /* struct bucket under way */
	int64_t walked_ms;    /* where the bucket asked for last ended */
	int64_t walked_at_ms; /* monotonic: when that was */

	/* survey.c */
	GPtrArray *surveys;   /* struct survey under way */
	GHashTable *surveyed; /* range -> monotonic ms of its last survey */

	/* quota.c */
	struct yielding list_points, media_calls;
	struct rate media_fragments;
	int media_connections, connections_max; /* 0: no limit */
	int64_t crowded_ms; /* monotonic: too many lately; 0: they were not */
	double connection_bytes_s; /* as measured */

	/* ahead.c */
	GQueue readers; /* struct reader, those whose turn comes first */

	/* fetch.c */
	GQueue queued;	    /* struct download somebody waits for */
	GPtrArray *batches; /* struct batch: calls under way */
	struct net_timer *schedule_timer;
	int64_t progress_ms; /* monotonic: any call brought something */
	struct download *calibration;
	GPtrArray *calibrate_waiters;
};

struct archive {
	struct archive_options o;
	const struct aws_settings *settings;
	struct cache_index *ix;
	struct catalog *catalog;
	struct store *store;
	struct net_loop *loop;
	struct kvs_client *kvs;
	char *endpoint; /* in the catalog: override or "", as sent or not */
	char *prefix;	/* of a pattern, else NULL */

	struct archive_events events; /* set before the first question */
	void *events_user;

	_Atomic uint64_t next_ticket;
	_Atomic int64_t server_offset_ms; /* server time - local clock */
	/* Answers that other threads still owe us. */
	_Atomic int writer_owes;
	_Atomic bool closing;

	int64_t first_id; /* the catalog's last when opened */

	pthread_mutex_t lock;	 /* guards the next seven; nothing is called
				    under it */
	GPtrArray *streams;	 /* snapshot, struct archive_stream */
	GHashTable *by_id;	 /* stream id -> an entry of streams */
	struct fragment hot[64]; /* rows lately read, by id modulo */
	GHashTable *held;	 /* fragment id -> struct store_chunk: content
				    that could not be cached on disk */
	GHashTable *told;	 /* set of fragment ids, resized.c */
	GHashTable *told_ids;	 /* stream id -> int64_t, fresh.c */
	GHashTable *ahead;	 /* fragment id -> struct ahead, ahead.c */
	_Atomic int n_ahead;	 /* in it */

	/* network thread only */
	GHashTable *questions;	      /* ticket -> struct question */
	archive_ticket cancelled[64]; /* that came before their question */
	unsigned n_cancelled;
	GHashTable *states;    /* stream id -> struct stream_state */
	GHashTable *downloads; /* fragment id -> struct download */
	GQueue held_order;     /* of ids in held, oldest first */
	int64_t memory_used;   /* bytes held */
	int64_t pending_bytes; /* of all downloads: not yet in a file */
	int64_t said_uncached_ms, said_silent_ms;
	int64_t ahead_bytes, ahead_max_bytes; /* of all readers */
	int readers_on;			      /* that have a window */
	int64_t no_room_ms; /* monotonic: the cache refused what is ahead */
	uint64_t reader_serial;
	struct net_timer *ahead_timer;
	/* Local clock - monotonic one, when server time was learnt last. */
	int64_t learnt_gap_ms;
	GPtrArray *refresh_waiters; /* struct question, streams.c */
	struct kvs_call *refresh_call;
	int64_t streams_at_ms; /* monotonic */
	struct net_timer *housekeeping;
	int64_t trimmed_ms; /* monotonic */
};

struct stream_state *stream_state_get(struct archive *a, uint32_t stream);
void stream_state_free(void *state);

/* After anything the service answered: remember its clock. */
void archive_learn_clock(struct archive *a);
/* The machine's clock was not set, nor the machine asleep, since then. */
bool archive_clock_sure(const struct archive *a);

/* Log a failure once: what, to what, and what the service called it. */
void archive_log_error(const struct stream_state *st, const char *what,
		       const char *number, const struct kvs_error *e);
/* Of what lasts: was it said, or is it again_ms ago?  Then it is said now. */
bool archive_may_say(const struct archive *a, int64_t again_ms,
		     int64_t *said_ms);
/* Once in a while: what is shown is what is known. */
void archive_say_silent(struct archive *a);
/* An error class of kvs as an errno for users of files. */
int archive_errno(int kvs_rc);

/* Run fn(arg) on the network thread from another one, once. */
void archive_owe(struct archive *a);
void archive_pay(struct archive *a, void (*fn)(void *arg), void *arg);

/* Any thread: the row, from memory where it was read lately. */
int archive_fragment(struct archive *a, int64_t id, struct fragment *ret);
void archive_fragment_forget(struct archive *a, int64_t id);
/* Any thread: past its server time + retention. */
bool archive_expired(struct archive *a, const struct fragment *f);

/* streams.c */
int streams_open(struct archive *a, char **ret_error);
void streams_begin_refresh(struct question *q);
/* Asks for the streams again where that was long ago; nobody waits. */
void streams_keep_fresh(struct archive *a);
void streams_stop(struct archive *a);

/* quota.c: what the service hands out, kept on our side */
void quota_init(struct stream_state *st);
/* 0: go on (and it is counted), else wait so many ms. */
int64_t quota_list(struct stream_state *st, int points);
/* It is over; asked_ms is monotonic. */
void quota_list_done(struct stream_state *st, const struct kvs_error *e,
		     int64_t asked_ms);
/* May one more GetMediaForFragmentList be under way? */
bool quota_connection(const struct stream_state *st);
/* How much to ask for in it, of so much that is wanted or on its way. */
struct share quota_share(const struct stream_state *st, int64_t bytes,
			 bool more);
int64_t quota_media_wait_ms(struct stream_state *st, size_t fragments);
/* It is started; then one of the two is called when it is over. */
void quota_media_take(struct stream_state *st, size_t fragments);
void quota_media_done(struct stream_state *st, const struct kvs_error *e);
void quota_media_dropped(struct stream_state *st);
/* It brought so many bytes in that time. */
void quota_measured(struct stream_state *st, int64_t bytes, int64_t took_ms);

/* fresh.c: fn(arg, rc) once the stream's mark is within the TTL; -EAGAIN: not
   asked, since it failed a moment ago */
typedef void (*fresh_fn)(void *arg, int rc);
void fresh_ensure(struct stream_state *st, fresh_fn fn, void *arg);
void fresh_stop(struct stream_state *st);
/* Tell of rows that came in, but for those that list_brings(). */
void fresh_tell(struct stream_state *st);
/* Our idea of server time was ahead, and so are marks we have set. */
void fresh_clock_was_ahead(struct archive *a);
/* Any thread. */
bool fresh_enough(struct archive *a, const struct catalog_stream *row);
/* Somebody's clock was wrong when it was set: it says nothing. */
bool fresh_mark_ahead(struct archive *a, const struct catalog_stream *row);
/* Another process brought rows of which nobody was told here. */
bool fresh_untold(struct archive *a, uint32_t stream);

/* pages.c: every page of a range into the catalog, then fn(arg, rc); rc 1:
   there was a second page that was not asked for */
struct listing;
typedef void (*list_fn)(void *arg, int rc);
typedef void (*list_more_fn)(void *arg, struct listing *l);
struct list_range {
	enum catalog_axis axis;
	int64_t start_ms, end_ms; /* half open */
	int max_results;
	bool first_page_only; /* known only if there was no second */
	/* What becomes known, and the mark, when all pages are in. */
	bool known;
	int64_t mark_ms;
	int64_t as_of_ms; /* 0: list_as_of_ms() */

	/* dense.c, each may be NULL */
	/* The times of the first page's rows in the range are put there. */
	GArray *times_ms;
	/* Called when there is a second page; list_go_on() or list_drop(). */
	list_more_fn more;
	/* Of a range in parts: one has failed, and that was logged.  The others
	   ask no further. */
	bool *failed;
};
void list_pages(struct stream_state *st, const struct list_range *r, list_fn fn,
		void *arg);
/* What is listed from now on is known as of then. */
int64_t list_as_of_ms(struct stream_state *st);
void list_go_on(struct listing *l);
void list_drop(struct listing *l); /* its fn is not called */
/* Closing: stop asks nothing more, free is for when the loop has ended. */
void pages_stop(struct stream_state *st);
void pages_free(struct stream_state *st);

/* list.c */
/* Is it in a bucket that is being listed for the first time, so that nobody was
   shown it without that? */
bool list_brings(const struct stream_state *st, int64_t t_ms);
void list_begin(struct question *q);
void list_free(struct stream_state *st);

/* survey.c */
void survey_begin(struct question *q);
void survey_stop(struct stream_state *st);
void survey_free(struct stream_state *st);

/* resized.c */
/* Any thread: it grew, and the kernel may still have its old size. */
bool resized_untold(struct archive *a, const struct fragment *f);
/* fn(arg) once the kernel has not. */
void resized_tell(struct archive *a, const struct fragment *f,
		  void (*fn)(void *arg), void *arg);

/* read.c, fetch.c */
void read_begin(struct question *q);
/* It was interrupted: end what nobody else wants. */
void read_given_up(struct question *q);
void calibrate_begin(struct question *q);
void fetch_stop(struct archive *a);

/* state.c */
void state_stop_all(struct archive *a);
void state_start_housekeeping(void *archive);
/* A listing has ended, and the catalog has grown. */
void state_listed(struct archive *a);

#endif
