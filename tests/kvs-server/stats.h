/* SPDX-License-Identifier: MIT */
/*
 * stats: what was asked of the server and what it answered.
 *
 * Counters per API, for the server and for each stream, and the last requests
 * in full.  Any thread.
 */
#ifndef KVS_SERVER_STATS_H
#define KVS_SERVER_STATS_H

#include <pthread.h>
#include <stdint.h>

#include "tests/kvs-server/buf.h"

enum api {
	API_LIST_STREAMS,
	API_DESCRIBE_STREAM,
	API_GET_DATA_ENDPOINT,
	API_LIST_FRAGMENTS,
	API_GET_MEDIA,
	API_COUNT
};
extern const char *const api_names[API_COUNT];
/* API_COUNT where there is none of that name. */
enum api api_by_name(const char *name);

struct counters {
	int64_t requests, ok, errors, throttled;
	int64_t fragments; /* listed, or sent whole */
	int64_t bytes;	   /* of bodies sent */
	int64_t active, most_active;
};

#define STATS_LOG 1000 /* requests remembered */

struct stats {
	pthread_mutex_t lock;
	struct counters api[API_COUNT];
	struct log_entry *log; /* ring of STATS_LOG */
	uint64_t logged;
};

/* One request, from stats_begin() to stats_end(). */
struct log_entry {
	uint64_t id; /* 1, 2, ...; 0 none */
	int64_t at_ms, begun_us, took_us;
	enum api api;
	int status;
	char error[64];
	char request_id[40];
	char *stream; /* name or NULL */
	char *body;
	int64_t fragments, bytes;
};

void stats_init(struct stats *s);
void stats_free(struct stats *s);
void stats_begin(struct stats *s, struct counters *of_stream, enum api api);
/* Adds to the counters and takes over e's strings. */
void stats_end(struct stats *s, struct counters *of_stream,
	       struct log_entry *e);
void stats_reset(struct stats *s, struct counters *of_streams, size_t n);
void stats_json(struct buf *b, const struct counters c[API_COUNT]);
/* The last n requests, oldest first; api API_COUNT and stream NULL: any. */
void stats_log_json(struct stats *s, struct buf *b, uint64_t n, enum api api,
		    const char *stream);

#endif
