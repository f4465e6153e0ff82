/* SPDX-License-Identifier: MIT */
#include "fs/creds/region.h"

#include <errno.h>

#include "fs/aws/profiles.h"
#include "fs/creds/internal.h"

static char *ask_region(const struct aws_overrides *o, char **env,
			const char *user_agent, const struct clock *clock)
{
	const struct net_loop_options net = {.user_agent = user_agent};
	/* Enough of them to find the service. */
	struct aws_settings s = {.environ = env,
				 .profile = (char *)(uintptr_t)o->profile};
	_Atomic int64_t offset_ms = 0;
	struct creds_context x = {.settings = &s,
				  .clock = clock,
				  .clock_offset_ms = &offset_ms,
				  .stop_fd = -1};
	char *region;

	if (!s.profile)
		s.profile = (char *)(uintptr_t)aws_env(env, "AWS_PROFILE");
	if (!s.profile)
		s.profile = (char *)(uintptr_t) "default";
	if (net_loop_new(&net, &x.loop))
		return NULL;
	region = creds_instance_region(&x);
	net_loop_free(x.loop);
	return region;
}

int creds_settings_load(const struct aws_overrides *o, char **env,
			const char *user_agent, const struct clock *clock,
			struct aws_settings **ret_settings, char **ret_error)
{
	struct aws_overrides own = *o;
	g_autofree char *region = NULL;
	g_autofree char *error = NULL;
	int rc = aws_settings_load(o, env, ret_settings, ret_error);

	if (rc != -ENOENT)
		return rc;
	region = ask_region(o, env, user_agent, clock);
	if (!region)
		return rc;
	error = g_steal_pointer(ret_error);
	own.region = region;
	own.region_source = "the EC2 instance";
	return aws_settings_load(&own, env, ret_settings, ret_error);
}
