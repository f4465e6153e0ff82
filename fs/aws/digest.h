/* SPDX-License-Identifier: MIT */
/*
 * digest: hashes for those who may not include OpenSSL.
 *
 * Pure; any thread.  They cannot fail but as malloc() does: OpenSSL without its
 * SHA-256 ends the process.
 */
#ifndef KVSFS_AWS_DIGEST_H
#define KVSFS_AWS_DIGEST_H

#include <stddef.h>

#define AWS_SHA256_HEX_SIZE 65 /* 64 lower-case digits and the NUL */

void aws_sha256_hex(const void *bytes, size_t n, char out[AWS_SHA256_HEX_SIZE]);

/* SHA-1, where a file's name is one; nothing is signed or checked by it. */
#define AWS_SHA1_HEX_SIZE 41

void aws_sha1_hex(const void *bytes, size_t n, char out[AWS_SHA1_HEX_SIZE]);

/* Lower-case digits of n bytes; out has room for 2 * n + 1. */
void aws_hex(const unsigned char *bytes, size_t n, char *out);

#endif
