/* SPDX-License-Identifier: MIT */
/*
 * internal: what the files of kvs/ share: the client, a call under way, a data
 * endpoint.  All of it belongs to the network loop's thread.
 */
#ifndef KVSFS_KVS_INTERNAL_H
#define KVSFS_KVS_INTERNAL_H

#include <glib.h>

#include "fs/aws/credentials.h"
#include "fs/aws/settings.h"
#include "fs/kvs/failure.h"
#include "fs/kvs/kvs.h"
#include "fs/aws/url.h"
#include "fs/creds/keeper.h"
#include "fs/net/loop.h"

/* answer() wants another page: its kvs_call_set_body() says which. */
#define KVS_MORE 1

struct kvs_client {
	struct net_loop *loop;
	const struct aws_settings *settings;
	const struct clock *clock;
	uint32_t (*random)(void);
	struct aws_url *control;
	struct aws_url *data;	 /* the override, or NULL: ask */
	GHashTable *endpoints;	 /* "API ARN" -> struct kvs_endpoint */
	GQueue calls;		 /* open ones */
	int64_t clock_offset_ms; /* server - local */

	/* kvs_silent_ms() */
	int requests;	   /* on their way */
	int64_t spoken_ms; /* monotonic: it answered, or was first asked */
	bool unreachable;

	struct creds_keeper *keeper;
	GQueue unsigned_calls; /* that wait for credentials */
	bool skew_told;

	/* Whose body() is on the stack; NULL once that call was cancelled. */
	const struct kvs_call *in_body;
};

/* Where the data of one stream is, for one API. */
struct kvs_endpoint {
	struct kvs_client *client;
	const char *api;
	char *arn;
	struct aws_url *url;	 /* NULL: not known */
	unsigned found;		 /* how often; which url a call has used */
	struct kvs_call *lookup; /* under way, for all who wait */
	GQueue waiting;
};

/* What differs from API to API. */
struct kvs_call_kind {
	const char *path;
	const char *api; /* for GetDataEndpoint; NULL: the control plane */
	bool keys_only;	 /* there being credentials is all of it */
	bool one_try;
	bool tells_throttles; /* the caller tries again, at a lower rate */
	/* A whole JSON answer.  0, KVS_MORE, or -EPROTO and *ret_bad. */
	int (*answer)(struct kvs_call *call, const char *bytes, size_t n,
		      const char **ret_bad);
	/* Or its bytes as they come.  The call may be gone afterwards. */
	int (*body)(struct kvs_call *call, const void *bytes, size_t n);
	/* Tell the user; the call is freed afterwards. */
	void (*end)(struct kvs_call *call, const struct kvs_error *e);
	void (*free)(struct kvs_call *call); /* it and what embeds it */
};

struct kvs_call {
	struct kvs_client *client;
	GList link; /* client->calls */
	const struct kvs_call_kind *kind;
	char *arn;
	char *request_body;
	int64_t deadline_ms; /* monotonic */
	struct net_timer *deadline;

	struct kvs_failure failure; /* of the last try */
	unsigned attempt;
	unsigned mended; /* bits: 1 << enum kvs_mend */

	/* The try under way: it waits for an endpoint, for credentials, for a
	   timer or for an answer. */
	struct kvs_endpoint *waits_for;
	bool waits_for_keys;
	GList wait_link; /* of whichever queue it waits in */
	struct net_timer *timer;
	struct net_request *request;
	GByteArray *answer;
	bool too_large;
	int body_rc; /* what the user's body() ended it with */
	bool clock_seen;
	int64_t sent_ms; /* local */
	int64_t signed_offset_ms;
	unsigned endpoint_found, credentials_serial;
};

/* call.c: the life of a call, which is over after kind->end(). */

/* Takes request_body.  deadline_ms from now. */
void kvs_call_start(struct kvs_call *call, struct kvs_client *c,
		    const struct kvs_call_kind *kind, const char *arn,
		    char *request_body, int64_t deadline_ms);
/* Takes body; before KVS_MORE. */
void kvs_call_set_body(struct kvs_call *call, char *body);
/* A later deadline; monotonic. */
void kvs_call_extend(struct kvs_call *call, int64_t deadline_ms);
/* What it waited for is there, or has failed (NULL: is there). */
void kvs_call_resume(struct kvs_call *call, const struct kvs_failure *f);
/* As after a try that failed, in the loop's next step. */
void kvs_call_resume_tried(struct kvs_call *call, const struct kvs_failure *f);
/* The try is over: again, or the end of the call. */
void kvs_call_tried(struct kvs_call *call);
void kvs_call_succeed(struct kvs_call *call);
/* Every open call ends with -ECANCELED. */
void kvs_calls_end(struct kvs_client *c);

/* send.c: one signed request; ends in kvs_call_tried() or _succeed(). */
void kvs_call_send(struct kvs_call *call, const struct aws_url *url);

/* client.c */

/* For kvs_silent_ms(): a request is sent; bytes of an answer came. */
void kvs_client_asks(struct kvs_client *c);
void kvs_client_hears(struct kvs_client *c);
/* A Date header came; sent and received by the local clock. */
void kvs_client_learn_clock(struct kvs_client *c, int64_t sent_ms,
			    int64_t received_ms, int64_t date_ms);

/* A call was refused for its time, and is signed by another one now. */
void kvs_client_tell_skew(struct kvs_client *c);

/* keys.c */

int kvs_keys_init(struct kvs_client *c);
/* NULL: the call waits, and will be resumed. */
const struct aws_credentials *kvs_keys_get(struct kvs_call *call);
/* A waiting call goes away. */
void kvs_keys_leave(struct kvs_call *call);

/* endpoint.c */

/* NULL: the call waits, and kvs_call_resume() will come. */
const struct aws_url *kvs_endpoint_get(struct kvs_call *call);
/* A waiting call goes away. */
void kvs_endpoint_leave(struct kvs_call *call);
/* The one that the call has used is no good. */
void kvs_endpoint_drop(struct kvs_call *call);
void kvs_endpoint_free(struct kvs_endpoint *e);

#endif
