/* SPDX-License-Identifier: MIT */
/* Credentials, the clock and data endpoints: what a call mends by itself. */
#include "tests/unit/kvs/asked.h"

#define EMPTY OK("{}")

/* Credentials in a file, which the server renews when it refuses them. */
static char *credentials_path;

static void write_credentials(const char *key)
{
	g_autofree char *text = g_strdup_printf(
		"[default]\naws_access_key_id = %s\n"
		"aws_secret_access_key = s\naws_session_token = token-of-%s\n",
		key, key);

	assert_true(g_file_set_contents(credentials_path, text, -1, NULL));
}

static void use_credentials_file(struct service *s)
{
	const char *const pairs[] = {"AWS_SHARED_CREDENTIALS_FILE",
				     credentials_path,
				     "AWS_CONFIG_FILE",
				     "/nonexistent",
				     "HOME",
				     "/nonexistent",
				     NULL};

	g_strfreev(s->settings.environ);
	s->settings.environ = service_environ(pairs);
}

static const struct reply expired = ERROR("403 Forbidden",
					  "ExpiredTokenException");

static const struct reply *renew(struct service *s,
				 const struct loopback_request *r)
{
	if (!strstr(r->head, "Credential=OLD/"))
		return NULL;
	write_credentials("NEW");
	return &expired;
}

static void test_credentials_are_renewed(void **state)
{
	static const struct reply replies[] = {EMPTY};
	struct service s;
	struct asked a;

	write_credentials("OLD");
	service_prepare(&s, replies, 1);
	use_credentials_file(&s);
	s.choose = renew;
	service_start(&s);
	for (int i = 0; i < 3; i++) {
		asked_init(&a, &s, LIST_STREAMS, NULL);
		asked_run(&a);
		assert_int_equal(a.rc, 0);
		asked_release(&a);
	}
	service_stop_loop(&s);
	/* The new ones are kept: no call but the first needs two tries. */
	assert_int_equal(s.seen->len, 4);
	assert_non_null(strstr(service_seen(&s, 1)->head,
			       "\r\nX-Amz-Security-Token: token-of-NEW\r\n"));
	service_release(&s);
}

static void test_credentials_stay_expired(void **state)
{
	struct service s;
	struct asked a;

	service_prepare(&s, &expired, 1);
	service_start(&s);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, -EACCES);
	assert_string_equal(a.name, "ExpiredTokenException");
	assert_int_equal(loopback_requests(s.server), 2);
	asked_release(&a);
	service_release(&s);
}

static void test_no_credentials(void **state)
{
	static const struct reply replies[] = {EMPTY};
	static const enum api apis[] = {LIST_STREAMS, LIST_FRAGMENTS, MEDIA};
	struct service s;
	struct asked a;

	g_unlink(credentials_path);
	service_prepare(&s, replies, 1);
	use_credentials_file(&s);
	service_start(&s);
	for (size_t i = 0; i < G_N_ELEMENTS(apis); i++) {
		asked_init(&a, &s, apis[i], NULL);
		asked_run(&a);
		assert_int_equal(a.rc, -EACCES);
		assert_true(strlen(a.message) > 10);
		asked_release(&a);
	}
	assert_int_equal(loopback_requests(s.server), 0);
	/* They may come later; nothing is remembered of the failure. */
	write_credentials("NEW");
	asked_init(&a, &s, LIST_STREAMS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, 0);
	asked_release(&a);
	service_release(&s);
}

static int64_t amz_date_ms(const char *head)
{
	const char *text = strstr(head, "X-Amz-Date: ");
	struct tm tm = {0};

	assert_non_null(text);
	assert_non_null(strptime(text + 12, "%Y%m%dT%H%M%SZ", &tm));
	return (int64_t)timegm(&tm) * 1000;
}

/* As the service: five minutes either way, and its own time in the answer. */
static const struct reply *check_clock(struct service *s,
				       const struct loopback_request *r)
{
	static __thread char headers[200];
	static __thread struct reply reply;
	int64_t now_ms = clock_realtime_ms(&clock_system);
	int64_t late_ms = now_ms - amz_date_ms(r->head);
	time_t now_s = now_ms / 1000;
	char date[64];
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
		 gmtime_r(&now_s, &tm));
	g_snprintf(headers, sizeof(headers), "Date: %s\r\n%s", date,
		   ABS(late_ms) > 300000
			   ? "x-amzn-ErrorType: InvalidSignatureException:x\r\n"
			   : "");
	reply = (struct reply){ABS(late_ms) > 300000 ? "403 Forbidden"
						     : "200 OK",
			       "{}", headers, PLAIN};
	return &reply;
}

static void test_clock_is_corrected(void **state)
{
	static const struct {
		int64_t skew_ms;
		unsigned requests;
	} cases[] = {
		{0, 1}, {1000, 1}, {-3600000, 2}, {86400000, 2}, {-240000, 1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct service s;
		struct asked a;
		int64_t error_ms;

		service_prepare(&s, NULL, 0);
		s.skew_ms = cases[i].skew_ms;
		s.choose = check_clock;
		service_start(&s);
		asked_init(&a, &s, LIST_STREAMS, NULL);
		asked_run(&a);
		assert_int_equal(a.rc, 0);
		assert_int_equal(loopback_requests(s.server),
				 cases[i].requests);
		error_ms = a.now_ms - clock_realtime_ms(&clock_system);
		assert_true(ABS(error_ms) < 3000);
		asked_release(&a);
		/* It is remembered. */
		asked_init(&a, &s, LIST_STREAMS, NULL);
		asked_run(&a);
		assert_int_equal(loopback_requests(s.server),
				 cases[i].requests + 1);
		asked_release(&a);
		service_release(&s);
	}
}

static void test_wrong_secret(void **state)
{
	static const struct reply replies[] = {
		ERROR("403 Forbidden", "InvalidSignatureException"),
	};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, -EACCES);
	assert_int_equal(loopback_requests(s.server), 1);
	asked_release(&a);
	service_release(&s);
}

static const struct reply *by_path(struct service *s,
				   const struct loopback_request *r)
{
	static const struct reply endpoint = ENDPOINT, empty = EMPTY;

	return strcmp(r->path, "/getDataEndpoint") ? &empty : &endpoint;
}

static void test_endpoint_is_asked_for_once(void **state)
{
	struct service s;
	struct asked a[20];

	service_prepare(&s, NULL, 0);
	s.choose = by_path;
	service_start(&s);
	for (int i = 0; i < 20; i++) {
		asked_init(&a[i], &s, i % 2 ? MEDIA : LIST_FRAGMENTS, NULL);
		asked_post(&a[i]);
	}
	for (int i = 0; i < 20; i++) {
		assert_true(tally_wait(&a[i].done, 1));
		assert_int_equal(a[i].rc, 0);
		asked_release(&a[i]);
	}
	/* One for each API. */
	assert_int_equal(service_count(&s, "/getDataEndpoint"), 2);
	assert_int_equal(loopback_requests(s.server), 22);
	service_release(&s);
}

static void test_endpoint_is_dropped(void **state)
{
	static const struct {
		struct reply first, second;
	} cases[] = {
		{ENDPOINT, ERROR("400 Bad", "InvalidEndpointException")},
		{ENDPOINT, ERROR("403 Forbidden", "AccessDeniedException")},
		{ENDPOINT, {"403 Forbidden", "", "", PLAIN}},
		{LAST_ENDPOINT, {"", "", "", CLOSE}},
	};
	static const enum api apis[] = {LIST_FRAGMENTS, MEDIA};

	for (size_t i = 0; i < G_N_ELEMENTS(cases) * 2; i++) {
		const struct reply replies[] = {cases[i / 2].first,
						cases[i / 2].second, ENDPOINT,
						EMPTY};
		enum api api = apis[i % 2];
		struct service s;
		struct asked a;

		/* Media are not tried again after a network failure. */
		if (replies[1].oddity == CLOSE && api == MEDIA)
			continue;
		SERVICE(&s, replies);
		asked_init(&a, &s, api, NULL);
		asked_run(&a);
		service_stop_loop(&s);
		assert_int_equal(a.rc, 0);
		assert_int_equal(s.seen->len, 4);
		assert_string_equal(service_seen(&s, 2)->path,
				    "/getDataEndpoint");
		asked_release(&a);
		service_release(&s);
	}
}

static void test_endpoint_is_dropped_once(void **state)
{
	static const struct reply forbidden = {"403 Forbidden", "", "", PLAIN};
	const struct reply replies[] = {ENDPOINT, forbidden, ENDPOINT,
					forbidden};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, -EACCES);
	assert_int_equal(loopback_requests(s.server), 4);
	asked_release(&a);
	service_release(&s);
}

/* The endpoint has died: the next try, or the next call, asks anew. */
static void test_dead_endpoint(void **state)
{
	static const struct reply replies[] = {
		OK("{\"DataEndpoint\":\"http://127.0.0.1:@DEAD@\"}"),
		ENDPOINT,
		EMPTY,
	};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, 0);
	asked_release(&a);
	service_release(&s);

	SERVICE(&s, replies);
	asked_init(&a, &s, MEDIA, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, -ETIMEDOUT);
	asked_release(&a);
	asked_init(&a, &s, MEDIA, NULL);
	asked_run(&a);
	assert_int_equal(a.rc, 0);
	asked_release(&a);
	service_release(&s);
}

static void test_bad_endpoints(void **state)
{
	static const char *const cases[] = {
		"{}",
		"{\"DataEndpoint\":null}",
		"{\"DataEndpoint\":\"\"}",
		"{\"DataEndpoint\":\"127.0.0.1\"}",
		"{\"DataEndpoint\":\"file:///etc/passwd\"}",
		"{\"DataEndpoint\":\"http://u@127.0.0.1:@PORT@\"}",
		"{\"DataEndpoint\":\"http://127.0.0.1:@PORT@/x\"}",
		"{\"DataEndpoint\":\"http://127.0.0.1:@PORT@/../x\"}",
		"{\"DataEndpoint\":\"http://127.0.0.1:@PORT@?x\"}",
		"{\"DataEndpoint\":\"http://127.0.0.1:@PORT@ x\"}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct reply replies[] = {OK(cases[i])};
		struct service s;
		struct asked a;

		SERVICE(&s, replies);
		asked_init(&a, &s, LIST_FRAGMENTS, NULL);
		asked_run(&a);
		assert_int_equal(a.rc, -EPROTO);
		assert_non_null(strstr(a.message, "DataEndpoint"));
		assert_int_equal(loopback_requests(s.server), 1);
		asked_release(&a);
		service_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credentials_are_renewed),
		cmocka_unit_test(test_credentials_stay_expired),
		cmocka_unit_test(test_no_credentials),
		cmocka_unit_test(test_clock_is_corrected),
		cmocka_unit_test(test_wrong_secret),
		cmocka_unit_test(test_endpoint_is_asked_for_once),
		cmocka_unit_test(test_endpoint_is_dropped),
		cmocka_unit_test(test_endpoint_is_dropped_once),
		cmocka_unit_test(test_dead_endpoint),
		cmocka_unit_test(test_bad_endpoints),
	};
	g_autofree char *folder = g_dir_make_tmp("kvsfs-XXXXXX", NULL);
	int failed;

	credentials_path = g_build_filename(folder, "credentials", NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	g_unlink(credentials_path);
	g_rmdir(folder);
	g_free(credentials_path);
	return failed;
}
