/* SPDX-License-Identifier: MIT */
#include "fs/mkv/movie_head.h"

#include <string.h>

#include "fs/mkv/ebml.h"
#include "fs/mkv/ids.h"
#include "fs/mkv/reader.h"
#include "fs/mkv/rewrite.h"

#define NS_PER_MS INT64_C(1000000)
/* The last frame's, where the format says nothing: of 25 a second. */
#define FRAME_NS (40 * NS_PER_MS)

#define ROUND_BYTES 4096
/* ID and 8-byte size, as of Cues and Tracks here. */
#define HEAD_BYTES (EBML_ID_MAX + EBML_SIZE_MAX)
#define VOID_MIN   2
/* What clock_entry() takes is less. */
#define CLOCK_ENTRY_MAX_BYTES 64
#define TRACK_TYPE_SUBTITLE   0x11
/* "UTC-time": tracks of producers count from 1, or are random. */
#define CLOCK_UID UINT64_C(0x5554432d74696d65)

/* ---- SeekHead ------------------------------------------------------------ */

/* What it points to, in the order of the file. */
enum seek {
	SEEK_INFO,
	SEEK_CHAPTERS,
	SEEK_CUES,
	SEEK_TRACKS,
	SEEKS
};

/* A header that is being written. */
struct writing {
	GByteArray *out;
	size_t begin;	     /* of the movie */
	size_t segment;	     /* where the Segment's payload begins */
	size_t seeks[SEEKS]; /* where each position is; 0: not pointed to */
};

static void put_seek(struct writing *w, enum seek which, uint32_t id)
{
	size_t opened = ebml_open(w->out, MKV_SEEK);

	ebml_put_uint(w->out, MKV_SEEK_ID, id);
	ebml_put_uint64(w->out, MKV_SEEK_POSITION, 0);
	ebml_close(w->out, opened);
	w->seeks[which] = w->out->len - EBML_UINT_MAX;
}

/* The element is next. */
static void here(struct writing *w, enum seek which)
{
	ebml_store(w->out->data + w->seeks[which], EBML_UINT_MAX,
		   w->out->len - w->segment);
}

static void write_seek_head(struct writing *w, const struct mkv_movie_head *h)
{
	size_t opened = ebml_open(w->out, MKV_SEEK_HEAD);

	put_seek(w, SEEK_INFO, MKV_INFO);
	if (h->n_chapters > 0)
		put_seek(w, SEEK_CHAPTERS, MKV_CHAPTERS);
	put_seek(w, SEEK_CUES, MKV_CUES);
	put_seek(w, SEEK_TRACKS, MKV_TRACKS);
	ebml_close(w->out, opened);
}

/* ---- what does not depend on the media but for its values --------------- */

/* In 8 bytes, whatever it is. */
static void put_head(GByteArray *out, uint32_t id, uint64_t size)
{
	uint8_t head[HEAD_BYTES];

	ebml_store(head, EBML_ID_MAX, id);
	ebml_store(head + EBML_ID_MAX, EBML_SIZE_MAX, size | UINT64_C(1) << 56);
	g_byte_array_append(out, head, sizeof(head));
}

/* 64 bits of nanoseconds end in 2293. */
static int64_t date_ns(int64_t date_ms)
{
	const int64_t max_ms = INT64_MAX / NS_PER_MS;

	return CLAMP(date_ms - MKV_DATE_EPOCH_MS, -max_ms, max_ms) * NS_PER_MS;
}

static void write_info(struct writing *w, const struct mkv_movie_head *h,
		       const struct mkv_format *f)
{
	double frame_ns = f->frame_ns > 0 ? (double)f->frame_ns : FRAME_NS;
	size_t opened;

	here(w, SEEK_INFO);
	opened = ebml_open(w->out, MKV_INFO);
	ebml_put_uint64(w->out, MKV_TIMESTAMP_SCALE, f->scale_ns);
	ebml_put_float(w->out, MKV_DURATION,
		       ((double)h->duration_ms * NS_PER_MS + frame_ns) /
			       (double)f->scale_ns);
	ebml_put_date(w->out, MKV_DATE_UTC, date_ns(h->date_ms));
	ebml_put_text(w->out, MKV_TITLE, h->title);
	ebml_put_text(w->out, MKV_MUXING_APP, MKV_APP_NAME);
	ebml_put_text(w->out, MKV_WRITING_APP, MKV_APP_NAME);
	ebml_close(w->out, opened);
}

static void write_chapter(GByteArray *out, const struct mkv_chapter *c,
			  uint64_t uid)
{
	size_t atom = ebml_open(out, MKV_CHAPTER_ATOM), display;

	ebml_put_uint(out, MKV_CHAPTER_UID, uid);
	ebml_put_uint64(out, MKV_CHAPTER_TIME_START,
			(uint64_t)(c->at_ms * NS_PER_MS));
	display = ebml_open(out, MKV_CHAPTER_DISPLAY);
	ebml_put_text(out, MKV_CHAP_STRING, c->name);
	ebml_put_text(out, MKV_CHAP_LANGUAGE, "und");
	ebml_close(out, display);
	ebml_close(out, atom);
}

static void write_chapters(struct writing *w, const struct mkv_movie_head *h)
{
	size_t chapters, edition;

	if (h->n_chapters == 0)
		return;
	here(w, SEEK_CHAPTERS);
	chapters = ebml_open(w->out, MKV_CHAPTERS);
	edition = ebml_open(w->out, MKV_EDITION_ENTRY);
	ebml_put_uint(w->out, MKV_EDITION_UID, 1);
	ebml_put_uint(w->out, MKV_EDITION_FLAG_DEFAULT, 1);
	for (size_t i = 0; i < h->n_chapters; i++)
		write_chapter(w->out, &h->chapters[i], i + 1);
	ebml_close(w->out, edition);
	ebml_close(w->out, chapters);
}

/* As long for every format: all that is before Cues. */
static struct writing write_front(const struct mkv_movie_head *h,
				  const struct mkv_format *f, GByteArray *out)
{
	static const struct mkv_head matroska = {0};
	struct writing w = {.out = out, .begin = out->len};

	mkv_rewrite_ebml(out, &matroska);
	put_head(out, MKV_SEGMENT, 0);
	w.segment = out->len;
	write_seek_head(&w, h);
	write_info(&w, h, f);
	write_chapters(&w, h);
	return w;
}

int64_t mkv_movie_head_bytes(const struct mkv_movie_head *h)
{
	const struct mkv_format any = {.scale_ns = NS_PER_MS};
	g_autoptr(GByteArray) front = g_byte_array_new();
	int64_t n;

	write_front(h, &any, front);
	n = (int64_t)front->len + HEAD_BYTES +
	    (int64_t)h->cues_room * MKV_CUE_BYTES + HEAD_BYTES +
	    MKV_FORMAT_TRACKS_MAX_BYTES + CLOCK_ENTRY_MAX_BYTES + VOID_MIN;
	return (n + ROUND_BYTES - 1) / ROUND_BYTES * ROUND_BYTES;
}

/* ---- Cues --------------------------------------------------------------- */

static void write_cue(uint8_t at[MKV_CUE_BYTES], uint64_t time, uint64_t track,
		      uint64_t position)
{
	static const uint8_t shape[MKV_CUE_BYTES] = {
		[0] = MKV_CUE_POINT,
		[1] = 0x80 | 25,
		[2] = MKV_CUE_TIME,
		[3] = 0x80 | 8,
		[12] = MKV_CUE_TRACK_POSITIONS,
		[13] = 0x80 | 13,
		[14] = MKV_CUE_TRACK,
		[15] = 0x80 | 1,
		[17] = MKV_CUE_CLUSTER_POSITION,
		[18] = 0x80 | 8,
	};

	memcpy(at, shape, sizeof(shape));
	ebml_store(at + 4, 8, time);
	ebml_store(at + 16, 1, track);
	ebml_store(at + 19, 8, position);
}

/* Positions are from the Segment's payload on. */
static void write_cues(struct writing *w, const struct mkv_movie_head *h,
		       const struct mkv_format *f, int64_t head_bytes)
{
	uint64_t slots_at = (uint64_t)head_bytes - (w->segment - w->begin);

	here(w, SEEK_CUES);
	put_head(w->out, MKV_CUES, h->n_cues * MKV_CUE_BYTES);
	for (size_t i = 0; i < h->n_cues; i++) {
		const struct mkv_cue *c = &h->cues[i];
		uint8_t cue[MKV_CUE_BYTES];

		write_cue(cue, (uint64_t)mkv_ticks(c->at_ms, f->scale_ns),
			  f->cue_track, slots_at + (uint64_t)c->slot_at);
		g_byte_array_append(w->out, cue, sizeof(cue));
	}
}

/* ---- Tracks ------------------------------------------------------------- */

/*
 * Not default: who wants to see the time turns it on.  Not laced, or each
 * second would be looked at for lacing (the default is 1).
 */
static void write_clock(GByteArray *out, uint64_t number)
{
	size_t opened = ebml_open(out, MKV_TRACK_ENTRY);

	ebml_put_uint(out, MKV_TRACK_NUMBER, number);
	ebml_put_uint(out, MKV_TRACK_UID, CLOCK_UID);
	ebml_put_uint(out, MKV_TRACK_TYPE, TRACK_TYPE_SUBTITLE);
	ebml_put_uint(out, MKV_FLAG_DEFAULT, 0);
	ebml_put_uint(out, MKV_FLAG_LACING, 0);
	ebml_put_text(out, MKV_NAME, "UTC");
	ebml_put_text(out, MKV_LANGUAGE, "und");
	ebml_put_text(out, MKV_CODEC_ID, "S_TEXT/UTF8");
	ebml_close(out, opened);
}

static void write_tracks(struct writing *w, const struct mkv_movie_head *h,
			 const struct mkv_format *f)
{
	gsize n;
	const uint8_t *tracks = g_bytes_get_data(f->tracks, &n);
	g_autoptr(GByteArray) clock = g_byte_array_new();
	struct ebml_head head;

	if (h->clock)
		write_clock(clock, f->free_track);
	g_assert(clock->len <= CLOCK_ENTRY_MAX_BYTES);
	g_assert(n <= MKV_FORMAT_TRACKS_MAX_BYTES);
	g_assert(ebml_head_read(tracks, n, &head) == 0);
	here(w, SEEK_TRACKS);
	put_head(w->out, MKV_TRACKS, n - head.n + clock->len);
	g_byte_array_append(w->out, tracks + head.n, (guint)(n - head.n));
	g_byte_array_append(w->out, clock->data, clock->len);
}

/* ---- the whole ---------------------------------------------------------- */

static void pad(struct writing *w, int64_t head_bytes)
{
	size_t rest = (size_t)head_bytes - (w->out->len - w->begin);
	uint8_t head[MKV_VOID_HEAD_MAX];
	size_t n = mkv_void_head(rest, head);
	guint was = w->out->len + (guint)n;

	g_byte_array_append(w->out, head, (guint)n);
	g_byte_array_set_size(w->out, was + (guint)(rest - n));
	memset(w->out->data + was, 0, rest - n);
}

void mkv_movie_head_write(const struct mkv_movie_head *h,
			  const struct mkv_format *format, GByteArray *out)
{
	int64_t head_bytes = mkv_movie_head_bytes(h);
	struct writing w = write_front(h, format, out);
	uint64_t segment_bytes = (uint64_t)head_bytes - (w.segment - w.begin) +
				 (uint64_t)h->slots_bytes;

	ebml_store(out->data + w.segment - EBML_SIZE_MAX, EBML_SIZE_MAX,
		   segment_bytes | UINT64_C(1) << 56);
	write_cues(&w, h, format, head_bytes);
	write_tracks(&w, h, format);
	pad(&w, head_bytes);
}
