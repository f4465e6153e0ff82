/* SPDX-License-Identifier: MIT */
#include "fs/aws/json.h"
#include "fs/kvs/internal.h"
#include "fs/kvs/parse.h"

#include <errno.h>

/* A GetDataEndpoint, on behalf of all who wait for its answer, or of one who
 * only wants to know. */
struct lookup {
	struct kvs_call call;
	struct kvs_endpoint *endpoint; /* or NULL */
	kvs_endpoint_fn fn;	       /* or NULL */
	void *user;
	struct aws_url *url;
};

static int on_answer(struct kvs_call *call, const char *bytes, size_t n,
		     const char **ret_bad)
{
	struct lookup *l = (struct lookup *)call;
	g_autofree char *text = NULL;
	int rc = kvs_parse_endpoint(bytes, n, &text, ret_bad);

	if (rc)
		return rc;
	/* What comes over TLS must not lead away from it, nor anything off
	   this machine without it; AWS's have no path. */
	if (aws_url_parse(text, &l->url) || *l->url->path ||
	    (!l->url->tls && (call->client->control->tls || !l->url->local))) {
		*ret_bad = "DataEndpoint";
		return -EPROTO;
	}
	return 0;
}

static void on_end(struct kvs_call *call, const struct kvs_error *e)
{
	struct lookup *l = (struct lookup *)call;
	struct kvs_endpoint *endpoint = l->endpoint;
	g_autofree char *text = NULL;
	GList *link;

	if (l->fn) {
		text = e->rc ? NULL : aws_url_join(l->url, "");
		l->fn(l->user, e, text);
		return;
	}
	endpoint->lookup = NULL;
	if (!e->rc) {
		endpoint->url = g_steal_pointer(&l->url);
		endpoint->found++;
	}
	while ((link = g_queue_pop_head_link(&endpoint->waiting))) {
		struct kvs_call *waiter = link->data;

		waiter->waits_for = NULL;
		kvs_call_resume(waiter, e->rc ? &call->failure : NULL);
	}
}

static void on_free(struct kvs_call *call)
{
	struct lookup *l = (struct lookup *)call;

	aws_url_free(l->url);
	g_free(l);
}

static const struct kvs_call_kind kind = {
	.path = "/getDataEndpoint",
	.answer = on_answer,
	.end = on_end,
	.free = on_free,
};

static struct kvs_call *start(struct lookup *l, struct kvs_client *c,
			      const char *arn, const char *api,
			      int64_t deadline_ms)
{
	struct json_object *body = json_object_new_object();

	json_object_object_add(body, "StreamARN", json_object_new_string(arn));
	json_object_object_add(body, "APIName", json_object_new_string(api));
	kvs_call_start(&l->call, c, &kind, NULL, aws_json_print(body),
		       deadline_ms);
	return &l->call;
}

static struct kvs_call *start_lookup(struct kvs_endpoint *e,
				     int64_t deadline_ms)
{
	struct lookup *l = g_new0(struct lookup, 1);

	l->endpoint = e;
	return start(l, e->client, e->arn, e->api, deadline_ms);
}

struct kvs_call *kvs_get_data_endpoint(struct kvs_client *c, const char *arn,
				       const char *api_name,
				       int64_t deadline_ms, kvs_endpoint_fn fn,
				       void *user)
{
	struct lookup *l = g_new0(struct lookup, 1);

	l->fn = fn;
	l->user = user;
	return start(l, c, arn, api_name, deadline_ms);
}

static struct kvs_endpoint *find(struct kvs_call *call)
{
	GHashTable *all = call->client->endpoints;
	char *key = g_strconcat(call->kind->api, " ", call->arn, NULL);
	struct kvs_endpoint *e = g_hash_table_lookup(all, key);

	if (e) {
		g_free(key);
		return e;
	}
	e = g_new0(struct kvs_endpoint, 1);
	e->client = call->client;
	e->api = call->kind->api;
	e->arn = g_strdup(call->arn);
	g_hash_table_insert(all, key, e);
	return e;
}

const struct aws_url *kvs_endpoint_get(struct kvs_call *call)
{
	const struct clock *clock = call->client->clock;
	struct kvs_endpoint *e = find(call);

	if (e->url) {
		call->endpoint_found = e->found;
		return e->url;
	}
	if (e->lookup)
		kvs_call_extend(e->lookup, call->deadline_ms);
	else
		e->lookup = start_lookup(e, call->deadline_ms -
						    clock_monotonic_ms(clock));
	call->waits_for = e;
	g_queue_push_tail_link(&e->waiting, &call->wait_link);
	return NULL;
}

void kvs_endpoint_leave(struct kvs_call *call)
{
	struct kvs_endpoint *e = call->waits_for;

	g_queue_unlink(&e->waiting, &call->wait_link);
	call->waits_for = NULL;
	if (e->waiting.length > 0)
		return;
	kvs_call_cancel(g_steal_pointer(&e->lookup));
}

void kvs_endpoint_drop(struct kvs_call *call)
{
	struct kvs_endpoint *e;

	if (call->client->data)
		return;
	e = find(call);
	/* Another call may have found a new one already. */
	if (!e->url || e->found != call->endpoint_found)
		return;
	aws_url_free(e->url);
	e->url = NULL;
}

void kvs_endpoint_free(struct kvs_endpoint *e)
{
	aws_url_free(e->url);
	g_free(e->arn);
	g_free(e);
}
