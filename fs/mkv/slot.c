/* SPDX-License-Identifier: MIT */
#include "fs/mkv/slot.h"

#include <errno.h>
#include <glib.h>
#include <stdatomic.h>

#include "fs/mkv/ebml.h"
#include "fs/mkv/ids.h"
#include "fs/mkv/slot_clock.h"
#include "fs/mkv/slot_scan.h"

#define CLUSTER_HEAD_BYTES 12 /* 4-byte ID, 8-byte size */
#define TIMESTAMP_BYTES	   10 /* 1-byte ID, 1-byte size, 8 bytes */
#define OWN_BYTES	   (CLUSTER_HEAD_BYTES + TIMESTAMP_BYTES)
#define VOID_LONG_BYTES	   9 /* 1-byte ID, 8-byte size */
#define VOID_MIN_BYTES	   2

enum part_kind {
	PART_OWN,   /* at is in own */
	PART_FILE,  /* at is in the fragment's file */
	PART_ZEROS, /* at is nothing */
};

/* Up to where the next one begins. */
struct part {
	int64_t start; /* in the slot */
	int64_t at;
	enum part_kind kind;
};

struct mkv_slot {
	_Atomic int refs;
	int64_t bytes;
	GByteArray *own;
	GArray *parts; /* struct part */
};

/* ---- parts -------------------------------------------------------------- */

/* A slot that is being put together. */
struct putting {
	struct mkv_slot *slot;
	int64_t end; /* of what is there */
};

static void put(struct putting *p, enum part_kind kind, int64_t at, int64_t n)
{
	const struct part part = {p->end, at, kind};

	if (n == 0)
		return;
	g_array_append_val(p->slot->parts, part);
	p->end += n;
}

static void put_own(struct putting *p, const void *bytes, size_t n)
{
	int64_t at = p->slot->own->len;

	g_byte_array_append(p->slot->own, bytes, (guint)n);
	put(p, PART_OWN, at, (int64_t)n);
}

/* ---- time --------------------------------------------------------------- */

static int64_t first_ticks(const struct slot_scan *scan,
			   const struct mkv_slot_spec *spec)
{
	return CLAMP(spec->at_ticks - scan->key_ticks, spec->from_ticks,
		     spec->to_ticks);
}

/* UTC at the first Cluster. */
static int64_t first_wall_ms(const struct mkv_slot_spec *spec, int64_t first)
{
	__int128 ns = (__int128)(first - spec->at_ticks) *
		      (__int128)spec->scale_ns;

	return spec->wall_ms + (int64_t)(ns / 1000000);
}

/* ---- putting together
 * --------------------------------------------------------- */

static void put_cluster(struct putting *p, const struct slot_scan *scan,
			guint i, int64_t ticks, const GByteArray *clock)
{
	const struct slot_cluster *c = &g_array_index(scan->clusters,
						      struct slot_cluster, i);
	guint end = i + 1 < scan->clusters->len ? c[1].first_range
						: scan->ranges->len;
	uint64_t size = (uint64_t)(TIMESTAMP_BYTES + clock->len + c->bytes);
	uint8_t own[OWN_BYTES];

	ebml_store(own, 4, MKV_CLUSTER);
	ebml_store(own + 4, 8, size | UINT64_C(1) << 56);
	own[CLUSTER_HEAD_BYTES] = MKV_TIMESTAMP & 0xff;
	own[CLUSTER_HEAD_BYTES + 1] = 0x80 | 8;
	ebml_store(own + CLUSTER_HEAD_BYTES + 2, 8, (uint64_t)ticks);
	put_own(p, own, sizeof(own));
	put_own(p, clock->data, clock->len);
	for (guint k = c->first_range; k < end; k++) {
		const struct slot_range *r =
			&g_array_index(scan->ranges, struct slot_range, k);

		put(p, PART_FILE, r->at, r->n);
	}
}

static void put_void(struct putting *p)
{
	int64_t rest = p->slot->bytes - p->end;
	uint8_t head[VOID_LONG_BYTES] = {MKV_VOID};
	size_t n = rest >= VOID_LONG_BYTES ? VOID_LONG_BYTES : VOID_MIN_BYTES;

	if (rest == 0)
		return;
	if (n == VOID_LONG_BYTES)
		ebml_store(head + 1, 8,
			   (uint64_t)(rest - VOID_LONG_BYTES) | UINT64_C(1)
									<< 56);
	else
		head[1] = (uint8_t)(0x80 | (rest - VOID_MIN_BYTES));
	put_own(p, head, n);
	put(p, PART_ZEROS, 0, rest - (int64_t)n);
}

static void put_all(struct mkv_slot *slot, const struct slot_scan *scan,
		    const struct mkv_slot_spec *spec, const GByteArray *clock)
{
	static const GByteArray none = {0};
	struct putting p = {.slot = slot};
	int64_t first = first_ticks(scan, spec), last = first;

	for (guint i = 0; i < scan->clusters->len; i++) {
		int64_t ticks = first + slot_scan_distance(scan, i);

		last = CLAMP(ticks, last, MAX(last, spec->to_ticks));
		put_cluster(&p, scan, i, last, i == 0 ? clock : &none);
	}
	put_void(&p);
}

static int64_t media_bytes(const struct slot_scan *scan)
{
	int64_t bytes = 0;

	for (guint i = 0; i < scan->clusters->len; i++)
		bytes += OWN_BYTES +
			 g_array_index(scan->clusters, struct slot_cluster, i)
				 .bytes;
	return bytes;
}

/* A Void has two bytes at least. */
static bool fits(int64_t bytes, int64_t slot_bytes)
{
	int64_t rest = slot_bytes - bytes;

	return rest == 0 || rest >= VOID_MIN_BYTES;
}

static GByteArray *clock_of(const struct slot_scan *scan,
			    const struct mkv_slot_spec *spec)
{
	int64_t room = spec->slot_bytes - media_bytes(scan);
	int64_t wall_ms = first_wall_ms(spec, first_ticks(scan, spec));
	GByteArray *clock = g_byte_array_new();

	if (spec->clock_track == 0)
		return clock;
	/* Sound that leads the picture is still in the slot before's time. */
	slot_clock_write((uint8_t)spec->clock_track, spec->scale_ns, wall_ms,
			 MAX(wall_ms, spec->wall_ms), spec->wall_end_ms, room,
			 clock);
	if (!fits(clock->len, room))
		g_byte_array_set_size(clock, 0);
	return clock;
}

int mkv_slot_new(const struct mkv_source *source,
		 const struct mkv_slot_spec *spec, struct mkv_slot **ret_slot)
{
	struct slot_scan scan;
	struct mkv_slot *slot;
	int rc = slot_scan(source, spec->cue_track, &scan);

	if (rc == 0 && !fits(media_bytes(&scan), spec->slot_bytes))
		rc = -EFBIG;
	if (rc == 0) {
		g_autoptr(GByteArray) clock = clock_of(&scan, spec);

		slot = g_new0(struct mkv_slot, 1);
		slot->refs = 1;
		slot->bytes = spec->slot_bytes;
		slot->own = g_byte_array_new();
		slot->parts = g_array_new(FALSE, FALSE, sizeof(struct part));
		put_all(slot, &scan, spec, clock);
		*ret_slot = slot;
	}
	slot_scan_release(&scan);
	return rc;
}

struct mkv_slot *mkv_slot_ref(struct mkv_slot *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void mkv_slot_unref(struct mkv_slot *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	g_byte_array_unref(s->own);
	g_array_unref(s->parts);
	g_free(s);
}

size_t mkv_slot_cost_bytes(const struct mkv_slot *s)
{
	return sizeof(*s) + s->own->len + s->parts->len * sizeof(struct part);
}

/* ---- reading
 * ------------------------------------------------------------------ */

static const struct part *part_at(const struct mkv_slot *s, guint i)
{
	return &g_array_index(s->parts, struct part, i);
}

/* The part that holds the byte. */
static guint find(const struct mkv_slot *s, int64_t offset)
{
	guint low = 0, high = s->parts->len;

	while (high - low > 1) {
		guint middle = low + (high - low) / 2;

		if (part_at(s, middle)->start <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

size_t mkv_slot_pieces(const struct mkv_slot *s, int64_t offset, int64_t n,
		       struct mkv_piece *out, size_t max)
{
	int64_t end = offset + n;
	size_t count = 0;

	for (guint i = find(s, offset); offset < end; i++, count++) {
		const struct part *part = part_at(s, i);
		int64_t part_end = i + 1 < s->parts->len
					   ? part_at(s, i + 1)->start
					   : s->bytes;
		int64_t at = part->at + (offset - part->start);
		int64_t its = MIN(part_end, end) - offset;

		if (count < max)
			out[count] = (struct mkv_piece){
				.bytes = part->kind == PART_OWN
						 ? s->own->data + at
						 : NULL,
				.at = part->kind == PART_FILE ? at : -1,
				.n = its,
			};
		offset += its;
	}
	return count;
}
