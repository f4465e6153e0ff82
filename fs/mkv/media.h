/* SPDX-License-Identifier: MIT */
/*
 * media: a document from its first Cluster on, passed on as sent save for what
 * is wrong in a fragment that stands alone.  No byte moves:
 *
 *   in a Cluster   Timestamp: rebased so that the document's first is 0;
 *                  CRC-32, Position, PrevSize: Void
 *   after it       SeekHead, Cues, Chapters, the Segment's CRC-32, another Info
 *                  or Tracks: Void; Tags: see mkv_tags_edit()
 *
 * Nothing is held but the 8 bytes of a Timestamp and one Tags element.
 */
#ifndef KVSFS_MKV_MEDIA_H
#define KVSFS_MKV_MEDIA_H

#include "fs/mkv/sink.h"
#include "fs/mkv/splitter.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* 10 tags of 128 + 256 bytes are the service's limit; a muxer's come on top. */
#define MKV_TAGS_MAX_BYTES (1u << 20)

enum mkv_media_action {
	MKV_MEDIA_PASS,
	MKV_MEDIA_VOID,
	MKV_MEDIA_REBASE,
	MKV_MEDIA_EDIT_TAGS,
};

struct mkv_media {
	struct mkv_sink *sink; /* borrowed */
	bool had_info, had_tracks;

	bool has_base;
	uint64_t base; /* the first Cluster's timestamp as sent */

	enum mkv_media_action action; /* for the open leaf */
	uint8_t number[EBML_UINT_MAX];
	size_t number_n;
	GByteArray *tags;
};

void mkv_media_init(struct mkv_media *m, struct mkv_sink *sink);
void mkv_media_release(struct mkv_media *m);

/* A document's first Cluster is next; whether Info and Tracks came before. */
void mkv_media_start(struct mkv_media *m, bool had_info, bool had_tracks);

/* OPEN, BODY and END.  0, -EBADMSG, or what data() returned. */
int mkv_media_event(struct mkv_media *m, const struct mkv_event *event);

#endif
