/* SPDX-License-Identifier: MIT */
#include "fs/aws/settings.h"
#include "tests/unit/aws/home.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define ENV_KEYS  "AWS_ACCESS_KEY_ID=EI AWS_SECRET_ACCESS_KEY=ES "
#define FILE_KEYS "aws_access_key_id = FI\naws_secret_access_key = FS\n"
#define CONF_KEYS "aws_access_key_id = CI\naws_secret_access_key = CS\n"
#define ROLE	  "role_arn = arn:aws:iam::1:role/r\nsource_profile = default\n"

/* keys: "id secret token"; error: a piece of the sentence. */
static const struct {
	const char *profile, *env, *credentials, *config;
	const char *keys, *error;
	int64_t expires_ms; /* 0: never */
} cases[] = {
	/* the environment first */
	{NULL, ENV_KEYS, "[default]\n" FILE_KEYS, NULL, "EI ES -", NULL, 0},
	{NULL, ENV_KEYS "AWS_SESSION_TOKEN=ET", NULL, NULL, "EI ES ET", NULL,
	 0},
	{NULL, ENV_KEYS "AWS_SESSION_TOKEN=ET AWS_SECURITY_TOKEN=EU", NULL,
	 NULL, "EI ES EU", NULL, 0},
	{NULL, ENV_KEYS "AWS_CREDENTIAL_EXPIRATION=2026-11-22T13:05:02.5+01:00",
	 NULL, NULL, "EI ES -", NULL, INT64_C(1795349102500)},
	{NULL, ENV_KEYS "AWS_CREDENTIAL_EXPIRATION=2026-11-22T13:05:02Z", NULL,
	 NULL, "EI ES -", NULL, INT64_C(1795352702000)},
	{NULL, ENV_KEYS "AWS_CREDENTIAL_EXPIRATION=soon", NULL, NULL, NULL,
	 "AWS_CREDENTIAL_EXPIRATION is 'soon'", 0},
	{NULL, "AWS_ACCESS_KEY_ID=EI", "[default]\n" FILE_KEYS, NULL, NULL,
	 "the environment has AWS_ACCESS_KEY_ID but no "
	 "AWS_SECRET_ACCESS_KEY: set both",
	 0},
	{NULL, "AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=ES",
	 "[default]\n" FILE_KEYS, NULL, "FI FS -", NULL, 0},
	{NULL, "AWS_ACCESS_KEY_ID=E\tI AWS_SECRET_ACCESS_KEY=ES", NULL, NULL,
	 NULL, "the credentials in the environment hold a blank", 0},

	/* a named profile */
	{"x", ENV_KEYS, "[x]\n" FILE_KEYS, NULL, "FI FS -", NULL, 0},
	{"x", ENV_KEYS, NULL, "[profile x]\nregion = a", NULL,
	 "no credentials: --profile excludes the environment's", 0},
	{NULL, ENV_KEYS "AWS_PROFILE=x", "[x]\n" FILE_KEYS, NULL, "EI ES -",
	 NULL, 0},
	{NULL, "AWS_PROFILE=x", "[default]\n" CONF_KEYS "[x]\n" FILE_KEYS, NULL,
	 "FI FS -", NULL, 0},

	/* the files: credentials, then config, keys never mixed */
	{NULL, "", "[default]\n" FILE_KEYS "aws_session_token = FT",
	 "[default]\n" CONF_KEYS, "FI FS FT", NULL, 0},
	{NULL, "", "[default]\nregion = a", "[default]\n" CONF_KEYS, "CI CS -",
	 NULL, 0},
	{NULL, "", "[default]\naws_access_key_id = FI", "[default]\n" CONF_KEYS,
	 NULL,
	 "profile 'default' in @/.aws/credentials has aws_access_key_id but "
	 "no aws_secret_access_key: set both",
	 0},
	{NULL, "", "[default]\n" FILE_KEYS, "[default]\naws_session_token = X",
	 "FI FS -", NULL, 0},
	{NULL, "",
	 "[default]\n" FILE_KEYS "aws_session_token = A\n  wrapped = line",
	 NULL, NULL, "in profile 'default' in @/.aws/credentials hold a blank",
	 0},
	{NULL, "", "nonsense", NULL, NULL, "/.aws/credentials:1: ", 0},
	{NULL, "", NULL, NULL, NULL,
	 "no credentials: AWS_ACCESS_KEY_ID is not set, and profile 'default' "
	 "has no aws_access_key_id in @/.aws/credentials or @/.aws/config",
	 0},
	{NULL, "", NULL, NULL, NULL, "run 'aws configure' or set AWS_ACC", 0},

	/* credentials of other kinds */
	{"x", "", NULL, "[profile x]\n" ROLE, NULL,
	 "profile 'x' gets its credentials from an assumed role (role_arn), "
	 "which kvsfs does not support yet",
	 0},
	{NULL, "", "[default]\n" FILE_KEYS, "[default]\n" ROLE, NULL,
	 "an assumed role (role_arn)", 0},
	{NULL, ENV_KEYS, NULL, "[default]\n" ROLE, "EI ES -", NULL, 0},
	{NULL, "", NULL, "[default]\nsso_session = s", NULL,
	 "IAM Identity Center (SSO) (sso_session), which kvsfs does not", 0},
	{NULL, "", NULL, "[default]\nsso_start_url = s", NULL,
	 "(sso_start_url)", 0},
	{NULL, "", NULL, "[default]\ncredential_process = /bin/x", NULL,
	 "a credential process (credential_process)", 0},
	{NULL, "", NULL, "[default]\nweb_identity_token_file = /x", NULL,
	 "a web identity (web_identity_token_file)", 0},
	{NULL, "", NULL, "[default]\nlogin_session = x", NULL,
	 "(login_session)", 0},
	{NULL, "", "[default]\n" FILE_KEYS, "[default]\nsso_session = s",
	 "FI FS -", NULL, 0},
};

static char *keys_text(const struct aws_credentials *c)
{
	return g_strdup_printf("%s %s %s", c->access_key_id,
			       c->secret_access_key,
			       c->session_token ? c->session_token : "-");
}

static void check_refusal(size_t i, const struct home *h, const char *error)
{
	g_auto(GStrv) parts = g_strsplit(cases[i].error, "@", -1);
	g_autofree char *piece = g_strjoinv(h->dir, parts);

	if (!strstr(error, piece) || strchr(error, '\n'))
		fail_msg("case %zu: %s", i, error);
	/* Nothing secret is ever repeated. */
	assert_null(strstr(error, "FS"));
	assert_null(strstr(error, "wrapped"));
}

static void check_case(size_t i, struct home *h)
{
	struct aws_settings s = {
		.environ = h->env,
		.profile = (char *)(uintptr_t)cases[i].profile,
		.profile_explicit = cases[i].profile != NULL,
	};
	struct aws_credentials *c = NULL;
	g_autofree char *error = NULL, *keys = NULL;
	const char *named = g_environ_getenv(h->env, "AWS_PROFILE");
	int rc;

	if (!s.profile)
		s.profile = (char *)(uintptr_t)(named ? named : "default");
	rc = aws_credentials_load(&s, &c, &error);
	if (cases[i].error) {
		assert_int_equal(rc, -EACCES);
		assert_null(c);
		check_refusal(i, h, error);
		return;
	}
	if (rc)
		fail_msg("case %zu: %s", i, error);
	keys = keys_text(c);
	assert_string_equal(keys, cases[i].keys);
	assert_int_equal(c->expires_ms,
			 cases[i].expires_ms ? cases[i].expires_ms : INT64_MAX);
	aws_credentials_free(c);
}

static void table(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct home h;

		home_open(&h);
		home_write(h.config, cases[i].config);
		home_write(h.credentials, cases[i].credentials);
		home_setenv(&h, cases[i].env);
		check_case(i, &h);
		home_close(&h);
	}
}

/* A key that was changed on disk is the one the next call sees. */
static void files_are_read_anew(void **state)
{
	struct aws_credentials *c = NULL;
	g_autofree char *error = NULL;
	char profile[] = "default";
	struct aws_settings s = {.profile = profile};
	struct home h;

	home_open(&h);
	s.environ = h.env;
	home_write(h.credentials, "[default]\n" FILE_KEYS);
	assert_int_equal(aws_credentials_load(&s, &c, &error), 0);
	assert_string_equal(c->access_key_id, "FI");
	aws_credentials_free(c);
	home_write(h.credentials, "[default]\n" CONF_KEYS);
	assert_int_equal(aws_credentials_load(&s, &c, &error), 0);
	assert_string_equal(c->access_key_id, "CI");
	aws_credentials_free(c);
	aws_credentials_free(NULL);
	home_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(files_are_read_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
