/* SPDX-License-Identifier: MIT */
#include "tests/unit/net/exchange.h"

static bool serve_large_head(struct loopback *s,
			     const struct loopback_request *r)
{
	g_autofree char *value = g_strnfill(8000, 'v');

	loopback_printf(r->fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
	for (int i = 0; i < *(int *)s->user; i++)
		if (!loopback_printf(r->fd, "X-Large-%d: %s\r\n", i, value))
			return false;
	loopback_printf(r->fd, "\r\nok");
	return true;
}

static void test_answers(void **state)
{
	static const struct {
		const char *path;
		int rc, status;
		const char *body;
	} cases[] = {
		{"/ok", 0, 200, "hello"},
		{"/empty", 0, 204, ""},
		{"/chunked", 0, 200, "abcdefg"},
		{"/continue", 0, 200, "ok"},
		{"/redirect", 0, 302, ""},
		{"/refusal", 0, 400, "{}"},
		{"/early", -ECONNRESET, 200, "four"},
		{"/early-chunk", -ECONNRESET, 200, "ab"},
		{"/close", -ECONNRESET, 0, ""},
		{"/garbage", -EPROTO, 0, ""},
	};
	struct fixture f;

	fixture_init(&f, serve, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct exchange x;

		exchange_init(&x, f.loop, f.server->port, cases[i].path);
		run(&x);
		assert_int_equal(x.rc, cases[i].rc);
		assert_int_equal(x.status, cases[i].status);
		assert_string_equal(x.body->str, cases[i].body);
		if (cases[i].rc)
			assert_true(strlen(x.text) > 0);
		exchange_release(&x);
	}
	fixture_release(&f);
}

static void test_head(void **state)
{
	static const struct {
		const char *path, *request_id;
		int64_t date_ms;
	} cases[] = {
		{"/ok", "abc-1", INT64_C(784111777000)},
		{"/chunked", NULL, -1},
		{"/continue", NULL, -1},
	};
	struct fixture f;

	fixture_init(&f, serve, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct exchange x;

		exchange_init(&x, f.loop, f.server->port, cases[i].path);
		run(&x);
		if (cases[i].request_id)
			assert_string_equal(x.header, cases[i].request_id);
		else
			assert_null(x.header);
		assert_int_equal(x.date_ms, cases[i].date_ms);
		exchange_release(&x);
	}
	fixture_release(&f);
}

static void test_post_body_and_headers(void **state)
{
	static const char *const headers[] = {"X-One: 1", "Host: example.com",
					      NULL};
	g_autofree char *large = g_strnfill(3 << 20, 'b');
	struct fixture f;
	struct exchange x;

	fixture_init(&f, serve, NULL);
	exchange_init(&x, f.loop, f.server->port, "/echo");
	x.spec.method = "POST";
	x.spec.body = large;
	x.spec.body_bytes = strlen(large);
	run(&x);
	assert_int_equal(x.rc, 0);
	assert_string_equal(x.body->str, large);
	exchange_release(&x);

	exchange_init(&x, f.loop, f.server->port, "/head");
	x.spec.method = "POST";
	x.spec.headers = headers;
	run(&x);
	assert_non_null(strstr(x.body->str, "POST /head HTTP/1.1\r\n"));
	assert_non_null(strstr(x.body->str, "\r\nX-One: 1\r\n"));
	assert_non_null(strstr(x.body->str, "\r\nHost: example.com\r\n"));
	assert_non_null(strstr(x.body->str, "\r\nUser-Agent: kvsfs/test\r\n"));
	assert_null(strstr(x.body->str, "Expect"));
	assert_null(strstr(x.body->str, "Accept-Encoding"));
	exchange_release(&x);
	fixture_release(&f);
}

static void test_large_heads(void **state)
{
	static const struct {
		int headers_of_8000, rc;
	} cases[] = {{8, 0}, {9, -EPROTO}, {30, -EPROTO}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int n = cases[i].headers_of_8000;
		struct fixture f;
		struct exchange x;

		fixture_init(&f, serve_large_head, &n);
		exchange_init(&x, f.loop, f.server->port, "/");
		run(&x);
		assert_int_equal(x.rc, cases[i].rc);
		exchange_release(&x);
		fixture_release(&f);
	}
}

static void test_limits_of_time(void **state)
{
	static const struct {
		const char *path;
		int64_t deadline_ms, stall_ms;
		const char *body, *text;
	} cases[] = {
		{"/hang", 20000, 30, "", "No byte came for 30 ms"},
		{"/stall", 20000, 30, "four", "No byte came for 30 ms"},
		{"/hang", 40, 0, "", "Not complete after 40 ms"},
		{"/stall", 40, 20000, "four", "Not complete after 40 ms"},
	};
	struct fixture f;

	fixture_init(&f, serve, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct exchange x;

		exchange_init(&x, f.loop, f.server->port, cases[i].path);
		x.spec.deadline_ms = cases[i].deadline_ms;
		x.spec.stall_ms = cases[i].stall_ms;
		run(&x);
		assert_int_equal(x.rc, -ETIMEDOUT);
		assert_string_equal(x.text, cases[i].text);
		assert_string_equal(x.body->str, cases[i].body);
		exchange_release(&x);
	}
	fixture_release(&f);
}

static void test_no_answer(void **state)
{
	static const struct {
		const char *url;
		int rc;
	} cases[] = {
		{"http://no-such-host.invalid/", -EHOSTUNREACH},
		{"ftp://127.0.0.1/", -EPROTO},
		{"file:///etc/passwd", -EPROTO},
		{"http://", -EPROTO},
		{"", -EPROTO},
	};
	struct fixture f;
	struct exchange x;

	fixture_init(&f, serve, NULL);
	exchange_init(&x, f.loop, loopback_dead_port(), "/ok");
	run(&x);
	assert_int_equal(x.rc, -ECONNREFUSED);
	assert_int_equal(x.status, 0);
	exchange_release(&x);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		exchange_init(&x, f.loop, 1, "");
		x.spec.url = cases[i].url;
		run(&x);
		assert_int_equal(x.rc, cases[i].rc);
		assert_true(strlen(x.text) > 0);
		exchange_release(&x);
	}
	/* A server without TLS where TLS is asked for. */
	exchange_init(&x, f.loop, f.server->port, "/");
	g_free(x.url);
	x.url = g_strdup_printf("https://127.0.0.1:%d/", f.server->port);
	x.spec.url = x.url;
	x.spec.stall_ms = 100;
	run(&x);
	assert_true(x.rc == -ECONNRESET || x.rc == -ETIMEDOUT);
	exchange_release(&x);
	fixture_release(&f);
}

static void test_body_refuses(void **state)
{
	struct fixture f;
	struct exchange x;

	fixture_init(&f, serve, NULL);
	exchange_init(&x, f.loop, f.server->port, "/ok");
	x.body_rc = -ENOSPC;
	run(&x);
	assert_int_equal(x.rc, -ENOSPC);
	assert_int_equal(x.status, 200);
	exchange_release(&x);
	fixture_release(&f);
}

static void test_connection_is_kept(void **state)
{
	struct fixture f;

	fixture_init(&f, serve, NULL);
	for (int i = 0; i < 20; i++) {
		struct exchange x;

		exchange_init(&x, f.loop, f.server->port, "/ok");
		run(&x);
		assert_int_equal(x.rc, 0);
		exchange_release(&x);
	}
	assert_int_equal(loopback_connections(f.server), 1);
	assert_int_equal(loopback_requests(f.server), 20);
	fixture_release(&f);
}

static void test_hundred_at_once(void **state)
{
	struct fixture f;
	struct exchange x[100];
	struct tally all = TALLY_INIT;

	fixture_init(&f, serve, NULL);
	for (int i = 0; i < 100; i++) {
		exchange_init(&x[i], f.loop, f.server->port, "/chunked");
		x[i].tally = &all;
		net_loop_post(f.loop, start, &x[i]);
	}
	assert_true(tally_wait(&all, 100));
	for (int i = 0; i < 100; i++) {
		assert_int_equal(x[i].rc, 0);
		assert_string_equal(x[i].body->str, "abcdefg");
		exchange_release(&x[i]);
	}
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_post_body_and_headers),
		cmocka_unit_test(test_large_heads),
		cmocka_unit_test(test_limits_of_time),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_body_refuses),
		cmocka_unit_test(test_connection_is_kept),
		cmocka_unit_test(test_hundred_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
