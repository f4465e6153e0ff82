/* SPDX-License-Identifier: MIT */
/* What is tried again, for how long, and what the user is told. */
#include "tests/unit/kvs/asked.h"

#define EMPTY OK("{}")

static void test_retry_then_success(void **state)
{
	static const struct reply replies[] = {
		THROTTLED,
		ERROR("500 Oops", "InternalFailure"),
		{"503 Busy", "<html>", "", PLAIN},
		{"", "", "", CLOSE},
		{"200 OK", "{\"StreamInfoList\":[]}", "", SHORT},
		EMPTY,
	};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.name, "");
	assert_int_equal(loopback_requests(s.server), 6);
	asked_release(&a);
	service_release(&s);
}

static void test_tried_once(void **state)
{
	static const struct {
		struct reply reply;
		int rc;
		const char *name, *message;
	} cases[] = {
		{ERROR("404 Not Found", "ResourceNotFoundException"), -ENOENT,
		 "ResourceNotFoundException", "said so"},
		{ERROR("401 No", "NotAuthorizedException"), -EACCES,
		 "NotAuthorizedException", "said so"},
		{ERROR("400 No", "InvalidArgumentException"), -EIO,
		 "InvalidArgumentException", "said so"},
		{{"403 Forbidden", "<AccessDeniedException/>", "", PLAIN},
		 -EACCES,
		 "",
		 "<AccessDeniedException/>"},
		{{"302 Found", "", "Location: http://x/\r\n", PLAIN},
		 -EPROTO,
		 "",
		 "HTTP status 302"},
		{OK("not JSON"), -EPROTO, "",
		 "The answer to /describeStream holds no usable JSON"},
		{OK("{}"), -EPROTO, "",
		 "The answer to /describeStream holds no usable StreamInfo"},
		{OK("{\"StreamInfo\":{\"StreamName\":\"a/b\"}}"), -EPROTO, "",
		 "The answer to /describeStream holds no usable StreamName"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct service s;
		struct asked a;

		service_prepare(&s, &cases[i].reply, 1);
		service_start(&s);
		asked_init(&a, &s, DESCRIBE, "door");
		asked_run(&a);
		assert_int_equal(a.rc, cases[i].rc);
		assert_string_equal(a.name, cases[i].name);
		assert_string_equal(a.message, cases[i].message);
		assert_string_equal(a.id, *a.name ? "id-1" : "");
		assert_int_equal(loopback_requests(s.server), 1);
		asked_release(&a);
		service_release(&s);
	}
}

static void test_deadline(void **state)
{
	static const struct {
		struct reply reply;
		const char *name;
	} cases[] = {
		{THROTTLED, "ClientLimitExceededException"},
		{ERROR("500 Oops", "InternalFailure"), "InternalFailure"},
		{{"", "", "", CLOSE}, ""},
		{{"", "", "", HANG}, ""},
		{{"200 OK", "{\"StreamInfoList\":[]}", "", STALLED}, ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct service s;
		struct asked a;

		service_prepare(&s, &cases[i].reply, 1);
		service_start(&s);
		asked_init(&a, &s, LIST_STREAMS, NULL);
		a.deadline_ms = 180;
		asked_run(&a);
		assert_int_equal(a.rc, -ETIMEDOUT);
		assert_string_equal(a.name, cases[i].name);
		assert_true(strlen(a.message) > 0);
		asked_release(&a);
		service_release(&s);
	}
}

static void test_nobody_there(void **state)
{
	static const struct reply replies[] = {EMPTY};
	struct service s;
	struct asked a;

	service_prepare(&s, replies, 1);
	g_free(s.settings.control_url);
	s.settings.control_url = g_strdup_printf("http://127.0.0.1:%d",
						 s.dead_port);
	service_start(&s);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	a.deadline_ms = 120;
	asked_run(&a);
	assert_int_equal(a.rc, -ETIMEDOUT);
	assert_int_equal(a.status, 0);
	assert_non_null(strstr(a.message, "connect"));
	asked_release(&a);
	/* A data call says why as well, though it was the lookup that failed.
	 */
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	a.deadline_ms = 120;
	asked_run(&a);
	assert_int_equal(a.rc, -ETIMEDOUT);
	assert_non_null(strstr(a.message, "connect"));
	asked_release(&a);
	service_release(&s);
}

static void test_hang_then_success(void **state)
{
	static const struct reply replies[] = {{"", "", "", HANG}, EMPTY};
	struct service s;
	struct asked a;

	/* A third of the deadline without a byte ends a try. */
	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	a.deadline_ms = 3000;
	asked_run(&a);
	assert_int_equal(a.rc, 0);
	assert_int_equal(loopback_requests(s.server), 2);
	asked_release(&a);
	service_release(&s);
}

static void test_too_large(void **state)
{
	g_autofree char *large = g_strnfill((16 << 20) + 1, ' ');
	g_autofree char *error = g_strnfill(1 << 20, 'e');
	const struct reply answer[] = {OK(large)};
	const struct reply refusal[] = {{"400 Bad", error, "", PLAIN}};
	struct service s;
	struct asked a;

	SERVICE(&s, answer);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, -EPROTO);
	assert_string_equal(a.message, "The answer to /listStreams is larger "
				       "than 16777216 bytes");
	assert_int_equal(loopback_requests(s.server), 1);
	asked_release(&a);
	service_release(&s);

	SERVICE(&s, refusal);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, -EIO);
	assert_int_equal(strlen(a.message), 200);
	asked_release(&a);
	service_release(&s);
}

static void test_outside_retention(void **state)
{
	static const struct reply replies[] = {
		ENDPOINT,
		{"400 Bad",
		 "{\"Message\":\"End timestamp 1725465732000 is outside of the "
		 "stream retention period.\"}",
		 "x-amzn-ErrorType: InvalidArgumentException:http://x\r\n",
		 PLAIN},
	};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, -ERANGE);
	assert_int_equal(a.n_fragments, 0);
	asked_release(&a);
	service_release(&s);
}

static void test_media_is_one_try(void **state)
{
	static const struct {
		struct reply reply;
		int body_rc, rc;
		const char *name, *body;
	} cases[] = {
		{THROTTLED, 0, -EBUSY, "ClientLimitExceededException", ""},
		{ERROR("400 No", "ConnectionLimitExceededException"), 0, -EBUSY,
		 "ConnectionLimitExceededException", ""},
		{ERROR("500 Oops", "InternalFailure"), 0, -ETIMEDOUT,
		 "InternalFailure", ""},
		{{"200 OK", "matroska", "", SHORT}, 0, -ETIMEDOUT, "", "matr"},
		{{"", "", "", CLOSE}, 0, -ETIMEDOUT, "", ""},
		/* The user's errno is kept, whatever it is. */
		{OK("matroska"), -ENOSPC, -ENOSPC, "", "matroska"},
		{OK("matroska"), -ETIMEDOUT, -ETIMEDOUT, "", "matroska"},
		{OK("matroska"), -ECONNRESET, -ECONNRESET, "", "matroska"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct reply replies[] = {LAST_ENDPOINT, cases[i].reply};
		struct service s;
		struct asked a;

		SERVICE(&s, replies);
		asked_init(&a, &s, MEDIA, NULL);
		a.body_rc = cases[i].body_rc;
		asked_run(&a);
		assert_int_equal(a.rc, cases[i].rc);
		assert_string_equal(a.name, cases[i].name);
		assert_string_equal(a.body->str, cases[i].body);
		assert_int_equal(service_count(&s, "/getMediaForFragmentList"),
				 1);
		asked_release(&a);
		service_release(&s);
	}
}

static void test_media_lookup_is_retried(void **state)
{
	static const struct reply replies[] = {THROTTLED, ENDPOINT, OK("m")};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, MEDIA, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, 0);
	assert_string_equal(a.body->str, "m");
	asked_release(&a);
	service_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry_then_success),
		cmocka_unit_test(test_tried_once),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_hang_then_success),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_outside_retention),
		cmocka_unit_test(test_media_is_one_try),
		cmocka_unit_test(test_media_lookup_is_retried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
