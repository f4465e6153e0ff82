/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/buf.h"

/* Above any index of a grid. */
#define EXTRA_INDEX (INT64_C(1) << 41)

void stream_free(struct stream *s)
{
	if (!s)
		return;
	free(s->name);
	free(s->arn);
	free(s->media_type);
	free(s->extras);
	free(s->later);
	grid_free(&s->grid);
	free(s);
}

const struct media *stream_media(const struct stream *s, const struct frag *f)
{
	const struct media *m = s->media;

	for (size_t i = 0; i < s->n_later; i++)
		if (s->later[i].from_ms <= f->producer_ms)
			m = s->later[i].media;
	return m;
}

void stream_grid_frag(const struct stream *s, int64_t index, struct frag *ret)
{
	const struct grid *g = &s->grid;
	int64_t first = index - index % s->session_fragments;
	struct number n;

	grid_number(g, index, &n);
	*ret = (struct frag){
		.index = index,
		.producer_ms = grid_producer_ms(g, index),
		.server_ms = n.server_ms,
		.spacing_ms = grid_spacing_ms(g, index),
		.size_bytes = -1,
		.length_ms = -1,
	};
	ret->session_ms = ret->producer_ms - grid_producer_ms(g, first);
	number_format(&n, ret->number);
}

void stream_add(struct stream *s, const struct extra *x, struct frag *ret)
{
	pthread_mutex_lock(&s->lock);
	uint64_t k = s->n_extras;
	int64_t before = grid_from_server(&s->grid, x->server_ms);
	int64_t cluster = x->cluster >= 0 ? x->cluster : (int64_t)k % 1000;
	struct frag f = {
		.index = EXTRA_INDEX - EXTRA_INDEX % s->n_templates + cluster,
		.producer_ms = x->producer_ms,
		.server_ms = x->server_ms,
		.spacing_ms = x->spacing_ms > 0 ? x->spacing_ms
						: s->grid.longest_ms,
		.length_ms = x->length_ms,
		.size_bytes = x->size_bytes,
		.lost = x->lost,
	};

	if (x->number[0]) {
		memcpy(f.number, x->number, sizeof(f.number));
	} else {
		struct number n = {
			.sequence = (uint64_t)before * GRID_SEQUENCE_STEP + 1 +
				    k % (GRID_SEQUENCE_STEP - 1),
			.server_ms = x->server_ms,
			.random = (uint32_t)hash64(s->seed ^ (k + 7)) &
				  0xfffffff,
		};
		number_format(&n, f.number);
	}
	s->extras = xrealloc(s->extras, (k + 1) * sizeof(*s->extras));
	s->extras[s->n_extras++] = f;
	*ret = f;
	pthread_mutex_unlock(&s->lock);
}

static int64_t oldest_ms(struct stream *s, int64_t now_ms)
{
	return now_ms - s->retention_ms;
}

static bool find_extra(struct stream *s, const char *number, struct frag *ret)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_extras && !found; i++)
		if (!strcmp(s->extras[i].number, number)) {
			*ret = s->extras[i];
			found = true;
		}
	pthread_mutex_unlock(&s->lock);
	return found;
}

bool stream_find(struct stream *s, const char *number, int64_t now_ms,
		 struct frag *ret)
{
	struct number n;
	struct frag f;
	int64_t index = -1;

	if (number_parse(number, &n))
		index = grid_index_of(&s->grid, &n);
	if (index >= 0) {
		if (index >= grid_visible_end(&s->grid, now_ms))
			return false;
		stream_grid_frag(s, index, &f);
	} else if (!find_extra(s, number, &f) || f.server_ms > now_ms) {
		return false;
	}
	if (f.server_ms < oldest_ms(s, now_ms))
		return false;
	*ret = f;
	return true;
}

bool stream_owns(struct stream *s, const char *number)
{
	struct number n;
	struct frag f;

	return (number_parse(number, &n) && grid_index_of(&s->grid, &n) >= 0) ||
	       find_extra(s, number, &f);
}

static bool extra_matches(const struct selection *sel, const struct frag *f)
{
	int64_t ms = sel->by_server ? f->server_ms : f->producer_ms;

	return ms >= sel->start_ms && ms <= sel->end_ms &&
	       f->server_ms >= sel->oldest_ms && f->server_ms <= sel->now_ms;
}

void stream_reselect(struct stream *s, struct selection *sel)
{
	int64_t n = 0;

	sel->total = sel->hi_rank > sel->lo_rank ? sel->hi_rank - sel->lo_rank
						 : 0;
	sel->extras = NULL;
	pthread_mutex_lock(&s->lock);
	if (sel->n_extras > (int64_t)s->n_extras)
		sel->n_extras = (int64_t)s->n_extras;
	if (sel->n_extras > 0)
		sel->extras = xcalloc((size_t)sel->n_extras, sizeof(int64_t));
	for (int64_t i = 0; i < sel->n_extras; i++)
		if (extra_matches(sel, &s->extras[i]))
			sel->extras[n++] = i;
	pthread_mutex_unlock(&s->lock);
	sel->total += n;
}

void stream_select(struct stream *s, bool by_server, int64_t start_ms,
		   int64_t end_ms, int64_t now_ms, struct selection *ret)
{
	const struct grid *g = &s->grid;
	int64_t oldest = oldest_ms(s, now_ms);
	int64_t lo = by_server ? grid_from_server(g, start_ms)
			       : grid_from_producer(g, start_ms);
	int64_t hi = by_server ? grid_from_server(g, end_ms + 1)
			       : grid_from_producer(g, end_ms + 1);
	int64_t kept = grid_from_server(g, oldest);
	int64_t visible = grid_visible_end(g, now_ms);

	if (lo < kept)
		lo = kept;
	if (hi > visible)
		hi = visible;
	if (hi < lo)
		hi = lo;
	pthread_mutex_lock(&s->lock);
	int64_t n_extras = (int64_t)s->n_extras;

	pthread_mutex_unlock(&s->lock);
	*ret = (struct selection){
		.by_server = by_server,
		.start_ms = start_ms,
		.end_ms = end_ms,
		.lo_rank = grid_rank(g, lo),
		.hi_rank = grid_rank(g, hi),
		.n_extras = n_extras,
		.oldest_ms = oldest,
		.now_ms = now_ms,
	};
	stream_reselect(s, ret);
}

void stream_nth(struct stream *s, const struct selection *sel, int64_t k,
		struct frag *ret)
{
	int64_t of_grid = sel->hi_rank - sel->lo_rank;

	if (k < of_grid) {
		stream_grid_frag(s, grid_at_rank(&s->grid, sel->lo_rank + k),
				 ret);
		return;
	}
	pthread_mutex_lock(&s->lock);
	*ret = s->extras[sel->extras[k - of_grid]];
	pthread_mutex_unlock(&s->lock);
}

void selection_free(struct selection *sel)
{
	free(sel->extras);
	sel->extras = NULL;
}
