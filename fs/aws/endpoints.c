/* SPDX-License-Identifier: MIT */
#include "fs/aws/endpoints.h"

#include "fs/aws/url.h"

#include <glib.h>

#include <errno.h>
#include <string.h>

static const struct partition {
	const char *name, *region_prefix, *suffix, *dualstack_suffix;
	bool gov;
} partitions[] = {
	{"aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn",
	 false},
	{"aws-us-gov", "us-gov-", "amazonaws.com", "api.aws", true},
	{"aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", false},
	{"aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", false},
	{"aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov",
	 false},
	{"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk",
	 false},
	{"aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu",
	 false},
	{"aws", "", "amazonaws.com", "api.aws", false}, /* all others */
};

static const struct partition *partition_of(const char *region)
{
	const struct partition *p = partitions;

	while (!g_str_has_prefix(region, p->region_prefix))
		p++;
	return p;
}

const char *aws_partition(const char *region)
{
	return partition_of(region)->name;
}

/* The parts of a service's host before the region. */
static const struct service {
	const char *key, *variable; /* where a URL of its own is looked for */
	const char *host, *fips_host;
	/* endpoints.json lists other names in us-gov, without IPv6. */
	const char *gov_host, *gov_fips_host;
} services[] = {
	[AWS_KINESIS_VIDEO] = {"kinesis_video",
			       "AWS_ENDPOINT_URL_KINESIS_VIDEO", "kinesisvideo",
			       "kinesisvideo-fips", "kinesisvideo-fips",
			       "kinesisvideo-fips"},
	[AWS_KINESIS_VIDEO_DATA] =
		{"kinesis_video_archived_media",
		 "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA", NULL, NULL,
		 NULL, NULL},
	[AWS_STS] = {"sts", "AWS_ENDPOINT_URL_STS", "sts", "sts-fips", "sts",
		     "sts"},
	[AWS_SSO] = {"sso", "AWS_ENDPOINT_URL_SSO", "portal.sso",
		     "portal.sso-fips", "portal.sso", "portal.sso"},
	[AWS_SSO_OIDC] = {"sso_oidc", "AWS_ENDPOINT_URL_SSO_OIDC", "oidc",
			  "oidc-fips", "oidc", "oidc"},
};

char *aws_endpoint_regional(enum aws_service service, const char *region,
			    bool fips, bool dualstack)
{
	const struct partition *p = partition_of(region);
	const struct service *s = &services[service];
	const char *host = fips ? s->fips_host : s->host;

	if (p->gov && !dualstack)
		host = fips ? s->gov_fips_host : s->gov_host;
	return g_strdup_printf("https://%s.%s.%s", host, region,
			       dualstack ? p->dualstack_suffix : p->suffix);
}

int aws_endpoint_switch(char **env, const struct aws_profiles *p,
			const char *profile, const char *variable,
			const char *key, bool *ret_on, char **ret_error)
{
	const char *source = variable, *value = aws_env(env, variable);

	if (!value) {
		source = key;
		value = aws_profiles_get(p, profile, key);
	}
	if (value && g_ascii_strcasecmp(value, "true") &&
	    g_ascii_strcasecmp(value, "false")) {
		*ret_error = g_strdup_printf("%s is '%s': say true or false",
					     source, value);
		return -EINVAL;
	}
	*ret_on = value && !g_ascii_strcasecmp(value, "true");
	return 0;
}

struct candidate {
	const char *url, *source;
};

static struct candidate first_of(const struct candidate *c)
{
	while (c->source && !c->url)
		c++;
	return *c;
}

/* The name of the profile's services section, which has to exist. */
static int services_section(const struct aws_profiles *p, const char *profile,
			    const char **ret_name, char **ret_error)
{
	const char *name = aws_profiles_get(p, profile, "services");

	if (name && !aws_config_has(p->config, "services", name)) {
		*ret_error = g_strdup_printf("profile '%s' names services "
					     "'%s', but %s has no [services "
					     "%s]",
					     profile, name, p->config_path,
					     name);
		return -EINVAL;
	}
	*ret_name = name;
	return 0;
}

static const char *service_url(const struct aws_profiles *p, const char *name,
			       const char *service)
{
	return name ? aws_config_get(p->config, "services", name, service,
				     "endpoint_url")
		    : NULL;
}

/* The URL a user gave for the service, or NULL, and who says so. */
static int find_override(const struct aws_endpoint_place *at,
			 const struct service *s, bool generic,
			 struct candidate *ret, char **ret_error)
{
	const char *section = NULL, *any = NULL, *own = NULL, *profile = NULL;
	g_autofree char *key = NULL;
	bool ignored;
	int rc = aws_endpoint_switch(at->env, at->profiles, at->profile,
				     "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
				     "ignore_configured_endpoint_urls",
				     &ignored, ret_error);

	if (rc)
		return rc;
	if (!ignored) {
		own = aws_env(at->env, s->variable);
		any = aws_env(at->env, "AWS_ENDPOINT_URL");
		profile = aws_profiles_get(at->profiles, at->profile,
					   "endpoint_url");
	}
	if (!ignored && !at->option && !any) {
		rc = services_section(at->profiles, at->profile, &section,
				      ret_error);
		if (rc)
			return rc;
	}
	*ret = first_of((const struct candidate[]){
		{generic ? at->option : NULL, "--endpoint-url"},
		{own, s->variable},
		{generic ? any : NULL, "AWS_ENDPOINT_URL"},
		{service_url(at->profiles, section, s->key),
		 "the profile's services section"},
		{generic ? profile : NULL, "the profile's endpoint_url"},
		{NULL, NULL}});
	return 0;
}

int aws_endpoint_find(const struct aws_endpoint_place *at,
		      enum aws_service service, const char *region,
		      char **ret_url, bool *ret_overridden, char **ret_error)
{
	const struct service *s = &services[service];
	bool fips = false, dualstack = false;
	struct candidate c = {NULL, NULL};
	int rc;

	rc = aws_endpoint_switch(at->env, at->profiles, at->profile,
				 "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint",
				 &fips, ret_error);
	if (!rc)
		rc = aws_endpoint_switch(at->env, at->profiles, at->profile,
					 "AWS_USE_DUALSTACK_ENDPOINT",
					 "use_dualstack_endpoint", &dualstack,
					 ret_error);
	if (!rc)
		rc = find_override(at, s, s->host != NULL, &c, ret_error);
	if (rc)
		return rc;
	*ret_overridden = c.url != NULL;
	if (c.url && (fips || dualstack)) {
		*ret_error = g_strdup_printf(
			"%s and a %s endpoint exclude each other: drop one",
			c.source, fips ? "FIPS" : "dual-stack");
		return -EINVAL;
	}
	if (c.url)
		return aws_endpoint_check(c.url, c.source, ret_url, ret_error);
	*ret_url = s->host ? aws_endpoint_regional(service, region, fips,
						   dualstack)
			   : NULL;
	return 0;
}

static bool is_visible(const char *s)
{
	while (g_ascii_isgraph(*s))
		s++;
	return !*s;
}

int aws_endpoint_check(const char *url, const char *source, char **ret_url,
		       char **ret_error)
{
	g_autofree char *scheme = NULL, *user = NULL, *host = NULL;
	g_autofree char *query = NULL, *fragment = NULL;
	size_t n = strlen(url);
	bool split = g_uri_split(url, G_URI_FLAGS_NONE, &scheme, &user, &host,
				 NULL, NULL, &query, &fragment, NULL);

	if (user) { /* and perhaps a password: not to be repeated */
		*ret_error = g_strdup_printf("%s holds a user name: leave it "
					     "out",
					     source);
		return -EINVAL;
	}
	if (!split || !is_visible(url) || !scheme || !host || !*host || query ||
	    fragment ||
	    (g_ascii_strcasecmp(scheme, "http") &&
	     g_ascii_strcasecmp(scheme, "https"))) {
		*ret_error = g_strdup_printf("%s is '%s': say "
					     "https://HOST[:PORT]",
					     source, url);
		return -EINVAL;
	}
	if (!g_ascii_strcasecmp(scheme, "http") && !aws_url_is_local(host)) {
		*ret_error = g_strdup_printf(
			"%s is '%s': plain http would show everybody in "
			"between what is read; it is only for this machine "
			"itself (localhost, 127.0.0.1, [::1]): say https://",
			source, url);
		return -EINVAL;
	}
	while (url[n - 1] == '/')
		n--;
	*ret_url = g_strndup(url, n);
	return 0;
}
