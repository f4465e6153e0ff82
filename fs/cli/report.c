/* SPDX-License-Identifier: MIT */
#include "fs/cli/report.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "fs/cli/log.h"

struct report {
	bool json;
	FILE *out;
	struct json_object *steps;   /* array */
	struct json_object *missing; /* array of actions */
	char *resource;		     /* of the policy; NULL: any */
	bool lists;
	unsigned failed, warned;
};

static const struct {
	const char *word, *name;
} statuses[] = {
	[REPORT_OK] = {"ok", "ok"},
	[REPORT_WARN] = {"warn", "warning"},
	[REPORT_FAIL] = {"FAIL", "failed"},
	[REPORT_SKIP] = {"-", "skipped"},
};

struct report *report_new(bool json, FILE *out)
{
	struct report *r = g_new0(struct report, 1);

	r->json = json;
	r->out = out;
	r->steps = json_object_new_array();
	r->missing = json_object_new_array();
	return r;
}

static void put(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void print_step(const struct report *r, const char *step,
		       enum report_status status, int64_t took_ms,
		       const char *text, const char *cure)
{
	fprintf(r->out, "%-5s %-25s %s", statuses[status].word, step, text);
	if (took_ms >= 0)
		fprintf(r->out, " (%" PRId64 " ms)", took_ms);
	fputc('\n', r->out);
	if (cure)
		fprintf(r->out, "      %-25s %s\n", "", cure);
	fflush(r->out);
}

void report_add(struct report *r, const char *step, enum report_status status,
		int64_t took_ms, const char *cure, const char *format, ...)
{
	struct json_object *o = json_object_new_object();
	g_autofree char *raw = NULL;
	g_autofree char *text = NULL;
	g_autofree char *cure_text = cure ? log_escape(cure) : NULL;
	va_list ap;

	va_start(ap, format);
	raw = g_strdup_vprintf(format, ap);
	va_end(ap);
	/* Names and messages from the network are in it. */
	text = log_escape(raw);
	r->failed += status == REPORT_FAIL;
	r->warned += status == REPORT_WARN;
	put(o, "step", step);
	put(o, "status", statuses[status].name);
	put(o, "text", text);
	if (cure)
		put(o, "cure", cure_text);
	if (took_ms >= 0)
		json_object_object_add(o, "took_ms",
				       json_object_new_int64(took_ms));
	json_object_array_add(r->steps, o);
	if (!r->json)
		print_step(r, step, status, took_ms, text, cure_text);
}

void report_missing_action(struct report *r, const char *action)
{
	for (size_t i = 0; i < json_object_array_length(r->missing); i++)
		if (!strcmp(json_object_get_string(
				    json_object_array_get_idx(r->missing, i)),
			    action))
			return;
	json_object_array_add(r->missing, json_object_new_string(action));
}

void report_policy_for(struct report *r, const char *resource, bool lists)
{
	g_free(r->resource);
	r->resource = g_strdup(resource);
	r->lists = lists;
}

static void add_statement(struct json_object *list, const char *const *actions,
			  const char *resource)
{
	struct json_object *s = json_object_new_object();
	struct json_object *names = json_object_new_array();

	for (; *actions; actions++)
		json_object_array_add(names, json_object_new_string(*actions));
	put(s, "Effect", "Allow");
	json_object_object_add(s, "Action", names);
	put(s, "Resource", resource);
	json_object_array_add(list, s);
}

/* All that a mount asks, not only what was refused: what comes after a refusal
 * was not even tried. */
static struct json_object *policy(const struct report *r)
{
	static const char *const stream[] = {
		"kinesisvideo:DescribeStream", "kinesisvideo:GetDataEndpoint",
		"kinesisvideo:ListFragments",
		"kinesisvideo:GetMediaForFragmentList", NULL};
	static const char *const account[] = {"kinesisvideo:ListStreams", NULL};
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	add_statement(list, stream, r->resource ? r->resource : "*");
	if (r->lists)
		add_statement(list, account, "*");
	put(o, "Version", "2012-10-17");
	json_object_object_add(o, "Statement", list);
	return o;
}

static const char *print_json(struct json_object *o)
{
	return json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			   JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void end_json(struct report *r)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "usable",
			       json_object_new_boolean(r->failed == 0));
	json_object_object_add(o, "steps", json_object_get(r->steps));
	if (json_object_array_length(r->missing)) {
		json_object_object_add(o, "missing_actions",
				       json_object_get(r->missing));
		json_object_object_add(o, "policy", policy(r));
	}
	fprintf(r->out, "%s\n", print_json(o));
	json_object_put(o);
}

static void end_text(struct report *r)
{
	if (json_object_array_length(r->missing)) {
		struct json_object *o = policy(r);

		fprintf(r->out,
			"\nAttach this policy to whoever the credentials "
			"belong to:\n\n%s\n",
			print_json(o));
		json_object_put(o);
	}
	if (r->failed)
		fprintf(r->out,
			"\nA mount would not work: %u of these failed.\n",
			r->failed);
	else
		fprintf(r->out, "\nA mount would work%s.\n",
			r->warned ? ", but see what is warned of" : "");
}

int report_end(struct report *r)
{
	int status = r->failed ? 1 : 0;

	if (r->json)
		end_json(r);
	else
		end_text(r);
	json_object_put(r->steps);
	json_object_put(r->missing);
	g_free(r->resource);
	g_free(r);
	return status;
}
