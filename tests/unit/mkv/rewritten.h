/* SPDX-License-Identifier: MIT */
/*
 * rewritten: one document through the reader, and what its new header says.
 */
#ifndef KVSFS_TESTS_MKV_REWRITTEN_H
#define KVSFS_TESTS_MKV_REWRITTEN_H

#include "build.h"
#include "collect.h"
#include "dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EBML_LINES             \
	"EBML\n"               \
	" EBMLVersion 1\n"     \
	" EBMLReadVersion 1\n" \
	" EBMLMaxIDLength 4\n" \
	" EBMLMaxSizeLength 8\n"
#define MATROSKA_LINES            \
	EBML_LINES                \
	" DocType \"matroska\"\n" \
	" DocTypeVersion 4\n"     \
	" DocTypeReadVersion 2\n" \
	"Segment ?\n"
#define BARE_INFO                    \
	" Info\n"                    \
	"  TimestampScale 1000000\n" \
	"  MuxingApp \"kvsfs\"\n"    \
	"  WritingApp \"kvsfs\"\n"
#define AWS_LINES                                               \
	"  Tag\n"                                               \
	"   SimpleTag\n"                                        \
	"    TagName \"AWS_KINESISVIDEO_FRAGMENT_NUMBER\"\n"    \
	"    TagString \"7\"\n"                                 \
	"   SimpleTag\n"                                        \
	"    TagName \"AWS_KINESISVIDEO_SERVER_TIMESTAMP\"\n"   \
	"    TagString \"1511852109.126\"\n"                    \
	"   SimpleTag\n"                                        \
	"    TagName \"AWS_KINESISVIDEO_PRODUCER_TIMESTAMP\"\n" \
	"    TagString \"1511852108.513\"\n"

/* The rewritten bytes of the one document in o. */
static inline GByteArray *rewrite(const GByteArray *o, int64_t length_ms)
{
	GByteArray *bytes;
	struct collect c;

	collect_init(&c);
	c.length_ms = length_ms;
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	assert_int_equal(c.documents->len, 1);
	bytes = g_byte_array_ref(collect_at(&c, 0)->bytes);
	collect_clear(&c);
	return bytes;
}

static inline void assert_says(const GByteArray *o, int64_t length_ms,
			       const char *expected)
{
	g_autoptr(GByteArray) bytes = rewrite(o, length_ms);
	g_autofree char *text = dump(bytes->data, bytes->len);

	assert_string_equal(text, expected);
}

static inline void put_segment(GByteArray *o)
{
	put_ebml(o);
	put_unknown(o, Segment, 8);
}

#endif
