/* SPDX-License-Identifier: MIT */
/*
 * The producer's header, and what it sends between two Clusters: as in the clip
 * or with the faults that real producers' headers have.
 */
#include "tests/kvs-server/media_impl.h"

#include <string.h>

#include "tests/kvs-server/ebml.h"

#define NUL_PADDING 32 /* zeros after a string, as the native SDK sends */

static void padded_string(struct buf *b, uint32_t id, const void *s, size_t n,
			  size_t padding)
{
	ebml_id(b, id);
	ebml_size(b, n + padding, 0);
	buf_put(b, s, n);
	buf_fill(b, 0, padding);
}

static void put_raw(struct buf *b, const struct ebml *e)
{
	buf_put(b, e->head, (size_t)(e->body - e->head) + e->size);
}

static void put_ebml(struct buf *b, const struct media *m, const struct ebml *e)
{
	const uint8_t *end = e->body + e->size;
	struct ebml x;

	if (!m->o.nul_padding) {
		put_raw(b, e);
		return;
	}
	size_t mark = ebml_open(b, ID_EBML, 1);

	for (const uint8_t *p = e->body; ebml_read(p, end, &x);
	     p = x.body + x.size)
		if (x.id == ID_DOCTYPE)
			padded_string(b, x.id, x.body, x.size, 1);
		else
			put_raw(b, &x);
	ebml_close(b, mark, 1);
}

static void put_segment(struct buf *b, const struct media *m)
{
	ebml_id(b, ID_SEGMENT);
	ebml_unknown_size(b, m->o.short_segment ? 1 : 8);
}

static void put_info(struct buf *b, const struct media *m, const struct ebml *e)
{
	const uint8_t *end = e->body + e->size;
	size_t mark = ebml_open(b, ID_INFO, 8);
	struct ebml x;

	ebml_uint(b, ID_SCALE, (uint64_t)m->o.timescale_ns);
	for (const uint8_t *p = e->body; ebml_read(p, end, &x);
	     p = x.body + x.size)
		if (x.id != ID_SCALE && x.id != ID_DURATION)
			put_raw(b, &x);
	if (m->o.header != HEADER_CLEAN)
		ebml_float(b, ID_DURATION,
			   (double)m->clip->duration_ms * 1e6 /
				   (double)m->o.timescale_ns);
	ebml_close(b, mark, 8);
}

static void put_track(struct buf *b, const struct media *m,
		      const struct ebml *e)
{
	const uint8_t *end = e->body + e->size;
	size_t room = (size_t)m->o.codec_private_bytes;
	size_t mark = ebml_open(b, ID_TRACK_ENTRY, 8);
	struct ebml x;

	for (const uint8_t *p = e->body; ebml_read(p, end, &x);
	     p = x.body + x.size)
		if (x.id == ID_CODEC_ID && m->o.nul_padding)
			padded_string(b, x.id, x.body, x.size, NUL_PADDING);
		else if (x.id == ID_CODEC_PRIVATE && x.size < room)
			padded_string(b, x.id, x.body, x.size, room - x.size);
		else
			put_raw(b, &x);
	ebml_close(b, mark, 8);
}

static void put_tracks(struct buf *b, const struct media *m,
		       const struct ebml *e)
{
	const uint8_t *end = e->body + e->size;
	struct ebml x;

	if (!m->o.nul_padding && !m->o.codec_private_bytes) {
		put_raw(b, e);
		return;
	}
	size_t mark = ebml_open(b, ID_TRACKS, 8);

	for (const uint8_t *p = e->body; ebml_read(p, end, &x);
	     p = x.body + x.size)
		if (x.id == ID_TRACK_ENTRY)
			put_track(b, m, &x);
	ebml_close(b, mark, 8);
}

static void simple_tag(struct buf *b, const char *name, const char *value)
{
	size_t mark = ebml_open(b, ID_SIMPLE_TAG, 4);

	ebml_string(b, ID_TAG_NAME, name);
	ebml_string(b, ID_TAG_STRING, value);
	ebml_close(b, mark, 4);
}

static void put_user_tags(struct buf *b, const struct media *m)
{
	if (!m->o.user_tags)
		return;
	size_t tags = ebml_open(b, ID_TAGS, 4);

	json_object_object_foreach(m->o.user_tags, name, value)
	{
		size_t tag = ebml_open(b, ID_TAG, 4);

		simple_tag(b, name, json_object_get_string(value));
		ebml_close(b, tag, 4);
	}
	ebml_close(b, tags, 4);
}

static void put_long_tag(struct buf *b, size_t n)
{
	auto_buf text = {0};

	buf_fill(&text, 'x', n);
	buf_put(&text, "", 1);
	size_t tags = ebml_open(b, ID_TAGS, 4);
	size_t tag = ebml_open(b, ID_TAG, 4);

	simple_tag(b, "COMMENT", (const char *)text.p);
	ebml_close(b, tag, 4);
	ebml_close(b, tags, 4);
}

/* Positions in the producer's own file, which nobody else has. */
static void put_stale_seekhead(struct buf *b)
{
	static const uint32_t ids[] = {ID_INFO, ID_TRACKS, ID_CUES};
	size_t head = ebml_open(b, ID_SEEKHEAD, 1);

	for (size_t i = 0; i < 3; i++) {
		size_t seek = ebml_open(b, ID_SEEK, 1);
		uint8_t id[4] = {(uint8_t)(ids[i] >> 24),
				 (uint8_t)(ids[i] >> 16),
				 (uint8_t)(ids[i] >> 8), (uint8_t)ids[i]};

		ebml_bytes(b, ID_SEEK_ID, id, sizeof(id));
		ebml_uint(b, ID_SEEK_POSITION, 4096 + i * 1000003);
		ebml_close(b, seek, 1);
	}
	ebml_close(b, head, 1);
}

static void put_stale_tail(struct buf *b, const struct media *m)
{
	size_t cues = ebml_open(b, ID_CUES, 4);

	for (uint64_t i = 0; i < 5; i++) {
		size_t point = ebml_open(b, ID_CUE_POINT, 1);

		ebml_uint(b, ID_CUE_TIME, i * 2000);
		size_t at = ebml_open(b, ID_CUE_POSITIONS, 1);

		ebml_uint(b, ID_CUE_TRACK, m->first_track);
		ebml_uint(b, ID_CUE_CLUSTER, 4096 + i * 65537);
		ebml_close(b, at, 1);
		ebml_close(b, point, 1);
	}
	ebml_close(b, cues, 4);
	size_t tags = ebml_open(b, ID_TAGS, 4);
	size_t tag = ebml_open(b, ID_TAG, 4);

	simple_tag(b, "BPS", "4242");
	simple_tag(b, "DURATION", "00:01:00.000000000");
	simple_tag(b, "NUMBER_OF_FRAMES", "600");
	simple_tag(b, "_STATISTICS_WRITING_APP", "a producer");
	simple_tag(b, "_STATISTICS_TAGS", "BPS DURATION NUMBER_OF_FRAMES");
	ebml_close(b, tag, 4);
	ebml_close(b, tags, 4);
}

static void put_extras(struct buf *b, const struct media *m)
{
	if (m->o.tags_bytes)
		put_long_tag(b, (size_t)m->o.tags_bytes);
	if (m->o.void_bytes >= 2)
		ebml_void(b, (size_t)m->o.void_bytes);
}

static void put_tail(struct media *m)
{
	if (m->o.user_tags_at & USER_TAGS_AFTER_CLUSTER)
		put_user_tags(&m->tail, m);
	if (m->o.header == HEADER_STALE)
		put_stale_tail(&m->tail, m);
}

static bool left_out(const struct media *m, uint32_t id)
{
	return (id == ID_SEEKHEAD && m->o.header != HEADER_CLIP) ||
	       (id == ID_TAGS && m->o.header == HEADER_CLEAN);
}

void media_head_clip(struct media *m)
{
	struct buf *b = &m->head;
	const struct clip *c = m->clip;
	bool verbatim = m->o.header == HEADER_CLIP &&
			(uint64_t)m->o.timescale_ns == c->scale_ns;

	put_ebml(b, m, &c->ebml);
	put_segment(b, m);
	if (m->o.user_tags_at & USER_TAGS_BEFORE_INFO)
		put_user_tags(b, m);
	if (m->o.header == HEADER_STALE)
		put_stale_seekhead(b);
	for (size_t i = 0; i < c->n_before; i++) {
		const struct ebml *e = &c->before[i];

		if (e->id == ID_TRACKS)
			put_tracks(b, m, e);
		else if (e->id == ID_INFO && !verbatim)
			put_info(b, m, e);
		else if (!left_out(m, e->id))
			put_raw(b, e);
	}
	put_extras(b, m);
	if (m->o.user_tags_at & USER_TAGS_BEFORE_CLUSTER)
		put_user_tags(b, m);
	put_tail(m);
}

static void made_track(struct buf *b, const struct media *m, uint64_t number,
		       const char *name)
{
	size_t mark = ebml_open(b, ID_TRACK_ENTRY, 1);
	bool connect = m->o.kind == MEDIA_CONNECT;

	ebml_uint(b, ID_TRACK_NUMBER, number);
	ebml_uint(b, ID_TRACK_UID, number);
	ebml_uint(b, ID_TRACK_TYPE, connect ? 2 : 1);
	ebml_string(b, ID_TRACK_NAME, name);
	if (connect) {
		/* What it says is AAC; what it holds is 16-bit PCM. */
		padded_string(b, ID_CODEC_ID, "A_AAC", 5,
			      m->o.nul_padding ? NUL_PADDING : 0);
		ebml_bytes(b, ID_CODEC_PRIVATE, "\x11\x90", 2);
	} else {
		padded_string(b, ID_CODEC_ID, "V_UNCOMPRESSED", 14,
			      m->o.nul_padding ? NUL_PADDING : 0);
		size_t video = ebml_open(b, ID_VIDEO, 1);

		ebml_uint(b, ID_WIDTH, 320);
		ebml_uint(b, ID_HEIGHT, 240);
		ebml_close(b, video, 1);
	}
	ebml_close(b, mark, 1);
}

/* The header of what is made without a clip. */
void media_head_made(struct media *m)
{
	struct buf *b = &m->head;
	size_t mark = ebml_open(b, ID_EBML, 1);

	ebml_uint(b, 0x4286, 1);
	ebml_uint(b, 0x42F7, 1);
	ebml_uint(b, 0x42F2, 4);
	ebml_uint(b, 0x42F3, 8);
	padded_string(b, ID_DOCTYPE, "matroska", 8, m->o.nul_padding ? 1 : 0);
	ebml_uint(b, 0x4287, 2);
	ebml_uint(b, 0x4285, 2);
	ebml_close(b, mark, 1);
	put_segment(b, m);
	if (m->o.user_tags_at & USER_TAGS_BEFORE_INFO)
		put_user_tags(b, m);
	if (m->o.header == HEADER_STALE)
		put_stale_seekhead(b);
	mark = ebml_open(b, ID_INFO, 1);
	ebml_uint(b, ID_SCALE, (uint64_t)m->o.timescale_ns);
	ebml_string(b, ID_MUXING_APP, "kvs-server");
	ebml_string(b, ID_WRITING_APP, "kvs-server");
	if (m->o.header == HEADER_STALE)
		ebml_float(b, ID_DURATION, 10000);
	ebml_close(b, mark, 1);
	mark = ebml_open(b, ID_TRACKS, 2);
	if (m->o.kind == MEDIA_CONNECT) {
		made_track(b, m, m->o.swap_tracks ? 2 : 1,
			   "AUDIO_FROM_CUSTOMER");
		made_track(b, m, m->o.swap_tracks ? 1 : 2, "AUDIO_TO_CUSTOMER");
	} else {
		made_track(b, m, 1, "synthetic");
	}
	ebml_close(b, mark, 2);
	put_extras(b, m);
	if (m->o.user_tags_at & USER_TAGS_BEFORE_CLUSTER)
		put_user_tags(b, m);
	put_tail(m);
}
