/* SPDX-License-Identifier: MIT */
/*
 * catalog_runs: which ids a stream's fragments have, as runs of ids that were
 * given to it one after the other: what came in since an id is found without
 * an index of every fragment.  A run is there while one of its fragments is.
 * Writer's connection only.  Belongs to catalog.
 */
#ifndef KVSFS_CACHE_CATALOG_RUNS_H
#define KVSFS_CACHE_CATALOG_RUNS_H

#include <stdint.h>

struct index_conn;

/* Ids first to last were given just now. */
int run_add(struct index_conn *conn, uint32_t stream, int64_t first_id,
	    int64_t last_id);
/*
 * Forgets the run that id was in, where no fragment is left of it;
 * *ret_last_id is the last id of that run either way.
 */
int run_drop_empty(struct index_conn *conn, uint32_t stream, int64_t id,
		   int64_t *ret_last_id);

#endif
