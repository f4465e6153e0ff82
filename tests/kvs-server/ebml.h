/* SPDX-License-Identifier: MIT */
/*
 * ebml: reading and writing of EBML elements, and the Matroska ids in use.
 *
 * Written for this server alone: it must not agree with the client's reader by
 * sharing its mistakes.
 */
#ifndef KVS_SERVER_EBML_H
#define KVS_SERVER_EBML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvs-server/buf.h"

enum {
	ID_EBML = 0x1A45DFA3,
	ID_DOCTYPE = 0x4282,
	ID_SEGMENT = 0x18538067,
	ID_SEEKHEAD = 0x114D9B74,
	ID_SEEK = 0x4DBB,
	ID_SEEK_ID = 0x53AB,
	ID_SEEK_POSITION = 0x53AC,
	ID_VOID = 0xEC,
	ID_CRC32 = 0xBF,
	ID_INFO = 0x1549A966,
	ID_SCALE = 0x2AD7B1,
	ID_DURATION = 0x4489,
	ID_MUXING_APP = 0x4D80,
	ID_WRITING_APP = 0x5741,
	ID_TRACKS = 0x1654AE6B,
	ID_TRACK_ENTRY = 0xAE,
	ID_TRACK_NUMBER = 0xD7,
	ID_TRACK_UID = 0x73C5,
	ID_TRACK_TYPE = 0x83,
	ID_TRACK_NAME = 0x536E,
	ID_CODEC_ID = 0x86,
	ID_CODEC_PRIVATE = 0x63A2,
	ID_VIDEO = 0xE0,
	ID_WIDTH = 0xB0,
	ID_HEIGHT = 0xBA,
	ID_TAGS = 0x1254C367,
	ID_TAG = 0x7373,
	ID_TARGETS = 0x63C0,
	ID_SIMPLE_TAG = 0x67C8,
	ID_TAG_NAME = 0x45A3,
	ID_TAG_STRING = 0x4487,
	ID_CLUSTER = 0x1F43B675,
	ID_TIMESTAMP = 0xE7,
	ID_POSITION = 0xA7,
	ID_PREV_SIZE = 0xAB,
	ID_SIMPLE_BLOCK = 0xA3,
	ID_BLOCK_GROUP = 0xA0,
	ID_BLOCK = 0xA1,
	ID_BLOCK_DURATION = 0x9B,
	ID_REFERENCE_BLOCK = 0xFB,
	ID_CUES = 0x1C53BB6B,
	ID_CUE_POINT = 0xBB,
	ID_CUE_TIME = 0xB3,
	ID_CUE_POSITIONS = 0xB7,
	ID_CUE_TRACK = 0xF7,
	ID_CUE_CLUSTER = 0xF1,
};

struct ebml {
	uint32_t id;
	bool unknown;	     /* size all ones */
	const uint8_t *head; /* the id's first byte */
	const uint8_t *body;
	size_t size; /* of the body; to the end of the parent if unknown */
};

/* The element at p; false at the end and where there is none that fits. */
bool ebml_read(const uint8_t *p, const uint8_t *end, struct ebml *ret);
/* The first child with that id. */
bool ebml_child(const struct ebml *parent, uint32_t id, struct ebml *ret);
uint64_t ebml_value(const struct ebml *e);
/* The number at p (a track number); its length in bytes or 0. */
size_t ebml_vint(const uint8_t *p, const uint8_t *end, uint64_t *ret);

void ebml_id(struct buf *b, uint32_t id);
/* width 0: the shortest. */
void ebml_size(struct buf *b, uint64_t size, unsigned width);
void ebml_unknown_size(struct buf *b, unsigned width);
void ebml_uint(struct buf *b, uint32_t id, uint64_t value);
void ebml_float(struct buf *b, uint32_t id, double value);
void ebml_string(struct buf *b, uint32_t id, const char *s);
void ebml_bytes(struct buf *b, uint32_t id, const void *p, size_t n);
/* A Void of n bytes in all, n >= 2. */
void ebml_void(struct buf *b, size_t n);
/* Opens a master with a size of width bytes; close with what open gave. */
size_t ebml_open(struct buf *b, uint32_t id, unsigned width);
void ebml_close(struct buf *b, size_t mark, unsigned width);

#endif
