/* SPDX-License-Identifier: MIT */
/*
 * profiles: the two profile files together, where the environment says they
 * are.  Reads local files; any thread.
 *
 * A key of a profile is looked for in the credentials file first, then in the
 * config file, as botocore merges them.
 */
#ifndef KVSFS_AWS_PROFILES_H
#define KVSFS_AWS_PROFILES_H

#include <stdbool.h>

#include "fs/aws/config.h"

struct aws_profiles {
	char *credentials_path, *config_path;
	struct aws_config *credentials, *config;
};

/* 0 or -EINVAL, as aws_config_read(). */
int aws_profiles_read(char **env, struct aws_profiles **ret_profiles,
		      char **ret_error);
void aws_profiles_free(struct aws_profiles *p);
/* Where they are or would be; both to be freed. */
void aws_profiles_paths(char **env, char **ret_credentials, char **ret_config);

bool aws_profiles_has(const struct aws_profiles *p, const char *profile);
/* Borrowed, or NULL. */
const char *aws_profiles_get(const struct aws_profiles *p, const char *profile,
			     const char *key);

/* A variable's value; NULL where it is unset or empty.  Borrowed. */
const char *aws_env(char **env, const char *name);
/* ~ and ~/x with HOME put in its place; ~user is left alone. */
char *aws_expand_home(char **env, const char *path);

#endif
