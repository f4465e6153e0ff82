/* SPDX-License-Identifier: MIT */
#include "fs/aws/credentials.h"

#include <glib.h>
#include <openssl/crypto.h>

#include <stdbool.h>
#include <string.h>

void aws_wipe_free(char *s)
{
	if (s)
		OPENSSL_cleanse(s, strlen(s));
	g_free(s);
}

void aws_credentials_free(struct aws_credentials *c)
{
	if (!c)
		return;
	aws_wipe_free(c->access_key_id);
	aws_wipe_free(c->secret_access_key);
	aws_wipe_free(c->session_token);
	g_free(c->source);
	g_free(c);
}

static bool is_key(const char *s)
{
	if (!s || !*s)
		return false;
	for (; *s; s++)
		if (!g_ascii_isgraph(*s))
			return false;
	return true;
}

struct aws_credentials *aws_credentials_new(const struct aws_keys *keys)
{
	struct aws_credentials *c;

	if (!is_key(keys->id) || !is_key(keys->secret) ||
	    (keys->token && !is_key(keys->token)))
		return NULL;
	c = g_new0(struct aws_credentials, 1);
	c->access_key_id = g_strdup(keys->id);
	c->secret_access_key = g_strdup(keys->secret);
	c->session_token = g_strdup(keys->token);
	c->expires_ms = keys->expires_ms;
	return c;
}

struct aws_credentials *aws_credentials_copy(const struct aws_credentials *c)
{
	struct aws_credentials *copy = g_memdup2(c, sizeof(*c));

	copy->access_key_id = g_strdup(c->access_key_id);
	copy->secret_access_key = g_strdup(c->secret_access_key);
	copy->session_token = g_strdup(c->session_token);
	copy->source = g_strdup(c->source);
	return copy;
}
