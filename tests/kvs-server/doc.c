/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/media_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/ebml.h"

#define TAG_SIZE_BYTES 4 /* all sizes in the service's own tags */

void doc_add(struct doc *d, struct piece p)
{
	if (!p.n)
		return;
	if (d->n_pieces == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 16;
		d->pieces = xrealloc(d->pieces, d->cap * sizeof(p));
	}
	d->pieces[d->n_pieces++] = p;
	d->size += p.n;
}

void doc_fixed(struct doc *d, const void *p, size_t n)
{
	doc_add(d, (struct piece){.type = PIECE_FIXED, .fixed = p, .n = n});
}

void doc_small(struct doc *d, const struct buf *b)
{
	size_t at = d->small.n;

	buf_put(&d->small, b->p, b->n);
	doc_add(d, (struct piece){.type = PIECE_SMALL, .small = at, .n = b->n});
}

static void wide_string(struct buf *b, uint32_t id, const char *s)
{
	ebml_id(b, id);
	ebml_size(b, strlen(s), TAG_SIZE_BYTES);
	buf_str(b, s);
}

static void wide_tags(struct buf *b, const char *const (*tags)[2], size_t n)
{
	size_t all = ebml_open(b, ID_TAGS, TAG_SIZE_BYTES);
	size_t tag = ebml_open(b, ID_TAG, TAG_SIZE_BYTES);

	for (size_t i = 0; i < n; i++) {
		size_t one = ebml_open(b, ID_SIMPLE_TAG, TAG_SIZE_BYTES);

		wide_string(b, ID_TAG_NAME, tags[i][0]);
		wide_string(b, ID_TAG_STRING, tags[i][1]);
		ebml_close(b, one, TAG_SIZE_BYTES);
	}
	ebml_close(b, tag, TAG_SIZE_BYTES);
	ebml_close(b, all, TAG_SIZE_BYTES);
}

static void seconds(int64_t ms, char out[32])
{
	snprintf(out, 32, "%s%lld.%03d", ms < 0 ? "-" : "",
		 llabs((long long)ms) / 1000,
		 (int)(llabs((long long)ms) % 1000));
}

static void aws_tags(struct doc *d, const struct media *m, const struct frag *f)
{
	char server[32], producer[32];
	auto_buf b = {0};

	seconds(f->server_ms, server);
	seconds(f->producer_ms, producer);
	const char *const tags[3][2] = {
		{"AWS_KINESISVIDEO_FRAGMENT_NUMBER", f->number},
		{m->o.side_tags ? "AWS_KINESISVIDEO_SERVER_SIDE_TIMESTAMP"
				: "AWS_KINESISVIDEO_SERVER_TIMESTAMP",
		 server},
		{m->o.side_tags ? "AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP"
				: "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP",
		 producer},
	};
	wide_tags(&b, tags, 3);
	doc_small(d, &b);
}

static uint32_t crc_of_pieces(const struct doc *d, uint64_t at, uint64_t end)
{
	uint8_t chunk[16384];
	uint32_t crc = 0;

	while (at < end) {
		uint64_t want = end - at < sizeof(chunk) ? end - at
							 : sizeof(chunk);
		size_t n = doc_read(d, at, chunk, (size_t)want);

		crc = crc32_update(crc, chunk, n);
		at += n;
	}
	return crc;
}

static void cluster_head(struct buf *b, const struct media *m, uint64_t size)
{
	ebml_id(b, ID_CLUSTER);
	switch (m->o.cluster_size) {
	case CLUSTER_KNOWN:
		ebml_size(b, size, 8);
		break;
	case CLUSTER_SHORT:
		ebml_size(b, size, 0);
		break;
	case CLUSTER_UNKNOWN:
		ebml_unknown_size(b, 1);
		break;
	case CLUSTER_UNKNOWN_LONG:
		ebml_unknown_size(b, 8);
		break;
	}
}

static void cluster_times(struct buf *b, const struct media *m,
			  const struct frag *f, int64_t rel_ms)
{
	int64_t ms = (m->o.absolute ? f->producer_ms : f->session_ms) + rel_ms;

	ebml_uint(b, ID_TIMESTAMP,
		  (uint64_t)(ms < 0 ? 0 : ms) * 1000000 /
			  (uint64_t)m->o.timescale_ns);
	if (m->o.position)
		ebml_uint(b, ID_POSITION,
			  0x1000000 + (uint64_t)f->index % 1000 * 4096);
	if (m->o.prev_size)
		ebml_uint(b, ID_PREV_SIZE, 0x4000 + (uint64_t)f->index % 1000);
}

static void blocks(struct doc *d, const struct media *m, const struct frag *f,
		   const struct template *t, size_t k)
{
	if (t)
		doc_part(d, m, f, &t->parts[k], k + 1 == t->n_parts);
	else if (m->o.kind == MEDIA_CONNECT)
		doc_connect(d, m, f);
	else
		doc_synthetic(d, m, f);
}

static void cluster(struct doc *d, const struct media *m, const struct frag *f,
		    const struct template *t, size_t k, bool only_size)
{
	struct doc content = {0};
	auto_buf head = {0};
	auto_buf times = {0};

	cluster_times(&times, m, f, t ? t->parts[k].rel_ms : 0);
	doc_small(&content, &times);
	blocks(&content, m, f, t, k);
	cluster_head(&head, m, content.size + (m->o.crc32 ? 6 : 0));
	if (m->o.crc32) {
		uint32_t crc = only_size ? 0
					 : crc_of_pieces(&content, 0,
							 content.size);
		uint8_t le[4] = {(uint8_t)crc, (uint8_t)(crc >> 8),
				 (uint8_t)(crc >> 16), (uint8_t)(crc >> 24)};

		ebml_bytes(&head, ID_CRC32, le, 4);
	}
	doc_small(d, &head);
	size_t base = d->small.n;

	buf_put(&d->small, content.small.p, content.small.n);
	for (size_t i = 0; i < content.n_pieces; i++) {
		struct piece p = content.pieces[i];

		p.small += base;
		doc_add(d, p);
	}
	doc_free(&content);
}

void doc_fragment(struct doc *d, const struct media *m, const struct frag *f,
		  bool only_size)
{
	const struct template *t = NULL;
	size_t n = m->o.clusters ? 1 : 0;

	if (m->n_templates && n) {
		t = &m->templates[(uint64_t)f->index % m->n_templates];
		n = t->n_parts;
	}
	*d = (struct doc){0};
	doc_fixed(d, m->head.p, m->head.n);
	aws_tags(d, m, f);
	for (size_t k = 0; k < n; k++)
		cluster(d, m, f, t, k, only_size);
	doc_fixed(d, m->tail.p, m->tail.n);
}

void doc_error(struct doc *d, const char *number, bool exception_spelling,
	       int id, const char *code)
{
	auto_buf b = {0};
	char digits[16];

	*d = (struct doc){0};
	snprintf(digits, sizeof(digits), "%d", id);
	size_t mark = ebml_open(&b, ID_EBML, 1);

	ebml_string(&b, ID_DOCTYPE, "matroska");
	ebml_uint(&b, 0x4287, 2);
	ebml_uint(&b, 0x4285, 2);
	ebml_close(&b, mark, 1);
	ebml_id(&b, ID_SEGMENT);
	ebml_unknown_size(&b, 8);
	const char *const error[3][2] = {
		{"AWS_KINESISVIDEO_ERROR_CODE", code},
		{"AWS_KINESISVIDEO_ERROR_ID", digits},
		{"AWS_KINESISVIDEO_FRAGMENT_NUMBER", number},
	};
	const char *const exception[3][2] = {
		{"AWS_KINESISVIDEO_FRAGMENT_NUMBER", number},
		{"AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE", digits},
		{"AWS_KINESISVIDEO_EXCEPTION_MESSAGE", code},
	};

	wide_tags(&b, exception_spelling ? exception : error, 3);
	doc_small(d, &b);
}

void doc_free(struct doc *d)
{
	free(d->pieces);
	buf_free(&d->small);
	*d = (struct doc){0};
}
