/* SPDX-License-Identifier: MIT */
/*
 * post: the header lines of a POST to a service, signed.  Pure; any thread.
 */
#ifndef KVSFS_AWS_POST_H
#define KVSFS_AWS_POST_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

struct aws_credentials;
struct aws_url;

struct aws_post {
	const struct aws_url *url;
	const char *path; /* below the URL's own */
	const char *content_type;
	const char *body;
	size_t body_bytes;
	const char *region, *service; /* whose signature it is */
	int64_t now_ms;
};

/*
 * "Name: value" lines with a NULL at the end, as net_request_spec wants them:
 * Host, Content-Type and, where there are credentials, the signature's.  Wiped
 * by g_ptr_array_unref(): a session token is among them.  NULL: it cannot be
 * signed.
 */
GPtrArray *aws_post_headers(const struct aws_post *p,
			    const struct aws_credentials *credentials);

#endif
