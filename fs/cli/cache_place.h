/* SPDX-License-Identifier: MIT */
/*
 * cache_place: the cache directory with all that lives in it, opened together
 * and closed in the right order.
 *
 * One thread opens and closes; blocks on local disk only.
 */
#ifndef KVSFS_CLI_CACHE_PLACE_H
#define KVSFS_CLI_CACHE_PLACE_H

#include "cache/catalog.h"
#include "cache/index.h"
#include "cache/store.h"

struct cache_place {
	char *path;
	int dirfd;
	struct cache_index *index;
	struct store *store;
	struct catalog *catalog;
	char *made;   /* the first folder of path that was not there before, or
			 NULL: path was */
	bool adopted; /* nothing of a cache was in it before */
	bool remove;  /* what was made is not to be there afterwards */
};

/*
 * 0, or -errno with a sentence; nothing stays open then, nor of what was made
 * on the disk.
 */
int cache_place_open(const char *path, const struct store_options *o,
		     struct cache_place **ret_place, char **ret_error);

/*
 * As above; but where the disk is full or read-only a warning is logged and
 * what is read is kept in memory, in a small cache that goes with the process.
 */
int cache_place_open_or_memory(const char *path, const struct store_options *o,
			       struct cache_place **ret_place,
			       char **ret_error);

/* NULL is fine. */
void cache_place_close(struct cache_place *p);

#endif
