/* SPDX-License-Identifier: MIT */
#include "fs/mkv/reader.h"

#include "fs/mkv/head.h"
#include "fs/mkv/ids.h"
#include "fs/mkv/media.h"
#include "fs/mkv/rewrite.h"
#include "fs/mkv/sink.h"
#include "fs/mkv/splitter.h"

#include <glib.h>
#include <errno.h>

enum phase {
	PHASE_BETWEEN, /* no document is open */
	PHASE_HEAD,    /* before the first Cluster: held */
	PHASE_MEDIA,
	PHASE_SKIP, /* begin() did not want it */
};

struct mkv_reader {
	struct mkv_reader_ops ops;
	void *user;
	bool raw;
	int rc; /* of the failure that ended it */

	struct mkv_splitter splitter;
	struct mkv_sink sink;
	struct mkv_media media;

	enum phase phase;
	GByteArray *held;	/* the document as sent, up to here */
	size_t ebml_at, ebml_n; /* the EBML header's payload in it */
	size_t elements_at;	/* the first level-1 element in it */
};

struct mkv_reader *mkv_reader_new(const struct mkv_reader_ops *ops, bool raw,
				  void *user)
{
	struct mkv_reader *r = g_new0(struct mkv_reader, 1);

	r->ops = *ops;
	r->user = user;
	r->raw = raw;
	r->held = g_byte_array_new();
	r->sink.data = ops->data;
	r->sink.user = user;
	mkv_splitter_init(&r->splitter);
	mkv_media_init(&r->media, &r->sink);
	return r;
}

void mkv_reader_free(struct mkv_reader *r)
{
	if (!r)
		return;
	mkv_media_release(&r->media);
	g_byte_array_unref(r->held);
	g_free(r);
}

static int hold(struct mkv_reader *r, const struct mkv_event *event)
{
	uint64_t size = event->size;

	if (event->kind == MKV_EVENT_END)
		return 0;
	if (event->kind == MKV_EVENT_OPEN) {
		if (event->id == MKV_SEGMENT)
			size = 0;
		if (r->held->len + event->bytes.n + size > MKV_HEAD_MAX_BYTES)
			return -EBADMSG;
	}
	g_byte_array_append(r->held, event->bytes.at, (guint)event->bytes.n);
	if (event->kind == MKV_EVENT_OPEN && event->id == MKV_SEGMENT)
		r->elements_at = r->held->len;
	if (event->kind == MKV_EVENT_OPEN && event->id == MKV_EBML) {
		r->ebml_at = r->held->len;
		r->ebml_n = size;
	}
	return 0;
}

static int emit_head(struct mkv_reader *r, const struct mkv_head *head,
		     int64_t length_ms)
{
	g_autoptr(GByteArray) out = NULL;
	int rc;

	if (r->raw)
		return mkv_sink_write(&r->sink, r->held->data, r->held->len);
	out = g_byte_array_new();
	rc = mkv_rewrite(out, head, length_ms);
	if (rc < 0)
		return rc;
	mkv_media_start(&r->media, head->has_info, head->has_tracks);
	return mkv_sink_write(&r->sink, out->data, out->len);
}

static int begin_document(struct mkv_reader *r, bool has_cluster)
{
	struct ebml_span ebml = {r->held->data + r->ebml_at, r->ebml_n};
	struct ebml_span elements = {r->held->data + r->elements_at,
				     r->held->len - r->elements_at};
	struct mkv_head head;
	int64_t length_ms = 0;
	int rc;

	rc = mkv_head_read(ebml, elements, &head);
	if (rc < 0)
		return rc;
	head.document.has_cluster = has_cluster;
	rc = r->ops.begin(r->user, &head.document, &length_ms);
	if (rc < 0)
		return rc;
	r->phase = rc ? PHASE_SKIP : PHASE_MEDIA;
	if (r->phase == PHASE_MEDIA)
		rc = emit_head(r, &head, length_ms);
	g_byte_array_set_size(r->held, 0);
	return rc < 0 ? rc : 0;
}

static int end_document(struct mkv_reader *r)
{
	int rc = 0;

	if (r->phase == PHASE_HEAD)
		rc = begin_document(r, false);
	if (!rc)
		rc = mkv_sink_flush(&r->sink);
	if (rc < 0)
		return rc;
	r->phase = PHASE_BETWEEN;
	return r->ops.end(r->user);
}

static int pass_raw(struct mkv_reader *r, const struct mkv_event *event)
{
	if (event->kind == MKV_EVENT_END)
		return 0;
	if (event->spilled)
		return mkv_sink_write(&r->sink, event->bytes.at,
				      event->bytes.n);
	return mkv_sink_pass(&r->sink, event->bytes.at, event->bytes.n);
}

static int on_event(struct mkv_reader *r, const struct mkv_event *event)
{
	int rc;

	if (event->kind == MKV_EVENT_DOCUMENT_END)
		return end_document(r);
	if (r->phase == PHASE_BETWEEN)
		r->phase = PHASE_HEAD;
	if (r->phase == PHASE_HEAD) {
		if (event->kind != MKV_EVENT_OPEN || event->id != MKV_CLUSTER)
			return hold(r, event);
		rc = begin_document(r, true);
		if (rc < 0)
			return rc;
	}
	if (r->phase == PHASE_SKIP)
		return 0;
	return r->raw ? pass_raw(r, event) : mkv_media_event(&r->media, event);
}

int mkv_reader_feed(struct mkv_reader *r, const void *bytes, size_t n)
{
	struct ebml_span rest = {bytes, n};
	struct mkv_event event;
	int rc, flush_rc;

	if (r->rc < 0)
		return r->rc;
	do {
		rc = mkv_splitter_next(&r->splitter, &rest, &event);
		if (rc < 0 || event.kind == MKV_EVENT_MORE)
			break;
		rc = on_event(r, &event);
	} while (rc >= 0);

	/* Also after a failure: what came before it is as it should be. */
	flush_rc = mkv_sink_flush(&r->sink);
	if (rc >= 0)
		rc = flush_rc;
	r->rc = rc < 0 ? rc : 0;
	return r->rc;
}

int mkv_reader_finish(struct mkv_reader *r)
{
	if (r->rc < 0)
		return r->rc;
	r->rc = mkv_splitter_finish(&r->splitter);
	if (!r->rc && r->phase != PHASE_BETWEEN)
		r->rc = end_document(r);
	mkv_splitter_init(&r->splitter);
	return r->rc;
}
