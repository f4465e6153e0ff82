/* SPDX-License-Identifier: MIT */
/*
 * endpoints: which URL the control plane is asked at, and which overrides a
 * user has given.  Pure; any thread; private to aws/.
 *
 * Sources: kinesisvideo's endpoint rules and partitions.json in botocore;
 * botocore's ConfiguredEndpointProvider for the order of overrides.
 */
#ifndef KVSFS_AWS_ENDPOINTS_H
#define KVSFS_AWS_ENDPOINTS_H

#include <stdbool.h>

#include "fs/aws/profiles.h"

/*
 * "https://kinesisvideo.REGION.amazonaws.com" or what the region's partition
 * and the two switches make of it.  region is a host label already.
 */
char *aws_endpoint_regional(const char *region, bool fips, bool dualstack);

/* Both borrowed, each NULL where there is none; source_*: who says so. */
struct aws_endpoint_overrides {
	const char *control, *control_source;
	const char *data, *data_source;
};

/*
 * In botocore's order: the option, the service's own variable,
 * AWS_ENDPOINT_URL, the profile's services section, its endpoint_url.  The
 * first generic URL hides a data plane URL of the services section, as it
 * would there; the data plane's own variable always holds, since one option
 * cannot name two planes.  0, or -EINVAL and a sentence.
 */
int aws_endpoint_overrides(const char *option, char **env,
			   const struct aws_profiles *p, const char *profile,
			   struct aws_endpoint_overrides *ret_overrides,
			   char **ret_error);

/*
 * url without trailing slashes, if it is http or https with a host and has
 * neither user, query nor fragment.  0, or -EINVAL and a sentence that names
 * source.
 */
int aws_endpoint_check(const char *url, const char *source, char **ret_url,
		       char **ret_error);

/* "true" or "false" in any case; unset is false.  0 or -EINVAL, a sentence. */
int aws_endpoint_switch(char **env, const struct aws_profiles *p,
			const char *profile, const char *variable,
			const char *key, bool *ret_on, char **ret_error);

#endif
