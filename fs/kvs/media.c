/* SPDX-License-Identifier: MIT */
#include "fs/aws/json.h"
#include "fs/kvs/internal.h"

struct media_call {
	struct kvs_call call;
	struct kvs_media_ops ops;
	void *user;
};

static int on_body(struct kvs_call *call, const void *bytes, size_t n)
{
	const struct media_call *m = (struct media_call *)call;

	return m->ops.body(m->user, bytes, n);
}

static void on_end(struct kvs_call *call, const struct kvs_error *e)
{
	const struct media_call *m = (struct media_call *)call;

	m->ops.done(m->user, e);
}

static void on_free(struct kvs_call *call)
{
	g_free(call);
}

static const struct kvs_call_kind kind = {
	.path = "/getMediaForFragmentList",
	.api = "GET_MEDIA_FOR_FRAGMENT_LIST",
	.one_try = true,
	.body = on_body,
	.end = on_end,
	.free = on_free,
};

struct kvs_call *kvs_get_media(struct kvs_client *c, const char *arn,
			       const char *const *numbers, size_t n,
			       int64_t deadline_ms,
			       const struct kvs_media_ops *ops, void *user)
{
	struct media_call *m = g_new0(struct media_call, 1);
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	m->ops = *ops;
	m->user = user;
	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_string(numbers[i]));
	json_object_object_add(o, "StreamARN", json_object_new_string(arn));
	json_object_object_add(o, "Fragments", list);
	kvs_call_start(&m->call, c, &kind, arn, aws_json_print(o), deadline_ms);
	return &m->call;
}
