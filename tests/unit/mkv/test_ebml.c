/* SPDX-License-Identifier: MIT */
#include "fs/mkv/ebml.h"
#include "fs/mkv/reader.h"
#include "fs/mkv/void.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define SPAN(text) \
	((struct ebml_span){(const uint8_t *)(text), sizeof(text) - 1})

static void heads_are_read_or_refused(void **state)
{
	static const struct {
		struct ebml_span bytes;
		int rc;
		uint32_t id;
		uint64_t size;
		unsigned n;
	} cases[] = {
		{SPAN(""), -EAGAIN, 0, 0, 0},
		{SPAN("\xec"), -EAGAIN, 0, 0, 0},
		{SPAN("\xec\x80"), 0, 0xec, 0, 2},
		{SPAN("\xec\xfe"), 0, 0xec, 126, 2},
		{SPAN("\xec\xff"), 0, 0xec, EBML_UNKNOWN, 2},
		{SPAN("\xec\x40\x01"), 0, 0xec, 1, 3},
		{SPAN("\xec\x7f\xff"), 0, 0xec, EBML_UNKNOWN, 3},
		{SPAN("\x42\x86\x81\x01"), 0, 0x4286, 1, 3},
		{SPAN("\x42"), -EAGAIN, 0, 0, 0},
		{SPAN("\x1a\x45\xdf"), -EAGAIN, 0, 0, 0},
		{SPAN("\x1a\x45\xdf\xa3"), -EAGAIN, 0, 0, 0},
		{SPAN("\x1a\x45\xdf\xa3\xa3"), 0, 0x1a45dfa3, 35, 5},
		{SPAN("\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff"), -EAGAIN,
		 0, 0, 0},
		{SPAN("\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"), 0,
		 0x18538067, EBML_UNKNOWN, 12},
		{SPAN("\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xfe"), 0,
		 0x18538067, (UINT64_C(1) << 56) - 2, 12},
		/* IDs of five bytes, of all ones, of all zeros */
		{SPAN("\x08\x53\x80\x67\x01\x80"), -EBADMSG, 0, 0, 0},
		{SPAN("\0"), -EBADMSG, 0, 0, 0},
		{SPAN("\xff\x80"), -EBADMSG, 0, 0, 0},
		{SPAN("\x80\x80"), -EBADMSG, 0, 0, 0},
		{SPAN("\x7f\xff\x80"), -EBADMSG, 0, 0, 0},
		{SPAN("\x40\x00\x80"), -EBADMSG, 0, 0, 0},
		{SPAN("\x1f\xff\xff\xff\x80"), -EBADMSG, 0, 0, 0},
		/* a size of nine bytes */
		{SPAN("\xec\0"), -EBADMSG, 0, 0, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ebml_head head = {7, 7, 7};
		int rc = ebml_head_read(cases[i].bytes.at, cases[i].bytes.n,
					&head);

		if (rc != cases[i].rc)
			fail_msg("case %zu: %d", i, rc);
		if (rc < 0) {
			assert_int_equal(head.id, 7); /* untouched */
			continue;
		}
		assert_int_equal(head.id, cases[i].id);
		assert_int_equal(head.size, cases[i].size);
		assert_int_equal(head.n, cases[i].n);
	}
}

static void elements_end_inside_their_span(void **state)
{
	static const struct {
		struct ebml_span bytes;
		int elements, rc;
	} cases[] = {
		{SPAN(""), 0, 0},
		{SPAN("\xec\x80"), 1, 0},
		{SPAN("\xec\x82zz\xe7\x81\x01"), 2, 0},
		{SPAN("\xec\x83zz"), 0, -EBADMSG},
		{SPAN("\xec\x80\xec\x81"), 1, -EBADMSG},
		{SPAN("\xec\x80\xec"), 1, -EBADMSG},
		{SPAN("\xec\xffzz"), 0, -EBADMSG},
		{SPAN("\xec\x01\xff\xff\xff\xff\xff\xff\xfezz"), 0, -EBADMSG},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ebml_span rest = cases[i].bytes;
		struct ebml_element e;
		int n = 0, rc;

		while ((rc = ebml_next(&rest, &e)) > 0)
			n++;
		if (rc != cases[i].rc || n != cases[i].elements)
			fail_msg("case %zu: %d after %d elements", i, rc, n);
	}
}

static void values_are_read(void **state)
{
	uint64_t number;
	double real;

	assert_int_equal(ebml_uint(SPAN(""), &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(ebml_uint(SPAN("\x0f\x42\x40"), &number), 0);
	assert_int_equal(number, 1000000);
	assert_int_equal(
		ebml_uint(SPAN("\xff\xff\xff\xff\xff\xff\xff\xff"), &number),
		0);
	assert_int_equal(number, UINT64_MAX);
	assert_int_equal(ebml_uint(SPAN("123456789"), &number), -EBADMSG);

	assert_int_equal(ebml_float(SPAN(""), &real), 0);
	assert_true(real == 0);
	assert_int_equal(ebml_float(SPAN("\x46\x2c\x1c\0"), &real), 0);
	assert_true(real == 11015);
	assert_int_equal(ebml_float(SPAN("\x40\xcd\x55\0\0\0\0\0"), &real), 0);
	assert_true(real == 15018);
	assert_int_equal(ebml_float(SPAN("12345"), &real), -EBADMSG);

	assert_true(ebml_string_is(ebml_string(SPAN("webm\0\0x")), "webm"));
	assert_true(ebml_string_is(ebml_string(SPAN("webm")), "webm"));
	assert_false(ebml_string_is(ebml_string(SPAN("webma")), "webm"));
	assert_true(ebml_string_is(ebml_string(SPAN("")), ""));
}

static void what_is_written_can_be_read(void **state)
{
	static const uint64_t sizes[] = {0,	      1,
					 126,	      127,
					 128,	      16382,
					 16383,	      2097150,
					 2097151,     (1u << 28) - 2,
					 1u << 30,    (UINT64_C(1) << 56) - 2,
					 EBML_UNKNOWN};
	static const uint32_t ids[] = {0xec, 0x4286, 0x2ad7b1, 0x1a45dfa3};

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		for (size_t j = 0; j < G_N_ELEMENTS(ids); j++) {
			g_autoptr(GByteArray) out = g_byte_array_new();
			struct ebml_head head;

			ebml_put_head(out, ids[j], sizes[i]);
			assert_int_equal(
				ebml_head_read(out->data, out->len, &head), 0);
			assert_int_equal(head.id, ids[j]);
			assert_int_equal(head.size, sizes[i]);
			assert_int_equal(head.n, out->len);
		}
	}
}

static void elements_are_written_byte_for_byte(void **state)
{
	static const uint8_t expected[] = {
		0x16, 0x54, 0xae, 0x6b, 0x10, 0,    0, 0x1d, /* Tracks */
		0xd7, 0x81, 0,				     /* uint 0 */
		0xd7, 0x82, 0x01, 0,			     /* uint 256 */
		0x86, 0x82, 'o',  'k',			     /* text */
		0x44, 0x89, 0x88, 0x40, 0x8f, 0x40, 0, 0,
		0,    0,    0,		   /* float 1000 */
		0xec, 0x80,		   /* empty */
		0x81, 0x83, 1,	  2,	3, /* bytes */
	};
	g_autoptr(GByteArray) out = g_byte_array_new();
	size_t opened = ebml_open(out, 0x1654ae6b);

	ebml_put_uint(out, 0xd7, 0);
	ebml_put_uint(out, 0xd7, 256);
	ebml_put_text(out, 0x86, "ok");
	ebml_put_float(out, 0x4489, 1000);
	ebml_put_bytes(out, 0xec, SPAN(""));
	ebml_put_bytes(out, 0x81, SPAN("\1\2\3"));
	ebml_close(out, opened);
	assert_int_equal(out->len, sizeof(expected));
	assert_memory_equal(out->data, expected, sizeof(expected));
}

static void check_void(uint64_t total)
{
	uint8_t bytes[MKV_VOID_HEAD_MAX + 1];
	struct ebml_head head;
	size_t n;

	memset(bytes, 0x55, sizeof(bytes));
	n = mkv_void_head(total, bytes);
	assert_true(n <= MKV_VOID_HEAD_MAX);
	assert_int_equal(bytes[n], 0x55);
	assert_int_equal(ebml_head_read(bytes, n, &head), 0);
	assert_int_equal(head.id, 0xec);
	assert_int_equal(head.n, n);
	assert_int_not_equal(head.size, EBML_UNKNOWN);
	if (head.n + head.size != total)
		fail_msg("a Void of %zu + %zu instead of %zu bytes",
			 (size_t)head.n, (size_t)head.size, (size_t)total);
}

static void a_void_has_every_length(void **state)
{
	for (uint64_t total = 2; total < 40000; total++)
		check_void(total);
	for (unsigned bits = 14; bits <= 55; bits++)
		for (uint64_t d = 0; d < 24; d++)
			check_void((UINT64_C(1) << bits) - 12 + d);
}

static void a_void_takes_the_place_of_an_element(void **state)
{
	for (size_t n = 2; n < 300; n++) {
		g_autofree uint8_t *bytes = g_malloc(n);
		struct ebml_span rest = {bytes, n};
		struct ebml_element e;

		memset(bytes, 0x55, n);
		mkv_void_in_place(bytes, n);
		assert_int_equal(ebml_next(&rest, &e), 1);
		assert_int_equal(e.id, 0xec);
		assert_int_equal(e.whole.n, n);
		for (size_t i = 0; i < e.body.n; i++)
			assert_int_equal(e.body.at[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_read_or_refused),
		cmocka_unit_test(elements_end_inside_their_span),
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(elements_are_written_byte_for_byte),
		cmocka_unit_test(a_void_has_every_length),
		cmocka_unit_test(a_void_takes_the_place_of_an_element),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
