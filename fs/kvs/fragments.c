/* SPDX-License-Identifier: MIT */
#include "fs/aws/json.h"
#include "fs/base/utc.h"
#include "fs/kvs/internal.h"
#include "fs/kvs/parse.h"

struct page_call {
	struct kvs_call call;
	GArray *fragments; /* struct kvs_fragment */
	char *token;
	kvs_page_fn fn;
	void *user;
};

static int on_answer(struct kvs_call *call, const char *bytes, size_t n,
		     const char **ret_bad)
{
	struct page_call *p = (struct page_call *)call;

	return kvs_parse_fragments(bytes, n, p->fragments, &p->token, ret_bad);
}

static void on_end(struct kvs_call *call, const struct kvs_error *e)
{
	struct page_call *p = (struct page_call *)call;

	p->fn(p->user, e, (const void *)p->fragments->data, p->fragments->len,
	      p->token);
}

static void on_free(struct kvs_call *call)
{
	struct page_call *p = (struct page_call *)call;

	g_array_unref(p->fragments);
	g_free(p->token);
	g_free(p);
}

static const struct kvs_call_kind kind = {
	.path = "/listFragments",
	.api = "LIST_FRAGMENTS",
	.tells_throttles = true,
	.answer = on_answer,
	.end = on_end,
	.free = on_free,
};

static struct json_object *seconds(int64_t t_ms)
{
	return json_object_new_int64(utc_floor(t_ms, 1000) / 1000);
}

/* Whole seconds, outwards: the caller filters what is too much. */
static struct json_object *selector(const struct kvs_list_query *q)
{
	struct json_object *o = json_object_new_object();
	struct json_object *range = json_object_new_object();

	json_object_object_add(range, "StartTimestamp", seconds(q->start_ms));
	json_object_object_add(range, "EndTimestamp", seconds(q->end_ms + 999));
	json_object_object_add(
		o, "FragmentSelectorType",
		json_object_new_string(q->axis == KVS_PRODUCER_TIME
					       ? "PRODUCER_TIMESTAMP"
					       : "SERVER_TIMESTAMP"));
	json_object_object_add(o, "TimestampRange", range);
	return o;
}

struct kvs_call *kvs_list_fragments(struct kvs_client *c,
				    const struct kvs_list_query *q,
				    int64_t deadline_ms, kvs_page_fn fn,
				    void *user)
{
	struct page_call *p = g_new0(struct page_call, 1);
	struct json_object *o = json_object_new_object();

	p->fragments = g_array_new(FALSE, FALSE, sizeof(struct kvs_fragment));
	p->fn = fn;
	p->user = user;
	json_object_object_add(o, "StreamARN", json_object_new_string(q->arn));
	json_object_object_add(
		o, "MaxResults",
		json_object_new_int(CLAMP(q->max_results, 1, KVS_LIST_MAX)));
	/* With every page: the token alone is enough for the service, but its
	   own monitoring sends both, so both is what is known to work. */
	json_object_object_add(o, "FragmentSelector", selector(q));
	if (q->next_token)
		json_object_object_add(o, "NextToken",
				       json_object_new_string(q->next_token));
	kvs_call_start(&p->call, c, &kind, q->arn, aws_json_print(o),
		       deadline_ms);
	return &p->call;
}
