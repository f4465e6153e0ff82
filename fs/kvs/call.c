/* SPDX-License-Identifier: MIT */
#include "fs/kvs/internal.h"
#include "fs/net/retry.h"

#include <errno.h>
#include <inttypes.h>

static int64_t left_ms(const struct kvs_call *call)
{
	return call->deadline_ms - clock_monotonic_ms(call->client->clock);
}

/* Nothing of it is under way any more. */
static void stop_try(struct kvs_call *call)
{
	if (call->waits_for)
		kvs_endpoint_leave(call);
	if (call->waits_for_keys)
		kvs_keys_leave(call);
	if (call->timer)
		net_timer_cancel(call->timer);
	if (call->request) {
		net_request_cancel(call->request);
		call->client->requests--;
	}
	call->timer = NULL;
	call->request = NULL;
}

static void detach(struct kvs_call *call)
{
	stop_try(call);
	if (call->deadline)
		net_timer_cancel(call->deadline);
	call->deadline = NULL;
	g_queue_unlink(&call->client->calls, &call->link);
}

static void destroy(struct kvs_call *call)
{
	kvs_failure_clear(&call->failure);
	if (call->answer)
		g_byte_array_unref(call->answer);
	g_free(call->request_body);
	g_free(call->arn);
	call->kind->free(call);
}

static void end(struct kvs_call *call, const struct kvs_failure *f)
{
	struct kvs_error e = kvs_failure_view(f);

	detach(call);
	call->kind->end(call, &e);
	destroy(call);
}

void kvs_call_succeed(struct kvs_call *call)
{
	end(call, &call->failure);
}

void kvs_call_cancel(struct kvs_call *call)
{
	if (call->client->in_body == call)
		call->client->in_body = NULL;
	detach(call);
	destroy(call);
}

/* The last failure keeps its name: it says what it was that took so long. */
static void time_out(struct kvs_call *call)
{
	struct kvs_failure *f = &call->failure;

	if (call->waits_for && call->waits_for->lookup->failure.message)
		kvs_failure_copy(f, &call->waits_for->lookup->failure);
	if (!f->message)
		kvs_failure_set(f, 0,
				call->waits_for_keys
					? "No credentials came before the "
					  "deadline"
					: "No answer came before the deadline");
	f->rc = -ETIMEDOUT;
	end(call, f);
}

static void on_deadline(void *arg)
{
	struct kvs_call *call = arg;

	call->deadline = NULL;
	time_out(call);
}

static void step(void *arg)
{
	struct kvs_call *call = arg;
	const struct kvs_client *c = call->client;
	const struct aws_url *url = c->control;

	call->timer = NULL;
	if (call->kind->keys_only) {
		if (kvs_keys_get(call))
			kvs_call_succeed(call);
		return;
	}
	if (call->kind->api)
		url = c->data ? c->data : kvs_endpoint_get(call);
	if (url)
		kvs_call_send(call, url);
}

static void fail_later(void *arg)
{
	struct kvs_call *call = arg;

	call->timer = NULL;
	end(call, &call->failure);
}

static void schedule(struct kvs_call *call, int64_t delay_ms,
		     void (*fn)(void *arg))
{
	call->timer = net_timer_start(call->client->loop, delay_ms, fn, call);
}

void kvs_call_start(struct kvs_call *call, struct kvs_client *c,
		    const struct kvs_call_kind *kind, const char *arn,
		    char *request_body, int64_t deadline_ms)
{
	call->client = c;
	call->link.data = call;
	call->wait_link.data = call;
	call->kind = kind;
	call->arn = g_strdup(arn);
	call->request_body = request_body;
	call->deadline_ms = clock_monotonic_ms(c->clock) + deadline_ms;
	call->deadline = net_timer_start(c->loop, deadline_ms, on_deadline,
					 call);
	g_queue_push_tail_link(&c->calls, &call->link);
	/* In the loop's next step, so that nothing ends inside its start. */
	schedule(call, 0, step);
}

void kvs_call_set_body(struct kvs_call *call, char *body)
{
	g_free(call->request_body);
	call->request_body = body;
}

void kvs_call_extend(struct kvs_call *call, int64_t deadline_ms)
{
	if (deadline_ms <= call->deadline_ms)
		return;
	call->deadline_ms = deadline_ms;
	net_timer_cancel(call->deadline);
	call->deadline = net_timer_start(call->client->loop, left_ms(call),
					 on_deadline, call);
}

void kvs_call_resume(struct kvs_call *call, const struct kvs_failure *f)
{
	if (f)
		kvs_failure_copy(&call->failure, f);
	/* By timer: whoever calls this goes through a list, which no user's
	   callback may change meanwhile. */
	schedule(call, 0, f ? fail_later : step);
}

static void tried_later(void *arg)
{
	struct kvs_call *call = arg;

	call->timer = NULL;
	kvs_call_tried(call);
}

void kvs_call_resume_tried(struct kvs_call *call, const struct kvs_failure *f)
{
	kvs_failure_copy(&call->failure, f);
	schedule(call, 0, tried_later);
}

/* Whether there is something to mend that has not been tried yet. */
static bool mend(struct kvs_call *call)
{
	enum kvs_mend what = call->failure.mend;
	unsigned bit = 1U << what;

	if (what == KVS_MEND_NONE || (call->mended & bit))
		return false;
	switch (what) {
	case KVS_MEND_ENDPOINT:
		if (!call->kind->api || call->client->data)
			return false;
		kvs_endpoint_drop(call);
		break;
	case KVS_MEND_CREDENTIALS:
		creds_keeper_drop(call->client->keeper,
				  call->credentials_serial);
		break;
	case KVS_MEND_CLOCK:
		/* The clock was learnt when the answer's head came. */
		if (call->client->clock_offset_ms == call->signed_offset_ms)
			return false;
		kvs_client_tell_skew(call->client);
		break;
	case KVS_MEND_NONE:
		break;
	}
	call->mended |= bit;
	return true;
}

/* AWS_MAX_ATTEMPTS; what was mended on the way does not count. */
static bool is_last_try(const struct kvs_call *call)
{
	int max = call->client->settings->max_attempts;

	return max > 0 && call->attempt + 1 >= (unsigned)max;
}

void kvs_call_tried(struct kvs_call *call)
{
	struct kvs_failure *f = &call->failure;
	int64_t delay_ms;

	/* Nobody there at all: perhaps the endpoint has moved. */
	if (f->retry && !f->http_status && !f->unsigned_ && call->kind->api)
		kvs_endpoint_drop(call);
	if (mend(call)) {
		schedule(call, 0, step);
		return;
	}
	if (!f->retry || call->kind->one_try ||
	    (f->rc == -EBUSY && call->kind->tells_throttles)) {
		end(call, f);
		return;
	}
	if (is_last_try(call)) {
		end(call, f);
		return;
	}
	delay_ms = retry_delay_ms(call->attempt++, call->client->random());
	if (delay_ms < left_ms(call))
		schedule(call, delay_ms, step);
	else
		time_out(call);
}

void kvs_calls_end(struct kvs_client *c)
{
	while (c->calls.head) {
		struct kvs_call *call = c->calls.head->data;

		kvs_failure_set(&call->failure, -ECANCELED,
				"The network loop ended");
		end(call, &call->failure);
	}
}
