/* SPDX-License-Identifier: MIT */
/*
 * sso_token: the token that `aws sso login` left, renewed where it can be.
 *
 * The file is the CLI's: what is renewed is written back as the CLI would, in
 * one step and readable by its owner alone, since a refresh token is good once.
 *
 * Source: botocore's SSOTokenProvider; CreateToken in the SSO OIDC API
 * reference.
 */
#define G_LOG_DOMAIN "kvsfs"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/aws/json.h"
#include "fs/base/base.h"
#include "fs/creds/internal.h"
#include "fs/creds/keys.h"

#define TIMEOUT_MS 10000
#define ATTEMPTS   2
/* botocore's: what ends sooner is renewed first. */
#define RENEW_MS 900000

static struct json_object *read_file(const char *path)
{
	struct json_object *root = NULL;
	char *text = NULL;
	gsize n;

	if (!g_file_get_contents(path, &text, &n, NULL))
		return NULL;
	if (aws_json_parse(text, n, &root))
		root = NULL;
	explicit_bzero(text, n);
	g_free(text);
	return root;
}

static int64_t time_of(struct json_object *o, const char *key)
{
	const char *text = creds_json_text(o, key);
	int64_t ms;

	return text && !creds_time_parse(text, &ms) ? ms : -1;
}

static void put(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void put_time(struct json_object *o, const char *key, int64_t ms)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(ms / 1000);
	g_autofree char *text = g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ");

	put(o, key, text);
}

/* In one step: who reads it meanwhile finds the old one or the new one. */
static void write_file(const char *path, struct json_object *o)
{
	g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
	const char *text = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_NOSLASHESCAPE);
	auto_close int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC,
					   0600);
	size_t n = strlen(text);

	if (fd >= 0 && write(fd, text, n) == (ssize_t)n && !fsync(fd) &&
	    !rename(temporary, path))
		return;
	g_warning("the renewed IAM Identity Center token cannot be kept in %s: "
		  "%s: 'aws sso login' will be needed sooner",
		  path, g_strerror(errno));
	if (fd >= 0)
		unlink(temporary);
}

/* What CreateToken is asked with; NULL: the file has not all it takes. */
static char *renewal(struct json_object *token, int64_t now_ms)
{
	static const char *const keys[] = {"clientId", "clientSecret",
					   "refreshToken"};
	struct json_object *o;
	char *body;

	if (time_of(token, "registrationExpiresAt") <= now_ms)
		return NULL;
	o = json_object_new_object();
	put(o, "grantType", "refresh_token");
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		const char *value = creds_json_text(token, keys[i]);

		if (!value) {
			creds_json_free(o);
			return NULL;
		}
		put(o, keys[i], value);
	}
	body = g_strdup(json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	creds_json_free(o);
	return body;
}

/* The answer, taken over into the token; true: it is new. */
static bool take(struct json_object *token, const struct net_answer *a,
		 int64_t now_ms)
{
	struct json_object *root = NULL;
	const char *access, *refresh, *unused;
	int64_t seconds = 0;
	bool ok;

	if (a->http_status != 200 || aws_json_parse(a->bytes, a->n, &root))
		return false;
	access = creds_json_text(root, "accessToken");
	refresh = creds_json_text(root, "refreshToken");
	ok = access &&
	     !aws_json_whole(root, "expiresIn", INT32_MAX, &seconds, &unused);
	if (ok) {
		put(token, "accessToken", access);
		put_time(token, "expiresAt", now_ms + seconds * 1000);
		if (refresh)
			put(token, "refreshToken", refresh);
	}
	creds_json_free(root);
	return ok;
}

static bool renew(struct creds_context *x, const struct creds_sso *sso,
		  struct json_object *token)
{
	int64_t now_ms = creds_now_ms(x);
	char *body = renewal(token, now_ms);
	g_autofree char *url = g_strconcat(sso->oidc_url, "/token", NULL);
	const char *const headers[] = {"Content-Type: application/json", NULL};
	const struct creds_request r = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.body = body,
		.timeout_ms = TIMEOUT_MS,
		.attempts = ATTEMPTS,
	};
	struct net_answer a;
	bool renewed;
	int rc;

	if (!body)
		return false;
	rc = creds_ask(x, &r, &a);
	aws_wipe_free(body);
	renewed = !rc && take(token, &a, now_ms);
	if (renewed)
		write_file(sso->token_path, token);
	else
		g_message("the IAM Identity Center session cannot be renewed "
			  "at %s: %s (HTTP status %d)",
			  sso->oidc_url, rc ? a.text : "it was refused",
			  a.http_status);
	net_answer_release(&a);
	return renewed;
}

/* good until when; -1: it is none */
static int64_t good_until(struct json_object *token)
{
	return token && creds_json_text(token, "accessToken")
		       ? time_of(token, "expiresAt")
		       : -1;
}

int creds_sso_token(struct creds_context *x, const struct creds_sso *sso,
		    char **ret_token, char **ret_error)
{
	struct json_object *token = read_file(sso->token_path);
	int64_t until_ms = good_until(token);
	const char *access;

	if (until_ms < 0) {
		creds_json_free(token);
		return creds_fail(-EACCES, ret_error,
				  "you are not logged in to IAM Identity "
				  "Center (%s): run '%s'",
				  sso->token_path, sso->login);
	}
	/* A legacy configuration has nothing to renew it with. */
	if (until_ms - creds_now_ms(x) < RENEW_MS && sso->session &&
	    !renew(x, sso, token)) {
		/* The CLI may have renewed it meanwhile, and used up ours. */
		creds_json_free(token);
		token = read_file(sso->token_path);
	}
	until_ms = good_until(token);
	access = token ? creds_json_text(token, "accessToken") : NULL;
	if (access && until_ms > creds_now_ms(x) && !strpbrk(access, "\r\n"))
		*ret_token = g_strdup(access);
	creds_json_free(token);
	if (*ret_token)
		return 0;
	return creds_fail(-EACCES, ret_error,
			  "the IAM Identity Center session has expired: run "
			  "'%s'",
			  sso->login);
}
