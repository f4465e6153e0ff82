/* SPDX-License-Identifier: MIT */
/*
 * endpoints: at which URL a service is asked.  Pure; any thread.
 *
 * Sources: the services' endpoint rules and partitions.json in botocore;
 * botocore's ConfiguredEndpointProvider for the order of overrides.
 */
#ifndef KVSFS_AWS_ENDPOINTS_H
#define KVSFS_AWS_ENDPOINTS_H

#include <stdbool.h>

#include "fs/aws/profiles.h"

enum aws_service {
	AWS_KINESIS_VIDEO,
	AWS_KINESIS_VIDEO_DATA, /* has no regional URL: it is asked for */
	AWS_STS,
	AWS_SSO,
	AWS_SSO_OIDC,
};

/* Where overrides are looked for. */
struct aws_endpoint_place {
	const char
		*option; /* --endpoint-url, of Kinesis Video alone; or NULL */
	char **env;
	const struct aws_profiles *profiles;
	const char *profile;
};

/*
 * In botocore's order: the option, the service's own variable,
 * AWS_ENDPOINT_URL, the profile's services section, its endpoint_url; else what
 * the region, its partition, use_fips_endpoint and use_dualstack_endpoint make
 * it.  The first generic URL hides the data plane's of the services section, as
 * it would there; the data plane's own variable always holds, since one option
 * cannot name two planes, and no generic URL names it.
 *
 * 0, with a URL that does not end in '/' (NULL: the data plane's where there is
 * no override) and whether a user said so; or -EINVAL and a sentence.  region
 * is a host label already.
 */
int aws_endpoint_find(const struct aws_endpoint_place *at,
		      enum aws_service service, const char *region,
		      char **ret_url, bool *ret_overridden, char **ret_error);

/*
 * "https://kinesisvideo.REGION.amazonaws.com" or what the region's partition
 * and the two switches make of it.
 */
char *aws_endpoint_regional(enum aws_service service, const char *region,
			    bool fips, bool dualstack);

/* "aws", "aws-cn", ...: what ARNs of the region begin with.  Static. */
const char *aws_partition(const char *region);

/*
 * url without trailing slashes, if it is https, or http to this machine, with a
 * host and neither user, query nor fragment.  0, or -EINVAL and a sentence that
 * names source.
 */
int aws_endpoint_check(const char *url, const char *source, char **ret_url,
		       char **ret_error);

/* "true" or "false" in any case; unset is false.  0 or -EINVAL, a sentence. */
int aws_endpoint_switch(char **env, const struct aws_profiles *p,
			const char *profile, const char *variable,
			const char *key, bool *ret_on, char **ret_error);

#endif
