/* SPDX-License-Identifier: MIT */
#include "fs/aws/url.h"

#include <glib.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_good(void **state)
{
	static const struct {
		const char *text;
		bool tls;
		const char *host, *path, *joined;
	} cases[] = {
		{"https://b-54c7cb80.kinesisvideo.us-east-2.amazonaws.com",
		 true, "b-54c7cb80.kinesisvideo.us-east-2.amazonaws.com", "",
		 "https://b-54c7cb80.kinesisvideo.us-east-2.amazonaws.com/x"},
		{"https://example.com/", true, "example.com", "",
		 "https://example.com/x"},
		{"http://127.0.0.1:8080", false, "127.0.0.1:8080", "",
		 "http://127.0.0.1:8080/x"},
		{"http://[::1]:65535/a/b-c/", false, "[::1]:65535", "/a/b-c",
		 "http://[::1]:65535/a/b-c/x"},
		{"http://local_host/v1.0", false, "local_host", "/v1.0",
		 "http://local_host/v1.0/x"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct aws_url *u = NULL;
		g_autofree char *joined = NULL;

		assert_int_equal(aws_url_parse(cases[i].text, &u), 0);
		assert_int_equal(u->tls, cases[i].tls);
		assert_string_equal(u->host, cases[i].host);
		assert_string_equal(u->path, cases[i].path);
		joined = aws_url_join(u, "/x");
		assert_string_equal(joined, cases[i].joined);
		aws_url_free(u);
	}
}

static void test_bad(void **state)
{
	static const char *const cases[] = {
		"",
		"example.com",
		"//example.com",
		"ftp://example.com",
		"HTTPS:example.com",
		"https://",
		"https:///x",
		"https://user@example.com",
		"https://user:pw@example.com/",
		"https://example.com@evil.com",
		"https://example.com\\@evil.com",
		"https://-example.com",
		"https://exa mple.com",
		"https://example.com\r\nX: y",
		"https://example.com\n",
		"https://ex%61mple.com",
		"https://example.com:",
		"https://example.com:0",
		"https://example.com:65536",
		"https://example.com:99999999999999999999",
		"https://example.com:80x",
		"https://example.com:-1",
		"https://[::1",
		"https://[]",
		"https://[::1]evil.com",
		"https://[example.com]",
		"https://example.com/../x",
		"https://example.com/a/./b",
		"https://example.com//x",
		"https://example.com/%2e%2e",
		"https://example.com/?q=1",
		"https://example.com?q=1",
		"https://example.com#f",
		"https://example.com/a b",
		"https://\xc3\xa9xample.com",
	};
	g_autofree char *long_name = g_strnfill(400, 'a');
	g_autofree char *long_url = g_strconcat("https://", long_name, NULL);
	struct aws_url *u = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(aws_url_parse(cases[i], &u), -EINVAL);
	assert_int_equal(aws_url_parse(long_url, &u), -EINVAL);
	assert_null(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
