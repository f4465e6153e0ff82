/* SPDX-License-Identifier: MIT */
/*
 * quota: what the service hands out to one stream per second, kept on our side
 * so that it never has to refuse (kvs-facts: ListFragments costs its
 * MaxResults out of 10,000 points/s; GetMediaForFragmentList its fragments out
 * of 500/s, 5 calls/s, 5 connections).  Others may spend the same quota, so a
 * refusal halves our rate, which then recovers.
 */
#include <string.h>

#include "fs/archive/internal.h"
#include "fs/archive/share.h"

/* After a refusal the rate doubles at most once in this time. */
#define RECOVER_MS 5000
/* One second of halvings: refusals in flight count as one. */
#define SLOW_AGAIN_MS 1000
/* Never slower than by so much. */
#define SLOWEST_DIVISOR 10
/* As documented, what is begun with where no limit was set, ... */
#define LIST_POINTS_S 10000
#define MEDIA_CALLS_S 5
/* ... and so many times that is none any more. */
#define MANY 200
/* What a connection gives (kvs-facts section 1), until it is measured. */
#define CONNECTION_BYTES_S 25e6
/* In less, latency is all that shows. */
#define MEASURE_MIN_BYTES (INT64_C(1) << 20)
/* Without a limit it is none any more beyond so many. */
#define CONNECTIONS_MANY 64

static int64_t now_ms(const struct stream_state *st)
{
	return clock_monotonic_ms(st->a->o.clock);
}

/* ---- a rate that yields ------------------------------------------------- */

static void yielding_init(struct yielding *y, double per_second,
			  double documented, int64_t now)
{
	/* A burst of one second's worth: what a per-second quota allows. */
	rate_init(&y->rate, per_second, per_second, now);
	y->full = per_second;
	y->documented = documented;
	y->slowed_ms = 0;
}

/* For a call that was asked at asked_ms. */
static void slow_down(struct yielding *y, int64_t asked_ms, int64_t now)
{
	double slowest = (y->full > 0 ? y->full : y->documented) /
			 SLOWEST_DIVISOR;

	/* What was left of the burst is not there. */
	y->rate.tokens = MIN(y->rate.tokens, 0);
	if (y->slowed_ms && asked_ms - y->slowed_ms <= SLOW_AGAIN_MS)
		return;
	rate_set(&y->rate,
		 y->rate.per_second > 0 ? MAX(y->rate.per_second / 2, slowest)
					: y->documented,
		 now);
	y->slowed_ms = now;
}

static void recover(struct yielding *y, int64_t now)
{
	double doubled = y->rate.per_second * 2;
	double full = y->full > 0 ? y->full : y->documented * MANY;

	if (!y->slowed_ms || now - y->slowed_ms <= RECOVER_MS)
		return;
	y->slowed_ms = doubled < full ? now : 0;
	rate_set(&y->rate, doubled < full ? doubled : y->full, now);
}

/* ---- what is asked for -------------------------------------------------- */

void quota_init(struct stream_state *st)
{
	const struct archive_options *o = &st->a->o;
	int64_t now = now_ms(st);

	yielding_init(&st->list_points, o->list_points_per_s, LIST_POINTS_S,
		      now);
	yielding_init(&st->media_calls, o->media_calls_per_s, MEDIA_CALLS_S,
		      now);
	rate_init(&st->media_fragments, o->media_fragments_per_s,
		  o->media_fragments_per_s, now);
	st->connections_max = o->media_connections;
	st->connection_bytes_s = CONNECTION_BYTES_S;
}

int64_t quota_list(struct stream_state *st, int points)
{
	int64_t now = now_ms(st);
	int64_t wait_ms = rate_wait_ms(&st->list_points.rate, points, now);

	if (wait_ms == 0)
		rate_take(&st->list_points.rate, points, now);
	return wait_ms;
}

void quota_list_done(struct stream_state *st, const struct kvs_error *e,
		     int64_t asked_ms)
{
	int64_t now = now_ms(st);

	if (e->rc == -EBUSY)
		slow_down(&st->list_points, asked_ms, now);
	else if (e->rc == 0)
		recover(&st->list_points, now);
}

bool quota_connection(const struct stream_state *st)
{
	return st->connections_max <= 0 ||
	       st->media_connections < st->connections_max;
}

struct share quota_share(const struct stream_state *st, int64_t bytes,
			 bool more)
{
	const struct share_of of = {
		.bytes = bytes,
		.more = more,
		.connections = st->connections_max,
		.calls = st->media_calls.rate.per_second,
		.fragments_max = st->media_fragments.per_second,
		.bytes_s = st->connection_bytes_s,
	};

	return share_of(&of);
}

int64_t quota_media_wait_ms(struct stream_state *st, size_t fragments)
{
	int64_t now = now_ms(st);

	return MAX(rate_wait_ms(&st->media_calls.rate, 1, now),
		   rate_wait_ms(&st->media_fragments, (double)fragments, now));
}

void quota_media_take(struct stream_state *st, size_t fragments)
{
	int64_t now = now_ms(st);

	rate_take(&st->media_calls.rate, 1, now);
	rate_take(&st->media_fragments, (double)fragments, now);
	st->media_connections++;
}

/* Others hold connections of the same stream: as many fewer are ours. */
static void fewer_connections(struct stream_state *st, int64_t now)
{
	st->connections_max = MAX(st->media_connections, 1);
	st->crowded_ms = now;
}

static void more_connections(struct stream_state *st, int64_t now)
{
	int full = st->a->o.media_connections;

	st->connections_max++;
	st->crowded_ms = now;
	if (full > 0 ? st->connections_max >= full
		     : st->connections_max > CONNECTIONS_MANY) {
		st->connections_max = full;
		st->crowded_ms = 0;
	}
}

void quota_media_done(struct stream_state *st, const struct kvs_error *e)
{
	int64_t now = now_ms(st);

	st->media_connections--;
	if (e->rc == -EBUSY) {
		if (strstr(e->name, "ConnectionLimit"))
			fewer_connections(st, now);
		else
			slow_down(&st->media_calls, now, now);
	} else if (e->rc == 0) {
		recover(&st->media_calls, now);
		if (st->crowded_ms && now - st->crowded_ms > RECOVER_MS)
			more_connections(st, now);
	}
}

void quota_media_dropped(struct stream_state *st)
{
	st->media_connections--;
}

void quota_measured(struct stream_state *st, int64_t bytes, int64_t took_ms)
{
	if (bytes < MEASURE_MIN_BYTES)
		return;
	st->connection_bytes_s +=
		((double)bytes * 1000 / (double)MAX(took_ms, 1) -
		 st->connection_bytes_s) /
		2;
}
