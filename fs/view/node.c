/* SPDX-License-Identifier: MIT */
#include "fs/view/node.h"

#include <stddef.h>

#include "fs/base/utc.h"
#include "fs/view/path.h"

#define KIND_SHIFT   60
#define STREAM_SHIFT 33
#define STREAM_MAX   ((UINT64_C(1) << (KIND_SHIFT - STREAM_SHIFT)) - 1)
#define LOW_MASK     ((UINT64_C(1) << STREAM_SHIFT) - 1)
#define ROW_MASK     ((UINT64_C(1) << KIND_SHIFT) - 1)
#define ROOT_NUMBER  UINT64_C(1)

static uint64_t folder_number(const struct node *n, uint64_t low)
{
	if (n->stream == 0 || n->stream > STREAM_MAX || low > LOW_MASK)
		return 0;
	return (uint64_t)n->kind << KIND_SHIFT |
	       (uint64_t)n->stream << STREAM_SHIFT | low;
}

uint64_t node_number(const struct node *n)
{
	switch (n->kind) {
	case NODE_ROOT:
		return ROOT_NUMBER;
	case NODE_STREAM:
		return folder_number(n, 0);
	case NODE_TOP:
		return folder_number(n, n->top);
	case NODE_DAY:
	case NODE_HOUR:
	case NODE_MINUTE:
	case NODE_MOVIE_DAY:
		if (n->start_ms < PATH_FIRST_MS || n->start_ms >= PATH_END_MS)
			return 0;
		return folder_number(n,
				     (uint64_t)(n->start_ms - PATH_FIRST_MS) /
					     (uint64_t)UTC_MINUTE_MS);
	case NODE_FRAGMENT:
		if (n->fragment <= 0 || (uint64_t)n->fragment > ROW_MASK)
			return 0;
		return (uint64_t)NODE_FRAGMENT << KIND_SHIFT |
		       (uint64_t)n->fragment;
	case NODE_MOVIE:
		return (uint64_t)NODE_MOVIE << KIND_SHIFT |
		       (n->movie & ROW_MASK);
	}
	return 0;
}

static int64_t unit_ms(enum node_kind kind)
{
	switch (kind) {
	case NODE_HOUR:
		return UTC_HOUR_MS;
	case NODE_MINUTE:
		return UTC_MINUTE_MS;
	default:
		return UTC_DAY_MS;
	}
}

bool node_parse(uint64_t number, struct node *ret_node)
{
	struct node n = {.kind = NODE_ROOT};
	uint64_t low = number & LOW_MASK;

	if (number == ROOT_NUMBER) {
		*ret_node = n;
		return true;
	}
	n.kind = (enum node_kind)(number >> KIND_SHIFT);
	n.stream = (uint32_t)(number >> STREAM_SHIFT & STREAM_MAX);
	switch (n.kind) {
	case NODE_ROOT:
		return false;
	case NODE_STREAM:
		break;
	case NODE_TOP:
		n.top = (unsigned)low;
		break;
	case NODE_DAY:
	case NODE_HOUR:
	case NODE_MINUTE:
	case NODE_MOVIE_DAY:
		n.start_ms = PATH_FIRST_MS + (int64_t)low * UTC_MINUTE_MS;
		if (utc_floor(n.start_ms, unit_ms(n.kind)) != n.start_ms)
			return false;
		break;
	case NODE_FRAGMENT:
		n.stream = 0;
		n.fragment = (int64_t)(number & ROW_MASK);
		break;
	case NODE_MOVIE:
		n.stream = 0;
		n.movie = number & ROW_MASK;
		break;
	default:
		return false;
	}
	/* One number for each node: what does not come out again is none. */
	if (node_number(&n) != number)
		return false;
	*ret_node = n;
	return true;
}

/* ---- inode numbers ------------------------------------------------------ */

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t fnv(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * FNV_PRIME;
	return h;
}

/* With its NUL, so that "a" + "bc" is not "ab" + "c". */
static uint64_t fnv_string(uint64_t h, const char *s)
{
	do
		h = (h ^ (uint8_t)*s) * FNV_PRIME;
	while (*s++);
	return h;
}

static uint64_t finish(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	/* 0 is "no inode" and 1 a file system's root to some tools. */
	return h > 1 ? h : h + 2;
}

uint64_t node_ino_stream(const char *arn)
{
	return fnv_string(FNV_BASIS, arn);
}

uint64_t node_ino_fragment(uint64_t ino_stream, const char *number)
{
	return finish(fnv_string(ino_stream, number));
}

static uint64_t fnv_words(uint64_t h, const uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned shift = 0; shift < 64; shift += 8)
			h = (h ^ (words[i] >> shift & 0xff)) * FNV_PRIME;
	return h;
}

uint64_t node_ino_movie(uint64_t ino_stream, int64_t start_ms, int64_t end_ms,
			uint64_t fingerprint)
{
	const uint8_t kind = NODE_MOVIE;
	const uint64_t key[] = {(uint64_t)start_ms, (uint64_t)end_ms,
				fingerprint};

	return finish(fnv_words(fnv(ino_stream, &kind, 1), key, 3));
}

uint64_t node_ino_folder(uint64_t ino_stream, const struct node *n)
{
	uint64_t low = n->kind == NODE_TOP ? n->top : (uint64_t)n->start_ms;
	/* A kind below '0' cannot begin a fragment number. */
	const uint8_t kind = (uint8_t)n->kind;

	return finish(fnv_words(fnv(ino_stream, &kind, 1), &low, 1));
}
