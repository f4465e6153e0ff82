/* SPDX-License-Identifier: MIT */
#include "fs/mkv/splitter.h"

#include "fs/mkv/ids.h"

#include <errno.h>
#include <string.h>

#define NO_END UINT64_MAX

void mkv_splitter_init(struct mkv_splitter *s)
{
	memset(s, 0, sizeof(*s));
	s->end[0] = NO_END;
}

/* What is in the spill is the start of the next document. */
static void start_document(struct mkv_splitter *s)
{
	s->at = 0;
	s->in_document = false;
	s->had_segment = false;
	s->depth = 0;
}

/*
 * The next element's head, without taking it: *ret_bytes is in *rest, or in the
 * spill where it came in pieces.  -EAGAIN: *rest is used up.
 */
static int peek_head(struct mkv_splitter *s, struct ebml_span *rest,
		     struct ebml_head *ret_head)
{
	int rc;

	if (!s->spill_n) {
		rc = ebml_head_read(rest->at, rest->n, ret_head);
		if (rc != -EAGAIN)
			return rc;
	}
	while ((rc = ebml_head_read(s->spill, s->spill_n, ret_head)) ==
		       -EAGAIN &&
	       rest->n) {
		s->spill[s->spill_n++] = *rest->at++;
		rest->n--;
	}
	return rc;
}

static void take_head(struct mkv_splitter *s, struct ebml_span *rest,
		      const struct ebml_head *head, struct mkv_event *event)
{
	event->kind = MKV_EVENT_OPEN;
	event->id = head->id;
	event->level = s->depth;
	event->size = head->size;
	event->bytes.n = head->n;
	event->spilled = s->spill_n > 0;
	if (event->spilled) {
		event->bytes.at = s->spill;
		s->spill_n = 0;
	} else {
		event->bytes.at = rest->at;
		rest->at += head->n;
		rest->n -= head->n;
	}
	s->at += head->n;
}

static void close_ended(struct mkv_splitter *s)
{
	while (s->depth && s->end[s->depth] == s->at)
		s->depth--;
}

static void open_master(struct mkv_splitter *s, uint64_t size)
{
	uint64_t outer = s->end[s->depth];

	s->depth++;
	s->unknown[s->depth] = size == EBML_UNKNOWN;
	s->end[s->depth] = size == EBML_UNKNOWN ? outer : s->at + size;
	close_ended(s);
}

/*
 * Close what the element ends that starts here.  Returns 0, 1 where it ends
 * the document, or -EBADMSG where it cannot be here.
 */
static int place(struct mkv_splitter *s, uint32_t id)
{
	int level = mkv_id_level(id);

	if (!s->in_document)
		return id == MKV_EBML ? 0 : -EBADMSG;
	while (level >= 0 && s->depth > level) {
		if (!s->unknown[s->depth])
			return -EBADMSG;
		s->depth--;
	}
	if (id == MKV_EBML)
		return s->had_segment ? 1 : -EBADMSG;
	if (id == MKV_SEGMENT)
		return s->had_segment ? -EBADMSG : 0;
	if (s->depth == 0)
		return id == MKV_VOID ? 0 : -EBADMSG;
	return 0;
}

static bool is_master(uint32_t id)
{
	return id == MKV_SEGMENT || id == MKV_CLUSTER;
}

static int check_size(const struct mkv_splitter *s,
		      const struct ebml_head *head)
{
	uint64_t room = s->end[s->depth] - s->at;

	if (head->n > room)
		return -EBADMSG;
	if (head->size == EBML_UNKNOWN)
		return is_master(head->id) ? 0 : -EBADMSG;
	if (head->size > room - head->n)
		return -EBADMSG;
	if (head->id == MKV_EBML && head->size > MKV_EBML_HEADER_MAX_BYTES)
		return -EBADMSG;
	if (!is_master(head->id) && head->size > MKV_ELEMENT_MAX_BYTES)
		return -EBADMSG;
	return 0;
}

static int next_head(struct mkv_splitter *s, struct ebml_span *rest,
		     struct mkv_event *event)
{
	struct ebml_head head;
	int rc;

	rc = peek_head(s, rest, &head);
	if (rc == -EAGAIN) {
		event->kind = MKV_EVENT_MORE;
		return 0;
	}
	if (rc < 0)
		return rc;
	rc = place(s, head.id);
	if (rc < 0)
		return rc;
	if (rc > 0) {
		start_document(s);
		event->kind = MKV_EVENT_DOCUMENT_END;
		return 0;
	}
	rc = check_size(s, &head);
	if (rc < 0)
		return rc;

	take_head(s, rest, &head, event);
	if (is_master(head.id)) {
		s->had_segment = true;
		open_master(s, head.size);
		return 0;
	}
	if (head.id == MKV_EBML)
		s->in_document = true;
	s->in_leaf = true;
	s->leaf_left = head.size;
	s->leaf = *event;
	return 0;
}

int mkv_splitter_next(struct mkv_splitter *s, struct ebml_span *rest,
		      struct mkv_event *ret_event)
{
	size_t n;

	if (!s->in_leaf)
		return next_head(s, rest, ret_event);

	*ret_event = s->leaf;
	ret_event->spilled = false;
	if (!s->leaf_left) {
		ret_event->kind = MKV_EVENT_END;
		s->in_leaf = false;
		close_ended(s);
		return 0;
	}
	if (!rest->n) {
		ret_event->kind = MKV_EVENT_MORE;
		return 0;
	}
	n = s->leaf_left < rest->n ? (size_t)s->leaf_left : rest->n;
	ret_event->kind = MKV_EVENT_BODY;
	ret_event->bytes = (struct ebml_span){rest->at, n};
	rest->at += n;
	rest->n -= n;
	s->at += n;
	s->leaf_left -= n;
	return 0;
}

uint64_t mkv_splitter_skip(struct mkv_splitter *s, uint64_t n)
{
	if (!s->in_leaf)
		return 0;
	if (n > s->leaf_left)
		n = s->leaf_left;
	s->at += n;
	s->leaf_left -= n;
	return n;
}

int mkv_splitter_finish(const struct mkv_splitter *s)
{
	if (!s->in_document && !s->spill_n)
		return 0;
	if (!s->had_segment || s->spill_n || s->in_leaf)
		return -EBADMSG;
	return s->end[s->depth] == NO_END ? 0 : -EBADMSG;
}
