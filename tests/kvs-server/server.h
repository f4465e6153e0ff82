/* SPDX-License-Identifier: MIT */
/*
 * server: what the API and the control calls act on, and one request of it.
 *
 * A thread per connection: a call that has to wait (latency, bandwidth, a
 * stalled body) simply waits, and notices when the client has gone.
 */
#ifndef KVS_SERVER_SERVER_H
#define KVS_SERVER_SERVER_H

#include <json-c/json.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvs-server/auth.h"
#include "tests/kvs-server/buf.h"
#include "tests/kvs-server/fault.h"
#include "tests/kvs-server/quota.h"
#include "tests/kvs-server/stats.h"
#include "tests/kvs-server/stream.h"
#include "tests/kvs-server/wall.h"

#define ACCOUNT "123456789012"

struct server {
	struct wall wall;
	struct auth auth;
	struct faults faults;
	struct stats stats;
	struct quota account;
	struct quota_limits limits; /* under limits_lock */
	pthread_mutex_t limits_lock;
	_Atomic int64_t latency_ms;
	atomic_bool stopping;
	char *region;
	uint64_t seed;

	struct stream **streams; /* fixed once listening */
	size_t n_streams;

	char *bind;
	unsigned port, data_port;
	bool two_ports; /* the data calls have a port of their own */
	struct MHD_Daemon *daemon, *data_daemon;
};

struct stream *server_stream(struct server *s, const char *name);
struct stream *server_stream_arn(struct server *s, const char *arn);
struct quota_limits server_limits(struct server *s);

/* 0 or -errno; port is filled in. */
int server_listen(struct server *s);
void server_stop(struct server *s);

struct request {
	struct server *server;
	struct MHD_Connection *connection;
	bool data_port; /* came in by the data endpoint */
	char *method, *path, *query;
	struct buf body;
	bool too_long;
	int fd;
	json_object *json;
	struct struck struck;
	struct stream *stream;
	bool connected; /* holds one of the stream's connections */
	struct log_entry log;
};

/*
 * Counts the request and gives back what it holds; once, and before the client
 * can see the end of the answer, so that counters are true when it looks.
 */
void request_count(struct request *r);

/* Sleeps; false as soon as the client has gone or the server stops. */
bool request_wait(struct server *s, int fd, int64_t us);

/* Answers; each takes what it is given and returns MHD's verdict. */
enum MHD_Result reply_json(struct request *r, int status, struct buf *body);
enum MHD_Result reply_error(struct request *r, int status, const char *name,
			    const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* response: taken; adds what every answer has. */
enum MHD_Result reply_response(struct request *r, int status,
			       const char *content_type,
			       struct MHD_Response *response);

enum MHD_Result control_handle(struct request *r);
enum MHD_Result api_handle(struct request *r);
enum MHD_Result api_list_streams(struct request *r);
enum MHD_Result api_describe_stream(struct request *r);
enum MHD_Result api_get_data_endpoint(struct request *r);
enum MHD_Result api_list_fragments(struct request *r);
enum MHD_Result api_get_media(struct request *r);

/* Members of the request; NULL where absent or null. */
json_object *request_member(const struct request *r, const char *name);
const char *request_string(const struct request *r, const char *name);

/* Tokens: base64 of a text with a checksum.  NULL where it is not ours. */
char *token_make(const char *text);
char *token_read(const char *token);

#endif
