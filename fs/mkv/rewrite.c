/* SPDX-License-Identifier: MIT */
#include "fs/mkv/rewrite.h"

#include "fs/mkv/ids.h"
#include "fs/mkv/tags.h"
#include "fs/mkv/tracks.h"

#include <string.h>

/* SimpleBlock came with version 2; 4 is the one of RFC 9559. */
#define DOC_VERSION_MIN	     4
#define DOC_READ_VERSION_MIN 2

#define NS_PER_MS INT64_C(1000000)

void mkv_rewrite_ebml(GByteArray *out, const struct mkv_head *head)
{
	size_t opened = ebml_open(out, MKV_EBML);

	ebml_put_uint(out, MKV_EBML_VERSION, 1);
	ebml_put_uint(out, MKV_EBML_READ_VERSION, 1);
	ebml_put_uint(out, MKV_EBML_MAX_ID_LENGTH, EBML_ID_MAX);
	ebml_put_uint(out, MKV_EBML_MAX_SIZE_LENGTH, EBML_SIZE_MAX);
	ebml_put_text(out, MKV_DOC_TYPE, head->webm ? "webm" : "matroska");
	ebml_put_uint(out, MKV_DOC_TYPE_VERSION,
		      MAX(head->doc_version, DOC_VERSION_MIN));
	ebml_put_uint(out, MKV_DOC_TYPE_READ_VERSION,
		      MAX(head->doc_read_version, DOC_READ_VERSION_MIN));
	ebml_close(out, opened);
}

static int read_texts(struct ebml_span info, struct ebml_span *title,
		      struct ebml_span *muxing, struct ebml_span *writing)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&info, &e)) > 0) {
		if (e.id == MKV_TITLE)
			*title = ebml_string(e.body);
		else if (e.id == MKV_MUXING_APP)
			*muxing = ebml_string(e.body);
		else if (e.id == MKV_WRITING_APP)
			*writing = ebml_string(e.body);
	}
	return rc;
}

static void put_date(GByteArray *out, int64_t producer_ms)
{
	int64_t ms;

	if (producer_ms < 0)
		return;
	/* 64 bits of nanoseconds end in 2293. */
	ms = producer_ms - MKV_DATE_EPOCH_MS;
	if (ms <= INT64_MAX / NS_PER_MS)
		ebml_put_date(out, MKV_DATE_UTC, ms * NS_PER_MS);
}

static int write_info(GByteArray *out, const struct mkv_head *head,
		      int64_t length_ms)
{
	struct ebml_span app = {(const uint8_t *)MKV_APP_NAME,
				strlen(MKV_APP_NAME)};
	struct ebml_span title = {0}, muxing = {0}, writing = {0};
	size_t opened;
	int rc;

	rc = read_texts(head->info, &title, &muxing, &writing);
	if (rc < 0)
		return rc;
	opened = ebml_open(out, MKV_INFO);
	ebml_put_uint(out, MKV_TIMESTAMP_SCALE, head->scale_ns);
	if (length_ms > 0)
		ebml_put_float(out, MKV_DURATION,
			       ((double)length_ms * (double)NS_PER_MS +
				(double)head->frame_ns) /
				       (double)head->scale_ns);
	put_date(out, head->document.producer_ms);
	if (title.n)
		ebml_put_bytes(out, MKV_TITLE, title);
	ebml_put_bytes(out, MKV_MUXING_APP, muxing.n ? muxing : app);
	ebml_put_bytes(out, MKV_WRITING_APP, writing.n ? writing : app);
	ebml_close(out, opened);
	return 0;
}

/* Attachments, and what has no name here. */
static int write_rest(GByteArray *out, struct ebml_span elements)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&elements, &e)) > 0) {
		switch (e.id) {
		case MKV_VOID:
		case MKV_CRC32:
		case MKV_SEEK_HEAD:
		case MKV_INFO:
		case MKV_TRACKS:
		case MKV_CUES:
		case MKV_CHAPTERS:
		case MKV_TAGS:
			break;
		default:
			g_byte_array_append(out, e.whole.at, (guint)e.whole.n);
		}
	}
	return rc;
}

int mkv_rewrite(GByteArray *out, const struct mkv_head *head, int64_t length_ms)
{
	int rc;

	mkv_rewrite_ebml(out, head);
	ebml_put_head(out, MKV_SEGMENT, EBML_UNKNOWN);
	rc = write_info(out, head, length_ms);
	if (!rc)
		rc = mkv_tracks_write(out, head);
	if (!rc)
		rc = mkv_tags_write(out, head->elements);
	if (!rc)
		rc = write_rest(out, head->elements);
	return rc;
}
