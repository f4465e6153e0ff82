/* SPDX-License-Identifier: MIT */
/*
 * tracks: Tracks as sent, save for what is wrong by the way it was sent.
 *
 * Strings lose their NUL padding.  A track that says A_AAC but carries 16-bit
 * little-endian PCM, as Amazon Connect labels its calls, says so.
 */
#ifndef KVSFS_MKV_TRACKS_H
#define KVSFS_MKV_TRACKS_H

#include "fs/mkv/ebml.h"
#include "fs/mkv/head.h"

/* Append Tracks; nothing where the head has none.  0 or -EBADMSG. */
int mkv_tracks_write(GByteArray *out, const struct mkv_head *head);

#endif
