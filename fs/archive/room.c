/* SPDX-License-Identifier: MIT */
/*
 * room: where the bytes of a fragment that is arriving go: into a file of the
 * cache, within what was reserved for it, or into memory where the disk cannot
 * take it.
 */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/ahead.h"
#include "fs/archive/landing.h"

/* More room is asked for in steps of this, where content outgrows its size. */
#define EXTEND_BYTES (1 << 20)
/* Reserved above the listed size while the slack is not known. */
#define CALIBRATING_BYTES (64 << 10)
/* That something is not cached is said again after so long. */
#define SAY_AGAIN_MS 600000

struct store_key landing_key(const struct download *d)
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

/* ---- memory ------------------------------------------------------------- */

static void say_uncached(struct download *d, int rc)
{
	if (archive_may_say(d->a, SAY_AGAIN_MS, &d->a->said_uncached_ms))
		g_warning(
			"the cache cannot take fragment %s of stream %s (%s): "
			"fragments are served without being cached while "
			"that lasts",
			d->f.number, d->st->name, g_strerror(-rc));
}

/* What was begun ahead of readers while there seemed to be room is more than
   memory may hold: the rest of it goes. */
static bool not_worth_memory(struct download *d)
{
	struct archive *a = d->a;

	if (d->calibrates || download_waited_for(d))
		return false;
	a->no_room_ms = clock_monotonic_ms(a->o.clock);
	if (a->ahead_bytes <= ahead_limit_bytes(a))
		return false;
	download_fail(d, -ENOSPC, "the cache has no room to read ahead");
	return true;
}

/* From now on in memory; what was written already moves along. */
static void to_memory(struct download *d, int rc)
{
	struct store_writer *had = g_steal_pointer(&d->w);
	struct store_key key = landing_key(d);
	int err;

	say_uncached(d, rc);
	err = had ? store_writer_to_memory(had, &d->w)
		  : store_begin_memory(d->a->store, &key, &d->w);
	d->in_memory = true;
	d->room_bytes = INT64_MAX;
	if (err < 0)
		download_fail(d, -EIO, "no memory to hold it");
}

/* ---- what the writer thread answers ------------------------------------- */

struct answer {
	struct download *d;
	unsigned landing;
	int rc;
	struct store_writer *w;
	int64_t room_bytes; /* in all, if it is given */
};

static struct answer *answer_new(struct download *d, int64_t room_bytes)
{
	struct answer *x = g_new0(struct answer, 1);

	x->d = download_ref(d);
	x->landing = d->landing;
	x->room_bytes = room_bytes;
	d->asks_room = true;
	archive_owe(d->a);
	return x;
}

static void answered(void *arg)
{
	g_autofree struct answer *x = arg;
	struct download *d = x->d;

	if (x->landing != d->landing || d->state == DOWNLOAD_FAILED) {
		store_abort(x->w); /* an older try's */
	} else {
		d->asks_room = false;
		d->w = x->w;
		if (x->rc == 0)
			d->room_bytes = x->room_bytes;
		else if (!not_worth_memory(d))
			to_memory(d, x->rc);
		landing_step(d);
	}
	download_unref(d);
}

static void begun_on_writer(void *user, int rc, struct store_writer *w)
{
	struct answer *x = user;

	x->rc = rc;
	x->w = w;
	archive_pay(x->d->a, answered, x);
}

static void extended_on_writer(void *user, int rc)
{
	struct answer *x = user;

	x->rc = rc;
	archive_pay(x->d->a, answered, x);
}

/* ---- for landing -------------------------------------------------------- */

void room_ask(struct download *d)
{
	struct store_key key = landing_key(d);
	int64_t bytes = expected_bytes(d);

	d->room_bytes = 0;
	d->in_memory = false;
	store_begin(d->a->store, &key, bytes, begun_on_writer,
		    answer_new(d, bytes));
}

void room_more(struct download *d)
{
	int64_t bytes = MAX(EXTEND_BYTES, (int64_t)d->pending->len);
	struct answer *x = answer_new(d, d->room_bytes + bytes);

	x->w = d->w;
	store_extend(d->w, bytes, extended_on_writer, x);
}

void room_drop(struct download *d)
{
	struct store_writer *w = g_steal_pointer(&d->w);

	d->landing++;
	/* An extension under way needs the writer: its answer drops it. */
	if (!d->asks_room)
		store_abort(w);
	d->asks_room = false;
}

int64_t room_left(const struct download *d)
{
	return d->room_bytes - store_writer_bytes(d->w);
}

void room_write(struct download *d, const uint8_t *bytes, size_t n)
{
	int64_t before = store_writer_bytes(d->w);
	int rc = store_writer_append(d->w, bytes, n);
	size_t wrote;

	if (rc == 0)
		return;
	/* A disk that is full takes the first part of what it is given. */
	wrote = (size_t)(store_writer_bytes(d->w) - before);
	if (!d->in_memory) {
		if (not_worth_memory(d))
			return;
		to_memory(d, rc);
		if (d->state == DOWNLOAD_FAILED)
			return;
		rc = store_writer_append(d->w, bytes + wrote, n - wrote);
	}
	if (rc < 0)
		download_fail(d, -EIO, "no memory to hold it");
}

bool room_flush(struct download *d)
{
	int rc = store_writer_flush(d->w);

	if (rc < 0 && d->in_memory)
		download_fail(d, -EIO, "no memory to hold it");
	else if (rc < 0 && !not_worth_memory(d))
		to_memory(d, rc);
	return d->state != DOWNLOAD_FAILED;
}
