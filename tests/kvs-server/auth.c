/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/auth.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/kvs-server/canonical.h"
#include "tests/kvs-server/wall.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SERVICE	  "kinesisvideo"
#define MAX_FIELD 2048
#define BAD_SECRET                                                            \
	"The request signature we calculated does not match the signature "   \
	"you provided. Check your AWS Secret Access Key and signing method. " \
	"Consult the service documentation for details."

void auth_init(struct auth *a, const char *region, int64_t max_skew_ms)
{
	*a = (struct auth){.max_skew_ms = max_skew_ms};
	a->region = xstrdup(region);
	pthread_mutex_init(&a->lock, NULL);
}

static void clear(struct credential *c)
{
	free(c->access_key);
	free(c->secret_key);
	free(c->token);
	*c = (struct credential){0};
}

void auth_free(struct auth *a)
{
	for (size_t i = 0; i < a->n; i++)
		clear(&a->list[i]);
	free(a->list);
	free(a->region);
}

static struct credential *find(struct auth *a, const char *access_key)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->list[i].access_key, access_key))
			return &a->list[i];
	return NULL;
}

void auth_set(struct auth *a, const char *access_key, const char *secret_key,
	      const char *token, bool expired)
{
	struct credential new = {.access_key = xstrdup(access_key),
				 .secret_key = xstrdup(secret_key),
				 .token = token && *token ? xstrdup(token)
							  : NULL,
				 .expired = expired};

	pthread_mutex_lock(&a->lock);
	struct credential *c = find(a, access_key);

	if (!c) {
		a->list = xrealloc(a->list, (a->n + 1) * sizeof(*a->list));
		c = &a->list[a->n++];
		*c = (struct credential){0};
	}
	clear(c);
	*c = new;
	pthread_mutex_unlock(&a->lock);
}

bool auth_remove(struct auth *a, const char *access_key)
{
	pthread_mutex_lock(&a->lock);
	struct credential *c = find(a, access_key);

	if (c) {
		clear(c);
		*c = a->list[--a->n];
	}
	pthread_mutex_unlock(&a->lock);
	return c != NULL;
}

static bool refuse(struct auth_error *e, const char *name, char *message)
{
	*e = (struct auth_error){
		.status = 403, .name = name, .message = message};
	return false;
}

/* The value of "name=" in the Authorization header. */
static bool field(const char *header, const char *name, char out[MAX_FIELD])
{
	const char *p = strstr(header, name);

	if (!p)
		return false;
	p += strlen(name);
	size_t n = strcspn(p, ", ");

	if (!n || n >= MAX_FIELD)
		return false;
	memcpy(out, p, n);
	out[n] = 0;
	return true;
}

static const char *header_of(const struct signed_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (!strcasecmp(r->headers[i].name, name))
			return r->headers[i].value;
	return NULL;
}

static bool check_time(struct auth *a, const char *amz_date, int64_t now_ms,
		       struct auth_error *e)
{
	char now[40], limit[40];
	int64_t at_ms;

	if (!time_amz_parse(amz_date, &at_ms))
		return refuse(
			e, "IncompleteSignatureException",
			xprintf("Date must be in ISO-8601 'basic format'. "
				"Got '%s'.",
				amz_date));
	if (!a->max_skew_ms)
		return true;
	time_amz(now_ms, now);
	long long minutes = a->max_skew_ms / 60000;

	if (at_ms < now_ms - a->max_skew_ms) {
		time_amz(now_ms - a->max_skew_ms, limit);
		return refuse(e, "InvalidSignatureException",
			      xprintf("Signature expired: %s is now earlier "
				      "than %s (%s - %lld min.)",
				      amz_date, limit, now, minutes));
	}
	if (at_ms > now_ms + a->max_skew_ms) {
		time_amz(now_ms + a->max_skew_ms, limit);
		return refuse(e, "InvalidSignatureException",
			      xprintf("Signature not yet current: %s is still "
				      "later than %s (%s + %lld min.)",
				      amz_date, limit, now, minutes));
	}
	return true;
}

struct claim {
	char credential[MAX_FIELD], headers[MAX_FIELD], signature[MAX_FIELD];
	char *access_key, *date, *region, *service, *end; /* in credential */
};

static bool parse_claim(const char *authorization, struct claim *c)
{
	if (strncmp(authorization, ALGORITHM " ", strlen(ALGORITHM) + 1) ||
	    !field(authorization, "Credential=", c->credential) ||
	    !field(authorization, "SignedHeaders=", c->headers) ||
	    !field(authorization, "Signature=", c->signature))
		return false;
	char *save = NULL;

	c->access_key = strtok_r(c->credential, "/", &save);
	c->date = strtok_r(NULL, "/", &save);
	c->region = strtok_r(NULL, "/", &save);
	c->service = strtok_r(NULL, "/", &save);
	c->end = strtok_r(NULL, "/", &save);
	return c->end && !strtok_r(NULL, "/", &save);
}

static bool is_signed(const struct claim *c, const char *name)
{
	auto_char *list = xprintf(";%s;", c->headers);
	auto_char *one = xprintf(";%s;", name);

	return strstr(list, one) != NULL;
}

static bool check_scope(const struct auth *a, const struct claim *c,
			const char *amz_date, struct auth_error *e)
{
	const char *name = "InvalidSignatureException";

	if (strcmp(c->region, a->region))
		return refuse(e, name,
			      xprintf("Credential should be scoped to a valid "
				      "region, not '%s'.",
				      c->region));
	if (strcmp(c->service, SERVICE))
		return refuse(e, name,
			      xprintf("Credential should be scoped to correct "
				      "service: '" SERVICE "'."));
	if (strcmp(c->end, "aws4_request"))
		return refuse(
			e, name,
			xprintf("Credential should be scoped with a valid "
				"terminator: 'aws4_request', not '%s'.",
				c->end));
	if (strncmp(c->date, amz_date, 8) || strlen(c->date) != 8)
		return refuse(e, name,
			      xprintf("Date in Credential scope does not match "
				      "YYYYMMDD from ISO-8601 version of date "
				      "from HTTP: '%s' != '%.8s'.",
				      c->date, amz_date));
	return true;
}

static bool check_signature(const struct auth *a, const struct claim *c,
			    const struct signed_request *r,
			    const char *amz_date, const char *secret,
			    struct auth_error *e)
{
	char request_hash[HEX_SHA256], expected[HEX_SHA256];
	auto_buf canonical = {0};
	char *missing = canonical_request(&canonical, r, c->headers);

	if (missing)
		return refuse(e, "InvalidSignatureException", missing);
	sha256_hex(canonical.p, canonical.n - 1, request_hash);
	auto_char *to_sign =
		xprintf(ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s", amz_date,
			c->date, c->region, SERVICE, request_hash);

	canonical_signature(secret, c->date, a->region, SERVICE, to_sign,
			    expected);
	if (strlen(c->signature) != HEX_SHA256 - 1 ||
	    CRYPTO_memcmp(expected, c->signature, HEX_SHA256 - 1))
		return refuse(e, "InvalidSignatureException",
			      xstrdup(BAD_SECRET));
	return true;
}

/* Every header that must be signed is, and the body's hash is true. */
static bool check_coverage(const struct claim *c,
			   const struct signed_request *r, struct auth_error *e)
{
	const char *must[] = {"host", "x-amz-date", "x-amz-security-token",
			      "x-amz-content-sha256"};
	const char *sent = header_of(r, "x-amz-content-sha256");
	char payload[HEX_SHA256];

	for (size_t i = 0; i < 4; i++)
		if (header_of(r, must[i]) && !is_signed(c, must[i]))
			return refuse(e, "InvalidSignatureException",
				      xprintf("'%s' must be a 'SignedHeader' "
					      "in the AWS Authorization.",
					      must[i]));
	sha256_hex(r->body, r->body_bytes, payload);
	if (sent && strcmp(sent, payload))
		return refuse(e, "InvalidSignatureException",
			      xprintf("The value for x-amz-content-sha256 is "
				      "not that of the body."));
	return true;
}

bool auth_check(struct auth *a, const struct signed_request *r, int64_t now_ms,
		struct auth_error *ret)
{
	const char *authorization = header_of(r, "Authorization");
	const char *amz_date = header_of(r, "X-Amz-Date");
	const char *token = header_of(r, "X-Amz-Security-Token");
	auto_char *secret = NULL;
	auto_char *need = NULL;
	struct claim c;

	if (!amz_date)
		amz_date = "";
	if (!authorization || !*authorization)
		return refuse(ret, "MissingAuthenticationTokenException",
			      xprintf("Missing Authentication Token"));
	if (!parse_claim(authorization, &c))
		return refuse(ret, "IncompleteSignatureException",
			      xprintf("Authorization header requires "
				      "'Credential', 'SignedHeaders' and "
				      "'Signature' parameters."));
	pthread_mutex_lock(&a->lock);
	struct credential *known = find(a, c.access_key);
	bool expired = known && known->expired;

	if (known) {
		secret = xstrdup(known->secret_key);
		need = known->token ? xstrdup(known->token) : NULL;
	}
	pthread_mutex_unlock(&a->lock);
	if (!secret || (need && (!token || strcmp(need, token))) ||
	    (token && !need))
		return refuse(ret, "UnrecognizedClientException",
			      xprintf("The security token included in the "
				      "request is invalid."));
	if (expired)
		return refuse(ret, "ExpiredTokenException",
			      xprintf("The security token included in the "
				      "request is expired"));
	return check_time(a, amz_date, now_ms, ret) &&
	       check_scope(a, &c, amz_date, ret) &&
	       check_coverage(&c, r, ret) &&
	       check_signature(a, &c, r, amz_date, secret, ret);
}
