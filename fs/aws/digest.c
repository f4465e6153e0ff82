/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/aws/digest.h"

#include <glib.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

void aws_hex(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

void aws_sha256_hex(const void *bytes, size_t n, char out[AWS_SHA256_HEX_SIZE])
{
	unsigned char md[SHA256_DIGEST_LENGTH];

	/* EVP_Digest() wants a pointer even for no bytes. */
	if (!EVP_Digest(n ? bytes : "", n, md, NULL, EVP_sha256(), NULL))
		g_error("OpenSSL cannot do SHA-256");
	aws_hex(md, sizeof(md), out);
}

void aws_sha1_hex(const void *bytes, size_t n, char out[AWS_SHA1_HEX_SIZE])
{
	unsigned char md[SHA_DIGEST_LENGTH];

	if (!EVP_Digest(n ? bytes : "", n, md, NULL, EVP_sha1(), NULL))
		g_error("OpenSSL cannot do SHA-1");
	aws_hex(md, sizeof(md), out);
}
