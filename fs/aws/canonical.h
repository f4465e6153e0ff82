/* SPDX-License-Identifier: MIT */
/*
 * canonical: the parts of SigV4's canonical request, each from the request as
 * it is sent.  Pure; any thread; private to aws/.
 *
 * Source: docs.aws.amazon.com IAM "Create a signed AWS API request", step 1.
 */
#ifndef KVSFS_AWS_CANONICAL_H
#define KVSFS_AWS_CANONICAL_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "fs/aws/sigv4.h"

/* Each byte but unreserved ones and '/' as %XX, '%' included: every service
 * but S3 encodes a path that is already encoded once more. */
char *aws_canonical_path(const char *path, bool normalize);

/* Sorted by key, then value; what is encoded already stays as it is. */
char *aws_canonical_query(const char *query);

/* lines: "name:value\n" each; names: "a;b;c".  Both are appended to. */
void aws_canonical_headers(const struct sigv4_header *headers, size_t n,
			   GString *lines, GString *names);

#endif
