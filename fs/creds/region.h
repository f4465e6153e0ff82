/* SPDX-License-Identifier: MIT */
/*
 * region: settings where the machine itself may say the region.
 */
#ifndef KVSFS_CREDS_REGION_H
#define KVSFS_CREDS_REGION_H

struct aws_overrides;
struct aws_settings;
struct clock;

/*
 * As aws_settings_load(), but where nothing names a region and this is an EC2
 * instance, it is the instance's, as the AWS CLI has it.  Blocks, for some
 * seconds at most, in a network loop of its own if it comes to that.  Any
 * thread but a loop's.
 */
int creds_settings_load(const struct aws_overrides *o, char **env,
			const char *user_agent, const struct clock *clock,
			struct aws_settings **ret_settings, char **ret_error);

#endif
