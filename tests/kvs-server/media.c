/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/media_impl.h"

#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/ebml.h"

void block_head(struct buf *b, uint32_t id, uint64_t track, int64_t rel_units,
		uint8_t flags, uint64_t frame_bytes)
{
	uint8_t tail[3] = {(uint8_t)(rel_units >> 8), (uint8_t)rel_units,
			   flags};
	unsigned track_bytes = track < 127 ? 1 : 2;

	ebml_id(b, id);
	ebml_size(b, track_bytes + 3 + frame_bytes, 0);
	ebml_size(b, track, track_bytes);
	buf_put(b, tail, 3);
}

static size_t head_bytes(uint64_t track)
{
	return (track < 127 ? 1 : 2) + 3;
}

static void put_block(const struct media *m, struct part *p,
		      const struct clip_block *k, int64_t part_ns,
		      int64_t duration_ns)
{
	int64_t scale = m->o.timescale_ns;
	int64_t units = (k->at_ns - part_ns) / scale;
	const struct clip_track *t = clip_track(m->clip, k->track);
	size_t at = p->body.n, data, rest = 0;
	auto_buf head = {0};

	if (m->o.block_groups) {
		auto_buf after = {0};

		block_head(&head, ID_BLOCK, k->track, units, k->flags & 0x0e,
			   k->n);
		ebml_uint(&after, ID_BLOCK_DURATION,
			  (uint64_t)(duration_ns / scale));
		if (!(k->flags & 0x80)) /* the frame before it */
			ebml_bytes(&after, ID_REFERENCE_BLOCK, "\xff\x9c", 2);
		ebml_id(&p->body, ID_BLOCK_GROUP);
		ebml_size(&p->body, head.n + k->n + after.n, 0);
		buf_put(&p->body, head.p, head.n);
		data = p->body.n;
		buf_put(&p->body, k->data, k->n);
		buf_put(&p->body, after.p, after.n);
		rest = after.n;
	} else {
		block_head(&head, ID_SIMPLE_BLOCK, k->track, units, k->flags,
			   k->n);
		buf_put(&p->body, head.p, head.n);
		data = p->body.n;
		buf_put(&p->body, k->data, k->n);
	}
	p->last_ms = (k->at_ns - part_ns) / 1000000;
	if (!p->key.found && k->flags & 0x80 && !(k->flags & 0x06) && t &&
	    t->nal_length_bytes == 4)
		p->key = (struct keyframe){.found = true,
					   .at = at,
					   .data = data,
					   .head = head_bytes(k->track),
					   .frame = k->n,
					   .rest_of_group = rest};
}

static void make_template(const struct media *m, const struct clip_cluster *c,
			  struct template *t)
{
	size_t n = (size_t)m->o.clusters;

	if (n > c->n_blocks)
		n = c->n_blocks;
	t->parts = xcalloc(n, sizeof(*t->parts));
	t->n_parts = n;
	for (size_t k = 0; k < n; k++) {
		size_t lo = c->n_blocks * k / n;
		size_t hi = c->n_blocks * (k + 1) / n;
		int64_t part_ns = k ? c->blocks[lo].at_ns : c->at_ns;

		/* Cluster timestamps are whole units of the timescale. */
		part_ns -= (part_ns - c->at_ns) % 1000000;
		t->parts[k].rel_ms = (part_ns - c->at_ns) / 1000000;
		for (size_t i = lo; i < hi; i++) {
			const struct clip_track *tr =
				clip_track(m->clip, c->blocks[i].track);

			put_block(m, &t->parts[k], &c->blocks[i], part_ns,
				  tr ? (int64_t)tr->frame_ns : 0);
		}
	}
	int64_t first = INT64_MAX, last = INT64_MIN;

	for (size_t i = 0; i < c->n_blocks; i++) {
		if (c->blocks[i].at_ns < first)
			first = c->blocks[i].at_ns;
		if (c->blocks[i].at_ns > last)
			last = c->blocks[i].at_ns;
	}
	t->less_last_ms = (last - first) / 1000000;
}

void media_body_clip(struct media *m)
{
	m->n_templates = m->clip->n_clusters;
	m->templates = xcalloc(m->n_templates, sizeof(*m->templates));
	for (size_t i = 0; i < m->n_templates; i++)
		make_template(m, &m->clip->clusters[i], &m->templates[i]);
}

struct media *media_new(const struct media_opts *o, const struct clip *clip,
			uint64_t seed)
{
	struct media *m = xcalloc(1, sizeof(*m));

	m->o = *o;
	m->seed = seed;
	m->clip = clip;
	m->first_track = clip ? clip->tracks[0].number : 1;
	if (o->kind == MEDIA_CLIP) {
		media_head_clip(m);
		media_body_clip(m);
	} else {
		media_head_made(m);
	}
	return m;
}

void media_free(struct media *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_templates; i++) {
		for (size_t k = 0; k < m->templates[i].n_parts; k++)
			buf_free(&m->templates[i].parts[k].body);
		free(m->templates[i].parts);
	}
	free(m->templates);
	buf_free(&m->head);
	buf_free(&m->tail);
	free(m);
}

int64_t media_listed_length_ms(const struct media *m, const struct frag *f)
{
	if (f->length_ms >= 0)
		return f->length_ms;
	if (m->o.length == LENGTH_ZERO || !m->o.clusters)
		return 0;
	if (m->o.length == LENGTH_FULL)
		return f->spacing_ms;
	if (m->o.kind == MEDIA_CONNECT)
		return connect_last_ms(f);
	if (m->o.kind == MEDIA_SYNTHETIC)
		return synthetic_last_ms(m, f);
	return m->templates[(uint64_t)f->index % m->n_templates].less_last_ms;
}

int64_t media_listed_size(const struct media *m, const struct frag *f)
{
	struct doc d = {0};

	if (f->size_bytes >= 0)
		return f->size_bytes;
	doc_fragment(&d, m, f, true);
	double size = (double)d.size * m->o.size_scale + (double)m->o.size_add;

	doc_free(&d);
	return size < 0 ? 0 : (int64_t)size;
}
