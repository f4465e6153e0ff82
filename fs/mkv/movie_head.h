/* SPDX-License-Identifier: MIT */
/*
 * movie_head: a movie's bytes before its first slot.
 *
 *     EBML         DocType matroska, version 4, read version 2
 *     Segment      its size known, in 8 bytes: to the movie's end
 *       SeekHead   Info, Chapters (where there are any), Cues (likewise),
 *                  Tracks
 *       Info       TimestampScale, Duration, DateUTC, Title, MuxingApp,
 *                  WritingApp
 *       Chapters   one edition, default; UIDs 1, 2, ...
 *       Cues       27 bytes each: 8-byte CueTime and CueClusterPosition
 *       Tracks     room for MKV_FORMAT_TRACKS_MAX_BYTES and the clock's track
 *       Void       up to a multiple of 4 KiB
 *
 * How long it is does not depend on the format of the media, so that every
 * offset in the movie is known before any of it is fetched: what depends on it
 * (TimestampScale, Duration, times and track of Cues) has a fixed width.
 *
 * RFC 9559; which elements players need is in the notes at each.  Pure; any
 * thread.
 */
#ifndef KVSFS_MKV_MOVIE_HEAD_H
#define KVSFS_MKV_MOVIE_HEAD_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/mkv/format.h"

#define MKV_CUE_BYTES 27

struct mkv_chapter {
	int64_t at_ms; /* on the movie's clock */
	char name[40];
};

struct mkv_cue {
	int64_t at_ms;
	int64_t slot_at; /* bytes from the first slot */
};

struct mkv_movie_head {
	const char *title;   /* UTF-8 */
	int64_t date_ms;     /* UTC at 0 of the movie's clock */
	int64_t duration_ms; /* up to where the last frame begins */
	int64_t slots_bytes; /* all slots together */
	const struct mkv_chapter *chapters;
	size_t n_chapters;
	/* How many Cues there is room for.  Some may turn out to be of no use:
	   nothing else moves. */
	size_t cues_room;
	const struct mkv_cue *cues; /* these two are not read by _bytes() */
	size_t n_cues;		    /* <= cues_room */
	bool clock; /* a text track "UTC", not default, S_TEXT/UTF8 */
};

/* How long it is: a multiple of 4096. */
int64_t mkv_movie_head_bytes(const struct mkv_movie_head *h);
/*
 * All of it, appended.  Duration is duration_ms and one frame of the format (of
 * 40 ms where it says none), so never 0.  The clock's track is the format's
 * free_track.
 */
void mkv_movie_head_write(const struct mkv_movie_head *h,
			  const struct mkv_format *format, GByteArray *out);

#endif
