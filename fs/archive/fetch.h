/* SPDX-License-Identifier: MIT */
/*
 * fetch: the queue of wanted fragments and the calls that fetch them.  Network
 * thread only.
 */
#ifndef KVSFS_ARCHIVE_FETCH_H
#define KVSFS_ARCHIVE_FETCH_H

#include "fs/archive/landing.h"

int64_t fetch_now_ms(const struct archive *a);

/* Queue a fragment that nobody fetches yet. */
struct download *fetch_want(struct stream_state *st, const struct fragment *f,
			    bool calibrates);

/* read.c: what was to calibrate the stream has ended badly. */
void calibration_failed(struct stream_state *st, int64_t fragment, int rc);

/* Ask for what is queued, as far as the quota lets. */
void fetch_schedule(struct stream_state *st);

/* Back into the queue, for a try in delay_ms at the earliest. */
void fetch_again(struct download *d, int64_t delay_ms);

/* batch.c: one GetMediaForFragmentList for these (struct download) */
void batch_start(struct stream_state *st, GPtrArray *downloads);
/* End calls none of whose downloads is waited for.  Not from inside one. */
void batches_prune(struct stream_state *st);
void batches_stop(struct archive *a);

#endif
