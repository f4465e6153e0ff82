/* SPDX-License-Identifier: MIT */
/*
 * parse: the answers of the service, checked, as structs.  Pure; any thread.
 *
 * 0, or -EPROTO with the name of what is wrong in *ret_bad (a string constant).
 * Nothing is kept of an answer of which a part is wrong.
 * Shapes: botocore's models kinesisvideo and kinesis-video-archived-media.
 */
#ifndef KVSFS_KVS_PARSE_H
#define KVSFS_KVS_PARSE_H

#include "fs/kvs/kvs.h"

#define KVS_TOKEN_MAX_BYTES 4096
#define KVS_ARN_MAX_BYTES   1024
#define KVS_NAME_MAX_BYTES  256

/* A page of ListStreams, appended to streams; the token is g_free()'s. */
int kvs_parse_streams(const char *bytes, size_t n, GPtrArray *streams,
		      char **ret_token, const char **ret_bad);

/* DescribeStream: one stream, appended. */
int kvs_parse_stream(const char *bytes, size_t n, GPtrArray *streams,
		     const char **ret_bad);

/* A page of ListFragments: struct kvs_fragment, appended. */
int kvs_parse_fragments(const char *bytes, size_t n, GArray *fragments,
			char **ret_token, const char **ret_bad);

/* GetDataEndpoint, as it stands there. */
int kvs_parse_endpoint(const char *bytes, size_t n, char **ret_url,
		       const char **ret_bad);

#endif
