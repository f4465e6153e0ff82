/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/aws/sigv4.h"

#include "fs/aws/canonical.h"
#include "fs/aws/credentials.h"
#include "fs/aws/digest.h"
#include "fs/base/utc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <errno.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

static void hmac(const void *key, size_t key_n, const char *text,
		 unsigned char out[SHA256_DIGEST_LENGTH])
{
	if (!HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text,
		  strlen(text), out, NULL))
		g_error("OpenSSL cannot do HMAC-SHA-256");
}

/* HMAC over date, region, service and "aws4_request", each keyed by the one
 * before; then over the string to sign. */
static char *sign(const char *secret, const char *date,
		  const struct sigv4_scope *scope, const char *string_to_sign)
{
	const char *const steps[] = {date, scope->region, scope->service,
				     "aws4_request", string_to_sign};
	unsigned char key[SHA256_DIGEST_LENGTH], next[SHA256_DIGEST_LENGTH];
	char *first = g_strconcat("AWS4", secret, NULL);
	char *hex = g_malloc(AWS_SHA256_HEX_SIZE);
	size_t first_n = strlen(first);

	hmac(first, first_n, steps[0], key);
	OPENSSL_cleanse(first, first_n);
	g_free(first);
	for (size_t i = 1; i < G_N_ELEMENTS(steps); i++) {
		hmac(key, sizeof(key), steps[i], next);
		memcpy(key, next, sizeof(key));
	}
	aws_hex(key, sizeof(key), hex);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(next, sizeof(next));
	return hex;
}

static bool headers_ok(const struct sigv4_request *r)
{
	bool host = false;

	for (size_t i = 0; i < r->n_headers; i++) {
		if (!*r->headers[i].name)
			return false;
		host |= !g_ascii_strcasecmp(r->headers[i].name, "host");
	}
	return host;
}

static void add_header(GArray *headers, const char *name, const char *value)
{
	struct sigv4_header h = {name, value};

	g_array_append_val(headers, h);
}

static char *canonical_request(const struct sigv4_request *r, bool normalize,
			       const GArray *headers, const char *body_hex,
			       GString *names)
{
	g_autofree char *path = aws_canonical_path(r->path, normalize);
	g_autofree char *query = aws_canonical_query(r->query);
	g_autoptr(GString) lines = g_string_new(NULL);

	aws_canonical_headers(
		(const struct sigv4_header *)(const void *)headers->data,
		headers->len, lines, names);
	return g_strdup_printf("%s\n%s\n%s\n%s\n%s\n%s", r->method, path, query,
			       lines->str, names->str, body_hex);
}

static GPtrArray *header_lines(const struct sigv4_scope *scope,
			       const struct aws_credentials *c,
			       const char *stamp, const char *body_hex)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(lines, g_strdup_printf("X-Amz-Date: %s", stamp));
	if (c->session_token)
		g_ptr_array_add(lines,
				g_strdup_printf("X-Amz-Security-Token: %s",
						c->session_token));
	if (scope->sign_body_header)
		g_ptr_array_add(
			lines,
			g_strdup_printf("X-Amz-Content-Sha256: %s", body_hex));
	return lines;
}

int sigv4_sign(const struct sigv4_request *r, const struct sigv4_scope *scope,
	       const struct aws_credentials *c, struct sigv4_result *ret)
{
	struct utc t = utc_from_ms(scope->now_ms);
	g_autofree char *date = g_strdup_printf("%04d%02d%02d", t.year, t.month,
						t.day);
	g_autofree char *stamp = g_strdup_printf("%sT%02d%02d%02dZ", date,
						 t.hour, t.minute, t.second);
	g_autofree char *place = g_strdup_printf("%s/%s/%s/aws4_request", date,
						 scope->region, scope->service);
	g_autoptr(GArray) headers = g_array_new(FALSE, FALSE,
						sizeof(struct sigv4_header));
	g_autoptr(GString) names = g_string_new(NULL);
	char body_hex[AWS_SHA256_HEX_SIZE], request_hex[AWS_SHA256_HEX_SIZE];

	if (!headers_ok(r))
		return -EINVAL;
	aws_sha256_hex(r->body, r->body_bytes, body_hex);
	g_array_append_vals(headers, r->headers, (guint)r->n_headers);
	add_header(headers, "x-amz-date", stamp);
	if (c->session_token && !scope->omit_session_token)
		add_header(headers, "x-amz-security-token", c->session_token);
	if (scope->sign_body_header)
		add_header(headers, "x-amz-content-sha256", body_hex);

	ret->canonical_request = canonical_request(r, scope->normalize_path,
						   headers, body_hex, names);
	aws_sha256_hex(ret->canonical_request, strlen(ret->canonical_request),
		       request_hex);
	ret->string_to_sign = g_strdup_printf("%s\n%s\n%s\n%s", ALGORITHM,
					      stamp, place, request_hex);
	ret->signature = sign(c->secret_access_key, date, scope,
			      ret->string_to_sign);
	ret->header_lines = header_lines(scope, c, stamp, body_hex);
	g_ptr_array_add(ret->header_lines,
			g_strdup_printf("Authorization: %s Credential=%s/%s, "
					"SignedHeaders=%s, Signature=%s",
					ALGORITHM, c->access_key_id, place,
					names->str, ret->signature));
	return 0;
}

void sigv4_result_release(struct sigv4_result *r)
{
	g_clear_pointer(&r->canonical_request, g_free);
	g_clear_pointer(&r->string_to_sign, g_free);
	g_clear_pointer(&r->signature, g_free);
	g_clear_pointer(&r->header_lines, g_ptr_array_unref);
}
