/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/spoil.h"

#include <stdlib.h>
#include <string.h>

#define HUGE_BYTES (INT64_C(64) << 20)
#define HUGE_CHUNK 65536

/* A member that goes on and on, before the members that matter. */
struct huge {
	char *tail; /* the true answer without its "{" */
	size_t tail_n;
	uint64_t filler;
};
static const char huge_head[] = "{\"Filler\":\"";
static const char huge_mid[] = "\",";

static ssize_t huge_read(void *cls, uint64_t at, char *out, size_t n)
{
	const struct huge *h = cls;
	struct {
		const char *p;
		uint64_t n;
	} parts[] = {{huge_head, sizeof(huge_head) - 1},
		     {NULL, h->filler},
		     {huge_mid, sizeof(huge_mid) - 1},
		     {h->tail, h->tail_n}};

	for (size_t i = 0; i < 4; i++) {
		if (at >= parts[i].n) {
			at -= parts[i].n;
			continue;
		}
		if (n > parts[i].n - at)
			n = (size_t)(parts[i].n - at);
		if (parts[i].p)
			memcpy(out, parts[i].p + at, n);
		else
			memset(out, 'x', n);
		return (ssize_t)n;
	}
	return MHD_CONTENT_READER_END_OF_STREAM;
}

static void huge_free(void *cls)
{
	struct huge *h = cls;

	free(h->tail);
	free(h);
}

static enum MHD_Result reply_huge(struct request *r, const struct fault *f,
				  struct buf *body)
{
	struct huge *h = xcalloc(1, sizeof(*h));

	h->filler = (uint64_t)(f->bytes ? f->bytes : HUGE_BYTES);
	h->tail_n = body->n - 1;
	h->tail = xcalloc(1, body->n);
	memcpy(h->tail, body->p + 1, h->tail_n);
	buf_free(body);
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, HUGE_CHUNK, huge_read, h, huge_free);

	r->log.status = 200;
	request_count(r);
	return reply_response(r, 200, "application/json", response);
}

enum MHD_Result reply_spoilt(struct request *r, struct buf *body)
{
	if (r->struck.by[FAULT_NOT_JSON]) {
		body->n = 0;
		buf_str(body, "<html><body>It works!</body></html>");
	} else if (r->struck.by[FAULT_TRUNCATED_JSON]) {
		body->n /= 2;
	} else if (r->struck.by[FAULT_HUGE_JSON]) {
		return reply_huge(r, r->struck.by[FAULT_HUGE_JSON], body);
	}
	return reply_json(r, 200, body);
}
