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
#define SLOW_AGAIN_MS	1000
#define SLOWEST_CALLS_S 0.5
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
	st->connections_max = o->media_connections;
	st->connection_bytes_s = CONNECTION_BYTES_S;
}

int64_t quota_list(struct stream_state *st, int points)
{
	int64_t now = now_ms(st);
	int64_t wait_ms = rate_wait_ms(&st->list_points, points, now);

	if (wait_ms == 0)
		rate_take(&st->list_points, points, now);
	return wait_ms;
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
		.calls = st->media_calls.per_second,
		.fragments_max = st->media_fragments.per_second,
		.bytes_s = st->connection_bytes_s,
	};

	return share_of(&of);
}

int64_t quota_media_wait_ms(struct stream_state *st, size_t fragments)
{
	int64_t now = now_ms(st);

	return MAX(rate_wait_ms(&st->media_calls, 1, now),
		   rate_wait_ms(&st->media_fragments, (double)fragments, now));
}

void quota_media_take(struct stream_state *st, size_t fragments)
{
	int64_t now = now_ms(st);

	rate_take(&st->media_calls, 1, now);
	rate_take(&st->media_fragments, (double)fragments, now);
	st->media_connections++;
}

static void slow_down(struct stream_state *st, int64_t now)
{
	double calls = st->media_calls.per_second;

	if (calls <= 0) /* no limit was set: begin with the documented one */
		calls = 10;
	rate_set(&st->media_calls, MAX(calls / 2, SLOWEST_CALLS_S), now);
	st->slowed_ms = now;
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

	st->media_connections--;
	if (e->rc == -EBUSY) {
		if (strstr(e->name, "ConnectionLimit"))
			fewer_connections(st, now);
		else if (!st->slowed_ms || now - st->slowed_ms > SLOW_AGAIN_MS)
			slow_down(st, now);
	} else if (e->rc == 0) {
		if (st->slowed_ms && now - st->slowed_ms > RECOVER_MS)
			recover(st, now);
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
