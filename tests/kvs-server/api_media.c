/* SPDX-License-Identifier: MIT */
/* GetMediaForFragmentList: which documents, then their bytes, chunk by chunk.
 */
#include "tests/kvs-server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/spoil.h"

#define MAX_FRAGMENTS 1000
#define CHUNK_BYTES   (256 * 1024)
#define BURST_BYTES   (64 * 1024) /* sent ahead of the bandwidth's clock */
#define STALL_US      20000

struct item {
	struct frag frag;
	int error; /* 0: the fragment itself */
	bool exception;
	char code[64];
};

struct call {
	struct request *request;
	struct item *items;
	size_t n, at;
	bool open; /* doc is items[at] */
	struct doc doc;
	uint64_t doc_at, sent;
	uint64_t cut, stall, garbage; /* UINT64_MAX: never */
	uint64_t stall_id;
	bool clean;
	int64_t bytes_per_s, begun_us;
};

static void call_free(void *cls)
{
	struct call *c = cls;

	if (c->open)
		doc_free(&c->doc);
	free(c->items);
	free(c);
}

static ssize_t finish(struct call *c, ssize_t verdict)
{
	struct request *r = c->request;

	r->log.bytes = (int64_t)c->sent;
	r->log.status = 200;
	if (verdict != MHD_CONTENT_READER_END_OF_STREAM)
		snprintf(r->log.error, sizeof(r->log.error), "cut");
	request_count(r);
	return verdict;
}

static void open_next(struct call *c)
{
	const struct item *i = &c->items[c->at];

	if (i->error)
		doc_error(&c->doc, i->frag.number, i->exception, i->error,
			  i->code);
	else
		doc_fragment(&c->doc,
			     stream_media(c->request->stream, &i->frag),
			     &i->frag, false);
	c->doc_at = 0;
	c->open = true;
}

/* How many bytes may go out now; 0: the client has gone. */
static uint64_t allowed(struct call *c)
{
	struct server *s = c->request->server;
	int fd = c->request->fd;

	while (c->sent == c->stall && !faults_released(&s->faults, c->stall_id))
		if (!request_wait(s, fd, STALL_US))
			return 0;
	if (c->sent == c->stall)
		c->stall = UINT64_MAX;
	uint64_t n = CHUNK_BYTES;

	if (c->stall - c->sent < n)
		n = c->stall - c->sent;
	if (c->cut - c->sent < n)
		n = c->cut - c->sent;
	if (!c->bytes_per_s)
		return n;
	if (n > BURST_BYTES)
		n = BURST_BYTES;
	int64_t due_us =
		(int64_t)((double)c->sent * 1e6 / (double)c->bytes_per_s) -
		(mono_us() - c->begun_us);

	return due_us > 0 && !request_wait(s, fd, due_us) ? 0 : n;
}

/* Up to n bytes of the document that is open. */
static size_t read_doc(struct call *c, char *out, size_t n)
{
	n = doc_read(&c->doc, c->doc_at, out, n);
	if (c->sent + n > c->garbage) {
		size_t good = c->sent < c->garbage
				      ? (size_t)(c->garbage - c->sent)
				      : 0;

		memset(out + good, 0xAA, n - good);
	}
	c->doc_at += n;
	c->sent += n;
	if (c->doc_at == c->doc.size) {
		doc_free(&c->doc);
		c->open = false;
		if (!c->items[c->at++].error)
			c->request->log.fragments++;
	}
	return n;
}

static ssize_t call_read(void *cls, uint64_t at, char *out, size_t max)
{
	struct call *c = cls;
	size_t n = 0;

	if (c->sent >= c->cut)
		return finish(c, c->clean ? MHD_CONTENT_READER_END_OF_STREAM
					  : MHD_CONTENT_READER_END_WITH_ERROR);
	if (!c->open && c->at == c->n)
		return finish(c, MHD_CONTENT_READER_END_OF_STREAM);
	uint64_t may = allowed(c);

	if (!may)
		return finish(c, MHD_CONTENT_READER_END_WITH_ERROR);
	if (may < max)
		max = (size_t)may;
	while (n < max && (c->open || c->at < c->n)) {
		if (!c->open)
			open_next(c);
		n += read_doc(c, out + n, max - n);
	}
	return (ssize_t)n;
}

static bool owned_elsewhere(struct request *r, const char *number)
{
	struct server *s = r->server;

	for (size_t i = 0; i < s->n_streams; i++)
		if (s->streams[i] != r->stream &&
		    stream_owns(s->streams[i], number))
			return true;
	return false;
}

static void not_found(struct request *r, struct item *i)
{
	const struct fault *f = r->struck.by[FAULT_NOT_FOUND];

	i->exception = f && f->has_exception ? f->exception
					     : r->stream->exception_tags;
	i->error = i->exception ? 4000 : 3000;
	snprintf(i->code, sizeof(i->code), "%s",
		 i->exception ? "Requested fragment is not found"
			      : "FRAGMENT_NOT_FOUND");
}

static void in_band(struct request *r, struct item *i)
{
	const struct fault *f = r->struck.by[FAULT_IN_BAND];

	i->exception = f->has_exception ? f->exception
					: r->stream->exception_tags;
	i->error = f->code ? (int)f->code : 5000;
	snprintf(i->code, sizeof(i->code), "%s",
		 f->name ? f->name : "INTERNAL_ERROR");
}

/* What one number of the request becomes: nothing, one or two items. */
static bool add_item(struct request *r, struct call *c, const char *number,
		     int64_t k)
{
	struct item i = {.error = 0};
	struct fault *const *by = r->struck.by;
	struct number ignored;

	if (!number || !number_is_legal(number))
		return false;
	snprintf(i.frag.number, sizeof(i.frag.number), "%s", number);
	if (!stream_find(r->stream, number, wall_now_ms(&r->server->wall),
			 &i.frag)) {
		if (!stream_owns(r->stream, number) &&
		    (!number_parse(number, &ignored) ||
		     owned_elsewhere(r, number)))
			return false;
		not_found(r, &i);
	} else if (i.frag.lost) {
		not_found(r, &i);
	}
	if (fault_meets(by[FAULT_MISSING], k, number))
		return true;
	if (fault_meets(by[FAULT_NOT_FOUND], k, number))
		not_found(r, &i);
	if (fault_meets(by[FAULT_IN_BAND], k, number))
		in_band(r, &i);
	c->items[c->n++] = i;
	if (fault_meets(by[FAULT_DUPLICATE], k, number))
		c->items[c->n++] = i;
	return true;
}

static int by_number(const void *a, const void *b)
{
	const char *x = ((const struct item *)a)->frag.number;
	const char *y = ((const struct item *)b)->frag.number;
	size_t n = strlen(x), m = strlen(y);

	return n != m ? (n > m) - (n < m) : strcmp(x, y);
}

static void put_in_order(const struct stream *s, struct call *c)
{
	if (s->order != ORDER_REQUEST)
		qsort(c->items, c->n, sizeof(*c->items), by_number);
	if (s->order != ORDER_SHUFFLED)
		return;
	for (size_t i = c->n; i-- > 1;) {
		size_t k = (size_t)(hash64(s->seed + i) % (i + 1));
		struct item t = c->items[i];

		c->items[i] = c->items[k];
		c->items[k] = t;
	}
}

static void stop_at_error(const struct request *r, struct call *c)
{
	const struct fault *n = r->struck.by[FAULT_NOT_FOUND];
	const struct fault *b = r->struck.by[FAULT_IN_BAND];

	if (!r->stream->stop_after_error && !(n && n->stop) && !(b && b->stop))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].error)
			c->n = i + 1;
}

static void set_faults(const struct request *r, struct call *c)
{
	const struct fault *cut = r->struck.by[FAULT_CUT];
	const struct fault *stall = r->struck.by[FAULT_STALL];
	const struct fault *garbage = r->struck.by[FAULT_GARBAGE];

	c->cut = cut ? (uint64_t)cut->bytes : UINT64_MAX;
	c->clean = cut && cut->clean;
	c->stall = stall ? (uint64_t)stall->bytes : UINT64_MAX;
	c->stall_id = stall ? stall->id : 0;
	c->garbage = garbage ? (uint64_t)garbage->bytes : UINT64_MAX;
}

static bool take_quotas(struct request *r, int64_t n, enum MHD_Result *ret)
{
	struct quota_limits l = server_limits(r->server);
	struct quota *q = &r->stream->quota;

	if (!quota_take(q, &q->media, l.calls, 1) ||
	    !quota_take(q, &q->fragments, l.fragments, n)) {
		*ret = reply_throttled(r);
		return false;
	}
	r->connected = quota_connect(q, l.connections);
	if (!r->connected)
		*ret = reply_error(r, 400, "ConnectionLimitExceededException",
				   "Connection limit exceeded for the stream");
	return r->connected;
}

static enum MHD_Result refuse_numbers(struct request *r, json_object *list,
				      struct call *c)
{
	enum MHD_Result rc = reply_error(
		r, 400, "InvalidArgumentException",
		"Fragment numbers are invalid : %s",
		json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));

	call_free(c);
	return rc;
}

enum MHD_Result api_get_media(struct request *r)
{
	json_object *list = request_member(r, "Fragments");
	size_t n = json_object_is_type(list, json_type_array)
			   ? json_object_array_length(list)
			   : 0;
	enum MHD_Result rc;

	if (n < 1 || n > MAX_FRAGMENTS)
		return reply_error(r, 400, "InvalidArgumentException",
				   "Fragments must hold 1 to 1000 numbers.");
	if (!take_quotas(r, (int64_t)n, &rc))
		return rc;
	struct call *c = xcalloc(1, sizeof(*c));

	c->request = r;
	c->items = xcalloc(2 * n, sizeof(*c->items));
	c->begun_us = mono_us();
	c->bytes_per_s = server_limits(r->server).bytes;
	for (size_t i = 0; i < n; i++) {
		json_object *v = json_object_array_get_idx(list, i);

		if (!json_object_is_type(v, json_type_string) ||
		    !add_item(r, c, json_object_get_string(v), (int64_t)i))
			return refuse_numbers(r, list, c);
	}
	put_in_order(r->stream, c);
	stop_at_error(r, c);
	set_faults(r, c);
	return reply_response(
		r, 200, "video/webm",
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CHUNK_BYTES,
						  call_read, c, call_free));
}
