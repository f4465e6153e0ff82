/* SPDX-License-Identifier: MIT */
/*
 * fetch: which fragments are asked for next, and when.  The unit is the whole
 * fragment (the API has no ranges).
 */
#include "fs/archive/fetch.h"

#include "fs/archive/ahead.h"
#include "fs/archive/landing.h"
#include "fs/archive/share.h"

int64_t fetch_now_ms(const struct archive *a)
{
	return clock_monotonic_ms(a->o.clock);
}

/* ---- queues ------------------------------------------------------------- */

void fetch_unqueue(struct download *d)
{
	if (d->queue)
		g_queue_unlink(d->queue, &d->link);
	d->queue = NULL;
}

static GQueue *queue_of(struct download *d)
{
	if (d->reader && !download_waited_for(d))
		return &d->reader->queued;
	return &d->st->queued;
}

void fetch_queue(struct download *d)
{
	GQueue *queue = queue_of(d);

	if (d->queue == queue)
		return;
	fetch_unqueue(d);
	d->queue = queue;
	g_queue_push_tail_link(queue, &d->link);
}

void fetch_again(struct download *d, int64_t delay_ms)
{
	if (!download_wanted(d)) {
		download_forget(d);
		return;
	}
	landing_abort(d);
	d->not_before_ms = fetch_now_ms(d->a) + delay_ms;
	d->state = DOWNLOAD_QUEUED;
	/* Those that have waited longest go first. */
	d->queue = queue_of(d);
	g_queue_push_head_link(d->queue, &d->link);
}

/* What nobody waits for any more, or is no fragment. */
static void drop_hopeless(struct stream_state *st)
{
	GList *next;

	for (GList *i = st->queued.head; i; i = next) {
		struct download *d = i->data;

		next = i->next;
		if (!download_wanted(d))
			download_forget(d);
		else if (d->f.size_bytes > FRAGMENT_MAX_BYTES)
			download_fail(d, -EIO,
				      "it is listed as larger than a fragment "
				      "can be");
	}
}

/* ---- the next call ------------------------------------------------------ */

static void schedule_again(void *arg)
{
	struct stream_state *st = arg;

	st->schedule_timer = NULL;
	fetch_schedule(st);
}

static void schedule_in(struct stream_state *st, int64_t delay_ms)
{
	if (st->schedule_timer)
		net_timer_cancel(st->schedule_timer);
	st->schedule_timer = net_timer_start(st->a->loop, delay_ms,
					     schedule_again, st);
}

struct ready {
	int64_t bytes, fragments;
	int64_t wait_ms; /* where there is none: until there will be */
};

static void count(const GQueue *queue, int64_t now_ms, struct ready *ready)
{
	for (const GList *i = queue->head; i; i = i->next) {
		const struct download *d = i->data;
		int64_t wait_ms = d->not_before_ms - now_ms;

		if (wait_ms > 0) {
			ready->wait_ms = MIN(ready->wait_ms, wait_ms);
			continue;
		}
		ready->bytes += d->f.size_bytes;
		ready->fragments++;
	}
}

static struct ready count_ready(const struct stream_state *st, int64_t now_ms)
{
	struct ready ready = {.wait_ms = INT64_MAX};

	count(&st->queued, now_ms, &ready);
	for (const GList *i = st->readers.head; i; i = i->next)
		count(&((const struct reader *)i->data)->queued, now_ms,
		      &ready);
	return ready;
}

static void add(GPtrArray *batch, struct download *d, int64_t *bytes)
{
	fetch_unqueue(d);
	g_ptr_array_add(batch, d);
	*bytes += d->f.size_bytes;
}

/* The first of a queue that may be asked for in this batch. */
static struct download *first_ready(const GQueue *queue, int64_t now_ms,
				    const GPtrArray *batch)
{
	for (const GList *i = queue->head; i; i = i->next) {
		struct download *d = i->data;

		if (d->not_before_ms <= now_ms &&
		    (!d->alone || batch->len == 0))
			return d;
	}
	return NULL;
}

/* Who waits comes first; then the readers, in turn. */
static struct download *next_ready(struct stream_state *st, int64_t now_ms,
				   const GPtrArray *batch)
{
	struct download *d = first_ready(&st->queued, now_ms, batch);

	for (guint i = 0; !d && i < st->readers.length; i++) {
		struct reader *r = ahead_turn(st);

		if (!r)
			break;
		d = first_ready(&r->queued, now_ms, batch);
	}
	return d;
}

static GPtrArray *take_batch(struct stream_state *st, const struct share *share)
{
	GPtrArray *batch = g_ptr_array_new();
	int64_t now_ms = fetch_now_ms(st->a), bytes = 0;

	while (batch->len < share->fragments && bytes < share->bytes) {
		struct download *d = next_ready(st, now_ms, batch);

		if (!d)
			break;
		add(batch, d, &bytes);
		if (d->alone)
			break;
	}
	return batch;
}

/* 0: a call was started; else it is to be tried again in so many ms. */
static int64_t start_one(struct stream_state *st)
{
	struct ready ready = count_ready(st, fetch_now_ms(st->a));
	int64_t wait_ms;
	struct share share;
	g_autoptr(GPtrArray) batch = NULL;

	if (ready.fragments == 0)
		return ready.wait_ms;
	share = quota_share(st, ready.bytes + batches_left_bytes(st),
			    ahead_more(st));
	wait_ms = quota_media_wait_ms(
		st, (size_t)MIN(ready.fragments, share.fragments));
	if (wait_ms > 0)
		return wait_ms;
	batch = take_batch(st, &share);
	batch_start(st, batch);
	return 0;
}

static bool anything_queued(const struct stream_state *st)
{
	if (st->queued.length > 0)
		return true;
	for (const GList *i = st->readers.head; i; i = i->next)
		if (((const struct reader *)i->data)->queued.length > 0)
			return true;
	return false;
}

void fetch_schedule(struct stream_state *st)
{
	if (atomic_load(&st->a->closing))
		return;
	drop_hopeless(st);
	while (anything_queued(st) && quota_connection(st)) {
		int64_t wait_ms = start_one(st);

		if (wait_ms == 0)
			continue;
		if (wait_ms < INT64_MAX)
			schedule_in(st, wait_ms);
		return;
	}
}

/* ---- closing ------------------------------------------------------------ */

void fetch_stop(struct archive *a)
{
	GHashTableIter it;
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	void *p;

	g_hash_table_iter_init(&it, a->downloads);
	while (g_hash_table_iter_next(&it, NULL, &p))
		g_ptr_array_add(all, download_ref(p));
	batches_stop(a);
	for (guint i = 0; i < all->len; i++) {
		struct download *d = all->pdata[i];

		/* One that is being sealed ends by itself. */
		if (d->state != DOWNLOAD_WHOLE) {
			download_fail(d, -EIO, "unmounting");
			download_forget(d); /* one that had failed before */
		}
		download_unref(d);
	}
	g_hash_table_iter_init(&it, a->states);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		struct stream_state *st = p;

		if (st->schedule_timer)
			net_timer_cancel(g_steal_pointer(&st->schedule_timer));
	}
}
