/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/ebml.h"

#include <string.h>

size_t ebml_vint(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
	if (p >= end || !*p)
		return 0;
	size_t n = (size_t)__builtin_clz((unsigned)*p << 24) + 1;

	if ((size_t)(end - p) < n)
		return 0;
	uint64_t v = *p & (0xffu >> n);

	for (size_t i = 1; i < n; i++)
		v = v << 8 | p[i];
	*ret = v;
	return n;
}

bool ebml_read(const uint8_t *p, const uint8_t *end, struct ebml *ret)
{
	if (p >= end || *p < 0x10)
		return false;
	size_t id_len = (size_t)__builtin_clz((unsigned)*p << 24) + 1;

	if ((size_t)(end - p) <= id_len)
		return false;
	struct ebml e = {.head = p};

	for (size_t i = 0; i < id_len; i++)
		e.id = e.id << 8 | p[i];
	uint64_t size = 0;
	size_t n = ebml_vint(p + id_len, end, &size);

	if (!n)
		return false;
	e.body = p + id_len + n;
	e.unknown = size == (UINT64_C(1) << (7 * n)) - 1;
	if (e.unknown)
		size = (uint64_t)(end - e.body);
	if (size > (uint64_t)(end - e.body))
		return false;
	e.size = (size_t)size;
	*ret = e;
	return true;
}

bool ebml_child(const struct ebml *parent, uint32_t id, struct ebml *ret)
{
	const uint8_t *end = parent->body + parent->size;
	struct ebml e;

	for (const uint8_t *p = parent->body; ebml_read(p, end, &e);
	     p = e.body + e.size)
		if (e.id == id) {
			*ret = e;
			return true;
		}
	return false;
}

uint64_t ebml_value(const struct ebml *e)
{
	uint64_t v = 0;

	for (size_t i = 0; i < e->size && i < 8; i++)
		v = v << 8 | e->body[i];
	return v;
}

static void big_endian(struct buf *b, uint64_t v, unsigned n)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	buf_put(b, bytes, n);
}

void ebml_id(struct buf *b, uint32_t id)
{
	big_endian(b, id,
		   id > 0xffffff ? 4
		   : id > 0xffff ? 3
		   : id > 0xff	 ? 2
				 : 1);
}

void ebml_size(struct buf *b, uint64_t size, unsigned width)
{
	if (!width)
		for (width = 1; size >= (UINT64_C(1) << (7 * width)) - 1;)
			width++;
	big_endian(b, size | UINT64_C(1) << (7 * width), width);
}

void ebml_unknown_size(struct buf *b, unsigned width)
{
	big_endian(b, (UINT64_C(1) << (7 * width + 1)) - 1, width);
}

void ebml_uint(struct buf *b, uint32_t id, uint64_t value)
{
	unsigned n = 1;

	while (n < 8 && value >> (8 * n))
		n++;
	ebml_id(b, id);
	ebml_size(b, n, 0);
	big_endian(b, value, n);
}

void ebml_float(struct buf *b, uint32_t id, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	ebml_id(b, id);
	ebml_size(b, 8, 0);
	big_endian(b, bits, 8);
}

void ebml_string(struct buf *b, uint32_t id, const char *s)
{
	ebml_bytes(b, id, s, strlen(s));
}

void ebml_bytes(struct buf *b, uint32_t id, const void *p, size_t n)
{
	ebml_id(b, id);
	ebml_size(b, n, 0);
	buf_put(b, p, n);
}

void ebml_void(struct buf *b, size_t n)
{
	unsigned width = n < 100 ? 1 : 8;

	ebml_id(b, ID_VOID);
	ebml_size(b, n - 1 - width, width);
	buf_fill(b, 0, n - 1 - width);
}

size_t ebml_open(struct buf *b, uint32_t id, unsigned width)
{
	ebml_id(b, id);
	size_t mark = b->n;

	buf_fill(b, 0, width);
	return mark;
}

void ebml_close(struct buf *b, size_t mark, unsigned width)
{
	uint64_t size = (b->n - mark - width) | UINT64_C(1) << (7 * width);

	for (unsigned i = 0; i < width; i++)
		b->p[mark + i] = (uint8_t)(size >> (8 * (width - 1 - i)));
}
