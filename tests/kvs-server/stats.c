/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/stats.h"

#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/wall.h"

const char *const api_names[API_COUNT] = {"ListStreams", "DescribeStream",
					  "GetDataEndpoint", "ListFragments",
					  "GetMediaForFragmentList"};

enum api api_by_name(const char *name)
{
	for (int i = 0; i < API_COUNT; i++)
		if (!strcmp(api_names[i], name))
			return (enum api)i;
	return API_COUNT;
}

void stats_init(struct stats *s)
{
	*s = (struct stats){0};
	pthread_mutex_init(&s->lock, NULL);
	s->log = xcalloc(STATS_LOG, sizeof(*s->log));
}

void stats_free(struct stats *s)
{
	for (int i = 0; i < STATS_LOG; i++) {
		free(s->log[i].stream);
		free(s->log[i].body);
	}
	free(s->log);
}

static void begin(struct counters *c)
{
	c->requests++;
	c->active++;
	if (c->active > c->most_active)
		c->most_active = c->active;
}

void stats_begin(struct stats *s, struct counters *of_stream, enum api api)
{
	pthread_mutex_lock(&s->lock);
	if (of_stream)
		begin(&of_stream[api]);
	else
		begin(&s->api[api]);
	pthread_mutex_unlock(&s->lock);
}

static void end(struct counters *c, const struct log_entry *e)
{
	c->active--;
	if (e->error[0])
		c->errors++;
	else
		c->ok++;
	if (strstr(e->error, "LimitExceeded"))
		c->throttled++;
	c->fragments += e->fragments;
	c->bytes += e->bytes;
}

void stats_end(struct stats *s, struct counters *of_stream, struct log_entry *e)
{
	pthread_mutex_lock(&s->lock);
	end(&s->api[e->api], e);
	if (of_stream)
		end(&of_stream[e->api], e);
	struct log_entry *at = &s->log[s->logged % STATS_LOG];

	free(at->stream);
	free(at->body);
	*at = *e;
	at->id = ++s->logged;
	at->took_us = mono_us() - e->begun_us;
	pthread_mutex_unlock(&s->lock);
	e->stream = NULL;
	e->body = NULL;
}

static void zero(struct counters *c)
{
	*c = (struct counters){.active = c->active, .most_active = c->active};
}

void stats_reset(struct stats *s, struct counters *of_streams, size_t n)
{
	pthread_mutex_lock(&s->lock);
	if (of_streams)
		for (size_t i = 0; i < n; i++)
			zero(&of_streams[i]);
	else
		for (size_t i = 0; i < API_COUNT; i++)
			zero(&s->api[i]);
	for (int i = 0; i < STATS_LOG; i++)
		s->log[i].id = 0;
	pthread_mutex_unlock(&s->lock);
}

void stats_json(struct buf *b, const struct counters c[API_COUNT])
{
	buf_str(b, "{");
	for (int i = 0; i < API_COUNT; i++)
		buf_printf(b,
			   "%s\"%s\":{\"requests\":%lld,\"ok\":%lld,"
			   "\"errors\":%lld,\"throttled\":%lld,"
			   "\"fragments\":%lld,\"bytes\":%lld,\"active\":%lld,"
			   "\"most_active\":%lld}",
			   i ? "," : "", api_names[i], (long long)c[i].requests,
			   (long long)c[i].ok, (long long)c[i].errors,
			   (long long)c[i].throttled, (long long)c[i].fragments,
			   (long long)c[i].bytes, (long long)c[i].active,
			   (long long)c[i].most_active);
	buf_str(b, "}");
}

static void entry_json(struct buf *b, const struct log_entry *e)
{
	char at[40];

	time_iso(e->at_ms, at);
	buf_printf(b,
		   "{\"id\":%llu,\"at\":\"%s\",\"api\":\"%s\",\"status\":%d,"
		   "\"took_us\":%lld,\"fragments\":%lld,\"bytes\":%lld,"
		   "\"request_id\":\"%s\",\"error\":",
		   (unsigned long long)e->id, at, api_names[e->api], e->status,
		   (long long)e->took_us, (long long)e->fragments,
		   (long long)e->bytes, e->request_id);
	buf_json(b, e->error[0] ? e->error : NULL);
	buf_str(b, ",\"stream\":");
	buf_json(b, e->stream);
	buf_str(b, ",\"body\":");
	buf_json(b, e->body);
	buf_str(b, "}");
}

void stats_log_json(struct stats *s, struct buf *b, uint64_t n, enum api api,
		    const char *stream)
{
	uint64_t wanted = 0;
	uint64_t first;

	pthread_mutex_lock(&s->lock);
	/* Backwards to the n-th that matches, then forwards. */
	for (first = s->logged; first && s->logged - first < STATS_LOG;
	     first--) {
		const struct log_entry *e = &s->log[(first - 1) % STATS_LOG];
		bool same = !stream ||
			    (e->stream && !strcmp(e->stream, stream));

		if (!e->id || wanted == n)
			break;
		if (same && (api == API_COUNT || api == e->api))
			wanted++;
	}
	buf_str(b, "[");
	bool comma = false;

	for (uint64_t i = first; i < s->logged; i++) {
		const struct log_entry *e = &s->log[i % STATS_LOG];
		bool same = !stream ||
			    (e->stream && !strcmp(e->stream, stream));

		if (!same || (api != API_COUNT && api != e->api))
			continue;
		if (comma)
			buf_str(b, ",");
		comma = true;
		entry_json(b, e);
	}
	buf_str(b, "]");
	pthread_mutex_unlock(&s->lock);
}
