/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/landing.h"

#include "fs/archive/ahead.h"

#include "fs/mkv/reader.h"

static void pending_put(struct download *d, const void *bytes, size_t n)
{
	g_byte_array_append(d->pending, bytes, (guint)n);
	d->a->pending_bytes += (int64_t)n;
}

static void pending_cut(struct download *d, size_t n)
{
	g_byte_array_remove_range(d->pending, 0, (guint)n);
	d->a->pending_bytes -= (int64_t)n;
}

static void pending_drop(struct download *d)
{
	if (d->pending)
		d->a->pending_bytes -= d->pending->len;
	g_clear_pointer(&d->pending, g_byte_array_unref);
}

void landing_abort(struct download *d)
{
	room_drop(d);
	d->telling = false;
	pending_drop(d);
}

void landing_begin(struct download *d)
{
	landing_abort(d);
	d->pending = g_byte_array_new();
	d->put_bytes = 0;
	d->size_bytes = -1;
	room_ask(d);
}

/* ---- bytes -------------------------------------------------------------- */

static void flush(struct download *d)
{
	size_t n;

	if (!d->w || d->asks_room || !d->pending->len)
		return;
	n = (size_t)MIN((int64_t)d->pending->len, room_left(d));
	if (n > 0) {
		room_write(d, d->pending->data, n);
		if (d->state == DOWNLOAD_FAILED)
			return;
		pending_cut(d, n);
	}
	if (d->pending->len && !d->in_memory)
		room_more(d);
	else if (d->pending->len)
		flush(d);
}

void landing_put(struct download *d, const void *bytes, size_t n)
{
	if (n > (size_t)(FRAGMENT_MAX_BYTES - d->put_bytes)) {
		download_fail(d, -EIO, "it is larger than a fragment can be");
		return;
	}
	d->put_bytes += (int64_t)n;
	if (d->w && !d->asks_room && !d->pending->len &&
	    room_left(d) >= (int64_t)n)
		room_write(d, bytes, n);
	else
		pending_put(d, bytes, n);
	landing_step(d);
}

/* ---- the end ------------------------------------------------------------ */

static void pad(struct download *d)
{
	uint8_t head[MKV_VOID_HEAD_MAX];
	int64_t rest;
	size_t n;

	landing_choose_size(d);
	rest = d->size_bytes - d->put_bytes;
	if (rest == 0)
		return;
	n = mkv_void_head((uint64_t)rest, head);
	pending_put(d, head, n);
	flush(d);
}

static void answer_from(struct download *d, struct store_chunk *chunk)
{
	int64_t size_bytes = store_chunk_size(chunk);
	GPtrArray *waiters = g_steal_pointer(&d->waiters);

	for (guint i = 0; waiters && i < waiters->len; i++) {
		struct question *q = waiters->pdata[i];
		int64_t n = MIN((int64_t)q->n, size_bytes - q->offset);

		if (q->chunk_fn)
			question_answer_chunk(q, chunk);
		else
			question_answer_piece(
				q, &(struct archive_piece){
					   .fd = store_chunk_fd(chunk),
					   .offset = q->offset,
					   .n = n > 0 ? (size_t)n : 0});
		question_unref(q);
	}
	if (waiters)
		g_ptr_array_unref(waiters);
}

struct seal {
	struct download *d;
	int rc;
	struct store_chunk *chunk;
};

static void sealed(void *arg)
{
	g_autofree struct seal *x = arg;
	struct download *d = x->d;
	struct archive *a = d->a;
	if (x->rc < 0) {
		download_fail(d, -EIO, g_strerror(-x->rc));
	} else {
		d->f.file_bytes = d->size_bytes;
		d->f.payload_bytes = d->put_bytes;
		d->f.shown = true;
		archive_fragment_forget(a, d->f.id);
		if (d->in_memory)
			held_keep(a, d->f.id, x->chunk);
		answer_from(d, x->chunk);
		store_chunk_unref(x->chunk);
		/* Whoever wanted sizes begins to read with this one. */
		if (d->calibrates)
			ahead_read(d->st, &d->f, false, false);
		download_ended(d);
	}
	download_unref(d);
}

static void sealed_on_writer(void *user, int rc, struct store_chunk *c)
{
	struct seal *x = user;

	x->rc = rc;
	x->chunk = c;
	archive_pay(x->d->a, sealed, x);
}

static void seal(struct download *d)
{
	struct seal *x = g_new0(struct seal, 1);

	x->d = download_ref(d);
	archive_owe(d->a);
	store_commit(g_steal_pointer(&d->w), d->size_bytes, sealed_on_writer,
		     x);
}

void landing_step(struct download *d)
{
	if (d->state == DOWNLOAD_FAILED)
		return;
	flush(d);
	if (d->state == DOWNLOAD_FAILED)
		return;
	landing_answer(d);
	if (d->state != DOWNLOAD_WHOLE || !d->w || d->asks_room ||
	    d->pending->len)
		return;
	if (d->size_bytes < 0)
		pad(d);
	if (d->state == DOWNLOAD_WHOLE && !d->asks_room && !d->telling &&
	    !d->pending->len && room_flush(d))
		seal(d);
}

void landing_whole(struct download *d)
{
	d->state = DOWNLOAD_WHOLE;
	landing_step(d);
}

/*
 * Whoever wants the last byte waits for the seal: if the content does not fit,
 * that reader must see the new size before it meets the end of the old one.
 */
static bool is_there(const struct download *d, const struct question *q,
		     int64_t have)
{
	int64_t end = q->offset + (int64_t)q->n;

	if (q->chunk_fn)
		return false;
	return end <= have && end < d->f.file_bytes;
}

void landing_answer(struct download *d)
{
	int64_t have;
	guint i = 0;

	if (!d->w || !d->waiters || d->calibrates)
		return;
	have = store_writer_bytes(d->w);
	while (i < d->waiters->len) {
		struct question *q = d->waiters->pdata[i];

		if (!q->answered && !is_there(d, q, have)) {
			i++;
			continue;
		}
		if (!q->answered && !room_flush(d))
			return;
		question_answer_piece(
			q, &(struct archive_piece){.fd = store_writer_fd(d->w),
						   .offset = q->offset,
						   .n = q->n});
		question_unref(q);
		g_ptr_array_remove_index_fast(d->waiters, i);
	}
}
