/* SPDX-License-Identifier: MIT */
/*
 * dump: Matroska as text, one element a line, so that a test can say what it
 * expects in words.  A reader of its own, independent of fs/mkv.
 */
#ifndef KVSFS_TESTS_MKV_DUMP_H
#define KVSFS_TESTS_MKV_DUMP_H

#include "build.h"

#include <stdbool.h>
#include <stdio.h>

enum dump_kind {
	DUMP_BINARY,
	DUMP_MASTER,
	DUMP_UINT,
	DUMP_INT,
	DUMP_FLOAT,
	DUMP_TEXT,
};

#define D(id, kind)                  \
	{                            \
		id, #id, DUMP_##kind \
	}
static const struct {
	uint32_t id;
	const char *name;
	enum dump_kind kind;
} dump_names[] = {
	D(EBML, MASTER),
	D(EBMLVersion, UINT),
	D(EBMLReadVersion, UINT),
	D(EBMLMaxIDLength, UINT),
	D(EBMLMaxSizeLength, UINT),
	D(DocType, TEXT),
	D(DocTypeVersion, UINT),
	D(DocTypeReadVersion, UINT),
	D(Void, BINARY),
	D(CRC32, BINARY),
	D(Segment, MASTER),
	D(SeekHead, BINARY),
	D(Info, MASTER),
	D(TimestampScale, UINT),
	D(Duration, FLOAT),
	D(DateUTC, INT),
	D(Title, TEXT),
	D(MuxingApp, TEXT),
	D(WritingApp, TEXT),
	D(SegmentUUID, BINARY),
	D(Tracks, MASTER),
	D(TrackEntry, MASTER),
	D(TrackNumber, UINT),
	D(TrackUID, UINT),
	D(TrackType, UINT),
	D(DefaultDuration, UINT),
	D(Name, TEXT),
	D(Language, TEXT),
	D(CodecID, TEXT),
	D(CodecPrivate, BINARY),
	D(Video, MASTER),
	D(PixelWidth, UINT),
	D(Audio, MASTER),
	D(SamplingFrequency, FLOAT),
	D(Channels, UINT),
	D(BitDepth, UINT),
	D(Cluster, MASTER),
	D(Timestamp, UINT),
	D(Position, UINT),
	D(PrevSize, UINT),
	D(SimpleBlock, BINARY),
	D(BlockGroup, BINARY),
	D(Cues, BINARY),
	D(Attachments, BINARY),
	D(Chapters, BINARY),
	D(Tags, MASTER),
	D(Tag, MASTER),
	D(Targets, MASTER),
	D(TagTrackUID, UINT),
	D(SimpleTag, MASTER),
	D(TagName, TEXT),
	D(TagString, TEXT),
};
#undef D

struct dump_head {
	uint32_t id;
	uint64_t size;
	bool unknown;
	size_t n;
};

static inline bool dump_read_head(const uint8_t *p, size_t n,
				  struct dump_head *h)
{
	unsigned id_n = 1, size_n = 1;

	*h = (struct dump_head){0};
	while (n && id_n <= 4 && !(p[0] & (0x80 >> (id_n - 1))))
		id_n++;
	if (id_n > 4 || n <= id_n)
		return false;
	for (unsigned i = 0; i < id_n; i++)
		h->id = h->id << 8 | p[i];
	while (size_n <= 8 && !(p[id_n] & (0x80 >> (size_n - 1))))
		size_n++;
	if (size_n > 8 || n < id_n + size_n)
		return false;
	h->size = p[id_n] & ((1u << (8 - size_n)) - 1);
	for (unsigned i = 1; i < size_n; i++)
		h->size = h->size << 8 | p[id_n + i];
	h->unknown = h->size == (UINT64_C(1) << (7 * size_n)) - 1;
	h->n = id_n + size_n;
	return true;
}

static inline void dump_value(GString *out, enum dump_kind kind,
			      const uint8_t *p, size_t n)
{
	uint64_t value = 0;
	double real;

	for (size_t i = 0; i < n && n <= 8; i++)
		value = value << 8 | p[i];
	switch (kind) {
	case DUMP_UINT:
		g_string_append_printf(out, " %" G_GUINT64_FORMAT, value);
		break;
	case DUMP_INT:
		g_string_append_printf(out, " %" G_GINT64_FORMAT,
				       (int64_t)value);
		break;
	case DUMP_FLOAT:
		memcpy(&real, &value, sizeof(real));
		g_string_append_printf(out, " %.17g", real);
		break;
	case DUMP_TEXT:
		g_string_append_printf(out, " \"%.*s\"%s", (int)n,
				       (const char *)p,
				       n && memchr(p, 0, n) ? "+NUL" : "");
		break;
	default:
		g_string_append_printf(out, " %zu bytes", n);
	}
}

/* What is broken ends it with "!"; a Cluster of unknown size takes the rest. */
static inline void dump_into(GString *out, const uint8_t *p, size_t n,
			     int depth)
{
	while (n) {
		const char *name = NULL;
		enum dump_kind kind = DUMP_BINARY;
		struct dump_head h;
		size_t size;

		if (!dump_read_head(p, n, &h) ||
		    (!h.unknown && h.size > n - h.n)) {
			g_string_append(out, "!\n");
			return;
		}
		size = h.unknown ? n - h.n : (size_t)h.size;
		for (size_t i = 0; i < G_N_ELEMENTS(dump_names); i++) {
			if (dump_names[i].id != h.id)
				continue;
			name = dump_names[i].name;
			kind = dump_names[i].kind;
		}
		g_string_append_printf(out, "%*s", depth, "");
		if (name)
			g_string_append(out, name);
		else
			g_string_append_printf(out, "%X", h.id);
		if (kind == DUMP_MASTER)
			g_string_append(out, h.unknown ? " ?\n" : "\n");
		else
			dump_value(out, kind, p + h.n, size);
		if (kind != DUMP_MASTER)
			g_string_append(out, "\n");
		else
			dump_into(out, p + h.n, size, depth + 1);
		p += h.n + size;
		n -= h.n + size;
	}
}

static inline char *dump(const uint8_t *p, size_t n)
{
	GString *out = g_string_new(NULL);

	dump_into(out, p, n, 0);
	return g_string_free(out, FALSE);
}

static inline char *sha256(const uint8_t *p, size_t n)
{
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, p, n);
}

#endif
