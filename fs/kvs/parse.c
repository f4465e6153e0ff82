/* SPDX-License-Identifier: MIT */
#include "fs/kvs/parse.h"

#include "fs/aws/json.h"

#include <errno.h>
#include <string.h>

#define KMS_KEY_MAX_BYTES 2048 /* KmsKeyId, [model] */
#define HOUR_MS		  INT64_C(3600000)
/* The service's limit is 87600 h; more than ten times that is no retention. */
#define RETENTION_MAX_HOURS 1000000
#define URL_MAX_BYTES	    2048

typedef struct json_object json;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(json, json_object_put)

static bool consists_of(const char *text, const char *others)
{
	for (; *text; text++)
		if (!g_ascii_isalnum(*text) && !strchr(others, *text))
			return false;
	return true;
}

static bool is_number(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n >= 1 && n <= KVS_NUMBER_MAX && !text[n];
}

static int parse(const char *bytes, size_t n, json **ret, const char **ret_bad)
{
	int rc = aws_json_parse(bytes, n, ret);

	if (rc)
		*ret_bad = "JSON";
	return rc;
}

static int parse_token(json *o, char **ret_token, const char **ret_bad)
{
	const char *text;
	int rc = aws_json_text(o, "NextToken", KVS_TOKEN_MAX_BYTES, &text,
			       ret_bad);

	if (rc)
		return rc;
	*ret_token = text && *text ? g_strdup(text) : NULL;
	return 0;
}

static int parse_names(json *o, struct kvs_stream_info *s, const char **ret_bad)
{
	const char *name, *arn;
	int rc;

	rc = aws_json_text(o, "StreamName", KVS_NAME_MAX_BYTES, &name, ret_bad);
	if (rc)
		return rc;
	if (!name || !*name || !consists_of(name, "_.-")) {
		*ret_bad = "StreamName";
		return -EPROTO;
	}
	rc = aws_json_text(o, "StreamARN", KVS_ARN_MAX_BYTES, &arn, ret_bad);
	if (rc)
		return rc;
	if (!arn || !g_str_has_prefix(arn, "arn:") ||
	    !consists_of(arn, "_.-:/")) {
		*ret_bad = "StreamARN";
		return -EPROTO;
	}
	s->name = g_strdup(name);
	s->arn = g_strdup(arn);
	return 0;
}

static int parse_info(json *o, struct kvs_stream_info *s, const char **ret_bad)
{
	const char *status, *key;
	int64_t hours;
	int rc;

	rc = parse_names(o, s, ret_bad);
	if (rc)
		return rc;
	rc = aws_json_time(o, "CreationTime", &s->created_ms, ret_bad);
	if (rc)
		return rc;
	/* Not told: it has been there for ever. */
	s->created_ms = MAX(s->created_ms, 0);
	rc = aws_json_whole(o, "DataRetentionInHours", RETENTION_MAX_HOURS,
			    &hours, ret_bad);
	if (rc)
		return rc;
	s->retention_ms = hours * HOUR_MS;
	rc = aws_json_text(o, "Status", 64, &status, ret_bad);
	if (rc)
		return rc;
	s->active = !g_strcmp0(status, "ACTIVE") ||
		    !g_strcmp0(status, "UPDATING");
	s->status = g_strdup(status);
	rc = aws_json_text(o, "KmsKeyId", KMS_KEY_MAX_BYTES, &key, ret_bad);
	if (rc)
		return rc;
	s->kms_key = g_strdup(key);
	return 0;
}

static int add_stream(json *o, GPtrArray *streams, const char **ret_bad)
{
	struct kvs_stream_info *s;
	int rc;

	if (!json_object_is_type(o, json_type_object)) {
		*ret_bad = "StreamInfo";
		return -EPROTO;
	}
	s = g_new0(struct kvs_stream_info, 1);
	rc = parse_info(o, s, ret_bad);
	if (rc)
		kvs_stream_info_free(s);
	else
		g_ptr_array_add(streams, s); /* its owner now */
	return rc;
}

int kvs_parse_streams(const char *bytes, size_t n, GPtrArray *streams,
		      char **ret_token, const char **ret_bad)
{
	g_autoptr(json) root = NULL;
	guint before = streams->len;
	json *list = NULL;
	size_t count;
	int rc;

	rc = parse(bytes, n, &root, ret_bad);
	if (rc)
		return rc;
	rc = aws_json_array(root, "StreamInfoList", &list, ret_bad);
	if (rc)
		return rc;
	count = list ? json_object_array_length(list) : 0;
	for (size_t i = 0; i < count && !rc; i++)
		rc = add_stream(json_object_array_get_idx(list, i), streams,
				ret_bad);
	if (!rc)
		rc = parse_token(root, ret_token, ret_bad);
	if (rc)
		g_ptr_array_set_size(streams, (gint)before);
	return rc;
}

int kvs_parse_stream(const char *bytes, size_t n, GPtrArray *streams,
		     const char **ret_bad)
{
	g_autoptr(json) root = NULL;
	json *info = NULL;
	int rc;

	rc = parse(bytes, n, &root, ret_bad);
	if (rc)
		return rc;
	rc = aws_json_object(root, "StreamInfo", &info, ret_bad);
	if (rc)
		return rc;
	return add_stream(info, streams, ret_bad);
}

static int parse_times(json *o, struct kvs_fragment *f, const char **ret_bad)
{
	int rc = aws_json_time(o, "ProducerTimestamp", &f->producer_ms,
			       ret_bad);

	if (rc)
		return rc;
	rc = aws_json_time(o, "ServerTimestamp", &f->server_ms, ret_bad);
	if (rc)
		return rc;
	/* Without them there is no folder to show it in. */
	if (f->producer_ms < 0 || f->server_ms < 0) {
		*ret_bad = f->producer_ms < 0 ? "ProducerTimestamp"
					      : "ServerTimestamp";
		return -EPROTO;
	}
	return 0;
}

static int parse_fragment(json *o, struct kvs_fragment *f, const char **ret_bad)
{
	const char *number;
	int rc;

	if (!json_object_is_type(o, json_type_object)) {
		*ret_bad = "Fragments";
		return -EPROTO;
	}
	rc = aws_json_text(o, "FragmentNumber", KVS_NUMBER_MAX, &number,
			   ret_bad);
	if (rc)
		return rc;
	if (!number || !is_number(number)) {
		*ret_bad = "FragmentNumber";
		return -EPROTO;
	}
	g_strlcpy(f->number, number, sizeof(f->number));
	rc = parse_times(o, f, ret_bad);
	if (rc)
		return rc;
	rc = aws_json_whole(o, "FragmentSizeInBytes", AWS_WHOLE_MAX,
			    &f->size_bytes, ret_bad);
	if (rc)
		return rc;
	return aws_json_whole(o, "FragmentLengthInMilliseconds", AWS_WHOLE_MAX,
			      &f->length_ms, ret_bad);
}

int kvs_parse_fragments(const char *bytes, size_t n, GArray *fragments,
			char **ret_token, const char **ret_bad)
{
	g_autoptr(json) root = NULL;
	guint before = fragments->len;
	json *list = NULL;
	size_t count;
	int rc;

	rc = parse(bytes, n, &root, ret_bad);
	if (rc)
		return rc;
	rc = aws_json_array(root, "Fragments", &list, ret_bad);
	if (rc)
		return rc;
	count = list ? json_object_array_length(list) : 0;
	if (count > KVS_LIST_MAX) {
		*ret_bad = "Fragments";
		return -EPROTO;
	}
	for (size_t i = 0; i < count && !rc; i++) {
		struct kvs_fragment f = {0};

		rc = parse_fragment(json_object_array_get_idx(list, i), &f,
				    ret_bad);
		if (!rc)
			g_array_append_val(fragments, f);
	}
	if (!rc)
		rc = parse_token(root, ret_token, ret_bad);
	if (rc)
		g_array_set_size(fragments, before);
	return rc;
}

int kvs_parse_endpoint(const char *bytes, size_t n, char **ret_url,
		       const char **ret_bad)
{
	g_autoptr(json) root = NULL;
	const char *text;
	int rc;

	rc = parse(bytes, n, &root, ret_bad);
	if (rc)
		return rc;
	rc = aws_json_text(root, "DataEndpoint", URL_MAX_BYTES, &text, ret_bad);
	if (rc)
		return rc;
	if (!text) {
		*ret_bad = "DataEndpoint";
		return -EPROTO;
	}
	*ret_url = g_strdup(text);
	return 0;
}
