/* SPDX-License-Identifier: MIT */
/*
 * format: what a fragment's header says that is needed to play its media with
 * that of others: the unit of its timestamps and its Tracks.
 *
 * Two formats are alike where a decoder set up for one can go on with the
 * other, and where tracks mean the same: numbers, types, codecs with their
 * private data, the Video and Audio masters, delays, encodings, and names
 * (Amazon Connect tells the two sides of a call apart by them; their numbers
 * swap from call to call).  UIDs, languages, flags and default durations do not
 * count: an encoder that starts anew may change them.  Nor does the order of
 * elements.
 *
 * Pure; any thread; immutable once made.
 */
#ifndef KVSFS_MKV_FORMAT_H
#define KVSFS_MKV_FORMAT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/mkv/source.h"

/*
 * Tracks of a real stream are some hundred bytes; the largest CodecPrivate in
 * use, Vorbis's, is 8 KiB.  A movie's header keeps this much room for them.
 */
#define MKV_FORMAT_TRACKS_MAX_BYTES (32 << 10)

struct mkv_format {
	uint64_t scale_ns; /* of a timestamp's unit: a tick */
	uint64_t frame_ns; /* as of mkv_head; 0 where not said */
	GBytes *tracks;	   /* the whole element, as mkv_tracks_write() */
	/* The number of the first video track, else of the first audio track,
	   else of the first. */
	uint64_t cue_track;
	/* The least number from 1 on that no track has. */
	uint64_t free_track;
	/* > 0; the same for the same scale, frame and bytes of Tracks. */
	int64_t id;
	/* > 0; the same for those that are alike. */
	int64_t decoder_id;
};

/*
 * Of a fragment's file.  0; -ENODATA: it has no Cluster; -EPROTO: no Tracks, or
 * such that no movie can be made of them (larger than there is room for, a
 * number above 126, a TimestampScale of 0 or more than a second); -EBADMSG; or
 * what the source's read() returned.
 */
int mkv_format_read(const struct mkv_source *source,
		    struct mkv_format **ret_format);
void mkv_format_free(struct mkv_format *f); /* NULL is fine */

/* To be kept: the bytes, and the format of the bytes (-EBADMSG). */
GBytes *mkv_format_pack(const struct mkv_format *f);
int mkv_format_unpack(const void *bytes, size_t n,
		      struct mkv_format **ret_format);

/* The nearest tick; halves away from 0. */
int64_t mkv_ticks(int64_t ms, uint64_t scale_ns);

#endif
