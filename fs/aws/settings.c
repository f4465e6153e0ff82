/* SPDX-License-Identifier: MIT */
#include "fs/aws/settings.h"

#include "fs/aws/endpoints.h"
#include "fs/aws/profiles.h"

#include <glib.h>
#include <openssl/crypto.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define REGION_MAX   63 /* it is a label of a host name, RFC 1035 */
#define APP_ID_MAX   50 /* sdkref "Application ID": longer ones are warned of */
#define ATTEMPTS_MAX 1000

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

bool aws_is_region(const char *s)
{
	size_t n = strlen(s);

	for (const char *c = s; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '-')
			return false;
	return n > 0 && n <= REGION_MAX && s[0] != '-' && s[n - 1] != '-';
}

static int pick_region(struct aws_settings *s, const struct aws_overrides *o,
		       const struct aws_profiles *p, char **ret_error)
{
	const char *option = nonempty(o->region);
	const struct {
		const char *value, *source;
	} places[] = {
		{option, o->region_source ? o->region_source : "--region"},
		{aws_env(s->environ, "AWS_REGION"), "AWS_REGION"},
		{aws_env(s->environ, "AWS_DEFAULT_REGION"),
		 "AWS_DEFAULT_REGION"},
		{aws_profiles_get(p, s->profile, "region"), "the profile"},
	};
	const char *region = NULL;

	for (size_t i = 0; !region && i < G_N_ELEMENTS(places); i++) {
		region = places[i].value;
		s->region_source = places[i].source;
	}
	if (!region) {
		*ret_error = g_strdup_printf(
			"no region: give --region, set AWS_REGION, or put "
			"'region = ...' into profile '%s' in %s",
			s->profile, p->config_path);
		return -ENOENT;
	}
	if (!aws_is_region(region)) {
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
	const struct aws_endpoint_place at = {
		.option = option,
		.env = s->environ,
		.profiles = p,
		.profile = s->profile,
	};
	bool control = false, data = false;
	int rc;

	rc = aws_endpoint_find(&at, AWS_KINESIS_VIDEO, s->region,
			       &s->control_url, &control, ret_error);
	if (!rc)
		rc = aws_endpoint_find(&at, AWS_KINESIS_VIDEO_DATA, s->region,
				       &s->data_url, &data, ret_error);
	if (!rc && (control || data))
		s->override_url = g_strdup(control ? s->control_url
						   : s->data_url);
	return rc;
}

static int pick_ca_bundle(struct aws_settings *s, const struct aws_profiles *p,
			  char **ret_error)
{
	const char *path = aws_env(s->environ, "AWS_CA_BUNDLE");
	int rc = 0;

	if (!path)
		path = aws_profiles_get(p, s->profile, "ca_bundle");
	/* As whatever else is written in Python here: the CLI is, too. */
	if (!path)
		path = aws_env(s->environ, "REQUESTS_CA_BUNDLE");
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

/* curl quotes what it cannot read, password and all. */
static bool is_proxy(const char *url)
{
	static const char *const schemes[] = {"http",	 "https",  "socks4",
					      "socks4a", "socks5", "socks5h"};
	g_autofree char *full = strstr(url, "://")
					? g_strdup(url)
					: g_strconcat("http://", url, NULL);
	g_autofree char *scheme = NULL, *host = NULL;

	if (!g_uri_split(full, G_URI_FLAGS_NONE, &scheme, NULL, &host, NULL,
			 NULL, NULL, NULL, NULL) ||
	    !host || !*host)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
		if (!g_ascii_strcasecmp(scheme, schemes[i]))
			return true;
	return false;
}

/* As Python's urllib has it, lower case first. */
static int pick_proxy(struct aws_settings *s, char **ret_error)
{
	const char *proxy = aws_env(s->environ, "https_proxy");
	const char *except = aws_env(s->environ, "no_proxy");

	if (!proxy)
		proxy = aws_env(s->environ, "HTTPS_PROXY");
	if (!except)
		except = aws_env(s->environ, "NO_PROXY");
	if (proxy && !is_proxy(proxy)) {
		*ret_error = g_strdup("HTTPS_PROXY is no proxy's address: say "
				      "http://HOST:PORT");
		return -EINVAL;
	}
	s->proxy = g_strdup(proxy);
	s->no_proxy = g_strdup(except);
	return 0;
}

static int pick_attempts(struct aws_settings *s, const struct aws_profiles *p,
			 char **ret_error)
{
	const char *source = "AWS_MAX_ATTEMPTS";
	const char *value = aws_env(s->environ, source);
	gint64 n;

	if (!value) {
		source = "max_attempts";
		value = aws_profiles_get(p, s->profile, source);
	}
	if (!value)
		return 0;
	if (!g_ascii_string_to_signed(value, 10, 1, ATTEMPTS_MAX, &n, NULL)) {
		*ret_error = g_strdup_printf("%s is '%s': say how often a call "
					     "is tried, 1 to %d",
					     source, value, ATTEMPTS_MAX);
		return -EINVAL;
	}
	s->max_attempts = (int)n;
	return 0;
}

/* Letters that a User-Agent's product may have, RFC 9110 5.6.2. */
static void pick_app_id(struct aws_settings *s, const struct aws_profiles *p)
{
	const char *id = aws_env(s->environ, "AWS_SDK_UA_APP_ID");

	if (!id)
		id = aws_profiles_get(p, s->profile, "sdk_ua_app_id");
	if (!id)
		return;
	s->app_id = g_strndup(id, APP_ID_MAX);
	for (char *c = s->app_id; *c; c++)
		if (!g_ascii_isalnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			*c = '-';
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
		rc = pick_region(s, o, p, ret_error);
	if (!rc)
		rc = pick_urls(s, nonempty(o->endpoint_url), p, ret_error);
	if (!rc)
		rc = pick_ca_bundle(s, p, ret_error);
	if (!rc)
		rc = pick_proxy(s, ret_error);
	if (!rc)
		rc = pick_attempts(s, p, ret_error);
	if (!rc)
		pick_app_id(s, p);
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

char *aws_settings_agent(const struct aws_settings *s, const char *name)
{
	return g_strconcat(name, s->app_id ? " app/" : NULL, s->app_id, NULL);
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
	if (s->proxy)
		OPENSSL_cleanse(s->proxy, strlen(s->proxy));
	g_free(s->proxy);
	g_free(s->no_proxy);
	g_free(s->app_id);
	g_free(s);
}
