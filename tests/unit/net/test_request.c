/* SPDX-License-Identifier: MIT */
#include "fs/net/loop.h"

#include "tests/unit/net/loopback.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* One request and all that was told of it. */
struct exchange {
	struct net_loop *loop;
	struct net_request *request;
	struct net_request_spec spec;
	char *url;
	GString *body;
	int body_rc; /* what body() answers */
	bool cancel_in_body;
	struct exchange *cancel_other;
	int rc, status;
	int64_t date_ms;
	char *text, *header;
	bool in_start;
	struct tally *tally;
	struct tally own;
};

static void exchange_init(struct exchange *x, struct net_loop *l, int port,
			  const char *path)
{
	*x = (struct exchange){
		.loop = l,
		.url = g_strdup_printf("http://127.0.0.1:%d%s", port, path),
		.body = g_string_new(NULL),
		.rc = 1,
		.own = TALLY_INIT,
		.spec = {.method = "GET", .deadline_ms = 20000},
	};
	x->tally = &x->own;
	x->spec.url = x->url;
}

static void exchange_release(struct exchange *x)
{
	g_free(x->url);
	g_free(x->text);
	g_free(x->header);
	g_string_free(x->body, TRUE);
}

static int on_body(void *user, const struct net_response *r, const void *bytes,
		   size_t n)
{
	struct exchange *x = user;

	assert_true(net_loop_on_thread(x->loop));
	assert_int_not_equal(r->http_status, 0);
	g_string_append_len(x->body, bytes, (gssize)n);
	if (x->cancel_other)
		net_request_cancel(x->cancel_other->request);
	x->cancel_other = NULL;
	if (x->cancel_in_body) {
		net_request_cancel(x->request);
		tally_add(x->tally);
	}
	return x->body_rc;
}

static void on_done(void *user, int rc, const struct net_response *r,
		    const char *text)
{
	struct exchange *x = user;

	assert_false(x->in_start);
	assert_int_equal(x->rc, 1); /* once */
	x->rc = rc;
	x->status = r->http_status;
	x->date_ms = r->server_date_ms;
	x->header = g_strdup(r->header(r, "x-AMZN-requestid"));
	x->text = g_strdup(text);
	tally_add(x->tally);
}

static const struct net_request_ops ops = {on_body, on_done};

static void start(void *arg)
{
	struct exchange *x = arg;

	x->in_start = true;
	x->request = net_request_start(x->loop, &x->spec, &ops, x);
	x->in_start = false;
}

static void run(struct exchange *x)
{
	net_loop_post(x->loop, start, x);
	assert_true(tally_wait(x->tally, 1));
}

struct fixture {
	struct loopback *server;
	struct net_loop *loop;
};

/* What the path asks for. */
static bool serve(struct loopback *s, const struct loopback_request *r)
{
	static const char head[] = "HTTP/1.1 200 OK\r\n";

	if (!strcmp(r->path, "/ok"))
		return loopback_answer(
			r->fd, "200 OK",
			"X-Amzn-RequestId:  abc-1 \r\n"
			"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
			"hello");
	if (!strcmp(r->path, "/echo"))
		return loopback_answer(r->fd, "200 OK", "", r->body);
	if (!strcmp(r->path, "/head"))
		return loopback_answer(r->fd, "200 OK", "", r->head);
	if (!strcmp(r->path, "/empty"))
		return loopback_answer(r->fd, "204 No Content", "", "");
	if (!strcmp(r->path, "/chunked"))
		return loopback_printf(
			r->fd,
			"%sTransfer-Encoding: chunked\r\n\r\n"
			"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n"
			"HTTP/1.1 500: late\r\nX-Amzn-RequestId: late\r\n\r\n",
			head);
	if (!strcmp(r->path, "/continue"))
		return loopback_printf(
			r->fd,
			"HTTP/1.1 100 Continue\r\nX-Amzn-RequestId: no\r\n\r\n"
			"%sContent-Length: 2\r\n\r\nok",
			head);
	if (!strcmp(r->path, "/redirect"))
		return loopback_answer(r->fd, "302 Found", "Location: /ok\r\n",
				       "");
	if (!strcmp(r->path, "/refusal"))
		return loopback_answer(r->fd, "400 Bad Request", "", "{}");
	if (!strcmp(r->path, "/early"))
		loopback_printf(r->fd, "%sContent-Length: 9\r\n\r\nfour", head);
	else if (!strcmp(r->path, "/early-chunk"))
		loopback_printf(r->fd,
				"%sTransfer-Encoding: chunked\r\n\r\n9\r\nab",
				head);
	else if (!strcmp(r->path, "/garbage"))
		loopback_printf(r->fd, "220 ftp.example.com ready\r\n");
	else if (!strcmp(r->path, "/hang"))
		loopback_hang(s);
	else if (!strcmp(r->path, "/stall")) {
		loopback_printf(r->fd, "%sContent-Length: 9\r\n\r\nfour", head);
		loopback_hang(s);
	}
	return false;
}

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

static void fixture_init(struct fixture *f, loopback_fn fn, void *user)
{
	struct net_loop_options o = {.user_agent = "kvsfs/test"};

	f->server = loopback_new(fn, user);
	assert_int_equal(net_loop_new(&o, &f->loop), 0);
}

static void fixture_release(struct fixture *f)
{
	net_loop_free(f->loop);
	loopback_free(f->server);
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

static void test_cancel_in_body(void **state)
{
	struct fixture f;
	struct exchange x, after;

	fixture_init(&f, serve, NULL);
	exchange_init(&x, f.loop, f.server->port, "/early");
	x.cancel_in_body = true;
	run(&x);
	exchange_init(&after, f.loop, f.server->port, "/ok");
	run(&after);
	net_loop_free(f.loop);
	assert_int_equal(x.rc, 1);
	assert_string_equal(x.body->str, "four");
	assert_int_equal(after.rc, 0);
	exchange_release(&x);
	exchange_release(&after);
	loopback_free(f.server);
}

static void test_cancel_another_in_body(void **state)
{
	struct fixture f;
	struct exchange x, other;

	fixture_init(&f, serve, NULL);
	exchange_init(&other, f.loop, f.server->port, "/hang");
	exchange_init(&x, f.loop, f.server->port, "/ok");
	x.cancel_other = &other;
	net_loop_post(f.loop, start, &other);
	loopback_wait(f.server, 1);
	run(&x);
	assert_int_equal(x.rc, 0);
	net_loop_free(f.loop);
	assert_int_equal(other.rc, 1);
	exchange_release(&x);
	exchange_release(&other);
	loopback_free(f.server);
}

static void start_and_cancel(void *arg)
{
	struct exchange *x = arg;

	start(x);
	net_request_cancel(x->request);
	tally_add(x->tally);
}

static void cancel(void *arg)
{
	struct exchange *x = arg;

	net_request_cancel(x->request);
	tally_add(x->tally);
}

static void test_cancel(void **state)
{
	struct fixture f;
	struct exchange x, y;

	fixture_init(&f, serve, NULL);
	exchange_init(&x, f.loop, f.server->port, "/ok");
	net_loop_post(f.loop, start_and_cancel, &x);
	assert_true(tally_wait(x.tally, 1));
	exchange_init(&y, f.loop, f.server->port, "/hang");
	net_loop_post(f.loop, start, &y);
	loopback_wait(f.server, 1);
	net_loop_post(f.loop, cancel, &y);
	assert_true(tally_wait(y.tally, 1));
	net_loop_free(f.loop);
	assert_int_equal(x.rc, 1);
	assert_int_equal(y.rc, 1);
	exchange_release(&x);
	exchange_release(&y);
	loopback_free(f.server);
}

static void test_free_with_open_requests(void **state)
{
	static const char *const paths[] = {"/hang", "/stall", "/ok"};
	struct fixture f;
	struct exchange x[3];

	fixture_init(&f, serve, NULL);
	for (int i = 0; i < 2; i++) {
		exchange_init(&x[i], f.loop, f.server->port, paths[i]);
		net_loop_post(f.loop, start, &x[i]);
	}
	loopback_wait(f.server, 2);
	/* Started in the loop's last turn. */
	exchange_init(&x[2], f.loop, loopback_dead_port(), paths[2]);
	net_loop_post(f.loop, start, &x[2]);
	net_loop_free(f.loop);
	assert_int_equal(x[0].rc, -ECANCELED);
	assert_int_equal(x[1].rc, -ECANCELED);
	assert_true(x[2].rc == -ECANCELED || x[2].rc == -ECONNREFUSED);
	for (int i = 0; i < 3; i++)
		exchange_release(&x[i]);
	loopback_free(f.server);
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
		cmocka_unit_test(test_cancel_in_body),
		cmocka_unit_test(test_cancel_another_in_body),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_free_with_open_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
