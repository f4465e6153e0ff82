/* SPDX-License-Identifier: MIT */
#include "fs/creds/keys.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "fs/aws/credentials.h"
#include "fs/aws/json.h"

/* A session token has some 1,000 characters, and no promised limit. */
#define TEXT_MAX_BYTES 65536

const struct creds_names creds_names_process = {
	.id = "AccessKeyId",
	.secret = "SecretAccessKey",
	.token = "SessionToken",
	.expires = "Expiration",
	.expires_optional = true,
};
const struct creds_names creds_names_metadata = {
	.id = "AccessKeyId",
	.secret = "SecretAccessKey",
	.token = "Token",
	.expires = "Expiration",
};
const struct creds_names creds_names_sso = {
	.object = "roleCredentials",
	.id = "accessKeyId",
	.secret = "secretAccessKey",
	.token = "sessionToken",
	.expires = "expiration",
	.expires_is_ms = true,
};

int creds_time_parse(const char *text, int64_t *ret_ms)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	bool old = g_str_has_suffix(text, "UTC");
	g_autofree char *date = g_strndup(text, strlen(text) - (old ? 3 : 0));
	g_autofree char *plain = g_strconcat(date, old ? "Z" : NULL, NULL);
	g_autoptr(GDateTime) t = NULL;

	t = g_date_time_new_from_iso8601(plain, utc);
	if (!t)
		return -EINVAL;
	*ret_ms = g_date_time_to_unix(t) * 1000 +
		  g_date_time_get_microsecond(t) / 1000;
	return 0;
}

const char *creds_json_text(struct json_object *o, const char *key)
{
	const char *text = NULL, *unused;

	if (aws_json_text(o, key, TEXT_MAX_BYTES, &text, &unused))
		return NULL;
	return text;
}

static int read_expiry(struct json_object *o, const struct creds_names *names,
		       int64_t *ret_ms)
{
	const char *text, *unused;

	if (names->expires_is_ms)
		return aws_json_whole(o, names->expires, AWS_WHOLE_MAX, ret_ms,
				      &unused) ||
				       *ret_ms == 0
			       ? -EPROTO
			       : 0;
	text = creds_json_text(o, names->expires);
	if (text)
		return creds_time_parse(text, ret_ms);
	*ret_ms = INT64_MAX;
	return names->expires_optional ? 0 : -EPROTO;
}

int creds_keys_read(struct json_object *root, const struct creds_names *names,
		    struct aws_credentials **ret_keys, char **ret_why)
{
	struct json_object *o = root;
	struct aws_keys keys;
	const char *unused, *missing = NULL;

	if (names->object &&
	    (aws_json_object(root, names->object, &o, &unused) || !o)) {
		*ret_why = g_strdup_printf("it holds no %s", names->object);
		return -EPROTO;
	}
	keys.id = creds_json_text(o, names->id);
	keys.secret = creds_json_text(o, names->secret);
	keys.token = creds_json_text(o, names->token);
	if (!keys.id)
		missing = names->id;
	else if (!keys.secret)
		missing = names->secret;
	else if (!keys.token && !names->expires_optional)
		missing = names->token;
	else if (read_expiry(o, names, &keys.expires_ms))
		missing = names->expires;
	if (missing) {
		*ret_why = g_strdup_printf("it holds no usable %s", missing);
		return -EPROTO;
	}
	if (keys.token && !*keys.token)
		keys.token = NULL;
	*ret_keys = aws_credentials_new(&keys);
	if (*ret_keys)
		return 0;
	*ret_why = g_strdup("its keys hold characters that no key has");
	return -EPROTO;
}

static void wipe(struct json_object *o)
{
	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value)
		{
			(void)key;
			wipe(value);
		}
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			wipe(json_object_array_get_idx(o, i));
	} else if (json_object_is_type(o, json_type_string)) {
		/* Its own buffer, which nobody else refers to. */
		explicit_bzero((void *)(uintptr_t)json_object_get_string(o),
			       (size_t)json_object_get_string_len(o));
	}
}

void creds_json_free(struct json_object *o)
{
	wipe(o);
	json_object_put(o);
}
