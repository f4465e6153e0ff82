/* SPDX-License-Identifier: MIT */
#include "fs/mkv/media.h"

#include "fs/mkv/ids.h"
#include "fs/mkv/reader.h"
#include "fs/mkv/tags.h"

#include <errno.h>
#include <string.h>

void mkv_media_init(struct mkv_media *m, struct mkv_sink *sink)
{
	memset(m, 0, sizeof(*m));
	m->sink = sink;
	m->tags = g_byte_array_new();
}

void mkv_media_release(struct mkv_media *m)
{
	g_byte_array_unref(m->tags);
}

void mkv_media_start(struct mkv_media *m, bool had_info, bool had_tracks)
{
	m->had_info = had_info;
	m->had_tracks = had_tracks;
	m->has_base = false;
	m->base = 0;
}

static enum mkv_media_action action_in_cluster(uint32_t id)
{
	switch (id) {
	case MKV_TIMESTAMP:
		return MKV_MEDIA_REBASE;
	case MKV_CRC32:
	case MKV_POSITION:
	case MKV_PREV_SIZE:
		return MKV_MEDIA_VOID;
	default:
		return MKV_MEDIA_PASS;
	}
}

static enum mkv_media_action action_after(const struct mkv_media *m,
					  uint32_t id)
{
	switch (id) {
	case MKV_TAGS:
		return MKV_MEDIA_EDIT_TAGS;
	case MKV_CRC32:
	case MKV_SEEK_HEAD:
	case MKV_CUES:
	case MKV_CHAPTERS:
		return MKV_MEDIA_VOID;
	case MKV_INFO:
		return m->had_info ? MKV_MEDIA_VOID : MKV_MEDIA_PASS;
	case MKV_TRACKS:
		return m->had_tracks ? MKV_MEDIA_VOID : MKV_MEDIA_PASS;
	default:
		return MKV_MEDIA_PASS;
	}
}

static int pass(struct mkv_media *m, const struct mkv_event *event)
{
	if (event->spilled)
		return mkv_sink_write(m->sink, event->bytes.at, event->bytes.n);
	return mkv_sink_pass(m->sink, event->bytes.at, event->bytes.n);
}

/* The Void's head is never longer than the one that it replaces. */
static int open_void(struct mkv_media *m, const struct mkv_event *event)
{
	uint8_t head[MKV_VOID_HEAD_MAX];
	size_t n = mkv_void_head(event->bytes.n + event->size, head);
	int rc = mkv_sink_write(m->sink, head, n);

	return rc < 0 ? rc : mkv_sink_zeros(m->sink, event->bytes.n - n);
}

static const uint8_t unknown_cluster[] = {0x1F, 0x43, 0xB6, 0x75, 0x01, 0xFF,
					  0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

/*
 * Both spellings of "unknown" are right (RFC 8794 section 6.2), but mpv 0.40
 * takes the one of a single byte for a corrupt file.
 */
static bool is_short_unknown(const struct mkv_event *event)
{
	return event->level == 1 && event->id == MKV_CLUSTER &&
	       event->size == EBML_UNKNOWN &&
	       event->bytes.n < sizeof(unknown_cluster);
}

static int on_open(struct mkv_media *m, const struct mkv_event *event)
{
	m->action = event->level == 2 ? action_in_cluster(event->id)
				      : action_after(m, event->id);
	switch (m->action) {
	case MKV_MEDIA_VOID:
		return open_void(m, event);
	case MKV_MEDIA_REBASE:
		if (event->size > EBML_UINT_MAX)
			return -EBADMSG;
		m->number_n = 0;
		return pass(m, event);
	case MKV_MEDIA_EDIT_TAGS:
		if (event->size > MKV_TAGS_MAX_BYTES)
			return -EBADMSG;
		g_byte_array_set_size(m->tags, 0);
		g_byte_array_append(m->tags, event->bytes.at,
				    (guint)event->bytes.n);
		return 0;
	case MKV_MEDIA_PASS:
		break;
	}
	if (is_short_unknown(event))
		return mkv_sink_write(m->sink, unknown_cluster,
				      sizeof(unknown_cluster));
	return pass(m, event);
}

static int on_body(struct mkv_media *m, const struct mkv_event *event)
{
	switch (m->action) {
	case MKV_MEDIA_VOID:
		return mkv_sink_zeros(m->sink, event->bytes.n);
	case MKV_MEDIA_REBASE:
		memcpy(m->number + m->number_n, event->bytes.at,
		       event->bytes.n);
		m->number_n += event->bytes.n;
		return 0;
	case MKV_MEDIA_EDIT_TAGS:
		g_byte_array_append(m->tags, event->bytes.at,
				    (guint)event->bytes.n);
		return 0;
	case MKV_MEDIA_PASS:
		break;
	}
	return pass(m, event);
}

static int rebase(struct mkv_media *m)
{
	struct ebml_span body = {m->number, m->number_n};
	uint64_t sent;
	int rc = ebml_uint(body, &sent);

	if (rc < 0)
		return rc;
	if (!m->has_base) {
		m->has_base = true;
		m->base = sent;
	}
	/* A Cluster before the first has no place to go but the start. */
	ebml_store(m->number, m->number_n, sent > m->base ? sent - m->base : 0);
	return mkv_sink_write(m->sink, m->number, m->number_n);
}

static int on_end(struct mkv_media *m)
{
	int rc;

	switch (m->action) {
	case MKV_MEDIA_REBASE:
		return rebase(m);
	case MKV_MEDIA_EDIT_TAGS:
		rc = mkv_tags_edit(m->tags->data, m->tags->len);
		if (rc < 0)
			return rc;
		return mkv_sink_write(m->sink, m->tags->data, m->tags->len);
	case MKV_MEDIA_VOID:
	case MKV_MEDIA_PASS:
		break;
	}
	return 0;
}

int mkv_media_event(struct mkv_media *m, const struct mkv_event *event)
{
	switch (event->kind) {
	case MKV_EVENT_OPEN:
		return on_open(m, event);
	case MKV_EVENT_BODY:
		return on_body(m, event);
	case MKV_EVENT_END:
		return on_end(m);
	case MKV_EVENT_MORE:
	case MKV_EVENT_DOCUMENT_END:
		break;
	}
	return 0;
}
