/* SPDX-License-Identifier: MIT */
#include "fs/kvs/parse.h"

#include "fs/aws/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define NUMBER "91343852333181432392682062607743920146159169392"

/* One fragment, with a member replaced or added by what. */
#define PAGE(what)                                                       \
	"{\"Fragments\":[{\"FragmentNumber\":\"" NUMBER                  \
	"\",\"FragmentSizeInBytes\":262144,\"ProducerTimestamp\":1.5E9," \
	"\"ServerTimestamp\":1500000001.25,"                             \
	"\"FragmentLengthInMilliseconds\":1960" what "}]}"

static void test_fragments(void **state)
{
	static const struct {
		const char *json;
		const char *number;
		int64_t producer_ms, server_ms, length_ms, size_bytes;
	} cases[] = {
		{PAGE(""), NUMBER, 1500000000000, 1500000001250, 1960, 262144},
		/* E notation, and rounding to the nearest millisecond. */
		{PAGE(",\"ProducerTimestamp\":1.705489836421E9"), NUMBER,
		 1705489836421, 1500000001250, 1960, 262144},
		{PAGE(",\"ProducerTimestamp\":1511852108.5134"), NUMBER,
		 1511852108513, 1500000001250, 1960, 262144},
		{PAGE(",\"ProducerTimestamp\":1511852108.5126"), NUMBER,
		 1511852108513, 1500000001250, 1960, 262144},
		{PAGE(",\"ProducerTimestamp\":1.705489836421e+09"), NUMBER,
		 1705489836421, 1500000001250, 1960, 262144},
		{PAGE(",\"ProducerTimestamp\":0"), NUMBER, 0, 1500000001250,
		 1960, 262144},
		{PAGE(",\"ProducerTimestamp\":253402300799"), NUMBER,
		 253402300799000, 1500000001250, 1960, 262144},
		{PAGE(",\"FragmentSizeInBytes\":1.048576E6"), NUMBER,
		 1500000000000, 1500000001250, 1960, 1048576},
		{PAGE(",\"FragmentSizeInBytes\":9007199254740992"), NUMBER,
		 1500000000000, 1500000001250, 1960, INT64_C(1) << 53},
		/* What is not told is 0; what is new is skipped. */
		{PAGE(",\"FragmentLengthInMilliseconds\":null"), NUMBER,
		 1500000000000, 1500000001250, 0, 262144},
		{PAGE(",\"FragmentSizeInBytes\":null"), NUMBER, 1500000000000,
		 1500000001250, 1960, 0},
		{PAGE(",\"StorageTier\":{\"x\":[1,null]}"), NUMBER,
		 1500000000000, 1500000001250, 1960, 262144},
		{PAGE(",\"FragmentNumber\":\"0\""), "0", 1500000000000,
		 1500000001250, 1960, 262144},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) got =
			g_array_new(FALSE, FALSE, sizeof(struct kvs_fragment));
		char *token = NULL;
		const char *bad = NULL;
		const struct kvs_fragment *f;

		assert_int_equal(kvs_parse_fragments(cases[i].json,
						     strlen(cases[i].json), got,
						     &token, &bad),
				 0);
		assert_null(token);
		assert_int_equal(got->len, 1);
		f = &g_array_index(got, struct kvs_fragment, 0);
		assert_string_equal(f->number, cases[i].number);
		assert_int_equal(f->producer_ms, cases[i].producer_ms);
		assert_int_equal(f->server_ms, cases[i].server_ms);
		assert_int_equal(f->length_ms, cases[i].length_ms);
		assert_int_equal(f->size_bytes, cases[i].size_bytes);
	}
}

static void test_pages(void **state)
{
	static const struct {
		const char *json, *token;
	} cases[] = {
		{"{}", NULL},
		{"{\"Fragments\":null,\"NextToken\":null}", NULL},
		{"{\"Fragments\":[],\"NextToken\":\"\"}", NULL},
		{" {\"Fragments\":[],\"NextToken\":\"ab+/=\"} \r\n", "ab+/="},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) got =
			g_array_new(FALSE, FALSE, sizeof(struct kvs_fragment));
		g_autofree char *token = NULL;
		const char *bad = NULL;

		assert_int_equal(kvs_parse_fragments(cases[i].json,
						     strlen(cases[i].json), got,
						     &token, &bad),
				 0);
		assert_int_equal(got->len, 0);
		if (cases[i].token)
			assert_string_equal(token, cases[i].token);
		else
			assert_null(token);
	}
}

static const struct {
	const char *json, *bad;
} bad_fragments[] = {
	{"", "JSON"},
	{" ", "JSON"},
	{"null", "JSON"},
	{"[]", "JSON"},
	{"7", "JSON"},
	{"\"x\"", "JSON"},
	{"<html>502</html>", "JSON"},
	{"{\"Fragments\":[{\"FragmentNumber\":\"1", "JSON"},
	{"{\"Fragments\":[]", "JSON"},
	{"{\"Fragments\":[]}}", "JSON"},
	{"{\"Fragments\":[]} {}", "JSON"},
	{"{\"NextToken\":\"\xff\xfe\"}", "JSON"},
	{"{\"NextToken\":\"\xed\xa0\x80\"}", "JSON"},
	{"{\"Fragments\":{}}", "Fragments"},
	{"{\"Fragments\":\"x\"}", "Fragments"},
	{"{\"Fragments\":[null]}", "Fragments"},
	{"{\"Fragments\":[[]]}", "Fragments"},
	{"{\"Fragments\":[{}]}", "FragmentNumber"},
	{"{\"NextToken\":7}", "NextToken"},
	{"{\"NextToken\":\"a\\u0000b\"}", "NextToken"},
	{PAGE(",\"FragmentNumber\":\"../../x\""), "FragmentNumber"},
	{PAGE(",\"FragmentNumber\":\"\""), "FragmentNumber"},
	{PAGE(",\"FragmentNumber\":\"1\\u0000\""), "FragmentNumber"},
	{PAGE(",\"FragmentNumber\":\"-1\""), "FragmentNumber"},
	{PAGE(",\"FragmentNumber\":\"1e5\""), "FragmentNumber"},
	{PAGE(",\"FragmentNumber\":12345"), "FragmentNumber"},
	{PAGE(",\"FragmentNumber\":null"), "FragmentNumber"},
	{PAGE(",\"FragmentSizeInBytes\":-1"), "FragmentSizeInBytes"},
	{PAGE(",\"FragmentSizeInBytes\":9007199254740993"),
	 "FragmentSizeInBytes"},
	{PAGE(",\"FragmentSizeInBytes\":9223372036854775808"),
	 "FragmentSizeInBytes"},
	{PAGE(",\"FragmentSizeInBytes\":99999999999999999999999"),
	 "FragmentSizeInBytes"},
	{PAGE(",\"FragmentSizeInBytes\":-9.3E18"), "FragmentSizeInBytes"},
	{PAGE(",\"FragmentSizeInBytes\":1E300"), "FragmentSizeInBytes"},
	{PAGE(",\"FragmentSizeInBytes\":0.5"), "FragmentSizeInBytes"},
	{PAGE(",\"FragmentSizeInBytes\":\"262144\""), "FragmentSizeInBytes"},
	{PAGE(",\"FragmentSizeInBytes\":true"), "FragmentSizeInBytes"},
	{PAGE(",\"FragmentLengthInMilliseconds\":-1"),
	 "FragmentLengthInMilliseconds"},
	{PAGE(",\"ProducerTimestamp\":null"), "ProducerTimestamp"},
	{PAGE(",\"ProducerTimestamp\":-1"), "ProducerTimestamp"},
	{PAGE(",\"ProducerTimestamp\":\"2026-01-01\""), "ProducerTimestamp"},
	{PAGE(",\"ProducerTimestamp\":NaN"), "ProducerTimestamp"},
	{PAGE(",\"ProducerTimestamp\":1E999"), "ProducerTimestamp"},
	{PAGE(",\"ProducerTimestamp\":253402300800"), "ProducerTimestamp"},
	{PAGE(",\"ProducerTimestamp\":253402300799.9999"), "ProducerTimestamp"},
	{PAGE(",\"ServerTimestamp\":null"), "ServerTimestamp"},
	{PAGE(",\"ServerTimestamp\":[]"), "ServerTimestamp"},
};

static void test_bad_fragments(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad_fragments); i++) {
		g_autoptr(GArray) got =
			g_array_new(FALSE, FALSE, sizeof(struct kvs_fragment));
		char *token = NULL;
		const char *bad = NULL;

		assert_int_equal(
			kvs_parse_fragments(bad_fragments[i].json,
					    strlen(bad_fragments[i].json), got,
					    &token, &bad),
			-EPROTO);
		assert_string_equal(bad, bad_fragments[i].bad);
		assert_int_equal(got->len, 0);
		assert_null(token);
	}
}

/* Limits that are too long to write down: `n` times `what` between the ends. */
static void test_limits(void **state)
{
	static const struct {
		const char *start, *what, *end;
		size_t n;
		int rc;
	} cases[] = {
		{"{\"NextToken\":\"", "t", "\"}", 4096, 0},
		{"{\"NextToken\":\"", "t", "\"}", 4097, -EPROTO},
		{"{\"x\":", "[", "", 100000, -EPROTO},
		{"{\"x\":\"", "y", "\"}", AWS_JSON_MAX_BYTES - 8, 0},
		{"{\"x\":\"", "y", "\"}", AWS_JSON_MAX_BYTES - 7, -EPROTO},
		{"{\"Fragments\":[{}", ",{}", "]}", KVS_LIST_MAX, -EPROTO},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) got =
			g_array_new(FALSE, FALSE, sizeof(struct kvs_fragment));
		GString *json = g_string_new(cases[i].start);
		char *token = NULL;
		const char *bad = NULL;

		for (size_t k = 0; k < cases[i].n; k++)
			g_string_append(json, cases[i].what);
		g_string_append(json, cases[i].end);
		assert_int_equal(kvs_parse_fragments(json->str, json->len, got,
						     &token, &bad),
				 cases[i].rc);
		g_free(token);
		g_string_free(json, TRUE);
	}
}

static void test_number_length(void **state)
{
	static const struct {
		int digits, rc;
	} cases[] = {{1, 0}, {47, 0}, {128, 0}, {129, -EPROTO}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) got =
			g_array_new(FALSE, FALSE, sizeof(struct kvs_fragment));
		g_autofree char *number = g_strnfill((gsize)cases[i].digits,
						     '9');
		g_autofree char *json = g_strdup_printf(
			"{\"Fragments\":[{\"FragmentNumber\":\"%s\","
			"\"ProducerTimestamp\":1,\"ServerTimestamp\":2}]}",
			number);
		char *token = NULL;
		const char *bad = NULL;

		assert_int_equal(kvs_parse_fragments(json, strlen(json), got,
						     &token, &bad),
				 cases[i].rc);
	}
}

/* Every answer that ends early is refused, whatever the place. */
static void test_cut(void **state)
{
	static const char json[] = PAGE(",\"ProducerTimestamp\":1.705E9");

	for (size_t n = 0; n < sizeof(json) - 1; n++) {
		g_autoptr(GArray) got =
			g_array_new(FALSE, FALSE, sizeof(struct kvs_fragment));
		char *token = NULL;
		const char *bad = NULL;

		assert_int_equal(
			kvs_parse_fragments(json, n, got, &token, &bad),
			-EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_bad_fragments),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_number_length),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
