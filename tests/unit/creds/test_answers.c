/* SPDX-License-Identifier: MIT */
/* What services answer: whole, cut anywhere, and of another kind. */
#include "fs/aws/credentials.h"
#include "fs/aws/json.h"
#include "fs/creds/keys.h"
#include "fs/creds/sts_answer.h"

#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define NS "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\""

static const char answer[] =
	"<AssumeRoleResponse " NS "><AssumeRoleResult><AssumedRoleUser>"
	"<Arn>arn:a&amp;b</Arn></AssumedRoleUser>\n<Credentials>"
	"<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>a/b+c</"
	"SecretAccessKey>"
	"<SessionToken>t==</SessionToken>"
	"<Expiration>2026-11-27T08:00:00Z</Expiration></Credentials>"
	"</AssumeRoleResult><ResponseMetadata><RequestId>r</RequestId>"
	"</ResponseMetadata></AssumeRoleResponse>";

static void test_sts(void **state)
{
	struct sts_answer a;

	assert_int_equal(sts_answer_read(answer, strlen(answer), &a), 0);
	assert_string_equal(a.values[STS_ID], "ASIA");
	assert_string_equal(a.values[STS_SECRET], "a/b+c");
	assert_string_equal(a.values[STS_TOKEN], "t==");
	assert_string_equal(a.values[STS_EXPIRATION], "2026-11-27T08:00:00Z");
	assert_string_equal(a.values[STS_REQUEST_ID], "r");
	assert_null(a.values[STS_CODE]);
	sts_answer_release(&a);
	for (size_t n = 0; n < strlen(answer); n++) {
		assert_int_equal(sts_answer_read(answer, n, &a), -EPROTO);
		sts_answer_release(&a);
	}
}

static void test_sts_refusals(void **state)
{
	static const char *const others[] = {"",
					     "{}",
					     "<html>",
					     "<a></b>",
					     "<a>&nothing;</a>",
					     "HTTP/1.1 200",

					     "<a>\xff</a>"};
	static const char refusal[] =
		"<?xml version=\"1.0\"?>\n<ErrorResponse " NS "><Error>"
		"<Code>AccessDenied</Code><Message>x "
		"&lt;y&gt;</Message></Error>"
		"<RequestId>q</RequestId></ErrorResponse>";
	struct sts_answer a;

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		if (!sts_answer_read(others[i], strlen(others[i]), &a))
			fail_msg("%s", others[i]);
		sts_answer_release(&a);
	}
	assert_int_equal(sts_answer_read(refusal, strlen(refusal), &a), 0);
	assert_string_equal(a.values[STS_CODE], "AccessDenied");
	assert_string_equal(a.values[STS_MESSAGE], "x <y>");
	assert_null(a.values[STS_ID]);
	sts_answer_release(&a);
}

#define ID     "\"AccessKeyId\":\"A\","
#define SECRET "\"SecretAccessKey\":\"s\","
#define TOKEN  "\"Token\":\"t\","
#define TIME   "\"Expiration\":\"2026-11-27T08:00:00Z\""

/* why: a piece of what is wrong; NULL: nothing is. */
static const struct {
	const struct creds_names *names;
	const char *json;
	int64_t expires_ms;
	const char *why;
} keys[] = {
	{&creds_names_metadata, "{" ID SECRET TOKEN TIME "}",
	 INT64_C(1795766400000), NULL},
	{&creds_names_metadata,
	 "{" ID SECRET TOKEN "\"Expiration\":\"2026-11-27T09:00:00.5+01:00\"}",
	 INT64_C(1795766400500), NULL},
	{&creds_names_metadata, "{" ID SECRET TOKEN "\"x\":1}", 0,
	 "Expiration"},
	{&creds_names_metadata, "{" ID SECRET TIME "}", 0, "Token"},
	{&creds_names_metadata, "{" ID TOKEN TIME "}", 0, "SecretAccessKey"},
	{&creds_names_metadata, "{" SECRET TOKEN TIME "}", 0, "AccessKeyId"},
	{&creds_names_metadata, "{\"AccessKeyId\":7," SECRET TOKEN TIME "}", 0,
	 "AccessKeyId"},
	{&creds_names_metadata, "{\"AccessKeyId\":null," SECRET TOKEN TIME "}",
	 0, "AccessKeyId"},
	{&creds_names_metadata, "{\"AccessKeyId\":\"\"," SECRET TOKEN TIME "}",
	 0, "characters"},
	{&creds_names_metadata,
	 "{\"AccessKeyId\":\"a\\r\\nX: y\"," SECRET TOKEN TIME "}", 0,
	 "characters"},
	{&creds_names_metadata, "{" ID SECRET TOKEN "\"Expiration\":\"\"}", 0,
	 "Expiration"},
	{&creds_names_metadata, "{" ID SECRET TOKEN "\"Expiration\":1e9}", 0,
	 "Expiration"},
	{&creds_names_process, "{" ID "\"SecretAccessKey\":\"s\"}", INT64_MAX,
	 NULL},
	{&creds_names_process, "{" ID SECRET "\"SessionToken\":\"\"," TIME "}",
	 INT64_C(1795766400000), NULL},
	{&creds_names_sso,
	 "{\"roleCredentials\":{\"accessKeyId\":\"A\","
	 "\"secretAccessKey\":\"s\",\"sessionToken\":\"t\","
	 "\"expiration\":1795766400000}}",
	 INT64_C(1795766400000), NULL},
	{&creds_names_sso,
	 "{\"roleCredentials\":{\"accessKeyId\":\"A\","
	 "\"secretAccessKey\":\"s\",\"sessionToken\":\"t\","
	 "\"expiration\":-1}}",
	 0, "expiration"},
	{&creds_names_sso, "{\"roleCredentials\":[]}", 0, "roleCredentials"},
	{&creds_names_sso, "{}", 0, "roleCredentials"},
};

static void test_keys(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		struct json_object *root = NULL;
		struct aws_credentials *c = NULL;
		g_autofree char *why = NULL;
		int rc;

		assert_int_equal(aws_json_parse(keys[i].json,
						strlen(keys[i].json), &root),
				 0);
		rc = creds_keys_read(root, keys[i].names, &c, &why);
		creds_json_free(root);
		if (keys[i].why) {
			assert_int_equal(rc, -EPROTO);
			if (!strstr(why, keys[i].why))
				fail_msg("%zu: %s", i, why);
			continue;
		}
		if (rc)
			fail_msg("%zu: %s", i, why);
		assert_string_equal(c->access_key_id, "A");
		assert_string_equal(c->secret_access_key, "s");
		assert_true(c->expires_ms == keys[i].expires_ms);
		aws_credentials_free(c);
	}
	creds_json_free(NULL);
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} times[] = {
		{"2026-11-27T08:00:00Z", INT64_C(1795766400000)},
		{"2026-11-27T08:00:00UTC", INT64_C(1795766400000)},
		{"2026-11-27T08:00:00+00:00", INT64_C(1795766400000)},
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-27", -1},
		{"soon", -1},
		{"UTC", -1},
		{"", -1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
		int64_t ms = -1;
		int rc = creds_time_parse(times[i].text, &ms);

		assert_int_equal(rc, times[i].ms < 0 ? -EINVAL : 0);
		assert_true(ms == times[i].ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sts),
		cmocka_unit_test(test_sts_refusals),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
