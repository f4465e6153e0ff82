/* SPDX-License-Identifier: MIT */
#include "fs/aws/json.h"

#include <glib.h>

#include <errno.h>
#include <string.h>

#define YEAR_10000_MS INT64_C(253402300800000)

int aws_json_parse(const char *bytes, size_t n, struct json_object **ret_root)
{
	struct json_tokener *t;
	struct json_object *root;
	size_t used;

	/* json-c checks UTF-8 in some places and not in others, and its strict
	   mode differs by version; this refuses NUL bytes as well. */
	if (n > AWS_JSON_MAX_BYTES || !g_utf8_validate_len(bytes, n, NULL))
		return -EPROTO;
	t = json_tokener_new_ex(AWS_JSON_MAX_DEPTH);
	if (!t)
		return -ENOMEM;
	root = json_tokener_parse_ex(t, bytes, (int)n);
	used = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	while (used < n && g_ascii_isspace(bytes[used]))
		used++;
	if (used < n || !json_object_is_type(root, json_type_object)) {
		json_object_put(root);
		return -EPROTO;
	}
	*ret_root = root;
	return 0;
}

static int bad(const char *key, const char **ret_bad)
{
	*ret_bad = key;
	return -EPROTO;
}

/* NULL: absent or null. */
static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v;
}

int aws_json_text(struct json_object *o, const char *key, size_t max_bytes,
		  const char **ret_text, const char **ret_bad)
{
	struct json_object *v = get(o, key);
	const char *text;
	size_t n;

	if (!v) {
		*ret_text = NULL;
		return 0;
	}
	if (!json_object_is_type(v, json_type_string))
		return bad(key, ret_bad);
	text = json_object_get_string(v);
	n = (size_t)json_object_get_string_len(v);
	if (n > max_bytes || strlen(text) != n)
		return bad(key, ret_bad);
	*ret_text = text;
	return 0;
}

int aws_json_whole(struct json_object *o, const char *key, int64_t max,
		   int64_t *ret_n, const char **ret_bad)
{
	struct json_object *v = get(o, key);
	int64_t n;
	double d;

	if (!v) {
		*ret_n = 0;
		return 0;
	}
	if (json_object_is_type(v, json_type_int)) {
		n = json_object_get_int64(v);
	} else if (json_object_is_type(v, json_type_double)) {
		/* 1.048576E6 is a whole number in another spelling. */
		d = json_object_get_double(v);
		if (!(d >= 0 && d <= (double)AWS_WHOLE_MAX))
			return bad(key, ret_bad);
		n = (int64_t)d;
		if ((double)n < d)
			return bad(key, ret_bad);
	} else {
		return bad(key, ret_bad);
	}
	if (n < 0 || n > max)
		return bad(key, ret_bad);
	*ret_n = n;
	return 0;
}

int aws_json_time(struct json_object *o, const char *key, int64_t *ret_ms,
		  const char **ret_bad)
{
	struct json_object *v = get(o, key);
	int64_t ms;
	double s;

	if (!v) {
		*ret_ms = -1;
		return 0;
	}
	if (!json_object_is_type(v, json_type_int) &&
	    !json_object_is_type(v, json_type_double))
		return bad(key, ret_bad);
	s = json_object_get_double(v);
	/* Written so that NaN fails too. */
	if (!(s >= 0 && s < (double)(YEAR_10000_MS / 1000)))
		return bad(key, ret_bad);
	ms = (int64_t)(s * 1000.0 + 0.5);
	if (ms >= YEAR_10000_MS)
		return bad(key, ret_bad);
	*ret_ms = ms;
	return 0;
}

static int of_type(struct json_object *o, const char *key, enum json_type type,
		   struct json_object **ret, const char **ret_bad)
{
	struct json_object *v = get(o, key);

	if (v && !json_object_is_type(v, type))
		return bad(key, ret_bad);
	*ret = v;
	return 0;
}

int aws_json_array(struct json_object *o, const char *key,
		   struct json_object **ret_array, const char **ret_bad)
{
	return of_type(o, key, json_type_array, ret_array, ret_bad);
}

int aws_json_object(struct json_object *o, const char *key,
		    struct json_object **ret_object, const char **ret_bad)
{
	return of_type(o, key, json_type_object, ret_object, ret_bad);
}

char *aws_json_print(struct json_object *o)
{
	char *text = g_strdup(json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return text;
}
