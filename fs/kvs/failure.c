/* SPDX-License-Identifier: MIT */
#include "fs/kvs/failure.h"

#include "fs/aws/json.h"
#include "fs/net/loop.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_BYTES	   128
#define ID_MAX_BYTES	   128
#define MESSAGE_MAX_BYTES  1024
#define RAW_MAX_CHARACTERS 200

struct class
{
	int rc;
	bool retry;
	enum kvs_mend mend;
};

#define REFUSED                            \
	{                                  \
		-EIO, false, KVS_MEND_NONE \
	}
#define DENIED                                \
	{                                     \
		-EACCES, false, KVS_MEND_NONE \
	}
#define EXPIRED                                      \
	{                                            \
		-EACCES, false, KVS_MEND_CREDENTIALS \
	}
#define SKEWED                                 \
	{                                      \
		-EACCES, false, KVS_MEND_CLOCK \
	}
#define THROTTLE                            \
	{                                   \
		-EBUSY, true, KVS_MEND_NONE \
	}
#define DOWN                                    \
	{                                       \
		-ETIMEDOUT, true, KVS_MEND_NONE \
	}

/*
 * Names without "Exception", which some services append and others do not.
 * Sources: botocore's models, the CommonErrors page of the API reference, and
 * the limits page for the throttles that no model lists.
 */
static const struct {
	const char *name;
	struct class class;
} names[] = {
	{"ResourceNotFound", {-ENOENT, false, KVS_MEND_NONE}},
	{"InvalidArgument", REFUSED},
	{"InvalidEndpoint", {-EIO, false, KVS_MEND_ENDPOINT}},
	{"NotAuthorized", DENIED},
	{"AccessDenied", DENIED},
	{"OptInRequired", DENIED},
	{"MissingAuthenticationToken", DENIED},
	{"IncompleteSignature", DENIED},
	{"KMSAccessDenied", DENIED},
	{"KMSDisabled", DENIED},
	{"KMSInvalidState", DENIED},
	{"KMSKeyNotFound", DENIED},
	{"KMSNotFound", DENIED},
	{"ExpiredToken", EXPIRED},
	{"TokenRefreshRequired", EXPIRED},
	{"UnrecognizedClient", EXPIRED},
	{"InvalidClientTokenId", EXPIRED},
	{"InvalidAccessKeyId", EXPIRED},
	{"InvalidSignature", SKEWED},
	{"SignatureDoesNotMatch", SKEWED},
	{"RequestExpired", SKEWED},
	{"RequestTimeTooSkewed", SKEWED},
	{"RequestInTheFuture", SKEWED},
	{"ClientLimitExceeded", THROTTLE},
	{"ConnectionLimitExceeded", THROTTLE},
	{"FragmentLimitExceeded", THROTTLE},
	{"BandwidthLimitExceeded", THROTTLE},
	{"LimitExceeded", THROTTLE},
	{"RequestLimitExceeded", THROTTLE},
	{"ProvisionedThroughputExceeded", THROTTLE},
	{"Throttling", THROTTLE},
	{"Throttled", THROTTLE},
	{"RequestThrottled", THROTTLE},
	{"TooManyRequests", THROTTLE},
	{"SlowDown", THROTTLE},
	{"PriorRequestNotComplete", THROTTLE},
	{"InternalFailure", DOWN},
	{"InternalError", DOWN},
	{"InternalServer", DOWN},
	{"InternalServerError", DOWN},
	{"InternalService", DOWN},
	{"InternalServiceError", DOWN},
	{"ServiceUnavailable", DOWN},
	{"RequestTimeout", DOWN},
};

static struct class by_status(int status)
{
	static const struct class refused = REFUSED, denied = DENIED,
				  throttle = THROTTLE, down = DOWN;
	static const struct class odd = {-EPROTO, false, KVS_MEND_NONE};

	switch (status) {
	case 401:
	case 403:
		return denied;
	case 408:
		return down;
	case 429:
		return throttle;
	default:
		if (status >= 500)
			return down;
		/* A 404 without a name comes from something else that answers
		   at this address, so it says nothing about the stream. */
		return status >= 400 ? refused : odd;
	}
}

static struct class classify(const char *name, int status)
{
	g_autofree char *bare = g_strdup(name);

	if (g_str_has_suffix(bare, "Exception"))
		bare[strlen(bare) - strlen("Exception")] = '\0';
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (!strcmp(names[i].name, bare))
			return names[i].class;
	return by_status(status);
}

void kvs_failure_clear(struct kvs_failure *f)
{
	g_free(f->name);
	g_free(f->request_id);
	g_free(f->message);
	*f = (struct kvs_failure){0};
}

void kvs_failure_set(struct kvs_failure *f, int rc, const char *message)
{
	kvs_failure_clear(f);
	f->rc = rc;
	f->message = g_strdup(message);
}

void kvs_failure_copy(struct kvs_failure *f, const struct kvs_failure *from)
{
	kvs_failure_clear(f);
	*f = *from;
	f->name = g_strdup(from->name);
	f->request_id = g_strdup(from->request_id);
	f->message = g_strdup(from->message);
}

/* "aws.foo#Name:http://..." -> "Name"; "" where that is no name. */
static char *clean_name(const char *text)
{
	const char *hash = text ? strchr(text, '#') : NULL;
	const char *start = hash ? hash + 1 : text;
	size_t n;

	if (!text)
		return g_strdup("");
	/* A '#' in what follows the ':' is part of an address. */
	if (hash && strcspn(text, ":") < (size_t)(hash - text))
		start = text;
	n = strcspn(start, ":");
	for (size_t i = 0; i < n; i++)
		if (!g_ascii_isalnum(start[i]) && !strchr("_.-", start[i]))
			return g_strdup("");
	return n <= NAME_MAX_BYTES ? g_strndup(start, n) : g_strdup("");
}

/* At most max printable characters, so that it fits a line of a log. */
static char *clean_text(const char *text, size_t n, size_t max)
{
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < n && out->len < max; i++) {
		char c = text[i];

		if (g_ascii_isspace(c))
			c = ' ';
		if (!g_ascii_isprint(c) ||
		    (c == ' ' && (!out->len || out->str[out->len - 1] == ' ')))
			continue;
		g_string_append_c(out, c);
	}
	return g_strchomp(g_string_free(out, FALSE));
}

static const char *first_of(struct json_object *o, const char *const *keys)
{
	const char *text = NULL, *unused;

	for (; *keys; keys++)
		if (!aws_json_text(o, *keys, AWS_JSON_MAX_BYTES, &text,
				   &unused) &&
		    text)
			return text;
	return NULL;
}

/* Its message; "" where there is none. */
static char *read_body(struct kvs_failure *f, const char *body, size_t n)
{
	static const char *const codes[] = {"code", "Code", "__type", NULL};
	static const char *const messages[] = {"Message", "message",
					       "errorMessage", NULL};
	struct json_object *root = NULL;
	const char *text;
	char *message;

	if (aws_json_parse(body, n, &root))
		return clean_text(body, n, RAW_MAX_CHARACTERS);
	if (!*f->name) {
		g_free(f->name);
		f->name = clean_name(first_of(root, codes));
	}
	text = first_of(root, messages);
	message = text ? clean_text(text, strlen(text), MESSAGE_MAX_BYTES)
		       : g_strdup("");
	json_object_put(root);
	return message;
}

static const char *either(const struct net_response *r, const char *a,
			  const char *b)
{
	const char *value = r->header(r, a);

	return value ? value : r->header(r, b);
}

static void read_head(struct kvs_failure *f, const struct net_response *r)
{
	const char *id = either(r, "x-amzn-requestid", "x-amz-requestid");

	f->http_status = r->http_status;
	f->name = clean_name(either(r, "x-amzn-errortype", "x-amz-errortype"));
	f->request_id = id ? clean_text(id, strlen(id), ID_MAX_BYTES) : NULL;
}

void kvs_failure_none(struct kvs_failure *f, const struct net_response *r)
{
	kvs_failure_clear(f);
	read_head(f, r);
}

void kvs_failure_from_answer(struct kvs_failure *f,
			     const struct net_response *r, const char *body,
			     size_t n)
{
	g_autofree char *message = NULL;
	struct class class;

	kvs_failure_clear(f);
	read_head(f, r);
	message = read_body(f, body, n);
	f->message = *message ? g_steal_pointer(&message)
			      : g_strdup_printf("HTTP status %d",
						r->http_status);
	class = classify(f->name, r->http_status);
	f->rc = class.rc;
	f->retry = class.retry;
	f->mend = class.mend;
	if (g_str_has_prefix(f->name, "InvalidArgument") &&
	    strstr(f->message, "outside of the stream retention period"))
		f->rc = -ERANGE;
	/* An endpoint that has moved refuses strangers. */
	if (r->http_status == 403 && f->mend == KVS_MEND_NONE)
		f->mend = KVS_MEND_ENDPOINT;
}

void kvs_failure_from_net(struct kvs_failure *f, const struct net_response *r,
			  int rc, const char *text)
{
	kvs_failure_clear(f);
	read_head(f, r);
	f->message = g_strdup(text && *text ? text : g_strerror(-rc));
	switch (rc) {
	case -EPROTO:
	case -EKEYREJECTED:
	case -ECANCELED:
		f->rc = rc;
		break;
	case -EHOSTUNREACH:
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -ETIMEDOUT:
		f->rc = -ETIMEDOUT;
		f->retry = true;
		break;
	default:
		f->rc = -EIO;
		break;
	}
}

struct kvs_error kvs_failure_view(const struct kvs_failure *f)
{
	return (struct kvs_error){
		.rc = f->rc,
		.no_credentials = f->unsigned_,
		.http_status = f->http_status,
		.name = f->name ? f->name : "",
		.request_id = f->request_id ? f->request_id : "",
		.message = f->message ? f->message : "",
	};
}
