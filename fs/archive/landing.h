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

#include "fs/archive/download.h"

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
/* What was written may be read; false: the download has failed. */
bool room_flush(struct download *d);

/* held.c: chunks in memory, oldest out first; any thread may look */
void held_keep(struct archive *a, int64_t fragment, struct store_chunk *c);
struct store_chunk *held_find(struct archive *a, int64_t fragment);

#endif
