/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/stream_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/config.h"

#define HOUR_MS		3600000
#define SESSION_MS	(45 * 60000) /* the longest a PutMedia may take */
#define DEFAULT_SPACING 2000
#define MAX_GAPS	10000000
/* A growing stream's rhythm is laid out this far ahead. */
#define AHEAD_MS (INT64_C(30) * 24 * HOUR_MS)

static const char *const known[] = {"name",	   "clip",
				    "media",	   "copies",
				    "start",	   "end",
				    "spacing_ms",  "retention_hours",
				    "gaps",	   "active",
				    "created",	   "status",
				    "order",	   "media_order",
				    "error_tags",  "stop_after_error",
				    "extra",	   "media_type",
				    "delay_ms",	   "jitter_ms",
				    "empty_pages", "session_fragments",
				    "later",	   NULL};

/* Where options are read: the first mistake is kept. */
struct reader {
	json_object *json;
	int64_t now_ms;
	char *error;
};

static json_object *option(const struct reader *r, const char *name)
{
	json_object *v = NULL;

	json_object_object_get_ex(r->json, name, &v);
	return v;
}

static void mistake(struct reader *r, const char *name, const char *why)
{
	if (!r->error)
		r->error = xprintf("\"%s\" %s", name, why);
}

static int64_t get_int(struct reader *r, const char *name, int64_t otherwise,
		       int64_t min, int64_t max)
{
	json_object *v = option(r, name);
	int64_t n = v ? json_object_get_int64(v) : otherwise;

	if (v && (!json_object_is_type(v, json_type_int) || n < min || n > max))
		mistake(r, name, "is not a whole number in range");
	return n;
}

static const char *get_string(struct reader *r, const char *name,
			      const char *otherwise)
{
	json_object *v = option(r, name);

	if (v && !json_object_is_type(v, json_type_string))
		mistake(r, name, "is not a string");
	return v ? json_object_get_string(v) : otherwise;
}

static bool get_bool(struct reader *r, const char *name)
{
	json_object *v = option(r, name);

	if (v && !json_object_is_type(v, json_type_boolean))
		mistake(r, name, "is not true or false");
	return v && json_object_get_boolean(v);
}

static int64_t parse_time(struct reader *r, const char *name, json_object *v)
{
	int64_t ms = 0;

	if (json_object_is_type(v, json_type_int))
		return json_object_get_int64(v);
	if (!json_object_is_type(v, json_type_string) ||
	    !time_parse(json_object_get_string(v), r->now_ms, &ms))
		mistake(r, name,
			"is not a time: ISO 8601 in UTC, epoch "
			"milliseconds, \"-2h\"");
	return ms;
}

static int64_t get_time(struct reader *r, const char *name, int64_t otherwise)
{
	json_object *v = option(r, name);

	return v ? parse_time(r, name, v) : otherwise;
}

static int get_word(struct reader *r, const char *name,
		    const char *const *words)
{
	const char *s = get_string(r, name, words[0]);

	for (int i = 0; words[i]; i++)
		if (s && !strcmp(words[i], s))
			return i;
	mistake(r, name, "is not one of the words allowed");
	return 0;
}

/* The clip's own rhythm, unless a spacing is asked for. */
static void set_rhythm(struct reader *r, struct stream *s,
		       const struct clip *clip)
{
	struct grid *g = &s->grid;
	int64_t spacing = get_int(r, "spacing_ms", 0, 1, HOUR_MS);

	s->n_templates = clip ? (int64_t)clip->n_clusters : 1;
	g->n_offsets = clip && !spacing ? s->n_templates : 1;
	g->offsets_ms = xcalloc((size_t)g->n_offsets, sizeof(int64_t));
	if (spacing || !clip) {
		g->period_ms = spacing ? spacing : DEFAULT_SPACING;
		return;
	}
	int64_t first = clip->clusters[0].at_ns;

	for (int64_t i = 0; i < g->n_offsets; i++)
		g->offsets_ms[i] = (clip->clusters[i].at_ns - first) / 1000000;
	g->period_ms = clip->duration_ms - first / 1000000;
	if (g->period_ms <= g->offsets_ms[g->n_offsets - 1])
		g->period_ms = g->offsets_ms[g->n_offsets - 1] + 1;
}

static void set_end(struct reader *r, struct grid *g)
{
	json_object *v = option(r, "end");

	if (!v || (json_object_is_type(v, json_type_string) &&
		   !strcmp(json_object_get_string(v), "growing")))
		return;
	if (json_object_is_type(v, json_type_int)) {
		g->count = json_object_get_int64(v);
		if (g->count < 0 || g->count > GRID_GROWING)
			mistake(r, "end", "is not a count of fragments");
		return;
	}
	g->count = grid_from_producer(g, parse_time(r, "end", v));
}

static void set_gaps(struct reader *r, struct grid *g)
{
	json_object *v = option(r, "gaps");

	if (!v)
		return;
	if (!json_object_is_type(v, json_type_array)) {
		mistake(r, "gaps", "is not a list of [from, to]");
		return;
	}
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		json_object *pair = json_object_array_get_idx(v, i);

		if (!json_object_is_type(pair, json_type_array) ||
		    json_object_array_length(pair) != 2) {
			mistake(r, "gaps", "is not a list of [from, to]");
			return;
		}
		int64_t from = parse_time(r, "gaps",
					  json_object_array_get_idx(pair, 0));
		int64_t to = parse_time(r, "gaps",
					json_object_array_get_idx(pair, 1));

		grid_add_gap(g, from, to);
	}
}

/* {"every_ms": E, "on_ms": N}: N of each E milliseconds are recorded. */
static void set_active(struct reader *r, struct grid *g)
{
	json_object *v = option(r, "active"), *every_json, *on_json;

	if (!v)
		return;
	if (!json_object_object_get_ex(v, "every_ms", &every_json) ||
	    !json_object_object_get_ex(v, "on_ms", &on_json)) {
		mistake(r, "active", "needs every_ms and on_ms");
		return;
	}
	int64_t every = json_object_get_int64(every_json);
	int64_t on = json_object_get_int64(on_json);
	int64_t end = g->count == GRID_GROWING ? r->now_ms + AHEAD_MS
					       : grid_producer_ms(g, g->count);

	if (every < 1 || on < 0 || on > every ||
	    (end - g->start_ms) / every > MAX_GAPS) {
		mistake(r, "active", "is out of range");
		return;
	}
	for (int64_t at = g->start_ms; at < end; at += every)
		grid_add_gap(g, at + on, at + every);
}

static void set_extras(struct reader *r, struct stream *s)
{
	json_object *v = option(r, "extra");

	for (size_t i = 0; v && i < json_object_array_length(v); i++) {
		struct extra x;
		struct frag ignored;
		char *why = NULL;

		if (config_extra(json_object_array_get_idx(v, i), r->now_ms, &x,
				 &why)) {
			if (r->error)
				free(why);
			else
				r->error = why;
			return;
		}
		stream_add(s, &x, &ignored);
	}
}

int config_extra(json_object *json, int64_t now_ms, struct extra *ret,
		 char **ret_error)
{
	static const char *const names[] = {
		"producer", "server", "spacing_ms", "length_ms", "size_bytes",
		"cluster",  "number", "lost",	    NULL};
	struct reader r = {.json = json, .now_ms = now_ms};
	struct extra x = {.cluster = -1};

	if (!json_object_is_type(json, json_type_object)) {
		*ret_error = xprintf("a fragment is an object");
		return -EINVAL;
	}
	json_object_object_foreach(json, key, ignored)
	{
		size_t i = 0;

		(void)ignored;
		while (names[i] && strcmp(names[i], key))
			i++;
		if (!names[i])
			mistake(&r, key, "is not an option of a fragment");
	}
	const char *number = get_string(&r, "number", "");

	x.producer_ms = get_time(&r, "producer", now_ms);
	x.server_ms = get_time(&r, "server", now_ms);
	x.spacing_ms = get_int(&r, "spacing_ms", -1, 1, 20000);
	x.length_ms = get_int(&r, "length_ms", -1, 0, INT64_MAX);
	x.size_bytes = get_int(&r, "size_bytes", -1, 0, INT64_MAX);
	x.cluster = get_int(&r, "cluster", -1, 0, 1 << 20);
	x.lost = get_bool(&r, "lost");
	if (*number && !number_is_legal(number))
		mistake(&r, "number", "is not 1 to 128 digits");
	if (r.error) {
		*ret_error = r.error;
		return -EINVAL;
	}
	snprintf(x.number, sizeof(x.number), "%s", number);
	*ret = x;
	return 0;
}

static char *name_of(struct reader *r, int64_t copy)
{
	const char *name = get_string(r, "name", NULL);

	if (!name || !*name || strlen(name) > 256) {
		mistake(r, "name", "is missing or not 1 to 256 characters");
		return xstrdup("");
	}
	if (copy < 0)
		return xstrdup(name);
	/* cam-{n}: cam-0000, cam-0001, ... */
	const char *at = strstr(name, "{n}");

	if (!at)
		return xprintf("%s%04" PRId64, name, copy);
	return xprintf("%.*s%04" PRId64 "%s", (int)(at - name), name, copy,
		       at + 3);
}

static void set_words(struct reader *r, struct stream *s)
{
	static const char *const orders[] = {"shuffled", "sorted", NULL};
	static const char *const media_orders[] = {"request", "sorted",
						   "shuffled", NULL};
	static const char *const spellings[] = {"error", "exception", NULL};
	static const char *const states[] = {"ACTIVE", "CREATING", "UPDATING",
					     "DELETING", NULL};
	const char *type = get_string(r, "media_type", NULL);
	json_object *stop = option(r, "stop_after_error");

	s->sorted = get_word(r, "order", orders) == 1;
	s->order = get_word(r, "media_order", media_orders);
	s->exception_tags = get_word(r, "error_tags", spellings) == 1;
	s->stop_after_error = stop && json_object_get_boolean(stop);
	s->media_type = type ? xstrdup(type) : NULL;
	snprintf(s->status, sizeof(s->status), "%s",
		 states[get_word(r, "status", states)]);
}

static void set_times(struct reader *r, struct stream *s,
		      const struct clip *clip)
{
	struct grid *g = &s->grid;

	g->start_ms = get_time(r, "start", r->now_ms - 2 * HOUR_MS);
	s->created_ms = get_time(r, "created", g->start_ms - 1000);
	s->retention_ms = get_int(r, "retention_hours", 24, 0, 87600) * HOUR_MS;
	g->delay_ms = get_int(r, "delay_ms", 150, 0, 86400000);
	g->jitter_ms = get_int(r, "jitter_ms", 250, 0, 86400000);
	g->seed = s->seed;
	g->count = GRID_GROWING;
	set_rhythm(r, s, clip);
	set_end(r, g);
	s->session_fragments = get_int(r, "session_fragments",
				       SESSION_MS * g->n_offsets / g->period_ms,
				       1, INT64_C(1) << 40);
	if (s->session_fragments < 1)
		s->session_fragments = 1;
	set_gaps(r, g);
	set_active(r, g);
	grid_seal(g);
	s->empty_pages = get_int(r, "empty_pages", 0, 0, 1000000);
}

static void check_names(struct reader *r)
{
	json_object_object_foreach(r->json, key, ignored)
	{
		size_t i = 0;

		(void)ignored;
		while (known[i] && strcmp(known[i], key))
			i++;
		if (!known[i])
			mistake(r, key, "is not an option of a stream");
	}
}

int stream_from_json(json_object *json, const struct media *m,
		     const struct clip *clip, const struct server *srv,
		     int64_t now_ms, int64_t copy, struct stream **ret,
		     char **ret_error)
{
	struct reader r = {.json = json, .now_ms = now_ms};
	struct stream *s = xcalloc(1, sizeof(*s));

	check_names(&r);
	pthread_mutex_init(&s->lock, NULL);
	quota_init(&s->quota);
	s->name = name_of(&r, copy);
	s->seed = hash_str(s->name, srv->seed);
	s->media = m;
	set_words(&r, s);
	set_times(&r, s, clip);
	s->arn = xprintf("arn:aws:kinesisvideo:%s:" ACCOUNT
			 ":stream/%s/%" PRId64,
			 srv->region, s->name, s->created_ms);
	if (!r.error)
		set_extras(&r, s);
	if (r.error) {
		*ret_error = r.error;
		stream_free(s);
		return -EINVAL;
	}
	*ret = s;
	return 0;
}
