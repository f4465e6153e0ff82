/* SPDX-License-Identifier: MIT */
/*
 * list: the question "which fragments start in [a, b)?": fresh, and every gap
 * of what is known filled.
 */
#include "fs/archive/dense.h"
#include "fs/archive/internal.h"
#include "fs/base/utc.h"

/* Who asks for bucket after bucket faster than people do walks through them. */
#define WALK_MS 5000

/* One bucket's listing, however many wait for it. */
struct bucket {
	struct stream_state *st;
	int64_t start_ms, end_ms;
	bool first_time; /* nobody had listed any of it */
	struct dense dense;
	GPtrArray *waiters;
};

static void fill_gap(struct question *q, const struct bucket *just_listed);

static void bucket_free(struct bucket *b)
{
	for (guint i = 0; i < b->waiters->len; i++)
		question_unref(b->waiters->pdata[i]);
	g_ptr_array_unref(b->waiters);
	dense_clear(&b->dense);
	g_free(b);
}

static enum catalog_knowledge knowledge_of(struct question *q)
{
	enum catalog_knowledge k;

	if (catalog_knowledge(q->a->catalog, q->stream, q->a->o.axis,
			      q->start_ms, q->end_ms, &k) < 0)
		return CATALOG_UNKNOWN;
	return k;
}

/* The network is down: for those that want to see, what is known must do. */
static void answer_failed(struct question *q, int rc)
{
	bool enough = !q->strict && knowledge_of(q) >= CATALOG_STALE;

	question_answer(q, enough ? 0 : archive_errno(rc));
}

static void bucket_listed(void *arg, int rc)
{
	struct bucket *b = arg;

	g_ptr_array_remove_fast(b->st->buckets, b);
	for (guint i = 0; i < b->waiters->len; i++) {
		struct question *q = b->waiters->pdata[i];

		if (q->answered)
			continue; /* out of patience, or cancelled */
		if (rc == 0)
			fill_gap(q, b);
		else
			answer_failed(q, rc);
	}
	bucket_free(b);
}

static struct bucket *bucket_under_way(struct stream_state *st,
				       int64_t start_ms, int64_t end_ms)
{
	for (guint i = 0; i < st->buckets->len; i++) {
		struct bucket *b = st->buckets->pdata[i];

		if (b->start_ms <= start_ms && b->end_ms >= end_ms)
			return b;
	}
	return NULL;
}

bool list_brings(const struct stream_state *st, int64_t t_ms)
{
	for (guint i = 0; i < st->buckets->len; i++) {
		const struct bucket *b = st->buckets->pdata[i];

		if (b->first_time && t_ms >= b->start_ms && t_ms < b->end_ms)
			return true;
	}
	return false;
}

static struct bucket *list_bucket(struct stream_state *st, int64_t start_ms,
				  int64_t end_ms)
{
	struct bucket *b = g_new0(struct bucket, 1);

	b->st = st;
	b->start_ms = start_ms;
	b->end_ms = end_ms;
	b->waiters = g_ptr_array_new();
	g_ptr_array_add(st->buckets, b);
	return b;
}

static void list_bucket_pages(struct bucket *b)
{
	struct archive *a = b->st->a;
	struct list_range r = {.axis = a->o.axis,
			       .start_ms = b->start_ms,
			       .end_ms = b->end_ms,
			       .max_results = KVS_LIST_MAX,
			       .known = true};
	enum catalog_knowledge k;

	b->first_time = catalog_knowledge(a->catalog, b->st->id, a->o.axis,
					  b->start_ms, b->end_ms, &k) == 0 &&
			k == CATALOG_UNKNOWN;
	dense_list(&b->dense, b->st, &r, bucket_listed, b);
}

/* Ask for the first part of the question's range that is not known. */
static void fill_gap(struct question *q, const struct bucket *just_listed)
{
	struct archive *a = q->a;
	struct stream_state *st = stream_state_get(a, q->stream);
	int64_t start_ms, end_ms;
	struct bucket *b;
	int rc = catalog_gap(a->catalog, q->stream, a->o.axis, q->start_ms,
			     q->end_ms, CATALOG_KNOWN, &start_ms, &end_ms);

	if (rc < 0) {
		question_answer(q, rc == -ENOENT ? 0 : -EIO);
		return;
	}
	if (just_listed && start_ms >= just_listed->start_ms &&
	    start_ms < just_listed->end_ms) {
		/* Its chain broke while it was listed: as good as it gets. */
		question_answer(q, 0);
		return;
	}
	b = bucket_under_way(st, start_ms, end_ms);
	if (b) {
		g_ptr_array_add(b->waiters, question_ref(q));
		return;
	}
	b = list_bucket(st, start_ms, end_ms);
	g_ptr_array_add(b->waiters, question_ref(q));
	list_bucket_pages(b);
}

/*
 * Who walks from bucket to bucket finds the next one listed, or about to be:
 * where it is of the same day, certain to hold something, and nothing of it is
 * known, so that nothing is listed that a walker will not ask for.
 */
static void walk_on(struct question *q)
{
	struct archive *a = q->a;
	struct stream_state *st = stream_state_get(a, q->stream);
	int64_t now_ms = clock_monotonic_ms(a->o.clock);
	int64_t length_ms = q->end_ms - q->start_ms, from_ms = q->end_ms;
	int64_t to_ms = from_ms + length_ms, found_ms, gap_ms, gap_end_ms;
	int64_t since_ms = q->start_ms - st->walked_ms;
	/* What was listed ahead was answered without coming here. */
	bool walks = since_ms >= 0 && since_ms <= length_ms &&
		     now_ms - st->walked_at_ms < WALK_MS;

	st->walked_ms = q->end_ms;
	st->walked_at_ms = now_ms;
	if (walks && !atomic_load(&a->closing) &&
	    utc_floor(from_ms, UTC_DAY_MS) ==
		    utc_floor(q->start_ms, UTC_DAY_MS) &&
	    !bucket_under_way(st, from_ms, to_ms) &&
	    catalog_gap(a->catalog, st->id, a->o.axis, from_ms, to_ms,
			CATALOG_STALE, &gap_ms, &gap_end_ms) == 0 &&
	    gap_ms == from_ms && gap_end_ms == to_ms &&
	    catalog_next_time(a->catalog, st->id, a->o.axis, from_ms, to_ms,
			      archive_now_ms(a) - st->retention_ms,
			      &found_ms) == 0)
		list_bucket_pages(list_bucket(st, from_ms, to_ms));
}

static void list_fresh(void *arg, int rc)
{
	struct question *q = arg;

	if (q->answered)
		;
	else if (rc == -EAGAIN && q->strict)
		answer_failed(
			q, stream_state_get(q->a, q->stream)->fresh_failed_rc);
	else if (rc < 0 && (rc != -EAGAIN || knowledge_of(q) >= CATALOG_STALE))
		answer_failed(q, rc); /* it has waited a whole deadline */
	else {
		fill_gap(q, NULL);
		walk_on(q);
	}
	question_unref(q);
}

void list_begin(struct question *q)
{
	struct stream_state *st = stream_state_get(q->a, q->stream);

	if (!st) {
		question_answer(q, -ENOENT);
		return;
	}
	if (!q->strict && knowledge_of(q) >= CATALOG_STALE)
		question_patience_silent(q);
	fresh_ensure(st, list_fresh, question_ref(q));
}

/*
 * Known and fresh: answered on the caller's thread, without a detour.  What
 * another process has added must first be taken out of the kernel's cache.
 */
static bool known_already(struct archive *a, uint32_t stream, int64_t start_ms,
			  int64_t end_ms)
{
	struct catalog_stream row;
	enum catalog_knowledge k;
	bool fresh;

	if (catalog_stream_get(a->catalog, stream, &row) < 0)
		return false;
	fresh = fresh_enough(a, &row);
	catalog_stream_release(&row);
	return fresh && !fresh_untold(a, stream) &&
	       catalog_knowledge(a->catalog, stream, a->o.axis, start_ms,
				 end_ms, &k) == 0 &&
	       k == CATALOG_KNOWN;
}

void archive_list(struct archive *a, archive_ticket t, uint32_t stream,
		  int64_t start_ms, int64_t end_ms, enum archive_list_how how,
		  archive_fn fn, void *user)
{
	struct question *q;

	catalog_touch(a->catalog, stream, a->o.axis, start_ms, end_ms);
	if (known_already(a, stream, start_ms, end_ms)) {
		fn(user, 0);
		return;
	}
	q = question_new(a, t, list_begin, user);
	q->fn = fn;
	q->strict = how == ARCHIVE_LIST_FRESH;
	q->stream = stream;
	q->start_ms = start_ms;
	q->end_ms = end_ms;
	question_ask(q);
}

void list_free(struct stream_state *st)
{
	for (guint i = 0; i < st->buckets->len; i++)
		bucket_free(st->buckets->pdata[i]);
	g_ptr_array_unref(st->buckets);
}
