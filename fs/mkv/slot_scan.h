/* SPDX-License-Identifier: MIT */
/*
 * slot_scan: what of a fragment's file goes into a movie, and when its pictures
 * are.  Belongs to slot.
 */
#ifndef KVSFS_MKV_SLOT_SCAN_H
#define KVSFS_MKV_SLOT_SCAN_H

#include <glib.h>

#include "fs/mkv/slot.h"

struct slot_range {
	int64_t at, n; /* in the file */
};

struct slot_cluster {
	uint64_t time; /* as sent, in ticks */
	bool has_time;
	guint first_range; /* its ranges are up to the next one's */
	int64_t bytes;	   /* of them */
};

struct slot_scan {
	GArray *clusters; /* struct slot_cluster, at least one */
	GArray *ranges;	  /* struct slot_range */
	/* Where the block that says when the fragment is lies, from the first
	   Cluster's time on. */
	int64_t key_ticks;
};

/* How much later than the first a Cluster is, as sent. */
int64_t slot_scan_distance(const struct slot_scan *scan, guint cluster);

/* As mkv_slot_new(); slot_scan_release() in either case. */
int slot_scan(const struct mkv_source *source, uint64_t cue_track,
	      struct slot_scan *ret_scan);
void slot_scan_release(struct slot_scan *scan);

#endif
