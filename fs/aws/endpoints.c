/* SPDX-License-Identifier: MIT */
#include "fs/aws/endpoints.h"

#include <glib.h>

#include <errno.h>
#include <string.h>

static const struct partition {
	const char *region_prefix, *suffix, *dualstack_suffix;
	bool fips_only; /* endpoints.json lists no other host without IPv6 */
} partitions[] = {
	{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false},
	{"us-gov-", "amazonaws.com", "api.aws", true},
	{"us-iso-", "c2s.ic.gov", "api.aws.ic.gov", false},
	{"us-isob-", "sc2s.sgov.gov", "api.aws.scloud", false},
	{"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false},
	{"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false},
	{"eusc-", "amazonaws.eu", "api.amazonwebservices.eu", false},
	{"", "amazonaws.com", "api.aws", false}, /* all others */
};

char *aws_endpoint_regional(const char *region, bool fips, bool dualstack)
{
	const struct partition *p = partitions;
	bool in_name;

	while (!g_str_has_prefix(region, p->region_prefix))
		p++;
	in_name = fips || (p->fips_only && !dualstack);
	return g_strdup_printf("https://kinesisvideo%s.%s.%s",
			       in_name ? "-fips" : "", region,
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

int aws_endpoint_overrides(const char *option, char **env,
			   const struct aws_profiles *p, const char *profile,
			   struct aws_endpoint_overrides *ret_overrides,
			   char **ret_error)
{
	const char *services = NULL, *any = NULL, *own = NULL, *data = NULL;
	struct candidate control, data_plane;
	bool ignored;
	int rc = aws_endpoint_switch(
		env, p, profile, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
		"ignore_configured_endpoint_urls", &ignored, ret_error);

	if (rc)
		return rc;
	if (!ignored) {
		own = aws_env(env, "AWS_ENDPOINT_URL_KINESIS_VIDEO");
		any = aws_env(env, "AWS_ENDPOINT_URL");
		data = aws_env(env,
			       "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA");
	}
	if (!ignored && !option && !any) {
		rc = services_section(p, profile, &services, ret_error);
		if (rc)
			return rc;
	}
	control = first_of((const struct candidate[]){
		{option, "--endpoint-url"},
		{own, "AWS_ENDPOINT_URL_KINESIS_VIDEO"},
		{any, "AWS_ENDPOINT_URL"},
		{service_url(p, services, "kinesis_video"),
		 "the services section's kinesis_video"},
		{ignored ? NULL : aws_profiles_get(p, profile, "endpoint_url"),
		 "the profile's endpoint_url"},
		{NULL, NULL}});
	data_plane = first_of((const struct candidate[]){
		{data, "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA"},
		{service_url(p, services, "kinesis_video_archived_media"),
		 "the services section's kinesis_video_archived_media"},
		{NULL, NULL}});
	*ret_overrides = (struct aws_endpoint_overrides){
		.control = control.url,
		.control_source = control.source,
		.data = data_plane.url,
		.data_source = data_plane.source,
	};
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
	while (url[n - 1] == '/')
		n--;
	*ret_url = g_strndup(url, n);
	return 0;
}
