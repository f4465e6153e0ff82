/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/fault.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[FAULT_KINDS] = {
	"error",	  "throttle",  "hangup",     "delay",	 "not-json",
	"truncated-json", "huge-json", "bad-number", "bad-size", "bad-length",
	"bad-time",	  "bad-name",  "empty-page", "endpoint", "cut",
	"stall",	  "missing",   "not-found",  "in-band",	 "duplicate",
	"garbage"};

#define OFF(x) offsetof(struct fault, x)
static const struct {
	const char *name;
	size_t at;
} strings[] = {{"stream", OFF(stream)},	  {"name", OFF(name)},
	       {"message", OFF(message)}, {"value", OFF(value)},
	       {"number", OFF(number)},	  {"header", OFF(header)}},
  ints[] = {{"count", OFF(lives)}, {"status", OFF(status)},
	    {"bytes", OFF(bytes)}, {"ms", OFF(ms)},
	    {"code", OFF(code)},   {"index", OFF(index)}},
  bools[] = {{"clean", OFF(clean)},
	     {"exception", OFF(exception)},
	     {"stop", OFF(stop)}};
#define N(a) (sizeof(a) / sizeof((a)[0]))

void faults_init(struct faults *f)
{
	*f = (struct faults){0};
	pthread_mutex_init(&f->lock, NULL);
}

static void release(struct fault *f)
{
	for (size_t i = 0; i < N(strings); i++)
		free(*(char **)(void *)((char *)f + strings[i].at));
}

void faults_free(struct faults *f)
{
	for (size_t i = 0; i < f->n; i++)
		release(&f->list[i]);
	free(f->list);
}

static bool set_option(struct fault *f, const char *key, json_object *v)
{
	for (size_t i = 0; i < N(strings); i++)
		if (!strcmp(strings[i].name, key)) {
			char **at =
				(char **)(void *)((char *)f + strings[i].at);
			const char *s = json_object_get_string(v);

			free(*at);
			*at = xstrdup(s ? s : "");
			return true;
		}
	for (size_t i = 0; i < N(ints); i++)
		if (!strcmp(ints[i].name, key)) {
			*(int64_t *)(void *)((char *)f + ints[i].at) =
				json_object_get_int64(v);
			return json_object_is_type(v, json_type_int);
		}
	for (size_t i = 0; i < N(bools); i++)
		if (!strcmp(bools[i].name, key)) {
			*(bool *)((char *)f + bools[i].at) =
				json_object_get_boolean(v);
			f->has_exception |= !strcmp(key, "exception");
			return json_object_is_type(v, json_type_boolean);
		}
	return false;
}

static char *parse(struct fault *f, json_object *json)
{
	json_object *v;

	if (!json_object_is_type(json, json_type_object))
		return xprintf("a fault is an object");
	if (!json_object_object_get_ex(json, "kind", &v))
		return xprintf("a fault needs a kind");
	const char *kind = json_object_get_string(v);

	while (f->kind < FAULT_KINDS &&
	       strcmp(names[f->kind], kind ? kind : ""))
		f->kind++;
	if (f->kind == FAULT_KINDS)
		return xprintf("there is no fault \"%s\"", kind ? kind : "");
	json_object_object_foreach(json, key, value)
	{
		if (!strcmp(key, "kind"))
			continue;
		if (!strcmp(key, "api")) {
			const char *name = json_object_get_string(value);

			f->api = api_by_name(name ? name : "");
			if (f->api == API_COUNT)
				return xprintf("there is no API \"%s\"",
					       name ? name : "");
		} else if (!set_option(f, key, value)) {
			return xprintf("\"%s\" is not an option of a fault, or "
				       "of another type",
				       key);
		}
	}
	if (f->kind == FAULT_ERROR && !f->name)
		f->name = xstrdup("InternalFailure");
	if (f->kind == FAULT_ERROR && !f->status)
		f->status = 500;
	return NULL;
}

int faults_add(struct faults *f, json_object *json, uint64_t *ret_id,
	       char **ret_error)
{
	struct fault new = {
		.kind = (enum fault_kind)0,
		.api = API_COUNT,
		.lives = 1,
		.index = -1,
	};
	char *why = parse(&new, json);

	if (why) {
		release(&new);
		*ret_error = why;
		return -EINVAL;
	}
	pthread_mutex_lock(&f->lock);
	f->list = xrealloc(f->list, (f->n + 1) * sizeof(*f->list));
	new.id = ++f->last_id;
	*ret_id = new.id;
	f->list[f->n++] = new;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static void drop(struct faults *f, size_t i)
{
	release(&f->list[i]);
	memmove(f->list + i, f->list + i + 1,
		(f->n - i - 1) * sizeof(*f->list));
	f->n--;
}

void faults_clear(struct faults *f, uint64_t id)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = f->n; i-- > 0;)
		if (!id || f->list[i].id == id)
			drop(f, i);
	if (!id)
		f->released = f->last_id;
	pthread_mutex_unlock(&f->lock);
}

void faults_release(struct faults *f)
{
	pthread_mutex_lock(&f->lock);
	f->released = f->last_id;
	pthread_mutex_unlock(&f->lock);
}

bool faults_released(struct faults *f, uint64_t id)
{
	pthread_mutex_lock(&f->lock);
	bool yes = id <= f->released;

	pthread_mutex_unlock(&f->lock);
	return yes;
}

void faults_json(struct faults *f, struct buf *b)
{
	pthread_mutex_lock(&f->lock);
	buf_str(b, "[");
	for (size_t i = 0; i < f->n; i++) {
		const struct fault *x = &f->list[i];

		buf_printf(b, "%s{\"id\":%llu,\"kind\":\"%s\",\"count\":%lld,",
			   i ? "," : "", (unsigned long long)x->id,
			   names[x->kind], (long long)x->lives);
		buf_str(b, "\"api\":");
		buf_json(b, x->api == API_COUNT ? NULL : api_names[x->api]);
		buf_str(b, ",\"stream\":");
		buf_json(b, x->stream);
		buf_str(b, "}");
	}
	buf_str(b, "]");
	pthread_mutex_unlock(&f->lock);
}

static struct fault *copy(const struct fault *f)
{
	struct fault *c = xcalloc(1, sizeof(*c));

	*c = *f;
	for (size_t i = 0; i < N(strings); i++) {
		char **at = (char **)(void *)((char *)c + strings[i].at);

		if (*at)
			*at = xstrdup(*at);
	}
	return c;
}

void faults_strike(struct faults *f, enum api api, const char *stream,
		   struct struck *ret)
{
	*ret = (struct struck){0};
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->n;) {
		struct fault *x = &f->list[i];

		if ((x->api != API_COUNT && x->api != api) ||
		    (x->stream && (!stream || strcmp(x->stream, stream))) ||
		    ret->by[x->kind]) {
			i++;
			continue;
		}
		ret->by[x->kind] = copy(x);
		if (x->lives > 0 && !--x->lives)
			drop(f, i);
		else
			i++;
	}
	pthread_mutex_unlock(&f->lock);
}

void struck_free(struct struck *s)
{
	for (size_t i = 0; i < FAULT_KINDS; i++) {
		if (s->by[i])
			release(s->by[i]);
		free(s->by[i]);
		s->by[i] = NULL;
	}
}

bool fault_meets(const struct fault *f, int64_t i, const char *number)
{
	return f && (f->index < 0 || f->index == i) &&
	       (!f->number || !strcmp(f->number, number));
}
