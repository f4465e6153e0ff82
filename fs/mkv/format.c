/* SPDX-License-Identifier: MIT */
#include "fs/mkv/format.h"

#include <errno.h>
#include <string.h>

#include "fs/mkv/head.h"
#include "fs/mkv/ids.h"
#include "fs/mkv/tracks.h"
#include "fs/mkv/walk.h"

/* The clock's number has to fit one byte of a block. */
#define TRACK_NUMBER_MAX 126
#define TYPE_VIDEO	 1
#define TYPE_AUDIO	 2
#define NS_PER_S	 UINT64_C(1000000000)

/* ---- what tells formats apart ------------------------------------------- */

/* > 0: what is kept by it counts 0 as none. */
static int64_t id_of(const GByteArray *bytes)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	uint8_t digest[32];
	gsize n = sizeof(digest);
	uint64_t id = 0;

	g_checksum_update(sum, bytes->data, (gssize)bytes->len);
	g_checksum_get_digest(sum, digest, &n);
	for (size_t i = 0; i < 8; i++)
		id = id << 8 | digest[i];
	return (int64_t)(id >> 1 | 1);
}

static bool matters(uint32_t id)
{
	switch (id) {
	case MKV_TRACK_NUMBER:
	case MKV_TRACK_TYPE:
	case MKV_NAME:
	case MKV_CODEC_ID:
	case MKV_CODEC_PRIVATE:
	case MKV_CODEC_DELAY:
	case MKV_SEEK_PRE_ROLL:
	case MKV_CONTENT_ENCODINGS:
	case MKV_VIDEO:
	case MKV_AUDIO:
		return true;
	default:
		return false;
	}
}

static bool all_matter(uint32_t id)
{
	return id != MKV_VOID && id != MKV_CRC32;
}

static gint by_bytes(gconstpointer a, gconstpointer b)
{
	return g_bytes_compare(*(GBytes *const *)a, *(GBytes *const *)b);
}

/* Appends parts in the order of their bytes, whatever that of the file is. */
static void append_sorted(GByteArray *out, GPtrArray *parts)
{
	g_ptr_array_sort(parts, by_bytes);
	for (guint i = 0; i < parts->len; i++) {
		gsize n;
		const guint8 *bytes = g_bytes_get_data(parts->pdata[i], &n);

		g_byte_array_append(out, bytes, (guint)n);
	}
}

static GPtrArray *parts_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
}

static void take_part(GPtrArray *parts, GByteArray *part)
{
	g_ptr_array_add(parts, g_byte_array_free_to_bytes(part));
}

/* The elements of a master that count, each with the shortest head. */
static int canonical(struct ebml_span body, bool (*counts)(uint32_t id),
		     GByteArray *out)
{
	g_autoptr(GPtrArray) parts = parts_new();
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&body, &e)) > 0) {
		GByteArray *part;

		if (!counts(e.id))
			continue;
		part = g_byte_array_new();
		ebml_put_head(part, e.id, e.body.n);
		if (e.id == MKV_VIDEO || e.id == MKV_AUDIO)
			rc = canonical(e.body, all_matter, part);
		else
			g_byte_array_append(part, e.body.at, (guint)e.body.n);
		take_part(parts, part);
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		append_sorted(out, parts);
	return rc;
}

/* ---- tracks
 * ------------------------------------------------------------------ */

struct entry {
	uint64_t number, type;
};

static int entry_read(struct ebml_span body, struct entry *ret_entry)
{
	struct entry entry = {0};
	struct ebml_element e;
	int rc, bad = 0;

	while ((rc = ebml_next(&body, &e)) > 0 && !bad) {
		if (e.id == MKV_TRACK_NUMBER)
			bad = ebml_uint(e.body, &entry.number);
		else if (e.id == MKV_TRACK_TYPE)
			bad = ebml_uint(e.body, &entry.type);
	}
	if (rc < 0 || bad)
		return -EBADMSG;
	if (entry.number == 0 || entry.number > TRACK_NUMBER_MAX)
		return -EPROTO;
	*ret_entry = entry;
	return 0;
}

/* Video before audio before all else; the first of its kind. */
static unsigned rank(uint64_t type)
{
	return type == TYPE_VIDEO ? 3 : type == TYPE_AUDIO ? 2 : 1;
}

struct reading {
	struct mkv_format *f;
	bool used[TRACK_NUMBER_MAX + 1];
	unsigned rank; /* of cue_track; 0: there is none yet */
	GPtrArray *parts;
};

static int add_entry(struct reading *r, struct ebml_span body)
{
	struct entry entry;
	GByteArray *part;
	int rc = entry_read(body, &entry);

	if (rc < 0)
		return rc;
	r->used[entry.number] = true;
	if (rank(entry.type) > r->rank) {
		r->rank = rank(entry.type);
		r->f->cue_track = entry.number;
	}
	part = g_byte_array_new();
	rc = canonical(body, matters, part);
	take_part(r->parts, part);
	return rc;
}

static int read_entries(struct reading *r, struct ebml_span body)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&body, &e)) > 0)
		if (e.id == MKV_TRACK_ENTRY) {
			rc = add_entry(r, e.body);
			if (rc < 0)
				return rc;
		}
	return rc;
}

static void put_words(const struct mkv_format *f, GByteArray *out)
{
	uint8_t words[16];

	ebml_store(words, 8, f->scale_ns);
	ebml_store(words + 8, 8, f->frame_ns);
	g_byte_array_append(out, words, sizeof(words));
}

static void put_tracks(const struct mkv_format *f, GByteArray *out)
{
	gsize n;
	const guint8 *bytes = g_bytes_get_data(f->tracks, &n);

	g_byte_array_append(out, bytes, (guint)n);
}

static void set_ids(struct mkv_format *f, GPtrArray *parts)
{
	g_autoptr(GByteArray) all = g_byte_array_new();
	g_autoptr(GByteArray) alike = g_byte_array_new();

	put_words(f, all);
	put_tracks(f, all);
	f->id = id_of(all);
	g_byte_array_append(alike, all->data, 8); /* the scale alone */
	append_sorted(alike, parts);
	f->decoder_id = id_of(alike);
}

static int check(const struct reading *r)
{
	if (r->rank == 0 || r->f->free_track > TRACK_NUMBER_MAX ||
	    r->f->scale_ns == 0 || r->f->scale_ns > NS_PER_S ||
	    g_bytes_get_size(r->f->tracks) > MKV_FORMAT_TRACKS_MAX_BYTES)
		return -EPROTO;
	return 0;
}

/* Of scale, frame and tracks, all the rest. */
static int complete(struct mkv_format *f)
{
	g_autoptr(GPtrArray) parts = parts_new();
	struct reading r = {.f = f, .parts = parts};
	struct ebml_span rest = {.at = g_bytes_get_data(f->tracks, &rest.n)};
	struct ebml_element tracks;
	int rc = ebml_next(&rest, &tracks);

	if (rc <= 0 || tracks.id != MKV_TRACKS || rest.n > 0)
		return -EBADMSG;
	rc = read_entries(&r, tracks.body);
	if (rc < 0)
		return rc;
	f->free_track = 1;
	while (f->free_track <= TRACK_NUMBER_MAX && r.used[f->free_track])
		f->free_track++;
	rc = check(&r);
	if (rc == 0)
		set_ids(f, parts);
	return rc;
}

void mkv_format_free(struct mkv_format *f)
{
	if (!f)
		return;
	g_bytes_unref(f->tracks);
	g_free(f);
}

static int format_new(uint64_t scale_ns, uint64_t frame_ns, GBytes *tracks,
		      struct mkv_format **ret_format)
{
	struct mkv_format *f = g_new0(struct mkv_format, 1);
	int rc;

	f->scale_ns = scale_ns;
	f->frame_ns = frame_ns;
	f->tracks = tracks;
	rc = complete(f);
	if (rc < 0)
		mkv_format_free(f);
	else
		*ret_format = f;
	return rc;
}

/* ---- of a fragment's file
 * ------------------------------------------------------ */

struct front {
	int64_t ebml_at, ebml_end; /* payload of the EBML header */
	int64_t elements_at;	   /* payload of the Segment */
	int64_t media_at;	   /* the first Cluster */
};

static int find_front(const struct mkv_source *source, struct front *ret_front)
{
	struct front front = {0};
	struct mkv_walk w;
	struct mkv_place p;
	int rc;

	mkv_walk_init(&w, source);
	while ((rc = mkv_walk_next(&w, &p)) > 0) {
		if (p.id == MKV_EBML) {
			front.ebml_at = p.body_at;
			front.ebml_end = p.end;
		} else if (p.id == MKV_SEGMENT) {
			front.elements_at = p.body_at;
		} else if (p.id == MKV_CLUSTER) {
			front.media_at = p.at;
			*ret_front = front;
			return 0;
		}
	}
	return rc < 0 ? rc : -ENODATA;
}

static int tracks_of(const struct front *front, const uint8_t *bytes,
		     struct mkv_format **ret_format)
{
	g_autoptr(GByteArray) tracks = g_byte_array_new();
	struct ebml_span ebml = {bytes + front->ebml_at,
				 (size_t)(front->ebml_end - front->ebml_at)};
	struct ebml_span elements = {
		bytes + front->elements_at,
		(size_t)(front->media_at - front->elements_at)};
	struct mkv_head head;
	int rc = mkv_head_read(ebml, elements, &head);

	if (rc == 0 && !head.has_tracks)
		rc = -EPROTO;
	if (rc == 0)
		rc = mkv_tracks_write(tracks, &head);
	if (rc < 0)
		return rc;
	return format_new(head.scale_ns, head.frame_ns,
			  g_byte_array_free_to_bytes(g_steal_pointer(&tracks)),
			  ret_format);
}

int mkv_format_read(const struct mkv_source *source,
		    struct mkv_format **ret_format)
{
	g_autofree uint8_t *bytes = NULL;
	struct front front;
	int rc = find_front(source, &front);

	if (rc < 0)
		return rc;
	if (front.media_at > MKV_HEAD_MAX_BYTES)
		return -EBADMSG;
	bytes = g_malloc((size_t)front.media_at);
	rc = source->read(source->user, bytes, (size_t)front.media_at, 0);
	return rc < 0 ? rc : tracks_of(&front, bytes, ret_format);
}

/* ---- to be kept
 * ---------------------------------------------------------------- */

GBytes *mkv_format_pack(const struct mkv_format *f)
{
	GByteArray *out = g_byte_array_new();

	put_words(f, out);
	put_tracks(f, out);
	return g_byte_array_free_to_bytes(out);
}

static uint64_t word_of(const uint8_t *at)
{
	uint64_t word = 0;

	for (size_t i = 0; i < 8; i++)
		word = word << 8 | at[i];
	return word;
}

int mkv_format_unpack(const void *bytes, size_t n,
		      struct mkv_format **ret_format)
{
	const uint8_t *at = bytes;
	int rc;

	if (n <= 16)
		return -EBADMSG;
	rc = format_new(word_of(at), word_of(at + 8),
			g_bytes_new(at + 16, n - 16), ret_format);
	return rc < 0 ? -EBADMSG : 0;
}
