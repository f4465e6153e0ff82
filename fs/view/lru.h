/* SPDX-License-Identifier: MIT */
/*
 * lru: a table whose values take at most so many bytes; the least recently used
 * go first, but never the last one.  Not thread-safe: its owner's lock guards
 * it.
 */
#ifndef KVSFS_VIEW_LRU_H
#define KVSFS_VIEW_LRU_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

struct lru;

/* Values of NULL are fine; they are not freed. */
struct lru *lru_new(GHashFunc hash, GEqualFunc equal, GDestroyNotify free_value,
		    size_t max_bytes);
void lru_free(struct lru *l);

bool lru_has(const struct lru *l, const void *key);
/* Its value, which is now the most recently used; NULL where there is none. */
void *lru_get(struct lru *l, const void *key);
/* A key that it does not have: g_free()d with its value. */
void lru_add(struct lru *l, void *key, void *value, size_t bytes);

#endif
