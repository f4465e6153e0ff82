/* SPDX-License-Identifier: MIT */
#include "fs/aws/json.h"
#include "fs/aws/post.h"
#include "fs/kvs/internal.h"

#include <errno.h>
#include <string.h>

#define SERVICE		"kinesisvideo"
#define CONTENT_TYPE	"application/json"
#define ERROR_MAX_BYTES 65536
/* A try that hangs must leave time for another one. */
#define STALL_MAX_MS 20000
#define STALL_MIN_MS 1000
/* The call's own timer ends it first, with the better sentence. */
#define DEADLINE_SPARE_MS 1000

static void see_head(struct kvs_call *call, const struct net_response *r)
{
	struct kvs_client *c = call->client;

	if (call->clock_seen || r->server_date_ms < 0)
		return;
	call->clock_seen = true;
	kvs_client_learn_clock(c, call->sent_ms, clock_realtime_ms(c->clock),
			       r->server_date_ms);
}

static int keep(struct kvs_call *call, const void *bytes, size_t n, bool ok)
{
	size_t room = (ok ? AWS_JSON_MAX_BYTES : ERROR_MAX_BYTES) -
		      call->answer->len;

	if (n > room && ok) {
		call->too_large = true;
		return -EPROTO;
	}
	/* Of an error the beginning is enough. */
	g_byte_array_append(call->answer, bytes, (guint)MIN(n, room));
	return 0;
}

static int pass_on(struct kvs_call *call, const void *bytes, size_t n)
{
	struct kvs_client *c = call->client;
	int rc;

	c->in_body = call;
	rc = call->kind->body(call, bytes, n);
	/* The user may have cancelled the call, which is gone then. */
	if (c->in_body == call)
		call->body_rc = rc;
	c->in_body = NULL;
	return rc;
}

static int on_body(void *user, const struct net_response *r, const void *bytes,
		   size_t n)
{
	struct kvs_call *call = user;
	bool ok = r->http_status == 200;

	kvs_client_hears(call->client);
	see_head(call, r);
	if (ok && call->kind->body)
		return pass_on(call, bytes, n);
	return keep(call, bytes, n, ok);
}

static void fail_answer(struct kvs_call *call, const char *bad)
{
	g_autofree char *text = NULL;

	text = call->too_large
		       ? g_strdup_printf("The answer to %s is larger than %d "
					 "bytes",
					 call->kind->path, AWS_JSON_MAX_BYTES)
		       : g_strdup_printf("The answer to %s holds no usable %s",
					 call->kind->path, bad);
	g_free(call->failure.message);
	call->failure.message = g_steal_pointer(&text);
	call->failure.rc = -EPROTO;
	call->failure.retry = false;
	kvs_call_tried(call);
}

static void take_answer(struct kvs_call *call, const struct net_response *r)
{
	const char *bytes = (const char *)call->answer->data;
	const char *bad = "JSON";
	int rc = 0;

	if (call->kind->answer)
		rc = call->kind->answer(call, bytes ? bytes : "",
					call->answer->len, &bad);
	if (rc == 0) {
		kvs_failure_none(&call->failure, r);
		kvs_call_succeed(call);
	} else if (rc == KVS_MORE) {
		call->attempt = 0;
		call->mended = 0;
		kvs_failure_clear(&call->failure);
		kvs_call_resume(call, NULL);
	} else {
		kvs_failure_from_net(&call->failure, r, rc, NULL);
		fail_answer(call, bad);
	}
}

static void on_done(void *user, int rc, const struct net_response *r,
		    const char *text)
{
	struct kvs_call *call = user;

	call->request = NULL;
	call->client->requests--;
	if (r->http_status)
		kvs_client_hears(call->client);
	else
		call->client->unreachable = true;
	see_head(call, r);
	if (rc == 0 && r->http_status == 200) {
		take_answer(call, r);
		return;
	}
	if (rc == 0) {
		kvs_failure_from_answer(
			&call->failure, r,
			call->answer->data ? (const char *)call->answer->data
					   : "",
			call->answer->len);
		kvs_call_tried(call);
		return;
	}
	kvs_failure_from_net(&call->failure, r, rc, text);
	if (call->too_large) {
		fail_answer(call, NULL);
		return;
	}
	if (call->body_rc) {
		/* The user's own errno, whatever it would mean to a network. */
		call->failure.rc = call->body_rc;
		call->failure.retry = false;
	}
	kvs_call_tried(call);
}

static const struct net_request_ops ops = {on_body, on_done};

/* NULL: it cannot be signed. */
static GPtrArray *sign(struct kvs_call *call, const struct aws_url *url,
		       const struct aws_credentials *credentials)
{
	const struct kvs_client *c = call->client;
	const struct aws_post post = {
		.url = url,
		.path = call->kind->path,
		.content_type = CONTENT_TYPE,
		.body = call->request_body,
		.body_bytes = strlen(call->request_body),
		.region = c->settings->region,
		.service = SERVICE,
		.now_ms = kvs_now_ms(c),
	};

	call->signed_offset_ms = c->clock_offset_ms;
	return aws_post_headers(&post, credentials);
}

static void start(struct kvs_call *call, const struct aws_url *url,
		  const GPtrArray *lines)
{
	struct kvs_client *c = call->client;
	g_autofree char *whole = aws_url_join(url, call->kind->path);
	int64_t left_ms = MAX(1,
			      call->deadline_ms - clock_monotonic_ms(c->clock));
	const struct net_request_spec spec = {
		.method = "POST",
		.url = whole,
		.headers = (const char *const *)lines->pdata,
		.body = call->request_body,
		.body_bytes = strlen(call->request_body),
		.deadline_ms = left_ms + DEADLINE_SPARE_MS,
		.stall_ms = CLAMP(left_ms / 3, STALL_MIN_MS, STALL_MAX_MS),
	};

	call->sent_ms = clock_realtime_ms(c->clock);
	kvs_client_asks(c);
	call->request = net_request_start(c->loop, &spec, &ops, call);
}

void kvs_call_send(struct kvs_call *call, const struct aws_url *url)
{
	const struct aws_credentials *credentials;
	g_autoptr(GPtrArray) lines = NULL;

	if (!call->answer)
		call->answer = g_byte_array_new();
	g_byte_array_set_size(call->answer, 0);
	call->clock_seen = false;
	call->body_rc = 0;
	credentials = kvs_keys_get(call);
	if (!credentials)
		return;
	lines = sign(call, url, credentials);
	if (!lines) {
		kvs_failure_set(&call->failure, -EIO,
				"The request cannot be signed");
		kvs_call_tried(call);
		return;
	}
	start(call, url, lines);
}
