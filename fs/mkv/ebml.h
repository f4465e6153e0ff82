/* SPDX-License-Identifier: MIT */
/*
 * ebml: reads and writes the parts of which EBML is made (RFC 8794).
 *
 * Reading never copies and never looks past the end of a span; what does not
 * fit is -EBADMSG.  Writing appends to a GByteArray.  Pure; any thread.
 */
#ifndef KVSFS_MKV_EBML_H
#define KVSFS_MKV_EBML_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EBML_ID_MAX   4 /* EBMLMaxIDLength of every Matroska file */
#define EBML_SIZE_MAX 8 /* EBMLMaxSizeLength */
#define EBML_HEAD_MAX (EBML_ID_MAX + EBML_SIZE_MAX)
#define EBML_UINT_MAX 8 /* payload of an integer, a float or a date */

/* The size that says "until something ends it". */
#define EBML_UNKNOWN UINT64_MAX

/* Bytes of somebody else's. */
struct ebml_span {
	const uint8_t *at;
	size_t n;
};

struct ebml_head {
	uint32_t id;
	unsigned n;    /* bytes of ID and size */
	uint64_t size; /* payload bytes or EBML_UNKNOWN */
};

struct ebml_element {
	uint32_t id;
	struct ebml_span whole; /* head and payload */
	struct ebml_span body;
};

/*
 * The head at the start of n bytes.  Returns 0, -EAGAIN where more bytes are
 * needed, -EBADMSG where no bytes could make it one.
 */
int ebml_head_read(const uint8_t *bytes, size_t n, struct ebml_head *ret_head);

/*
 * Take the next element off the front of *rest.  Returns 1, 0 at the end, or
 * -EBADMSG (no element, one of unknown size, or one longer than *rest).
 */
int ebml_next(struct ebml_span *rest, struct ebml_element *ret_element);

/* Integers of 0 to 8 bytes, big endian; -EBADMSG where longer. */
int ebml_uint(struct ebml_span body, uint64_t *ret_value);

/* 0, 4 or 8 bytes; else -EBADMSG. */
int ebml_float(struct ebml_span body, double *ret_value);

/* A string ends at its first NUL, or at the end of its payload. */
struct ebml_span ebml_string(struct ebml_span body);
bool ebml_string_is(struct ebml_span s, const char *text);

void ebml_put_head(GByteArray *out, uint32_t id, uint64_t size);
void ebml_put_bytes(GByteArray *out, uint32_t id, struct ebml_span body);
void ebml_put_text(GByteArray *out, uint32_t id, const char *text);
void ebml_put_uint(GByteArray *out, uint32_t id, uint64_t value);
/* In 8 bytes, whatever it is. */
void ebml_put_uint64(GByteArray *out, uint32_t id, uint64_t value);
void ebml_put_float(GByteArray *out, uint32_t id, double value);
void ebml_put_date(GByteArray *out, uint32_t id, int64_t ns);

/*
 * A master whose size is not known yet: what is appended between open and
 * close is inside.  Room for 256 MiB.
 */
size_t ebml_open(GByteArray *out, uint32_t id);
void ebml_close(GByteArray *out, size_t opened);

/* value, big endian, in exactly n bytes (what does not fit is cut off). */
void ebml_store(uint8_t *at, size_t n, uint64_t value);

#endif
