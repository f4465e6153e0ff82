/* SPDX-License-Identifier: MIT */
/*
 * fetch: the queues of wanted fragments and the calls that fetch them.  Who
 * waits goes before what is read ahead.  Network thread only.
 */
#ifndef KVSFS_ARCHIVE_FETCH_H
#define KVSFS_ARCHIVE_FETCH_H

#include "fs/archive/download.h"

int64_t fetch_now_ms(const struct archive *a);

/*
 * Into the queue where it belongs: the stream's, or its reader's where nobody
 * waits for it.  One that is queued already moves there.
 */
void fetch_queue(struct download *d);
void fetch_unqueue(struct download *d);
/* Back into the queue, for a try in delay_ms at the earliest. */
void fetch_again(struct download *d, int64_t delay_ms);

/* Ask for what is queued, as far as the quota lets. */
void fetch_schedule(struct stream_state *st);

/* batch.c: one GetMediaForFragmentList for these (struct download) */
void batch_start(struct stream_state *st, GPtrArray *downloads);
/* Listed bytes of calls under way that are still to come. */
int64_t batches_left_bytes(const struct stream_state *st);
/* End calls none of whose downloads is wanted; schedules.  Not from inside
   one. */
void batches_prune(struct stream_state *st);
void batches_stop(struct archive *a);

#endif
