/* SPDX-License-Identifier: MIT */
/* The control calls about fragments, and what control calls share. */
#ifndef KVS_SERVER_CONTROL_FRAGMENTS_H
#define KVS_SERVER_CONTROL_FRAGMENTS_H

#include "tests/kvs-server/server.h"

const char *control_arg(const struct request *r, const char *name);
enum MHD_Result control_ok(struct request *r);
enum MHD_Result control_fail(struct request *r, const char *why);

enum MHD_Result control_get_fragments(struct request *r);
enum MHD_Result control_post_fragments(struct request *r);
enum MHD_Result control_get_media(struct request *r);

#endif
