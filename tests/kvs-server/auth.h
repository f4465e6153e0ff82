/* SPDX-License-Identifier: MIT */
/*
 * auth: Signature Version 4, verified.
 *
 * Its own reading of the specification, so that a mistake of the client's
 * cannot agree with one here.  Credentials may be added, replaced and expired
 * while the server runs.  Any thread.
 */
#ifndef KVS_SERVER_AUTH_H
#define KVS_SERVER_AUTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvs-server/buf.h"

struct credential {
	char *access_key, *secret_key;
	char *token; /* or NULL */
	bool expired;
};

struct auth {
	pthread_mutex_t lock;
	struct credential *list; /* under lock */
	size_t n;
	char *region;
	int64_t max_skew_ms;
};

struct header {
	const char *name, *value;
};
struct signed_request {
	const char *method, *path,
		*query; /* as sent, encoded; query without ? */
	const struct header *headers;
	size_t n_headers;
	const uint8_t *body;
	size_t body_bytes;
};
struct auth_error {
	int status;
	const char *name;
	char *message; /* to free */
};

void auth_init(struct auth *a, const char *region, int64_t max_skew_ms);
void auth_free(struct auth *a);
/* Adds, or replaces the one with that access key. */
void auth_set(struct auth *a, const char *access_key, const char *secret_key,
	      const char *token, bool expired);
bool auth_remove(struct auth *a, const char *access_key);
/* true: signed by someone known, now. */
bool auth_check(struct auth *a, const struct signed_request *r, int64_t now_ms,
		struct auth_error *ret);

#endif
