/* SPDX-License-Identifier: MIT */
#include "fs/mkv/head.h"

#include "fs/mkv/ids.h"
#include "fs/mkv/identity.h"
#include "fs/mkv/tags.h"

#include <errno.h>
#include <string.h>

#define DEFAULT_SCALE_NS 1000000
#define TRACK_TYPE_VIDEO 1
/* A fragment is 20 s at most; a longer frame is a producer's mistake. */
#define FRAME_NS_MAX UINT64_C(20000000000)

static int read_doc_type(struct ebml_span body, bool *ret_webm)
{
	struct ebml_span type = ebml_string(body);

	if (ebml_string_is(type, "webm"))
		*ret_webm = true;
	else if (!ebml_string_is(type, "matroska"))
		return -EBADMSG;
	return 0;
}

static int read_ebml(struct ebml_span body, struct mkv_head *head)
{
	uint64_t id_bytes = EBML_ID_MAX, size_bytes = EBML_SIZE_MAX;
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&body, &e)) > 0) {
		switch (e.id) {
		case MKV_DOC_TYPE:
			rc = read_doc_type(e.body, &head->webm);
			break;
		case MKV_DOC_TYPE_VERSION:
			rc = ebml_uint(e.body, &head->doc_version);
			break;
		case MKV_DOC_TYPE_READ_VERSION:
			rc = ebml_uint(e.body, &head->doc_read_version);
			break;
		case MKV_EBML_MAX_ID_LENGTH:
			rc = ebml_uint(e.body, &id_bytes);
			break;
		case MKV_EBML_MAX_SIZE_LENGTH:
			rc = ebml_uint(e.body, &size_bytes);
			break;
		default:
			break;
		}
		if (rc < 0)
			return rc;
	}
	if (id_bytes > EBML_ID_MAX || size_bytes > EBML_SIZE_MAX)
		return -EBADMSG;
	return rc;
}

static int read_info(struct ebml_span info, struct mkv_head *head)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&info, &e)) > 0) {
		if (e.id == MKV_TIMESTAMP_SCALE)
			rc = ebml_uint(e.body, &head->scale_ns);
		if (rc < 0)
			return rc;
	}
	if (!head->scale_ns)
		head->scale_ns = DEFAULT_SCALE_NS;
	return rc;
}

static int read_frame_ns(struct ebml_span entry, bool *ret_video,
			 uint64_t *ret_frame_ns)
{
	uint64_t type = 0, frame_ns = 0;
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&entry, &e)) > 0) {
		if (e.id == MKV_TRACK_TYPE)
			rc = ebml_uint(e.body, &type);
		else if (e.id == MKV_DEFAULT_DURATION)
			rc = ebml_uint(e.body, &frame_ns);
		if (rc < 0)
			return rc;
	}
	*ret_video = type == TRACK_TYPE_VIDEO;
	*ret_frame_ns = frame_ns;
	return rc;
}

static int read_tracks(struct ebml_span tracks, struct mkv_head *head)
{
	bool have_video = false;
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&tracks, &e)) > 0) {
		uint64_t frame_ns = 0;
		bool video = false;

		if (e.id == MKV_TRACK_ENTRY)
			rc = read_frame_ns(e.body, &video, &frame_ns);
		if (rc < 0)
			return rc;
		if (!frame_ns || frame_ns > FRAME_NS_MAX || have_video ||
		    (head->frame_ns && !video))
			continue;
		head->frame_ns = frame_ns;
		have_video = video;
	}
	return rc;
}

static int read_elements(struct ebml_span elements, struct mkv_head *head)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&elements, &e)) > 0) {
		if (e.id == MKV_INFO && !head->has_info) {
			head->has_info = true;
			head->info = e.body;
			rc = read_info(e.body, head);
		} else if (e.id == MKV_TRACKS && !head->has_tracks) {
			head->has_tracks = true;
			head->tracks = e.body;
			rc = read_tracks(e.body, head);
		} else if (e.id == MKV_TAGS) {
			rc = mkv_identity_read(e.body, &head->document,
					       &head->l16);
		}
		if (rc < 0)
			return rc;
	}
	return rc;
}

int mkv_head_read(struct ebml_span ebml, struct ebml_span elements,
		  struct mkv_head *ret_head)
{
	struct mkv_head head = {
		.scale_ns = DEFAULT_SCALE_NS,
		.elements = elements,
		.document = {.server_ms = -1, .producer_ms = -1},
	};
	int rc;

	rc = read_ebml(ebml, &head);
	if (!rc)
		rc = read_elements(elements, &head);
	if (!rc)
		*ret_head = head;
	return rc;
}
