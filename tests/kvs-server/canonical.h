/* SPDX-License-Identifier: MIT */
/*
 * canonical: the request as Signature Version 4 sees it, and its signature.
 *
 * Pure functions of their arguments.
 */
#ifndef KVS_SERVER_CANONICAL_H
#define KVS_SERVER_CANONICAL_H

#include "tests/kvs-server/auth.h"

#define HEX_SHA256 65

void sha256_hex(const void *p, size_t n, char ret[HEX_SHA256]);
/* NULL, or a sentence to free(): which signed header is missing. */
char *canonical_request(struct buf *ret, const struct signed_request *r,
			const char *signed_headers);
void canonical_signature(const char *secret, const char *date,
			 const char *region, const char *service,
			 const char *string_to_sign, char ret[HEX_SHA256]);

#endif
