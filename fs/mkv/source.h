/* SPDX-License-Identifier: MIT */
/*
 * source: a fragment's file, to be read from anywhere in it: a document as
 * mkv_reader makes it (rewritten or as sent), padded with Void to its size.
 */
#ifndef KVSFS_MKV_SOURCE_H
#define KVSFS_MKV_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct mkv_source {
	/* All n bytes at offset, which lie within size_bytes; 0 or -errno. */
	int (*read)(void *user, void *bytes, size_t n, int64_t offset);
	void *user;
	int64_t size_bytes;
};

#endif
