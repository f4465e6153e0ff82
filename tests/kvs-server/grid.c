/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/grid.h"

#include <stdlib.h>

#include "tests/kvs-server/buf.h"

uint64_t hash64(uint64_t x)
{
	/* splitmix64 */
	x += 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

uint64_t hash_str(const char *s, uint64_t seed)
{
	uint64_t h = hash64(seed);

	for (; *s; s++)
		h = hash64(h ^ (uint8_t)*s);
	return h;
}

void grid_free(struct grid *g)
{
	free(g->offsets_ms);
	free(g->gaps);
}

int64_t grid_producer_ms(const struct grid *g, int64_t i)
{
	return g->start_ms + i / g->n_offsets * g->period_ms +
	       g->offsets_ms[i % g->n_offsets];
}

int64_t grid_spacing_ms(const struct grid *g, int64_t i)
{
	return grid_producer_ms(g, i + 1) - grid_producer_ms(g, i);
}

int64_t grid_server_ms(const struct grid *g, int64_t i)
{
	uint64_t h = hash64(g->seed ^ (uint64_t)i * 3);
	int64_t late = g->jitter_ms ? (int64_t)(h % (uint64_t)g->jitter_ms) : 0;

	return grid_producer_ms(g, i) + g->delay_ms + late;
}

int64_t grid_from_producer(const struct grid *g, int64_t ms)
{
	if (ms <= g->start_ms)
		return 0;
	int64_t since = ms - g->start_ms;
	int64_t i = since / g->period_ms * g->n_offsets;
	int64_t in_period = since % g->period_ms;
	int64_t lo = 0, hi = g->n_offsets;

	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2;

		if (g->offsets_ms[mid] < in_period)
			lo = mid + 1;
		else
			hi = mid;
	}
	i += lo;
	return i < g->count ? i : g->count;
}

int64_t grid_from_server(const struct grid *g, int64_t ms)
{
	int64_t i = grid_from_producer(g, ms - g->delay_ms - g->jitter_ms);

	/* The jitter is below the spacing: two steps at most. */
	while (i < g->count && grid_server_ms(g, i) < ms)
		i++;
	return i;
}

int64_t grid_visible_end(const struct grid *g, int64_t now_ms)
{
	return grid_from_server(g, now_ms - g->longest_ms + 1);
}

void grid_add_gap(struct grid *g, int64_t from_ms, int64_t to_ms)
{
	int64_t lo = grid_from_producer(g, from_ms);
	int64_t hi = grid_from_producer(g, to_ms);

	if (lo >= hi)
		return;
	if (g->n_gaps == g->cap_gaps) {
		g->cap_gaps = g->cap_gaps ? g->cap_gaps * 2 : 16;
		g->gaps = xrealloc(g->gaps, g->cap_gaps * sizeof(*g->gaps));
	}
	g->gaps[g->n_gaps++] = (struct gap){.lo = lo, .hi = hi};
}

static int by_lo(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

void grid_seal(struct grid *g)
{
	int64_t shortest = g->period_ms;
	size_t n = 0;
	int64_t missing = 0;

	g->longest_ms = 0;
	for (int64_t i = 0; i < g->n_offsets; i++) {
		int64_t spacing = grid_spacing_ms(g, i);

		if (spacing < shortest)
			shortest = spacing;
		if (spacing > g->longest_ms)
			g->longest_ms = spacing;
	}
	if (g->jitter_ms > shortest)
		g->jitter_ms = shortest;
	if (g->n_gaps)
		qsort(g->gaps, g->n_gaps, sizeof(*g->gaps), by_lo);
	for (size_t i = 0; i < g->n_gaps; i++) {
		struct gap *gap = &g->gaps[i];

		if (n && gap->lo <= g->gaps[n - 1].hi) {
			if (gap->hi > g->gaps[n - 1].hi)
				g->gaps[n - 1].hi = gap->hi;
			continue;
		}
		g->gaps[n++] = *gap;
	}
	g->n_gaps = n;
	for (size_t i = 0; i < n; i++) {
		g->gaps[i].before = missing;
		missing += g->gaps[i].hi - g->gaps[i].lo;
	}
}

/* How many gaps begin at or below index i. */
static size_t gaps_upto(const struct grid *g, int64_t i)
{
	size_t lo = 0, hi = g->n_gaps;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (g->gaps[mid].lo <= i)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int64_t grid_rank(const struct grid *g, int64_t i)
{
	size_t n = gaps_upto(g, i);

	if (!n)
		return i;
	const struct gap *gap = &g->gaps[n - 1];

	return (i < gap->hi ? gap->lo : i - (gap->hi - gap->lo)) - gap->before;
}

int64_t grid_at_rank(const struct grid *g, int64_t rank)
{
	size_t lo = 0, hi = g->n_gaps;

	/* Gaps whose first index has rank or less fragments before it. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (g->gaps[mid].lo - g->gaps[mid].before <= rank)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return rank;
	const struct gap *gap = &g->gaps[lo - 1];

	return rank + gap->before + (gap->hi - gap->lo);
}

int grid_exists(const struct grid *g, int64_t i)
{
	size_t n = gaps_upto(g, i);

	return i >= 0 && i < g->count && (!n || i >= g->gaps[n - 1].hi);
}

void grid_number(const struct grid *g, int64_t i, struct number *ret)
{
	uint64_t h = hash64(g->seed + (uint64_t)i);

	*ret = (struct number){
		.sequence = ((uint64_t)i + 1) * GRID_SEQUENCE_STEP,
		.server_ms = grid_server_ms(g, i),
		.random = (uint32_t)h & 0xfffffff,
	};
}

int64_t grid_index_of(const struct grid *g, const struct number *n)
{
	if (n->sequence % GRID_SEQUENCE_STEP || !n->sequence ||
	    n->sequence / GRID_SEQUENCE_STEP > INT64_MAX / 2)
		return -1;
	int64_t i = (int64_t)(n->sequence / GRID_SEQUENCE_STEP) - 1;
	struct number own;

	if (!grid_exists(g, i))
		return -1;
	grid_number(g, i, &own);
	return own.server_ms == n->server_ms && own.random == n->random ? i
									: -1;
}
