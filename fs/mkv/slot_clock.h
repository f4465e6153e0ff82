/* SPDX-License-Identifier: MIT */
/*
 * slot_clock: a slot's text track that says what time it is, as blocks.
 * Belongs to slot.  Pure; any thread.
 */
#ifndef KVSFS_MKV_SLOT_CLOCK_H
#define KVSFS_MKV_SLOT_CLOCK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SLOT_CLOCK_BLOCK_BYTES 32

/*
 * Append blocks for [start_ms, end_ms), UTC, relative to a Cluster at wall_ms,
 * which is not later: until the next whole second, then one for each.  Of no
 * more than max_bytes; false and nothing where they do not fit.
 */
bool slot_clock_write(uint8_t track, uint64_t scale_ns, int64_t wall_ms,
		      int64_t start_ms, int64_t end_ms, int64_t max_bytes,
		      GByteArray *out);

#endif
