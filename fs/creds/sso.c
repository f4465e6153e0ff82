/* SPDX-License-Identifier: MIT */
/*
 * sso: a role's keys from IAM Identity Center, for a token of `aws sso login`.
 *
 * Source: GetRoleCredentials in the SSO portal API reference.
 */
#include <errno.h>
#include <string.h>

#include "fs/aws/json.h"
#include "fs/creds/internal.h"
#include "fs/creds/keys.h"

#define TIMEOUT_MS 10000
#define ATTEMPTS   3

static int refused(const struct creds_sso *sso, const struct net_answer *a,
		   char **ret_error)
{
	g_autofree char *said = creds_quote(a->bytes, a->n);

	switch (a->http_status) {
	case 401:
		return creds_fail(-EACCES, ret_error,
				  "the IAM Identity Center session has ended: "
				  "run '%s' (%s)",
				  sso->login, said);
	case 403:
		return creds_fail(-EACCES, ret_error,
				  "IAM Identity Center does not let you have "
				  "role %s in account %s: check sso_role_name "
				  "and sso_account_id, or ask for it (%s)",
				  sso->role, sso->account, said);
	case 404:
		return creds_fail(-EACCES, ret_error,
				  "IAM Identity Center knows no role %s in "
				  "account %s: check sso_role_name, "
				  "sso_account_id and sso_region (%s)",
				  sso->role, sso->account, said);
	default:
		return creds_fail(creds_is_busy(a->http_status) ? -ETIMEDOUT
								: -EACCES,
				  ret_error,
				  "IAM Identity Center at %s answered HTTP "
				  "status %d (%s)",
				  sso->portal_url, a->http_status, said);
	}
}

static int take(const struct creds_sso *sso, const struct net_answer *a,
		struct aws_credentials **ret_keys, char **ret_error)
{
	struct json_object *root = NULL;
	g_autofree char *why = NULL;
	int rc;

	if (a->http_status != 200)
		return refused(sso, a, ret_error);
	if (aws_json_parse(a->bytes, a->n, &root))
		return creds_fail(-EACCES, ret_error,
				  "what answers at %s is no IAM Identity "
				  "Center: it sent no JSON",
				  sso->portal_url);
	rc = creds_keys_read(root, &creds_names_sso, ret_keys, &why);
	creds_json_free(root);
	if (rc)
		return creds_fail(-EACCES, ret_error,
				  "what IAM Identity Center answered cannot be "
				  "used: %s",
				  why);
	return 0;
}

static int get_keys(struct creds_context *x, const struct creds_sso *sso,
		    const char *token, struct aws_credentials **ret_keys,
		    char **ret_error)
{
	g_autofree char *role = g_uri_escape_string(sso->role, NULL, FALSE);
	g_autofree char *account = g_uri_escape_string(sso->account, NULL,
						       FALSE);
	g_autofree char *url = g_strdup_printf(
		"%s/federation/credentials?role_name=%s&account_id=%s",
		sso->portal_url, role, account);
	char *line = g_strconcat("x-amz-sso_bearer_token: ", token, NULL);
	const char *const headers[] = {line, NULL};
	const struct creds_request r = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.timeout_ms = TIMEOUT_MS,
		.attempts = ATTEMPTS,
	};
	struct net_answer a;
	int rc = creds_ask(x, &r, &a);

	aws_wipe_free(line);
	if (rc)
		rc = creds_fail_silent(rc, &a, ret_error,
				       "IAM Identity Center at",
				       sso->portal_url);
	else
		rc = take(sso, &a, ret_keys, ret_error);
	net_answer_release(&a);
	return rc;
}

int creds_from_sso(struct creds_context *x, const struct creds_plan *p,
		   struct aws_credentials **ret_keys, char **ret_error)
{
	char *token = NULL;
	int rc = creds_sso_token(x, &p->sso, &token, ret_error);

	if (!rc)
		rc = get_keys(x, &p->sso, token, ret_keys, ret_error);
	aws_wipe_free(token);
	return rc;
}
