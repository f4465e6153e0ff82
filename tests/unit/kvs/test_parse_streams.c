/* SPDX-License-Identifier: MIT */
#include "fs/kvs/parse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define ARN "arn:aws:kinesisvideo:us-west-2:123456789012:stream/door/1"

static void free_info(void *s)
{
	kvs_stream_info_free(s);
}

#define INFO(what)                                                           \
	"{\"StreamName\":\"door\",\"StreamARN\":\"" ARN                      \
	"\",\"MediaType\":null,\"Status\":\"ACTIVE\","                       \
	"\"CreationTime\":1.705489836421E9,\"DataRetentionInHours\":24" what \
	"}"

static void test_stream(void **state)
{
	static const struct {
		const char *info, *name;
		int64_t created_ms, retention_ms;
		bool active;
	} cases[] = {
		{INFO(""), "door", 1705489836421, 86400000, true},
		{INFO(",\"Status\":\"UPDATING\""), "door", 1705489836421,
		 86400000, true},
		{INFO(",\"Status\":\"CREATING\""), "door", 1705489836421,
		 86400000, false},
		{INFO(",\"Status\":null"), "door", 1705489836421, 86400000,
		 false},
		{INFO(",\"DataRetentionInHours\":0"), "door", 1705489836421, 0,
		 true},
		{INFO(",\"DataRetentionInHours\":87600"), "door", 1705489836421,
		 INT64_C(315360000000), true},
		{INFO(",\"CreationTime\":null"), "door", 0, 86400000, true},
		/* Legal names that are no safe file names: the tree's matter.
		 */
		{INFO(",\"StreamName\":\"..\""), "..", 1705489836421, 86400000,
		 true},
		{INFO(",\"StreamName\":\"A_b-c.9\""), "A_b-c.9", 1705489836421,
		 86400000, true},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GPtrArray)
			got = g_ptr_array_new_with_free_func(free_info);
		g_autofree char *one = g_strdup_printf("{\"StreamInfo\":%s}",
						       cases[i].info);
		g_autofree char *list =
			g_strdup_printf("{\"StreamInfoList\":[%s],"
					"\"NextToken\":\"more\"}",
					cases[i].info);
		g_autofree char *token = NULL;
		const char *bad = NULL;

		assert_int_equal(kvs_parse_stream(one, strlen(one), got, &bad),
				 0);
		assert_int_equal(kvs_parse_streams(list, strlen(list), got,
						   &token, &bad),
				 0);
		assert_string_equal(token, "more");
		assert_int_equal(got->len, 2);
		for (guint k = 0; k < 2; k++) {
			const struct kvs_stream_info *s = g_ptr_array_index(got,
									    k);

			assert_string_equal(s->name, cases[i].name);
			assert_string_equal(s->arn, ARN);
			assert_int_equal(s->created_ms, cases[i].created_ms);
			assert_int_equal(s->retention_ms,
					 cases[i].retention_ms);
			assert_int_equal(s->active, cases[i].active);
		}
	}
}

static void test_bad_streams(void **state)
{
	static const struct {
		const char *info, *bad;
	} cases[] = {
		{"null", "StreamInfo"},
		{"[]", "StreamInfo"},
		{"{}", "StreamName"},
		{INFO(",\"StreamName\":\"\""), "StreamName"},
		{INFO(",\"StreamName\":null"), "StreamName"},
		{INFO(",\"StreamName\":\"a/b\""), "StreamName"},
		{INFO(",\"StreamName\":\"../../x\""), "StreamName"},
		{INFO(",\"StreamName\":\"a\\u0000\""), "StreamName"},
		{INFO(",\"StreamName\":\"a\\nb\""), "StreamName"},
		{INFO(",\"StreamName\":\"caf\xc3\xa9\""), "StreamName"},
		{INFO(",\"StreamName\":7"), "StreamName"},
		{INFO(",\"StreamARN\":null"), "StreamARN"},
		{INFO(",\"StreamARN\":\"x\""), "StreamARN"},
		{INFO(",\"StreamARN\":\"arn:a b\""), "StreamARN"},
		{INFO(",\"DataRetentionInHours\":-1"), "DataRetentionInHours"},
		{INFO(",\"DataRetentionInHours\":1E18"),
		 "DataRetentionInHours"},
		{INFO(",\"CreationTime\":\"x\""), "CreationTime"},
		{INFO(",\"Status\":1"), "Status"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GPtrArray)
			got = g_ptr_array_new_with_free_func(free_info);
		g_autofree char *list = g_strdup_printf(
			"{\"StreamInfoList\":[" INFO("") ",%s]}",
			cases[i].info);
		char *token = NULL;
		const char *bad = NULL;

		assert_int_equal(kvs_parse_streams(list, strlen(list), got,
						   &token, &bad),
				 -EPROTO);
		assert_string_equal(bad, cases[i].bad);
		/* The good one before it is not kept either. */
		assert_int_equal(got->len, 0);
	}
}

static void test_name_length(void **state)
{
	static const struct {
		gsize n;
		int rc;
	} cases[] = {{256, 0}, {257, -EPROTO}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GPtrArray)
			got = g_ptr_array_new_with_free_func(free_info);
		g_autofree char *name = g_strnfill(cases[i].n, 'n');
		g_autofree char *json = g_strdup_printf(
			"{\"StreamInfo\":{\"StreamName\":\"%s\","
			"\"StreamARN\":\"" ARN "\"}}",
			name);
		const char *bad = NULL;

		assert_int_equal(
			kvs_parse_stream(json, strlen(json), got, &bad),
			cases[i].rc);
	}
}

static void test_endpoint(void **state)
{
	static const struct {
		const char *json, *url;
	} cases[] = {
		{"{\"DataEndpoint\":\"https://x\"}", "https://x"},
		{"{\"DataEndpoint\":null}", NULL},
		{"{\"DataEndpoint\":7}", NULL},
		{"{}", NULL},
		{"x", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *url = NULL;
		const char *bad = NULL;
		int rc = kvs_parse_endpoint(cases[i].json,
					    strlen(cases[i].json), &url, &bad);

		assert_int_equal(rc, cases[i].url ? 0 : -EPROTO);
		if (cases[i].url)
			assert_string_equal(url, cases[i].url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_bad_streams),
		cmocka_unit_test(test_name_length),
		cmocka_unit_test(test_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
