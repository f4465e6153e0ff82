/* SPDX-License-Identifier: MIT */
/*
 * failure: what went wrong with a try, its name, and what may mend it.
 *
 * The one place where AWS error names, HTTP statuses and the network's errors
 * become the classes of kvs.h.  No state; any thread.
 */
#ifndef KVSFS_KVS_FAILURE_H
#define KVSFS_KVS_FAILURE_H

#include "fs/kvs/kvs.h"

struct net_response;

/* Each helps at most once for a call. */
enum kvs_mend {
	KVS_MEND_NONE,
	KVS_MEND_ENDPOINT,    /* ask for the data endpoint anew */
	KVS_MEND_CREDENTIALS, /* load them anew */
	KVS_MEND_CLOCK	      /* sign again if the clock proves wrong */
};

struct kvs_failure {
	int rc; /* 0: none */
	int http_status;
	char *name, *request_id, *message; /* owned */
	bool unsigned_; /* no request was made: no credentials for it */
	bool retry;
	enum kvs_mend mend;
};

/* Each replaces what is in *f. */
void kvs_failure_clear(struct kvs_failure *f);
void kvs_failure_set(struct kvs_failure *f, int rc, const char *message);
void kvs_failure_copy(struct kvs_failure *f, const struct kvs_failure *from);
/* No failure, but the request id: what is in the answer may still be one. */
void kvs_failure_none(struct kvs_failure *f, const struct net_response *r);
/* An answer whose status is not 200; n body bytes, perhaps not all of them. */
void kvs_failure_from_answer(struct kvs_failure *f,
			     const struct net_response *r, const char *body,
			     size_t n);
/* No whole answer: the network loop's errno and sentence. */
void kvs_failure_from_net(struct kvs_failure *f, const struct net_response *r,
			  int rc, const char *text);

/* For the user; borrows from f. */
struct kvs_error kvs_failure_view(const struct kvs_failure *f);

#endif
