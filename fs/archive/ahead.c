/* SPDX-License-Identifier: MIT */
#include "fs/archive/ahead.h"

#include "fs/archive/fetch.h"
#include "fs/archive/landing.h"
#include "fs/base/utc.h"

/* Places that are remembered for each stream: viewers, and their seeks. */
#define READERS_MAX 64
/* The first window, once a reader went on. */
#define WINDOW_MIN_BYTES (INT64_C(8) << 20)
/*
 * The calls of the first second are few (5), and each is as good as what it
 * asks for: by twos it took 0.4 s more until all connections were busy.
 */
#define WINDOW_GROWS 4
/*
 * So many borders in a row show that a movie is watched, and not looked into:
 * VLC reads from the Cue before a place to the fragment after it, five
 * fragments at most.  Calls are few, too: the fourth of them brings the next
 * two.
 */
#define MOVIE_WATCHED 5
#define MOVIE_LOOKED  3
#define LOOK_AHEAD    2
/*
 * A player comes back within the length of a fragment, which is 10 s or less
 * (kvs-facts section 2: up to 20 s).
 */
#define IDLE_MS 30000

/* ---- entries ------------------------------------------------------------ */

void ahead_add(struct reader *r, const struct fragment *f, struct download *d)
{
	struct archive *a = r->st->a;
	struct ahead *e = g_new0(struct ahead, 1);

	e->fragment = f->id;
	e->bytes = f->file_bytes;
	e->r = r;
	g_queue_push_tail(&r->entries, e);
	r->ahead_bytes += e->bytes;
	a->ahead_bytes += e->bytes;
	d->reader = r;
	fetch_queue(d);
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);

	g_hash_table_insert(a->ahead, &e->fragment, e);
	atomic_fetch_add(&a->n_ahead, 1);
}

/* It is in its reader's queue no more. */
static void ahead_drop(struct ahead *e)
{
	struct archive *a = e->r->st->a;

	e->r->ahead_bytes -= e->bytes;
	a->ahead_bytes -= e->bytes;
	pthread_mutex_lock(&a->lock);
	g_hash_table_remove(a->ahead, &e->fragment);
	atomic_fetch_sub(&a->n_ahead, 1);
	pthread_mutex_unlock(&a->lock);
	g_free(e);
}

/* Network thread, on which alone entries come and go: no lock to look. */
static struct ahead *ahead_of(struct archive *a, int64_t fragment)
{
	return g_hash_table_lookup(a->ahead, &fragment);
}

/* The first of a reader's entries goes, whatever became of it. */
static void pop(struct reader *r)
{
	struct ahead *e = g_queue_pop_head(&r->entries);
	struct download *d = g_hash_table_lookup(r->st->a->downloads,
						 &e->fragment);

	ahead_drop(e);
	if (!d || d->reader != r)
		return;
	d->reader = NULL;
	if (!download_wanted(d) && d->state == DOWNLOAD_QUEUED)
		download_forget(d);
	else if (d->queue)
		fetch_queue(d);
}

void ahead_ended(struct download *d)
{
	d->reader = NULL;
}

void ahead_failed(struct download *d)
{
	struct reader *r = g_steal_pointer(&d->reader);
	struct ahead *e;

	if (!r)
		return;
	e = ahead_of(d->a, d->f.id);
	g_queue_remove(&r->entries, e);
	ahead_drop(e);
}

/* ---- readers ------------------------------------------------------------ */

/* Nothing is read ahead for it any more; its place is remembered. */
static void rest(struct reader *r)
{
	while (!g_queue_is_empty(&r->entries))
		pop(r);
	if (r->window_bytes > 0)
		r->st->a->readers_on--;
	r->window_bytes = 0;
	r->more = false;
}

static void reader_free(struct reader *r)
{
	rest(r);
	g_queue_remove(&r->st->readers, r);
	g_free(r);
}

struct reader *ahead_reader(struct stream_state *st, uint64_t serial)
{
	for (GList *i = st->readers.head; i; i = i->next) {
		struct reader *r = i->data;

		if (r->serial == serial)
			return r;
	}
	return NULL;
}

static struct reader *least_used(struct stream_state *st)
{
	struct reader *least = NULL;

	for (GList *i = st->readers.head; i; i = i->next) {
		struct reader *r = i->data;

		if (!least || r->used_ms < least->used_ms)
			least = r;
	}
	return least;
}

static void reader_new(struct stream_state *st, const struct fragment *f)
{
	struct reader *r;

	if (st->readers.length >= READERS_MAX)
		reader_free(least_used(st));
	r = g_new0(struct reader, 1);
	r->st = st;
	r->serial = ++st->a->reader_serial;
	r->at_ms = r->edge_ms = catalog_time_ms(st->a->o.axis, f);
	r->at_id = r->edge_id = f->id;
	r->used_ms = fetch_now_ms(st->a);
	g_queue_push_tail(&st->readers, r);
}

/* The fragment after the edge, if the catalog knows one by now. */
static int64_t next_of(struct reader *r)
{
	struct archive *a = r->st->a;
	struct fragment f;

	if (!r->next_id && catalog_page(a->catalog, r->st->id, a->o.axis,
					r->edge_ms, INT64_MAX, INT64_MIN,
					r->edge_ms, r->edge_id, &f, 1) == 1)
		r->next_id = f.id;
	return r->next_id;
}

/* Whose next fragment is this? */
static struct reader *who_goes_on(struct stream_state *st, int64_t id)
{
	for (GList *i = st->readers.head; i; i = i->next)
		if (next_of(i->data) == id)
			return i->data;
	return NULL;
}

static struct reader *who_is_at(struct stream_state *st, int64_t id)
{
	for (GList *i = st->readers.head; i; i = i->next)
		if (((struct reader *)i->data)->at_id == id)
			return i->data;
	return NULL;
}

/* ---- reads -------------------------------------------------------------- */

static void idle(void *arg)
{
	struct archive *a = arg;
	int64_t now_ms = fetch_now_ms(a);
	GHashTableIter it;
	void *p;

	a->ahead_timer = NULL;
	g_hash_table_iter_init(&it, a->states);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		struct stream_state *st = p;

		for (GList *i = st->readers.head; i; i = i->next) {
			struct reader *r = i->data;

			if (r->window_bytes > 0 &&
			    now_ms - r->used_ms > IDLE_MS)
				rest(r);
		}
		batches_prune(st);
	}
	if (a->readers_on > 0)
		a->ahead_timer = net_timer_start(a->loop, IDLE_MS / 2, idle, a);
}

static void grow(struct reader *r, bool waits)
{
	struct archive *a = r->st->a;

	if (r->window_bytes == 0) {
		a->readers_on++;
		r->window_bytes = WINDOW_MIN_BYTES;
		if (!a->ahead_timer)
			a->ahead_timer = net_timer_start(a->loop, IDLE_MS / 2,
							 idle, a);
	} else if (waits) {
		r->window_bytes *= WINDOW_GROWS;
	}
	r->window_bytes = MAX(r->window_bytes, WINDOW_MIN_BYTES);
	r->window_bytes = MIN(r->window_bytes, a->ahead_max_bytes);
}

static void look_ahead(struct reader *r, const struct fragment *f)
{
	grow(r, false);
	r->window_bytes = MIN(r->window_bytes, LOOK_AHEAD * f->file_bytes);
	ahead_fill(r);
}

static void move_to(struct reader *r, const struct fragment *f)
{
	int64_t t_ms = catalog_time_ms(r->st->a->o.axis, f);

	if (g_queue_is_empty(&r->entries)) {
		r->edge_ms = t_ms;
		r->edge_id = f->id;
		r->next_id = 0;
	}
	r->crossed |= t_ms / UTC_HOUR_MS != r->at_ms / UTC_HOUR_MS;
	r->at_ms = t_ms;
	r->at_id = f->id;
}

/* What lies before it was passed over. */
static void pop_up_to(struct reader *r, const struct ahead *e)
{
	while (r->entries.head->data != e)
		pop(r);
	pop(r);
}

void ahead_read(struct stream_state *st, const struct fragment *f, bool waits,
		bool movie)
{
	struct archive *a = st->a;
	struct ahead *e;
	struct reader *r;

	if (a->ahead_max_bytes <= 0 || atomic_load(&a->closing))
		return;
	e = ahead_of(a, f->id);
	r = e ? e->r : who_is_at(st, f->id);
	if (r && !e) { /* another part of the same */
		r->used_ms = fetch_now_ms(a);
		return;
	}
	if (!r)
		r = who_goes_on(st, f->id);
	if (!r) {
		reader_new(st, f);
		return;
	}
	if (e)
		pop_up_to(r, e);
	r->used_ms = fetch_now_ms(a);
	move_to(r, f);
	r->borders++;
	r->movie |= movie;
	if (r->movie && r->borders < MOVIE_WATCHED) {
		if (r->borders == MOVIE_LOOKED)
			look_ahead(r, f);
		return;
	}
	grow(r, waits);
	ahead_fill(r);
}

struct hit {
	struct archive *a;
	int64_t fragment;
};

static void hit_here(void *arg)
{
	g_autofree struct hit *h = arg;
	struct stream_state *st;
	struct fragment f;

	if (atomic_load(&h->a->closing) ||
	    archive_fragment(h->a, h->fragment, &f) < 0)
		return;
	st = stream_state_get(h->a, f.stream);
	if (!st)
		return;
	ahead_read(st, &f, false, false);
	fetch_schedule(st);
}

void ahead_hit(struct archive *a, int64_t fragment)
{
	struct ahead *e;
	struct hit *h;

	if (atomic_load(&a->n_ahead) == 0)
		return;
	pthread_mutex_lock(&a->lock);
	e = g_hash_table_lookup(a->ahead, &fragment);
	if (e && e->told)
		e = NULL;
	if (e)
		e->told = true;
	pthread_mutex_unlock(&a->lock);
	if (!e)
		return;
	h = g_new(struct hit, 1);
	*h = (struct hit){a, fragment};
	net_loop_post(a->loop, hit_here, h);
}

/* ---- turns -------------------------------------------------------------- */

struct reader *ahead_turn(struct stream_state *st)
{
	for (GList *i = st->readers.head; i; i = i->next) {
		struct reader *r = i->data;

		if (g_queue_is_empty(&r->queued))
			continue;
		g_queue_unlink(&st->readers, i);
		g_queue_push_tail_link(&st->readers, i);
		return r;
	}
	return NULL;
}

bool ahead_more(const struct stream_state *st)
{
	for (const GList *i = st->readers.head; i; i = i->next)
		if (((const struct reader *)i->data)->more)
			return true;
	return false;
}

/* ---- closing ------------------------------------------------------------ */

void ahead_stop(struct archive *a)
{
	if (a->ahead_timer)
		net_timer_cancel(g_steal_pointer(&a->ahead_timer));
}

void ahead_free(struct stream_state *st)
{
	while (!g_queue_is_empty(&st->readers)) {
		struct reader *r = g_queue_pop_head(&st->readers);

		g_queue_clear_full(&r->entries, g_free);
		g_free(r);
	}
}
