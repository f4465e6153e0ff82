/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/canonical.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_PARAMETERS 64 /* of a query */

static void hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

void sha256_hex(const void *p, size_t n, char out[HEX_SHA256])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256(p, n, digest);
	hex(digest, sizeof(digest), out);
}

static void hmac(const uint8_t *key, size_t key_n, const char *text,
		 uint8_t out[SHA256_DIGEST_LENGTH])
{
	HMAC(EVP_sha256(), key, (int)key_n, (const uint8_t *)text, strlen(text),
	     out, NULL);
}

/* Trimmed, runs of spaces made one. */
static void canonical_value(struct buf *b, const char *v)
{
	while (*v == ' ' || *v == '\t')
		v++;
	size_t n = strlen(v);

	while (n && (v[n - 1] == ' ' || v[n - 1] == '\t'))
		n--;
	for (size_t i = 0; i < n; i++)
		if (v[i] != ' ' || v[i + 1] != ' ' || i + 1 >= n)
			buf_put(b, v + i, 1);
}

static bool canonical_header(struct buf *b, const struct signed_request *r,
			     const char *name)
{
	bool any = false;

	for (size_t i = 0; i < r->n_headers; i++) {
		if (strcasecmp(r->headers[i].name, name))
			continue;
		if (any)
			buf_str(b, ",");
		else
			buf_printf(b, "%s:", name);
		any = true;
		canonical_value(b, r->headers[i].value);
	}
	if (any)
		buf_str(b, "\n");
	return any;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void canonical_query(struct buf *b, const char *query)
{
	auto_char *copy = xstrdup(query);
	char *parts[MAX_PARAMETERS] = {NULL}, *save = NULL;
	size_t n = 0;

	for (char *p = strtok_r(copy, "&", &save); p && n < MAX_PARAMETERS;
	     p = strtok_r(NULL, "&", &save))
		parts[n++] = p;
	qsort(parts, n, sizeof(parts[0]), by_text);
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%s%s", i ? "&" : "", parts[i],
			   strchr(parts[i], '=') ? "" : "=");
}

/* Every byte of the path as sent is encoded once more, but for S3. */
static void canonical_path(struct buf *b, const char *path)
{
	for (; *path; path++)
		if (isalnum((unsigned char)*path) || strchr("/-._~", *path))
			buf_put(b, path, 1);
		else
			buf_printf(b, "%%%02X", (unsigned char)*path);
}

char *canonical_request(struct buf *b, const struct signed_request *r,
			const char *signed_headers)
{
	auto_char *list = xstrdup(signed_headers);
	char payload[HEX_SHA256], *save = NULL;

	buf_printf(b, "%s\n", r->method);
	canonical_path(b, r->path);
	buf_str(b, "\n");
	canonical_query(b, r->query);
	buf_str(b, "\n");
	for (char *h = strtok_r(list, ";", &save); h;
	     h = strtok_r(NULL, ";", &save))
		if (!canonical_header(b, r, h))
			return xprintf("Signed header '%s' is not in the "
				       "request.",
				       h);
	sha256_hex(r->body, r->body_bytes, payload);
	buf_printf(b, "\n%s\n%s", signed_headers, payload);
	buf_put(b, "", 1);
	return NULL;
}

void canonical_signature(const char *secret, const char *date,
			 const char *region, const char *service,
			 const char *string_to_sign, char out[HEX_SHA256])
{
	uint8_t key[SHA256_DIGEST_LENGTH], next[SHA256_DIGEST_LENGTH];
	auto_char *first = xprintf("AWS4%s", secret);
	const char *steps[] = {date, region, service, "aws4_request",
			       string_to_sign};

	hmac((const uint8_t *)first, strlen(first), steps[0], key);
	for (size_t i = 1; i < 5; i++) {
		hmac(key, sizeof(key), steps[i], next);
		memcpy(key, next, sizeof(key));
	}
	hex(key, sizeof(key), out);
}
