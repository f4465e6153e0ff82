/* SPDX-License-Identifier: MIT */
/*
 * credentials: what a request is signed with, and what is known of it.
 *
 * Pure; any thread.  Secrets are wiped when they are freed.
 */
#ifndef KVSFS_AWS_CREDENTIALS_H
#define KVSFS_AWS_CREDENTIALS_H

#include <stdint.h>

struct aws_credentials {
	char *access_key_id;
	char *secret_access_key;
	char *session_token; /* or NULL */
	int64_t expires_ms;  /* INT64_MAX: not known to expire */
	/* botocore's name for where they are from, such as "env"; static. */
	const char *provider;
	char *source; /* the same for people: "the environment" */
};

/* Pieces of a credential as found, unchecked and borrowed. */
struct aws_keys {
	const char *id, *secret;
	const char *token; /* or NULL */
	int64_t expires_ms;
};

/*
 * A copy without provider and source; NULL where a piece is missing or holds
 * what cannot be in a key: they go into header lines, so nothing but visible
 * ASCII can be one.
 */
struct aws_credentials *aws_credentials_new(const struct aws_keys *keys);
struct aws_credentials *aws_credentials_copy(const struct aws_credentials *c);
/* NULL is fine. */
void aws_credentials_free(struct aws_credentials *c);

/* Overwrites a string before it is freed.  NULL is fine. */
void aws_wipe_free(char *s);

#endif
