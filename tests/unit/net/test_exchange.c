/* SPDX-License-Identifier: MIT */
#include "tests/unit/net/exchange.h"

#include "fs/net/exchange.h"

static const struct {
	const char *path;
	size_t max_bytes;
	int64_t deadline_ms;
	int rc, status;
	const char *bytes; /* where rc is 0 */
} cases[] = {
	{"/ok", 5, 20000, 0, 200, "hello"},
	{"/ok", 4, 20000, -EFBIG, 200, NULL},
	{"/chunked", 100, 20000, 0, 200, "abcdefg"},
	{"/empty", 100, 20000, 0, 204, ""},
	{"/refusal", 100, 20000, 0, 400, "{}"},
	{"/early", 100, 20000, -ECONNRESET, 200, NULL},
	{"/garbage", 100, 20000, -EPROTO, 0, NULL},
	{"/hang", 100, 50, -ETIMEDOUT, 0, NULL},
};

static void test_answers(void **state)
{
	struct fixture f;

	fixture_init(&f, serve, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *url = g_strdup_printf(
			"http://127.0.0.1:%d%s", f.server->port, cases[i].path);
		const struct net_request_spec spec = {
			.method = "GET",
			.url = url,
			.deadline_ms = cases[i].deadline_ms,
		};
		struct net_answer a;

		assert_int_equal(
			net_exchange(f.loop, &spec, cases[i].max_bytes, &a),
			cases[i].rc);
		assert_int_equal(a.http_status, cases[i].status);
		if (!cases[i].rc) {
			assert_string_equal(a.bytes, cases[i].bytes);
			assert_int_equal(a.n, strlen(cases[i].bytes));
		} else {
			assert_true(*a.text);
		}
		if (!strcmp(cases[i].path, "/ok")) {
			assert_string_equal(
				net_answer_header(&a, "x-amzn-requestID"),
				"abc-1");
			assert_null(net_answer_header(&a, "x-other"));
			assert_int_equal(a.server_date_ms, 784111777000);
		}
		net_answer_release(&a);
	}
	fixture_release(&f);
}

/* A message may be in curl's words, but a proxy is only for https. */
static void test_proxy(void **state)
{
	g_autofree char *proxy = NULL;
	const struct {
		const char *url;
		bool direct;
		const char *no_proxy;
		bool proxied;
	} urls[] = {
		{"https://kinesisvideo.invalid/", false, NULL, true},
		{"https://kinesisvideo.invalid/", false, ".example", true},
		{"https://localhost:1/", true, NULL, false},
		{"https://localhost:1/", false, "localhost", false},
		{"http://localhost:1/", false, NULL, false},
	};
	struct fixture f;

	fixture_init(&f, serve, NULL);
	proxy = g_strdup_printf("127.0.0.1:%d", f.server->port);
	for (size_t i = 0; i < G_N_ELEMENTS(urls); i++) {
		struct net_loop_options o = {.proxy = proxy,
					     .no_proxy = urls[i].no_proxy};
		const struct net_request_spec spec = {
			.method = "GET",
			.url = urls[i].url,
			.deadline_ms = 20000,
			.direct = urls[i].direct,
		};
		unsigned before = loopback_requests(f.server);
		struct net_loop *l;
		struct net_answer a;

		assert_int_equal(net_loop_new(&o, &l), 0);
		assert_true(net_exchange(l, &spec, 100, &a) < 0);
		assert_int_equal(loopback_requests(f.server) - before,
				 urls[i].proxied);
		net_answer_release(&a);
		net_loop_free(l);
	}
	fixture_release(&f);
}

static void *stop(void *arg)
{
	struct fixture *f = arg;

	loopback_wait(f->server, 1);
	net_loop_stop(f->loop);
	return NULL;
}

static void test_the_loop_stops(void **state)
{
	struct fixture f;
	struct net_answer a;
	pthread_t thread;
	g_autofree char *url = NULL;
	struct net_request_spec spec = {.method = "GET", .deadline_ms = 20000};

	fixture_init(&f, serve, NULL);
	url = g_strdup_printf("http://127.0.0.1:%d/hang", f.server->port);
	spec.url = url;
	pthread_create(&thread, NULL, stop, &f);
	assert_int_equal(net_exchange(f.loop, &spec, 100, &a), -ECANCELED);
	net_answer_release(&a);
	pthread_join(thread, NULL);
	/* Whoever asks a loop that has stopped does not wait. */
	assert_int_equal(net_exchange(f.loop, &spec, 100, &a), -ECANCELED);
	net_answer_release(&a);
	net_loop_stop(f.loop);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_the_loop_stops),
	};

	return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
