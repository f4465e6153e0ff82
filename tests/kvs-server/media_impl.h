/* SPDX-License-Identifier: MIT */
/* What the files of media share; not for others. */
#ifndef KVS_SERVER_MEDIA_IMPL_H
#define KVS_SERVER_MEDIA_IMPL_H

#include "tests/kvs-server/media.h"

/* Where unique bytes go: into the first keyframe of an H.264 track. */
struct keyframe {
	bool found;
	size_t at, data; /* offsets: the element, its frame */
	size_t head;	 /* track, timestamp, flags: bytes before the frame */
	size_t frame;
	size_t rest_of_group; /* bytes after the frame in its BlockGroup */
};

/* A Cluster of a document without its own header and timestamp. */
struct part {
	int64_t rel_ms; /* to the fragment's beginning */
	struct buf body;
	struct keyframe key;
	int64_t last_ms; /* last block, relative to the part */
};

struct template
{ /* one Cluster of the clip */
	struct part *parts;
	size_t n_parts;
	int64_t less_last_ms; /* first block to last block */
};

struct media {
	struct media_opts o;
	uint64_t seed;
	const struct clip *clip;
	struct buf head; /* to the AWS tags */
	struct buf tail; /* after the Cluster */
	struct template *templates;
	size_t n_templates;
	uint64_t first_track;
};

void media_head_clip(struct media *m);
void media_head_made(struct media *m);
void media_body_clip(struct media *m);

/* Documents: pieces are added at the end. */
void doc_fixed(struct doc *d, const void *p, size_t n);
void doc_small(struct doc *d, const struct buf *b);
void doc_add(struct doc *d, struct piece p);
/* The blocks of one part of a fragment. */
void doc_part(struct doc *d, const struct media *m, const struct frag *f,
	      const struct part *part, bool last);
void doc_connect(struct doc *d, const struct media *m, const struct frag *f);
void doc_synthetic(struct doc *d, const struct media *m, const struct frag *f);
int64_t connect_last_ms(const struct frag *f);
int64_t synthetic_last_ms(const struct media *m, const struct frag *f);

void block_head(struct buf *b, uint32_t id, uint64_t track, int64_t rel_units,
		uint8_t flags, uint64_t frame_bytes);
uint32_t crc32_update(uint32_t crc, const uint8_t *p, size_t n);

#endif
