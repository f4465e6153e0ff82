/* SPDX-License-Identifier: MIT */
/*
 * spoil: JSON answers, and what the faults make of them.
 */
#ifndef KVS_SERVER_SPOIL_H
#define KVS_SERVER_SPOIL_H

#include "tests/kvs-server/server.h"

/* 200 with that JSON, or what the request's faults make of it. */
enum MHD_Result reply_spoilt(struct request *r, struct buf *body);
enum MHD_Result reply_throttled(struct request *r);

#endif
