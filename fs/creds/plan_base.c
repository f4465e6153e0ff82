/* SPDX-License-Identifier: MIT */
/*
 * plan_base: what keys come from before any role is assumed: one function for
 * each kind, in the order in which the CLI asks them.
 */
#include "fs/creds/plan_impl.h"

#include <errno.h>
#include <string.h>

#include "fs/aws/credentials.h"
#include "fs/aws/digest.h"
#include "fs/creds/keys.h"

int creds_plan_refuse(struct planning *p, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	*p->ret_error = g_strdup_vprintf(format, ap);
	va_end(ap);
	return -EACCES;
}

int creds_plan_url(struct planning *p, enum aws_service service,
		   const char *region, char **ret_url)
{
	const struct aws_endpoint_place at = {
		.env = p->settings->environ,
		.profiles = p->profiles,
		.profile = p->settings->profile,
	};
	bool overridden;

	return aws_endpoint_find(&at, service, region, ret_url, &overridden,
				 p->ret_error)
		       ? -EACCES
		       : 0;
}

static const char *env_of(const struct planning *p, const char *name)
{
	return aws_env(p->settings->environ, name);
}

/* ---- keys as they stand -------------------------------------------------- */

struct found {
	char *where; /* taken */
	struct aws_keys keys;
	const char *id_name, *secret_name;
	const char *provider;
};

static int take_keys(struct planning *p, const struct found *f)
{
	struct creds_plan *plan = p->plan;

	plan->base = CREDS_KEYS;
	plan->provider = f->provider;
	plan->source = f->where;
	if (!f->keys.secret)
		return creds_plan_refuse(p, "%s has %s but no %s: set both",
					 f->where, f->id_name, f->secret_name);
	plan->keys = aws_credentials_new(&f->keys);
	if (!plan->keys)
		return creds_plan_refuse(p,
					 "the credentials in %s hold a blank, "
					 "a line break or another character "
					 "that no key has",
					 f->where);
	return 0;
}

int creds_plan_environment(struct planning *p)
{
	/* As `aws configure export-credentials` writes it. */
	const char *expiry = env_of(p, "AWS_CREDENTIAL_EXPIRATION");
	struct found f = {
		.keys = {.id = env_of(p, "AWS_ACCESS_KEY_ID"),
			 .secret = env_of(p, "AWS_SECRET_ACCESS_KEY"),
			 /* The old name first, as botocore does. */
			 .token = env_of(p, "AWS_SECURITY_TOKEN"),
			 .expires_ms = INT64_MAX},
		.id_name = "AWS_ACCESS_KEY_ID",
		.secret_name = "AWS_SECRET_ACCESS_KEY",
		.provider = "env",
	};

	if (!f.keys.id)
		return -ENOENT;
	if (!f.keys.token)
		f.keys.token = env_of(p, "AWS_SESSION_TOKEN");
	if (expiry && creds_time_parse(expiry, &f.keys.expires_ms))
		return creds_plan_refuse(p,
					 "AWS_CREDENTIAL_EXPIRATION is '%s': "
					 "not an ISO 8601 time",
					 expiry);
	f.where = g_strdup("the environment");
	return take_keys(p, &f);
}

static int from_file(struct planning *p, const char *profile,
		     const struct aws_config *file, const char *path,
		     const char *provider)
{
	struct found f = {
		.keys = {.id = aws_config_get(file, "profile", profile,
					      "aws_access_key_id", NULL),
			 .secret = aws_config_get(file, "profile", profile,
						  "aws_secret_access_key",
						  NULL),
			 .token = aws_config_get(file, "profile", profile,
						 "aws_security_token", NULL),
			 .expires_ms = INT64_MAX},
		.id_name = "aws_access_key_id",
		.secret_name = "aws_secret_access_key",
		.provider = provider,
	};

	if (!f.keys.id)
		return -ENOENT;
	if (!f.keys.token)
		f.keys.token = aws_config_get(file, "profile", profile,
					      "aws_session_token", NULL);
	f.where = g_strdup_printf("profile '%s' in %s", profile, path);
	return take_keys(p, &f);
}

/* ---- somebody to ask ---------------------------------------------------- */

/* The variable, where it counts, else the profile's key. */
static const char *either(const struct planning *p, bool use_env,
			  const char *variable, const char *profile,
			  const char *key)
{
	const char *value = use_env ? env_of(p, variable) : NULL;

	return value ? value : planning_key(p, profile, key);
}

int creds_plan_web_identity(struct planning *p, const char *profile,
			    bool use_env)
{
	struct creds_plan *plan = p->plan;
	const char *file = either(p, use_env, "AWS_WEB_IDENTITY_TOKEN_FILE",
				  profile, "web_identity_token_file");
	const char *arn = either(p, use_env, "AWS_ROLE_ARN", profile,
				 "role_arn");

	if (!file)
		return -ENOENT;
	if (!arn)
		return creds_plan_refuse(p,
					 "the web identity token %s is for no "
					 "role: set AWS_ROLE_ARN or role_arn "
					 "in profile '%s'",
					 file, profile);
	plan->base = CREDS_WEB_IDENTITY;
	plan->provider = "assume-role-with-web-identity";
	plan->token_file = aws_expand_home(p->settings->environ, file);
	plan->web.arn = g_strdup(arn);
	plan->web.session_name = g_strdup(either(p, use_env,
						 "AWS_ROLE_SESSION_NAME",
						 profile, "role_session_name"));
	plan->source = g_strdup_printf("role %s by the web identity token %s",
				       arn, file);
	return 0;
}

/* The value of the profile's and the session's key, where they agree. */
static int sso_value(struct planning *p, const char *profile,
		     const char *session, const char *key, char **ret)
{
	const char *own = planning_key(p, profile, key), *theirs = NULL;

	if (session)
		theirs = aws_config_get(p->profiles->config, "sso-session",
					session, key, NULL);
	if (own && theirs && strcmp(own, theirs))
		return creds_plan_refuse(p,
					 "profile '%s' has %s '%s' and its "
					 "sso-session '%s' has '%s': drop one",
					 profile, key, own, session, theirs);
	*ret = g_strdup(theirs ? theirs : own);
	if (!*ret)
		return creds_plan_refuse(p,
					 "profile '%s' uses IAM Identity "
					 "Center but has no %s: run 'aws "
					 "configure sso --profile %s'",
					 profile, key, profile);
	return 0;
}

static void sso_names(struct planning *p, const char *profile)
{
	struct creds_sso *sso = &p->plan->sso;
	const char *key = sso->session ? sso->session : sso->start_url;
	char name[AWS_SHA1_HEX_SIZE];
	g_autofree char *path = NULL;

	aws_sha1_hex(key, strlen(key), name);
	path = g_strdup_printf("~/.aws/sso/cache/%s.json", name);
	sso->token_path = aws_expand_home(p->settings->environ, path);
	sso->login = sso->session
			     ? g_strdup_printf("aws sso login --sso-session %s",
					       sso->session)
			     : g_strdup_printf("aws sso login --profile %s",
					       profile);
	p->plan->source = g_strdup_printf(
		"IAM Identity Center%s%s, role %s of account %s",
		sso->session ? " session " : "",
		sso->session ? sso->session : "", sso->role, sso->account);
}

int creds_plan_sso(struct planning *p, const char *profile)
{
	struct creds_sso *sso = &p->plan->sso;
	const char *session = planning_key(p, profile, "sso_session");
	int rc;

	if (!planning_key(p, profile, "sso_role_name") &&
	    !planning_key(p, profile, "sso_account_id"))
		return -ENOENT;
	if (session &&
	    !aws_config_has(p->profiles->config, "sso-session", session))
		return creds_plan_refuse(p,
					 "profile '%s' names sso_session '%s', "
					 "but %s has no [sso-session %s]",
					 profile, session,
					 p->profiles->config_path, session);
	p->plan->base = CREDS_SSO;
	p->plan->provider = "sso";
	sso->session = g_strdup(session);
	rc = sso_value(p, profile, session, "sso_role_name", &sso->role);
	if (!rc)
		rc = sso_value(p, profile, session, "sso_account_id",
			       &sso->account);
	if (!rc)
		rc = sso_value(p, profile, session, "sso_start_url",
			       &sso->start_url);
	if (!rc)
		rc = sso_value(p, profile, session, "sso_region", &sso->region);
	if (rc)
		return rc;
	if (!aws_is_region(sso->region))
		return creds_plan_refuse(p, "sso_region '%s' is no region",
					 sso->region);
	sso_names(p, profile);
	rc = creds_plan_url(p, AWS_SSO, sso->region, &sso->portal_url);
	if (!rc)
		rc = creds_plan_url(p, AWS_SSO_OIDC, sso->region,
				    &sso->oidc_url);
	return rc;
}

static int from_process(struct planning *p, const char *profile)
{
	const char *command = planning_key(p, profile, "credential_process");

	if (!command)
		return -ENOENT;
	p->plan->base = CREDS_PROCESS;
	p->plan->provider = "custom-process";
	p->plan->command = g_strdup(command);
	p->plan->source = g_strdup_printf("the credential_process of profile "
					  "'%s'",
					  profile);
	return 0;
}

/* Its keys are bound to a private key that only the CLI may renew. */
static int from_login(struct planning *p, const char *profile)
{
	if (!planning_key(p, profile, "login_session"))
		return -ENOENT;
	return creds_plan_refuse(
		p,
		"profile '%s' is logged in by 'aws login', whose sessions only "
		"the AWS CLI can renew: let it, by a profile of its own with "
		"'credential_process = aws configure export-credentials "
		"--profile %s --format process'",
		profile, profile);
}

int creds_plan_profile(struct planning *p, const char *profile, bool use_env)
{
	const struct aws_profiles *f = p->profiles;
	int rc = creds_plan_web_identity(p, profile, use_env);

	if (rc == -ENOENT)
		rc = creds_plan_sso(p, profile);
	if (rc == -ENOENT)
		rc = from_file(p, profile, f->credentials, f->credentials_path,
			       "shared-credentials-file");
	if (rc == -ENOENT)
		rc = from_login(p, profile);
	if (rc == -ENOENT)
		rc = from_process(p, profile);
	if (rc == -ENOENT)
		rc = from_file(p, profile, f->config, f->config_path,
			       "config-file");
	return rc;
}

int creds_plan_container(struct planning *p)
{
	if (!env_of(p, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") &&
	    !env_of(p, "AWS_CONTAINER_CREDENTIALS_FULL_URI"))
		return -ENOENT;
	p->plan->base = CREDS_CONTAINER;
	p->plan->provider = "container-role";
	p->plan->source = g_strdup("the container's credentials endpoint");
	return 0;
}

void creds_plan_instance(struct planning *p)
{
	p->plan->base = CREDS_INSTANCE;
	p->plan->provider = "iam-role";
	p->plan->source = g_strdup("the EC2 instance's role");
}
