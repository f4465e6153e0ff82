/* SPDX-License-Identifier: MIT */
#include "fs/mkv/ebml.h"

#include <errno.h>
#include <string.h>

/* The size field that ebml_open() leaves room for; the service's own width. */
#define OPEN_SIZE_BYTES 4

/* How many bytes a variable-length integer has, from its first; 0: too many. */
static unsigned vint_bytes(uint8_t first, unsigned max)
{
	unsigned n = first ? (unsigned)__builtin_clz(first) - 24 + 1 : 9;

	return n <= max ? n : 0;
}

static uint64_t load(const uint8_t *at, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | at[i];
	return value;
}

int ebml_head_read(const uint8_t *bytes, size_t n, struct ebml_head *ret_head)
{
	struct ebml_head head;
	unsigned id_n, size_n;
	uint64_t mask;

	if (!n)
		return -EAGAIN;
	id_n = vint_bytes(bytes[0], EBML_ID_MAX);
	if (!id_n)
		return -EBADMSG;
	if (n <= id_n)
		return -EAGAIN;

	/* All ones and all zeros are no IDs (RFC 8794, 5). */
	head.id = (uint32_t)load(bytes, id_n);
	mask = (UINT64_C(1) << (7 * id_n)) - 1;
	if ((head.id & mask) == mask || !(head.id & mask))
		return -EBADMSG;

	size_n = vint_bytes(bytes[id_n], EBML_SIZE_MAX);
	if (!size_n)
		return -EBADMSG;
	if (n < id_n + size_n)
		return -EAGAIN;
	mask = (UINT64_C(1) << (7 * size_n)) - 1;
	head.size = load(bytes + id_n, size_n) & mask;
	if (head.size == mask)
		head.size = EBML_UNKNOWN;
	head.n = id_n + size_n;
	*ret_head = head;
	return 0;
}

int ebml_next(struct ebml_span *rest, struct ebml_element *ret_element)
{
	struct ebml_head head;

	if (!rest->n)
		return 0;
	if (ebml_head_read(rest->at, rest->n, &head) < 0)
		return -EBADMSG;
	if (head.size > rest->n - head.n)
		return -EBADMSG;

	ret_element->id = head.id;
	ret_element->whole.at = rest->at;
	ret_element->whole.n = head.n + (size_t)head.size;
	ret_element->body.at = rest->at + head.n;
	ret_element->body.n = (size_t)head.size;
	rest->at += ret_element->whole.n;
	rest->n -= ret_element->whole.n;
	return 1;
}

int ebml_uint(struct ebml_span body, uint64_t *ret_value)
{
	if (body.n > EBML_UINT_MAX)
		return -EBADMSG;
	*ret_value = load(body.at, body.n);
	return 0;
}

int ebml_float(struct ebml_span body, double *ret_value)
{
	uint64_t bits64;
	uint32_t bits32;
	float narrow;

	switch (body.n) {
	case 0:
		*ret_value = 0;
		return 0;
	case 4:
		bits32 = (uint32_t)load(body.at, 4);
		memcpy(&narrow, &bits32, sizeof(narrow));
		*ret_value = narrow;
		return 0;
	case 8:
		bits64 = load(body.at, 8);
		memcpy(ret_value, &bits64, sizeof(*ret_value));
		return 0;
	default:
		return -EBADMSG;
	}
}

struct ebml_span ebml_string(struct ebml_span body)
{
	const uint8_t *nul = body.n ? memchr(body.at, 0, body.n) : NULL;

	if (nul)
		body.n = (size_t)(nul - body.at);
	return body;
}

bool ebml_string_is(struct ebml_span s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.at, text, s.n);
}

void ebml_store(uint8_t *at, size_t n, uint64_t value)
{
	while (n--) {
		at[n] = (uint8_t)value;
		value >>= 8;
	}
}

static void put_id(GByteArray *out, uint32_t id)
{
	uint8_t bytes[EBML_ID_MAX];
	unsigned n = id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;

	ebml_store(bytes, n, id);
	g_byte_array_append(out, bytes, n);
}

static void put_size(GByteArray *out, uint64_t size, unsigned n)
{
	uint8_t bytes[EBML_SIZE_MAX];

	ebml_store(bytes, n, size | UINT64_C(1) << (7 * n));
	g_byte_array_append(out, bytes, n);
}

void ebml_put_head(GByteArray *out, uint32_t id, uint64_t size)
{
	unsigned n = 1;

	put_id(out, id);
	if (size == EBML_UNKNOWN) {
		put_size(out, (UINT64_C(1) << 56) - 1, EBML_SIZE_MAX);
		return;
	}
	while (n < EBML_SIZE_MAX && size >= (UINT64_C(1) << (7 * n)) - 1)
		n++;
	put_size(out, size, n);
}

void ebml_put_bytes(GByteArray *out, uint32_t id, struct ebml_span body)
{
	ebml_put_head(out, id, body.n);
	if (body.n)
		g_byte_array_append(out, body.at, (guint)body.n);
}

void ebml_put_text(GByteArray *out, uint32_t id, const char *text)
{
	struct ebml_span body = {(const uint8_t *)text, strlen(text)};

	ebml_put_bytes(out, id, body);
}

void ebml_put_uint(GByteArray *out, uint32_t id, uint64_t value)
{
	uint8_t bytes[EBML_UINT_MAX];
	size_t n = 1;

	while (n < EBML_UINT_MAX && value >> (8 * n))
		n++;
	ebml_store(bytes, n, value);
	ebml_put_bytes(out, id, (struct ebml_span){bytes, n});
}

void ebml_put_uint64(GByteArray *out, uint32_t id, uint64_t value)
{
	uint8_t bytes[8];

	ebml_store(bytes, sizeof(bytes), value);
	ebml_put_bytes(out, id, (struct ebml_span){bytes, sizeof(bytes)});
}

void ebml_put_float(GByteArray *out, uint32_t id, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	ebml_put_uint64(out, id, bits);
}

void ebml_put_date(GByteArray *out, uint32_t id, int64_t ns)
{
	ebml_put_uint64(out, id, (uint64_t)ns);
}

size_t ebml_open(GByteArray *out, uint32_t id)
{
	put_id(out, id);
	put_size(out, 0, OPEN_SIZE_BYTES);
	return out->len;
}

void ebml_close(GByteArray *out, size_t opened)
{
	ebml_store(out->data + opened - OPEN_SIZE_BYTES, OPEN_SIZE_BYTES,
		   (out->len - opened) | UINT64_C(1) << (7 * OPEN_SIZE_BYTES));
}
