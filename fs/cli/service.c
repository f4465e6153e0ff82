/* SPDX-License-Identifier: MIT */
#include "fs/cli/service.h"

#include <errno.h>
#include <glib.h>
#include <sys/prctl.h>

#include "fs/aws/settings.h"
#include "fs/base/clock.h"
#include "fs/creds/region.h"

/*
 * Paths in the environment that are read again later, when a daemon has left
 * the folder they are relative to.
 */
static char **absolute_environ(void)
{
	static const char *const names[] = {
		"AWS_CONFIG_FILE",
		"AWS_SHARED_CREDENTIALS_FILE",
		"AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AWS_CA_BUNDLE",
		"REQUESTS_CA_BUNDLE",
	};
	char **environ = g_get_environ();

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *path = g_environ_getenv(environ, names[i]);
		g_autofree char *absolute = NULL;

		if (!path || !*path || *path == '/' || *path == '~')
			continue;
		absolute = g_canonicalize_filename(path, NULL);
		environ = g_environ_setenv(environ, names[i], absolute, TRUE);
	}
	return environ;
}

/* arn:PARTITION:kinesisvideo:REGION:...: a stream has one region.  Or NULL. */
static char *arn_region(const char *stream)
{
	g_auto(GStrv) parts = NULL;

	if (!stream || !g_str_has_prefix(stream, "arn:"))
		return NULL;
	parts = g_strsplit(stream, ":", 5);
	return g_strv_length(parts) == 5 && *parts[3] ? g_strdup(parts[3])
						      : NULL;
}

int service_settings(const struct options *o, const char *otherwise,
		     struct aws_settings **ret_settings, char **ret_error)
{
	g_autofree char *region = arn_region(o->stream);
	struct aws_overrides overrides = {
		.region = region ? region : o->region,
		.region_source = region ? "the stream's ARN" : NULL,
		.profile = o->profile,
		.endpoint_url = o->endpoint_url,
	};
	g_auto(GStrv) environ = absolute_environ();

	if (otherwise) {
		overrides.region = otherwise;
		overrides.region_source = "nobody";
	}
	return creds_settings_load(&overrides, environ, SERVICE_USER_AGENT,
				   &clock_system, ret_settings, ret_error);
}

void service_keep_secrets(void)
{
	/* It cannot fail with these arguments, prctl(2). */
	prctl(PR_SET_DUMPABLE, 0);
}
