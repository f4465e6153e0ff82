/* SPDX-License-Identifier: MIT */
/*
 * read: the questions about one fragment: its bytes, and its file's size.
 */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/ahead.h"
#include "fs/archive/fetch.h"
#include "fs/archive/landing.h"

/* ---- reading ------------------------------------------------------------ */

/* A chunk that holds the fragment's file, from wherever it is; a reference. */
static struct store_chunk *find_chunk(struct archive *a,
				      const struct fragment *f, int *ret_rc)
{
	struct store_key key = {
		.stream = f->stream, .number = f->number, .raw = a->o.raw};
	struct store_chunk *c = NULL;

	*ret_rc = store_get(a->store, &key, f->file_bytes, &c);
	if (*ret_rc < 0)
		c = held_find(a, f->id);
	return c;
}

/*
 * The piece lives as long as the reference, which the caller drops after the
 * answer.
 */
static struct archive_piece piece_of(struct store_chunk *c, int64_t offset,
				     size_t n)
{
	int64_t left = MAX(store_chunk_size(c) - offset, 0);
	const uint8_t *map = store_chunk_map(c);

	return (struct archive_piece){
		.map = map ? map + offset : NULL,
		.fd = store_chunk_fd(c),
		.offset = offset,
		.n = (size_t)MIN((int64_t)n, left),
	};
}

static void answer(struct question *q, struct store_chunk *c)
{
	struct archive_piece piece;

	if (q->chunk_fn) {
		question_answer_chunk(q, c);
		return;
	}
	piece = piece_of(c, q->offset, q->n);
	question_answer_piece(q, &piece);
}

static void read_again(void *arg)
{
	struct question *q = arg;

	if (!q->answered)
		read_begin(q);
	question_unref(q);
}

void read_begin(struct question *q)
{
	struct archive *a = q->a;
	struct fragment f;
	struct stream_state *st;
	struct store_chunk *c;
	struct download *d;
	int rc = archive_fragment(a, q->fragment, &f);

	st = rc == 0 ? stream_state_get(a, f.stream) : NULL;
	if (!st || f.file_bytes < 0) {
		question_answer(q, -ESTALE);
		return;
	}
	d = g_hash_table_lookup(a->downloads, &f.id);
	if (d && d->state == DOWNLOAD_FAILED) {
		question_answer(q, d->rc);
		return;
	}
	if (!d) {
		/* It may have landed since the worker looked. */
		c = find_chunk(a, &f, &rc);
		if (c && resized_untold(a, &f)) {
			store_chunk_unref(c);
			resized_tell(a, &f, read_again, question_ref(q));
			return;
		}
		if (c) {
			answer(q, c);
			store_chunk_unref(c);
			ahead_read(st, &f, false, q->chunk_fn != NULL);
			fetch_schedule(st);
			return;
		}
		d = download_new(st, &f, false);
	}
	download_wait(d, q);
	ahead_read(st, &f, true, q->chunk_fn != NULL);
	landing_answer(d);
	fetch_schedule(st);
}

void read_given_up(struct question *q)
{
	struct download *d = g_hash_table_lookup(q->a->downloads, &q->fragment);

	if (d && !download_wanted(d))
		batches_prune(d->st);
}

/*
 * 0 and the chunk, a reference; -ENOENT: the network thread has to be asked;
 * -ESTALE, -EIO.
 */
static int at_hand(struct archive *a, int64_t fragment,
		   struct store_chunk **ret_chunk)
{
	struct fragment f;
	struct store_chunk *c = NULL;
	int rc = archive_fragment(a, fragment, &f);

	if (rc == -ENOENT || (rc == 0 && archive_expired(a, &f)))
		return -ESTALE;
	if (rc < 0)
		return -EIO;
	if (f.file_bytes >= 0)
		c = find_chunk(a, &f, &rc);
	if (c && !resized_untold(a, &f)) {
		*ret_chunk = c;
		return 0;
	}
	store_chunk_unref(c);
	if (rc < 0 && rc != -ENOENT)
		g_info("fragment %s: the cache cannot be read (%s): fetching "
		       "it again",
		       f.number, g_strerror(-rc));
	return -ENOENT;
}

void archive_read(struct archive *a, archive_ticket t, int64_t fragment,
		  int64_t offset, size_t n, archive_read_fn fn, void *user)
{
	struct store_chunk *c;
	struct archive_piece piece;
	struct question *q;
	int rc = at_hand(a, fragment, &c);

	if (rc == 0) {
		piece = piece_of(c, offset, n);
		fn(user, 0, &piece, 1);
		store_chunk_unref(c);
		ahead_hit(a, fragment);
		return;
	}
	if (rc != -ENOENT) {
		fn(user, rc, NULL, 0);
		return;
	}
	q = question_new(a, t, read_begin, user);
	q->read_fn = fn;
	q->fragment = fragment;
	q->offset = offset;
	q->n = n;
	question_ask(q);
}

void archive_whole(struct archive *a, archive_ticket t, int64_t fragment,
		   archive_chunk_fn fn, void *user)
{
	struct store_chunk *c;
	struct question *q;
	int rc = at_hand(a, fragment, &c);

	if (rc == 0) {
		fn(user, 0, c);
		store_chunk_unref(c);
		ahead_hit(a, fragment);
		return;
	}
	if (rc != -ENOENT) {
		fn(user, rc, NULL);
		return;
	}
	q = question_new(a, t, read_begin, user);
	q->chunk_fn = fn;
	q->fragment = fragment;
	question_ask(q);
}

bool archive_cached(struct archive *a, const struct fragment *f)
{
	struct store_key key = {
		.stream = f->stream, .number = f->number, .raw = a->o.raw};
	struct store_chunk *c;

	if (store_has(a->store, &key))
		return true;
	c = held_find(a, f->id);
	store_chunk_unref(c);
	return c != NULL;
}

/* ---- calibrating -------------------------------------------------------- */

void calibrate_begin(struct question *q)
{
	struct archive *a = q->a;
	struct fragment f;
	struct stream_state *st;
	struct download *d;
	int rc = catalog_fragment_get(a->catalog, q->fragment, &f);

	st = rc == 0 ? stream_state_get(a, f.stream) : NULL;
	if (!st) {
		question_answer(q, rc == -EIO ? -EIO : -ENOENT);
		return;
	}
	if (f.file_bytes >= 0) {
		question_answer(q, 0);
		return;
	}
	d = g_hash_table_lookup(a->downloads, &f.id);
	if (d && d->state == DOWNLOAD_FAILED) {
		question_answer(q, d->rc);
		return;
	}
	waiters_add(&st->calibrate_waiters, q);
	if (st->calibration)
		return;
	st->calibration = download_new(st, &f, true);
	fetch_queue(st->calibration);
	fetch_schedule(st);
}

void calibration_failed(struct stream_state *st, int64_t fragment, int rc)
{
	GPtrArray *all = g_steal_pointer(&st->calibrate_waiters);
	/* Its own trouble, or everybody's? */
	bool own = rc == -EIO || rc == -ENODATA || rc == -ESTALE;

	if (!all)
		return;
	for (guint i = 0; i < all->len; i++) {
		struct question *q = all->pdata[i];

		if (q->answered)
			;
		else if (own && q->fragment != fragment)
			calibrate_begin(q); /* by its own fragment, then */
		else
			question_answer(q, rc);
		question_unref(q);
	}
	g_ptr_array_unref(all);
}

void archive_calibrate(struct archive *a, archive_ticket t, int64_t fragment,
		       archive_fn fn, void *user)
{
	struct fragment f;
	struct question *q;
	int rc = archive_fragment(a, fragment, &f);

	if (rc < 0 || f.file_bytes >= 0) {
		fn(user, rc);
		return;
	}
	q = question_new(a, t, calibrate_begin, user);
	q->fn = fn;
	q->fragment = fragment;
	question_ask(q);
}
