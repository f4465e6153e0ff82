/* SPDX-License-Identifier: MIT */
/*
 * dense: list_pages() of a range that may be of many pages, by several calls
 * in flight.
 */
#ifndef KVSFS_ARCHIVE_DENSE_H
#define KVSFS_ARCHIVE_DENSE_H

#include "fs/archive/internal.h"

/* Zeroed; the caller's, from dense_list() until fn is called or the archive is
   closed; then dense_clear(). */
struct dense {
	struct stream_state *st;
	struct list_range r;
	list_fn fn;
	void *arg;
	struct listing *whole; /* of all of it; waits after its first page */
	GArray *page_ms;       /* times of that page */
	int64_t probe_start_ms, probe_end_ms;
	GArray *probe_ms;   /* of the probe's rows */
	unsigned in_flight; /* parts */
	bool failed;
	int rc;
};

void dense_list(struct dense *d, struct stream_state *st,
		const struct list_range *r, list_fn fn, void *arg);
void dense_clear(struct dense *d);

#endif
