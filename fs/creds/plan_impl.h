/* SPDX-License-Identifier: MIT */
/* plan_impl: what the files that make a plan share.  Private to them. */
#ifndef KVSFS_CREDS_PLAN_IMPL_H
#define KVSFS_CREDS_PLAN_IMPL_H

#include "fs/aws/endpoints.h"
#include "fs/aws/profiles.h"
#include "fs/aws/settings.h"
#include "fs/creds/plan.h"

struct planning {
	const struct aws_settings *settings;
	const struct aws_profiles *profiles;
	struct creds_plan *plan;
	char **ret_error;
};

static inline const char *planning_key(const struct planning *p,
				       const char *profile, const char *key)
{
	return aws_profiles_get(p->profiles, profile, key);
}

/* *ret_error is set; -EACCES. */
int creds_plan_refuse(struct planning *p, const char *format, ...)
	G_GNUC_PRINTF(2, 3);

/*
 * Each fills in the base: 0; -ENOENT: the profile has nothing of that kind;
 * -EACCES and a sentence.  use_env: the environment may name it, too.
 */
int creds_plan_environment(struct planning *p);
int creds_plan_web_identity(struct planning *p, const char *profile,
			    bool use_env);
int creds_plan_sso(struct planning *p, const char *profile);
/* All that a profile may hold but roles, in order. */
int creds_plan_profile(struct planning *p, const char *profile, bool use_env);
int creds_plan_container(struct planning *p);
void creds_plan_instance(struct planning *p);

/* Where the service is asked: 0, or -EACCES and a sentence. */
int creds_plan_url(struct planning *p, enum aws_service service,
		   const char *region, char **ret_url);

#endif
