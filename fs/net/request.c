/* SPDX-License-Identifier: MIT */
#include "fs/net/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define STALL_DEFAULT_MS 20000

static void move_to(struct net_request *r, GQueue *queue)
{
	if (r->queue)
		g_queue_unlink(r->queue, &r->link);
	r->queue = queue;
	if (queue)
		g_queue_push_tail_link(queue, &r->link);
}

static void request_free(struct net_request *r)
{
	/* A handle that was never added is no error to curl. */
	if (r->easy) {
		curl_multi_remove_handle(r->loop->multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	move_to(r, NULL);
	if (r->watch)
		net_timer_cancel(r->watch);
	/* Tokens are in there, and passwords in some bodies. */
	for (struct curl_slist *h = r->headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(r->headers);
	net_head_release(&r->head);
	if (r->body)
		explicit_bzero(r->body, r->body_bytes);
	g_free(r->body);
	g_free(r);
}

/* The first of a queue, NULL at its end; it is in no queue then. */
static struct net_request *take(GQueue *queue)
{
	GList *link = g_queue_pop_head_link(queue);
	struct net_request *r = link ? link->data : NULL;

	if (r)
		r->queue = NULL;
	return r;
}

static void read_status(struct net_request *r)
{
	long status = 0;

	if (r->easy)
		curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	r->head.response.http_status = (int)status;
}

static void finish(struct net_request *r, int rc, const char *text)
{
	move_to(r, NULL);
	read_status(r);
	r->ops->done(r->user, rc, &r->head.response, text);
	request_free(r);
}

size_t net_request_on_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct net_request *r = arg;

	r->last_byte_us = g_get_monotonic_time();
	if (!r->cancelled && !r->refused)
		r->refused = net_head_line(&r->head, bytes, size * n);
	return r->cancelled || r->refused ? 0 : size * n;
}

size_t net_request_on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct net_request *r = arg;

	r->last_byte_us = g_get_monotonic_time();
	if (size * n == 0)
		return 0;
	if (r->cancelled || r->refused)
		return 0;
	read_status(r);
	r->refused = r->ops->body(r->user, &r->head.response, bytes, size * n);
	return r->cancelled || r->refused ? 0 : size * n;
}

/* One timer watches both limits; bytes do not touch it, they only move on the
   moment at which it looks. */
static void watch(void *arg)
{
	struct net_request *r = arg;
	int64_t now_us = g_get_monotonic_time();
	int64_t stall_us = r->last_byte_us + r->stall_ms * 1000 - now_us;
	int64_t deadline_us = r->start_us + r->deadline_ms * 1000 - now_us;

	r->watch = NULL;
	if (stall_us > 0 && deadline_us > 0) {
		r->watch = net_timer_start(
			r->loop, (MIN(stall_us, deadline_us) + 999) / 1000,
			watch, r);
		return;
	}
	g_snprintf(r->error, sizeof(r->error),
		   deadline_us > 0 ? "No byte came for %" PRId64 " ms"
				   : "Not complete after %" PRId64 " ms",
		   deadline_us > 0 ? r->stall_ms : r->deadline_ms);
	finish(r, -ETIMEDOUT, r->error);
}

struct net_request *net_request_start(struct net_loop *l,
				      const struct net_request_spec *spec,
				      const struct net_request_ops *ops,
				      void *user)
{
	struct net_request *r = g_new0(struct net_request, 1);

	r->loop = l;
	r->link.data = r;
	r->ops = ops;
	r->user = user;
	r->deadline_ms = CLAMP(spec->deadline_ms, 1, INT32_MAX);
	r->stall_ms = spec->stall_ms > 0 ? MIN(spec->stall_ms, INT32_MAX)
					 : STALL_DEFAULT_MS;
	net_head_init(&r->head);
	net_request_setup(r, spec);
	move_to(r, &l->starting);
	return r;
}

void net_request_cancel(struct net_request *r)
{
	if (!r->loop->in_curl) {
		request_free(r);
		return;
	}
	/* curl stands in one of its handles, perhaps in this one. */
	r->cancelled = true;
	move_to(r, &r->loop->dropped);
}

static void admit(struct net_request *r)
{
	if (r->setup) {
		finish(r, net_errno(r->setup), curl_easy_strerror(r->setup));
		return;
	}
	r->start_us = g_get_monotonic_time();
	r->last_byte_us = r->start_us;
	move_to(r, &r->loop->running);
	if (curl_multi_add_handle(r->loop->multi, r->easy)) {
		finish(r, -ENOMEM, "curl does not take the request");
		return;
	}
	watch(r);
}

void net_requests_admit(struct net_loop *l)
{
	struct net_request *r;

	/* Those that a failure here starts wait for the next turn. */
	for (guint n = l->starting.length; n > 0 && (r = take(&l->starting));
	     n--)
		admit(r);
}

void net_requests_reap(struct net_loop *l)
{
	const CURLMsg *m;
	struct net_request *r;
	int left;

	while ((r = take(&l->dropped)))
		request_free(r);
	while ((m = curl_multi_info_read(l->multi, &left))) {
		CURLcode code = m->data.result;
		int rc = net_errno(code);

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
		if (r->refused)
			rc = r->refused;
		if (!r->error[0] && code)
			g_strlcpy(r->error, curl_easy_strerror(code),
				  sizeof(r->error));
		finish(r, rc, r->error);
	}
}

void net_requests_fail(struct net_loop *l, int rc, const char *text)
{
	struct net_request *r;

	while ((r = take(&l->starting)))
		finish(r, rc, text);
	while ((r = take(&l->running)))
		finish(r, rc, text);
}
