/* SPDX-License-Identifier: MIT */
/*
 * tags: which SimpleTags mean something here, and which still hold for a
 * fragment that is cut out of its producer's recording.
 *
 * Dropped are the statistics of the whole recording, which muxers write ahead
 * (BPS, DURATION, ...), and what GetMedia says of the call and not of the
 * fragment.  Pure; any thread.
 */
#ifndef KVSFS_MKV_TAGS_H
#define KVSFS_MKV_TAGS_H

#include "fs/mkv/ebml.h"

#include <stdbool.h>
#include <stdint.h>

struct mkv_simple_tag {
	struct ebml_span name;	/* without NUL padding */
	struct ebml_span value; /* TagString, likewise; empty where absent */
};

/* 0 or -EBADMSG. */
int mkv_simple_tag_read(struct ebml_span body, struct mkv_simple_tag *ret_tag);

/* What a Tag has of each kind. */
struct mkv_tag_content {
	bool aws;   /* SimpleTags of the service that hold */
	bool other; /* anybody else's */
	bool stale; /* that do not hold */
};

/*
 * Adds to *content what a SimpleTag is; aws_holds: whether those of the service
 * do at all.  Returns 1 where it holds, 0 where it does not, or -EBADMSG.
 */
int mkv_simple_tag_holds(struct ebml_span body, bool aws_holds,
			 struct mkv_tag_content *content);

/* All of a Tag.  0 or -EBADMSG. */
int mkv_tag_content(struct ebml_span tag, bool aws_holds,
		    struct mkv_tag_content *ret_content);

/* All of a Tags, as if the service's hold.  0 or -EBADMSG. */
int mkv_tags_content(struct ebml_span tags,
		     struct mkv_tag_content *ret_content);

/* The TagTrackUID of a Tag's Targets; 0: all tracks.  0 or -EBADMSG. */
int mkv_tag_track_uid(struct ebml_span tag, uint64_t *ret_uid);

/*
 * Append what still holds of the head's level-1 elements as one Tags, the
 * service's first; nothing where nothing holds.  A producer that sends on what
 * it once fetched replays old AWS tags in its header; the service's own come
 * last, so only those of the last Tags that has any are kept.  0 or -EBADMSG.
 */
int mkv_tags_write(GByteArray *out, struct ebml_span elements);

/*
 * The same for a Tags element among the media, where no byte may move: what
 * does not hold becomes Void, the whole element where nothing does.  0 or
 * -EBADMSG.
 */
int mkv_tags_edit(uint8_t *element, size_t n);

#endif
