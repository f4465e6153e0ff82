/* SPDX-License-Identifier: MIT */
/*
 * store: immutable chunks on local disk, bounded in bytes, least recently used
 * out first.  A chunk file is exactly the file that is served: content at
 * offset 0, length st_size, padding zeros a hole; key and checksum are in the
 * index, never in the file.
 *
 * Passive: it never fetches; a miss is -ENOENT.  Crash-safe: a chunk becomes
 * visible only when it is complete (temp file, rename, row).  Safe between
 * processes that share the directory: a chunk in use is held by a shared lock
 * on its file, and a reservation dies with the process that made it.
 *
 * The budget counts allocated bytes: chunks, files being written, the index.
 * Space is reserved before it is written, so it is never exceeded; and a share
 * of the disk stays free.
 */
#ifndef KVSFS_CACHE_STORE_H
#define KVSFS_CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/clock.h"

struct cache_index;
struct store;
struct store_chunk;  /* refcounted; held: never evicted while it lives */
struct store_writer; /* a chunk being written */

struct store_options {
	int64_t budget_bytes;	   /* at least 1 MiB */
	double min_free_ratio;	   /* share of the disk that stays free, 0..1 */
	const struct clock *clock; /* borrowed */
};

struct store_key {
	uint32_t stream;    /* catalog id: endpoint and ARN are behind it */
	const char *number; /* ^[0-9]{1,128}$ */
	bool raw;
};

/* dirfd and ix are borrowed.  Returns before orphans are swept. */
int store_open(int dirfd, struct cache_index *ix, const struct store_options *o,
	       struct store **ret_store, char **ret_error);
/* All chunks and writers must be gone. */
void store_close(struct store *s);

/*
 * The sealed chunk, held until store_chunk_unref().  Any thread; blocks on
 * local disk only.  The first time this process meets a chunk its checksum is
 * verified; one that fails is dropped, and so is one whose file has another
 * length than size_bytes.  0, -ENOENT, or -EIO (the disk failed).
 */
int store_get(struct store *s, const struct store_key *key, int64_t size_bytes,
	      struct store_chunk **ret_chunk);
bool store_has(struct store *s, const struct store_key *key);
struct store_chunk *store_chunk_ref(struct store_chunk *c);
void store_chunk_unref(struct store_chunk *c);
int store_chunk_fd(const struct store_chunk *c);
int64_t store_chunk_size(const struct store_chunk *c);
/*
 * The whole chunk mapped for reading, made at the first call, kept with the
 * chunk; NULL where mapping failed, or reading from it may (tmpfs).  Give the
 * pointer to the kernel (write(2), vmsplice) and never touch the bytes: a
 * failing disk would be SIGBUS.
 */
const uint8_t *store_chunk_map(struct store_chunk *c);

/*
 * Begin a chunk of at most `bytes`.  Making room may take a moment, so the
 * answer comes on the index's writer thread: rc 0 and the writer, or -ENOSPC
 * (does not fit the budget or the disk), -EROFS, -EIO: then the content is
 * served without being cached.  done is always called, once.
 */
typedef void (*store_begin_fn)(void *user, int rc, struct store_writer *w);
void store_begin(struct store *s, const struct store_key *key, int64_t bytes,
		 store_begin_fn done, void *user);

/*
 * A writer that is not backed by the cache: an anonymous file in memory with
 * the same functions; store_commit() makes it a chunk that lives as long as it
 * is held.  For what could not be reserved.  0 or -errno.
 */
int store_begin_memory(struct store *s, const struct store_key *key,
		       struct store_writer **ret_writer);

/* A writer belongs to one thread at a time; it does not lock. */
/* Where it fails, store_writer_bytes() tells how much was taken even so. */
int store_writer_append(struct store_writer *w, const void *bytes, size_t n);
int64_t store_writer_bytes(const struct store_writer *w); /* appended */
/* What was appended may be read here once it is flushed; until commit, abort.
 */
int store_writer_flush(struct store_writer *w);
int store_writer_fd(const struct store_writer *w);
/*
 * Where the disk takes no more: all that was appended, flushed, in a writer as
 * of store_begin_memory().  Takes w, also when it fails.
 */
int store_writer_to_memory(struct store_writer *w,
			   struct store_writer **ret_writer);

/*
 * Room for `bytes` more than was reserved; as store_begin().  Until the answer
 * the writer is left alone.
 */
typedef void (*store_extend_fn)(void *user, int rc);
void store_extend(struct store_writer *w, int64_t bytes, store_extend_fn done,
		  void *user);

/*
 * Seal at size_bytes (>= what was appended; the rest is a hole).  Takes the
 * writer.  done comes on the writer thread: rc 0 and a held chunk that is the
 * callee's (also when the row could not be written: then it lives as long as
 * it is held), or -errno.
 */
typedef void (*store_commit_fn)(void *user, int rc, struct store_chunk *c);
void store_commit(struct store_writer *w, int64_t size_bytes,
		  store_commit_fn done, void *user);
/* Drops the file and the reservation.  NULL is fine. */
void store_abort(struct store_writer *w);

/* Forget a chunk (expired fragments).  Any thread. */
void store_drop(struct store *s, const struct store_key *key);

/*
 * A file that lies where chunks lie, open for reading, to find out what the
 * kernel allows there; the caller closes it.  -errno.
 */
int store_sample(struct store *s);

struct store_stats {
	int64_t budget_bytes, used_bytes, reserved_bytes, index_bytes;
	int64_t chunks;
};
int store_stats(struct store *s, struct store_stats *ret_stats);

/* Check every chunk against its checksum; bad ones are dropped. */
int store_verify(struct store *s, int64_t *ret_checked, int64_t *ret_dropped);

#endif
