/* SPDX-License-Identifier: MIT */
/*
 * quota: what the service allows per stream and per account.
 *
 * Buckets hold one second's worth and refill evenly.  A call that arrives up to
 * 100 ms early is let in, because the client's clock starts when it sends.  A
 * call that costs more than a bucket holds needs a full one and leaves it in
 * debt.  Limits of 0 are off.  Any thread.
 */
#ifndef KVS_SERVER_QUOTA_H
#define KVS_SERVER_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct quota_limits {
	int64_t calls;	      /* per second: media, describe, endpoint, each */
	int64_t connections;  /* GetMediaForFragmentList at a time */
	int64_t bytes;	      /* per second and connection */
	int64_t fragments;    /* per second */
	int64_t points;	      /* ListFragments, per second */
	int64_t list_streams; /* ListStreams per second, of the account */
};
#define QUOTA_DEFAULTS                         \
	(struct quota_limits)                  \
	{                                      \
		5, 5, 25000000, 500, 10000, 50 \
	}

struct bucket {
	double tokens;
	int64_t at_us; /* 0: never used, full */
};

struct quota {
	pthread_mutex_t lock;
	struct bucket describe, endpoint, media, fragments, points, streams;
	int64_t connections;
};

void quota_init(struct quota *q);
/* false: refused, nothing taken. */
bool quota_take(struct quota *q, struct bucket *b, int64_t limit, int64_t cost);
bool quota_connect(struct quota *q, int64_t limit);
void quota_disconnect(struct quota *q);

#endif
