/* SPDX-License-Identifier: MIT */
/* What every answer has, errors as the service writes them, and tokens. */
#include "tests/kvs-server/server.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_ORIGIN \
	":http://internal.amazon.com/coral/com.amazonaws.kinesisvideo/"

enum MHD_Result reply_response(struct request *r, int status,
			       const char *content_type,
			       struct MHD_Response *response)
{
	char date[40];

	time_http(wall_now_ms(&r->server->wall), date);
	MHD_add_response_header(response, "Date", date);
	MHD_add_response_header(response, "Content-Type", content_type);
	if (r->log.request_id[0])
		MHD_add_response_header(response, "x-amzn-RequestId",
					r->log.request_id);
	enum MHD_Result rc = MHD_queue_response(r->connection, (unsigned)status,
						response);

	MHD_destroy_response(response);
	return rc;
}

enum MHD_Result reply_json(struct request *r, int status, struct buf *body)
{
	size_t n = body->n;
	struct MHD_Response *response = MHD_create_response_from_buffer(
		n, buf_steal(body), MHD_RESPMEM_MUST_FREE);

	r->log.status = status;
	r->log.bytes = (int64_t)n;
	request_count(r);
	return reply_response(r, status, "application/json", response);
}

/* Where the error's name goes; the service itself uses the first. */
static void name_error(struct MHD_Response *response, const char *where,
		       const char *name)
{
	auto_char *value = xprintf("%s" ERROR_ORIGIN, name);

	if (!strcmp(where, "amzn"))
		MHD_add_response_header(response, "x-amzn-ErrorType", value);
	else if (!strcmp(where, "amz"))
		MHD_add_response_header(response, "x-amz-ErrorType", value);
}

enum MHD_Result reply_error(struct request *r, int status, const char *name,
			    const char *fmt, ...)
{
	const struct fault *f = r->struck.by[FAULT_ERROR];
	const char *where = f && f->header ? f->header : "amzn";
	/* Errors of the front door spell it in lower case. */
	bool modelled = status != 403;
	auto_char *message = NULL;
	auto_buf body = {0};
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	buf_str(&body, modelled ? "{\"Message\":" : "{\"message\":");
	buf_json(&body, message);
	if (!strcmp(where, "body")) {
		buf_str(&body, ",\"code\":");
		buf_json(&body, name);
	}
	buf_str(&body, "}");
	snprintf(r->log.error, sizeof(r->log.error), "%s", name);
	r->log.status = status;
	r->log.bytes = (int64_t)body.n;
	request_count(r);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body.n, body.p, MHD_RESPMEM_MUST_COPY);

	name_error(response, where, name);
	return reply_response(r, status, "application/json", response);
}

static uint64_t token_check(const char *text)
{
	return hash_str(text, 0x746f6b656e);
}

char *token_make(const char *text)
{
	auto_char *plain = xprintf("%016llx%s",
				   (unsigned long long)token_check(text), text);
	size_t n = strlen(plain);
	char *out = xcalloc(1, n * 4 / 3 + 8);

	EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)plain,
			(int)n);
	return out;
}

char *token_read(const char *token)
{
	size_t n = strlen(token);
	auto_char *plain = xcalloc(1, n + 4);

	if (!n || n > 4096 || n % 4 ||
	    EVP_DecodeBlock((unsigned char *)plain,
			    (const unsigned char *)token, (int)n) < 0 ||
	    strlen(plain) < 17)
		return NULL;
	auto_char *own = xprintf("%016llx",
				 (unsigned long long)token_check(plain + 16));

	return strncmp(own, plain, 16) ? NULL : xstrdup(plain + 16);
}
