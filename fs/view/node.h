/* SPDX-License-Identifier: MIT */
/*
 * node: the 64-bit numbers by which FUSE asks for files and folders, and the
 * 64-bit inode numbers that users see.  Two numbers, for two reasons:
 *
 * A node number is an address.  It can be read back into what it names (kind,
 * stream, start of the bucket; or the fragment's row in the catalog), so that
 * nothing has to be kept for what was looked up (but for movies).  It is good
 * for one machine's catalog only.
 *
 *     root       1
 *     folder     kind:4  stream:27  top folder or minutes since 0001-01-01:33
 *     fragment   kind:4  row of the catalog:60
 *     movie      kind:4  a hash of its layout:60; what that is, movies.h keeps
 *
 * An inode number is a hash of what the thing is: stream ARN and fragment
 * number, or stream ARN, kind and start.  It cannot be read back; it is the
 * same on every machine and after every remount.  FNV-1a over the bytes, mixed
 * once more, since FNV leaves the upper bits of short differences alone.  Two
 * of 100 million fragments share one with a chance of 3 in 10,000.
 *
 * Pure; any thread.
 */
#ifndef KVSFS_VIEW_NODE_H
#define KVSFS_VIEW_NODE_H

#include <stdbool.h>
#include <stdint.h>

enum node_kind {
	NODE_ROOT,
	NODE_STREAM,
	NODE_TOP,
	NODE_DAY,
	NODE_HOUR,
	NODE_MINUTE,
	NODE_FRAGMENT,
	NODE_MOVIE_DAY, /* a folder of movies: as NODE_DAY */
	NODE_MOVIE,
};

struct node {
	enum node_kind kind;
	uint32_t stream;  /* of a folder below the root */
	unsigned top;	  /* of NODE_TOP: which */
	int64_t start_ms; /* of a bucket: a whole minute */
	int64_t fragment; /* of NODE_FRAGMENT: its row */
	uint64_t movie;	  /* of NODE_MOVIE: its layout, NODE_MOVIE_BITS */
};

#define NODE_MOVIE_BITS 60

/* 0 where it has no number (a stream's or row's id beyond the bits for it). */
uint64_t node_number(const struct node *n);
/* false where no node has that number. */
bool node_parse(uint64_t number, struct node *ret_node);

/* The part of the hash that a stream's files and folders share. */
uint64_t node_ino_stream(const char *arn);
/* st_ino; never 0 or 1. */
uint64_t node_ino_fragment(uint64_t ino_stream, const char *number);
/* Of a movie: as its range and its layout are. */
uint64_t node_ino_movie(uint64_t ino_stream, int64_t start_ms, int64_t end_ms,
			uint64_t fingerprint);
/* Of a folder; only kind, top and start_ms are read. */
uint64_t node_ino_folder(uint64_t ino_stream, const struct node *n);

#endif
