/* SPDX-License-Identifier: MIT */
/* ListFragments. */
#include "tests/kvs-server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/spoil.h"

#define MAX_RESULTS	    1000
#define DEFAULT_MAX_RESULTS 100

/* A listing between its pages: all of it is in the token. */
struct listing {
	struct selection sel;
	int64_t at;    /* entries given so far */
	int64_t empty; /* empty pages still to come */
};

/*
 * "Results are in no specific order, even across pages": the k-th entry given
 * is entry (k * step + shift) mod total, step coprime to total and far from 1.
 */
static int64_t gcd(int64_t a, int64_t b)
{
	while (b) {
		int64_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

static int64_t shuffled(const struct stream *s, int64_t k, int64_t total)
{
	int64_t step = (int64_t)((double)total * 0.6180339887) | 1;
	int64_t shift = (int64_t)(s->seed % (uint64_t)total);

	if (s->sorted || total < 3)
		return k;
	while (gcd(step, total) != 1)
		step++;
	return (int64_t)(((__int128)k * step + shift) % total);
}

static bool read_token(struct request *r, const char *token, struct listing *l)
{
	auto_char *text = token_read(token);
	struct selection *sel = &l->sel;
	uint64_t stream;
	int by_server;

	if (!text ||
	    sscanf(text,
		   "f|%" SCNx64 "|%d|%" SCNd64 "|%" SCNd64 "|%" SCNd64
		   "|%" SCNd64 "|%" SCNd64 "|%" SCNd64 "|%" SCNd64 "|%" SCNd64
		   "|%" SCNd64,
		   &stream, &by_server, &sel->start_ms, &sel->end_ms,
		   &sel->lo_rank, &sel->hi_rank, &sel->n_extras,
		   &sel->oldest_ms, &sel->now_ms, &l->at, &l->empty) != 11 ||
	    stream != r->stream->seed)
		return false;
	sel->by_server = by_server;
	stream_reselect(r->stream, sel);
	return true;
}

static char *make_token(const struct request *r, const struct listing *l)
{
	const struct selection *sel = &l->sel;
	auto_char *text = xprintf(
		"f|%" PRIx64 "|%d|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64
		"|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64,
		r->stream->seed, sel->by_server, sel->start_ms, sel->end_ms,
		sel->lo_rank, sel->hi_rank, sel->n_extras, sel->oldest_ms,
		sel->now_ms, l->at, l->empty);

	return token_make(text);
}

static bool seconds_member(json_object *o, const char *name, bool up,
			   int64_t *ret_ms)
{
	json_object *v;

	if (!json_object_object_get_ex(o, name, &v) ||
	    (!json_object_is_type(v, json_type_int) &&
	     !json_object_is_type(v, json_type_double)))
		return false;
	double ms = json_object_get_double(v) * 1000;

	if (!(ms > -1e15 && ms < 1e15))
		return false;
	/* Inclusive bounds: what lies between two milliseconds is neither. */
	*ret_ms = (int64_t)ms;
	double rest = ms - (double)*ret_ms;

	/* A double of epoch seconds is exact to a quarter of a microsecond. */
	if (!up && rest > 1e-3)
		*ret_ms += 1;
	if (rest > 1 - 1e-3)
		*ret_ms = (int64_t)ms + 1;
	return true;
}

/* NULL, or why the selector is refused. */
static char *read_selector(struct request *r, json_object *o, struct listing *l)
{
	int64_t now_ms = wall_now_ms(&r->server->wall);
	int64_t start_ms, end_ms;
	json_object *v, *range;
	const char *type = NULL;

	if (json_object_object_get_ex(o, "FragmentSelectorType", &v))
		type = json_object_get_string(v);
	if (!type || (strcmp(type, "PRODUCER_TIMESTAMP") &&
		      strcmp(type, "SERVER_TIMESTAMP")))
		return xprintf("Invalid FragmentSelectorType.");
	if (!json_object_object_get_ex(o, "TimestampRange", &range) ||
	    !seconds_member(range, "StartTimestamp", false, &start_ms) ||
	    !seconds_member(range, "EndTimestamp", true, &end_ms))
		return xprintf("StartTimestamp and EndTimestamp must be "
			       "specified.");
	if (start_ms > end_ms)
		return xprintf("StartTimestamp must be before EndTimestamp.");
	if (end_ms < now_ms - r->stream->retention_ms)
		return xprintf("End timestamp %" PRId64
			       " is outside of the stream retention period.",
			       end_ms);
	stream_select(r->stream, !strcmp(type, "SERVER_TIMESTAMP"), start_ms,
		      end_ms, now_ms, &l->sel);
	l->at = 0;
	l->empty = r->stream->empty_pages;
	return NULL;
}

static const char *bad(const struct request *r, enum fault_kind kind,
		       const char *otherwise)
{
	const struct fault *f = r->struck.by[kind];

	if (!f)
		return NULL;
	return f->value ? f->value : otherwise;
}

static void put_fragment(struct buf *b, const struct request *r,
			 const struct frag *f, int64_t i)
{
	const struct media *m = stream_media(r->stream, f);
	const char *number = NULL, *size = NULL, *length = NULL, *time = NULL;
	char producer[40], server[40];

	time_json(f->producer_ms, producer);
	time_json(f->server_ms, server);
	/* One spoilt entry among good ones; raw, so that it need not parse. */
	if (!i) {
		number = bad(r, FAULT_BAD_NUMBER, "../../x");
		size = bad(r, FAULT_BAD_SIZE, "-1");
		length = bad(r, FAULT_BAD_LENGTH, "-1");
		time = bad(r, FAULT_BAD_TIME, "1E300");
	}
	buf_printf(b, "%s{\"FragmentLengthInMilliseconds\":", i ? "," : "");
	if (length)
		buf_str(b, length);
	else
		buf_printf(b, "%" PRId64, media_listed_length_ms(m, f));
	buf_str(b, ",\"FragmentNumber\":");
	buf_json(b, number ? number : f->number);
	buf_str(b, ",\"FragmentSizeInBytes\":");
	if (size)
		buf_str(b, size);
	else
		buf_printf(b, "%" PRId64, media_listed_size(m, f));
	buf_printf(b, ",\"ProducerTimestamp\":%s,\"ServerTimestamp\":%s}",
		   time ? time : producer, server);
}

static enum MHD_Result reply_page(struct request *r, struct listing *l,
				  int64_t max)
{
	bool empty = l->empty > 0 || r->struck.by[FAULT_EMPTY_PAGE];
	struct buf b = {0};
	int64_t n = 0;

	if (l->empty > 0)
		l->empty--;
	buf_str(&b, "{\"Fragments\":[");
	while (!empty && n < max && l->at < l->sel.total) {
		struct frag f;

		stream_nth(r->stream, &l->sel,
			   shuffled(r->stream, l->at, l->sel.total), &f);
		put_fragment(&b, r, &f, n);
		n++;
		l->at++;
	}
	r->log.fragments = n;
	buf_str(&b, "],\"NextToken\":");
	if (empty || l->at < l->sel.total) {
		auto_char *next = make_token(r, l);

		buf_json(&b, next);
	} else {
		buf_str(&b, "null");
	}
	buf_str(&b, "}");
	return reply_spoilt(r, &b);
}

enum MHD_Result api_list_fragments(struct request *r)
{
	json_object *selector = request_member(r, "FragmentSelector");
	json_object *max_json = request_member(r, "MaxResults");
	const char *token = request_string(r, "NextToken");
	int64_t max = max_json ? json_object_get_int64(max_json)
			       : DEFAULT_MAX_RESULTS;
	struct stream *s = r->stream;
	struct listing l = {0};

	if (max < 1 || max > MAX_RESULTS)
		return reply_error(r, 400, "InvalidArgumentException",
				   "MaxResults must be between 1 and 1000.");
	if (!quota_take(&s->quota, &s->quota.points,
			server_limits(r->server).points, max))
		return reply_throttled(r);
	if (!token && !selector)
		/* What the service does; it is not a ValidationException. */
		return reply_error(r, 500, "InternalFailure",
				   "Internal service error");
	if (token) {
		if (!read_token(r, token, &l))
			return reply_error(r, 400, "InvalidArgumentException",
					   "Invalid NextToken.");
	} else {
		auto_char *why = read_selector(r, selector, &l);

		if (why)
			return reply_error(r, 400, "InvalidArgumentException",
					   "%s", why);
	}
	enum MHD_Result rc = reply_page(r, &l, max);

	selection_free(&l.sel);
	return rc;
}
