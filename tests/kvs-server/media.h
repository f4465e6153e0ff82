/* SPDX-License-Identifier: MIT */
/*
 * media: what a stream's fragments look like on the wire.
 *
 * A media is the template that one stream's documents are made from: options,
 * the header as the producer sent it, the Clusters' blocks ready to copy.  A
 * document is one fragment as GetMediaForFragmentList sends it.  It is a list
 * of pieces, so that a fragment of 50 MB costs no memory.
 *
 * A media is immutable once made; any thread.  A doc belongs to one thread.
 */
#ifndef KVS_SERVER_MEDIA_H
#define KVS_SERVER_MEDIA_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvs-server/buf.h"
#include "tests/kvs-server/clip.h"
#include "tests/kvs-server/number.h"

enum media_kind {
	MEDIA_CLIP,
	MEDIA_CONNECT,
	MEDIA_SYNTHETIC
};
enum media_header {
	HEADER_CLIP, /* verbatim */
	HEADER_CLEAN,
	HEADER_STALE
};
enum cluster_size {
	CLUSTER_KNOWN, /* 8-byte size */
	CLUSTER_SHORT, /* the shortest size */
	CLUSTER_UNKNOWN,
	CLUSTER_UNKNOWN_LONG
};
enum listed_length {
	LENGTH_LESS_LAST, /* as the service does */
	LENGTH_FULL,
	LENGTH_ZERO
};
enum user_tags_at {
	USER_TAGS_BEFORE_INFO = 1,
	USER_TAGS_BEFORE_CLUSTER = 2,
	USER_TAGS_AFTER_CLUSTER = 4,
	USER_TAGS_BOTH = USER_TAGS_BEFORE_INFO | USER_TAGS_AFTER_CLUSTER
};

/* README.md, "media", says what each does. */
struct media_opts {
	int kind, header, cluster_size, length, user_tags_at;
	bool side_tags, absolute, short_segment, nul_padding, position,
		prev_size, crc32, block_groups, swap_tracks;
	int64_t timescale_ns, void_bytes, tags_bytes, codec_private_bytes;
	int64_t clusters, size_add, unique_bytes;
	int64_t payload_bytes, payload_jitter_bytes, block_bytes;
	double size_scale;
	json_object *user_tags; /* borrowed from the configuration, or NULL */
};

/* 0, or -EINVAL with a sentence to free(). */
int media_opts_parse(json_object *json, struct media_opts *ret,
		     char **ret_error);

/* One fragment, as far as its bytes depend on it. */
struct frag {
	char number[NUMBER_LEN + 1];
	int64_t index; /* >= 0; which Cluster of the clip, which payload */
	int64_t producer_ms, server_ms;
	int64_t session_ms; /* producer time since the session began */
	int64_t spacing_ms; /* until the next one */
	int64_t size_bytes; /* as listed; -1: what the media says */
	int64_t length_ms;  /* as listed; -1: what the media says */
	bool lost;	    /* listed, but its media is not found */
};

struct media;
/* clip: borrowed; NULL but for MEDIA_CLIP. */
struct media *media_new(const struct media_opts *o, const struct clip *clip,
			uint64_t seed);
void media_free(struct media *m);
int64_t media_listed_length_ms(const struct media *m, const struct frag *f);
int64_t media_listed_size(const struct media *m, const struct frag *f);

enum piece_type {
	PIECE_FIXED, /* bytes of the media */
	PIECE_SMALL, /* bytes of the document */
	PIECE_FILL,
	PIECE_NOISE, /* never a zero byte */
	PIECE_PCM
};
struct piece {
	enum piece_type type;
	const uint8_t *fixed;
	size_t small; /* offset */
	uint64_t key; /* of noise; first sample of PCM; byte of fill */
	unsigned hz;
	uint64_t n;
};
struct doc {
	struct piece *pieces;
	size_t n_pieces, cap;
	struct buf small;
	uint64_t size;
};

/* only_size: the checksums within may be wrong. */
void doc_fragment(struct doc *d, const struct media *m, const struct frag *f,
		  bool only_size);
/* "exception" or "error" spelling, kvs-facts of the service: in-band errors. */
void doc_error(struct doc *d, const char *number, bool exception_spelling,
	       int id, const char *code);
size_t doc_read(const struct doc *d, uint64_t at, void *out, size_t n);
void doc_free(struct doc *d);

#endif
