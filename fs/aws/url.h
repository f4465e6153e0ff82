/* SPDX-License-Identifier: MIT */
/*
 * url: the base of an endpoint, split and checked.  Pure; any thread.
 *
 * Strict on purpose: a data endpoint comes from the wire, and what is signed
 * and what is sent must be the same host and path.
 */
#ifndef KVSFS_AWS_URL_H
#define KVSFS_AWS_URL_H

#include <stdbool.h>

struct aws_url {
	bool tls;
	bool local; /* the host is this machine */
	char *host; /* host[:port] as it stands in the Host header */
	char *path; /* "" or "/prefix", without a slash at its end */
};

/*
 * 0 or -EINVAL: a scheme other than http and https, a user, an empty or odd
 * host, a port outside of 1..65535, a query, or a path other than segments of
 * [A-Za-z0-9_~-.] that are neither '.' nor '..'.
 */
int aws_url_parse(const char *text, struct aws_url **ret_url);
void aws_url_free(struct aws_url *u);

/*
 * A host (of IPv6 without brackets, or with) that is this machine: localhost,
 * 127.0.0.0/8, ::1.  What is sent there crosses no wire, so plain http will do.
 */
bool aws_url_is_local(const char *host);

/* The whole of it, path appended; the caller frees it. */
char *aws_url_join(const struct aws_url *u, const char *path);

#endif
