/* SPDX-License-Identifier: MIT */
/*
 * catalog_known: the intervals of a stream that were listed in full, disjoint,
 * each with the server time as of which it is known.  Belongs to catalog.
 *
 * Where listings overlap the later as_of_ms counts; neighbours are one row only
 * when their as_of_ms are equal.  Everything costs what the interval touches.
 */
#ifndef KVSFS_CACHE_CATALOG_KNOWN_H
#define KVSFS_CACHE_CATALOG_KNOWN_H

#include "cache/catalog.h"

struct index_conn;

struct known {
	int64_t start_ms, end_ms;
	int64_t as_of_ms, used_ms;
};

/* On the writer's connection; 0 or -errno. */
int known_put(struct index_conn *conn, uint32_t stream, enum catalog_axis axis,
	      const struct known *listed);
/* Nothing of [start, end) is known any more. */
int known_cut(struct index_conn *conn, uint32_t stream, enum catalog_axis axis,
	      int64_t start_ms, int64_t end_ms);
/* Intervals that meet [start, end) were used at used_ms. */
int known_touch(struct index_conn *conn, uint32_t stream,
		enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		int64_t used_ms);

#endif
