/* SPDX-License-Identifier: MIT */
#include "fs/mkv/slot_scan.h"

#include <errno.h>

#include "fs/mkv/ids.h"
#include "fs/mkv/walk.h"

/* A fragment of 20 s holds some thousand blocks; what is left out between them
   makes as many ranges at most.  More is not media. */
#define RANGES_MAX 200000
/* Block, duration, references, additions: ten would be many. */
#define GROUP_ELEMENTS_MAX 64

#define BLOCK_HEAD_MAX	    (EBML_SIZE_MAX + 3) /* track, time, flags */
#define SIMPLE_BLOCK_IS_KEY 0x80

/* The block that says when the fragment is: a keyframe of the cue track, else
   any block of it, else any.  Better ones have a higher rank. */
enum key_rank {
	KEY_NONE,
	KEY_ANY_BLOCK,
	KEY_CUE_TRACK,
	KEY_FRAME,
};

struct scanning {
	const struct mkv_source *source;
	uint64_t cue_track;
	struct slot_scan *scan;
	enum key_rank rank;
	guint key_cluster;
	int16_t key_relative;
};

static struct slot_cluster *cluster_at(const struct slot_scan *scan, guint i)
{
	return &g_array_index(scan->clusters, struct slot_cluster, i);
}

/* ---- blocks ------------------------------------------------------------- */

struct block {
	uint64_t track;
	int16_t relative;
	uint8_t flags;
};

static size_t room_for(int64_t at, int64_t end, size_t n)
{
	return (size_t)MIN((int64_t)n, end - at);
}

/* Track as a size is written, 16 bits of time, flags (RFC 9559, 10.1). */
static int block_read(const struct mkv_source *source, int64_t at, int64_t end,
		      struct block *ret_block)
{
	uint8_t bytes[BLOCK_HEAD_MAX];
	size_t n = room_for(at, end, sizeof(bytes)), width = 1;
	int rc = n > 0 ? source->read(source->user, bytes, n, at) : -EBADMSG;

	if (rc < 0)
		return rc;
	while (width <= EBML_SIZE_MAX && !(bytes[0] & 0x100 >> width))
		width++;
	if (width > EBML_SIZE_MAX || width + 3 > n)
		return -EBADMSG;
	ret_block->track = bytes[0] & (0xff >> width);
	for (size_t i = 1; i < width; i++)
		ret_block->track = ret_block->track << 8 | bytes[i];
	ret_block->relative = (int16_t)(bytes[width] << 8 | bytes[width + 1]);
	ret_block->flags = bytes[width + 2];
	return 0;
}

/* A group's Block; a key where it refers to no other. */
static int group_read(const struct mkv_source *source, int64_t at, int64_t end,
		      struct block *ret_block)
{
	bool found = false, refers = false;
	int rc = 0;

	for (int i = 0; i < GROUP_ELEMENTS_MAX && at < end && rc == 0; i++) {
		uint8_t bytes[EBML_HEAD_MAX];
		size_t n = room_for(at, end, sizeof(bytes));
		struct ebml_head head;

		rc = source->read(source->user, bytes, n, at);
		if (rc < 0)
			return rc;
		if (ebml_head_read(bytes, n, &head) < 0 ||
		    head.size == EBML_UNKNOWN ||
		    head.size > (uint64_t)(end - at) - head.n)
			return -EBADMSG;
		at += head.n;
		if (head.id == MKV_BLOCK && !found) {
			rc = block_read(source, at, at + (int64_t)head.size,
					ret_block);
			found = true;
		}
		refers |= head.id == MKV_REFERENCE_BLOCK;
		at += (int64_t)head.size;
	}
	if (rc == 0 && !found)
		return -EBADMSG;
	ret_block->flags = refers ? 0 : SIMPLE_BLOCK_IS_KEY;
	return rc;
}

static int look_at_block(struct scanning *s, const struct mkv_place *p)
{
	struct block b = {0};
	enum key_rank rank = KEY_ANY_BLOCK;
	int rc;

	if (s->rank == KEY_FRAME)
		return 0;
	rc = p->id == MKV_SIMPLE_BLOCK
		     ? block_read(s->source, p->body_at, p->end, &b)
		     : group_read(s->source, p->body_at, p->end, &b);
	if (rc < 0)
		return rc;
	if (b.track == s->cue_track)
		rank = b.flags & SIMPLE_BLOCK_IS_KEY ? KEY_FRAME
						     : KEY_CUE_TRACK;
	if (rank > s->rank) {
		s->rank = rank;
		s->key_cluster = s->scan->clusters->len - 1;
		s->key_relative = b.relative;
	}
	return 0;
}

/* ---- Clusters ----------------------------------------------------------- */

static int read_time(struct scanning *s, const struct mkv_place *p)
{
	struct slot_cluster *c = cluster_at(s->scan,
					    s->scan->clusters->len - 1);
	uint8_t bytes[EBML_UINT_MAX];
	size_t n = (size_t)(p->end - p->body_at);
	int rc;

	if (p->end - p->body_at > EBML_UINT_MAX || c->has_time)
		return -EBADMSG;
	rc = n ? s->source->read(s->source->user, bytes, n, p->body_at) : 0;
	if (rc == 0)
		rc = ebml_uint((struct ebml_span){bytes, n}, &c->time);
	c->has_time = true;
	return rc;
}

static int add_range(struct scanning *s, int64_t at, int64_t end)
{
	GArray *ranges = s->scan->ranges;
	struct slot_cluster *c = cluster_at(s->scan,
					    s->scan->clusters->len - 1);
	struct slot_range *last = ranges->len > c->first_range
					  ? &g_array_index(ranges,
							   struct slot_range,
							   ranges->len - 1)
					  : NULL;
	const struct slot_range range = {at, end - at};

	c->bytes += range.n;
	if (last && last->at + last->n == at) {
		last->n += range.n;
		return 0;
	}
	if (ranges->len >= RANGES_MAX)
		return -EBADMSG;
	g_array_append_val(ranges, range);
	return 0;
}

static int in_cluster(struct scanning *s, const struct mkv_place *p)
{
	int rc = 0;

	switch (p->id) {
	case MKV_TIMESTAMP:
		return read_time(s, p);
	case MKV_CRC32:
	case MKV_POSITION:
	case MKV_PREV_SIZE:
	case MKV_VOID:
		return 0;
	case MKV_SIMPLE_BLOCK:
	case MKV_BLOCK_GROUP:
		rc = look_at_block(s, p);
		break;
	default:
		break;
	}
	return rc < 0 ? rc : add_range(s, p->at, p->end);
}

static int add_cluster(struct scanning *s)
{
	const struct slot_cluster c = {.first_range = s->scan->ranges->len};

	if (s->scan->clusters->len >= RANGES_MAX)
		return -EBADMSG;
	g_array_append_val(s->scan->clusters, c);
	return 0;
}

/* b - a, held where no sum of some of them overflows. */
static int64_t distance(uint64_t a, uint64_t b)
{
	const uint64_t far = UINT64_C(1) << 60;

	return b >= a ? (int64_t)MIN(b - a, far) : -(int64_t)MIN(a - b, far);
}

int64_t slot_scan_distance(const struct slot_scan *scan, guint cluster)
{
	return distance(cluster_at(scan, 0)->time,
			cluster_at(scan, cluster)->time);
}

static int finish(struct scanning *s)
{
	struct slot_scan *scan = s->scan;

	if (scan->clusters->len == 0)
		return -ENODATA;
	for (guint i = 0; i < scan->clusters->len; i++)
		if (!cluster_at(scan, i)->has_time)
			return -EBADMSG;
	if (s->rank != KEY_NONE)
		scan->key_ticks = s->key_relative +
				  slot_scan_distance(scan, s->key_cluster);
	return 0;
}

int slot_scan(const struct mkv_source *source, uint64_t cue_track,
	      struct slot_scan *ret_scan)
{
	struct scanning s = {
		.source = source, .cue_track = cue_track, .scan = ret_scan};
	struct mkv_walk w;
	struct mkv_place p;
	int rc;

	*ret_scan = (struct slot_scan){
		.clusters = g_array_new(FALSE, FALSE,
					sizeof(struct slot_cluster)),
		.ranges = g_array_new(FALSE, FALSE, sizeof(struct slot_range)),
	};
	mkv_walk_init(&w, source);
	while ((rc = mkv_walk_next(&w, &p)) > 0) {
		if (p.id == MKV_CLUSTER)
			rc = add_cluster(&s);
		else if (p.level == 2)
			rc = in_cluster(&s, &p);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? rc : finish(&s);
}

void slot_scan_release(struct slot_scan *scan)
{
	g_clear_pointer(&scan->clusters, g_array_unref);
	g_clear_pointer(&scan->ranges, g_array_unref);
}
