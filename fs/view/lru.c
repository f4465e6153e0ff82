/* SPDX-License-Identifier: MIT */
#include "fs/view/lru.h"

struct entry {
	GList link;
	void *key, *value;
	size_t bytes;
};

struct lru {
	GHashTable *entries; /* key -> struct entry */
	GQueue order;	     /* the most recently used first */
	GDestroyNotify free_value;
	size_t max_bytes, bytes;
};

struct lru *lru_new(GHashFunc hash, GEqualFunc equal, GDestroyNotify free_value,
		    size_t max_bytes)
{
	struct lru *l = g_new0(struct lru, 1);

	l->entries = g_hash_table_new(hash, equal);
	g_queue_init(&l->order);
	l->free_value = free_value;
	l->max_bytes = max_bytes;
	return l;
}

static void drop_last(struct lru *l)
{
	struct entry *e = g_queue_peek_tail(&l->order);

	g_queue_unlink(&l->order, &e->link);
	g_hash_table_remove(l->entries, e->key);
	l->bytes -= e->bytes;
	if (e->value)
		l->free_value(e->value);
	g_free(e->key);
	g_free(e);
}

void lru_free(struct lru *l)
{
	while (!g_queue_is_empty(&l->order))
		drop_last(l);
	g_hash_table_unref(l->entries);
	g_free(l);
}

bool lru_has(const struct lru *l, const void *key)
{
	return g_hash_table_contains(l->entries, key);
}

void *lru_get(struct lru *l, const void *key)
{
	struct entry *e = g_hash_table_lookup(l->entries, key);

	if (!e)
		return NULL;
	g_queue_unlink(&l->order, &e->link);
	g_queue_push_head_link(&l->order, &e->link);
	return e->value;
}

void lru_add(struct lru *l, void *key, void *value, size_t bytes)
{
	struct entry *e = g_new0(struct entry, 1);

	e->link.data = e;
	e->key = key;
	e->value = value;
	e->bytes = bytes;
	g_hash_table_insert(l->entries, key, e);
	g_queue_push_head_link(&l->order, &e->link);
	l->bytes += bytes;
	while (l->bytes > l->max_bytes && l->order.length > 1)
		drop_last(l);
}
