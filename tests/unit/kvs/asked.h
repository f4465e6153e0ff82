/* SPDX-License-Identifier: MIT */
/*
 * asked: one call and all that was told of it, checked on the way: once, on the
 * loop's thread, never inside the call's start.
 */
#ifndef KVSFS_TESTS_ASKED_H
#define KVSFS_TESTS_ASKED_H

#include "tests/unit/kvs/service.h"

enum api {
	LIST_STREAMS,
	DESCRIBE,
	LIST_FRAGMENTS,
	MEDIA
};

/* One call and all that was told of it. */
struct asked {
	struct service *service;
	enum api api;
	const char *text; /* prefix, name, token or ARN */
	int64_t deadline_ms;
	struct kvs_call *call;
	bool in_start;
	int body_rc;
	bool cancel_in_body;
	struct asked *cancel_other; /* in this one's callback */

	int rc, status;
	char *name, *id, *message, *token;
	GPtrArray *streams;
	size_t n_fragments;
	struct kvs_fragment first;
	GString *body;
	int64_t now_ms;
	struct tally done;
};

static inline void asked_end(struct asked *a, const struct kvs_error *e)
{
	assert_true(net_loop_on_thread(a->service->loop));
	assert_false(a->in_start);
	assert_int_equal(a->rc, 1); /* once */
	assert_non_null(e->message);
	a->rc = e->rc;
	a->status = e->http_status;
	a->name = g_strdup(e->name);
	a->id = g_strdup(e->request_id);
	a->message = g_strdup(e->message);
	a->now_ms = kvs_now_ms(a->service->client);
	if (a->cancel_other)
		kvs_call_cancel(a->cancel_other->call);
	tally_add(&a->done);
}

static inline void asked_streams(void *user, const struct kvs_error *e,
				 GPtrArray *streams)
{
	struct asked *a = user;

	a->streams = g_ptr_array_ref(streams);
	asked_end(a, e);
}

static inline void asked_page(void *user, const struct kvs_error *e,
			      const struct kvs_fragment *fragments, size_t n,
			      const char *token)
{
	struct asked *a = user;

	a->n_fragments = n;
	if (n > 0)
		a->first = fragments[0];
	a->token = g_strdup(token);
	asked_end(a, e);
}

static inline int asked_body(void *user, const void *bytes, size_t n)
{
	struct asked *a = user;

	g_string_append_len(a->body, bytes, (gssize)n);
	if (a->cancel_in_body) {
		kvs_call_cancel(a->call);
		tally_add(&a->done);
	}
	return a->body_rc;
}

static inline void asked_done(void *user, const struct kvs_error *e)
{
	asked_end(user, e);
}

static inline void asked_init(struct asked *a, struct service *s, enum api api,
			      const char *text)
{
	*a = (struct asked){
		.service = s,
		.api = api,
		.text = text,
		.deadline_ms = 20000,
		.rc = 1,
		.body = g_string_new(NULL),
		.done = TALLY_INIT,
	};
}

static inline void asked_release(struct asked *a)
{
	g_free(a->name);
	g_free(a->id);
	g_free(a->message);
	g_free(a->token);
	g_string_free(a->body, TRUE);
	if (a->streams)
		g_ptr_array_unref(a->streams);
}

static inline struct kvs_call *asked_call(struct asked *a)
{
	static const char *const numbers[] = {NUMBER, "2"};
	static const struct kvs_media_ops ops = {asked_body, asked_done};
	struct kvs_client *c = a->service->client;
	struct kvs_list_query q = {.arn = ARN,
				   .start_ms = 1500000000999,
				   .end_ms = 1500003600001,
				   .max_results = 1000,
				   .next_token = a->text};

	switch (a->api) {
	case LIST_STREAMS:
		return kvs_list_streams(c, a->text, a->deadline_ms,
					asked_streams, a);
	case DESCRIBE:
		return kvs_describe_stream(c, a->text, a->deadline_ms,
					   asked_streams, a);
	case LIST_FRAGMENTS:
		return kvs_list_fragments(c, &q, a->deadline_ms, asked_page, a);
	case MEDIA:
		break;
	}
	return kvs_get_media(c, a->text ? a->text : ARN, numbers, 2,
			     a->deadline_ms, &ops, a);
}

static inline void asked_start(void *arg)
{
	struct asked *a = arg;

	a->in_start = true;
	a->call = asked_call(a);
	a->in_start = false;
}

static inline void asked_post(struct asked *a)
{
	net_loop_post(a->service->loop, asked_start, a);
}

static inline void asked_run(struct asked *a)
{
	asked_post(a);
	assert_true(tally_wait(&a->done, 1));
}

#endif
