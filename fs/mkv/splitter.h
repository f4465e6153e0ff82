/* SPDX-License-Identifier: MIT */
/*
 * splitter: walks a sequence of Matroska documents element by element, in
 * whatever pieces the bytes arrive.
 *
 * It opens the Segment and the Clusters and nothing else: every other element
 * is a leaf, whose payload is handed on in the pieces in which it came, by
 * pointer.  Structure is checked here (nesting, fit in the parent, sizes), the
 * meaning of an element is the caller's.
 *
 * A document starts at its EBML header and ends at the next one, or at the end
 * of the body.  A Cluster or Segment of unknown size ends where an element
 * starts that cannot be inside it.
 *
 * No I/O, no allocation; one thread at a time.
 */
#ifndef KVSFS_MKV_SPLITTER_H
#define KVSFS_MKV_SPLITTER_H

#include "fs/mkv/ebml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A fragment is 50 MB at most (a hard quota), and so is what it is made of. */
#define MKV_ELEMENT_MAX_BYTES	  (64u << 20)
#define MKV_EBML_HEADER_MAX_BYTES 4096u

enum mkv_event_kind {
	MKV_EVENT_MORE, /* all bytes are used up */
	MKV_EVENT_OPEN, /* an element's head: bytes, id, level, size */
	MKV_EVENT_BODY, /* bytes of the open leaf's payload, at least one */
	MKV_EVENT_END,	/* the open leaf is complete */
	MKV_EVENT_DOCUMENT_END, /* a new document starts with the next event */
};

struct mkv_event {
	enum mkv_event_kind kind;
	uint32_t id;
	int level;
	uint64_t size; /* EBML_UNKNOWN only for Segment and Cluster */
	/*
	 * Inside what was fed, and then consecutive with the event before; or,
	 * where spilled, in the splitter until the next event.
	 */
	struct ebml_span bytes;
	bool spilled;
};

struct mkv_splitter {
	uint64_t at; /* bytes since the document began */
	bool in_document, had_segment;
	int depth;	 /* open masters: 0, 1 Segment, 2 Cluster */
	uint64_t end[3]; /* of each, never after its parent's; or none */
	bool unknown[3]; /* the master's own size is unknown */

	struct mkv_event leaf; /* the open one */
	uint64_t leaf_left;
	bool in_leaf;

	uint8_t spill[EBML_HEAD_MAX]; /* a head that arrived in pieces */
	unsigned spill_n;
};

void mkv_splitter_init(struct mkv_splitter *s);

/*
 * The next event from *rest, whose front is taken off.  0 or -EBADMSG, after
 * which the splitter is of no more use.
 */
int mkv_splitter_next(struct mkv_splitter *s, struct ebml_span *rest,
		      struct mkv_event *ret_event);

/*
 * Pass over up to n bytes of the open leaf's payload that are not fed: how
 * many. What was fed of it is to be taken first.
 */
uint64_t mkv_splitter_skip(struct mkv_splitter *s, uint64_t n);

/* Whether the body may end here: 0 or -EBADMSG. */
int mkv_splitter_finish(const struct mkv_splitter *s);

#endif
