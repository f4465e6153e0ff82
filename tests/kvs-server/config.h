/* SPDX-License-Identifier: MIT */
/*
 * config: streams from a JSON file or from a folder of clips.
 *
 * Everything about a stream follows from the configuration, the seed and the
 * instant that "-2h" is counted from, so that a server that is started again
 * with the same three has the same fragments.
 */
#ifndef KVS_SERVER_CONFIG_H
#define KVS_SERVER_CONFIG_H

#include "tests/kvs-server/server.h"

/* The clips and templates that the streams point to. */
struct config;

struct config *config_new(void);
/* 0, or -EINVAL and a sentence to free(). */
int config_file(struct config *c, struct server *s, const char *path,
		int64_t now_ms, char **ret_error);
int config_clips(struct config *c, struct server *s, const char *dir,
		 int64_t now_ms, char **ret_error);
/* After the server has stopped: its streams go too. */
void config_free(struct config *c, struct server *s);

/* "producer", "server", ...: for a configuration and for the control call. */
int config_extra(json_object *json, int64_t now_ms, struct extra *ret,
		 char **ret_error);

#endif
