/* SPDX-License-Identifier: MIT */
/*
 * rate: a token bucket.  Pure: no clock, no I/O, no lock; the owner's thread.
 *
 * A bucket of per_second = 5, burst = 5 gives five calls at once, then one
 * every 200 ms.  A cost above the burst is given when the bucket is full and
 * leaves it in debt, so that it is paid for afterwards.
 */
#ifndef KVSFS_NET_RATE_H
#define KVSFS_NET_RATE_H

#include <stdint.h>

struct rate {
	double per_second; /* 0: no limit */
	double burst;
	double tokens;
	int64_t filled_ms; /* monotonic */
};

void rate_init(struct rate *r, double per_second, double burst, int64_t now_ms);

/* How long until `cost` may be taken; 0: now.  Takes nothing. */
int64_t rate_wait_ms(struct rate *r, double cost, int64_t now_ms);

/* Takes it; only after rate_wait_ms() said 0 for this now_ms. */
void rate_take(struct rate *r, double cost, int64_t now_ms);

/* A new speed from now on (adaptation); the tokens stay, up to the burst. */
void rate_set(struct rate *r, double per_second, int64_t now_ms);

#endif
