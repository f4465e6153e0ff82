/* SPDX-License-Identifier: MIT */
/*
 * url: the base of an endpoint, split and checked.  Pure; any thread.
 *
 * Strict on purpose: a data endpoint comes from the wire, and what is signed
 * and what is sent must be the same host and path.
 */
#ifndef KVSFS_KVS_URL_H
#define KVSFS_KVS_URL_H

#include <stdbool.h>

struct kvs_url {
	bool tls;
	char *host; /* host[:port] as it stands in the Host header */
	char *path; /* "" or "/prefix", without a slash at its end */
};

/*
 * 0 or -EINVAL: a scheme other than http and https, a user, an empty or odd
 * host, a port outside of 1..65535, a query, or a path other than segments of
 * [A-Za-z0-9_~-.] that are neither '.' nor '..'.
 */
int kvs_url_parse(const char *text, struct kvs_url **ret_url);
void kvs_url_free(struct kvs_url *u);

/* The whole of it, path appended; the caller frees it. */
char *kvs_url_join(const struct kvs_url *u, const char *path);

#endif
