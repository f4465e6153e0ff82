/* SPDX-License-Identifier: MIT */
#include "fs/aws/json.h"
#include "fs/kvs/internal.h"
#include "fs/kvs/parse.h"

#include <errno.h>

/*
 * The model allows 10,000; the service gives at most 1000 at a time, and 10
 * when it is not told.
 */
#define PAGE_MAX 1000
/* A hundred times what an account can ask for: an answer without an end. */
#define STREAMS_MAX 1000000

struct streams_call {
	struct kvs_call call;
	GPtrArray *streams;
	char *prefix, *token;
	kvs_streams_fn fn;
	void *user;
};

void kvs_stream_info_free(struct kvs_stream_info *s)
{
	if (!s)
		return;
	g_free(s->name);
	g_free(s->arn);
	g_free(s->status);
	g_free(s->kms_key);
	g_free(s);
}

static void info_free(void *s)
{
	kvs_stream_info_free(s);
}

static char *list_body(const struct streams_call *s)
{
	struct json_object *o = json_object_new_object(), *condition;

	json_object_object_add(o, "MaxResults", json_object_new_int(PAGE_MAX));
	if (s->token)
		json_object_object_add(o, "NextToken",
				       json_object_new_string(s->token));
	if (s->prefix) {
		condition = json_object_new_object();
		json_object_object_add(condition, "ComparisonOperator",
				       json_object_new_string("BEGINS_WITH"));
		json_object_object_add(condition, "ComparisonValue",
				       json_object_new_string(s->prefix));
		json_object_object_add(o, "StreamNameCondition", condition);
	}
	return aws_json_print(o);
}

static int on_list(struct kvs_call *call, const char *bytes, size_t n,
		   const char **ret_bad)
{
	struct streams_call *s = (struct streams_call *)call;
	g_autofree char *token = NULL;
	int rc = kvs_parse_streams(bytes, n, s->streams, &token, ret_bad);

	if (rc || !token)
		return rc;
	/* The same page again and again. */
	if (!g_strcmp0(token, s->token) || s->streams->len > STREAMS_MAX) {
		*ret_bad = "NextToken";
		return -EPROTO;
	}
	g_free(s->token);
	s->token = g_steal_pointer(&token);
	kvs_call_set_body(call, list_body(s));
	return KVS_MORE;
}

static int on_describe(struct kvs_call *call, const char *bytes, size_t n,
		       const char **ret_bad)
{
	struct streams_call *s = (struct streams_call *)call;

	return kvs_parse_stream(bytes, n, s->streams, ret_bad);
}

static void on_end(struct kvs_call *call, const struct kvs_error *e)
{
	struct streams_call *s = (struct streams_call *)call;

	if (e->rc)
		g_ptr_array_set_size(s->streams, 0);
	s->fn(s->user, e, s->streams);
}

static void on_free(struct kvs_call *call)
{
	struct streams_call *s = (struct streams_call *)call;

	g_ptr_array_unref(s->streams);
	g_free(s->prefix);
	g_free(s->token);
	g_free(s);
}

static const struct kvs_call_kind list_kind = {
	.path = "/listStreams",
	.answer = on_list,
	.end = on_end,
	.free = on_free,
};

static const struct kvs_call_kind describe_kind = {
	.path = "/describeStream",
	.answer = on_describe,
	.end = on_end,
	.free = on_free,
};

static struct streams_call *new_call(kvs_streams_fn fn, void *user)
{
	struct streams_call *s = g_new0(struct streams_call, 1);

	s->streams = g_ptr_array_new_with_free_func(info_free);
	s->fn = fn;
	s->user = user;
	return s;
}

struct kvs_call *kvs_list_streams(struct kvs_client *c, const char *prefix,
				  int64_t deadline_ms, kvs_streams_fn fn,
				  void *user)
{
	struct streams_call *s = new_call(fn, user);

	/* The service refuses an empty value. */
	s->prefix = prefix && *prefix ? g_strdup(prefix) : NULL;
	kvs_call_start(&s->call, c, &list_kind, NULL, list_body(s),
		       deadline_ms);
	return &s->call;
}

struct kvs_call *kvs_describe_stream(struct kvs_client *c,
				     const char *name_or_arn,
				     int64_t deadline_ms, kvs_streams_fn fn,
				     void *user)
{
	struct streams_call *s = new_call(fn, user);
	struct json_object *o = json_object_new_object();
	bool arn = g_str_has_prefix(name_or_arn, "arn:");

	json_object_object_add(o, arn ? "StreamARN" : "StreamName",
			       json_object_new_string(name_or_arn));
	kvs_call_start(&s->call, c, &describe_kind, NULL, aws_json_print(o),
		       deadline_ms);
	return &s->call;
}
