/* SPDX-License-Identifier: MIT */
/*
 * imds: the EC2 instance metadata service, version 2, and version 1 where it is
 * allowed.
 *
 * Source: docs.aws.amazon.com EC2 "Use the Instance Metadata Service"; sdkref
 * "IMDS credential provider"; botocore's IMDSFetcher.
 */
#define G_LOG_DOMAIN "kvsfs"
#include <errno.h>
#include <string.h>

#include "fs/aws/endpoints.h"
#include "fs/aws/json.h"
#include "fs/aws/url.h"
#include "fs/creds/internal.h"
#include "fs/creds/keys.h"

#define BASE_IPV4   "http://169.254.169.254"
#define BASE_IPV6   "http://[fd00:ec2::254]"
#define TOKEN_PATH  "/latest/api/token"
#define ROLE_PATH   "/latest/meta-data/iam/security-credentials/"
#define REGION_PATH "/latest/meta-data/placement/region"
/*
 * Keys that the service cannot renew for a while are used on: the services take
 * them, or say that they do not (sdkref: "static stability").
 */
#define EXTENSION_MS 300000
/* A token's answer is one hop too far for a container, by default. */
#define RAISE_HOPS                                   \
	"'aws ec2 modify-instance-metadata-options " \
	"--http-put-response-hop-limit 2'"

struct imds {
	struct creds_context *x;
	char *base;
	int64_t timeout_ms;
	int attempts;
	bool v1_allowed;
	char *token_line; /* "X-aws-ec2-metadata-token: ...", or NULL */
	bool token_timed_out;
};

static void imds_release(struct imds *m)
{
	g_free(m->base);
	aws_wipe_free(m->token_line);
}

/* ---- settings ----------------------------------------------------------- */

static const char *setting(const struct aws_settings *s,
			   const struct aws_profiles *p, const char *variable,
			   const char *key)
{
	const char *value = aws_env(s->environ, variable);

	return value ? value : aws_profiles_get(p, s->profile, key);
}

/* Plain http, as the service is, only to where the service can be. */
static bool is_metadata_address(const char *url)
{
	g_autofree char *scheme = NULL, *host = NULL;

	if (!g_uri_split(url, G_URI_FLAGS_NONE, &scheme, NULL, &host, NULL,
			 NULL, NULL, NULL, NULL) ||
	    !scheme || !host)
		return false;
	return !g_ascii_strcasecmp(scheme, "https") ||
	       (!g_ascii_strcasecmp(scheme, "http") &&
		(g_str_has_prefix(host, "169.254.") ||
		 g_str_has_prefix(host, "fd00:ec2:") ||
		 aws_url_is_local(host)));
}

static int find_base(struct imds *m, const struct aws_profiles *p,
		     char **ret_error)
{
	const struct aws_settings *s = m->x->settings;
	const char *url = setting(s, p, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
				  "ec2_metadata_service_endpoint");
	const char *mode = setting(s, p,
				   "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
				   "ec2_metadata_service_endpoint_mode");

	if (url && !is_metadata_address(url))
		return creds_fail(-EACCES, ret_error,
				  "AWS_EC2_METADATA_SERVICE_ENDPOINT is '%s': "
				  "say https://, or http:// to this machine or "
				  "a metadata address",
				  url);
	if (!url)
		url = mode && !g_ascii_strcasecmp(mode, "ipv6") ? BASE_IPV6
								: BASE_IPV4;
	m->base = g_strdup(url);
	while (g_str_has_suffix(m->base, "/"))
		m->base[strlen(m->base) - 1] = '\0';
	return 0;
}

static int64_t number(const struct imds *m, const struct aws_profiles *p,
		      const char *variable, const char *key)
{
	const char *text = setting(m->x->settings, p, variable, key);
	gint64 n = 1;

	/* botocore's defaults are 1 s and one attempt. */
	if (text && !g_ascii_string_to_signed(text, 10, 1, 60, &n, NULL)) {
		g_warning("%s is not a number from 1 to 60: 1 is taken",
			  variable);
		n = 1;
	}
	return n;
}

/* 0; -ENOENT: it is not to be asked; -EACCES. */
static int imds_init(struct imds *m, struct creds_context *x, char **ret_error)
{
	const struct aws_settings *s = x->settings;
	const char *off = aws_env(s->environ, "AWS_EC2_METADATA_DISABLED");
	struct aws_profiles *p = NULL;
	bool v1_off = false;
	int rc;

	*m = (struct imds){.x = x};
	if (off && !g_ascii_strcasecmp(off, "true"))
		return -ENOENT;
	if (aws_profiles_read(s->environ, &p, ret_error))
		return -EACCES;
	rc = find_base(m, p, ret_error);
	if (!rc)
		rc = aws_endpoint_switch(s->environ, p, s->profile,
					 "AWS_EC2_METADATA_V1_DISABLED",
					 "ec2_metadata_v1_disabled", &v1_off,
					 ret_error)
			     ? -EACCES
			     : 0;
	m->v1_allowed = !v1_off;
	m->timeout_ms = 1000 * number(m, p, "AWS_METADATA_SERVICE_TIMEOUT",
				      "metadata_service_timeout");
	m->attempts = (int)number(m, p, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
				  "metadata_service_num_attempts");
	aws_profiles_free(p);
	return rc;
}

/* ---- requests ----------------------------------------------------------- */

static int ask(struct imds *m, const char *method, const char *path,
	       const char *header, struct net_answer *a)
{
	g_autofree char *url = g_strconcat(m->base, path, NULL);
	const char *const headers[] = {header, NULL};
	const struct creds_request r = {
		.method = method,
		.url = url,
		.headers = headers,
		.timeout_ms = m->timeout_ms,
		.attempts = m->attempts,
		.direct = true,
	};

	return creds_ask(m->x, &r, a);
}

/* 0, with or without a token; -ENOENT: nobody is there; -EACCES. */
static int get_token(struct imds *m, char **ret_error)
{
	struct net_answer a;
	int rc = ask(m, "PUT", TOKEN_PATH,
		     "X-aws-ec2-metadata-token-ttl-seconds: 21600", &a);

	if (!rc && a.http_status == 200 && a.n > 0) {
		g_strstrip(a.bytes);
		if (!strpbrk(a.bytes, "\r\n"))
			m->token_line = g_strconcat(
				"X-aws-ec2-metadata-token: ", a.bytes, NULL);
	}
	m->token_timed_out = rc == -ETIMEDOUT;
	if (rc && rc != -ETIMEDOUT)
		rc = rc == -ECANCELED ? rc : -ENOENT;
	else if (!rc && a.http_status == 400)
		rc = creds_fail(-EACCES, ret_error,
				"what answers at %s is no instance metadata "
				"service: it refused to make a token (HTTP "
				"status 400)",
				m->base);
	else if (!m->token_line && !m->v1_allowed)
		rc = creds_fail(
			m->token_timed_out ? -ETIMEDOUT : -EACCES, ret_error,
			"the instance metadata service %s gave no token%s, and "
			"version 1, which needs none, is switched off "
			"(AWS_EC2_METADATA_V1_DISABLED)",
			m->base,
			m->token_timed_out
				? " in time (in a container: its hop limit "
				  "must be 2, " RAISE_HOPS ")"
				: "");
	else
		rc = 0;
	net_answer_release(&a);
	return rc;
}

/* A text.  0; -ENOENT: nobody is there; -ENODATA: no such thing; -EACCES. */
static int get(struct imds *m, const char *path, struct net_answer *a,
	       char **ret_error)
{
	int rc = ask(m, "GET", path, m->token_line, a);

	if (rc)
		return rc == -ECANCELED ? rc : -ENOENT;
	if (a->http_status == 404)
		return -ENODATA;
	if (a->http_status == 401 || a->http_status == 403)
		return creds_fail(
			m->token_timed_out && m->x->succeeded ? -ETIMEDOUT
							      : -EACCES,
			ret_error,
			"the instance metadata service %s refused (HTTP status "
			"%d)%s",
			m->base, a->http_status,
			m->token_timed_out
				? ": it wants a token, which it did not give "
				  "in time; in a container, raise its hop "
				  "limit to 2: " RAISE_HOPS
				: "");
	if (a->http_status != 200 || a->n == 0)
		return creds_fail(-ETIMEDOUT, ret_error,
				  "the instance metadata service %s answered "
				  "HTTP status %d",
				  m->base, a->http_status);
	return 0;
}

/* ---- the role's keys ---------------------------------------------------- */

static int read_keys(struct imds *m, const struct net_answer *a,
		     const char *role, struct aws_credentials **ret_keys,
		     char **ret_error)
{
	struct json_object *root = NULL;
	g_autofree char *why = NULL;
	const char *code, *message;
	int rc;

	if (aws_json_parse(a->bytes, a->n, &root))
		return creds_fail(-EACCES, ret_error,
				  "the instance metadata service %s answered "
				  "something that is not JSON for role %s",
				  m->base, role);
	rc = creds_keys_read(root, &creds_names_metadata, ret_keys, &why);
	code = creds_json_text(root, "Code");
	message = creds_json_text(root, "Message");
	if (rc && code && strcmp(code, "Success"))
		rc = creds_fail(-EACCES, ret_error,
				"the instance metadata service %s has no keys "
				"for role %s: %s%s%s: check that EC2 may "
				"assume it",
				m->base, role, code, message ? ": " : "",
				message ? message : "");
	else if (rc)
		rc = creds_fail(-EACCES, ret_error,
				"what the instance metadata service %s "
				"answered for role %s cannot be used: %s",
				m->base, role, why);
	creds_json_free(root);
	return rc;
}

static int get_keys(struct imds *m, struct aws_credentials **ret_keys,
		    char **ret_error)
{
	struct net_answer list = {0}, keys = {0};
	g_autofree char *path = NULL;
	int rc = get(m, ROLE_PATH, &list, ret_error);
	int64_t now_ms = creds_now_ms(m->x);

	if (rc == -ENODATA)
		rc = creds_fail(-EACCES, ret_error,
				"this EC2 instance has no role: give it an "
				"instance profile");
	if (rc)
		goto out;
	list.bytes[strcspn(list.bytes, "\r\n")] = '\0';
	path = g_strconcat(ROLE_PATH, list.bytes, NULL);
	rc = get(m, path, &keys, ret_error);
	if (rc == -ENODATA)
		rc = creds_fail(-EACCES, ret_error,
				"the instance metadata service has no keys for "
				"role %s",
				list.bytes);
	if (rc)
		goto out;
	rc = read_keys(m, &keys, list.bytes, ret_keys, ret_error);
	if (!rc && (*ret_keys)->expires_ms <= now_ms) {
		g_warning("the instance metadata service gives keys that have "
			  "expired: they are used all the same, and asked for "
			  "again");
		(*ret_keys)->expires_ms = now_ms + EXTENSION_MS;
	}
out:
	net_answer_release(&list);
	net_answer_release(&keys);
	return rc;
}

/* It was named, or has answered before: its trouble may pass. */
static int silent(const struct imds *m, char **ret_error)
{
	if (m->base)
		return creds_fail(-ETIMEDOUT, ret_error,
				  "credentials are to be the EC2 instance's, "
				  "but no metadata service answers at %s",
				  m->base);
	return creds_fail(-EACCES, ret_error,
			  "credentials are to be the EC2 instance's, but "
			  "AWS_EC2_METADATA_DISABLED is true");
}

/* As an answer to "why are there none": nobody named the instance. */
static int nowhere(const struct creds_plan *p, const struct imds *m,
		   char **ret_error)
{
	return creds_fail(
		-EACCES, ret_error,
		"%s%s%s: run 'aws configure' or 'aws configure "
		"sso'%s",
		p->nowhere,
		m->base ? ", and no EC2 metadata service answers at " : "",
		m->base ? m->base : "",
		m->x->settings->profile_explicit ? ""
						 : ", or set AWS_PROFILE, or "
						   "AWS_ACCESS_KEY_ID and "
						   "AWS_SECRET_ACCESS_KEY");
}

/* Other clouds have something at that address, too. */
static int nowhere_but(const struct creds_plan *p, int rc, char **ret_error)
{
	g_autofree char *said = *ret_error;

	return creds_fail(
		rc, ret_error,
		"%s, and %s: run 'aws configure' or 'aws configure sso'",
		p->nowhere, said);
}

int creds_from_instance(struct creds_context *x, const struct creds_plan *p,
			struct aws_credentials **ret_keys, char **ret_error)
{
	bool expected = !p->guessed || x->succeeded;
	struct imds m;
	int rc = imds_init(&m, x, ret_error);

	if (!rc)
		rc = get_token(&m, ret_error);
	if (!rc)
		rc = get_keys(&m, ret_keys, ret_error);
	if (rc == -ENOENT)
		rc = expected ? silent(&m, ret_error)
			      : nowhere(p, &m, ret_error);
	else if (rc && rc != -ECANCELED && !expected)
		rc = nowhere_but(p, rc, ret_error);
	imds_release(&m);
	return rc;
}

/* ---- the region --------------------------------------------------------- */

char *creds_instance_region(struct creds_context *x)
{
	g_autofree char *error = NULL;
	char *region = NULL;
	struct net_answer a = {0};
	struct imds m;

	if (!imds_init(&m, x, &error) && !get_token(&m, &error) &&
	    !get(&m, REGION_PATH, &a, &error)) {
		g_strstrip(a.bytes);
		if (aws_is_region(a.bytes))
			region = g_strdup(a.bytes);
	}
	if (error)
		g_debug("the instance's region is not known: %s", error);
	net_answer_release(&a);
	imds_release(&m);
	return region;
}
