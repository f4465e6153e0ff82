/* SPDX-License-Identifier: MIT */
/* A fragment's file in memory; a read outside of it fails the test. */
#ifndef KVSFS_TESTS_MKV_BYTES_SOURCE_H
#define KVSFS_TESTS_MKV_BYTES_SOURCE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "fs/mkv/source.h"

struct bytes_source {
	const uint8_t *bytes;
	int64_t n;
	int reads_left; /* then -EIO */
};

static inline int bytes_source_read(void *user, void *to, size_t n, int64_t at)
{
	struct bytes_source *b = user;

	assert_true(n > 0 && at >= 0 && (int64_t)n <= b->n - at);
	if (b->reads_left-- <= 0)
		return -EIO;
	memcpy(to, b->bytes + at, n);
	return 0;
}

static inline struct mkv_source bytes_source(struct bytes_source *b)
{
	return (struct mkv_source){bytes_source_read, b, b->n};
}

#endif
