/* SPDX-License-Identifier: MIT */
/*
 * What was looked at, kept in memory and written once in a while: an `ls` must
 * not cost a commit.  What a crash loses of it makes the trim's choice a little
 * worse, nothing else.
 */
#include "cache/catalog.h"

#include "cache/catalog_known.h"
#include "cache/catalog_rows.h"
#include "fs/base/base.h"
#include "fs/base/clock.h"

#define FLUSH_MS    60000
#define TOUCHES_MAX 256

struct touch {
	uint32_t stream;
	enum catalog_axis axis;
	int64_t start_ms, end_ms;
	int64_t used_ms;
};

static guint touch_hash(gconstpointer key)
{
	const struct touch *t = key;

	return g_int64_hash(&t->start_ms) ^ t->stream * 2654435761U;
}

static gboolean touch_equal(gconstpointer a, gconstpointer b)
{
	const struct touch *x = a, *y = b;

	return x->stream == y->stream && x->axis == y->axis &&
	       x->start_ms == y->start_ms && x->end_ms == y->end_ms;
}

GHashTable *touch_set_new(void)
{
	return g_hash_table_new_full(touch_hash, touch_equal, g_free, NULL);
}

static int touch_write(struct index_conn *conn, void *arg)
{
	GHashTableIter iter;
	void *key;
	int rc = 0;

	g_hash_table_iter_init(&iter, arg);
	while (!rc && g_hash_table_iter_next(&iter, &key, NULL)) {
		const struct touch *t = key;

		rc = known_touch(conn, t->stream, t->axis, t->start_ms,
				 t->end_ms, t->used_ms);
	}
	return rc;
}

static void touch_done(void *arg, int rc)
{
	g_hash_table_unref(arg);
}

/* Holds lock; NULL where there is nothing. */
static GHashTable *take_touched(struct catalog *c)
{
	GHashTable *taken = c->touched;

	if (!g_hash_table_size(taken))
		return NULL;
	c->touched = touch_set_new();
	c->flushed_ms = clock_monotonic_ms(&clock_system);
	return taken;
}

void touch_flush(struct catalog *c)
{
	GHashTable *taken;

	pthread_mutex_lock(&c->lock);
	taken = take_touched(c);
	pthread_mutex_unlock(&c->lock);
	if (taken)
		index_post(c->ix, touch_write, touch_done, taken);
}

void catalog_touch(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		   int64_t start_ms, int64_t end_ms)
{
	struct touch *t = g_new(struct touch, 1);
	GHashTable *taken = NULL;

	*t = (struct touch){stream, axis, start_ms, end_ms,
			    clock_realtime_ms(&clock_system)};
	pthread_mutex_lock(&c->lock);
	g_hash_table_replace(c->touched, t, NULL);
	if (g_hash_table_size(c->touched) >= TOUCHES_MAX ||
	    clock_monotonic_ms(&clock_system) - c->flushed_ms >= FLUSH_MS)
		taken = take_touched(c);
	pthread_mutex_unlock(&c->lock);
	if (taken)
		index_post(c->ix, touch_write, touch_done, taken);
}
