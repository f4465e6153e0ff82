/* SPDX-License-Identifier: MIT */
/*
 * rewrite: a fragment's header, written anew so that it says what is true of
 * the fragment and not of the producer's whole recording.
 *
 * EBML header, Segment of unknown size, Info, Tracks, Tags, Attachments and
 * level-1 elements without a name here.  Left out: SeekHead, Cues and Chapters
 * (they point into the recording), Void, and the UIDs and file names that tie
 * the recording to others.  The same head and length give the same bytes.
 */
#ifndef KVSFS_MKV_REWRITE_H
#define KVSFS_MKV_REWRITE_H

#include "fs/mkv/head.h"

#include <glib.h>
#include <stdint.h>

/* Where nothing else is known of the application. */
#define MKV_APP_NAME "kvsfs"

/* DateUTC counts from 2001-01-01T00:00:00Z. */
#define MKV_DATE_EPOCH_MS INT64_C(978307200000)

/* Append the EBML header alone: 43 bytes where the head asks for nothing. */
void mkv_rewrite_ebml(GByteArray *out, const struct mkv_head *head);

/*
 * Append the header.  length_ms is that of ListFragments, which ends where the
 * last frame starts; 0: no Duration.  0 or -EBADMSG, with out in disorder.
 */
int mkv_rewrite(GByteArray *out, const struct mkv_head *head,
		int64_t length_ms);

#endif
