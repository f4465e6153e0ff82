/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/clip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/buf.h"

void clip_free(struct clip *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_clusters; i++)
		free(c->clusters[i].blocks);
	free(c->clusters);
	free(c->before);
	free(c->bytes);
	free(c->path);
	free(c);
}

static int read_file(struct clip *c)
{
	FILE *f = fopen(c->path, "rbe");
	long size;

	if (!f)
		return -errno;
	if (fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 ||
	    fseek(f, 0, SEEK_SET)) {
		fclose(f);
		return -EIO;
	}
	c->bytes = xcalloc(1, (size_t)size);
	c->size = fread(c->bytes, 1, (size_t)size, f);
	fclose(f);
	return c->size == (size_t)size ? 0 : -EIO;
}

const struct clip_track *clip_track(const struct clip *c, uint64_t number)
{
	for (size_t i = 0; i < c->n_tracks; i++)
		if (c->tracks[i].number == number)
			return &c->tracks[i];
	return NULL;
}

static void add_element(struct ebml **list, size_t *n, const struct ebml *e)
{
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = *e;
}

static void add_track(struct clip *c, const struct ebml *entry)
{
	struct clip_track t = {0};
	struct ebml e;

	if (c->n_tracks == CLIP_TRACKS)
		return;
	if (ebml_child(entry, ID_TRACK_NUMBER, &e))
		t.number = ebml_value(&e);
	if (ebml_child(entry, 0x23E383, &e)) /* DefaultDuration */
		t.frame_ns = ebml_value(&e);
	if (ebml_child(entry, ID_CODEC_ID, &e))
		snprintf(t.codec, sizeof(t.codec), "%.*s", (int)e.size,
			 (const char *)e.body);
	if (!strcmp(t.codec, "V_MPEG4/ISO/AVC") &&
	    ebml_child(entry, ID_CODEC_PRIVATE, &e) && e.size > 4)
		t.nal_length_bytes = (e.body[4] & 3) + 1;
	c->tracks[c->n_tracks++] = t;
}

static void read_head(struct clip *c, const struct ebml *e)
{
	const uint8_t *end = e->body + e->size;
	struct ebml x;

	if (e->id == ID_INFO) {
		if (ebml_child(e, ID_SCALE, &x))
			c->scale_ns = ebml_value(&x);
		if (ebml_child(e, ID_DURATION, &x)) {
			uint64_t bits = ebml_value(&x);
			double d = 0;
			float f;

			if (x.size == 8) {
				memcpy(&d, &bits, 8);
			} else if (x.size == 4) {
				uint32_t low = (uint32_t)bits;

				memcpy(&f, &low, 4);
				d = (double)f;
			}
			c->duration_ms =
				(int64_t)(d * (double)c->scale_ns / 1e6 + 0.5);
		}
	} else if (e->id == ID_TRACKS) {
		for (const uint8_t *p = e->body; ebml_read(p, end, &x);
		     p = x.body + x.size)
			if (x.id == ID_TRACK_ENTRY)
				add_track(c, &x);
	}
}

static void add_block(struct clip *c, struct clip_cluster *k,
		      const struct ebml *e, bool simple, bool key)
{
	struct clip_block b;
	size_t n = ebml_vint(e->body, e->body + e->size, &b.track);

	if (!n || e->size < n + 3)
		return;
	const uint8_t *p = e->body + n;
	int16_t rel = (int16_t)(p[0] << 8 | p[1]);

	b.at_ns = k->at_ns + rel * (int64_t)c->scale_ns;
	b.flags = simple ? p[2] : (uint8_t)((p[2] & 0x7f) | (key ? 0x80 : 0));
	b.data = p + 3;
	b.n = e->size - n - 3;
	if ((k->n_blocks & (k->n_blocks - 1)) == 0)
		k->blocks = xrealloc(k->blocks, (k->n_blocks * 2 + 1) *
							sizeof(*k->blocks));
	k->blocks[k->n_blocks++] = b;
}

static void read_cluster(struct clip *c, const struct ebml *cluster)
{
	const uint8_t *end = cluster->body + cluster->size;
	struct clip_cluster k = {0};
	struct ebml e, x;

	for (const uint8_t *p = cluster->body; ebml_read(p, end, &e);
	     p = e.body + e.size) {
		if (e.id == ID_TIMESTAMP)
			k.at_ns = (int64_t)(ebml_value(&e) * c->scale_ns);
		else if (e.id == ID_SIMPLE_BLOCK)
			add_block(c, &k, &e, true, false);
		else if (e.id == ID_BLOCK_GROUP && ebml_child(&e, ID_BLOCK, &x))
			add_block(c, &k, &x, false,
				  !ebml_child(&e, ID_REFERENCE_BLOCK,
					      &(struct ebml){0}));
	}
	if (!k.n_blocks)
		return;
	c->clusters = xrealloc(c->clusters,
			       (c->n_clusters + 1) * sizeof(*c->clusters));
	c->clusters[c->n_clusters++] = k;
}

static const char *parse(struct clip *c)
{
	const uint8_t *end = c->bytes + c->size;
	struct ebml segment, e;

	if (!ebml_read(c->bytes, end, &c->ebml) || c->ebml.id != ID_EBML)
		return "not a Matroska file";
	if (!ebml_read(c->ebml.body + c->ebml.size, end, &segment) ||
	    segment.id != ID_SEGMENT)
		return "no Segment";
	end = segment.body + segment.size;
	for (const uint8_t *p = segment.body; ebml_read(p, end, &e);
	     p = e.body + e.size) {
		if (e.unknown)
			return "a Cluster of unknown size";
		if (e.id == ID_CLUSTER) {
			read_cluster(c, &e);
		} else if (!c->n_clusters) {
			add_element(&c->before, &c->n_before, &e);
			read_head(c, &e);
		}
	}
	if (!c->n_clusters || !c->n_tracks || !c->scale_ns)
		return "no Cluster with blocks, or no Tracks";
	return NULL;
}

struct clip *clip_load(const char *path, char **ret_error)
{
	struct clip *c = xcalloc(1, sizeof(*c));

	c->path = xstrdup(path);
	c->scale_ns = 1000000;
	int rc = read_file(c);
	const char *why = rc ? strerror(-rc) : parse(c);

	if (why) {
		*ret_error = xprintf("clip %s: %s", path, why);
		clip_free(c);
		return NULL;
	}
	if (!c->duration_ms) {
		const struct clip_cluster *last =
			&c->clusters[c->n_clusters - 1];

		c->duration_ms =
			last->blocks[last->n_blocks - 1].at_ns / 1000000 + 1;
	}
	return c;
}
