/* SPDX-License-Identifier: MIT */
/*
 * settings: region, profile, endpoints, proxy as the AWS CLI would find them,
 * from command-line values, the environment and the two profile files.
 *
 * The environment is a parameter (as from g_get_environ()); aws_settings_load()
 * blocks on local files only.  Immutable after loading, so any thread may read.
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
 * or AWS_ENDPOINT_URL outranks that section).  No URL ends in '/', and plain
 * http leads nowhere but to this machine.
 *
 * The proxy is HTTPS_PROXY's, as for the CLI, which knows no ALL_PROXY; http is
 * for this machine alone and needs none.
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

/* What the command line says; each may be NULL. */
struct aws_overrides {
	const char *region, *profile, *endpoint_url;
	const char *region_source; /* where region is from, or NULL; static */
};

struct aws_settings {
	char **environ; /* owned copy; where credentials are looked for again */
	char *profile;	/* "default" where nothing names one */
	bool profile_explicit; /* --profile: environment keys are not used */
	char *region;
	const char *region_source; /* who said so; static */
	char *control_url;  /* https://kinesisvideo.REGION... or the override */
	char *data_url;	    /* override for the data plane, or NULL: ask
			       GetDataEndpoint */
	char *override_url; /* the control plane's override, else the data
			       plane's, or NULL: part of the cache key */
	char *ca_bundle;    /* or NULL */
	/* For https:// URLs; NULL: none.  The proxy's may hold a password. */
	char *proxy, *no_proxy;
	char *app_id;	  /* for the User-Agent, or NULL */
	int max_attempts; /* of each call; 0: as many as its deadline allows */
};

/*
 * 0; -EINVAL with one sentence for people in *ret_error (a profile that does
 * not exist, an impossible URL, a config line that cannot be read, with file
 * and line), or -ENOENT where only the region is missing: the machine's own may
 * do (creds/region.h).  The caller frees *ret_error with g_free().
 */
int aws_settings_load(const struct aws_overrides *o, char **environ,
		      struct aws_settings **ret_settings, char **ret_error);
void aws_settings_free(struct aws_settings *s);

/* A User-Agent of that name and version, with what the user adds; free it. */
char *aws_settings_agent(const struct aws_settings *s, const char *name);

/* Can it be a label of a host's name? */
bool aws_is_region(const char *s);

#endif
