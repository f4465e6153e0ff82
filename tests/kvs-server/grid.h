/* SPDX-License-Identifier: MIT */
/*
 * grid: a stream's fragments as arithmetic.
 *
 * Fragment i starts at start + i/n * period + offsets[i % n] on the producer's
 * clock and is received some hundred milliseconds later; gaps are ranges of i
 * that do not exist.  Nothing is kept per fragment, so ten years of two-second
 * fragments cost as much as ten.  A rank counts the fragments that do exist:
 * 0, 1, 2... in time order.
 *
 * Immutable after grid_seal(); any thread.
 */
#ifndef KVS_SERVER_GRID_H
#define KVS_SERVER_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "tests/kvs-server/number.h"

/* Beyond any clock, and times of an hour each do not overflow. */
#define GRID_GROWING (INT64_C(1) << 40)

struct gap {
	int64_t lo, hi; /* indices [lo, hi) */
	int64_t before; /* indices missing before lo */
};

struct grid {
	int64_t start_ms;
	int64_t period_ms;
	int64_t *offsets_ms; /* from 0, rising, all below period_ms */
	int64_t n_offsets;
	int64_t count; /* or GRID_GROWING */
	int64_t delay_ms, jitter_ms;
	uint64_t seed;
	struct gap *gaps;
	size_t n_gaps, cap_gaps;
	int64_t longest_ms; /* spacing */
};

void grid_free(struct grid *g);
void grid_add_gap(struct grid *g, int64_t from_ms, int64_t to_ms);
/* Sorts and joins the gaps, bounds the jitter below the spacing. */
void grid_seal(struct grid *g);

int64_t grid_producer_ms(const struct grid *g, int64_t i);
int64_t grid_server_ms(const struct grid *g, int64_t i);
int64_t grid_spacing_ms(const struct grid *g, int64_t i);
/* The first index, existing or not, at or after a time; 0..count. */
int64_t grid_from_producer(const struct grid *g, int64_t ms);
int64_t grid_from_server(const struct grid *g, int64_t ms);
/* Indices from here on are not yet complete at that time. */
int64_t grid_visible_end(const struct grid *g, int64_t now_ms);

int64_t grid_rank(const struct grid *g, int64_t i);
int64_t grid_at_rank(const struct grid *g, int64_t rank);
int grid_exists(const struct grid *g, int64_t i);

void grid_number(const struct grid *g, int64_t i, struct number *ret);
/* The sequence of index i; what is uploaded late goes in between. */
#define GRID_SEQUENCE_STEP 256
/* The index of a number; -1 where this stream never made it. */
int64_t grid_index_of(const struct grid *g, const struct number *n);

uint64_t hash64(uint64_t x);
uint64_t hash_str(const char *s, uint64_t seed);

#endif
