/* SPDX-License-Identifier: MIT */
/* ListStreams, DescribeStream, GetDataEndpoint. */
#include "tests/kvs-server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/spoil.h"

#define LIST_STREAMS_DEFAULT 10	  /* as measured, whatever the page says */
#define LIST_STREAMS_MAX     1000 /* what MaxResults=10000 gives */

enum MHD_Result reply_throttled(struct request *r)
{
	return reply_error(r, 400, "ClientLimitExceededException",
			   "Rate exceeded");
}

static void stream_info(struct buf *b, const struct request *r,
			const struct stream *s)
{
	const struct fault *f = r->struck.by[FAULT_BAD_NAME];
	char created[40];

	time_json(s->created_ms, created);
	buf_str(b, "{\"DeviceName\":null,\"StreamName\":");
	buf_json(b, f && f->value ? f->value : f ? ".." : s->name);
	buf_str(b, ",\"StreamARN\":");
	buf_json(b, s->arn);
	buf_str(b, ",\"MediaType\":");
	buf_json(b, s->media_type);
	buf_printf(b,
		   ",\"KmsKeyId\":\"arn:aws:kms:%s:" ACCOUNT
		   ":alias/aws/kinesisvideo\",\"Version\":\"%08" PRIx64 "\","
		   "\"Status\":\"%s\",\"CreationTime\":%s,"
		   "\"DataRetentionInHours\":%" PRId64 "}",
		   r->server->region, s->seed & 0xffffffff, s->status, created,
		   (int64_t)s->retention_ms / 3600000);
}

static bool matches(const struct stream *s, const char *prefix)
{
	return !s->deleted &&
	       (!prefix || !strncmp(s->name, prefix, strlen(prefix)));
}

/* The page from the stream at index first; the index after it. */
static size_t list_page(struct buf *b, const struct request *r,
			const char *prefix, size_t first, int64_t max)
{
	const struct server *s = r->server;
	int64_t n = 0;

	for (; first < s->n_streams && n < max; first++) {
		if (!matches(s->streams[first], prefix))
			continue;
		if (n++)
			buf_str(b, ",");
		stream_info(b, r, s->streams[first]);
	}
	while (first < s->n_streams && !matches(s->streams[first], prefix))
		first++;
	return first;
}

enum MHD_Result api_list_streams(struct request *r)
{
	json_object *condition = request_member(r, "StreamNameCondition");
	json_object *max_json = request_member(r, "MaxResults");
	const char *token = request_string(r, "NextToken");
	int64_t max = max_json ? json_object_get_int64(max_json)
			       : LIST_STREAMS_DEFAULT;
	const char *prefix = NULL;
	json_object *v;
	size_t first = 0;
	struct buf b = {0};

	if (!quota_take(&r->server->account, &r->server->account.streams,
			server_limits(r->server).list_streams, 1))
		return reply_throttled(r);
	if (max < 1 || max > 10000)
		return reply_error(r, 400, "InvalidArgumentException",
				   "MaxResults must be between 1 and 10000.");
	if (condition) {
		if (json_object_object_get_ex(condition, "ComparisonValue", &v))
			prefix = json_object_get_string(v);
		if (!json_object_object_get_ex(condition, "ComparisonOperator",
					       &v) ||
		    strcmp(json_object_get_string(v), "BEGINS_WITH") || !prefix)
			return reply_error(r, 400, "InvalidArgumentException",
					   "Invalid StreamNameCondition.");
	}
	if (token) {
		auto_char *text = token_read(token);

		if (!text || sscanf(text, "s|%zu", &first) != 1)
			return reply_error(r, 400, "InvalidArgumentException",
					   "Invalid NextToken.");
	}
	if (max > LIST_STREAMS_MAX)
		max = LIST_STREAMS_MAX;
	buf_str(&b, "{\"StreamInfoList\":[");
	first = list_page(&b, r, prefix, first, max);
	buf_str(&b, "],\"NextToken\":");
	if (first < r->server->n_streams) {
		auto_char *text = xprintf("s|%zu", first);
		auto_char *next = token_make(text);

		buf_json(&b, next);
	} else {
		buf_str(&b, "null");
	}
	buf_str(&b, "}");
	return reply_spoilt(r, &b);
}

enum MHD_Result api_describe_stream(struct request *r)
{
	struct stream *s = r->stream;
	struct buf b = {0};

	if (!quota_take(&s->quota, &s->quota.describe,
			server_limits(r->server).calls, 1))
		return reply_throttled(r);
	buf_str(&b, "{\"StreamInfo\":");
	stream_info(&b, r, s);
	buf_str(&b, "}");
	return reply_spoilt(r, &b);
}

enum MHD_Result api_get_data_endpoint(struct request *r)
{
	static const char *const names[] = {"PUT_MEDIA",
					    "GET_MEDIA",
					    "LIST_FRAGMENTS",
					    "GET_MEDIA_FOR_FRAGMENT_LIST",
					    "GET_HLS_STREAMING_SESSION_URL",
					    "GET_DASH_STREAMING_SESSION_URL",
					    "GET_CLIP",
					    "GET_IMAGES"};
	const char *name = request_string(r, "APIName");
	const struct fault *f = r->struck.by[FAULT_ENDPOINT];
	struct stream *s = r->stream;
	struct buf b = {0};
	bool known = false;

	if (!quota_take(&s->quota, &s->quota.endpoint,
			server_limits(r->server).calls, 1))
		return reply_throttled(r);
	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		known |= !strcmp(names[i], name);
	if (!known)
		return reply_error(r, 400, "InvalidArgumentException",
				   "Invalid APIName.");
	auto_char *own = xprintf("http://%s:%u", r->server->bind,
				 r->server->two_ports ? r->server->data_port
						      : r->server->port);

	buf_str(&b, "{\"DataEndpoint\":");
	buf_json(&b, f && f->value ? f->value : own);
	buf_str(&b, "}");
	return reply_spoilt(r, &b);
}
