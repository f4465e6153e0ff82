/* SPDX-License-Identifier: MIT */
/*
 * internal: what those who fetch credentials share.  Nothing outside includes
 * it.  All of it blocks, on the thread of whoever resolves a plan.
 */
#ifndef KVSFS_CREDS_INTERNAL_H
#define KVSFS_CREDS_INTERNAL_H

#include <stdbool.h>

#include "fs/aws/credentials.h"
#include "fs/aws/settings.h"
#include "fs/base/clock.h"
#include "fs/creds/plan.h"
#include "fs/creds/resolve.h"
#include "fs/net/exchange.h"

/* Answers are some 2 KiB; a token may have 20. */
#define CREDS_ANSWER_MAX_BYTES 262144

/* One question to a service that hands out credentials. */
struct creds_request {
	const char *method, *url;
	const char *const *headers; /* NULL-terminated, or NULL */
	const char *body;	    /* or NULL */
	int64_t timeout_ms;	    /* of each try */
	int attempts;
	bool direct; /* never through the proxy */
};

/*
 * 0: an answer came, whatever its status, after as many tries as it took while
 * nobody answered or the service was busy (429, 5xx); or -errno with
 * a->text.  Its clock is learnt.  net_answer_release() in either case.
 */
int creds_ask(struct creds_context *x, const struct creds_request *r,
	      struct net_answer *a);
/* Sleeps; -ECANCELED: the program ends. */
int creds_pause(struct creds_context *x, int64_t ms);
/* What time it is for the service, as far as it is known. */
int64_t creds_now_ms(const struct creds_context *x);

/* *ret_error = the sentence; returns rc. */
int creds_fail(int rc, char **ret_error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
/* Nobody answered: -ETIMEDOUT, or -ECANCELED, with "WHO did not answer: ...".
 */
int creds_fail_silent(int rc, const struct net_answer *a, char **ret_error,
		      const char *who, const char *url);
/* A status that a later try may better. */
bool creds_is_busy(int http_status);
/* A short printable piece of what a service said, for a sentence. */
char *creds_quote(const char *text, size_t n);

/*
 * The providers.  0 and keys without source; or a sentence and -EACCES, or
 * -ETIMEDOUT (a later try may do better), or -ECANCELED.
 */
typedef int (*creds_provider_fn)(struct creds_context *x,
				 const struct creds_plan *p,
				 struct aws_credentials **ret_keys,
				 char **ret_error);
int creds_from_keys(struct creds_context *x, const struct creds_plan *p,
		    struct aws_credentials **ret_keys, char **ret_error);
int creds_from_web_identity(struct creds_context *x, const struct creds_plan *p,
			    struct aws_credentials **ret_keys,
			    char **ret_error);
int creds_from_sso(struct creds_context *x, const struct creds_plan *p,
		   struct aws_credentials **ret_keys, char **ret_error);
int creds_from_process(struct creds_context *x, const struct creds_plan *p,
		       struct aws_credentials **ret_keys, char **ret_error);
int creds_from_container(struct creds_context *x, const struct creds_plan *p,
			 struct aws_credentials **ret_keys, char **ret_error);
int creds_from_instance(struct creds_context *x, const struct creds_plan *p,
			struct aws_credentials **ret_keys, char **ret_error);

/* imds.c: where this EC2 instance is, or NULL. */
char *creds_instance_region(struct creds_context *x);

/* sts.c: role, signed with keys. */
int creds_assume_role(struct creds_context *x, const struct creds_plan *p,
		      const struct creds_role *role,
		      const struct aws_credentials *keys,
		      struct aws_credentials **ret_keys, char **ret_error);

/* sso_token.c: a bearer token that is good now (aws_wipe_free() it). */
int creds_sso_token(struct creds_context *x, const struct creds_sso *sso,
		    char **ret_token, char **ret_error);

#endif
