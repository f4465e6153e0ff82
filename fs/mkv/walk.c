/* SPDX-License-Identifier: MIT */
#include "fs/mkv/walk.h"

#include <errno.h>
#include <glib.h>

void mkv_walk_init(struct mkv_walk *w, const struct mkv_source *source)
{
	*w = (struct mkv_walk){.source = source};
	mkv_splitter_init(&w->s);
}

/* 1, 0 at the end of the file, or -errno. */
static int refill(struct mkv_walk *w)
{
	int64_t left = w->source->size_bytes - w->next;
	size_t n = (size_t)MIN(left, (int64_t)sizeof(w->window));
	int rc;

	if (n == 0)
		return 0;
	rc = w->source->read(w->source->user, w->window, n, w->next);
	if (rc < 0)
		return rc;
	w->rest = (struct ebml_span){w->window, n};
	w->next += (int64_t)n;
	return 1;
}

/* The open leaf's payload is behind us; it ends in the file. */
static void pass_over(struct mkv_walk *w)
{
	uint64_t n = mkv_splitter_skip(&w->s, w->s.leaf_left);
	uint64_t in_window = MIN(n, w->rest.n);

	w->rest.at += in_window;
	w->rest.n -= in_window;
	w->next += (int64_t)(n - in_window);
}

static struct mkv_place place_of(const struct mkv_walk *w,
				 const struct mkv_event *event)
{
	/* The document begins where the file does. */
	int64_t body_at = (int64_t)w->s.at;

	return (struct mkv_place){
		.id = event->id,
		.level = event->level,
		.at = body_at - (int64_t)event->bytes.n,
		.body_at = body_at,
		.end = w->s.in_leaf ? body_at + (int64_t)event->size : 0,
	};
}

int mkv_walk_next(struct mkv_walk *w, struct mkv_place *ret_place)
{
	struct mkv_event event;
	int rc;

	for (;;) {
		if (w->s.in_leaf)
			pass_over(w);
		rc = mkv_splitter_next(&w->s, &w->rest, &event);
		if (rc < 0)
			return rc;
		switch (event.kind) {
		case MKV_EVENT_OPEN:
			*ret_place = place_of(w, &event);
			if (ret_place->end > w->source->size_bytes)
				return -EBADMSG;
			return 1;
		case MKV_EVENT_DOCUMENT_END: /* a file is one document */
			return -EBADMSG;
		case MKV_EVENT_MORE:
			rc = refill(w);
			if (rc == 0)
				return mkv_splitter_finish(&w->s);
			if (rc < 0)
				return rc;
			break;
		case MKV_EVENT_BODY:
		case MKV_EVENT_END:
			break;
		}
	}
}
