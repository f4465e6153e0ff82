/* SPDX-License-Identifier: MIT */
/*
 * check_media: the stream's oldest and newest fragment, and one fragment whole.
 */
#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "fs/aws/settings.h"
#include "fs/base/clock.h"
#include "fs/base/utc.h"
#include "fs/cli/check.h"
#include "fs/kvs/kvs.h"
#include "fs/mkv/reader.h"

#define PAGE 100
/* An empty page with a token says nothing; but not for ever. */
#define EMPTY_PAGES_MAX 20
/* Halving ten years down to a second takes 29 steps, each two calls at most. */
#define STEPS_MAX 80
/* In-band errors of the KMS key, kvs-facts of GetMedia: 4500 to 4506. */
#define KMS_ERROR_MIN 4500
#define KMS_ERROR_MAX 4506

/* ---- ListFragments ------------------------------------------------------ */

struct page {
	struct check_call call;
	int64_t start_ms, end_ms;
	bool newest;
	char *token;
	/* What it holds. */
	size_t n;
	bool more;
	struct kvs_fragment best;
};

static bool better(const struct page *p, const struct kvs_fragment *f)
{
	return p->n == 0 || (f->server_ms > p->best.server_ms) == p->newest;
}

static void on_page(void *user, const struct kvs_error *e,
		    const struct kvs_fragment *fragments, size_t n,
		    const char *next_token)
{
	struct page *p = user;

	for (size_t i = 0; i < n; i++) {
		/* Whole seconds are asked for, and both ends are. */
		if (fragments[i].server_ms < p->start_ms ||
		    fragments[i].server_ms >= p->end_ms)
			continue;
		if (better(p, &fragments[i]))
			p->best = fragments[i];
		p->n++;
	}
	g_free(p->token);
	p->token = g_strdup(next_token);
	p->more = next_token != NULL;
	check_call_done(&p->call, e);
}

static void start_page(struct check_call *call)
{
	struct page *p = (struct page *)call;
	const struct kvs_list_query q = {
		.arn = call->check->arn,
		.axis = KVS_SERVER_TIME,
		.start_ms = p->start_ms,
		.end_ms = p->end_ms,
		.max_results = PAGE,
		.next_token = p->token,
	};

	kvs_list_fragments(call->check->client, &q, CHECK_DEADLINE_MS, on_page,
			   p);
}

/* [start, end): whether it holds anything, one fragment of it, and whether
 * that is all.  The call's rc; release the answer. */
static int list(struct check *c, struct page *p)
{
	int rc;

	p->n = 0;
	p->token = NULL;
	for (int i = 0;; i++) {
		check_call_run(c, &p->call);
		rc = p->call.answer.rc;
		if (rc || p->n || !p->more || i == EMPTY_PAGES_MAX)
			break;
		check_answer_release(&p->call.answer);
	}
	g_clear_pointer(&p->token, g_free);
	/* Older than what is kept: nothing is there. */
	return rc == -ERANGE ? 0 : rc;
}

/*
 * The first or last fragment of the window, by halving it.  0, with n 0 where
 * there is none; or the failure in *ret_answer.
 */
static int find_edge(struct check *c, bool newest, struct page *ret,
		     struct check_answer *ret_answer)
{
	int64_t now_ms = clock_realtime_ms(&clock_system) + c->clock_offset_ms +
			 UTC_MINUTE_MS;
	int64_t lo = MAX(c->created_ms, now_ms - c->retention_ms), hi = now_ms;
	int64_t other_lo = 0, other_hi = 0;
	bool halved = false;

	for (int i = 0; i < STEPS_MAX; i++) {
		struct page p = {.call.start = start_page,
				 .start_ms = lo,
				 .end_ms = hi,
				 .newest = newest};
		int64_t middle = lo + (hi - lo) / 2;
		int rc = list(c, &p);

		*ret_answer = p.call.answer;
		if (rc)
			return rc;
		if (p.n)
			*ret = p;
		if (!p.n && !halved)
			return 0;
		if (p.n && (!p.more || hi - lo <= 2000))
			return 0;
		if (p.n) {
			halved = true;
			other_lo = newest ? lo : middle;
			other_hi = newest ? middle : hi;
			lo = newest ? middle : lo;
			hi = newest ? hi : middle;
		} else {
			lo = other_lo;
			hi = other_hi;
		}
		check_answer_release(ret_answer);
	}
	return 0;
}

static char *describe(const struct kvs_fragment *f)
{
	struct utc t = utc_from_ms(f->producer_ms);

	return g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02dZ", t.year,
			       t.month, t.day, t.hour, t.minute, t.second);
}

/* ---- GetMediaForFragmentList -------------------------------------------- */

struct media {
	struct check_call call;
	const char *number;
	int64_t began_ms, first_ms;
	int64_t bytes;
	struct mkv_reader *reader;
	bool whole;
	struct mkv_document document;
};

static int on_document(void *user, const struct mkv_document *d,
		       int64_t *ret_length_ms)
{
	struct media *m = user;

	m->document = *d;
	return 1; /* its bytes are not needed */
}

static int on_data(void *user, const void *bytes, size_t n)
{
	return 0;
}

static int on_document_end(void *user)
{
	struct media *m = user;

	m->whole = true;
	return 0;
}

static int on_bytes(void *user, const void *bytes, size_t n)
{
	struct media *m = user;

	if (m->bytes == 0)
		m->first_ms = clock_monotonic_ms(&clock_system) - m->began_ms;
	m->bytes += (int64_t)n;
	return mkv_reader_feed(m->reader, bytes, n);
}

static void on_media(void *user, const struct kvs_error *e)
{
	struct media *m = user;

	if (!e->rc)
		mkv_reader_finish(m->reader);
	check_call_done(&m->call, e);
}

static void start_media(struct check_call *call)
{
	static const struct kvs_media_ops ops = {on_bytes, on_media};
	struct media *m = (struct media *)call;
	const char *const numbers[] = {m->number};

	m->began_ms = clock_monotonic_ms(&clock_system);
	kvs_get_media(call->check->client, call->check->arn, numbers, 1,
		      CHECK_DEADLINE_MS, &ops, m);
}

static void got_media(struct check *c, const struct media *m)
{
	const struct mkv_document *d = &m->document;
	bool kms = d->error_id >= KMS_ERROR_MIN && d->error_id <= KMS_ERROR_MAX;

	if (d->has_error)
		report_add(c->report, "GetMediaForFragmentList", REPORT_FAIL,
			   m->call.answer.took_ms,
			   kms ? "the stream's KMS key has to be enabled, and "
				 "to allow kms:Decrypt"
			       : "look at another stream, or try again",
			   "fragment %s: %s (error %d) %s", m->number,
			   d->error_code, d->error_id, d->error_message);
	else if (!m->whole || !d->has_cluster)
		report_add(c->report, "GetMediaForFragmentList", REPORT_FAIL,
			   m->call.answer.took_ms,
			   "what answers there is perhaps not Kinesis Video "
			   "Streams",
			   "%" PRId64 " bytes came that are no whole fragment",
			   m->bytes);
	else
		report_add(c->report, "GetMediaForFragmentList", REPORT_OK,
			   m->call.answer.took_ms, NULL,
			   "%" PRId64 " bytes, the first after %" PRId64 " ms",
			   m->bytes, m->first_ms);
}

static void check_one(struct check *c, const struct kvs_fragment *f)
{
	static const struct mkv_reader_ops ops = {on_document, on_data,
						  on_document_end};
	struct media m = {.call.start = start_media, .number = f->number};

	m.reader = mkv_reader_new(&ops, true, &m);
	check_call_run(c, &m.call);
	if (m.call.answer.rc && m.call.answer.rc != -EBADMSG)
		check_call_failed(c, "GetMediaForFragmentList", &m.call.answer);
	else
		got_media(c, &m);
	check_answer_release(&m.call.answer);
	mkv_reader_free(m.reader);
}

/* ---- both --------------------------------------------------------------- */

static void nothing(struct check *c, int64_t took_ms)
{
	report_add(c->report, "ListFragments", REPORT_WARN, took_ms,
		   "check that the producer is sending",
		   "no fragment in all of the retention period");
	report_add(c->report, "GetMediaForFragmentList", REPORT_SKIP, -1, NULL,
		   "there is no fragment to get");
}

static void both(struct check *c, const struct page *newest,
		 const struct page *oldest, int64_t took_ms)
{
	g_autofree char *last = describe(&newest->best);
	g_autofree char *first = describe(&oldest->best);

	report_add(c->report, "ListFragments", REPORT_OK, took_ms, NULL,
		   "oldest %s, newest %s", first, last);
}

void check_media(struct check *c)
{
	struct page newest = {.n = 0}, oldest = {.n = 0};
	struct check_answer a = {0};
	int64_t took_ms;

	if (c->retention_ms == 0) {
		report_add(c->report, "ListFragments", REPORT_SKIP, -1, NULL,
			   "the stream keeps no data");
		report_add(c->report, "GetMediaForFragmentList", REPORT_SKIP,
			   -1, NULL, "the stream keeps no data");
		return;
	}
	if (find_edge(c, true, &newest, &a)) {
		check_call_failed(c, "ListFragments", &a);
		report_add(c->report, "GetMediaForFragmentList", REPORT_SKIP,
			   -1, NULL, "no fragment is known");
		check_answer_release(&a);
		return;
	}
	took_ms = a.took_ms;
	check_answer_release(&a);
	if (newest.n && find_edge(c, false, &oldest, &a) == 0 && oldest.n)
		both(c, &newest, &oldest, took_ms);
	else if (newest.n)
		check_call_failed(c, "ListFragments", &a);
	else
		nothing(c, took_ms);
	check_answer_release(&a);
	if (newest.n)
		check_one(c, &newest.best);
}
