/* SPDX-License-Identifier: MIT */
/*
 * json: members of an answer, each with its limits.  Pure; any thread.
 *
 * Numbers are checked as they stand: a size of -1, 2^63, 0.5 or "7" is not one.
 * null counts as absent, as the service means it.  Every function returns 0 or
 * -EPROTO and then leaves the member's name in *ret_bad.
 */
#ifndef KVSFS_AWS_JSON_H
#define KVSFS_AWS_JSON_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#define AWS_JSON_MAX_BYTES (16 << 20)
#define AWS_JSON_MAX_DEPTH 32
#define AWS_WHOLE_MAX	   (INT64_C(1) << 53) /* exact in a double */

/* One object and nothing else, valid UTF-8; json_object_put() it. */
int aws_json_parse(const char *bytes, size_t n, struct json_object **ret_root);

/* NULL where absent.  Owned by o.  No NUL, at most max_bytes. */
int aws_json_text(struct json_object *o, const char *key, size_t max_bytes,
		  const char **ret_text, const char **ret_bad);

/* 0 where absent; 0..max. */
int aws_json_whole(struct json_object *o, const char *key, int64_t max,
		   int64_t *ret_n, const char **ret_bad);

/* Seconds since 1970 to milliseconds, to the nearest; -1 where absent. */
int aws_json_time(struct json_object *o, const char *key, int64_t *ret_ms,
		  const char **ret_bad);

/* NULL where absent. */
int aws_json_array(struct json_object *o, const char *key,
		   struct json_object **ret_array, const char **ret_bad);
int aws_json_object(struct json_object *o, const char *key,
		    struct json_object **ret_object, const char **ret_bad);

/* A body to send: frees o. */
char *aws_json_print(struct json_object *o);

#endif
