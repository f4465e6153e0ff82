/* SPDX-License-Identifier: MIT */
/*
 * head: what a document says before its first Cluster, as far as it is needed
 * to name the fragment and to write its header anew.
 *
 * Spans point into the bytes that were read; nothing is allocated.  Pure; any
 * thread.  Level-1 elements may come in any order, and the producer's Tags
 * before or after the service's.
 */
#ifndef KVSFS_MKV_HEAD_H
#define KVSFS_MKV_HEAD_H

#include "fs/mkv/ebml.h"
#include "fs/mkv/reader.h"

#include <stdbool.h>
#include <stdint.h>

/* What a MimeType tag like "audio/L16;rate=8000;channels=1" says. */
struct mkv_l16 {
	bool present;
	uint64_t track_uid; /* 0: every track */
	unsigned rate;	    /* 0 where not said */
	unsigned channels;
};

struct mkv_head {
	bool webm;
	uint64_t doc_version, doc_read_version;

	struct ebml_span elements; /* all of level 1 */
	bool has_info, has_tracks;
	struct ebml_span info, tracks; /* payload of the first of each */

	uint64_t scale_ns; /* of a timestamp's unit */
	/* The video track's, else the first there is, else 0. */
	uint64_t frame_ns;
	struct mkv_l16 l16;
	struct mkv_document document;
};

/*
 * Read the payload of the EBML header, and the level-1 elements.  Returns 0, or
 * -EBADMSG where they are broken or are not Matroska.
 */
int mkv_head_read(struct ebml_span ebml, struct ebml_span elements,
		  struct mkv_head *ret_head);

#endif
