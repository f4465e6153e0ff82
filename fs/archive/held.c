/* SPDX-License-Identifier: MIT */
/*
 * held: content that could not be cached on disk stays in memory for a while,
 * or each 128 KiB read would fetch its fragment again.  Oldest out first,
 * within one byte budget.
 */
#include "fs/archive/landing.h"

static void drop_oldest(struct archive *a)
{
	g_autofree int64_t *id = g_queue_pop_head(&a->held_order);
	pthread_mutex_t *held = base_lock(&a->lock);
	void *key = NULL, *c = NULL;

	g_hash_table_steal_extended(a->held, id, &key, &c);
	pthread_mutex_unlock(held);
	g_free(key);
	if (!c)
		return;
	a->memory_used -= store_chunk_size(c);
	store_chunk_unref(c);
}

void held_keep(struct archive *a, int64_t fragment, struct store_chunk *c)
{
	int64_t size_bytes = store_chunk_size(c);

	while (a->memory_used + size_bytes > a->o.memory_bytes &&
	       !g_queue_is_empty(&a->held_order))
		drop_oldest(a);
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);

	if (g_hash_table_contains(a->held, &fragment))
		return;
	g_hash_table_insert(a->held, g_memdup2(&fragment, sizeof(fragment)),
			    store_chunk_ref(c));
	g_queue_push_tail(&a->held_order,
			  g_memdup2(&fragment, sizeof(fragment)));
	a->memory_used += size_bytes;
}

struct store_chunk *held_find(struct archive *a, int64_t fragment)
{
	auto_unlock pthread_mutex_t *held = base_lock(&a->lock);
	struct store_chunk *c = g_hash_table_lookup(a->held, &fragment);

	return c ? store_chunk_ref(c) : NULL;
}
