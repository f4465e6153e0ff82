/* SPDX-License-Identifier: MIT */
/*
 * Requests as kvsfs makes them.  The signatures were computed once with
 * botocore 1.29's SigV4Auth and are pinned here.
 */
#include "fs/aws/digest.h"
#include "fs/aws/credentials.h"
#include "fs/aws/sigv4.h"

#include <glib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define KEY    "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN                                                                  \
	"IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLXdlc3QtMiJHMEUCIQDexam" \
	"ple+/=="

#define JSON                                       \
	{                                          \
		"Content-Type", "application/json" \
	}

struct vector {
	const char *name, *method, *path, *query;
	struct sigv4_header headers[3];
	const char *body;
	const char *key, *secret, *token;
	const char *region;
	int64_t now_ms;
	const char *signed_headers, *signature;
};

static const struct vector vectors[] = {
	{"ListFragments with a session token",
	 "POST",
	 "/listFragments",
	 "",
	 {JSON, {"Host", "b-54c7cb80.kinesisvideo.us-west-2.amazonaws.com"}},
	 "{\"StreamName\":\"front-door\",\"FragmentSelector\":{"
	 "\"FragmentSelectorType\":\"SERVER_TIMESTAMP\",\"TimestampRange\":{"
	 "\"StartTimestamp\":1795352400,\"EndTimestamp\":1795356000}},"
	 "\"MaxResults\":1000}",
	 KEY,
	 SECRET,
	 TOKEN,
	 "us-west-2",
	 INT64_C(1795352702000),
	 "content-type;host;x-amz-date;x-amz-security-token",
	 "ba541b64f79aca135adcf0ca903e6dd551b5509a9b6a99183df08233adb61a03"},
	{"GetMediaForFragmentList on a leap day",
	 "POST",
	 "/getMediaForFragmentList",
	 "",
	 {{"host", "b-1.kinesisvideo.eu-central-1.amazonaws.com"}, JSON},
	 "{\"StreamARN\":\"arn:aws:kinesisvideo:eu-central-1:123456789012:"
	 "stream/cam/1700000000000\",\"Fragments\":[\"91343852333181432392682"
	 "062607743920146159169392\"]}",
	 KEY,
	 SECRET,
	 NULL,
	 "eu-central-1",
	 INT64_C(1709251199999),
	 "content-type;host;x-amz-date",
	 "3525a72fdb35ed971a247071b671a01b2e04faba4db2b8877fea9764cc7bae0e"},
	{"ListStreams of a server with a port",
	 "POST",
	 "/listStreams",
	 "",
	 {JSON, {"HOST", "127.0.0.1:8080"}},
	 "{\"MaxResults\":10000}",
	 "AKIAEXAMPLE2",
	 "ssssssssssssssssssssssssssssssssssssssss",
	 NULL,
	 "us-east-1",
	 INT64_C(946598400000),
	 "content-type;host;x-amz-date",
	 "d22e1a486fdadcb9b9732a19f95155a13e0912b69383be2795b69e04c1bcaf4f"},
	{"DescribeStream with UTF-8 and blanks",
	 "POST",
	 "/describeStream",
	 "",
	 {{"X-Extra", "  b   a  "},
	  {"Content-Type", "application/json; charset=utf-8"},
	  {"Host", "kinesisvideo.cn-north-1.amazonaws.com.cn"}},
	 "{\"StreamName\":\"\xc3\xa9t\xc3\xa9\"}",
	 KEY,
	 SECRET,
	 TOKEN,
	 "cn-north-1",
	 INT64_C(1767225600000),
	 "content-type;host;x-amz-date;x-amz-security-token;x-extra",
	 "f278bd2b541e096bc88a89f24aa5a542be5d77e395eaa7f100f142555605a572"},
	{"an escaped path and a query",
	 "GET",
	 "/a%20b/c~d",
	 "x=1&a=2&a=1&E=",
	 {{"Host", "vpce-1.example.com"}},
	 "",
	 KEY,
	 SECRET,
	 NULL,
	 "us-west-2",
	 INT64_C(1795352702000),
	 "host;x-amz-date",
	 "1d5f4531fdab89d8016a301b07fb6c451ef9036df760ecb3b8144d9c47b67215"},
};

static size_t count_headers(const struct vector *v)
{
	size_t n = 0;

	while (n < G_N_ELEMENTS(v->headers) && v->headers[n].name)
		n++;
	return n;
}

static const char *line_of(const struct sigv4_result *r, const char *prefix)
{
	for (guint i = 0; i < r->header_lines->len; i++)
		if (g_str_has_prefix(r->header_lines->pdata[i], prefix))
			return r->header_lines->pdata[i];
	return NULL;
}

static void check_vector(const struct vector *v)
{
	struct sigv4_request request = {
		.method = v->method,
		.path = v->path,
		.query = v->query,
		.headers = v->headers,
		.n_headers = count_headers(v),
		.body = v->body,
		.body_bytes = strlen(v->body),
	};
	struct sigv4_scope scope = {
		.region = v->region,
		.service = "kinesisvideo",
		.now_ms = v->now_ms,
		.normalize_path = true,
	};
	struct aws_credentials keys = {
		.access_key_id = (char *)(uintptr_t)v->key,
		.secret_access_key = (char *)(uintptr_t)v->secret,
		.session_token = (char *)(uintptr_t)v->token,
		.expires_ms = INT64_MAX,
	};
	struct sigv4_result r;
	g_autofree char *tail =
		g_strdup_printf(", SignedHeaders=%s, Signature=%s",
				v->signed_headers, v->signature);

	assert_int_equal(sigv4_sign(&request, &scope, &keys, &r), 0);
	if (strcmp(r.signature, v->signature))
		fail_msg("%s:\n%s", v->name, r.canonical_request);
	assert_true(g_str_has_suffix(line_of(&r, "Authorization: "), tail));
	assert_non_null(line_of(&r, "X-Amz-Date: "));
	if (v->token)
		assert_string_equal(line_of(&r, "X-Amz-Security-Token: ") +
					    strlen("X-Amz-Security-Token: "),
				    v->token);
	else
		assert_null(line_of(&r, "X-Amz-Security-Token: "));
	sigv4_result_release(&r);
}

static void pinned_requests(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++)
		check_vector(&vectors[i]);
}

static void refusals(void **state)
{
	static const struct sigv4_header no_host[] = {JSON};
	static const struct sigv4_header no_name[] = {{"Host", "a"}, {"", "b"}};
	struct sigv4_scope scope = {.region = "r", .service = "s"};
	char id[] = "i", secret[] = "s";
	struct aws_credentials keys = {.access_key_id = id,
				       .secret_access_key = secret};
	struct sigv4_request r = {.method = "GET",
				  .path = "/",
				  .query = "",
				  .headers = no_host,
				  .n_headers = 1};
	struct sigv4_result result = {.signature = id};

	assert_int_equal(sigv4_sign(&r, &scope, &keys, &result), -EINVAL);
	r.headers = no_name;
	r.n_headers = 2;
	assert_int_equal(sigv4_sign(&r, &scope, &keys, &result), -EINVAL);
	/* Nothing was touched. */
	assert_ptr_equal(result.signature, id);
	assert_null(result.header_lines);
}

/* Spellings that stand for one request have one canonical form. */
static void canonical_forms(void **state)
{
	static const struct {
		const char *path, *query;
		bool normalize;
		const char *canonical_path, *canonical_query;
	} cases[] = {
		{"", "", true, "/", ""},
		{"", "", false, "/", ""},
		{"/..", "", true, "/", ""},
		{"/../../a", "", true, "/a", ""},
		{"/a/./b/../c", "", true, "/a/c", ""},
		{"/a/b/..", "", true, "/a/", ""},
		{"/a/b/.", "", true, "/a/b/", ""},
		{"/a/...", "", true, "/a/...", ""},
		{"/a*b'()", "", true, "/a%2Ab%27%28%29", ""},
		{"/", "a", true, "/", "a="},
		{"/", "b=1&&a=1&", true, "/", "a=1&b=1"},
		{"/", "a=b=c", true, "/", "a=b%3Dc"},
		{"/", "%7e=%7E", true, "/", "~=~"},
		{"/", "a=%2f+ %", true, "/", "a=%2F%2B%20%25"},
		{"/", "a=%2", true, "/", "a=%252"},
		{"/", "a=%00", true, "/", "a=%00"},
		{"/", "a-=1&a=2", true, "/", "a=2&a-=1"},
	};
	static const struct sigv4_header host = {"Host", "h"};
	struct sigv4_scope scope = {.region = "r", .service = "s"};
	char id[] = "i", secret[] = "s";
	struct aws_credentials keys = {.access_key_id = id,
				       .secret_access_key = secret};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct sigv4_request r = {.method = "GET",
					  .path = cases[i].path,
					  .query = cases[i].query,
					  .headers = &host,
					  .n_headers = 1};
		g_autofree char *start = g_strdup_printf(
			"GET\n%s\n%s\nhost:h\n", cases[i].canonical_path,
			cases[i].canonical_query);
		struct sigv4_result result;

		scope.normalize_path = cases[i].normalize;
		assert_int_equal(sigv4_sign(&r, &scope, &keys, &result), 0);
		if (!g_str_has_prefix(result.canonical_request, start))
			fail_msg("'%s' '%s': %s", r.path, r.query,
				 result.canonical_request);
		sigv4_result_release(&result);
	}
}

/* FIPS 180-4's examples. */
static void sha256(void **state)
{
	char hex[AWS_SHA256_HEX_SIZE];

	aws_sha256_hex(NULL, 0, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b9"
				 "34ca495991b7852b855");
	aws_sha256_hex("abc", 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177"
				 "a9cb410ff61f20015ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pinned_requests),
		cmocka_unit_test(refusals),
		cmocka_unit_test(canonical_forms),
		cmocka_unit_test(sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
