/* SPDX-License-Identifier: MIT */
/* The calls under /_control/: unsigned, for tests.  README.md lists them. */
#include "tests/kvs-server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/control_fragments.h"

static const char *arg(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND,
					   name);
}

const char *control_arg(const struct request *r, const char *name)
{
	return arg(r, name);
}

enum MHD_Result control_fail(struct request *r, const char *why)
{
	struct buf b = {0};

	buf_str(&b, "{\"error\":");
	buf_json(&b, why);
	buf_str(&b, "}");
	return reply_json(r, 400, &b);
}

enum MHD_Result control_ok(struct request *r)
{
	struct buf b = {0};

	buf_str(&b, "{}");
	return reply_json(r, 200, &b);
}

static enum MHD_Result get_stats(struct request *r)
{
	struct server *s = r->server;
	struct buf b = {0};

	pthread_mutex_lock(&s->stats.lock);
	buf_printf(&b,
		   "{\"now_ms\":%" PRId64 ",\"apis\":", wall_now_ms(&s->wall));
	stats_json(&b, s->stats.api);
	buf_str(&b, ",\"streams\":{");
	for (size_t i = 0; i < s->n_streams; i++) {
		if (i)
			buf_str(&b, ",");
		buf_json(&b, s->streams[i]->name);
		buf_str(&b, ":");
		stats_json(&b, s->streams[i]->counters);
	}
	buf_str(&b, "}}");
	pthread_mutex_unlock(&s->stats.lock);
	return reply_json(r, 200, &b);
}

static enum MHD_Result reset(struct request *r)
{
	struct server *s = r->server;

	stats_reset(&s->stats, NULL, 0);
	for (size_t i = 0; i < s->n_streams; i++)
		stats_reset(&s->stats, s->streams[i]->counters, API_COUNT);
	return control_ok(r);
}

static enum MHD_Result get_requests(struct request *r)
{
	const char *last = arg(r, "last"), *api = arg(r, "api");
	enum api which = api ? api_by_name(api) : API_COUNT;
	struct buf b = {0};

	if (api && which == API_COUNT)
		return control_fail(r, "no such api");
	stats_log_json(&r->server->stats, &b,
		       last ? strtoull(last, NULL, 10) : STATS_LOG, which,
		       arg(r, "stream"));
	return reply_json(r, 200, &b);
}

static enum MHD_Result get_faults(struct request *r)
{
	struct buf b = {0};

	faults_json(&r->server->faults, &b);
	return reply_json(r, 200, &b);
}

static enum MHD_Result post_faults(struct request *r)
{
	auto_char *why = NULL;
	struct buf b = {0};
	uint64_t id;

	if (faults_add(&r->server->faults, r->json, &id, &why))
		return control_fail(r, why);
	buf_printf(&b, "{\"id\":%" PRIu64 "}", id);
	return reply_json(r, 200, &b);
}

static enum MHD_Result clear_faults(struct request *r)
{
	json_object *id = request_member(r, "id");

	faults_clear(&r->server->faults,
		     id ? (uint64_t)json_object_get_int64(id) : 0);
	return control_ok(r);
}

static enum MHD_Result release(struct request *r)
{
	faults_release(&r->server->faults);
	return control_ok(r);
}

static enum MHD_Result post_latency(struct request *r)
{
	json_object *ms = request_member(r, "ms");

	if (!json_object_is_type(ms, json_type_int))
		return control_fail(r, "needs ms");
	r->server->latency_ms = json_object_get_int64(ms);
	return control_ok(r);
}

static enum MHD_Result get_clock(struct request *r)
{
	int64_t now_ms = wall_now_ms(&r->server->wall);
	struct buf b = {0};
	char iso[40];

	time_iso(now_ms, iso);
	buf_printf(&b, "{\"now_ms\":%" PRId64 ",\"now\":\"%s\"}", now_ms, iso);
	return reply_json(r, 200, &b);
}

/* now, then advance_ms, then freeze, whatever their order in the call. */
static enum MHD_Result post_clock(struct request *r)
{
	struct wall *w = &r->server->wall;
	json_object *now = request_member(r, "now");
	json_object *advance = request_member(r, "advance_ms");
	json_object *freeze = request_member(r, "freeze");

	if (now) {
		struct wall real;
		int64_t ms;

		/* Spans are from the machine's clock: "-10m" is a skew. */
		wall_init(&real);
		if (!time_parse(json_object_get_string(now), wall_now_ms(&real),
				&ms))
			return control_fail(r, "now is not a time");
		wall_set_ms(w, ms);
	}
	if (advance)
		wall_advance(w, json_object_get_int64(advance));
	if (freeze)
		wall_freeze(w, json_object_get_boolean(freeze));
	return get_clock(r);
}

static enum MHD_Result get_quotas(struct request *r)
{
	struct quota_limits l = server_limits(r->server);
	struct buf b = {0};

	buf_printf(&b,
		   "{\"calls\":%" PRId64 ",\"connections\":%" PRId64
		   ",\"bytes\":%" PRId64 ",\"fragments\":%" PRId64
		   ",\"points\":%" PRId64 ",\"list_streams\":%" PRId64 "}",
		   l.calls, l.connections, l.bytes, l.fragments, l.points,
		   l.list_streams);
	return reply_json(r, 200, &b);
}

static enum MHD_Result post_quotas(struct request *r)
{
	struct quota_limits l = server_limits(r->server);
	struct {
		const char *name;
		int64_t *at;
	} table[] = {{"calls", &l.calls},   {"connections", &l.connections},
		     {"bytes", &l.bytes},   {"fragments", &l.fragments},
		     {"points", &l.points}, {"list_streams", &l.list_streams}};

	json_object *on = request_member(r, "on");

	if (on)
		l = json_object_get_boolean(on) ? QUOTA_DEFAULTS
						: (struct quota_limits){0};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_object *v = request_member(r, table[i].name);

		if (v)
			*table[i].at = json_object_get_int64(v);
	}
	pthread_mutex_lock(&r->server->limits_lock);
	r->server->limits = l;
	pthread_mutex_unlock(&r->server->limits_lock);
	return get_quotas(r);
}

static enum MHD_Result post_credentials(struct request *r)
{
	struct auth *a = &r->server->auth;
	const char *access = request_string(r, "access_key");
	const char *secret = request_string(r, "secret_key");
	json_object *expired = request_member(r, "expired");
	json_object *gone = request_member(r, "remove");

	if (!access)
		return control_fail(r, "needs access_key");
	if (gone && json_object_get_boolean(gone))
		return auth_remove(a, access) ? control_ok(r)
					      : control_fail(r, "not known");
	if (!secret)
		return control_fail(r, "needs secret_key");
	auth_set(a, access, secret, request_string(r, "session_token"),
		 expired && json_object_get_boolean(expired));
	return control_ok(r);
}

static enum MHD_Result post_stream(struct request *r)
{
	const char *name = request_string(r, "stream");
	json_object *hours = request_member(r, "retention_hours");
	json_object *gone = request_member(r, "deleted");
	struct stream *s = NULL;

	/* A deleted stream can be brought back, so look at all. */
	for (size_t i = 0; name && i < r->server->n_streams; i++)
		if (!strcmp(r->server->streams[i]->name, name))
			s = r->server->streams[i];
	if (!s)
		return control_fail(r, "no such stream");
	if (hours)
		s->retention_ms = json_object_get_int64(hours) * 3600000;
	if (gone)
		s->deleted = json_object_get_boolean(gone);
	return control_ok(r);
}

static const struct {
	const char *method, *path;
	enum MHD_Result (*run)(struct request *r);
} calls[] = {
	{"GET", "stats", get_stats},
	{"POST", "reset", reset},
	{"GET", "requests", get_requests},
	{"GET", "faults", get_faults},
	{"POST", "faults", post_faults},
	{"POST", "faults/clear", clear_faults},
	{"POST", "release", release},
	{"POST", "latency", post_latency},
	{"GET", "clock", get_clock},
	{"POST", "clock", post_clock},
	{"GET", "quotas", get_quotas},
	{"POST", "quotas", post_quotas},
	{"POST", "credentials", post_credentials},
	{"POST", "stream", post_stream},
	{"GET", "fragments", control_get_fragments},
	{"POST", "fragments", control_post_fragments},
	{"GET", "media", control_get_media},
};

enum MHD_Result control_handle(struct request *r)
{
	const char *path = r->path + strlen("/_control/");

	if (r->body.n) {
		buf_put(&r->body, "", 1);
		r->json = json_tokener_parse((const char *)r->body.p);
		if (!json_object_is_type(r->json, json_type_object))
			return control_fail(r, "the body is not an object");
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].method, r->method) &&
		    !strcmp(calls[i].path, path))
			return calls[i].run(r);
	return control_fail(r, "no such control call");
}
