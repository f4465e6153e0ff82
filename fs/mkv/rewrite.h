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

/*
 * Append the header.  length_ms is that of ListFragments, which ends where the
 * last frame starts; 0: no Duration.  0 or -EBADMSG, with out in disorder.
 */
int mkv_rewrite(GByteArray *out, const struct mkv_head *head,
		int64_t length_ms);

#endif
