/* SPDX-License-Identifier: MIT */
/*
 * download: the life of one fragment's download: wanted, queued, asked for,
 * whole or failed, forgotten.  One at a time for each fragment, however many
 * readers wait.
 */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/ahead.h"
#include "fs/archive/fetch.h"
#include "fs/archive/landing.h"

/*
 * After a failure the kernel asks again for the pages its readahead did not
 * get: for so long it hears the same errno, without another download.
 */
#define FAILED_HOLD_MS 2000
/* What is read ahead is looked at again after so long. */
#define PATIENT_MS 5000

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

void download_wait(struct download *d, struct question *q)
{
	/* While nobody waited nobody was late. */
	if (!download_waited_for(d))
		d->progress_ms = fetch_now_ms(d->a);
	waiters_add(&d->waiters, q);
	if (d->state == DOWNLOAD_QUEUED)
		fetch_queue(d);
}

bool download_waited_for(const struct download *d)
{
	for (guint i = 0; d->waiters && i < d->waiters->len; i++) {
		const struct question *q = d->waiters->pdata[i];

		if (!q->answered)
			return true;
	}
	return false;
}

bool download_wanted(const struct download *d)
{
	return d->calibrates || d->reader || download_waited_for(d);
}

/* ---- the end of a download ---------------------------------------------- */

void download_forget(struct download *d)
{
	struct stream_state *st = d->st;

	/* One that was given up may still come to be sealed: forgotten then, it
	   may be another's turn by now. */
	if (g_hash_table_lookup(d->a->downloads, &d->f.id) != d)
		return;
	if (d->timer)
		net_timer_cancel(g_steal_pointer(&d->timer));
	fetch_unqueue(d);
	landing_abort(d); /* what had arrived, where it was given up */
	ahead_ended(d);
	if (st->calibration == d)
		st->calibration = NULL;
	g_hash_table_remove(d->a->downloads, &d->f.id);
	download_unref(d); /* the table's */
}

void download_ended(struct download *d)
{
	struct stream_state *st = d->st;
	bool calibrated = d->calibrates;

	download_forget(d);
	if (calibrated)
		waiters_answer(&st->calibrate_waiters, 0);
}

static void hold_over(void *arg)
{
	struct download *d = arg;

	d->timer = NULL;
	download_forget(d);
}

void download_fail(struct download *d, int rc, const char *reason)
{
	struct stream_state *st = d->st;
	bool closing = atomic_load(&d->a->closing);
	bool waited_for = d->calibrates || download_waited_for(d);

	if (d->state == DOWNLOAD_FAILED)
		return;
	fetch_unqueue(d);
	ahead_failed(d);
	/* Who reads on asks for what was read ahead in vain, and is told. */
	if (!closing)
		g_log(G_LOG_DOMAIN,
		      waited_for ? G_LOG_LEVEL_WARNING : G_LOG_LEVEL_INFO,
		      "stream %s, fragment %s cannot be read: %s", st->name,
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
	if (closing || !waited_for)
		download_forget(d);
}

/* What the last try said, if it said anything: busy machines try less often. */
static int deadline_errno(const struct download *d)
{
	switch (d->rc) {
	case -ENODATA:
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
	int64_t left_ms, progress_ms = d->progress_ms;
	g_autofree char *reason = NULL;

	d->timer = NULL;
	/* Its turn comes when those before it are here. */
	if (d->state == DOWNLOAD_QUEUED && d->tries == 0)
		progress_ms = MAX(progress_ms, st->progress_ms);
	left_ms = progress_ms + a->o.timeout_ms - fetch_now_ms(a);
	/*
	 * The deadline is for the next byte, not for the last: 50 MB over a
	 * slow line take longer than any patience with a dead one.  And where
	 * nobody waits, nobody is kept waiting.
	 */
	if (d->reader && !download_waited_for(d))
		left_ms = MAX(left_ms, PATIENT_MS);
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

/* ---- the beginning ------------------------------------------------------ */

struct download *download_new(struct stream_state *st, const struct fragment *f,
			      bool calibrates)
{
	struct archive *a = st->a;
	struct download *d = g_new0(struct download, 1);

	d->a = a;
	d->st = st;
	d->f = *f;
	d->refs = 1;
	d->link.data = d;
	d->calibrates = calibrates;
	d->size_bytes = -1;
	d->progress_ms = fetch_now_ms(a);
	d->timer = net_timer_start(a->loop, a->o.timeout_ms, deadline, d);
	g_hash_table_insert(a->downloads, &d->f.id, d);
	return d;
}
