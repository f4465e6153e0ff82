/* SPDX-License-Identifier: MIT */
/*
 * batch: one GetMediaForFragmentList call and what comes of it.  Documents are
 * told apart by their FRAGMENT_NUMBER tag, never by position.  What arrived
 * whole is kept; what is missing is asked for again.
 */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/fetch.h"

#include <string.h>

#include "fs/archive/landing.h"
#include "fs/aws/settings.h"
#include "fs/mkv/reader.h"
#include "fs/net/retry.h"

/* The service is eventually consistent: a fragment that is listed may not be
   found for a moment (kvs-facts section 4: found at the 2nd or 3rd try). */
#define NOT_FOUND_TRIES 6
/* An answer that is not Matroska may have been a bad moment. */
#define UNREADABLE_TRIES 3

/* A call may take as long as its bytes need on a line this slow. */
#define SLOWEST_BYTES_S (64 << 10)

struct batch {
	struct stream_state *st;
	GPtrArray *downloads; /* a reference each */
	struct mkv_reader *reader;
	struct kvs_call *call;
	struct download *current; /* whose document is arriving */
	int64_t asked_ms, came_bytes;
	int reader_rc;
};

static void batch_free(struct batch *b)
{
	g_ptr_array_unref(b->downloads);
	mkv_reader_free(b->reader);
	g_free(b);
}

static void remember(struct download *d, int rc, char *reason)
{
	g_free(d->reason);
	d->reason = reason;
	d->rc = rc;
}

/* ---- documents ---------------------------------------------------------- */

static struct download *find(struct batch *b, const struct mkv_document *doc)
{
	for (guint i = 0; i < b->downloads->len; i++) {
		struct download *d = b->downloads->pdata[i];

		if (d->state == DOWNLOAD_ASKED &&
		    g_str_equal(d->f.number, doc->number))
			return d;
	}
	/* An error that names nobody, where only one can be meant. */
	if (doc->has_error && !*doc->number && b->downloads->len == 1) {
		struct download *d = b->downloads->pdata[0];

		return d->state == DOWNLOAD_ASKED ? d : NULL;
	}
	return NULL;
}

static bool says_not_found(const struct mkv_document *doc)
{
	return doc->error_id == 3000 || doc->error_id == 4000 ||
	       strstr(doc->error_code, "NOT_FOUND");
}

/* kvs-facts section 4: 4500-4506 are the KMS key's. */
static bool says_refused(const struct mkv_document *doc)
{
	return doc->error_id >= 4500 && doc->error_id <= 4506;
}

static void in_band_error(struct download *d, const struct mkv_document *doc)
{
	char *reason = g_strdup_printf("%s%s%s (error %d)",
				       *doc->error_code ? doc->error_code
							: "the service said",
				       *doc->error_message ? ": " : "",
				       doc->error_message, doc->error_id);

	if (says_refused(doc))
		remember(d, -EACCES, reason);
	else if (says_not_found(doc))
		remember(d, -ENODATA, reason);
	else
		remember(d, -ETIMEDOUT, reason);
}

static int doc_begin(void *user, const struct mkv_document *doc,
		     int64_t *ret_length_ms)
{
	struct batch *b = user;
	struct download *d = find(b, doc);

	b->current = NULL;
	if (!d) {
		g_info("stream %s: a document for fragment '%s' that was not "
		       "asked for",
		       b->st->name, doc->number);
		return 1;
	}
	if (doc->has_error) {
		in_band_error(d, doc);
		return 1;
	}
	b->current = d;
	landing_begin(d);
	*ret_length_ms = d->f.length_ms;
	return 0;
}

static bool coming(const struct download *d)
{
	return d->state == DOWNLOAD_ASKED;
}

static bool wanted(const struct batch *b)
{
	for (guint i = 0; i < b->downloads->len; i++) {
		const struct download *d = b->downloads->pdata[i];

		if (coming(d) && download_wanted(d))
			return true;
	}
	return false;
}

int64_t batches_left_bytes(const struct stream_state *st)
{
	int64_t bytes = 0;

	for (guint i = 0; i < st->batches->len; i++) {
		const struct batch *b = st->batches->pdata[i];

		for (guint k = 0; k < b->downloads->len; k++) {
			const struct download *d = b->downloads->pdata[k];

			if (coming(d))
				bytes += MAX(d->f.size_bytes - d->put_bytes, 0);
		}
	}
	return bytes;
}

/* One after the other: as long as the call gets on, none of them is late. */
static void progressed(struct batch *b)
{
	int64_t now_ms = fetch_now_ms(b->st->a);

	b->st->progress_ms = now_ms;
	for (guint i = 0; i < b->downloads->len; i++) {
		struct download *d = b->downloads->pdata[i];

		if (d->state == DOWNLOAD_ASKED)
			d->progress_ms = now_ms;
	}
}

static int doc_data(void *user, const void *bytes, size_t n)
{
	struct batch *b = user;
	struct download *d = b->current;

	if (d->state != DOWNLOAD_ASKED) /* it has failed meanwhile */
		return wanted(b) ? 0 : -ECANCELED;
	landing_put(d, bytes, n);
	/* Tries that all end at the same byte would renew it for ever. */
	if (d->put_bytes > d->furthest_bytes) {
		d->furthest_bytes = d->put_bytes;
		progressed(b);
	}
	/* The writer thread is held up; memory is not the place to wait. */
	if (d->a->pending_bytes > d->a->o.memory_bytes)
		return -ENOBUFS;
	return 0;
}

static int doc_end(void *user)
{
	struct batch *b = user;
	struct download *d = b->current;

	b->current = NULL;
	if (d && d->state == DOWNLOAD_ASKED)
		landing_whole(d);
	return 0;
}

/* ---- the answer as a whole ---------------------------------------------- */

static int body(void *user, const void *bytes, size_t n)
{
	struct batch *b = user;

	b->came_bytes += (int64_t)n;
	b->reader_rc = mkv_reader_feed(b->reader, bytes, n);
	return b->reader_rc;
}

/* Is another try of any use, after this one failed with d->rc? */
static bool try_again(struct batch *b, struct download *d)
{
	unsigned max = (unsigned)d->a->settings->max_attempts;

	switch (d->rc) {
	case -EBUSY:
	case -ETIMEDOUT: /* until the deadline, or as often as a user says */
		return max == 0 || d->tries < max;
	case -ENODATA: /* not visible yet */
		return d->tries < NOT_FOUND_TRIES;
	case -EPROTO:
		d->alone = true;
		return d->tries < UNREADABLE_TRIES;
	case -EIO: /* refused: perhaps because of another in the same call */
		if (b->downloads->len == 1)
			return false;
		d->alone = true;
		return true;
	default:
		return false;
	}
}

static void one_missing(struct batch *b, struct download *d)
{
	g_autofree char *reason = g_strdup(d->reason);
	int rc = d->rc;

	d->tries++;
	if (try_again(b, d)) {
		fetch_again(d, retry_delay_ms(d->tries - 1, d->a->o.random()));
		return;
	}
	switch (rc) {
	case -ENODATA:
		/* What has only just arrived may still turn up. */
		if (archive_now_ms(d->a) - d->f.server_ms < CATALOG_SETTLE_MS)
			rc = -EIO;
		break;
	case -ERANGE:
		rc = -ESTALE;
		break;
	default:
		rc = archive_errno(rc);
	}
	download_fail(d, rc, reason);
}

/* Why this download did not come, as its own document or the call says. */
static void blame(struct batch *b, struct download *d,
		  const struct kvs_error *e)
{
	static const char missing[] = "it is missing from the answer";

	if (e->rc < 0 && b->reader_rc == 0)
		remember(d, e->rc,
			 g_strdup_printf("%s%s%s%s%s%s", e->message,
					 *e->name ? " (" : "", e->name,
					 *e->name ? ")" : "",
					 *e->request_id ? ", request id " : "",
					 e->request_id));
	else if (b->reader_rc == -ENOBUFS)
		remember(d, -ETIMEDOUT,
			 g_strdup("the cache's disk does not keep up"));
	else if (b->reader_rc < 0 && (!b->current || b->current == d))
		remember(d, -EPROTO,
			 g_strdup_printf("the answer is not Matroska or ends "
					 "early%s%s",
					 *e->request_id ? ", request id " : "",
					 e->request_id));
	else
		remember(d, d->reason ? d->rc : -ETIMEDOUT,
			 g_strdup_printf("%s%s%s",
					 d->reason ? d->reason : missing,
					 *e->request_id ? ", request id " : "",
					 e->request_id));
}

static void done(void *user, const struct kvs_error *e)
{
	struct batch *b = user;
	struct stream_state *st = b->st;

	b->call = NULL;
	g_ptr_array_remove_fast(st->batches, b);
	archive_learn_clock(st->a);
	quota_media_done(st, e);
	quota_measured(st, b->came_bytes, fetch_now_ms(st->a) - b->asked_ms);
	if (e->rc == 0 && b->reader_rc == 0)
		b->reader_rc = mkv_reader_finish(b->reader);
	for (guint i = 0; i < b->downloads->len; i++) {
		struct download *d = b->downloads->pdata[i];

		if (d->state != DOWNLOAD_ASKED)
			continue;
		blame(b, d, e);
		one_missing(b, d);
	}
	batch_free(b);
	fetch_schedule(st);
}

void batch_start(struct stream_state *st, GPtrArray *downloads)
{
	static const struct mkv_reader_ops reader_ops = {
		.begin = doc_begin, .data = doc_data, .end = doc_end};
	static const struct kvs_media_ops media_ops = {.body = body,
						       .done = done};
	struct archive *a = st->a;
	struct batch *b = g_new0(struct batch, 1);
	g_autoptr(GPtrArray) numbers = g_ptr_array_new();
	int64_t bytes = 0;

	b->st = st;
	b->downloads =
		g_ptr_array_new_with_free_func((GDestroyNotify)download_unref);
	b->reader = mkv_reader_new(&reader_ops, a->o.raw, b);
	for (guint i = 0; i < downloads->len; i++) {
		struct download *d = downloads->pdata[i];

		d->state = DOWNLOAD_ASKED;
		g_clear_pointer(&d->reason, g_free);
		g_ptr_array_add(b->downloads, download_ref(d));
		g_ptr_array_add(numbers, d->f.number);
		bytes += d->f.size_bytes;
	}
	quota_media_take(st, numbers->len);
	b->asked_ms = fetch_now_ms(a);
	g_ptr_array_add(st->batches, b);
	b->call = kvs_get_media(
		a->kvs, st->arn, (const char *const *)numbers->pdata,
		numbers->len, a->o.timeout_ms + bytes * 1000 / SLOWEST_BYTES_S,
		&media_ops, b);
}

static void forget_coming(struct batch *b)
{
	for (guint i = 0; i < b->downloads->len; i++) {
		struct download *d = b->downloads->pdata[i];

		if (coming(d))
			download_forget(d);
	}
}

static void drop(struct batch *b)
{
	kvs_call_cancel(b->call);
	quota_media_dropped(b->st);
	batch_free(b);
}

void batches_prune(struct stream_state *st)
{
	for (guint i = st->batches->len; i-- > 0;) {
		struct batch *b = st->batches->pdata[i];

		if (wanted(b))
			continue;
		g_ptr_array_remove_index_fast(st->batches, i);
		forget_coming(b);
		drop(b);
	}
	fetch_schedule(st);
}

/* fetch_stop() ends the downloads: somebody may wait for them. */
void batches_stop(struct archive *a)
{
	GHashTableIter it;
	void *p;

	g_hash_table_iter_init(&it, a->states);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		struct stream_state *st = p;

		for (guint i = 0; i < st->batches->len; i++)
			drop(st->batches->pdata[i]);
		g_ptr_array_set_size(st->batches, 0);
	}
}
