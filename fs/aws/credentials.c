/* SPDX-License-Identifier: MIT */
/*
 * The credential chain: providers in the CLI's order, each of which has keys,
 * has nothing, or has something that cannot work.  A new kind of credentials
 * is a new row in the table.
 */
#include "fs/aws/settings.h"

#include "fs/aws/profiles.h"

#include <glib.h>
#include <openssl/crypto.h>

#include <errno.h>
#include <string.h>

struct lookup {
	const struct aws_settings *settings;
	const struct aws_profiles *profiles;
};

static char *wiped(char *s)
{
	if (s)
		OPENSSL_cleanse(s, strlen(s));
	g_free(s);
	return NULL;
}

void aws_credentials_free(struct aws_credentials *c)
{
	if (!c)
		return;
	c->access_key_id = wiped(c->access_key_id);
	c->secret_access_key = wiped(c->secret_access_key);
	c->session_token = wiped(c->session_token);
	g_free(c);
}

/* Keys go into header lines: nothing but visible ASCII can be one. */
static bool is_key(const char *s)
{
	for (; *s; s++)
		if (!g_ascii_isgraph(*s))
			return false;
	return true;
}

struct found {
	const char *where; /* for the sentence */
	const char *id, *secret, *token;
	const char *id_name, *secret_name;
	int64_t expires_ms;
};

static int check_and_copy(const struct found *f, struct aws_credentials **ret,
			  char **ret_error)
{
	if (!f->id)
		return -ENOENT;
	if (!f->secret) {
		*ret_error = g_strdup_printf("%s has %s but no %s: set both",
					     f->where, f->id_name,
					     f->secret_name);
		return -EACCES;
	}
	if (!is_key(f->id) || !is_key(f->secret) ||
	    (f->token && !is_key(f->token))) {
		*ret_error = g_strdup_printf("the credentials in %s hold a "
					     "blank, a line break or another "
					     "character that no key has",
					     f->where);
		return -EACCES;
	}
	*ret = g_new0(struct aws_credentials, 1);
	(*ret)->access_key_id = g_strdup(f->id);
	(*ret)->secret_access_key = g_strdup(f->secret);
	(*ret)->session_token = g_strdup(f->token);
	(*ret)->expires_ms = f->expires_ms;
	return 0;
}

/* AWS_CREDENTIAL_EXPIRATION, as `aws configure export-credentials` writes. */
static int read_expiry(const char *text, int64_t *ret_ms, char **ret_error)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GDateTime) t = NULL;

	if (!text)
		return 0;
	t = g_date_time_new_from_iso8601(text, utc);
	if (!t) {
		*ret_error = g_strdup_printf("AWS_CREDENTIAL_EXPIRATION is "
					     "'%s': not an ISO 8601 time",
					     text);
		return -EACCES;
	}
	*ret_ms = g_date_time_to_unix(t) * 1000 +
		  g_date_time_get_microsecond(t) / 1000;
	return 0;
}

static int from_environment(const struct lookup *l,
			    struct aws_credentials **ret, char **ret_error)
{
	char **env = l->settings->environ;
	struct found f = {
		.where = "the environment",
		.id = aws_env(env, "AWS_ACCESS_KEY_ID"),
		.secret = aws_env(env, "AWS_SECRET_ACCESS_KEY"),
		/* The old name first, as botocore does. */
		.token = aws_env(env, "AWS_SECURITY_TOKEN"),
		.id_name = "AWS_ACCESS_KEY_ID",
		.secret_name = "AWS_SECRET_ACCESS_KEY",
		.expires_ms = INT64_MAX,
	};
	int rc;

	/* --profile says which keys are meant; AWS_PROFILE alone does not. */
	if (l->settings->profile_explicit || !f.id)
		return -ENOENT;
	if (!f.token)
		f.token = aws_env(env, "AWS_SESSION_TOKEN");
	rc = read_expiry(aws_env(env, "AWS_CREDENTIAL_EXPIRATION"),
			 &f.expires_ms, ret_error);
	return rc ? rc : check_and_copy(&f, ret, ret_error);
}

/* Kinds of credentials that are named by a key of the profile. */
static const struct kind {
	const char *key, *what;
} other_kinds[] = {
	{"role_arn", "an assumed role"},
	{"web_identity_token_file", "a web identity"},
	{"sso_session", "IAM Identity Center (SSO)"},
	{"sso_start_url", "IAM Identity Center (SSO)"},
	{"login_session", "an 'aws login' session"},
	{"credential_process", "a credential process"},
};

static int not_supported(const struct lookup *l, const struct kind *k,
			 char **ret_error)
{
	const char *profile = l->settings->profile;

	*ret_error = g_strdup_printf(
		"profile '%s' gets its credentials from %s (%s), which kvsfs "
		"does not support yet: eval \"$(aws configure "
		"export-credentials --profile %s --format env)\" first and "
		"name no --profile",
		profile, k->what, k->key, profile);
	return -EACCES;
}

/* The CLI prefers a role to the keys beside it; to sign with those keys would
 * be to act as somebody else. */
static int from_role(const struct lookup *l, struct aws_credentials **ret,
		     char **ret_error)
{
	if (!aws_profiles_get(l->profiles, l->settings->profile, "role_arn"))
		return -ENOENT;
	return not_supported(l, &other_kinds[0], ret_error);
}

static int from_file(const struct lookup *l, const struct aws_config *file,
		     const char *path, struct aws_credentials **ret,
		     char **ret_error)
{
	const char *profile = l->settings->profile;
	g_autofree char *where = g_strdup_printf("profile '%s' in %s", profile,
						 path);
	struct found f = {
		.where = where,
		.id = aws_config_get(file, "profile", profile,
				     "aws_access_key_id", NULL),
		.secret = aws_config_get(file, "profile", profile,
					 "aws_secret_access_key", NULL),
		.token = aws_config_get(file, "profile", profile,
					"aws_security_token", NULL),
		.id_name = "aws_access_key_id",
		.secret_name = "aws_secret_access_key",
		.expires_ms = INT64_MAX,
	};

	if (!f.token)
		f.token = aws_config_get(file, "profile", profile,
					 "aws_session_token", NULL);
	return check_and_copy(&f, ret, ret_error);
}

static int from_credentials_file(const struct lookup *l,
				 struct aws_credentials **ret, char **ret_error)
{
	return from_file(l, l->profiles->credentials,
			 l->profiles->credentials_path, ret, ret_error);
}

static int from_config_file(const struct lookup *l,
			    struct aws_credentials **ret, char **ret_error)
{
	return from_file(l, l->profiles->config, l->profiles->config_path, ret,
			 ret_error);
}

/* 0; -ENOENT: nothing here, ask the next; -EACCES and a sentence. */
typedef int (*provider_fn)(const struct lookup *l, struct aws_credentials **ret,
			   char **ret_error);

static const provider_fn providers[] = {
	from_environment,
	from_role,
	from_credentials_file,
	from_config_file,
};

static int none_found(const struct lookup *l, char **ret_error)
{
	const struct aws_settings *s = l->settings;

	for (size_t i = 0; i < G_N_ELEMENTS(other_kinds); i++)
		if (aws_profiles_get(l->profiles, s->profile,
				     other_kinds[i].key))
			return not_supported(l, &other_kinds[i], ret_error);
	*ret_error = g_strdup_printf(
		"no credentials: %s, and profile '%s' has no aws_access_key_id "
		"in %s or %s: run 'aws configure'%s",
		s->profile_explicit ? "--profile excludes the environment's"
				    : "AWS_ACCESS_KEY_ID is not set",
		s->profile, l->profiles->credentials_path,
		l->profiles->config_path,
		s->profile_explicit ? ""
				    : " or set AWS_ACCESS_KEY_ID and "
				      "AWS_SECRET_ACCESS_KEY");
	return -EACCES;
}

int aws_credentials_load(const struct aws_settings *s,
			 struct aws_credentials **ret_credentials,
			 char **ret_error)
{
	struct aws_profiles *profiles = NULL;
	struct lookup l = {.settings = s};
	int rc = -ENOENT;

	if (aws_profiles_read(s->environ, &profiles, ret_error))
		return -EACCES;
	l.profiles = profiles;
	for (size_t i = 0; rc == -ENOENT && i < G_N_ELEMENTS(providers); i++)
		rc = providers[i](&l, ret_credentials, ret_error);
	if (rc == -ENOENT)
		rc = none_found(&l, ret_error);
	aws_profiles_free(profiles);
	return rc;
}
