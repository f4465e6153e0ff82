/* SPDX-License-Identifier: MIT */
/*
 * sigv4: AWS Signature Version 4 in the Authorization header.
 *
 * Pure: the time is a parameter, so AWS's published vectors run byte for byte.
 * Any thread.  Source: docs.aws.amazon.com IAM "Create a signed AWS API
 * request"; vectors of awslabs/aws-c-auth.
 */
#ifndef KVSFS_AWS_SIGV4_H
#define KVSFS_AWS_SIGV4_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aws_credentials;

struct sigv4_header {
	const char *name, *value;
};

struct sigv4_request {
	const char *method;
	const char *path;  /* as it stands in the request line, before '?' */
	const char *query; /* after '?', or "" */
	const struct sigv4_header *headers; /* all signed; Host must be
					       among them */
	size_t n_headers;
	const void *body;
	size_t body_bytes;
};

struct sigv4_scope {
	const char *region, *service;
	int64_t now_ms;
	bool normalize_path;	 /* resolve . and .., as all but S3 want */
	bool omit_session_token; /* sent but not signed (some vectors) */
	bool sign_body_header;	 /* add x-amz-content-sha256 */
};

struct sigv4_result {
	char *canonical_request, *string_to_sign, *signature;
	/* "Name: value" lines to add to the request: X-Amz-Date,
	   X-Amz-Security-Token where there is one, Authorization. */
	GPtrArray *header_lines;
};

/* 0 or -EINVAL (no Host, a header name that is empty). */
int sigv4_sign(const struct sigv4_request *r, const struct sigv4_scope *scope,
	       const struct aws_credentials *c, struct sigv4_result *ret);
/* Frees what is inside, wiping nothing secret: none is kept. */
void sigv4_result_release(struct sigv4_result *r);

#endif
