/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/landing.h"

#include "fs/mkv/reader.h"

/* More room is asked for in steps of this, where content outgrows its size. */
#define EXTEND_BYTES (1 << 20)
/* Reserved above the listed size while the slack is not known. */
#define CALIBRATING_BYTES (64 << 10)

static struct store_key key_of(const struct download *d)
{
	return (struct store_key){.stream = d->f.stream,
				  .number = d->f.number,
				  .raw = d->a->o.raw};
}

/* What the file will most likely take; more can be asked for later. */
static int64_t expected_bytes(const struct download *d)
{
	return d->calibrates ? d->f.size_bytes + CALIBRATING_BYTES
			     : d->f.file_bytes;
}

/* ---- room --------------------------------------------------------------- */

static void say_uncached(struct download *d, int rc)
{
	if (d->a->said_uncached)
		return;
	d->a->said_uncached = true;
	g_warning("the cache cannot take fragment %s of stream %s (%s): "
		  "fragments are served without being cached while that lasts",
		  d->f.number, d->st->name, g_strerror(-rc));
}

/* From now on in memory; what was written already moves along. */
static void to_memory(struct download *d, int rc)
{
	struct store_key key = key_of(d);
	struct store_writer *w = NULL;
	char buf[65536];
	int64_t done = 0, have = d->w ? store_writer_bytes(d->w) : 0;
	int err = store_begin_memory(d->a->store, &key, &w);

	say_uncached(d, rc);
	while (err == 0 && done < have) {
		size_t want = (size_t)MIN((int64_t)sizeof(buf), have - done);
		ssize_t n = pread(store_writer_fd(d->w), buf, want, done);

		if (n <= 0)
			err = -EIO;
		else
			err = store_writer_append(w, buf, (size_t)n);
		done += n;
	}
	store_abort(d->w);
	d->w = w;
	d->in_memory = true;
	d->room_bytes = INT64_MAX;
	if (err < 0)
		download_fail(d, -EIO, "no memory to hold it");
}

struct answer {
	struct download *d;
	unsigned landing;
	int rc;
	struct store_writer *w;
	struct store_chunk *chunk;
	int64_t bytes;
};

static struct answer *answer_new(struct download *d, int64_t bytes)
{
	struct answer *x = g_new0(struct answer, 1);

	x->d = download_ref(d);
	x->landing = d->landing;
	x->bytes = bytes;
	archive_owe(d->a);
	return x;
}

static void begun(void *arg)
{
	g_autofree struct answer *x = arg;
	struct download *d = x->d;

	if (x->landing != d->landing || d->state == DOWNLOAD_FAILED) {
		store_abort(x->w); /* an older try's */
	} else {
		d->asks_room = false;
		d->w = x->w;
		d->room_bytes = x->bytes;
		if (x->rc < 0)
			to_memory(d, x->rc);
		else
			d->a->said_uncached = false;
		landing_step(d);
	}
	download_unref(d);
}

static void begun_on_writer(void *user, int rc, struct store_writer *w)
{
	struct answer *x = user;

	x->rc = rc;
	x->w = w;
	archive_pay(x->d->a, begun, x);
}

void landing_abort(struct download *d)
{
	struct store_writer *w = g_steal_pointer(&d->w);

	d->landing++;
	/* An extension under way needs the writer: extended() drops it. */
	if (!d->asks_room)
		store_abort(w);
	d->asks_room = false;
	d->telling = false;
	g_clear_pointer(&d->pending, g_byte_array_unref);
}

void landing_begin(struct download *d)
{
	struct store_key key = key_of(d);
	int64_t bytes = expected_bytes(d);

	landing_abort(d);
	d->pending = g_byte_array_new();
	d->put_bytes = 0;
	d->size_bytes = -1;
	d->room_bytes = 0;
	d->in_memory = false;
	d->asks_room = true;
	store_begin(d->a->store, &key, bytes, begun_on_writer,
		    answer_new(d, bytes));
}

static void extended(void *arg)
{
	g_autofree struct answer *x = arg;
	struct download *d = x->d;

	if (x->landing != d->landing || d->state == DOWNLOAD_FAILED) {
		store_abort(x->w);
	} else {
		d->asks_room = false;
		if (x->rc < 0)
			to_memory(d, x->rc);
		else
			d->room_bytes += x->bytes;
		landing_step(d);
	}
	download_unref(d);
}

static void extended_on_writer(void *user, int rc)
{
	struct answer *x = user;

	x->rc = rc;
	archive_pay(x->d->a, extended, x);
}

static void ask_more_room(struct download *d)
{
	int64_t bytes = MAX(EXTEND_BYTES, (int64_t)d->pending->len);
	struct answer *x = answer_new(d, bytes);

	d->asks_room = true;
	x->w = d->w;
	store_extend(d->w, bytes, extended_on_writer, x);
}

/* ---- bytes -------------------------------------------------------------- */

static void write_out(struct download *d, const uint8_t *bytes, size_t n)
{
	int rc = store_writer_append(d->w, bytes, n);

	if (rc == 0)
		return;
	if (d->in_memory) {
		download_fail(d, -EIO, "no memory to hold it");
		return;
	}
	to_memory(d, rc);
	if (d->state != DOWNLOAD_FAILED && d->w)
		rc = store_writer_append(d->w, bytes, n);
	if (rc < 0 && d->state != DOWNLOAD_FAILED)
		download_fail(d, -EIO, "no memory to hold it");
}

static int64_t room_left(const struct download *d)
{
	return d->room_bytes - store_writer_bytes(d->w);
}

static void flush(struct download *d)
{
	size_t n;

	if (!d->w || d->asks_room || !d->pending->len)
		return;
	n = (size_t)MIN((int64_t)d->pending->len, room_left(d));
	if (n > 0) {
		write_out(d, d->pending->data, n);
		if (d->state == DOWNLOAD_FAILED)
			return;
		g_byte_array_remove_range(d->pending, 0, (guint)n);
	}
	if (d->pending->len && !d->in_memory)
		ask_more_room(d);
	else if (d->pending->len)
		flush(d);
}

void landing_put(struct download *d, const void *bytes, size_t n)
{
	d->put_bytes += (int64_t)n;
	if (d->w && !d->asks_room && !d->pending->len &&
	    room_left(d) >= (int64_t)n)
		write_out(d, bytes, n);
	else
		g_byte_array_append(d->pending, bytes, (guint)n);
	if (d->state == DOWNLOAD_FAILED)
		return;
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
	g_byte_array_append(d->pending, head, (guint)n);
	flush(d);
}

static void answer_from(struct download *d, struct store_chunk *chunk)
{
	int64_t size_bytes = store_chunk_size(chunk);
	GPtrArray *waiters = g_steal_pointer(&d->waiters);

	for (guint i = 0; waiters && i < waiters->len; i++) {
		struct question *q = waiters->pdata[i];
		int64_t n = MIN((int64_t)q->n, size_bytes - q->offset);

		question_answer_piece(
			q, &(struct archive_piece){.fd = store_chunk_fd(chunk),
						   .offset = q->offset,
						   .n = n > 0 ? (size_t)n : 0});
		question_unref(q);
	}
	if (waiters)
		g_ptr_array_unref(waiters);
}

static void sealed(void *arg)
{
	g_autofree struct answer *x = arg;
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
		download_ended(d);
	}
	download_unref(d);
}

static void sealed_on_writer(void *user, int rc, struct store_chunk *c)
{
	struct answer *x = user;

	x->rc = rc;
	x->chunk = c;
	archive_pay(x->d->a, sealed, x);
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
	    !d->pending->len)
		store_commit(g_steal_pointer(&d->w), d->size_bytes,
			     sealed_on_writer, answer_new(d, 0));
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
		question_answer_piece(
			q, &(struct archive_piece){.fd = store_writer_fd(d->w),
						   .offset = q->offset,
						   .n = q->n});
		question_unref(q);
		g_ptr_array_remove_index_fast(d->waiters, i);
	}
}
