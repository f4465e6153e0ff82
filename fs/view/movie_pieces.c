/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fs/mkv/reader.h"
#include "fs/view/movie_reading.h"

static void chunk_unref(void *c)
{
	store_chunk_unref(c);
}

static void slot_unref(void *s)
{
	mkv_slot_unref(s);
}

void movie_reading_begin(struct reading *r)
{
	r->pieces = g_array_new(FALSE, FALSE, sizeof(struct archive_piece));
	r->chunks = g_ptr_array_new_with_free_func(chunk_unref);
	r->slots = g_ptr_array_new_with_free_func(slot_unref);
	r->heads = g_ptr_array_new_with_free_func(g_free);
}

void movie_reading_end(struct reading *r)
{
	g_array_unref(r->pieces);
	g_ptr_array_unref(r->chunks);
	g_ptr_array_unref(r->slots);
	g_ptr_array_unref(r->heads);
}

void reading_add_bytes(struct reading *r, const void *bytes, int64_t n)
{
	const struct archive_piece p = {.map = bytes, .fd = -1, .n = (size_t)n};

	g_array_append_val(r->pieces, p);
	r->at += n;
}

static void add_zeros(struct reading *r, int64_t n)
{
	static const uint8_t zeros[64 << 10];

	while (n > 0) {
		int64_t part = MIN(n, (int64_t)sizeof(zeros));

		reading_add_bytes(r, zeros, part);
		n -= part;
	}
}

void reading_add_void(struct reading *r, int64_t start, int64_t end)
{
	uint8_t *head = g_malloc(MKV_VOID_HEAD_MAX);
	int64_t n = (int64_t)mkv_void_head((uint64_t)(end - start), head);
	int64_t skip = r->at - start;

	g_ptr_array_add(r->heads, head);
	if (skip < n)
		reading_add_bytes(r, head + skip,
				  MIN(n - skip, r->end - r->at));
	add_zeros(r, MIN(end, r->end) - r->at);
}

static void add_part(struct reading *r, struct store_chunk *c,
		     const struct mkv_piece *p)
{
	const uint8_t *map = store_chunk_map(c);
	const struct archive_piece piece = {
		.map = map ? map + p->at : NULL,
		.fd = store_chunk_fd(c),
		.offset = p->at,
		.n = (size_t)p->n,
	};

	g_array_append_val(r->pieces, piece);
	r->at += p->n;
}

void reading_slot_bounds(const struct reading *r, int64_t *ret_start,
			 int64_t *ret_end)
{
	const struct movie_layout *l = reading_layout(r);

	*ret_start = l->head_bytes + l->slots[r->slot].at;
	*ret_end = l->head_bytes + movie_layout_end(l, r->slot);
}

bool reading_add_slot(struct reading *r, struct mkv_slot *slot,
		      struct store_chunk *c)
{
	struct mkv_piece pieces[16];
	int64_t start, end;

	g_ptr_array_add(r->slots, mkv_slot_ref(slot));
	if (c)
		g_ptr_array_add(r->chunks, store_chunk_ref(c));
	reading_slot_bounds(r, &start, &end);
	g_assert(r->at >= start);
	end = MIN(end, r->end);
	while (r->at < end) {
		size_t n = mkv_slot_pieces(slot, r->at - start, end - r->at,
					   pieces, G_N_ELEMENTS(pieces));

		for (size_t i = 0; i < MIN(n, G_N_ELEMENTS(pieces)); i++) {
			const struct mkv_piece *p = &pieces[i];

			if (p->bytes)
				reading_add_bytes(r, p->bytes, p->n);
			else if (p->at < 0)
				add_zeros(r, p->n);
			else if (!c)
				return false;
			else if (p->at + p->n <= store_chunk_size(c))
				add_part(r, c, p);
			else /* fetched anew, it is not what it was */
				r->rc = -EIO;
			if (r->rc < 0)
				return true;
		}
	}
	return true;
}
