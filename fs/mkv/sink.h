/* SPDX-License-Identifier: MIT */
/*
 * sink: hands bytes to the caller's data() in order, consecutive ones of one
 * buffer together, so that untouched media is one call per buffer fed.
 */
#ifndef KVSFS_MKV_SINK_H
#define KVSFS_MKV_SINK_H

#include <stddef.h>
#include <stdint.h>

struct mkv_sink {
	int (*data)(void *user, const void *bytes, size_t n);
	void *user;
	const uint8_t *run; /* passed on but not handed over yet */
	size_t run_n;
};

/* All return 0 or what data() returned. */

/* Bytes that stay where they are until mkv_sink_flush(). */
int mkv_sink_pass(struct mkv_sink *s, const uint8_t *bytes, size_t n);
int mkv_sink_flush(struct mkv_sink *s);

/* Bytes that are the caller's again on return. */
int mkv_sink_write(struct mkv_sink *s, const uint8_t *bytes, size_t n);
int mkv_sink_zeros(struct mkv_sink *s, uint64_t n);

#endif
