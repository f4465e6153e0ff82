/* SPDX-License-Identifier: MIT */
/*
 * keys: credentials as JSON tells them.  Pure; any thread.
 *
 * Sources: sdkref "Process credential provider"; ECS and EKS Pod Identity
 * endpoints and IMDS as botocore reads them; sso GetRoleCredentials in
 * botocore's model.
 */
#ifndef KVSFS_CREDS_KEYS_H
#define KVSFS_CREDS_KEYS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aws_credentials;

/* ISO 8601 with a zone, or the "...UTC" that old CLIs wrote.  0 or -EINVAL. */
int creds_time_parse(const char *text, int64_t *ret_ms);

/* What a kind calls its members. */
struct creds_names {
	const char *object; /* they are in this member; NULL: the root */
	const char *id, *secret, *token;
	const char *expires;
	bool expires_is_ms; /* a number of milliseconds, not a text */
	bool expires_optional;
};
extern const struct creds_names creds_names_process, creds_names_metadata,
	creds_names_sso;

/*
 * 0, or -EPROTO with what is wrong, as in "it holds no AccessKeyId" (g_free()
 * it; never a piece of a value).
 */
int creds_keys_read(struct json_object *root, const struct creds_names *names,
		    struct aws_credentials **ret_keys, char **ret_why);

/* A text member, or NULL; owned by o. */
const char *creds_json_text(struct json_object *o, const char *key);
/* Wipes all texts in it, then json_object_put().  NULL is fine. */
void creds_json_free(struct json_object *o);

#endif
