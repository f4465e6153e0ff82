/* SPDX-License-Identifier: MIT */
#include "fs/aws/credentials.h"
#include "fs/aws/settings.h"
#include "fs/creds/plan.h"
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
#define ROLE(n)	  "role_arn = arn:aws:iam::1:role/" n "\n"
#define SSO	  "sso_account_id = 42\nsso_role_name = R\n"
#define SESSION                                                     \
	"[sso-session s]\nsso_start_url = https://u\nsso_region = " \
	"eu-west-1\n"

/*
 * want: "provider id" for keys, else "provider piece-of-source"; then roles
 * after '>'.  error: a piece of the sentence.  '@' is the home folder.
 */
static const struct {
	const char *profile, *env, *credentials, *config;
	const char *want, *error;
	int64_t expires_ms; /* of keys; 0: never */
} cases[] = {
	/* the environment first */
	{NULL, ENV_KEYS, "[default]\n" FILE_KEYS, NULL, "env EI ES -", NULL, 0},
	{NULL, ENV_KEYS "AWS_SESSION_TOKEN=ET", NULL, NULL, "env EI ES ET",
	 NULL, 0},
	{NULL, ENV_KEYS "AWS_SESSION_TOKEN=ET AWS_SECURITY_TOKEN=EU", NULL,
	 NULL, "env EI ES EU", NULL, 0},
	{NULL, ENV_KEYS "AWS_CREDENTIAL_EXPIRATION=2026-11-22T13:05:02.5+01:00",
	 NULL, NULL, "env EI ES -", NULL, INT64_C(1795349102500)},
	{NULL, ENV_KEYS "AWS_CREDENTIAL_EXPIRATION=2026-11-22T13:05:02Z", NULL,
	 NULL, "env EI ES -", NULL, INT64_C(1795352702000)},
	{NULL, ENV_KEYS "AWS_CREDENTIAL_EXPIRATION=soon", NULL, NULL, NULL,
	 "AWS_CREDENTIAL_EXPIRATION is 'soon'", 0},
	{NULL, "AWS_ACCESS_KEY_ID=EI", "[default]\n" FILE_KEYS, NULL, NULL,
	 "the environment has AWS_ACCESS_KEY_ID but no "
	 "AWS_SECRET_ACCESS_KEY: set both",
	 0},
	{NULL, "AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=ES",
	 "[default]\n" FILE_KEYS, NULL, "shared-credentials-file FI FS -", NULL,
	 0},
	{NULL, "AWS_ACCESS_KEY_ID=E\tI AWS_SECRET_ACCESS_KEY=ES", NULL, NULL,
	 NULL, "the credentials in the environment hold a blank", 0},

	/* a named profile */
	{"x", ENV_KEYS, "[x]\n" FILE_KEYS, NULL,
	 "shared-credentials-file FI FS -", NULL, 0},
	{"x", ENV_KEYS, NULL, "[profile x]\nregion = a", "iam-role EC2", NULL,
	 0},
	{NULL, ENV_KEYS "AWS_PROFILE=x", "[x]\n" FILE_KEYS, NULL, "env EI ES -",
	 NULL, 0},
	{NULL, "AWS_PROFILE=x", "[default]\n" CONF_KEYS "[x]\n" FILE_KEYS, NULL,
	 "shared-credentials-file FI FS -", NULL, 0},

	/* the files: credentials, then config, keys never mixed */
	{NULL, "", "[default]\n" FILE_KEYS "aws_session_token = FT",
	 "[default]\n" CONF_KEYS, "shared-credentials-file FI FS FT", NULL, 0},
	{NULL, "", "[default]\nregion = a", "[default]\n" CONF_KEYS,
	 "config-file CI CS -", NULL, 0},
	{NULL, "", "[default]\naws_access_key_id = FI", "[default]\n" CONF_KEYS,
	 NULL,
	 "profile 'default' in @/.aws/credentials has aws_access_key_id but "
	 "no aws_secret_access_key: set both",
	 0},
	{NULL, "", "[default]\n" FILE_KEYS, "[default]\naws_session_token = X",
	 "shared-credentials-file FI FS -", NULL, 0},
	{NULL, "",
	 "[default]\n" FILE_KEYS "aws_session_token = A\n  wrapped = line",
	 NULL, NULL, "in profile 'default' in @/.aws/credentials hold a blank",
	 0},
	{NULL, "", "nonsense", NULL, NULL, "/.aws/credentials:1: ", 0},
	{NULL, "", NULL, NULL, "iam-role the EC2 instance's role", NULL, 0},

	/* roles */
	{"x", "", "[default]\n" FILE_KEYS,
	 "[profile x]\n" ROLE("r") "source_profile = default",
	 "shared-credentials-file FI FS - > r", NULL, 0},
	{"x", "", "[default]\n" FILE_KEYS,
	 "[profile x]\n" ROLE(
		 "r") "source_profile = y\nexternal_id = e\n"
		      "role_session_name = n\nduration_seconds = 900\n"
		      "[profile y]\n" ROLE("q") "source_profile = default\n"
						"duration_seconds = long",
	 "shared-credentials-file FI FS - > q > r e n 900", NULL, 0},
	{NULL, ENV_KEYS, NULL, "[default]\n" ROLE("r"), "env EI ES -", NULL, 0},
	{"x", ENV_KEYS, NULL,
	 "[profile x]\n" ROLE("r") "credential_source = Environment",
	 "env EI ES - > r", NULL, 0},
	{"x", "", NULL,
	 "[profile x]\n" ROLE("r") "credential_source = Environment", NULL,
	 "AWS_ACCESS_KEY_ID is not set", 0},
	{"x", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/c", NULL,
	 "[profile x]\n" ROLE("r") "credential_source = EcsContainer",
	 "container-role endpoint > r", NULL, 0},
	{"x", "", NULL,
	 "[profile x]\n" ROLE("r") "credential_source = EcsContainer", NULL,
	 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set", 0},
	{"x", "", NULL,
	 "[profile x]\n" ROLE("r") "credential_source = Ec2InstanceMetadata",
	 "iam-role role > r", NULL, 0},
	{"x", "", NULL, "[profile x]\n" ROLE("r") "credential_source = Ec2",
	 NULL, "it can be Environment, Ec2InstanceMetadata or", 0},
	{"x", "", NULL, "[profile x]\n" ROLE("r"), NULL,
	 "add source_profile or credential_source", 0},
	{"x", ENV_KEYS, NULL,
	 "[profile x]\n" ROLE("r") "source_profile = y\n"
				   "credential_source = Environment",
	 NULL, "both source_profile and credential_source", 0},
	{"x", "", NULL, "[profile x]\n" ROLE("r") "source_profile = y", NULL,
	 "source_profile 'y', which does not exist", 0},
	{"x", "", NULL,
	 "[profile x]\n" ROLE("r") "source_profile = y\n[profile y]\na = b",
	 NULL, "source_profile 'y', which has no credentials", 0},
	{"x", "", NULL, "[profile x]\n" ROLE("r") "source_profile = x", NULL,
	 "leads back to itself", 0},
	{"x", "", NULL,
	 "[profile x]\n" CONF_KEYS ROLE("r") "source_profile = x",
	 "config-file CI CS - > r", NULL, 0},
	{"x", "", NULL,
	 "[profile x]\n" ROLE("r") "source_profile = y\n[profile y]\n" ROLE(
		 "q") "source_profile = x",
	 NULL, "leads back to itself", 0},
	{"x", "", "[default]\n" FILE_KEYS,
	 "[profile x]\n" ROLE("r") "source_profile = default\n"
				   "mfa_serial = arn:aws:iam::1:mfa/me",
	 NULL, "with an MFA code (mfa_serial), which nobody can type", 0},
	{"x", "", NULL,
	 "[profile x]\n" ROLE(
		 "r") "source_profile = y\n"
		      "[profile y]\ncredential_process = /bin/x --y",
	 "custom-process credential_process of profile 'y' > r", NULL, 0},

	/* web identity */
	{NULL, "AWS_WEB_IDENTITY_TOKEN_FILE=/t AWS_ROLE_ARN=arn:r", NULL, NULL,
	 "assume-role-with-web-identity role arn:r by the web identity token "
	 "/t",
	 NULL, 0},
	{NULL, "AWS_WEB_IDENTITY_TOKEN_FILE=/t", NULL, NULL, NULL,
	 "set AWS_ROLE_ARN or role_arn", 0},
	{"x", "AWS_WEB_IDENTITY_TOKEN_FILE=/t AWS_ROLE_ARN=arn:r", NULL,
	 "[profile x]\n" CONF_KEYS, "config-file CI CS -", NULL, 0},
	{"x", "", NULL, "[profile x]\nweb_identity_token_file = /u\n" ROLE("w"),
	 "assume-role-with-web-identity role/w by the web identity token /u",
	 NULL, 0},

	/* IAM Identity Center */
	{NULL, "", "[default]\n" FILE_KEYS,
	 "[default]\nsso_session = s\n" SSO SESSION,
	 "sso IAM Identity Center session s, role R of account 42", NULL, 0},
	{NULL, "", NULL,
	 "[default]\n" SSO "sso_start_url = https://u\nsso_region = eu-west-1",
	 "sso IAM Identity Center, role R of account 42", NULL, 0},
	{NULL, "", NULL, "[default]\nsso_session = t\n" SSO SESSION, NULL,
	 "names sso_session 't', but @/.aws/config has no [sso-session t]", 0},
	{NULL, "", NULL,
	 "[default]\nsso_session = s\nsso_region = us-east-1\n" SSO SESSION,
	 NULL, "sso_region 'us-east-1' and its sso-session 's' has", 0},
	{NULL, "", NULL,
	 "[default]\nsso_role_name = R\nsso_session = s\n" SESSION, NULL,
	 "no sso_account_id: run 'aws configure sso --profile default'", 0},
	{NULL, "", NULL, "[default]\nsso_session = s\n" SESSION, "iam-role EC2",
	 NULL, 0},
	{"x", "", NULL,
	 "[profile x]\n" ROLE("r") "source_profile = y\n[profile y]\n"
				   "sso_session = s\n" SSO SESSION,
	 "sso IAM Identity Center session s, role R of account 42 > r", NULL,
	 0},

	/* the rest */
	{NULL, "", "[default]\n" FILE_KEYS,
	 "[default]\ncredential_process = /bin/x",
	 "shared-credentials-file FI FS -", NULL, 0},
	{NULL, "", NULL, "[default]\n" CONF_KEYS "credential_process = /bin/x",
	 "custom-process the credential_process of profile 'default'", NULL, 0},
	{NULL, "", NULL, "[default]\nlogin_session = x", NULL,
	 "'credential_process = aws configure export-credentials --profile "
	 "default --format process'",
	 0},
	{NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost/", NULL,
	 NULL, "container-role container", NULL, 0},
};

static char *roles_text(const struct creds_plan *p)
{
	GString *s = g_string_new(NULL);

	for (guint i = 0; i < p->roles->len; i++) {
		const struct creds_role *r = p->roles->pdata[i];

		g_string_append_printf(s, " > %s", strrchr(r->arn, '/') + 1);
		if (r->external_id)
			g_string_append_printf(s, " %s %s %d", r->external_id,
					       r->session_name, r->duration_s);
	}
	return g_string_free(s, FALSE);
}

static void check_plan(size_t i, const struct creds_plan *p)
{
	g_autofree char *roles = roles_text(p);
	g_autofree char *text = NULL;
	const char *want = cases[i].want;

	if (p->base == CREDS_KEYS) {
		text = g_strdup_printf("%s %s %s %s%s", p->provider,
				       p->keys->access_key_id,
				       p->keys->secret_access_key,
				       p->keys->session_token ?: "-", roles);
		assert_string_equal(text, want);
		assert_int_equal(p->keys->expires_ms,
				 cases[i].expires_ms ?: INT64_MAX);
		return;
	}
	text = g_strconcat(p->source, roles, NULL);
	if (!g_str_has_prefix(want, p->provider) ||
	    !g_str_has_suffix(want, roles) ||
	    !strstr(text, want + strlen(p->provider) + 1))
		fail_msg("case %zu: %s %s", i, p->provider, text);
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
	static char region[] = "us-west-2";
	struct aws_settings s = {
		.environ = h->env,
		.profile = (char *)(uintptr_t)cases[i].profile,
		.profile_explicit = cases[i].profile != NULL,
		.region = region,
	};
	struct creds_plan *p = NULL;
	g_autofree char *error = NULL;
	const char *named = g_environ_getenv(h->env, "AWS_PROFILE");
	int rc;

	if (!s.profile)
		s.profile = (char *)(uintptr_t)(named ? named : "default");
	rc = creds_plan_make(&s, &p, &error);
	if (cases[i].error) {
		assert_int_equal(rc, -EACCES);
		assert_null(p);
		check_refusal(i, h, error);
		return;
	}
	if (rc)
		fail_msg("case %zu: %s", i, error);
	check_plan(i, p);
	creds_plan_free(p);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
