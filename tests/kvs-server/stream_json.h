/* SPDX-License-Identifier: MIT */
/*
 * stream_json: one stream from its configuration; README.md lists the options.
 */
#ifndef KVS_SERVER_STREAM_JSON_H
#define KVS_SERVER_STREAM_JSON_H

#include "tests/kvs-server/server.h"

/* copy: which of several with one configuration, or -1. */
int stream_from_json(json_object *json, const struct media *m,
		     const struct clip *clip, const struct server *s,
		     int64_t now_ms, int64_t copy, struct stream **ret,
		     char **ret_error);

#endif
