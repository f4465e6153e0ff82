/* SPDX-License-Identifier: MIT */
/*
 * ahead_fill: which fragments come next, queued up to a reader's window.
 */
#include "fs/archive/ahead.h"
#include "fs/archive/fetch.h"
#include "fs/base/utc.h"

#define ROWS 32
/* Rows looked at in one go: a stretch that is cached already is passed over,
   but not a whole day of it while readers wait. */
#define LOOK_MAX 512
/* Of one reader: small fragments are many (500 a second are handed out). */
#define ENTRIES_MAX 2000
/* The end of an hour is crossed with this part of the window at first. */
#define CROSS_PART 8
/* Where the cache is full of what is in use, it is so for a while. */
#define NO_ROOM_MS 10000
/* Memory holds what was read besides, or the kernel's next read of it would
   fetch it again. */
#define MEMORY_PART 2

int64_t ahead_limit_bytes(const struct archive *a)
{
	if (!a->no_room_ms || fetch_now_ms(a) - a->no_room_ms >= NO_ROOM_MS)
		return a->ahead_max_bytes;
	return MIN(a->ahead_max_bytes, a->o.memory_bytes / MEMORY_PART);
}

static int64_t hour_of(int64_t t_ms)
{
	return t_ms / UTC_HOUR_MS;
}

static int64_t window_of(const struct reader *r, int64_t t_ms)
{
	const struct archive *a = r->st->a;
	int64_t share = ahead_limit_bytes(a) / MAX(a->readers_on, 1);
	int64_t window = MIN(r->window_bytes, share);

	if (!r->crossed && hour_of(t_ms) != hour_of(r->at_ms))
		window /= CROSS_PART;
	return window;
}

/* A window that is empty takes one, however large. */
static bool full(const struct reader *r, const struct fragment *f, int64_t t_ms)
{
	const struct archive *a = r->st->a;

	if (r->entries.length == 0)
		return false;
	return r->ahead_bytes + f->file_bytes > window_of(r, t_ms) ||
	       a->ahead_bytes + f->file_bytes > ahead_limit_bytes(a) ||
	       r->entries.length >= ENTRIES_MAX;
}

/* ---- what was not listed yet -------------------------------------------- */

struct listed {
	struct archive *a;
	uint32_t stream;
	uint64_t serial;
};

static void listed(void *user, int rc)
{
	g_autofree struct listed *l = user;
	struct stream_state *st;
	struct reader *r;

	if (atomic_load(&l->a->closing))
		return;
	st = stream_state_get(l->a, l->stream);
	r = st ? ahead_reader(st, l->serial) : NULL;
	if (!r)
		return;
	r->lists = false;
	if (rc < 0 || r->window_bytes == 0)
		return;
	r->next_id = 0;
	ahead_fill(r);
	fetch_schedule(st);
}

/*
 * Between the edge and t_ms nothing is left out that nobody has listed yet;
 * else the rest of that hour is being listed now.
 */
static bool known_up_to(struct reader *r, int64_t t_ms)
{
	struct stream_state *st = r->st;
	struct archive *a = st->a;
	int64_t start_ms, end_ms;
	struct listed *l;

	if (catalog_gap(a->catalog, st->id, a->o.axis, r->edge_ms, t_ms,
			CATALOG_STALE, &start_ms, &end_ms) < 0)
		return true;
	end_ms = MIN(end_ms, (hour_of(start_ms) + 1) * UTC_HOUR_MS);
	if (r->lists || start_ms >= archive_now_ms(a))
		return false;
	r->lists = true;
	l = g_new(struct listed, 1);
	*l = (struct listed){a, st->id, r->serial};
	archive_list(a, archive_ticket_new(a), st->id, start_ms, end_ms,
		     ARCHIVE_LIST_FRESH, listed, l);
	return false;
}

/* ---- rows --------------------------------------------------------------- */

static void take(struct reader *r, const struct fragment *f, int64_t t_ms)
{
	struct archive *a = r->st->a;

	r->edge_ms = t_ms;
	r->edge_id = f->id;
	r->next_id = 0;
	if (f->file_bytes < 0 || f->size_bytes > FRAGMENT_MAX_BYTES ||
	    g_hash_table_contains(a->downloads, &f->id) || archive_cached(a, f))
		return;
	ahead_add(r, f, download_new(r->st, f, false));
}

/* How many rows were taken; fewer than n where that is all for now. */
static int take_rows(struct reader *r, const struct fragment *rows, int n)
{
	struct archive *a = r->st->a;

	for (int i = 0; i < n; i++) {
		int64_t t_ms = catalog_time_ms(a->o.axis, &rows[i]);

		if (full(r, &rows[i], t_ms)) {
			r->next_id = rows[i].id;
			r->more = r->crossed ||
				  hour_of(t_ms) == hour_of(r->at_ms);
			return i;
		}
		if (hour_of(t_ms) != hour_of(r->edge_ms) &&
		    !known_up_to(r, t_ms))
			return i;
		take(r, &rows[i], t_ms);
	}
	return n;
}

void ahead_fill(struct reader *r)
{
	struct stream_state *st = r->st;
	struct archive *a = st->a;
	g_autoptr(GPtrArray) streams = NULL;
	const struct archive_stream *s = archive_stream_by_id(a, st->id,
							      &streams);
	struct fragment rows[ROWS];
	int n = ROWS;

	r->more = false;
	if (!s || r->lists)
		return;
	for (int seen = 0; n == ROWS && seen < LOOK_MAX; seen += n) {
		n = catalog_page(a->catalog, st->id, a->o.axis, r->edge_ms,
				 INT64_MAX, archive_alive_ms(a, s), r->edge_ms,
				 r->edge_id, rows, ROWS);
		if (n < 0)
			return;
		if (take_rows(r, rows, n) < n)
			return;
	}
	if (n < ROWS)
		known_up_to(r, (hour_of(r->edge_ms) + 2) * UTC_HOUR_MS);
}
