/* SPDX-License-Identifier: MIT */
/*
 * check_api: the calls of the control plane, and what they say of the stream.
 */
#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "fs/aws/endpoints.h"
#include "fs/aws/settings.h"
#include "fs/base/utc.h"
#include "fs/cli/check.h"
#include "fs/cli/values.h"
#include "fs/kvs/kvs.h"

static const char *const media_apis[] = {"LIST_FRAGMENTS",
					 "GET_MEDIA_FOR_FRAGMENT_LIST"};

/* ---- ListStreams -------------------------------------------------------- */

struct streams {
	struct check_call call;
	const char *what; /* prefix, or the stream; borrowed */
	GPtrArray *list;  /* struct kvs_stream_info, or NULL */
};

static void on_streams(void *user, const struct kvs_error *e, GPtrArray *list)
{
	struct streams *s = user;

	s->list = g_ptr_array_ref(list);
	check_call_done(&s->call, e);
}

static void start_list(struct check_call *call)
{
	struct streams *s = (struct streams *)call;

	kvs_list_streams(call->check->client, s->what, CHECK_DEADLINE_MS,
			 on_streams, s);
}

static void start_describe(struct check_call *call)
{
	struct streams *s = (struct streams *)call;

	kvs_describe_stream(call->check->client, s->what, CHECK_DEADLINE_MS,
			    on_streams, s);
}

static void streams_release(struct streams *s)
{
	if (s->list)
		g_ptr_array_unref(s->list);
	check_answer_release(&s->call.answer);
}

/* "*", "PREFIX*" and nothing at all: any stream will do to look at. */
static bool is_pattern(const struct check *c)
{
	return !c->o->stream || g_str_has_suffix(c->o->stream, "*");
}

/* The first that keeps anything, else the first. */
static const struct kvs_stream_info *choose(const GPtrArray *list)
{
	for (guint i = 0; i < list->len; i++) {
		const struct kvs_stream_info *s = list->pdata[i];

		if (s->retention_ms > 0)
			return s;
	}
	return list->len ? list->pdata[0] : NULL;
}

static void listed(struct check *c, const struct streams *s)
{
	const struct kvs_stream_info *first = choose(s->list);

	report_add(c->report, "ListStreams",
		   s->list->len || !is_pattern(c) ? REPORT_OK : REPORT_WARN,
		   s->call.answer.took_ms,
		   s->list->len || !is_pattern(c)
			   ? NULL
			   : "check --region and the account",
		   "%u stream%s%s%s%s", s->list->len,
		   s->list->len == 1 ? "" : "s",
		   s->what ? " whose name begins with '" : "",
		   s->what ? s->what : "", s->what ? "'" : "");
	if (is_pattern(c) && first)
		c->name = g_strdup(first->name);
}

static void check_list(struct check *c)
{
	g_autofree char *prefix = NULL;
	struct streams s = {.call.start = start_list};

	if (c->o->stream && is_pattern(c))
		prefix = g_strndup(c->o->stream, strlen(c->o->stream) - 1);
	else if (c->o->stream && !g_str_has_prefix(c->o->stream, "arn:"))
		prefix = g_strdup(c->o->stream);
	s.what = prefix && *prefix ? prefix : NULL;
	check_call_run(c, &s.call);
	if (s.call.answer.rc)
		check_call_failed(c, "ListStreams", &s.call.answer);
	else
		listed(c, &s);
	streams_release(&s);
}

/* ---- DescribeStream ----------------------------------------------------- */

static void retention(struct check *c, const struct kvs_stream_info *s)
{
	int64_t hours = s->retention_ms / UTC_HOUR_MS;

	if (hours == 0)
		report_add(c->report, "retention",
			   is_pattern(c) ? REPORT_WARN : REPORT_FAIL, -1,
			   "set one: 'aws kinesisvideo update-data-retention'",
			   "stream %s keeps no data", s->name);
	else
		report_add(c->report, "retention", REPORT_OK, -1, NULL,
			   "%" PRId64 " h", hours);
	report_add(c->report, "KMS key", REPORT_OK, -1, NULL, "%s",
		   s->kms_key ? s->kms_key : "the service's own");
}

static void described(struct check *c, const struct streams *s)
{
	const struct kvs_stream_info *info = s->list->pdata[0];

	c->arn = g_strdup(info->arn);
	if (!is_pattern(c))
		report_policy_for(c->report, c->arn, false);
	g_free(c->name);
	c->name = g_strdup(info->name);
	c->created_ms = info->created_ms;
	c->retention_ms = info->retention_ms;
	report_add(c->report, "DescribeStream",
		   info->active ? REPORT_OK : REPORT_WARN,
		   s->call.answer.took_ms, NULL, "%s is %s", info->arn,
		   info->status ? info->status : "there");
	retention(c, info);
}

/* A name that is not there: which one was meant?  Or NULL; free it. */
static char *nearest(struct check *c)
{
	struct streams s = {.call.start = start_list};
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	char *found = NULL;

	if (g_str_has_prefix(c->o->stream, "arn:"))
		return NULL;
	check_call_run(c, &s.call);
	for (guint i = 0; !s.call.answer.rc && i < s.list->len; i++) {
		const struct kvs_stream_info *info = s.list->pdata[i];

		g_ptr_array_add(names, info->name);
	}
	found = g_strdup(value_nearest(
		c->o->stream, (const char *const *)names->pdata, names->len));
	streams_release(&s);
	return found;
}

static void not_there(struct check *c, const struct check_answer *a)
{
	g_autofree char *meant = is_pattern(c) ? NULL : nearest(c);
	g_autofree char *cure = g_strdup_printf(
		"%s%s%scheck the name, --region and the account",
		meant ? "did you mean '" : "", meant ? meant : "",
		meant ? "'? Else " : "");

	report_add(c->report, "DescribeStream", REPORT_FAIL, a->took_ms, cure,
		   "no stream %s in region %s (%s, request id %s)",
		   c->o->stream ? c->o->stream : c->name, c->settings->region,
		   a->name, a->request_id);
}

/* What a policy is for, as long as the ARN is not known. */
static void guess_policy(struct check *c, const char *name)
{
	g_autofree char *arn = g_strdup_printf(
		"arn:%s:kinesisvideo:%s:*:stream/%s/*",
		aws_partition(c->settings->region), c->settings->region, name);

	report_policy_for(c->report,
			  g_str_has_prefix(name, "arn:") ? name : arn,
			  is_pattern(c));
}

static void check_describe(struct check *c)
{
	struct streams s = {.call.start = start_describe};

	s.what = is_pattern(c) ? c->name : c->o->stream;
	check_call_run(c, &s.call);
	if (!s.call.answer.rc && s.list->len)
		described(c, &s);
	else if (s.call.answer.rc == -ENOENT)
		not_there(c, &s.call.answer);
	else
		check_call_failed(c, "DescribeStream", &s.call.answer);
	streams_release(&s);
}

/* ---- GetDataEndpoint ---------------------------------------------------- */

struct endpoint {
	struct check_call call;
	const char *api;
	char *url;
};

static void on_endpoint(void *user, const struct kvs_error *e, const char *url)
{
	struct endpoint *x = user;

	x->url = g_strdup(url);
	check_call_done(&x->call, e);
}

static void start_endpoint(struct check_call *call)
{
	struct endpoint *x = (struct endpoint *)call;

	kvs_get_data_endpoint(call->check->client, call->check->arn, x->api,
			      CHECK_DEADLINE_MS, on_endpoint, x);
}

static bool check_endpoint(struct check *c)
{
	bool ok = true;

	if (c->settings->data_url) {
		report_add(c->report, "GetDataEndpoint", REPORT_OK, -1, NULL,
			   "not asked: data is at %s, as you said",
			   c->settings->data_url);
		return true;
	}
	for (size_t i = 0; ok && i < G_N_ELEMENTS(media_apis); i++) {
		struct endpoint x = {.call.start = start_endpoint,
				     .api = media_apis[i]};

		check_call_run(c, &x.call);
		ok = x.call.answer.rc == 0;
		if (!ok)
			check_call_failed(c, "GetDataEndpoint", &x.call.answer);
		else
			report_add(c->report, "GetDataEndpoint", REPORT_OK,
				   x.call.answer.took_ms, NULL, "%s for %s",
				   x.url, x.api);
		g_free(x.url);
		check_answer_release(&x.call.answer);
	}
	return ok;
}

/* ---- all of it ---------------------------------------------------------- */

static void skip(struct check *c, const char *const *steps, size_t n,
		 const char *why)
{
	for (size_t i = 0; i < n; i++)
		report_add(c->report, steps[i], REPORT_SKIP, -1, NULL, "%s",
			   why);
}

static const char *const steps[] = {"ListStreams", "DescribeStream",
				    "GetDataEndpoint", "ListFragments",
				    "GetMediaForFragmentList"};

void check_api_skip(struct check *c, const char *why)
{
	skip(c, steps, G_N_ELEMENTS(steps), why);
}

void check_api(struct check *c)
{
	guess_policy(c, c->o->stream ? c->o->stream : "*");
	check_list(c);
	if (is_pattern(c) && !c->name) {
		skip(c, steps + 1, G_N_ELEMENTS(steps) - 1,
		     "there is no stream to look at");
		return;
	}
	check_describe(c);
	if (!c->arn) {
		skip(c, steps + 2, G_N_ELEMENTS(steps) - 2,
		     "the stream is not known");
		return;
	}
	if (!check_endpoint(c)) {
		skip(c, steps + 3, G_N_ELEMENTS(steps) - 3,
		     "where the data is is not known");
		return;
	}
	check_media(c);
}
