/* SPDX-License-Identifier: MIT */
#include "fs/view/movie_layout.h"

#include <glib.h>
#include <string.h>

#include "fs/base/utc.h"
#include "fs/view/movie_marks.h"

/* ---- who stays ---------------------------------------------------------- */

static int64_t end_ms(const struct movie_slot *s)
{
	return s->t_ms + s->length_ms;
}

/* b does not start before a. */
static bool in_conflict(const struct movie_slot *a, const struct movie_slot *b)
{
	int64_t overlap_ms = MIN(end_ms(a), end_ms(b)) - b->t_ms;
	int64_t shorter_ms = MIN(a->length_ms, b->length_ms);

	return a->t_ms == b->t_ms || overlap_ms * 2 > shorter_ms;
}

/* Those that have stayed so far, the latest last. */
struct stayed {
	GPtrArray *spans;
	GPtrArray *moments; /* without length: only one that starts then can be
			       in conflict with it */
};

static GPtrArray *stack_of(struct stayed *stayed, const struct movie_slot *s)
{
	return s->length_ms > 0 ? stayed->spans : stayed->moments;
}

static struct movie_slot *top(const GPtrArray *stack)
{
	return stack->len > 0 ? stack->pdata[stack->len - 1] : NULL;
}

/*
 * One that has stayed and is in conflict with s.  Ends of those that stayed
 * come in the order of their starts, so the latest tells for all.
 */
static struct movie_slot *rival(const struct stayed *stayed,
				const struct movie_slot *s)
{
	struct movie_slot *span = top(stayed->spans);
	struct movie_slot *moment = top(stayed->moments);

	if (moment && !in_conflict(moment, s))
		moment = NULL;
	if (span && !in_conflict(span, s))
		span = NULL;
	/* The later one first; they do not start together. */
	if (span && moment)
		return span->t_ms > moment->t_ms ? span : moment;
	return span ? span : moment;
}

static void lose(struct movie_slot *s)
{
	s->lost = true;
	s->left_out = true;
}

static void settle_conflicts(struct movie_layout *l, movie_order_fn order,
			     void *user)
{
	struct stayed stayed = {g_ptr_array_new(), g_ptr_array_new()};

	for (size_t i = 0; i < l->n; i++) {
		struct movie_slot *s = &l->slots[i], *other;
		GPtrArray *stack;

		while (!s->lost && (other = rival(&stayed, s))) {
			if (order(user, other->id, s->id) < 0) {
				lose(s);
				continue;
			}
			lose(other);
			stack = stack_of(&stayed, other);
			g_ptr_array_set_size(stack, (gint)stack->len - 1);
		}
		if (!s->lost)
			g_ptr_array_add(stack_of(&stayed, s), s);
	}
	g_ptr_array_unref(stayed.spans);
	g_ptr_array_unref(stayed.moments);
}

/* ---- making ------------------------------------------------------------- */

struct movie_layout *movie_layout_new(const struct catalog_slot *rows, size_t n,
				      movie_order_fn order, void *user)
{
	struct movie_layout *l = g_new0(struct movie_layout, 1);

	l->slots = g_new(struct movie_slot, n);
	l->n = n;
	l->base_ms = rows[0].t_ms;
	for (size_t i = 0; i < n; i++) {
		l->slots[i] = (struct movie_slot){
			.id = rows[i].id,
			.at = l->slots_bytes,
			.t_ms = rows[i].t_ms,
			.length_ms = rows[i].length_ms,
		};
		l->slots_bytes += rows[i].file_bytes;
	}
	settle_conflicts(l, order, user);
	return l;
}

void movie_layout_free(struct movie_layout *l)
{
	if (!l)
		return;
	g_free(l->title);
	g_free(l->slots);
	g_free(l);
}

void movie_layout_leave_out(struct movie_layout *l, size_t slot)
{
	l->slots[slot].left_out = true;
}

#define PRIME UINT64_C(0x9e3779b97f4a7c15)

/* Order counts; every bit of a word reaches every bit of the sum. */
static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * PRIME;
	return h ^ h >> 32;
}

static void take_fingerprints(struct movie_layout *l)
{
	uint64_t bytes = mix(l->clock, (uint64_t)l->head_bytes);
	uint64_t rows = 0;

	for (const char *c = l->title; *c; c++)
		bytes = mix(bytes, (uint8_t)*c);
	for (size_t i = 0; i < l->n; i++) {
		const struct movie_slot *s = &l->slots[i];

		bytes = mix(bytes, (uint64_t)s->t_ms);
		bytes = mix(bytes, (uint64_t)movie_layout_end(l, i));
		bytes = mix(bytes, (uint64_t)s->length_ms << 1 | s->left_out);
		rows = mix(rows, (uint64_t)s->id);
	}
	l->fingerprint = bytes;
	l->rows_fingerprint = mix(bytes, rows);
}

void movie_layout_seal(struct movie_layout *l, const char *title, bool clock)
{
	l->title = g_strdup(title);
	l->clock = clock;
	l->newest_ms = l->slots[l->n - 1].t_ms;
	for (size_t i = 0; i < l->n; i++) {
		const struct movie_slot *s = &l->slots[i];

		l->n_left_out += s->left_out;
		if (!s->lost)
			l->duration_ms = MAX(l->duration_ms,
					     end_ms(s) - l->base_ms);
	}
	l->n_cues_room = movie_marks_cues_room(l);
	l->head_bytes = movie_marks_head_bytes(l);
	take_fingerprints(l);
}

void movie_layout_choose(const struct catalog_slot *rows, size_t n,
			 int64_t start_ms, bool reach, size_t *ret_first,
			 size_t *ret_end)
{
	size_t first = 0;

	while (first < n && rows[first].t_ms < start_ms)
		first++;
	*ret_first = first;
	*ret_end = n;
	if (!reach || first == 0)
		return;
	/* Of those that start together the one that stays. */
	do
		first--;
	while (first > 0 && rows[first - 1].t_ms == rows[first].t_ms);
	if (rows[first].t_ms + rows[first].length_ms > start_ms)
		*ret_first = first;
}

/* ---- bytes -------------------------------------------------------------- */

int64_t movie_layout_end(const struct movie_layout *l, size_t slot)
{
	return slot + 1 < l->n ? l->slots[slot + 1].at : l->slots_bytes;
}

size_t movie_layout_find(const struct movie_layout *l, int64_t offset)
{
	size_t low = 0, high = l->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (l->slots[middle].at <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

void movie_layout_gap(const struct movie_layout *l, size_t slot,
		      int64_t *ret_start, int64_t *ret_end)
{
	size_t first = slot, last = slot;

	while (first > 0 && l->slots[first - 1].left_out)
		first--;
	while (last + 1 < l->n && l->slots[last + 1].left_out)
		last++;
	*ret_start = l->slots[first].at;
	*ret_end = movie_layout_end(l, last);
}

size_t movie_layout_cost_bytes(const struct movie_layout *l)
{
	return sizeof(*l) + l->n * sizeof(l->slots[0]) + strlen(l->title) + 1;
}

/* ---- time --------------------------------------------------------------- */

/* A pause shorter than that is none: lengths are as producers count them. */
#define PAUSE_MS 1000
/* Where nothing comes after it, and where it has no length. */
#define LAST_MS	  UTC_HOUR_MS
#define MOMENT_MS 1000

static const struct movie_slot *before(const struct movie_layout *l,
				       size_t slot)
{
	while (slot-- > 0)
		if (!l->slots[slot].left_out)
			return &l->slots[slot];
	return NULL;
}

static const struct movie_slot *after(const struct movie_layout *l, size_t slot)
{
	while (++slot < l->n)
		if (!l->slots[slot].left_out)
			return &l->slots[slot];
	return NULL;
}

/* Where one ends and the next begins: each knows it by itself. */
static int64_t border_ms(const struct movie_slot *a, const struct movie_slot *b)
{
	return a->length_ms > 0 ? MIN(end_ms(a), b->t_ms) : b->t_ms;
}

static int64_t wall_end_ms(const struct movie_slot *s,
			   const struct movie_slot *next)
{
	int64_t own_ms = s->t_ms +
			 (s->length_ms > 0 ? s->length_ms : MOMENT_MS);

	if (!next)
		return own_ms;
	return next->t_ms - own_ms < PAUSE_MS ? next->t_ms : own_ms;
}

struct movie_time movie_layout_time(const struct movie_layout *l, size_t slot)
{
	const struct movie_slot *s = &l->slots[slot];
	const struct movie_slot *a = before(l, slot), *b = after(l, slot);

	return (struct movie_time){
		.at_ms = s->t_ms - l->base_ms,
		.from_ms = a ? border_ms(a, s) - l->base_ms : 0,
		.to_ms = b ? border_ms(s, b) - l->base_ms
			   : end_ms(s) + LAST_MS - l->base_ms,
		.wall_end_ms = wall_end_ms(s, b),
	};
}
