/* SPDX-License-Identifier: MIT */
#include "fs/creds/plan.h"

#include <errno.h>
#include <string.h>

#include "fs/aws/credentials.h"
#include "fs/creds/plan_impl.h"

static void role_clear(struct creds_role *r)
{
	g_free(r->arn);
	g_free(r->session_name);
	g_free(r->external_id);
}

static void role_free(void *role)
{
	role_clear(role);
	g_free(role);
}

void creds_plan_free(struct creds_plan *p)
{
	if (!p)
		return;
	aws_credentials_free(p->keys);
	g_free(p->source);
	g_free(p->nowhere);
	g_free(p->token_file);
	role_clear(&p->web);
	g_free(p->sso.session);
	g_free(p->sso.start_url);
	g_free(p->sso.region);
	g_free(p->sso.account);
	g_free(p->sso.role);
	g_free(p->sso.token_path);
	g_free(p->sso.portal_url);
	g_free(p->sso.oidc_url);
	g_free(p->sso.login);
	/* Arguments may be secrets, too. */
	aws_wipe_free(p->command);
	g_ptr_array_unref(p->roles);
	g_free(p->sts_url);
	g_free(p);
}

/* ---- roles -------------------------------------------------------------- */

/* With a token file beside it, role_arn is the web identity's. */
static bool has_role(const struct planning *p, const char *profile)
{
	return planning_key(p, profile, "role_arn") &&
	       !planning_key(p, profile, "web_identity_token_file");
}

static bool has_keys(const struct planning *p, const char *profile)
{
	return planning_key(p, profile, "aws_access_key_id") ||
	       planning_key(p, profile, "aws_secret_access_key");
}

static void add_role(struct planning *p, const char *profile)
{
	const char *duration = planning_key(p, profile, "duration_seconds");
	struct creds_role *r = g_new0(struct creds_role, 1);
	gint64 seconds = 0;

	r->arn = g_strdup(planning_key(p, profile, "role_arn"));
	r->session_name =
		g_strdup(planning_key(p, profile, "role_session_name"));
	r->external_id = g_strdup(planning_key(p, profile, "external_id"));
	/* What is no number is passed over, as botocore does; the service says
	   which numbers it takes. */
	if (duration && g_ascii_string_to_signed(duration, 10, 0, INT32_MAX,
						 &seconds, NULL))
		r->duration_s = (int)seconds;
	g_ptr_array_add(p->plan->roles, r);
}

static int credential_source(struct planning *p, const char *profile,
			     const char *source)
{
	const char *missing;
	int rc;

	if (!strcmp(source, "Ec2InstanceMetadata")) {
		creds_plan_instance(p);
		return 0;
	}
	if (!strcmp(source, "Environment")) {
		rc = creds_plan_environment(p);
		missing = "AWS_ACCESS_KEY_ID";
	} else if (!strcmp(source, "EcsContainer")) {
		rc = creds_plan_container(p);
		missing = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
	} else {
		return creds_plan_refuse(
			p,
			"profile '%s' has credential_source '%s': it can be "
			"Environment, Ec2InstanceMetadata or EcsContainer",
			profile, source);
	}
	if (rc == -ENOENT)
		return creds_plan_refuse(p,
					 "profile '%s' has credential_source "
					 "%s, but %s is not set",
					 profile, source, missing);
	return rc;
}

static int assume(struct planning *p, const char *profile, GPtrArray *visited);

static bool visited_before(const GPtrArray *visited, const char *profile)
{
	for (guint i = 0; i < visited->len; i++)
		if (!strcmp(visited->pdata[i], profile))
			return true;
	return false;
}

static int source_profile(struct planning *p, const char *profile,
			  const char *source, GPtrArray *visited)
{
	bool again = visited_before(visited, source);
	int rc;

	if (!aws_profiles_has(p->profiles, source))
		return creds_plan_refuse(p,
					 "profile '%s' has source_profile "
					 "'%s', which does not exist",
					 profile, source);
	/* A profile may name itself for the keys that are in it. */
	if (again && (strcmp(source, profile) || !has_keys(p, source)))
		return creds_plan_refuse(p,
					 "profile '%s' has source_profile "
					 "'%s', which leads back to itself",
					 profile, source);
	g_ptr_array_add(visited, g_strdup(source));
	if (!has_keys(p, source) && has_role(p, source))
		return assume(p, source, visited);
	rc = creds_plan_profile(p, source, false);
	if (rc == -ENOENT)
		return creds_plan_refuse(p,
					 "profile '%s' has source_profile "
					 "'%s', which has no credentials",
					 profile, source);
	return rc;
}

/* The role of the profile, after whatever it takes to get there. */
static int assume(struct planning *p, const char *profile, GPtrArray *visited)
{
	const char *arn = planning_key(p, profile, "role_arn");
	const char *from = planning_key(p, profile, "source_profile");
	const char *source = planning_key(p, profile, "credential_source");
	int rc;

	if (from && source)
		return creds_plan_refuse(p,
					 "profile '%s' has both source_profile "
					 "and credential_source: drop one",
					 profile);
	if (!from && !source)
		return creds_plan_refuse(p,
					 "profile '%s' has role_arn but not by "
					 "whom it is assumed: add "
					 "source_profile or credential_source",
					 profile);
	if (planning_key(p, profile, "mfa_serial"))
		return creds_plan_refuse(
			p,
			"profile '%s' assumes %s with an MFA code "
			"(mfa_serial), which nobody can type for a mount that "
			"renews it every hour: use IAM Identity Center ('aws "
			"configure sso') or a role without MFA; for one "
			"session, eval \"$(aws configure export-credentials "
			"--profile %s --format env)\" and name no --profile",
			profile, arn, profile);
	rc = from ? source_profile(p, profile, from, visited)
		  : credential_source(p, profile, source);
	if (!rc)
		add_role(p, profile);
	return rc;
}

static int find_role(struct planning *p, const char *profile)
{
	g_autoptr(GPtrArray) visited = g_ptr_array_new_with_free_func(g_free);

	if (!has_role(p, profile))
		return -ENOENT;
	g_ptr_array_add(visited, g_strdup(profile));
	return assume(p, profile, visited);
}

/* ---- the whole ---------------------------------------------------------- */

static void guess_instance(struct planning *p)
{
	const struct aws_settings *s = p->settings;

	creds_plan_instance(p);
	p->plan->guessed = true;
	p->plan->nowhere = g_strdup_printf(
		"no credentials: %s, and profile '%s' names none in %s or %s",
		s->profile_explicit ? "--profile excludes the environment's"
				    : "AWS_ACCESS_KEY_ID is not set",
		s->profile, p->profiles->credentials_path,
		p->profiles->config_path);
}

static int find_base(struct planning *p)
{
	const char *profile = p->settings->profile;
	bool use_env = !p->settings->profile_explicit;
	int rc = use_env ? creds_plan_environment(p) : -ENOENT;

	if (rc == -ENOENT)
		rc = find_role(p, profile);
	if (rc == -ENOENT)
		rc = creds_plan_profile(p, profile, use_env);
	if (rc == -ENOENT)
		rc = creds_plan_container(p);
	if (rc == -ENOENT) {
		guess_instance(p);
		rc = 0;
	}
	return rc;
}

static int find_sts(struct planning *p)
{
	if (p->plan->roles->len == 0 && p->plan->base != CREDS_WEB_IDENTITY)
		return 0;
	return creds_plan_url(p, AWS_STS, p->settings->region,
			      &p->plan->sts_url);
}

int creds_plan_make(const struct aws_settings *s, struct creds_plan **ret_plan,
		    char **ret_error)
{
	struct aws_profiles *profiles = NULL;
	struct planning p = {.settings = s, .ret_error = ret_error};
	int rc;

	if (aws_profiles_read(s->environ, &profiles, ret_error))
		return -EACCES;
	p.profiles = profiles;
	p.plan = g_new0(struct creds_plan, 1);
	p.plan->roles = g_ptr_array_new_with_free_func(role_free);
	rc = find_base(&p);
	if (!rc)
		rc = find_sts(&p);
	aws_profiles_free(profiles);
	if (rc) {
		g_strdelimit(*ret_error, "\r\n", ' ');
		creds_plan_free(p.plan);
		return rc;
	}
	*ret_plan = p.plan;
	return 0;
}
