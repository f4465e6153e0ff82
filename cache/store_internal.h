/* SPDX-License-Identifier: MIT */
/*
 * What the store's files share; nobody else includes it (its test does, to
 * call what the keeper calls).
 *
 *   store.c	      open, close, small questions
 *   store_table.c    chunks that are open: get, ref, unref
 *   store_chunk.c    one of them
 *   store_touch.c    when they were used
 *   store_rows.c     rows: chunks, reservations, totals
 *   store_space.c    room: how much there is, evicting, forgetting
 *   store_procs.c    who is alive
 *   store_write.c    begin, extend, abort
 *   store_append.c   append, in memory too
 *   store_commit.c   commit
 *   store_keeper.c   the thread that does what can wait
 *   store_sweep.c    what crashes left behind
 *   store_verify.c   every chunk against its checksum
 *
 * Threads: whatever takes a struct index_conn for changes runs on the index's
 * writer thread, inside a transaction, so that processes take turns.
 */
#ifndef KVSFS_CACHE_STORE_INTERNAL_H
#define KVSFS_CACHE_STORE_INTERNAL_H

#include "cache/chunk_file.h"
#include "cache/store.h"

#include <glib.h>
#include <pthread.h>

struct index_conn;

/* As many uses are remembered before they are written down. */
#define STORE_TOUCH_MAX 256
/* What another process leaves unfinished is certainly dead after that. */
#define STORE_ORPHAN_MS INT64_C(600000)

struct store_touch {
	int64_t id, used_ms;
};

struct store {
	int dirfd;		/* borrowed */
	struct cache_index *ix; /* borrowed */
	struct store_options options;
	bool maps; /* its chunks may be mapped */

	int64_t proc; /* writer thread once open; 0: could not be made */
	int proc_fd;
	bool dirs_measured; /* writer thread */

	pthread_mutex_t lock;
	pthread_cond_t settled; /* a chunk was opened or was not */
	GHashTable *by_key;	/* lock; chunks that store_get() may give */
	GHashTable *by_id;	/* lock; those of them with a row */
	GQueue idle;		/* lock; longest idle first */
	int64_t idle_bytes;	/* lock */
	GHashTable *verified;	/* lock; ids whose content was checked */
	struct store_touch touches[STORE_TOUCH_MAX]; /* lock */
	size_t n_touches;			     /* lock */

	unsigned jobs;		/* lock; posted and not done */
	pthread_cond_t no_jobs; /* lock */

	pthread_t keeper;
	pthread_cond_t wake; /* lock; CLOCK_MONOTONIC */
	bool ending;	     /* lock */
};

struct store_chunk {
	struct store *s;
	struct store_key key; /* number is its own */
	int64_t id;	      /* its row; 0: none */
	int64_t reservation;  /* given back with the last reference; or 0 */
	int fd;
	int64_t size_bytes, allocated_bytes;
	const uint8_t *map; /* atomic */

	/* under the store's lock */
	unsigned refs;
	bool opening;
	bool listed; /* in by_key */
	bool doomed; /* its row waits for this process to let go */
	GList idle_link;
	int64_t touched_ms, idle_since_ms;
};

/* ---- store.c ---------------------------------------------------------- */

/*
 * A change on the index's writer thread that store_close() waits for.  First
 * member of a heap struct; done() frees it.
 */
struct store_job {
	struct store *s;
	int (*write)(struct index_conn *conn, struct store_job *job);
	void (*done)(struct store_job *job, int rc);
};
void store_post(struct store *s, struct store_job *job);

struct store_key store_key_copy(const struct store_key *key);
void store_key_release(struct store_key *key);

/* Drops the row with this id and its file; posted. */
void store_drop_id(struct store *s, int64_t id);
/* Gives a reservation back; posted. */
void store_release(struct store *s, int64_t reservation);
/* The errno of a failed write, as one of those the header names. */
int store_errno(int err);

/* ---- store_table.c ---------------------------------------------------- */

void store_table_init(struct store *s);
void store_table_release(struct store *s);
/* Makes a chunk that is held once findable, unless its key is taken. */
void store_table_add(struct store_chunk *c);
/* For eviction: closes the chunk where it is idle; false where it is used. */
bool store_table_yield(struct store *s, int64_t id);
/* No longer found; true when it is still used (and doomed from now on). */
bool store_table_forget(struct store *s, int64_t id);
void store_table_forget_key(struct store *s, const struct store_key *key);
void store_table_close_idle(struct store *s, int64_t idle_ms);

/* ---- store_chunk.c, store_touch.c ------------------------------------- */

/* Held once; no file yet. */
struct store_chunk *store_chunk_new(struct store *s,
				    const struct store_key *key);
/* Without the lock: closing what was unlinked may take the disk a moment. */
void store_chunk_free(struct store_chunk *c);
/* Under the lock; true when there are so many that they should be posted. */
bool store_touch(struct store_chunk *c);
/* Writes down what was used since. */
void store_touches_post(struct store *s);
int store_touches_apply(struct store *s, struct index_conn *conn);

/* ---- store_rows.c ----------------------------------------------------- */

struct chunk_row {
	int64_t id;
	int64_t allocated_bytes, size_bytes;
	uint8_t hash[CHUNK_HASH_SIZE];
	int64_t used_ms;
};

struct ledger {
	int64_t chunks, chunk_bytes; /* sealed chunks, doomed ones included */
	int64_t dir_bytes;	     /* directories */
	int64_t reserved_bytes;
};

/* 0, -ENOENT, -errno */
int rows_find(struct index_conn *conn, const struct store_key *key,
	      struct chunk_row *ret_row);
int rows_get(struct index_conn *conn, int64_t id, struct chunk_row *ret_row);
/* Up to max rows with id in [from, to), in order; how many, or -errno. */
int rows_range(struct index_conn *conn, int64_t from, int64_t to,
	       struct chunk_row *out, size_t max);
/* Least recently used first, after (used_ms, id). */
int rows_oldest(struct index_conn *conn, int64_t used_ms, int64_t id,
		struct chunk_row *out, size_t max);
int rows_add(struct index_conn *conn, const struct store_key *key,
	     const struct chunk_row *row);
int rows_delete(struct index_conn *conn, const struct chunk_row *row);
/* Not to be found any more, and the first to go. */
int rows_doom(struct index_conn *conn, int64_t id);
int rows_touch(struct index_conn *conn, int64_t id, int64_t used_ms);

int rows_reserve(struct index_conn *conn, int64_t id, int64_t proc,
		 int64_t bytes);
/* -ENOENT where there is no such reservation. */
int rows_reserve_change(struct index_conn *conn, int64_t id, int64_t bytes);
int rows_release(struct index_conn *conn, int64_t id);
int rows_is_reserved(struct index_conn *conn, int64_t id, bool *ret_is);
/* Reservations of proc: up to max ids; how many, or -errno. */
int rows_reserved_by(struct index_conn *conn, int64_t proc, int64_t *out,
		     size_t max);
/* Processes with reservations, in order, after `after`; 1, 0 or -errno. */
int rows_next_proc(struct index_conn *conn, int64_t after, int64_t *ret_proc);

int rows_ledger(struct index_conn *conn, struct ledger *ret_ledger);
int rows_add_dir_bytes(struct index_conn *conn, int64_t delta);
/* What the totals lack: counted by looking at every row. */
int rows_drift(struct index_conn *conn, int64_t *ret_chunks,
	       int64_t *ret_bytes);
int rows_mend(struct index_conn *conn, int64_t chunks, int64_t bytes);

/* ---- store_space.c ---------------------------------------------------- */

/* What a file of this many bytes may take of the disk. */
int64_t space_for(int64_t bytes);
/*
 * Makes room for need_bytes more: what the dead reserved goes first, then the
 * least recently used.  When that cannot be enough, nothing is evicted.
 */
int space_make(struct store *s, struct index_conn *conn, int64_t need_bytes,
	       bool *ret_fits);
/* Evicts a little if there is less than the headroom; true: go on. */
int space_headroom(struct store *s, struct index_conn *conn, bool *ret_more);
bool space_is_short(struct store *s);
/* Drops a row and its file; where somebody uses it, as soon as possible. */
int space_discard(struct store *s, struct index_conn *conn,
		  const struct chunk_row *row);
/* Removes doomed chunks that nobody uses any more. */
int space_discard_doomed(struct store *s, struct index_conn *conn);
int64_t space_dir_blocks(struct store *s, const char *path);
int space_measure_dirs(struct store *s, struct index_conn *conn);

/* ---- store_write.c, store_append.c ------------------------------------ */

struct store_writer {
	struct store *s;
	struct store_key key; /* number is its own */
	int64_t id;	      /* reservation, then the chunk's; 0: in memory */
	int64_t limit_bytes;  /* as reserved */
	int fd;
	int64_t bytes;	       /* appended: */
	int64_t written_bytes; /* so much is in the file, */
	uint8_t *buffer;       /* and what follows in here */
	size_t buffered;
	struct chunk_hash *hash;
	int rc; /* the first failure of an append */
};
struct store_writer *store_writer_new(struct store *s,
				      const struct store_key *key);
void store_writer_free(struct store_writer *w);

/* ---- store_procs.c ---------------------------------------------------- */

int procs_enter(struct store *s);
void procs_leave(struct store *s);
/* A dead one's file is removed. */
bool procs_is_dead(struct store *s, int64_t proc);
/* What dead processes reserved and wrote is gone; how many there were. */
int procs_reap(struct store *s, struct index_conn *conn);

/* ---- store_keeper.c, store_sweep.c ------------------------------------ */

int keeper_start(struct store *s);
void keeper_stop(struct store *s);
bool keeper_ending(struct store *s);
/* What the keeper does every two seconds, and every hour. */
void store_tick(struct store *s);
int store_sweep(struct store *s);

#endif
