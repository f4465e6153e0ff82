/* SPDX-License-Identifier: MIT */
/*
 * clip: a Matroska file taken apart.
 *
 * What stands before the first Cluster, and the blocks of each Cluster.  All of
 * it points into the file, which is held in memory.  Immutable once loaded.
 */
#ifndef KVS_SERVER_CLIP_H
#define KVS_SERVER_CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvs-server/ebml.h"

#define CLIP_TRACKS 8

struct clip_block {
	uint64_t track;
	int64_t at_ns; /* from the clip's beginning */
	uint8_t flags; /* as in a SimpleBlock: 0x80 keyframe, lacing, ... */
	const uint8_t *data;
	size_t n;
};

struct clip_cluster {
	int64_t at_ns; /* its Timestamp */
	struct clip_block *blocks;
	size_t n_blocks;
};

struct clip_track {
	uint64_t number;
	char codec[64];
	uint64_t frame_ns;	   /* DefaultDuration or 0 */
	unsigned nal_length_bytes; /* H.264 only, else 0 */
};

struct clip {
	char *path;
	uint8_t *bytes;
	size_t size;
	struct ebml ebml;    /* the EBML header */
	struct ebml *before; /* level 1, before the first Cluster */
	size_t n_before;
	struct clip_cluster *clusters;
	size_t n_clusters;
	struct clip_track tracks[CLIP_TRACKS];
	size_t n_tracks;
	uint64_t scale_ns;
	int64_t duration_ms; /* Info's, or from the blocks */
};

/* NULL and a sentence to free() where the file is not a usable clip. */
struct clip *clip_load(const char *path, char **ret_error);
void clip_free(struct clip *c);
const struct clip_track *clip_track(const struct clip *c, uint64_t number);

#endif
