/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/control_fragments.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/config.h"

#define CHUNK_BYTES   (256 * 1024)
#define DEFAULT_LIMIT 100000

static void put(struct buf *b, const struct stream *s, const struct frag *f)
{
	const struct media *m = stream_media(s, f);
	char producer[40], server[40];
	struct doc d = {0};

	doc_fragment(&d, m, f, true);
	time_iso(f->producer_ms, producer);
	time_iso(f->server_ms, server);
	buf_printf(b,
		   "{\"number\":\"%s\",\"producer_ms\":%" PRId64
		   ",\"server_ms\":%" PRId64 ",\"producer\":\"%s\","
		   "\"server\":\"%s\",\"length_ms\":%" PRId64
		   ",\"size_bytes\":%" PRId64 ",\"document_bytes\":%" PRIu64
		   ",\"cluster\":%" PRId64 "}",
		   f->number, f->producer_ms, f->server_ms, producer, server,
		   media_listed_length_ms(m, f), media_listed_size(m, f),
		   d.size, f->index % s->n_templates);
	doc_free(&d);
}

static int by_producer(const void *a, const void *b)
{
	const struct frag *x = a, *y = b;

	if (x->producer_ms != y->producer_ms)
		return (x->producer_ms > y->producer_ms) -
		       (x->producer_ms < y->producer_ms);
	return strcmp(x->number, y->number);
}

static bool time_arg(struct request *r, const char *name, int64_t otherwise,
		     int64_t *ret_ms)
{
	const char *s = control_arg(r, name);

	*ret_ms = otherwise;
	return !s || time_parse(s, wall_now_ms(&r->server->wall), ret_ms);
}

enum MHD_Result control_get_fragments(struct request *r)
{
	const char *name = control_arg(r, "stream");
	const char *axis = control_arg(r, "axis");
	const char *limit = control_arg(r, "limit");
	struct stream *s = name ? server_stream(r->server, name) : NULL;
	int64_t now_ms = wall_now_ms(&r->server->wall);
	int64_t max = limit ? strtoll(limit, NULL, 10) : DEFAULT_LIMIT;
	int64_t start_ms, end_ms;
	struct selection sel;
	struct buf b = {0};

	if (!s)
		return control_fail(r, "no such stream");
	if (!time_arg(r, "start", 0, &start_ms) ||
	    !time_arg(r, "end", INT64_C(253402300799000), &end_ms))
		return control_fail(r, "start or end is not a time");
	stream_select(s, axis && !strcmp(axis, "server"), start_ms, end_ms,
		      now_ms, &sel);
	if (max > sel.total)
		max = sel.total;
	/* All extras and the first of the grid, then the first of both. */
	int64_t of_grid = sel.hi_rank - sel.lo_rank;
	int64_t take = of_grid < max ? of_grid : max;
	int64_t n = take + (sel.total - of_grid);
	struct frag *list = xcalloc((size_t)n, sizeof(*list));

	for (int64_t i = 0; i < n; i++)
		stream_nth(s, &sel, i < take ? i : of_grid + (i - take),
			   &list[i]);
	qsort(list, (size_t)n, sizeof(*list), by_producer);
	buf_printf(&b, "{\"total\":%" PRId64 ",\"fragments\":[", sel.total);
	for (int64_t i = 0; i < max; i++) {
		if (i)
			buf_str(&b, ",");
		put(&b, s, &list[i]);
	}
	buf_str(&b, "]}");
	free(list);
	selection_free(&sel);
	return reply_json(r, 200, &b);
}

enum MHD_Result control_post_fragments(struct request *r)
{
	const char *name = request_string(r, "stream");
	json_object *list = request_member(r, "fragments");
	struct stream *s = name ? server_stream(r->server, name) : NULL;
	int64_t now_ms = wall_now_ms(&r->server->wall);
	auto_buf b = {0};

	if (!s)
		return control_fail(r, "no such stream");
	if (!json_object_is_type(list, json_type_array))
		return control_fail(r, "fragments is not a list");
	buf_str(&b, "{\"fragments\":[");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		auto_char *why = NULL;
		struct extra x;
		struct frag f;

		if (config_extra(json_object_array_get_idx(list, i), now_ms, &x,
				 &why))
			return control_fail(r, why);
		stream_add(s, &x, &f);
		if (i)
			buf_str(&b, ",");
		put(&b, s, &f);
	}
	buf_str(&b, "]}");
	return reply_json(r, 200, &b);
}

static ssize_t doc_reader(void *cls, uint64_t at, char *out, size_t n)
{
	size_t got = doc_read(cls, at, out, n);

	return got ? (ssize_t)got : MHD_CONTENT_READER_END_OF_STREAM;
}

static void doc_done(void *cls)
{
	doc_free(cls);
	free(cls);
}

enum MHD_Result control_get_media(struct request *r)
{
	const char *name = control_arg(r, "stream");
	const char *number = control_arg(r, "number");
	struct stream *s = name ? server_stream(r->server, name) : NULL;
	struct frag f;

	if (!s || !number)
		return control_fail(r, "no such stream, or no number");
	if (!stream_find(s, number, wall_now_ms(&r->server->wall), &f))
		return control_fail(r, "no such fragment");
	struct doc *d = xcalloc(1, sizeof(*d));

	doc_fragment(d, stream_media(s, &f), &f, false);
	return reply_response(
		r, 200, "video/webm",
		MHD_create_response_from_callback(d->size, CHUNK_BYTES,
						  doc_reader, d, doc_done));
}
