/* SPDX-License-Identifier: MIT */
/*
 * slot: a fragment's place in a movie: its Clusters on the movie's clock, then
 * Void up to the slot's end.
 *
 *     Cluster, 8-byte size
 *       Timestamp, 8 bytes
 *       [the clock: a BlockGroup of 32 bytes for each second]
 *       everything else as it is in the fragment's file, but for its
 *       Timestamp, CRC-32, Position, PrevSize and Void, which are left out
 *     [further Clusters of the fragment, in the same way, without the clock]
 *     Void, 8-byte size (a shorter one where less than 9 bytes are left)
 *
 * Nothing is copied: a slot is a list of pieces, each of which is either bytes
 * of its own, a part of the fragment's file, or zeros.  The fragment's file is
 * walked by its elements' heads; media is passed over.
 *
 * Timestamps: the first keyframe of the cue track (a SimpleBlock with its
 * keyframe bit, a BlockGroup without ReferenceBlock; the track's first block
 * where none is one; the first block of all where the track has none) comes to
 * lie on at_ticks: that is what the movie's Cues say.  So the first Cluster's
 * Timestamp is at_ticks less that block's place relative to the first Cluster
 * as sent, held within [from_ticks, to_ticks]; the others keep their distance
 * to it, are held within that too, and never go back.
 *
 * The clock (a text track) says UTC, "2026-11-22 13:05:02Z": one block at
 * at_ticks (or at the first Cluster, if that is later), until the next second,
 * then one for each second that begins before wall_end_ms, the last cut short
 * there.  Blocks' times are relative to the first Cluster and 16 bits: seconds
 * beyond are left out.  It takes what room there is: where it does not fit as a
 * whole, it is left out.
 *
 * Pure but for the source's reads; any thread; immutable once made.
 */
#ifndef KVSFS_MKV_SLOT_H
#define KVSFS_MKV_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/mkv/source.h"

struct mkv_slot_spec {
	int64_t slot_bytes;
	uint64_t scale_ns;
	uint64_t cue_track;
	int64_t at_ticks;
	int64_t from_ticks, to_ticks; /* from <= to */
	uint64_t clock_track;	      /* 0: no clock; else 1..126 */
	int64_t wall_ms;	      /* UTC at at_ticks */
	int64_t wall_end_ms;
};

struct mkv_piece {
	const uint8_t *bytes; /* the slot's own, or NULL */
	int64_t at;	      /* in the fragment's file, or -1: zeros */
	int64_t n;	      /* > 0 */
};

struct mkv_slot;

/*
 * 0; -ENODATA: no Cluster; -EFBIG: it does
 * not fit, or all but one byte of the slot are taken (a Void has two at least);
 * -EBADMSG; or what the source's read() returned.
 */
int mkv_slot_new(const struct mkv_source *source,
		 const struct mkv_slot_spec *spec, struct mkv_slot **ret_slot);
struct mkv_slot *mkv_slot_ref(struct mkv_slot *s); /* atomic */
void mkv_slot_unref(struct mkv_slot *s);	   /* NULL is fine */

/*
 * What bytes [offset, offset + n) of the slot are, in order; both ends within
 * the slot.  Fills at most max and returns how many pieces there are (more than
 * max: call again).  bytes live as long as the slot.
 */
size_t mkv_slot_pieces(const struct mkv_slot *s, int64_t offset, int64_t n,
		       struct mkv_piece *out, size_t max);
/* Memory that it takes. */
size_t mkv_slot_cost_bytes(const struct mkv_slot *s);

#endif
