/* SPDX-License-Identifier: MIT */
#include "fs/creds/resolve.h"

#include <errno.h>

#include "fs/creds/internal.h"

static const creds_provider_fn providers[] = {
	[CREDS_KEYS] = creds_from_keys,
	[CREDS_WEB_IDENTITY] = creds_from_web_identity,
	[CREDS_SSO] = creds_from_sso,
	[CREDS_PROCESS] = creds_from_process,
	[CREDS_CONTAINER] = creds_from_container,
	[CREDS_INSTANCE] = creds_from_instance,
};

int creds_from_keys(struct creds_context *x, const struct creds_plan *p,
		    struct aws_credentials **ret_keys, char **ret_error)
{
	*ret_keys = aws_credentials_copy(p->keys);
	return 0;
}

static int run(struct creds_context *x, const struct creds_plan *p,
	       struct aws_credentials **ret, char **ret_error)
{
	struct aws_credentials *keys = NULL, *next;
	int rc = providers[p->base](x, p, &keys, ret_error);

	for (guint i = 0; !rc && i < p->roles->len; i++) {
		rc = creds_assume_role(x, p, p->roles->pdata[i], keys, &next,
				       ret_error);
		aws_credentials_free(keys);
		keys = rc ? NULL : next;
	}
	*ret = keys;
	return rc;
}

static char *describe(const struct creds_plan *p)
{
	const struct creds_role *last;

	if (p->roles->len == 0)
		return g_strdup(p->source);
	last = p->roles->pdata[p->roles->len - 1];
	return g_strdup_printf("role %s, by %s", last->arn, p->source);
}

/* Whoever hands out what has ended already is not to be asked in a circle. */
static int refuse_expired(const struct creds_context *x,
			  const struct aws_credentials *keys, char **ret_error)
{
	g_autoptr(GDateTime) t = NULL;
	g_autofree char *when = NULL;

	if (keys->expires_ms > creds_now_ms(x))
		return 0;
	t = g_date_time_new_from_unix_utc(keys->expires_ms / 1000);
	when = t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ") : NULL;
	return creds_fail(-EACCES, ret_error,
			  "the credentials of %s expired at %s: renew them%s",
			  keys->source, when ? when : "?",
			  strcmp(keys->provider, "env")
				  ? ""
				  : "; a running program keeps the environment "
				    "it was started with, a profile is read "
				    "anew");
}

int creds_resolve(struct creds_context *x, struct aws_credentials **ret,
		  char **ret_error)
{
	struct creds_plan *p;
	struct aws_credentials *keys = NULL;
	int rc = creds_plan_make(x->settings, &p, ret_error);

	if (rc)
		return rc;
	rc = run(x, p, &keys, ret_error);
	if (!rc) {
		keys->provider = p->roles->len ? "assume-role" : p->provider;
		g_free(keys->source);
		keys->source = describe(p);
		rc = refuse_expired(x, keys, ret_error);
	}
	creds_plan_free(p);
	if (rc) {
		aws_credentials_free(keys);
		return rc;
	}
	*ret = keys;
	return 0;
}
