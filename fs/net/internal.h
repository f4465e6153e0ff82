/* SPDX-License-Identifier: MIT */
/*
 * internal: what the files of net/ share.  Nothing outside includes it.
 * But for the fields under "lock", all of it belongs to the loop's thread.
 */
#ifndef KVSFS_NET_INTERNAL_H
#define KVSFS_NET_INTERNAL_H

#include <curl/curl.h>
#include <glib.h>
#include <pthread.h>

#include "fs/base/base.h"
#include "fs/net/loop.h"

/* Answers' heads beyond this are refused; AWS sends some 500 bytes. */
#define NET_HEAD_MAX_BYTES 65536

struct net_timers {
	GTree *by_due; /* struct net_timer, key and value the same */
	uint64_t started;
};

struct net_post {
	void (*fn)(void *arg);
	void *arg;
};

struct net_loop {
	CURLM *multi;
	CURLSH *share; /* TLS sessions, which are each request's otherwise */
	pthread_t thread;

	pthread_mutex_t lock;
	GArray *posted; /* struct net_post; lock */
	GArray *at_end; /* struct net_post; lock */
	bool ending;	/* lock */
	bool joined;	/* of whoever stops it */

	char *ca_bundle, *user_agent, *proxy, *no_proxy;
	int64_t connect_timeout_ms;
	struct net_timers timers;
	GQueue starting; /* not yet curl's: it refuses new ones while it runs */
	GQueue running;
	GQueue dropped; /* cancelled while curl was on the stack */
	bool in_curl;
};

/* The head of an answer as it comes in. */
struct net_head {
	struct net_response response;
	GPtrArray *lines; /* "name\0value\0" */
	size_t seen_bytes;
	bool expects_status; /* the next line is a status line */
	bool interim;	     /* 1xx: another head follows */
	bool complete;
};

void net_head_init(struct net_head *h);
void net_head_release(struct net_head *h);
/* One header line of n bytes.  0 or -EPROTO (too large). */
int net_head_line(struct net_head *h, const char *line, size_t n);
/* For another thread. */
GPtrArray *net_head_copy(const GPtrArray *lines);
/* The value of the line with that name, or NULL. */
const char *net_head_find(const GPtrArray *lines, const char *name);

struct net_request {
	struct net_loop *loop;
	GList link;
	GQueue *queue; /* which of the loop's queues link is in */
	CURL *easy;
	CURLcode setup; /* the first option that curl refused */
	struct curl_slist *headers;
	void *body;
	size_t body_bytes;

	const struct net_request_ops *ops;
	void *user;
	struct net_head head;
	bool cancelled;
	int refused; /* -errno of body() or of the head, else 0 */

	struct net_timer *watch;
	int64_t deadline_ms, stall_ms;
	int64_t start_us, last_byte_us;
	char error[CURL_ERROR_SIZE];
};

/* Give curl everything of spec; what it refuses is left in r->setup. */
void net_request_setup(struct net_request *r,
		       const struct net_request_spec *spec);
/* Curl's callbacks, which net_request_setup() installs. */
size_t net_request_on_header(char *bytes, size_t size, size_t n, void *r);
size_t net_request_on_body(char *bytes, size_t size, size_t n, void *r);

/* Hand the started ones over to curl. */
void net_requests_admit(struct net_loop *l);
/* Tell those that curl is through with. */
void net_requests_reap(struct net_loop *l);
/* Every open request ends with rc. */
void net_requests_fail(struct net_loop *l, int rc, const char *text);

void net_timers_init(struct net_timers *t);
void net_timers_release(struct net_timers *t);
/* Those due, in order of time, then of start; none that these start. */
void net_timers_run(struct net_timers *t);
/* Until the first is due, rounded up; -1: there is none. */
int64_t net_timers_wait_ms(const struct net_timers *t);

/* The one place where a CURLcode becomes an errno. */
int net_errno(CURLcode code);

#endif
