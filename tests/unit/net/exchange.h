/* SPDX-License-Identifier: MIT */
/*
 * exchange: one request and all that was told of it, and a server that answers
 * as the path says.
 */
#ifndef KVSFS_TESTS_EXCHANGE_H
#define KVSFS_TESTS_EXCHANGE_H

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

static inline void exchange_init(struct exchange *x, struct net_loop *l,
				 int port, const char *path)
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

static inline void exchange_release(struct exchange *x)
{
	g_free(x->url);
	g_free(x->text);
	g_free(x->header);
	g_string_free(x->body, TRUE);
}

static inline int on_body(void *user, const struct net_response *r,
			  const void *bytes, size_t n)
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

static inline void on_done(void *user, int rc, const struct net_response *r,
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

static const struct net_request_ops exchange_ops = {on_body, on_done};

static inline void start(void *arg)
{
	struct exchange *x = arg;

	x->in_start = true;
	x->request = net_request_start(x->loop, &x->spec, &exchange_ops, x);
	x->in_start = false;
}

static inline void run(struct exchange *x)
{
	net_loop_post(x->loop, start, x);
	assert_true(tally_wait(x->tally, 1));
}

struct fixture {
	struct loopback *server;
	struct net_loop *loop;
};

/* What the path asks for. */
static inline bool serve(struct loopback *s, const struct loopback_request *r)
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

static inline void fixture_init(struct fixture *f, loopback_fn fn, void *user)
{
	struct net_loop_options o = {.user_agent = "kvsfs/test"};

	f->server = loopback_new(fn, user);
	assert_int_equal(net_loop_new(&o, &f->loop), 0);
}

static inline void fixture_release(struct fixture *f)
{
	net_loop_free(f->loop);
	loopback_free(f->server);
}

#endif
