/* SPDX-License-Identifier: MIT */
/*
 * settings: region, profile, endpoints and credentials as the AWS CLI would
 * find them, from command-line values, the environment and the two profile
 * files.
 *
 * The environment is a parameter (as from g_get_environ()); files are read
 * here.  aws_settings_load() and aws_credentials_load() block on local files
 * only.  Immutable after loading, so any thread may read.
 *
 * Sources: docs.aws.amazon.com sdkref "settings reference"; botocore's
 * credentials.py and configprovider.py for what the page leaves open.
 */
#ifndef KVSFS_AWS_SETTINGS_H
#define KVSFS_AWS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct aws_credentials {
	char *access_key_id;
	char *secret_access_key;
	char *session_token; /* or NULL */
	int64_t expires_ms;  /* INT64_MAX: not known to expire */
};
/* Wipes the secrets first.  NULL is fine. */
void aws_credentials_free(struct aws_credentials *c);

/* What the command line says; each may be NULL. */
struct aws_overrides {
	const char *region, *profile, *endpoint_url;
};

struct aws_settings {
	char **environ; /* owned copy; where credentials are looked for again */
	char *profile;	/* "default" where nothing names one */
	bool profile_explicit; /* --profile: environment keys are not used */
	char *region;
	char *control_url;  /* https://kinesisvideo.REGION... or the override */
	char *data_url;	    /* override for the data plane, or NULL: ask
			       GetDataEndpoint */
	char *override_url; /* the override as given, or NULL: part of the
			       cache key */
	char *ca_bundle;    /* or NULL */
};

/*
 * 0; -EINVAL with one sentence for people in *ret_error (no region, a profile
 * that does not exist, an impossible URL, a config line that cannot be read,
 * with file and line).  The caller frees *ret_error with g_free().
 */
int aws_settings_load(const struct aws_overrides *o, char **environ,
		      struct aws_settings **ret_settings, char **ret_error);
void aws_settings_free(struct aws_settings *s);

/*
 * The credential chain: environment keys, then the profile's keys in the
 * shared credentials file, then in the config file.  0; -EACCES with a
 * sentence that says where was looked and how to mend it.  Files are read
 * anew at each call.
 */
int aws_credentials_load(const struct aws_settings *s,
			 struct aws_credentials **ret_credentials,
			 char **ret_error);

#endif
