/* SPDX-License-Identifier: MIT */
/*
 * keys: calls wait here for credentials to be signed with.
 */
#include <errno.h>

#include "fs/kvs/internal.h"

static void failed(struct kvs_client *c, struct kvs_failure *f, int rc,
		   const char *why)
{
	kvs_failure_set(f, rc, why);
	f->unsigned_ = true;
	f->retry = rc == -ETIMEDOUT;
	/* Who waits for a service that hands out keys is as far from the API as
	   if that were out of reach; nobody waits while the old ones are good.
	 */
	if (rc == -ETIMEDOUT && c->unsigned_calls.length > 0)
		c->unreachable = true;
}

static void settled(void *user, int rc, const char *why)
{
	struct kvs_client *c = user;
	struct kvs_failure f = {0};
	GList *link;

	if (rc)
		failed(c, &f, rc, why);
	while ((link = g_queue_pop_head_link(&c->unsigned_calls))) {
		struct kvs_call *call = link->data;

		call->waits_for_keys = false;
		c->requests--;
		if (rc)
			kvs_call_resume_tried(call, &f);
		else
			kvs_call_resume(call, NULL);
	}
	kvs_failure_clear(&f);
}

int kvs_keys_init(struct kvs_client *c)
{
	const struct creds_keeper_options o = {
		.loop = c->loop,
		.settings = c->settings,
		.clock = c->clock,
		.settled = settled,
		.user = c,
	};

	g_queue_init(&c->unsigned_calls);
	return creds_keeper_new(&o, &c->keeper);
}

const struct aws_credentials *kvs_keys_get(struct kvs_call *call)
{
	struct kvs_client *c = call->client;
	const struct aws_credentials *keys =
		creds_keeper_get(c->keeper, &call->credentials_serial);

	if (keys)
		return keys;
	/* Until somebody answers, nobody does: kvs_silent_ms(). */
	kvs_client_asks(c);
	call->waits_for_keys = true;
	g_queue_push_tail_link(&c->unsigned_calls, &call->wait_link);
	return NULL;
}

void kvs_keys_leave(struct kvs_call *call)
{
	g_queue_unlink(&call->client->unsigned_calls, &call->wait_link);
	call->waits_for_keys = false;
	call->client->requests--;
}

/* ---- the call that asks for nothing else -------------------------------- */

struct keys_call {
	struct kvs_call call;
	kvs_credentials_fn fn;
	void *user;
};

static void on_end(struct kvs_call *call, const struct kvs_error *e)
{
	struct keys_call *k = (struct keys_call *)call;
	unsigned unused;

	k->fn(k->user, e,
	      e->rc ? NULL : creds_keeper_get(call->client->keeper, &unused));
}

static void on_free(struct kvs_call *call)
{
	g_free(call);
}

static const struct kvs_call_kind kind = {
	.path = "",
	.keys_only = true,
	.one_try = true,
	.end = on_end,
	.free = on_free,
};

struct kvs_call *kvs_get_credentials(struct kvs_client *c, int64_t deadline_ms,
				     kvs_credentials_fn fn, void *user)
{
	struct keys_call *k = g_new0(struct keys_call, 1);

	k->fn = fn;
	k->user = user;
	kvs_call_start(&k->call, c, &kind, NULL, g_strdup(""), deadline_ms);
	return &k->call;
}
