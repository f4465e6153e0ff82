/* SPDX-License-Identifier: MIT */
/* What begin() is told of a document. */
#include "build.h"
#include "collect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define AWS "AWS_KINESISVIDEO_"

/* begin() is given what these tags say, before or without a Cluster. */
static void check(const char *const *pairs, bool cluster,
		  struct mkv_document *ret_document)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct collect c;

	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_tags(o, pairs);
	if (cluster)
		put_bytes(o, Cluster, NULL, 0);
	collect_init(&c);
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	assert_int_equal(c.documents->len, 1);
	*ret_document = collect_at(&c, 0)->document;
	collect_clear(&c);
}

static void both_spellings_of_the_times(void **state)
{
	static const char *const cases[][7] = {
		{AWS "FRAGMENT_NUMBER", "12", AWS "SERVER_TIMESTAMP",
		 "1511852109.126", AWS "PRODUCER_TIMESTAMP", "1511852108.513"},
		{AWS "FRAGMENT_NUMBER", "12", AWS "SERVER_SIDE_TIMESTAMP",
		 "1511852109.126", AWS "PRODUCER_SIDE_TIMESTAMP",
		 "1511852108.513"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct mkv_document d;

		check(cases[i], true, &d);
		assert_string_equal(d.number, "12");
		assert_int_equal(d.server_ms, 1511852109126);
		assert_int_equal(d.producer_ms, 1511852108513);
		assert_true(d.has_cluster);
		assert_false(d.has_error);
		assert_int_equal(d.error_id, 0);
		assert_string_equal(d.error_code, "");
		assert_string_equal(d.error_message, "");
	}
}

static void times_are_decimal_seconds(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"0.000", 0},
		{"10.000", 10000},
		{"10", 10000},
		{"10.", 10000},
		{"10.5", 10500},
		{"10.0604", 10060},
		{"10.0606", 10061},
		{"10.9996", 11000},
		/* a double would say .5129999 */
		{"1511852108.513", 1511852108513},
		{"253402300799.999", 253402300799999},
		{"253402300800", -1},
		{"99999999999999999999999999", -1},
		{"1.511852108513E9", -1},
		{"-1.5", -1},
		{" 1", -1},
		{".5", -1},
		{"1.5.5", -1},
		{"1.5x", -1},
		{"", -1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *pairs[] = {AWS "SERVER_TIMESTAMP", cases[i].text,
				       NULL};
		struct mkv_document d;

		check(pairs, true, &d);
		if (d.server_ms != cases[i].ms)
			fail_msg("'%s': %zd", cases[i].text,
				 (ssize_t)d.server_ms);
		assert_int_equal(d.producer_ms, -1);
	}
}

static void a_number_is_digits(void **state)
{
	g_autofree char *longest = g_strnfill(MKV_NUMBER_MAX, '9');
	g_autofree char *longer = g_strnfill(MKV_NUMBER_MAX + 1, '9');
	const struct {
		const char *text, *number;
	} cases[] = {
		{"91343852333181432392682062607743920146159169392",
		 "91343852333181432392682062607743920146159169392"},
		{longest, longest},
		{longer, ""},
		{"../../x", ""},
		{"12/34", ""},
		{"-1", ""},
		{" 1", ""},
		{"", ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *pairs[] = {AWS "FRAGMENT_NUMBER", cases[i].text,
				       NULL};
		struct mkv_document d;

		check(pairs, true, &d);
		assert_string_equal(d.number, cases[i].number);
	}
}

static void errors_have_two_spellings(void **state)
{
	static const struct {
		const char *pairs[7];
		int id;
		const char *code, *message;
	} cases[] = {
		{{AWS "FRAGMENT_NUMBER", "12", AWS "ERROR_ID", "3000",
		  AWS "ERROR_CODE", "FRAGMENT_NOT_FOUND"},
		 3000,
		 "FRAGMENT_NOT_FOUND",
		 ""},
		{{AWS "FRAGMENT_NUMBER", "12", AWS "EXCEPTION_ERROR_CODE",
		  "4000", AWS "EXCEPTION_MESSAGE", "not found"},
		 4000,
		 "",
		 "not found"},
		{{AWS "FRAGMENT_NUMBER", "12", AWS "EXCEPTION_ERROR_CODE",
		  "KMS_DENIED"},
		 0,
		 "KMS_DENIED",
		 ""},
		{{AWS "FRAGMENT_NUMBER", "12", AWS "ERROR_ID", "x"}, 0, "", ""},
		{{AWS "FRAGMENT_NUMBER", "12", AWS "EXCEPTION_MESSAGE",
		  "two\nlines\x1b[2J"},
		 0,
		 "",
		 "two lines [2J"},
		/* what is no UTF-8 ends it */
		{{AWS "FRAGMENT_NUMBER", "12", AWS "ERROR_CODE", "a\xff z"},
		 0,
		 "a",
		 ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct mkv_document d;

		check(cases[i].pairs, false, &d);
		assert_string_equal(d.number, "12");
		assert_false(d.has_cluster);
		assert_true(d.has_error);
		assert_int_equal(d.error_id, cases[i].id);
		assert_string_equal(d.error_code, cases[i].code);
		assert_string_equal(d.error_message, cases[i].message);
	}
}

static void long_texts_are_cut_between_characters(void **state)
{
	g_autofree char *fill = g_strnfill(MKV_ERROR_TEXT_BYTES - 2, 'a');
	g_autofree char *text = g_strconcat(fill, "\xc3\xa9 more", NULL);
	const char *pairs[] = {AWS "ERROR_CODE", text, NULL};
	struct mkv_document d;

	check(pairs, false, &d);
	assert_string_equal(d.error_code, fill);
}

static void the_services_own_tags_come_last(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct mkv_document d;
	struct collect c;

	put_ebml(o);
	put_unknown(o, Segment, 8);
	TAGS(o, AWS "FRAGMENT_NUMBER", "1", AWS "PRODUCER_TIMESTAMP", "5.000");
	put_info(o);
	TAGS(o, "AWS_OTHER", "x", "FRAGMENT_NUMBER", "3");
	put_aws_tags(o, "2");
	put_bytes(o, Cluster, NULL, 0);
	put_aws_tags(o, "4"); /* after the Cluster: says nothing of it */
	collect_init(&c);
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	d = collect_at(&c, 0)->document;
	assert_string_equal(d.number, "2");
	assert_int_equal(d.producer_ms, 1511852108513);
	collect_clear(&c);
}

/* Else a fragment would pass for the one that its producer replays. */
static void a_bad_number_is_not_an_older_one(void **state)
{
	static const char *const pairs[] = {AWS "FRAGMENT_NUMBER", "6",
					    AWS "FRAGMENT_NUMBER", "../../x",
					    NULL};
	struct mkv_document d;

	check(pairs, true, &d);
	assert_string_equal(d.number, "");
}

static void an_untagged_document_has_no_name(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct mkv_document d;
	struct collect c;

	put_ebml(o);
	put_unknown(o, Segment, 8);
	collect_init(&c);
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	d = collect_at(&c, 0)->document;
	assert_string_equal(d.number, "");
	assert_int_equal(d.server_ms, -1);
	assert_int_equal(d.producer_ms, -1);
	assert_false(d.has_cluster || d.has_error);
	collect_clear(&c);
}

static void padded_strings_are_their_text(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	GByteArray *tags = g_byte_array_new(), *tag = g_byte_array_new(),
		   *simple = g_byte_array_new();
	struct collect c;

	put_padded(simple, TagName, AWS "ERROR_ID");
	put_padded(simple, TagString, "4500");
	put_master(tag, SimpleTag, simple);
	put_master(tags, Tag, tag);
	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_master(o, Tags, tags);
	collect_init(&c);
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	assert_int_equal(collect_at(&c, 0)->document.error_id, 4500);
	collect_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_spellings_of_the_times),
		cmocka_unit_test(times_are_decimal_seconds),
		cmocka_unit_test(a_number_is_digits),
		cmocka_unit_test(errors_have_two_spellings),
		cmocka_unit_test(long_texts_are_cut_between_characters),
		cmocka_unit_test(the_services_own_tags_come_last),
		cmocka_unit_test(a_bad_number_is_not_an_older_one),
		cmocka_unit_test(an_untagged_document_has_no_name),
		cmocka_unit_test(padded_strings_are_their_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
