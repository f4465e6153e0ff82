/* SPDX-License-Identifier: MIT */
/*
 * plan: where credentials would come from, in the AWS CLI's order, decided from
 * settings, environment and files alone.  It asks no service and runs nothing.
 *
 * A plan is one base (keys, or somebody to ask for keys) and the roles that are
 * then assumed one after the other.  Reads local files; any thread.
 *
 * The order is botocore's create_credential_resolver(): environment keys;
 * role_arn with source_profile or credential_source; web identity; IAM Identity
 * Center (SSO); the shared credentials file; credential_process; the config
 * file; container; EC2 instance.  --profile drops the environment's keys and
 * web identity, AWS_PROFILE does not.  What the CLI can do and a mount cannot
 * (type an MFA code, log in by `aws login`) is refused with what to do instead.
 */
#ifndef KVSFS_CREDS_PLAN_H
#define KVSFS_CREDS_PLAN_H

#include <glib.h>
#include <stdbool.h>

struct aws_credentials;
struct aws_settings;

enum creds_base {
	CREDS_KEYS,
	CREDS_WEB_IDENTITY,
	CREDS_SSO,
	CREDS_PROCESS,
	CREDS_CONTAINER,
	CREDS_INSTANCE,
};

struct creds_role {
	char *arn;
	char *session_name, *external_id; /* or NULL */
	int duration_s;			  /* 0: the service's own */
};

struct creds_sso {
	char *session; /* name of its section; NULL: legacy, by start_url */
	char *start_url, *region, *account, *role;
	char *token_path; /* where `aws sso login` leaves the token */
	char *portal_url, *oidc_url;
	char *login; /* the command that logs in anew */
};

struct creds_plan {
	enum creds_base base;
	const char *provider; /* botocore's name for the base; static */
	char *source;	      /* the base, for people */
	/* The last resort: nothing names it, and it may not be there. */
	bool guessed;
	char *nowhere; /* then: where else was looked */

	struct aws_credentials *keys; /* CREDS_KEYS */
	char *token_file;	      /* CREDS_WEB_IDENTITY */
	struct creds_role web;
	struct creds_sso sso; /* CREDS_SSO */
	char *command;	      /* CREDS_PROCESS */

	GPtrArray *roles; /* struct creds_role *, first to last */
	char *sts_url;
};

/* 0, or -EACCES with a sentence that says what is missing and how to mend it
 * (g_free() it). */
int creds_plan_make(const struct aws_settings *s, struct creds_plan **ret_plan,
		    char **ret_error);
void creds_plan_free(struct creds_plan *p);

#endif
