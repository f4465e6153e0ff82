/* SPDX-License-Identifier: MIT */
/*
 * quota: what the service hands out to one stream per second, kept on our side
 * so that it never has to refuse (kvs-facts: ListFragments costs its
 * MaxResults out of 10,000 points/s; GetMediaForFragmentList its fragments out
 * of 500/s, 5 calls/s, 5 connections).  Others may spend the same quota, so a
 * refusal halves our rate, which then recovers.
 */
#include "fs/archive/internal.h"

/* After a refusal the rate doubles at most once in this time. */
#define RECOVER_MS 5000
/* One second of halvings: refusals in flight count as one. */
#define SLOW_AGAIN_MS	1000
#define SLOWEST_CALLS_S 0.5

static int64_t now_ms(const struct stream_state *st)
{
	return clock_monotonic_ms(st->a->o.clock);
}

void quota_init(struct stream_state *st)
{
	const struct archive_options *o = &st->a->o;
	int64_t now = now_ms(st);

	/* A burst of one second's worth: what a per-second quota allows. */
	rate_init(&st->list_points, o->list_points_per_s, o->list_points_per_s,
		  now);
	rate_init(&st->media_calls, o->media_calls_per_s, o->media_calls_per_s,
		  now);
	rate_init(&st->media_fragments, o->media_fragments_per_s,
		  o->media_fragments_per_s, now);
}

int64_t quota_list(struct stream_state *st, int points)
{
	int64_t now = now_ms(st);
	int64_t wait_ms = rate_wait_ms(&st->list_points, points, now);

	if (wait_ms == 0)
		rate_take(&st->list_points, points, now);
	return wait_ms;
}

int64_t quota_media(struct stream_state *st, size_t fragments)
{
	int64_t now = now_ms(st);
	double cost = (double)fragments;
	int64_t wait_ms = MAX(rate_wait_ms(&st->media_calls, 1, now),
			      rate_wait_ms(&st->media_fragments, cost, now));

	if (wait_ms == 0) {
		rate_take(&st->media_calls, 1, now);
		rate_take(&st->media_fragments, cost, now);
	}
	return wait_ms;
}

static void slow_down(struct stream_state *st, int64_t now)
{
	double calls = st->media_calls.per_second;

	if (calls <= 0) /* no limit was set: begin with the documented one */
		calls = 10;
	rate_set(&st->media_calls, MAX(calls / 2, SLOWEST_CALLS_S), now);
	st->slowed_ms = now;
}

static void recover(struct stream_state *st, int64_t now)
{
	double full = st->a->o.media_calls_per_s;
	double calls = st->media_calls.per_second * 2;

	if (full > 0 && calls >= full) {
		calls = full;
		st->slowed_ms = 0;
	} else if (full <= 0 && calls > 1000) {
		calls = 0;
		st->slowed_ms = 0;
	} else {
		st->slowed_ms = now;
	}
	rate_set(&st->media_calls, calls, now);
}

void quota_media_done(struct stream_state *st, const struct kvs_error *e)
{
	int64_t now = now_ms(st);

	if (e->rc == -EBUSY) {
		if (!st->slowed_ms || now - st->slowed_ms > SLOW_AGAIN_MS)
			slow_down(st, now);
	} else if (e->rc == 0 && st->slowed_ms &&
		   now - st->slowed_ms > RECOVER_MS) {
		recover(st, now);
	}
}
