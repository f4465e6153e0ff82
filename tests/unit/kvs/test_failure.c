/* SPDX-License-Identifier: MIT */
#include "fs/kvs/failure.h"

#include "fs/net/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* An answer's head with at most two headers. */
struct answer {
	struct net_response response;
	const char *name[2], *value[2];
};

static const char *header(const struct net_response *r, const char *name)
{
	const struct answer *a = (const void *)r;

	for (int i = 0; i < 2; i++)
		if (a->name[i] && !g_ascii_strcasecmp(a->name[i], name))
			return a->value[i];
	return NULL;
}

static struct kvs_failure of(int status, const char *type, const char *body)
{
	struct answer a = {
		.response = {status, header, -1},
		.name = {type ? "X-Amzn-ErrorType" : NULL},
		.value = {type},
	};
	struct kvs_failure f = {0};

	kvs_failure_from_answer(&f, &a.response, body, strlen(body));
	return f;
}

#define CORAL ":http://internal.amazon.com/coral/com.amazon.coral.service/"

static const struct {
	const char *type, *body, *name;
	int status, rc;
	enum kvs_mend mend;
	bool retry;
} classes[] = {
	/* By the header, whatever follows the name. */
	{"ResourceNotFoundException", "{}", "ResourceNotFoundException", 404,
	 -ENOENT, KVS_MEND_NONE, false},
	{"InvalidSignatureException" CORAL, "{}", "InvalidSignatureException",
	 403, -EACCES, KVS_MEND_CLOCK, false},
	{"com.amazon.kvs#ClientLimitExceededException:x", "",
	 "ClientLimitExceededException", 400, -EBUSY, KVS_MEND_NONE, true},
	{"ThrottlingException:http://x/#y", "", "ThrottlingException", 400,
	 -EBUSY, KVS_MEND_NONE, true},
	/* By the body. */
	{NULL, "{\"code\":\"ConnectionLimitExceededException\"}",
	 "ConnectionLimitExceededException", 400, -EBUSY, KVS_MEND_NONE, true},
	{NULL, "{\"Code\":\"ExpiredTokenException\"}", "ExpiredTokenException",
	 400, -EACCES, KVS_MEND_CREDENTIALS, false},
	{NULL, "{\"__type\":\"a.b#ExpiredToken\"}", "ExpiredToken", 400,
	 -EACCES, KVS_MEND_CREDENTIALS, false},
	/* By the status. */
	{NULL, "", "", 400, -EIO, KVS_MEND_NONE, false},
	{NULL, "", "", 401, -EACCES, KVS_MEND_NONE, false},
	{NULL, "Forbidden", "", 403, -EACCES, KVS_MEND_ENDPOINT, false},
	{NULL, "<html>", "", 404, -EIO, KVS_MEND_NONE, false},
	{NULL, "", "", 408, -ETIMEDOUT, KVS_MEND_NONE, true},
	{NULL, "", "", 429, -EBUSY, KVS_MEND_NONE, true},
	{NULL, "", "", 500, -ETIMEDOUT, KVS_MEND_NONE, true},
	{NULL, "<html>", "", 503, -ETIMEDOUT, KVS_MEND_NONE, true},
	{NULL, "", "", 302, -EPROTO, KVS_MEND_NONE, false},
	{NULL, "", "", 204, -EPROTO, KVS_MEND_NONE, false},
	/* A new name counts by its status. */
	{"BrandNewException", "{}", "BrandNewException", 400, -EIO,
	 KVS_MEND_NONE, false},
	{"BrandNewException", "{}", "BrandNewException", 500, -ETIMEDOUT,
	 KVS_MEND_NONE, true},
	/* A name counts more than the status. */
	{"AccessDeniedException", "{}", "AccessDeniedException", 403, -EACCES,
	 KVS_MEND_ENDPOINT, false},
	{"NotAuthorizedException", "{}", "NotAuthorizedException", 401, -EACCES,
	 KVS_MEND_NONE, false},
	{"AccessDeniedException", "{}", "AccessDeniedException", 400, -EACCES,
	 KVS_MEND_NONE, false},
	{"UnrecognizedClientException", "{}", "UnrecognizedClientException",
	 403, -EACCES, KVS_MEND_CREDENTIALS, false},
	{"RequestExpired", "{}", "RequestExpired", 400, -EACCES, KVS_MEND_CLOCK,
	 false},
	{"InvalidEndpointException", "{}", "InvalidEndpointException", 400,
	 -EIO, KVS_MEND_ENDPOINT, false},
	{"InvalidArgumentException",
	 "{\"Message\":\"Fragment numbers are invalid :\"}",
	 "InvalidArgumentException", 400, -EIO, KVS_MEND_NONE, false},
	{"InvalidArgumentException",
	 "{\"Message\":\"End timestamp 1725465732000 is outside of the "
	 "stream retention period.\"}",
	 "InvalidArgumentException", 400, -ERANGE, KVS_MEND_NONE, false},
	{"ValidationException",
	 "{\"Message\":\"outside of the stream retention period\"}",
	 "ValidationException", 400, -EIO, KVS_MEND_NONE, false},
	{"InternalFailure", "", "InternalFailure", 500, -ETIMEDOUT,
	 KVS_MEND_NONE, true},
	/* A name that is none is not shown to anybody. */
	{"Evil\x1b[31m", "{}", "", 400, -EIO, KVS_MEND_NONE, false},
};

static void test_classes(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(classes); i++) {
		struct kvs_failure f = of(classes[i].status, classes[i].type,
					  classes[i].body);

		assert_int_equal(f.rc, classes[i].rc);
		assert_int_equal(f.retry, classes[i].retry);
		assert_int_equal(f.mend, classes[i].mend);
		assert_string_equal(f.name, classes[i].name);
		assert_int_equal(f.http_status, classes[i].status);
		kvs_failure_clear(&f);
	}
}

static void test_messages(void **state)
{
	static const struct {
		const char *body, *message;
	} cases[] = {
		{"{\"Message\":\"one\"}", "one"},
		{"{\"message\":\"two\"}", "two"},
		{"{\"Message\":null,\"message\":\"three\"}", "three"},
		{"{\"Message\":\"a\\nb\\u001b[0m\"}", "a b[0m"},
		{"{\"Message\":7}", "HTTP status 400"},
		{"{}", "HTTP status 400"},
		{"", "HTTP status 400"},
		{"<AccessDeniedException>\n  <Message>no</Message>\n",
		 "<AccessDeniedException> <Message>no</Message>"},
		{"\x01\xff binary \x7f", "binary"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct kvs_failure f = of(400, NULL, cases[i].body);

		assert_string_equal(f.message, cases[i].message);
		kvs_failure_clear(&f);
	}
}

static void test_long_message(void **state)
{
	g_autofree char *body = g_strnfill(5000, 'x');
	struct kvs_failure f = of(400, NULL, body);

	assert_int_equal(strlen(f.message), 200);
	kvs_failure_clear(&f);
}

static void test_request_id(void **state)
{
	static const char *const names[] = {"x-amzn-RequestId",
					    "X-AMZ-RequestId"};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct answer a = {
			.response = {400, header, -1},
			.name = {names[i], "x-amz-ErrorType"},
			.value = {"7ab-9", "LimitExceededException"},
		};
		struct kvs_failure f = {0};

		kvs_failure_from_answer(&f, &a.response, "{}", 2);
		assert_string_equal(f.request_id, "7ab-9");
		assert_string_equal(f.name, "LimitExceededException");
		kvs_failure_clear(&f);
	}
}

static void test_network(void **state)
{
	static const struct {
		int net_rc, rc;
		bool retry;
	} cases[] = {
		{-EHOSTUNREACH, -ETIMEDOUT, true},
		{-ECONNREFUSED, -ETIMEDOUT, true},
		{-ECONNRESET, -ETIMEDOUT, true},
		{-ETIMEDOUT, -ETIMEDOUT, true},
		/* A certificate that does not hold. */
		{-EPROTO, -EPROTO, false},
		{-ECANCELED, -ECANCELED, false},
		{-ENOMEM, -EIO, false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct answer a = {.response = {0, header, -1}};
		struct kvs_failure f = {0};

		kvs_failure_from_net(&f, &a.response, cases[i].net_rc, "why");
		assert_int_equal(f.rc, cases[i].rc);
		assert_int_equal(f.retry, cases[i].retry);
		assert_string_equal(f.message, "why");
		kvs_failure_clear(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_request_id),
		cmocka_unit_test(test_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
