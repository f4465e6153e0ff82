/* SPDX-License-Identifier: MIT */
/* The blocks of a Cluster: from a clip, made audio, made payload. */
#include "tests/kvs-server/media_impl.h"

#include <string.h>

#include "tests/kvs-server/ebml.h"
#include "tests/kvs-server/grid.h"

#define CONNECT_HZ	 8000
#define CONNECT_BLOCK_MS 125

static uint64_t noise_key(const struct media *m, const struct frag *f)
{
	return hash_str(f->number, m->seed);
}

static void number_line(struct buf *b, const struct frag *f)
{
	buf_printf(b, "fragment %s\n", f->number);
}

/*
 * An SEI message that decoders skip: legal in front of any keyframe, so the
 * fragment plays, and no two fragments have the same bytes.
 */
static void sei(struct doc *d, const struct media *m, const struct frag *f)
{
	uint64_t noise = (uint64_t)m->o.unique_bytes;
	auto_buf line = {0};
	auto_buf head = {0};
	auto_buf size = {0};

	number_line(&line, f);
	uint64_t payload = 16 + line.n + noise;
	uint64_t nal = 2 + payload / 255 + 1 + payload + 1;
	uint8_t start[6] = {(uint8_t)(nal >> 24),
			    (uint8_t)(nal >> 16),
			    (uint8_t)(nal >> 8),
			    (uint8_t)nal,
			    0x06,
			    0x05};
	uint8_t last = (uint8_t)(payload % 255);

	buf_put(&head, start, sizeof(start));
	doc_small(d, &head);
	doc_add(d, (struct piece){.type = PIECE_FILL,
				  .key = 0xff,
				  .n = payload / 255});
	buf_put(&size, &last, 1);
	buf_put(&size, "kvs-server/sei!!", 16); /* a UUID */
	buf_put(&size, line.p, line.n);
	doc_small(d, &size);
	doc_add(d, (struct piece){.type = PIECE_NOISE,
				  .key = noise_key(m, f),
				  .n = noise});
	head.n = 0;
	buf_put(&head, "\x80", 1);
	doc_small(d, &head);
}

static void part_with_sei(struct doc *d, const struct media *m,
			  const struct frag *f, const struct part *p)
{
	const struct keyframe *k = &p->key;
	const uint8_t *head = p->body.p + k->data - k->head;
	struct doc extra = {0};
	auto_buf block = {0};
	auto_buf group = {0};

	sei(&extra, m, f);
	ebml_id(&block, m->o.block_groups ? ID_BLOCK : ID_SIMPLE_BLOCK);
	ebml_size(&block, k->head + extra.size + k->frame, 0);
	buf_put(&block, head, k->head);
	if (m->o.block_groups) {
		ebml_id(&group, ID_BLOCK_GROUP);
		ebml_size(&group,
			  block.n + extra.size + k->frame + k->rest_of_group,
			  0);
	}
	doc_free(&extra);
	doc_fixed(d, p->body.p, k->at);
	doc_small(d, &group);
	doc_small(d, &block);
	sei(d, m, f);
	doc_fixed(d, p->body.p + k->data, p->body.n - k->data);
}

static void extra_block(struct doc *d, const struct media *m,
			const struct frag *f, int64_t rel_ms)
{
	auto_buf line = {0};
	auto_buf head = {0};

	number_line(&line, f);
	block_head(&head, ID_SIMPLE_BLOCK, m->first_track,
		   rel_ms * 1000000 / m->o.timescale_ns, 0,
		   line.n + (uint64_t)m->o.unique_bytes);
	buf_put(&head, line.p, line.n);
	doc_small(d, &head);
	doc_add(d, (struct piece){.type = PIECE_NOISE,
				  .key = noise_key(m, f),
				  .n = (uint64_t)m->o.unique_bytes});
}

void doc_part(struct doc *d, const struct media *m, const struct frag *f,
	      const struct part *part, bool last)
{
	if (m->o.unique_bytes && part->key.found) {
		part_with_sei(d, m, f, part);
		return;
	}
	doc_fixed(d, part->body.p, part->body.n);
	if (m->o.unique_bytes && last)
		extra_block(d, m, f, part->last_ms);
}

int64_t connect_last_ms(const struct frag *f)
{
	int64_t n = f->spacing_ms / CONNECT_BLOCK_MS;

	return n > 1 ? (n - 1) * CONNECT_BLOCK_MS : 0;
}

void doc_connect(struct doc *d, const struct media *m, const struct frag *f)
{
	const uint64_t samples = CONNECT_HZ * CONNECT_BLOCK_MS / 1000;
	uint64_t first = (uint64_t)f->producer_ms * CONNECT_HZ / 1000;

	for (int64_t ms = 0; ms <= connect_last_ms(f); ms += CONNECT_BLOCK_MS)
		for (uint64_t track = 1; track <= 2; track++) {
			bool customer = (track == 1) != m->o.swap_tracks;
			auto_buf head = {0};

			block_head(&head, ID_SIMPLE_BLOCK, track,
				   ms * 1000000 / m->o.timescale_ns, 0x80,
				   samples * 2);
			doc_small(d, &head);
			doc_add(d,
				(struct piece){.type = PIECE_PCM,
					       .key = first +
						      (uint64_t)ms *
							      CONNECT_HZ / 1000,
					       .hz = customer ? 330 : 440,
					       .n = samples * 2});
		}
}

static uint64_t synthetic_bytes(const struct media *m, const struct frag *f)
{
	uint64_t jitter = (uint64_t)m->o.payload_jitter_bytes;
	uint64_t more = jitter ? hash64(m->seed ^ (uint64_t)f->index) % jitter
			       : 0;

	return (uint64_t)m->o.payload_bytes + more;
}

static uint64_t synthetic_blocks(const struct media *m, const struct frag *f)
{
	uint64_t block = (uint64_t)m->o.block_bytes;

	return (synthetic_bytes(m, f) + block - 1) / block;
}

int64_t synthetic_last_ms(const struct media *m, const struct frag *f)
{
	int64_t n = (int64_t)synthetic_blocks(m, f);

	return (n - 1) * f->spacing_ms / n;
}

void doc_synthetic(struct doc *d, const struct media *m, const struct frag *f)
{
	uint64_t left = synthetic_bytes(m, f), key = noise_key(m, f);
	uint64_t block = (uint64_t)m->o.block_bytes;
	int64_t n = (int64_t)synthetic_blocks(m, f);

	for (int64_t i = 0; i < n; i++, left -= block) {
		uint64_t take = left < block ? left : block;
		auto_buf head = {0};

		block_head(&head, ID_SIMPLE_BLOCK, 1,
			   i * f->spacing_ms / n * 1000000 / m->o.timescale_ns,
			   i ? 0 : 0x80, take);
		doc_small(d, &head);
		doc_add(d, (struct piece){.type = PIECE_NOISE,
					  .key = hash64(key + (uint64_t)i),
					  .n = take});
	}
}
