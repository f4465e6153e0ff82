/* SPDX-License-Identifier: MIT */
/*
 * container: the endpoint that ECS tasks and EKS pods are given.
 *
 * Source: sdkref "Container credential provider"; botocore's
 * ContainerMetadataFetcher for which hosts are trusted.
 */
#include <errno.h>
#include <string.h>

#include "fs/aws/json.h"
#include "fs/aws/profiles.h"
#include "fs/aws/url.h"
#include "fs/creds/internal.h"
#include "fs/creds/keys.h"

#define ECS_BASE   "http://169.254.170.2"
#define TIMEOUT_MS 2000
#define ATTEMPTS   3

#define RELATIVE   "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL	   "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define TOKEN	   "AWS_CONTAINER_AUTHORIZATION_TOKEN"

/* Nobody else's host gets our token, or sees keys, over plain http. */
static bool is_trusted(const char *url)
{
	static const char *const hosts[] = {"169.254.170.2", "169.254.170.23",
					    "fd00:ec2::23"};
	g_autofree char *scheme = NULL, *host = NULL;

	if (!g_uri_split(url, G_URI_FLAGS_NONE, &scheme, NULL, &host, NULL,
			 NULL, NULL, NULL, NULL) ||
	    !scheme || !host || !*host)
		return false;
	if (!g_ascii_strcasecmp(scheme, "https"))
		return true;
	if (g_ascii_strcasecmp(scheme, "http"))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++)
		if (!strcmp(host, hosts[i]))
			return true;
	return aws_url_is_local(host);
}

static int find_url(char **env, char **ret_url, char **ret_error)
{
	const char *relative = aws_env(env, RELATIVE);
	const char *full = aws_env(env, FULL);

	*ret_url = relative ? g_strconcat(ECS_BASE, relative, NULL)
			    : g_strdup(full);
	if (relative && *relative != '/')
		return creds_fail(-EACCES, ret_error,
				  RELATIVE " is '%s': it begins with '/'",
				  relative);
	if (!*ret_url || !is_trusted(*ret_url))
		return creds_fail(-EACCES, ret_error,
				  FULL " is '%s': say https://, or http:// to "
				       "this machine or to the container "
				       "service's own address",
				  full ? full : "");
	return 0;
}

static int bad_token(char **ret_error)
{
	return creds_fail(-EACCES, ret_error,
			  "the container's authorization token holds a line "
			  "break, which no header may have");
}

/* *ret_line: "Authorization: ..." or NULL. */
static int find_token(char **env, char **ret_line, char **ret_error)
{
	const char *path = aws_env(env, TOKEN_FILE);
	const char *token = aws_env(env, TOKEN);
	g_autofree char *text = NULL;
	gsize n;

	*ret_line = NULL;
	if (!path && !token)
		return 0;
	/* Read each time: EKS replaces it. */
	if (path && !g_file_get_contents(path, &text, &n, NULL))
		return creds_fail(-EACCES, ret_error,
				  "%s, named by " TOKEN_FILE
				  ", cannot be read: %s",
				  path, g_strerror(errno));
	if (path)
		token = text;
	if (!strpbrk(token, "\r\n"))
		*ret_line = g_strconcat("Authorization: ", token, NULL);
	if (path)
		explicit_bzero(text, n);
	return *ret_line ? 0 : bad_token(ret_error);
}

static int take(const struct net_answer *a, const char *url,
		struct aws_credentials **ret_keys, char **ret_error)
{
	struct json_object *root = NULL;
	g_autofree char *why = NULL;
	int rc;

	if (a->http_status != 200) {
		g_autofree char *said = creds_quote(a->bytes, a->n);

		return creds_fail(
			creds_is_busy(a->http_status) ? -ETIMEDOUT : -EACCES,
			ret_error,
			"the container's credentials endpoint %s answered HTTP "
			"status %d (%s): is a role given to this task or pod, "
			"and its token valid?",
			url, a->http_status, said);
	}
	if (aws_json_parse(a->bytes, a->n, &root))
		return creds_fail(-EACCES, ret_error,
				  "the container's credentials endpoint %s "
				  "answered something that is not JSON",
				  url);
	rc = creds_keys_read(root, &creds_names_metadata, ret_keys, &why);
	creds_json_free(root);
	if (rc)
		return creds_fail(-EACCES, ret_error,
				  "the answer of the container's credentials "
				  "endpoint %s cannot be used: %s",
				  url, why);
	return 0;
}

int creds_from_container(struct creds_context *x, const struct creds_plan *p,
			 struct aws_credentials **ret_keys, char **ret_error)
{
	char **env = x->settings->environ;
	g_autofree char *url = NULL;
	char *token = NULL;
	struct net_answer a = {0};
	int rc = find_url(env, &url, ret_error);

	if (!rc)
		rc = find_token(env, &token, ret_error);
	if (!rc) {
		const char *const headers[] = {"Accept: application/json",
					       token, NULL};
		const struct creds_request r = {
			.method = "GET",
			.url = url,
			.headers = headers,
			.timeout_ms = TIMEOUT_MS,
			.attempts = ATTEMPTS,
			.direct = true,
		};

		rc = creds_ask(x, &r, &a);
		if (rc)
			rc = creds_fail_silent(
				rc, &a, ret_error,
				"the container's credentials endpoint", url);
		else
			rc = take(&a, url, ret_keys, ret_error);
	}
	net_answer_release(&a);
	aws_wipe_free(token);
	return rc;
}
