/* SPDX-License-Identifier: MIT */
/*
 * sts: AssumeRole and AssumeRoleWithWebIdentity.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fs/aws/post.h"
#include "fs/aws/url.h"
#include "fs/creds/internal.h"
#include "fs/creds/keys.h"
#include "fs/creds/sts_answer.h"

#define TIMEOUT_MS	10000
#define ATTEMPTS	3
#define API_VERSION	"2011-06-15"
#define FORM		"application/x-www-form-urlencoded; charset=utf-8"
#define TOKEN_MAX_BYTES 20000 /* WebIdentityToken, STS API reference */

static void add(GString *form, const char *name, const char *value)
{
	g_autofree char *escaped = g_uri_escape_string(value, NULL, FALSE);

	g_string_append_printf(form, "%s%s=%s", form->len ? "&" : "", name,
			       escaped);
	explicit_bzero(escaped, strlen(escaped));
}

static GString *role_form(const struct creds_context *x, const char *action,
			  const struct creds_role *role)
{
	/* Room for a token, so that none is left behind by growing. */
	GString *form = g_string_sized_new(4 * TOKEN_MAX_BYTES);
	g_autofree char *name = NULL;

	if (!role->session_name)
		name = g_strdup_printf("kvsfs-%" PRId64,
				       clock_realtime_ms(x->clock) / 1000);
	add(form, "Action", action);
	add(form, "Version", API_VERSION);
	add(form, "RoleArn", role->arn);
	add(form, "RoleSessionName", name ? name : role->session_name);
	if (role->external_id)
		add(form, "ExternalId", role->external_id);
	if (role->duration_s) {
		g_autofree char *seconds = g_strdup_printf("%d",
							   role->duration_s);

		add(form, "DurationSeconds", seconds);
	}
	return form;
}

static void form_free(GString *form)
{
	explicit_bzero(form->str, form->len);
	g_string_free(form, TRUE);
}

static int send(struct creds_context *x, const char *sts_url,
		const GString *form, const struct aws_credentials *keys,
		struct net_answer *a, char **ret_error)
{
	struct aws_post post = {
		.path = "/",
		.content_type = FORM,
		.body = form->str,
		.body_bytes = form->len,
		.region = x->settings->region,
		.service = "sts",
		.now_ms = creds_now_ms(x),
	};
	struct aws_url *url = NULL;
	g_autoptr(GPtrArray) lines = NULL;
	g_autofree char *whole = NULL;
	struct creds_request r = {.method = "POST",
				  .body = form->str,
				  .timeout_ms = TIMEOUT_MS,
				  .attempts = ATTEMPTS};
	int rc;

	*a = (struct net_answer){0};
	if (aws_url_parse(sts_url, &url))
		return creds_fail(-EACCES, ret_error, "%s is no STS endpoint",
				  sts_url);
	post.url = url;
	lines = aws_post_headers(&post, keys);
	whole = aws_url_join(url, "/");
	aws_url_free(url);
	if (!lines)
		return creds_fail(-EACCES, ret_error,
				  "the request to STS cannot be signed");
	r.url = whole;
	r.headers = (const char *const *)lines->pdata;
	rc = creds_ask(x, &r, a);
	if (rc)
		return creds_fail_silent(rc, a, ret_error, "STS at", sts_url);
	return 0;
}

static const struct {
	const char *code, *cure;
} cures[] = {
	{"AccessDenied", "the role's trust policy must name who assumes it, "
			 "and who does needs sts:AssumeRole on it"},
	{"ExpiredToken", "the credentials it is assumed with have expired: "
			 "renew them"},
	{"ExpiredTokenException", "the token in that file has expired: whoever "
				  "writes it has to write a new one"},
	{"InvalidIdentityToken", "the token's issuer must be an identity "
				 "provider in IAM, and the token be meant for "
				 "sts.amazonaws.com"},
	{"InvalidClientTokenId", "the access key it is assumed with does not "
				 "exist or is not active"},
	{"SignatureDoesNotMatch", "the secret access key is wrong"},
	{"RegionDisabledException", "switch STS on for this region in IAM's "
				    "account settings, or use another region"},
	{"MalformedPolicyDocument", "check the role"},
	{"ValidationError", "check role_arn, role_session_name, external_id "
			    "and duration_seconds"},
};

static const char *cure_of(const char *code)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cures); i++)
		if (!strcmp(cures[i].code, code))
			return cures[i].cure;
	return NULL;
}

static int refused(const struct net_answer *a, const struct sts_answer *s,
		   const char *what, char **ret_error)
{
	const char *code = s->values[STS_CODE];
	const char *cure = code ? cure_of(code) : NULL;
	const char *id = s->values[STS_REQUEST_ID];
	const char *text = s->values[STS_MESSAGE];
	g_autofree char *message = creds_quote(text ? text : "",
					       text ? strlen(text) : 0);
	bool busy = creds_is_busy(a->http_status) ||
		    (code && g_str_has_prefix(code, "Throttl"));

	return creds_fail(
		busy ? -ETIMEDOUT : -EACCES, ret_error,
		"%s cannot be assumed: %s%s%s (%s, HTTP status %d%s%s)", what,
		message, cure ? ": " : "", cure ? cure : "",
		code ? code : "no error name", a->http_status,
		id ? ", request id " : "", id ? id : "");
}

static int take(const struct net_answer *a, struct sts_answer *s,
		const char *what, struct aws_credentials **ret_keys,
		char **ret_error)
{
	struct aws_keys keys = {.id = s->values[STS_ID],
				.secret = s->values[STS_SECRET],
				.token = s->values[STS_TOKEN]};

	if (s->values[STS_EXPIRATION] && keys.token &&
	    !creds_time_parse(s->values[STS_EXPIRATION], &keys.expires_ms))
		*ret_keys = aws_credentials_new(&keys);
	if (*ret_keys)
		return 0;
	return creds_fail(-EACCES, ret_error,
			  "%s cannot be assumed: STS answered without usable "
			  "credentials",
			  what);
}

static bool refused_for_its_time(const struct net_answer *a,
				 const struct sts_answer *s)
{
	const char *code = s->values[STS_CODE];

	return a->http_status == 403 && code &&
	       (!strcmp(code, "SignatureDoesNotMatch") ||
		!strcmp(code, "RequestExpired"));
}

static int ask_sts(struct creds_context *x, const char *url,
		   const GString *form, const struct aws_credentials *keys,
		   const char *what, struct aws_credentials **ret_keys,
		   char **ret_error)
{
	bool again = true;
	int rc;

	*ret_keys = NULL;
	for (;;) {
		int64_t signed_by_ms = atomic_load(x->clock_offset_ms);
		struct net_answer a;
		struct sts_answer s = {{NULL}};

		rc = send(x, url, form, keys, &a, ret_error);
		if (!rc && sts_answer_read(a.bytes, a.n, &s))
			rc = creds_fail(a.http_status >= 500 ? -ETIMEDOUT
							     : -EACCES,
					ret_error,
					"%s cannot be assumed: what answers at "
					"%s is no STS (HTTP status %d)",
					what, url, a.http_status);
		else if (!rc && a.http_status == 200)
			rc = take(&a, &s, what, ret_keys, ret_error);
		else if (!rc && again && keys && refused_for_its_time(&a, &s) &&
			 atomic_load(x->clock_offset_ms) != signed_by_ms)
			rc = -EAGAIN;
		else if (!rc)
			rc = refused(&a, &s, what, ret_error);
		sts_answer_release(&s);
		net_answer_release(&a);
		if (rc != -EAGAIN)
			return rc;
		again = false;
	}
}

int creds_assume_role(struct creds_context *x, const struct creds_plan *p,
		      const struct creds_role *role,
		      const struct aws_credentials *keys,
		      struct aws_credentials **ret_keys, char **ret_error)
{
	g_autofree char *what = g_strdup_printf("role %s", role->arn);
	GString *form = role_form(x, "AssumeRole", role);
	int rc = ask_sts(x, p->sts_url, form, keys, what, ret_keys, ret_error);

	form_free(form);
	return rc;
}

static int read_token(const char *path, char **ret_token, char **ret_error)
{
	g_autofree char *token = NULL;
	gsize n;

	/* Read at each refresh: it is replaced now and then. */
	if (!g_file_get_contents(path, &token, &n, NULL))
		return creds_fail(-EACCES, ret_error,
				  "the web identity token %s cannot be read: "
				  "%s",
				  path, g_strerror(errno));
	g_strstrip(token);
	if (!*token || strlen(token) > TOKEN_MAX_BYTES) {
		explicit_bzero(token, n);
		return creds_fail(-EACCES, ret_error,
				  "%s holds no web identity token", path);
	}
	*ret_token = g_steal_pointer(&token);
	return 0;
}

int creds_from_web_identity(struct creds_context *x, const struct creds_plan *p,
			    struct aws_credentials **ret_keys, char **ret_error)
{
	g_autofree char *what = g_strdup_printf("role %s by the token in %s",
						p->web.arn, p->token_file);
	char *token = NULL;
	GString *form;
	int rc = read_token(p->token_file, &token, ret_error);

	if (rc)
		return rc;
	form = role_form(x, "AssumeRoleWithWebIdentity", &p->web);
	add(form, "WebIdentityToken", token);
	aws_wipe_free(token);
	rc = ask_sts(x, p->sts_url, form, NULL, what, ret_keys, ret_error);
	form_free(form);
	return rc;
}
