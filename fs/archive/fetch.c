/* SPDX-License-Identifier: MIT */
/*
 * fetch: which fragments are wanted, and when they are asked for.  The unit is
 * the whole fragment (the API has no ranges), one download at a time for each,
 * however many readers wait.
 */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/fetch.h"

/*
 * After a failure the kernel asks again for the pages its readahead did not
 * get: for so long it hears the same errno, without another download.
 */
#define FAILED_HOLD_MS 2000

struct download *download_ref(struct download *d)
{
	d->refs++;
	return d;
}

void download_unref(struct download *d)
{
	if (--d->refs > 0)
		return;
	for (guint i = 0; d->waiters && i < d->waiters->len; i++)
		question_unref(d->waiters->pdata[i]);
	g_clear_pointer(&d->waiters, g_ptr_array_unref);
	g_clear_pointer(&d->pending, g_byte_array_unref);
	g_free(d->reason);
	g_free(d);
}

int64_t fetch_now_ms(const struct archive *a)
{
	return clock_monotonic_ms(a->o.clock);
}

static bool wanted(const struct download *d)
{
	if (d->calibrates)
		return true;
	for (guint i = 0; d->waiters && i < d->waiters->len; i++) {
		const struct question *q = d->waiters->pdata[i];

		if (!q->answered)
			return true;
	}
	return false;
}

/* ---- the end of a download ---------------------------------------------- */

static void forget(struct download *d)
{
	struct stream_state *st = d->st;

	/* One that was given up may still come to be sealed: forgotten then, it
	   may be another's turn by now. */
	if (g_hash_table_lookup(d->a->downloads, &d->f.id) != d)
		return;
	if (d->timer)
		net_timer_cancel(g_steal_pointer(&d->timer));
	if (d->state == DOWNLOAD_QUEUED)
		g_queue_remove(&st->queued, d);
	if (st->calibration == d)
		st->calibration = NULL;
	g_hash_table_remove(d->a->downloads, &d->f.id);
	download_unref(d); /* the table's */
}

void download_ended(struct download *d)
{
	struct stream_state *st = d->st;
	bool calibrated = d->calibrates;

	forget(d);
	if (calibrated)
		waiters_answer(&st->calibrate_waiters, 0);
}

static void hold_over(void *arg)
{
	struct download *d = arg;

	d->timer = NULL;
	forget(d);
}

void download_fail(struct download *d, int rc, const char *reason)
{
	struct stream_state *st = d->st;
	bool closing = atomic_load(&d->a->closing);

	if (d->state == DOWNLOAD_FAILED)
		return;
	if (d->state == DOWNLOAD_QUEUED)
		g_queue_remove(&st->queued, d);
	if (!closing)
		g_warning("stream %s, fragment %s cannot be read: %s", st->name,
			  d->f.number, reason);
	d->state = DOWNLOAD_FAILED;
	d->rc = rc;
	landing_abort(d);
	if (d->timer)
		net_timer_cancel(g_steal_pointer(&d->timer));
	if (!closing)
		d->timer = net_timer_start(d->a->loop, FAILED_HOLD_MS,
					   hold_over, d);
	waiters_answer(&d->waiters, rc);
	if (st->calibration == d) {
		st->calibration = NULL;
		calibration_failed(st, d->f.id, rc);
	}
	if (closing)
		forget(d);
}

/* What the last try said, if it said anything: busy machines try less often. */
static int deadline_errno(const struct download *d)
{
	switch (d->rc) {
	case -ENOENT:
	case -EPROTO:
	case -EIO:
		return -EIO;
	default:
		return -ETIMEDOUT;
	}
}

static void deadline(void *arg)
{
	struct download *d = arg;
	struct archive *a = d->a;
	struct stream_state *st = d->st;
	int64_t left_ms = d->progress_ms + a->o.timeout_ms - fetch_now_ms(a);
	g_autofree char *reason = NULL;

	d->timer = NULL;
	/*
	 * The deadline is for the next byte, not for the last: 50 MB over a
	 * slow line take longer than any patience with a dead one.
	 */
	if (left_ms > 0) {
		d->timer = net_timer_start(a->loop, left_ms, deadline, d);
		return;
	}
	reason = g_strdup_printf(
		"gave up after %" G_GINT64_FORMAT " s without an answer%s%s",
		a->o.timeout_ms / 1000, d->reason ? ": " : "", d->reason ?: "");
	download_fail(d, deadline_errno(d), reason);
	batches_prune(st);
}

/* ---- asking ------------------------------------------------------------- */

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

/* One that nobody waits for any more, or that is no fragment. */
static struct download *find_hopeless(struct stream_state *st)
{
	for (GList *i = st->queued.head; i; i = i->next) {
		struct download *d = i->data;

		if (!wanted(d) || d->f.size_bytes > FRAGMENT_MAX_BYTES)
			return d;
	}
	return NULL;
}

static void drop_hopeless(struct stream_state *st)
{
	struct download *d;

	while ((d = find_hopeless(st))) {
		if (wanted(d))
			download_fail(d, -EIO,
				      "it is listed as larger than a fragment "
				      "can be");
		else
			forget(d);
	}
}

static int free_connections(const struct stream_state *st)
{
	int limit = st->a->o.media_connections;

	return (limit > 0 ? limit : INT_MAX) - st->media_connections;
}

/*
 * The downloads of the next call, first come first: an even share of what is
 * ready for each connection that is free, so that none stays idle.  Where
 * nothing is ready *ret_wait_ms says when something will be.
 */
static GPtrArray *next_batch(struct stream_state *st, int64_t *ret_wait_ms)
{
	GPtrArray *batch = g_ptr_array_new();
	int64_t now_ms = fetch_now_ms(st->a), soonest_ms = INT64_MAX;
	guint connections = (guint)free_connections(st);
	guint ready = 0, share;

	for (GList *i = st->queued.head; i; i = i->next) {
		const struct download *d = i->data;

		soonest_ms = MIN(soonest_ms, d->not_before_ms);
		ready += d->not_before_ms <= now_ms;
	}
	*ret_wait_ms = MAX(soonest_ms - now_ms, 0);
	share = (ready + connections - 1) / connections;
	share = MIN(share, KVS_MEDIA_MAX);
	for (GList *i = st->queued.head; i && batch->len < share; i = i->next) {
		struct download *d = i->data;

		if (d->not_before_ms > now_ms)
			continue;
		if (d->alone && batch->len > 0)
			continue;
		g_ptr_array_add(batch, d);
		if (d->alone)
			break;
	}
	return batch;
}

void fetch_schedule(struct stream_state *st)
{
	struct archive *a = st->a;

	if (atomic_load(&a->closing))
		return;
	drop_hopeless(st);
	while (!g_queue_is_empty(&st->queued) && free_connections(st) > 0) {
		int64_t wait_ms;
		g_autoptr(GPtrArray) batch = next_batch(st, &wait_ms);

		if (batch->len > 0)
			wait_ms = quota_media(st, batch->len);
		if (batch->len == 0 || wait_ms > 0) {
			schedule_in(st, MAX(wait_ms, 1));
			return;
		}
		for (guint i = 0; i < batch->len; i++)
			g_queue_remove(&st->queued, batch->pdata[i]);
		batch_start(st, batch);
	}
}

void fetch_again(struct download *d, int64_t delay_ms)
{
	if (!wanted(d)) {
		forget(d);
		return;
	}
	landing_abort(d);
	d->not_before_ms = fetch_now_ms(d->a) + delay_ms;
	d->state = DOWNLOAD_QUEUED;
	/* Those that have waited longest go first. */
	g_queue_push_head(&d->st->queued, d);
}

struct download *fetch_want(struct stream_state *st, const struct fragment *f,
			    bool calibrates)
{
	struct archive *a = st->a;
	struct download *d = g_new0(struct download, 1);

	d->a = a;
	d->st = st;
	d->f = *f;
	d->refs = 1;
	d->calibrates = calibrates;
	d->size_bytes = -1;
	d->progress_ms = fetch_now_ms(a);
	d->timer = net_timer_start(a->loop, a->o.timeout_ms, deadline, d);
	g_hash_table_insert(a->downloads, &d->f.id, d);
	g_queue_push_tail(&st->queued, d);
	return d;
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
			forget(d); /* one that had failed before */
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
