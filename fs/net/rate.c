/* SPDX-License-Identifier: MIT */
#include "fs/net/rate.h"

#include <glib.h>

/*
 * Tokens are sums of fractions: without this much grace a wait computed from
 * them could end a hair too early and be asked for again.
 */
#define GRACE 1e-6
/* Longer waits mean "never" to every caller; it keeps the cast defined. */
#define WAIT_MAX_MS 1e15

static void fill(struct rate *r, int64_t now_ms)
{
	double gained;

	if (now_ms <= r->filled_ms)
		return;
	gained = (double)(now_ms - r->filled_ms) * r->per_second / 1000.0;
	r->tokens = MIN(r->burst, r->tokens + gained);
	r->filled_ms = now_ms;
}

void rate_init(struct rate *r, double per_second, double burst, int64_t now_ms)
{
	*r = (struct rate){
		.per_second = per_second,
		.burst = burst,
		.tokens = burst,
		.filled_ms = now_ms,
	};
}

int64_t rate_wait_ms(struct rate *r, double cost, int64_t now_ms)
{
	double missing, wait_ms;
	int64_t whole_ms;

	if (r->per_second <= 0)
		return 0;
	fill(r, now_ms);
	missing = MIN(cost, r->burst) - r->tokens;
	if (missing <= GRACE)
		return 0;
	wait_ms = MIN(missing * 1000.0 / r->per_second, WAIT_MAX_MS);
	whole_ms = (int64_t)wait_ms;
	return whole_ms + (wait_ms > (double)whole_ms);
}

void rate_take(struct rate *r, double cost, int64_t now_ms)
{
	if (r->per_second <= 0)
		return;
	fill(r, now_ms);
	r->tokens -= cost;
}

void rate_set(struct rate *r, double per_second, int64_t now_ms)
{
	fill(r, now_ms);
	/* While there was no limit, time passed without filling anything. */
	r->filled_ms = now_ms;
	r->per_second = per_second;
}
