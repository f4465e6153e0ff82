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
 * Overrides of the endpoint: a generic one (--endpoint-url, AWS_ENDPOINT_URL,
 * the profile's endpoint_url, or kinesis_video's own) is where the control
 * plane is asked, GetDataEndpoint included, and the data plane is where its
 * answer says.  botocore, which leaves GetDataEndpoint to its user, would send
 * data calls to a generic URL too; we ask, because a local server and a VPC
 * endpoint answer that call as the service does, and only the answer is right
 * for both.  data_url is set by nothing but a URL for the data plane
 * (AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA, or
 * kinesis_video_archived_media in the services section, unless --endpoint-url
 * or AWS_ENDPOINT_URL outranks that section).  No URL ends in '/'.
 *
 * An environment variable that is empty counts as unset.
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
	char *override_url; /* the control plane's override, else the data
			       plane's, or NULL: part of the cache key */
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
 * shared credentials file, then in the config file.  A profile with role_arn is
 * refused even where it has keys, for the CLI would assume the role.  0;
 * -EACCES with a sentence that says where was looked and how to mend it
 * (g_free() it).  Files are read anew at each call.
 */
int aws_credentials_load(const struct aws_settings *s,
			 struct aws_credentials **ret_credentials,
			 char **ret_error);

#endif
