/* SPDX-License-Identifier: MIT */
/*
 * kvs: the five calls of Kinesis Video Streams that a reader needs.
 *
 * Builds and signs requests, checks and parses answers, names errors, finds
 * and remembers data endpoints, keeps credentials.  JSON
 * calls are tried again (throttled, 5xx, network) with jittered backoff until
 * their deadline, or for AWS_MAX_ATTEMPTS; kvs_get_media() is one try, because
 * its caller knows which fragments are still missing.  It keeps no quota: that
 * is the caller's, who hears at once when kvs_list_fragments() is throttled.
 *
 * Everything here is on the network loop's thread, callbacks included, but for
 * kvs_client_new() and kvs_client_free() (after net_loop_stop(), before
 * net_loop_free()).
 *
 * Every string, number and list from the wire is checked: a fragment number is
 * ^[0-9]{1,128}$, sizes are 0..2^53, timestamps lie in years 1970..9999 and are
 * rounded to the nearest millisecond; a JSON body is at most 16 MiB.  What
 * breaks that is -EPROTO.
 */
#ifndef KVSFS_KVS_KVS_H
#define KVSFS_KVS_KVS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/clock.h"

struct aws_credentials;
struct aws_settings;
struct net_loop;
struct kvs_client;
struct kvs_call; /* a call under way */

#define KVS_NUMBER_MAX 128
#define KVS_LIST_MAX   1000 /* MaxResults of ListFragments, [model] */
#define KVS_MEDIA_MAX  1000 /* numbers in a GetMediaForFragmentList */

/*
 * rc: 0 or
 *   -ENOENT    ResourceNotFoundException
 *   -EACCES    not authorized, credentials missing, expired or refused
 *   -EBUSY     throttled (ClientLimitExceeded, ConnectionLimitExceeded, ...)
 *   -ERANGE    InvalidArgument whose text says "outside of the stream
 *              retention period": nothing can be there
 *   -ETIMEDOUT network or service down, deadline passed
 *   -EKEYREJECTED  the certificate is not to be trusted
 *   -EPROTO    an answer that is not what the API promises
 *   -EIO       any other refusal
 *   -ECANCELED the loop ended
 */
struct kvs_error {
	int rc;
	int http_status;
	/* Nothing was asked, for want of credentials: message says why. */
	bool no_credentials;
	const char *name;	/* AWS error name or "" */
	const char *request_id; /* or "" */
	const char *message;	/* for people; never NULL */
};

struct kvs_stream_info {
	char *name, *arn; /* name 1..256 characters [a-zA-Z0-9_.-] */
	int64_t created_ms;
	int64_t retention_ms; /* 0: none */
	bool active;	      /* Status is ACTIVE or UPDATING */
	char *status;	      /* as sent, or NULL */
	char *kms_key;	      /* id or ARN, or NULL */
};
void kvs_stream_info_free(struct kvs_stream_info *s);

struct kvs_fragment {
	char number[KVS_NUMBER_MAX + 1];
	int64_t producer_ms, server_ms;
	int64_t length_ms;
	int64_t size_bytes;
};

enum kvs_axis {
	KVS_PRODUCER_TIME,
	KVS_SERVER_TIME
};

/*
 * Settings are borrowed and must outlive the client.  The service's clock is
 * learnt from Date headers: kvs_now_ms().  random: 32 bits at each call.
 * 0, -EINVAL (a URL of the settings) or -EAGAIN (no thread).  deadline_ms below
 * counts from the call.
 */
int kvs_client_new(struct net_loop *loop, const struct aws_settings *settings,
		   const struct clock *clock, uint32_t (*random)(void),
		   struct kvs_client **ret_client);
void kvs_client_free(struct kvs_client *c);

/* Server time: the local clock, corrected once an answer has come. */
int64_t kvs_now_ms(const struct kvs_client *c);
/*
 * How long the service has been asked something and not said a word, not even
 * a refusal.  0 where it answers or nobody asks; INT64_MAX where the last try
 * did not get through at all.
 */
int64_t kvs_silent_ms(const struct kvs_client *c);

/*
 * What calls would be signed with now: no request to Kinesis Video itself.
 * credentials: until the callback returns; NULL with an error.
 */
typedef void (*kvs_credentials_fn)(void *user, const struct kvs_error *e,
				   const struct aws_credentials *credentials);
struct kvs_call *kvs_get_credentials(struct kvs_client *c, int64_t deadline_ms,
				     kvs_credentials_fn fn, void *user);

/* streams: GPtrArray of struct kvs_stream_info, the callee's to keep (ref). */
typedef void (*kvs_streams_fn)(void *user, const struct kvs_error *e,
			       GPtrArray *streams);
/* Every page of ListStreams; prefix NULL: all of the account and region. */
struct kvs_call *kvs_list_streams(struct kvs_client *c, const char *prefix,
				  int64_t deadline_ms, kvs_streams_fn fn,
				  void *user);
/* name_or_arn; exactly one stream in the answer. */
struct kvs_call *kvs_describe_stream(struct kvs_client *c,
				     const char *name_or_arn,
				     int64_t deadline_ms, kvs_streams_fn fn,
				     void *user);

/*
 * Where the stream's data is for LIST_FRAGMENTS or GET_MEDIA_FOR_FRAGMENT_LIST,
 * asked anew.  The calls below find it by themselves.  url: until the callback
 * returns; NULL with an error.
 */
typedef void (*kvs_endpoint_fn)(void *user, const struct kvs_error *e,
				const char *url);
struct kvs_call *kvs_get_data_endpoint(struct kvs_client *c, const char *arn,
				       const char *api_name,
				       int64_t deadline_ms, kvs_endpoint_fn fn,
				       void *user);

struct kvs_list_query {
	const char *arn;
	enum kvs_axis axis;
	int64_t start_ms, end_ms; /* inclusive, whole seconds are sent */
	int max_results;	  /* 1..KVS_LIST_MAX */
	const char *next_token;	  /* or NULL */
};
/* One page.  fragments: array of n, gone after the callback. */
typedef void (*kvs_page_fn)(void *user, const struct kvs_error *e,
			    const struct kvs_fragment *fragments, size_t n,
			    const char *next_token);
struct kvs_call *kvs_list_fragments(struct kvs_client *c,
				    const struct kvs_list_query *q,
				    int64_t deadline_ms, kvs_page_fn fn,
				    void *user);

struct kvs_media_ops {
	/* Bytes of a 200 answer; 0 or -errno, which ends the call. */
	int (*body)(void *user, const void *bytes, size_t n);
	/* Once; e->rc 0: the body ended as HTTP says it should. */
	void (*done)(void *user, const struct kvs_error *e);
};
struct kvs_call *kvs_get_media(struct kvs_client *c, const char *arn,
			       const char *const *numbers, size_t n,
			       int64_t deadline_ms,
			       const struct kvs_media_ops *ops, void *user);

/* Ends a call without its callback.  Not after the callback. */
void kvs_call_cancel(struct kvs_call *call);

#endif
