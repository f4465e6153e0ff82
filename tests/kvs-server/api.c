/* SPDX-License-Identifier: MIT */
/* What the five calls have in common: signature, JSON, stream, faults, quota.
 */
#include "tests/kvs-server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#define MAX_HEADERS 64

static const struct {
	const char *path;
	enum MHD_Result (*run)(struct request *r);
	bool data, needs_stream;
} calls[API_COUNT] = {
	[API_LIST_STREAMS] = {"/listStreams", api_list_streams, false, false},
	[API_DESCRIBE_STREAM] = {"/describeStream", api_describe_stream, false,
				 true},
	[API_GET_DATA_ENDPOINT] = {"/getDataEndpoint", api_get_data_endpoint,
				   false, true},
	[API_LIST_FRAGMENTS] = {"/listFragments", api_list_fragments, true,
				true},
	[API_GET_MEDIA] = {"/getMediaForFragmentList", api_get_media, true,
			   true},
};

json_object *request_member(const struct request *r, const char *name)
{
	json_object *v = NULL;

	json_object_object_get_ex(r->json, name, &v);
	return v;
}

const char *request_string(const struct request *r, const char *name)
{
	json_object *v = request_member(r, name);

	return json_object_is_type(v, json_type_string)
		       ? json_object_get_string(v)
		       : NULL;
}

static void make_request_id(struct request *r)
{
	uint8_t b[16];

	RAND_bytes(b, sizeof(b));
	snprintf(r->log.request_id, sizeof(r->log.request_id),
		 "%02x%02x%02x%02x-%02x%02x-4%01x%02x-a%01x%02x-"
		 "%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], b[8] & 15,
		 b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

struct headers {
	struct header list[MAX_HEADERS];
	size_t n;
};

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind,
				  const char *name, const char *value)
{
	struct headers *h = cls;

	if (h->n < MAX_HEADERS)
		h->list[h->n++] = (struct header){.name = name,
						  .value = value ? value : ""};
	return MHD_YES;
}

static bool authorize(struct request *r, enum MHD_Result *ret)
{
	struct headers h = {.n = 0};
	struct auth_error e;

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, add_header,
				  &h);
	struct signed_request s = {.method = r->method,
				   .path = r->path,
				   .query = r->query,
				   .headers = h.list,
				   .n_headers = h.n,
				   .body = r->body.p,
				   .body_bytes = r->body.n};

	if (auth_check(&r->server->auth, &s, wall_now_ms(&r->server->wall), &e))
		return true;
	*ret = reply_error(r, e.status, e.name, "%s", e.message);
	free(e.message);
	return false;
}

static bool parse_json(struct request *r)
{
	struct json_tokener *t = json_tokener_new();

	if (r->body.n)
		r->json = json_tokener_parse_ex(t, (const char *)r->body.p,
						(int)r->body.n);
	else
		r->json = json_object_new_object();
	json_tokener_free(t);
	return json_object_is_type(r->json, json_type_object);
}

static bool find_stream(struct request *r, enum MHD_Result *ret)
{
	const char *name = request_string(r, "StreamName");
	const char *arn = request_string(r, "StreamARN");

	if (!name == !arn) {
		*ret = reply_error(r, 400, "InvalidArgumentException",
				   "Either StreamARN or StreamName should be "
				   "specified.");
		return false;
	}
	r->stream = name ? server_stream(r->server, name)
			 : server_stream_arn(r->server, arn);
	if (!r->stream) {
		*ret = reply_error(r, 404, "ResourceNotFoundException",
				   "The requested stream is not found or not "
				   "active.");
		return false;
	}
	r->log.stream = xstrdup(r->stream->name);
	stats_begin(&r->server->stats, r->stream->counters, r->log.api);
	return true;
}

/* Faults that concern no call's own answer. */
static bool strike(struct request *r, enum MHD_Result *ret)
{
	struct server *s = r->server;
	const struct fault *f;

	faults_strike(&s->faults, r->log.api,
		      r->stream ? r->stream->name : NULL, &r->struck);
	int64_t ms = s->latency_ms;

	f = r->struck.by[FAULT_DELAY];
	if (f)
		ms += f->ms;
	if (ms && !request_wait(s, r->fd, ms * 1000)) {
		*ret = MHD_NO;
		return false;
	}
	if (r->struck.by[FAULT_HANGUP]) {
		snprintf(r->log.error, sizeof(r->log.error), "hangup");
		*ret = MHD_NO;
		return false;
	}
	f = r->struck.by[FAULT_ERROR];
	if (f) {
		*ret = reply_error(r, (int)f->status, f->name, "%s",
				   f->message ? f->message : f->name);
		return false;
	}
	f = r->struck.by[FAULT_THROTTLE];
	if (f) {
		bool connection = f->value && !strcmp(f->value, "connection");

		*ret = reply_error(r, 400,
				   connection
					   ? "ConnectionLimitExceededException"
					   : "ClientLimitExceededException",
				   "Rate exceeded");
		return false;
	}
	return true;
}

static bool begin(struct request *r, enum api api, enum MHD_Result *ret)
{
	size_t keep = r->body.n < 65536 ? r->body.n : 65536;
	auto_buf copy = {0};

	make_request_id(r);
	buf_put(&copy, r->body.p, keep);
	r->log.body = buf_steal(&copy);
	r->log.api = api;
	stats_begin(&r->server->stats, NULL, api);
	if (r->server->two_ports && calls[api].data != r->data_port) {
		*ret = reply_error(r, 403, "ForbiddenException", "Forbidden");
		return false;
	}
	if (r->too_long) {
		*ret = reply_error(r, 413, "RequestEntityTooLargeException",
				   "Request body is too large");
		return false;
	}
	if (!authorize(r, ret))
		return false;
	if (!parse_json(r)) {
		*ret = reply_error(r, 400, "SerializationException",
				   "Could not read the request");
		return false;
	}
	return true;
}

enum MHD_Result api_handle(struct request *r)
{
	enum MHD_Result rc = MHD_NO;
	enum api api = 0;

	while (api < API_COUNT && strcmp(calls[api].path, r->path))
		api++;
	if (api == API_COUNT || strcmp(r->method, "POST")) {
		make_request_id(r);
		return reply_error(r, 404, "UnknownOperationException",
				   "No such operation");
	}
	if (!begin(r, api, &rc))
		return rc;
	if (calls[api].needs_stream && !find_stream(r, &rc))
		return rc;
	if (!strike(r, &rc))
		return rc;
	return calls[api].run(r);
}
