/* SPDX-License-Identifier: MIT */
/*
 * build: writes Matroska for the tests, with code of its own, in every shape
 * that a producer or the service sends.
 */
#ifndef KVSFS_TESTS_MKV_BUILD_H
#define KVSFS_TESTS_MKV_BUILD_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UNUSED __attribute__((unused))

/* IDs by the names of RFC 9559, so that the tests do not lean on fs/mkv. */
enum {
	EBML = 0x1a45dfa3,
	EBMLVersion = 0x4286,
	EBMLReadVersion = 0x42f7,
	EBMLMaxIDLength = 0x42f2,
	EBMLMaxSizeLength = 0x42f3,
	DocType = 0x4282,
	DocTypeVersion = 0x4287,
	DocTypeReadVersion = 0x4285,
	Void = 0xec,
	CRC32 = 0xbf,
	Segment = 0x18538067,
	SeekHead = 0x114d9b74,
	Info = 0x1549a966,
	TimestampScale = 0x2ad7b1,
	Duration = 0x4489,
	DateUTC = 0x4461,
	Title = 0x7ba9,
	MuxingApp = 0x4d80,
	WritingApp = 0x5741,
	SegmentUUID = 0x73a4,
	NextFilename = 0x3e83bb,
	Tracks = 0x1654ae6b,
	TrackEntry = 0xae,
	TrackNumber = 0xd7,
	TrackUID = 0x73c5,
	TrackType = 0x83,
	DefaultDuration = 0x23e383,
	Name = 0x536e,
	Language = 0x22b59c,
	CodecID = 0x86,
	CodecPrivate = 0x63a2,
	Video = 0xe0,
	PixelWidth = 0xb0,
	Audio = 0xe1,
	SamplingFrequency = 0xb5,
	Channels = 0x9f,
	BitDepth = 0x6264,
	Cluster = 0x1f43b675,
	Timestamp = 0xe7,
	Position = 0xa7,
	PrevSize = 0xab,
	SimpleBlock = 0xa3,
	BlockGroup = 0xa0,
	Block = 0xa1,
	Cues = 0x1c53bb6b,
	Attachments = 0x1941a469,
	Chapters = 0x1043a770,
	Tags = 0x1254c367,
	Tag = 0x7373,
	Targets = 0x63c0,
	TagTrackUID = 0x63c5,
	SimpleTag = 0x67c8,
	TagName = 0x45a3,
	TagString = 0x4487,
};

static inline void put_be(GByteArray *o, uint64_t value, unsigned n)
{
	while (n--) {
		uint8_t byte = (uint8_t)(value >> (8 * n));

		g_byte_array_append(o, &byte, 1);
	}
}

/* An element's head, its size in exactly width bytes. */
static inline void put_head(GByteArray *o, uint32_t id, uint64_t size,
			    unsigned width)
{
	unsigned n = id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;

	put_be(o, id, n);
	put_be(o, size | UINT64_C(1) << (7 * width), width);
}

static inline void put_unknown(GByteArray *o, uint32_t id, unsigned width)
{
	put_head(o, id, (UINT64_C(1) << (7 * width)) - 1, width);
}

static inline unsigned width_of(uint64_t size)
{
	unsigned width = 1;

	while (size > (UINT64_C(1) << (7 * width)) - 2)
		width++;
	return width;
}

static inline void put_bytes(GByteArray *o, uint32_t id, const void *p,
			     size_t n)
{
	put_head(o, id, n, width_of(n));
	if (n)
		g_byte_array_append(o, p, (guint)n);
}

static inline void put_text(GByteArray *o, uint32_t id, const char *text)
{
	put_bytes(o, id, text, strlen(text));
}

/* With a NUL and what came before it in the producer's buffer. */
static inline void put_padded(GByteArray *o, uint32_t id, const char *text)
{
	char bytes[64] = {0};

	memcpy(bytes, text, strlen(text) + 1);
	put_bytes(o, id, bytes, 32);
}

static inline void put_uint(GByteArray *o, uint32_t id, uint64_t value,
			    unsigned n)
{
	put_head(o, id, n, 1);
	put_be(o, value, n);
}

static inline void put_float(GByteArray *o, uint32_t id, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put_uint(o, id, bits, 8);
}

static inline void put_zeros(GByteArray *o, uint32_t id, size_t n)
{
	g_autofree uint8_t *zeros = g_malloc0(n + 1);

	put_bytes(o, id, zeros, n);
}

/* Takes body. */
static inline void put_master(GByteArray *o, uint32_t id, GByteArray *body)
{
	put_bytes(o, id, body->data, body->len);
	g_byte_array_unref(body);
}

static inline void put_all(GByteArray *o, const GByteArray *more)
{
	if (more->len)
		g_byte_array_append(o, more->data, more->len);
}

/* A SimpleBlock of track 1 whose payload tells it from every other. */
static inline void put_block(GByteArray *o, int16_t time, size_t n)
{
	GByteArray *b = g_byte_array_new();

	put_be(b, 0x81, 1);
	put_be(b, (uint16_t)time, 2);
	put_be(b, 0x80, 1);
	for (size_t i = 0; i < n; i++)
		put_be(b, (uint8_t)(i * 31 + n + (size_t)time), 1);
	put_master(o, SimpleBlock, b);
}

static inline void put_simple_tag(GByteArray *o, const char *name,
				  const char *value)
{
	GByteArray *t = g_byte_array_new();

	put_text(t, TagName, name);
	put_text(t, TagString, value);
	put_master(o, SimpleTag, t);
}

/* "NAME", "value", ..., NULL as one Tag. */
static inline void put_tag(GByteArray *o, const char *const *pairs)
{
	GByteArray *t = g_byte_array_new();

	for (; *pairs; pairs += 2)
		put_simple_tag(t, pairs[0], pairs[1]);
	put_master(o, Tag, t);
}

static inline void put_tags(GByteArray *o, const char *const *pairs)
{
	GByteArray *t = g_byte_array_new();

	put_tag(t, pairs);
	put_master(o, Tags, t);
}

#define TAGS(o, ...) put_tags(o, (const char *const[]){__VA_ARGS__, NULL})
#define TAG(o, ...)  put_tag(o, (const char *const[]){__VA_ARGS__, NULL})

static inline void put_aws_tags(GByteArray *o, const char *number)
{
	TAGS(o, "AWS_KINESISVIDEO_FRAGMENT_NUMBER", number,
	     "AWS_KINESISVIDEO_SERVER_TIMESTAMP", "1511852109.126",
	     "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", "1511852108.513");
}

static inline void put_ebml(GByteArray *o)
{
	GByteArray *e = g_byte_array_new();

	put_uint(e, EBMLVersion, 1, 1);
	put_uint(e, EBMLReadVersion, 1, 1);
	put_uint(e, EBMLMaxIDLength, 4, 1);
	put_uint(e, EBMLMaxSizeLength, 8, 1);
	put_text(e, DocType, "matroska");
	put_uint(e, DocTypeVersion, 4, 1);
	put_uint(e, DocTypeReadVersion, 2, 1);
	put_master(o, EBML, e);
}

static inline void put_info(GByteArray *o)
{
	GByteArray *i = g_byte_array_new();

	put_uint(i, TimestampScale, 1000000, 3);
	put_float(i, Duration, 10000);
	put_text(i, MuxingApp, "Lavf57.71.100");
	put_text(i, WritingApp, "Lavf57.71.100");
	put_zeros(i, SegmentUUID, 16);
	put_master(o, Info, i);
}

static inline void put_tracks(GByteArray *o)
{
	GByteArray *all = g_byte_array_new(), *t = g_byte_array_new();

	put_uint(t, TrackNumber, 1, 1);
	put_uint(t, TrackUID, 1, 1);
	put_uint(t, TrackType, 1, 1);
	put_text(t, CodecID, "V_MPEG4/ISO/AVC");
	put_uint(t, DefaultDuration, 40000000, 4);
	put_master(all, TrackEntry, t);
	put_master(o, Tracks, all);
}

/* What comes before the Cluster in most documents. */
static inline void put_start(GByteArray *o, const char *number)
{
	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_zeros(o, SeekHead, 60);
	put_info(o);
	put_tracks(o);
	put_zeros(o, Void, 20);
	put_aws_tags(o, number);
}

#endif
