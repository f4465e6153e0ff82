/* SPDX-License-Identifier: MIT */
/*
 * walk: the elements of a fragment's file, one head after the other, of the
 * Segment and the Clusters in it; what they hold is passed over, unread.  No
 * allocation; one thread at a time.
 */
#ifndef KVSFS_MKV_WALK_H
#define KVSFS_MKV_WALK_H

#include "fs/mkv/source.h"
#include "fs/mkv/splitter.h"

/* Heads of small blocks come many to a window; large ones leave it at once. */
#define MKV_WALK_WINDOW_BYTES 512

struct mkv_walk {
	const struct mkv_source *source;
	struct mkv_splitter s;
	struct ebml_span rest; /* of the window */
	int64_t next;	       /* in the file: after the window */
	uint8_t window[MKV_WALK_WINDOW_BYTES];
};

struct mkv_place {
	uint32_t id;
	int level;
	int64_t at;	 /* in the file */
	int64_t body_at; /* of its payload */
	int64_t end;	 /* of what is no master */
};

void mkv_walk_init(struct mkv_walk *w, const struct mkv_source *source);
/* The next element: 1, 0 at the end, -EBADMSG, or what read() returned. */
int mkv_walk_next(struct mkv_walk *w, struct mkv_place *ret_place);

#endif
