/* SPDX-License-Identifier: MIT */
/*
 * slack: how large a fragment's file is.  Pure arithmetic; any thread.
 *
 * The service does not say how FragmentSizeInBytes relates to the bytes it
 * sends, and a file's size must be known before a byte is fetched: the listed
 * size plus a slack, the rest one Void element (DESIGN section 2).
 */
#ifndef KVSFS_ARCHIVE_SLACK_H
#define KVSFS_ARCHIVE_SLACK_H

#include <stdbool.h>
#include <stdint.h>

/* The smallest step that holds this fragment's excess and a little more. */
int64_t slack_for(int64_t listed_bytes, int64_t content_bytes);
/* The next step above one that was too small. */
int64_t slack_above(int64_t slack_bytes);
/* Content fills the file, or leaves room for a Void element. */
bool slack_fits(int64_t content_bytes, int64_t file_bytes);
/* The size of a file whose content did not fit. */
int64_t slack_grown(int64_t content_bytes);

#endif
