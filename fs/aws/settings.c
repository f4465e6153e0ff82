/* SPDX-License-Identifier: MIT */
#include "fs/aws/settings.h"

#include "fs/aws/endpoints.h"
#include "fs/aws/profiles.h"

#include <glib.h>
#include <openssl/crypto.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define REGION_MAX 63 /* it is a label of a host name, RFC 1035 */

static const char *nonempty(const char *s)
{
	return s && *s ? s : NULL;
}

static int pick_profile(struct aws_settings *s, const char *option,
			const struct aws_profiles *p, char **ret_error)
{
	const char *named = option;

	if (!named)
		named = aws_env(s->environ, "AWS_PROFILE");
	if (!named)
		named = aws_env(s->environ, "AWS_DEFAULT_PROFILE");
	s->profile_explicit = option != NULL;
	s->profile = g_strdup(named ? named : "default");
	if (!named || aws_profiles_has(p, named))
		return 0;
	*ret_error = g_strdup_printf(
		"no profile '%s': %s has no [%s] and %s no [%s%s]", named,
		p->credentials_path, named, p->config_path,
		strcmp(named, "default") ? "profile " : "", named);
	return -EINVAL;
}

static bool is_region(const char *s)
{
	size_t n = strlen(s);

	for (const char *c = s; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '-')
			return false;
	return n > 0 && n <= REGION_MAX && s[0] != '-' && s[n - 1] != '-';
}

static int pick_region(struct aws_settings *s, const char *option,
		       const struct aws_profiles *p, char **ret_error)
{
	const char *region = option;

	if (!region)
		region = aws_env(s->environ, "AWS_REGION");
	if (!region)
		region = aws_env(s->environ, "AWS_DEFAULT_REGION");
	if (!region)
		region = aws_profiles_get(p, s->profile, "region");
	if (!region) {
		*ret_error = g_strdup_printf(
			"no region: give --region, set AWS_REGION, or put "
			"'region = ...' into profile '%s' in %s",
			s->profile, p->config_path);
		return -EINVAL;
	}
	if (!is_region(region)) {
		*ret_error = g_strdup_printf("'%s' is no region: say for "
					     "example us-west-2",
					     region);
		return -EINVAL;
	}
	s->region = g_strdup(region);
	return 0;
}

static int pick_urls(struct aws_settings *s, const char *option,
		     const struct aws_profiles *p, char **ret_error)
{
	struct aws_endpoint_overrides o = {0};
	bool fips = false, dualstack = false;
	int rc;

	rc = aws_endpoint_switch(s->environ, p, s->profile,
				 "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint",
				 &fips, ret_error);
	if (!rc)
		rc = aws_endpoint_switch(
			s->environ, p, s->profile, "AWS_USE_DUALSTACK_ENDPOINT",
			"use_dualstack_endpoint", &dualstack, ret_error);
	if (!rc)
		rc = aws_endpoint_overrides(option, s->environ, p, s->profile,
					    &o, ret_error);
	if (!rc && o.control)
		rc = aws_endpoint_check(o.control, o.control_source,
					&s->control_url, ret_error);
	if (!rc && o.data)
		rc = aws_endpoint_check(o.data, o.data_source, &s->data_url,
					ret_error);
	if (rc)
		return rc;
	s->override_url = g_strdup(s->control_url ? s->control_url
						  : s->data_url);
	if (s->override_url && (fips || dualstack)) {
		*ret_error = g_strdup_printf(
			"%s and a %s endpoint exclude each other: drop one",
			o.control ? o.control_source : o.data_source,
			fips ? "FIPS" : "dual-stack");
		return -EINVAL;
	}
	if (!s->control_url)
		s->control_url = aws_endpoint_regional(s->region, fips,
						       dualstack);
	return 0;
}

static int pick_ca_bundle(struct aws_settings *s, const struct aws_profiles *p,
			  char **ret_error)
{
	const char *path = aws_env(s->environ, "AWS_CA_BUNDLE");
	int rc = 0;

	if (!path)
		path = aws_profiles_get(p, s->profile, "ca_bundle");
	if (!path)
		return 0;
	s->ca_bundle = aws_expand_home(s->environ, path);
	/* curl would only say, much later, that it cannot verify the peer. */
	if (access(s->ca_bundle, R_OK))
		rc = errno;
	else if (g_file_test(s->ca_bundle, G_FILE_TEST_IS_DIR))
		rc = EISDIR;
	if (!rc)
		return 0;
	*ret_error = g_strdup_printf("CA bundle %s: %s", s->ca_bundle,
				     g_strerror(rc));
	return -EINVAL;
}

int aws_settings_load(const struct aws_overrides *o, char **env,
		      struct aws_settings **ret_settings, char **ret_error)
{
	struct aws_settings *s = g_new0(struct aws_settings, 1);
	struct aws_profiles *p = NULL;
	int rc;

	s->environ = g_strdupv(env);
	rc = aws_profiles_read(s->environ, &p, ret_error);
	if (!rc)
		rc = pick_profile(s, nonempty(o->profile), p, ret_error);
	if (!rc)
		rc = pick_region(s, nonempty(o->region), p, ret_error);
	if (!rc)
		rc = pick_urls(s, nonempty(o->endpoint_url), p, ret_error);
	if (!rc)
		rc = pick_ca_bundle(s, p, ret_error);
	aws_profiles_free(p);
	if (rc) {
		/* A value of several lines may be quoted in it. */
		g_strdelimit(*ret_error, "\r\n", ' ');
		aws_settings_free(s);
		return rc;
	}
	*ret_settings = s;
	return 0;
}

void aws_settings_free(struct aws_settings *s)
{
	if (!s)
		return;
	/* The environment may hold keys. */
	for (char **e = s->environ; e && *e; e++)
		OPENSSL_cleanse(*e, strlen(*e));
	g_strfreev(s->environ);
	g_free(s->profile);
	g_free(s->region);
	g_free(s->control_url);
	g_free(s->data_url);
	g_free(s->override_url);
	g_free(s->ca_bundle);
	g_free(s);
}
