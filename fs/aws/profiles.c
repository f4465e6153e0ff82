/* SPDX-License-Identifier: MIT */
#include "fs/aws/profiles.h"

#include <glib.h>

const char *aws_env(char **env, const char *name)
{
	const char *value = g_environ_getenv(env, name);

	return value && *value ? value : NULL;
}

char *aws_expand_home(char **env, const char *path)
{
	const char *home = aws_env(env, "HOME");

	if (path[0] != '~' || (path[1] && path[1] != '/'))
		return g_strdup(path);
	/* A service may run without HOME; the password file knows. */
	return g_strconcat(home ? home : g_get_home_dir(), path + 1, NULL);
}

static char *file_path(char **env, const char *variable, const char *otherwise)
{
	const char *path = aws_env(env, variable);

	return aws_expand_home(env, path ? path : otherwise);
}

void aws_profiles_paths(char **env, char **ret_credentials, char **ret_config)
{
	*ret_credentials = file_path(env, "AWS_SHARED_CREDENTIALS_FILE",
				     "~/.aws/credentials");
	*ret_config = file_path(env, "AWS_CONFIG_FILE", "~/.aws/config");
}

int aws_profiles_read(char **env, struct aws_profiles **ret_profiles,
		      char **ret_error)
{
	struct aws_profiles *p = g_new0(struct aws_profiles, 1);
	int rc;

	aws_profiles_paths(env, &p->credentials_path, &p->config_path);
	rc = aws_config_read(p->credentials_path, AWS_CREDENTIALS_FILE,
			     &p->credentials, ret_error);
	if (rc)
		goto fail;
	rc = aws_config_read(p->config_path, AWS_CONFIG_FILE, &p->config,
			     ret_error);
	if (rc)
		goto fail;
	*ret_profiles = p;
	return 0;
fail:
	aws_profiles_free(p);
	return rc;
}

void aws_profiles_free(struct aws_profiles *p)
{
	if (!p)
		return;
	aws_config_free(p->credentials);
	aws_config_free(p->config);
	g_free(p->credentials_path);
	g_free(p->config_path);
	g_free(p);
}

bool aws_profiles_has(const struct aws_profiles *p, const char *profile)
{
	return aws_config_has(p->credentials, "profile", profile) ||
	       aws_config_has(p->config, "profile", profile);
}

const char *aws_profiles_get(const struct aws_profiles *p, const char *profile,
			     const char *key)
{
	const char *value = aws_config_get(p->credentials, "profile", profile,
					   key, NULL);

	return value ? value
		     : aws_config_get(p->config, "profile", profile, key, NULL);
}
