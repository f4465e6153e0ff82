/* SPDX-License-Identifier: MIT */
/* A movie's header: as long for every kind of media, and all in its place. */
#include "fs/mkv/movie_head.h"

#include "build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>

enum {
	Seek = 0x4dbb,
	SeekID = 0x53ab,
	SeekPosition = 0x53ac,
	CuePoint = 0xbb,
	CueTime = 0xb3,
	CueTrackPositions = 0xb7,
	CueTrack = 0xf7,
	CueClusterPosition = 0xf1,
	EditionEntry = 0x45b9,
	ChapterAtom = 0xb6,
	ChapterTimeStart = 0x91,
	ChapterDisplay = 0x80,
	ChapString = 0x85,
	FlagDefault = 0x88,
};

/* ---- a reader of its own
 * -------------------------------------------------------- */

struct element {
	uint32_t id;
	const uint8_t *body, *end;
};

static uint64_t number_at(const uint8_t *at, size_t n)
{
	uint64_t value = 0;

	while (n--)
		value = value << 8 | *at++;
	return value;
}

static unsigned width_at(const uint8_t *at)
{
	unsigned width = 1;

	while (width < 8 && !(*at & 0x100 >> width))
		width++;
	return width;
}

/* Takes the next one off; false at the end. */
static bool next(const uint8_t **at, const uint8_t *end, struct element *e)
{
	unsigned id_n, size_n;
	uint64_t size;

	if (*at == end)
		return false;
	id_n = width_at(*at);
	e->id = (uint32_t)number_at(*at, id_n);
	size_n = width_at(*at + id_n);
	size = number_at(*at + id_n, size_n) &
	       ((UINT64_C(1) << 7 * size_n) - 1);
	e->body = *at + id_n + size_n;
	e->end = e->body + size;
	/* The Segment goes on after the header. */
	if (e->id == Segment && e->end > end)
		e->end = end;
	assert_true(e->end <= end);
	*at = e->end;
	return true;
}

static struct element child(const struct element *e, uint32_t id, size_t nth)
{
	const uint8_t *at = e->body;
	struct element c;

	while (next(&at, e->end, &c))
		if (c.id == id && nth-- == 0)
			return c;
	fail_msg("no %x", id);
	return c;
}

static uint64_t value(const struct element *e, uint32_t id)
{
	struct element c = child(e, id, 0);

	return number_at(c.body, (size_t)(c.end - c.body));
}

static double real(const struct element *e, uint32_t id)
{
	uint64_t bits = value(e, id);
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static void assert_text(const struct element *e, uint32_t id, const char *want)
{
	struct element c = child(e, id, 0);

	assert_int_equal(c.end - c.body, strlen(want));
	assert_memory_equal(c.body, want, strlen(want));
}

/* ---- headers
 * ---------------------------------------------------------------------- */

static struct mkv_format format_with(size_t tracks_bytes, uint64_t scale_ns)
{
	g_autoptr(GByteArray) t = g_byte_array_new();
	GByteArray *entry = g_byte_array_new(), *all = g_byte_array_new();

	put_uint(entry, TrackNumber, 1, 1);
	put_uint(entry, TrackType, 1, 1);
	if (tracks_bytes) /* heads: 4 + 3, 1 + 3, 2 + 3; and 6 above */
		put_zeros(entry, CodecPrivate, tracks_bytes - 22);
	put_master(all, TrackEntry, entry);
	put_master(t, Tracks, all);
	if (tracks_bytes)
		assert_int_equal(t->len, tracks_bytes);
	return (struct mkv_format){.scale_ns = scale_ns,
				   .tracks = g_bytes_new(t->data, t->len),
				   .cue_track = 1,
				   .free_track = 2};
}

static void test_length(void **state)
{
	static const struct {
		size_t room, cues, chapters;
		bool clock;
		const char *title;
	} shapes[] = {
		{1, 1, 0, false, "cam"},
		{1, 1, 1, true, "cam"},
		{30, 7, 3, true, "\xc3\xa4\xe2\x80\x93"},
		{7200, 7200, 12, true, "front-door"},
		{8640, 1, 300, true,
		 "a name of some length, as streams may have, and then a "
		 "range of time behind it, which is as long again"},
	};
	struct mkv_format formats[] = {
		format_with(0, 1000000), format_with(0, 1),
		format_with(MKV_FORMAT_TRACKS_MAX_BYTES, 1000000)};
	g_autofree struct mkv_chapter *chapters = g_new0(struct mkv_chapter,
							 300);
	g_autofree struct mkv_cue *cues = g_new0(struct mkv_cue, 8640);

	for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
		struct mkv_movie_head h = {
			.title = shapes[i].title,
			.date_ms = 1795352702513,
			.slots_bytes = 7,
			.chapters = chapters,
			.n_chapters = shapes[i].chapters,
			.cues_room = shapes[i].room,
			.cues = cues,
			.n_cues = shapes[i].cues,
			.clock = shapes[i].clock,
		};
		int64_t bytes = mkv_movie_head_bytes(&h);

		assert_int_equal(bytes % 4096, 0);
		for (size_t k = 0; k < G_N_ELEMENTS(formats); k++) {
			g_autoptr(GByteArray) out = g_byte_array_new();

			h.duration_ms = (int64_t)k * 1000000007;
			put_be(out, 0, 3); /* appended to what is there */
			mkv_movie_head_write(&h, &formats[k], out);
			assert_int_equal(out->len, bytes + 3);
		}
	}
	for (size_t k = 0; k < G_N_ELEMENTS(formats); k++)
		g_bytes_unref(formats[k].tracks);
}

static void check_seeks(const struct element *segment)
{
	static const uint32_t ids[] = {Info, Chapters, Cues, Tracks};
	struct element head = child(segment, SeekHead, 0);

	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		struct element seek = child(&head, Seek, i);
		const uint8_t *at = segment->body + value(&seek, SeekPosition);

		assert_int_equal(value(&seek, SeekID), ids[i]);
		assert_int_equal(number_at(at, 4), ids[i]);
	}
}

static void check_info(const struct element *segment, uint64_t scale_ns)
{
	struct element info = child(segment, Info, 0);

	assert_int_equal(value(&info, TimestampScale), scale_ns);
	/* 60 s and a frame of 40 ms. */
	assert_true(real(&info, Duration) == 60.04e9 / (double)scale_ns);
	assert_int_equal(value(&info, DateUTC),
			 (1795352702513 - 978307200000) * 1000000);
	assert_text(&info, Title, "cam");
}

static void check_cues(const struct element *segment, const uint8_t *end,
		       uint64_t scale_ns)
{
	struct element e, c;

	e = child(segment, Cues, 0);
	assert_int_equal(e.end - e.body, 2 * MKV_CUE_BYTES);
	e = child(&e, CuePoint, 1);
	assert_int_equal(value(&e, CueTime), 2000000000 / scale_ns);
	c = child(&e, CueTrackPositions, 0);
	assert_int_equal(value(&c, CueTrack), 1);
	assert_int_equal(value(&c, CueClusterPosition),
			 (size_t)(end - segment->body) + 5000);
}

static void check_chapters(const struct element *segment)
{
	struct element e;

	e = child(segment, Chapters, 0);
	e = child(&e, EditionEntry, 0);
	e = child(&e, ChapterAtom, 1);
	assert_int_equal(value(&e, ChapterTimeStart), 57487000000);
	e = child(&e, ChapterDisplay, 0);
	assert_text(&e, ChapString, "2026-11-22 13:06 UTC");
}

static void check_tracks(const struct element *segment)
{
	struct element e, c;

	e = child(segment, Tracks, 0);
	c = child(&e, TrackEntry, 0);
	assert_int_equal(value(&c, TrackNumber), 1);
	c = child(&e, TrackEntry, 1);
	assert_int_equal(value(&c, TrackNumber), 2);
	assert_int_equal(value(&c, TrackType), 17);
	assert_int_equal(value(&c, FlagDefault), 0);
	assert_text(&c, CodecID, "S_TEXT/UTF8");
	assert_text(&c, Name, "UTC");

	/* Void to the end. */
	while (next(&e.end, segment->end, &c))
		assert_int_equal(c.id, Void);
}

static void test_what_is_in_it(void **state)
{
	static const uint64_t scales[] = {1000000, 100000, 1000000000};
	static const struct mkv_chapter chapters[] = {
		{0, "2026-11-22 13:05 UTC"}, {57487, "2026-11-22 13:06 UTC"}};
	static const struct mkv_cue cues[] = {{0, 0}, {2000, 5000}};

	for (size_t i = 0; i < G_N_ELEMENTS(scales); i++) {
		struct mkv_format f = format_with(0, scales[i]);
		struct mkv_movie_head h = {.title = "cam",
					   .date_ms = 1795352702513,
					   .duration_ms = 60000,
					   .slots_bytes = 12345,
					   .chapters = chapters,
					   .n_chapters = 2,
					   .cues_room = 5,
					   .cues = cues,
					   .n_cues = 2,
					   .clock = true};
		g_autoptr(GByteArray) out = g_byte_array_new();
		struct element segment, e;
		const uint8_t *at;

		mkv_movie_head_write(&h, &f, out);
		at = out->data;
		assert_true(next(&at, out->data + out->len, &e));
		assert_int_equal(e.id, EBML);
		/* The Segment's size is of 8 bytes, and goes to the end. */
		assert_int_equal(at[4], 1);
		assert_int_equal(number_at(at + 5, 7),
				 out->len - (size_t)(at + 12 - out->data) +
					 12345);
		assert_true(next(&at, out->data + out->len, &segment));
		check_seeks(&segment);
		check_info(&segment, scales[i]);

		check_cues(&segment, out->data + out->len, scales[i]);
		check_chapters(&segment);
		check_tracks(&segment);
		g_bytes_unref(f.tracks);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_what_is_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
