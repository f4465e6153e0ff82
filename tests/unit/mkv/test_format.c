/* SPDX-License-Identifier: MIT */
/* What of a header says whether media can be played on with that of others. */
#include "fs/mkv/format.h"

#include "build.h"
#include "bytes_source.h"

#include <stdbool.h>

enum {
	FlagDefault = 0x88,
	CodecDelay = 0x56aa,
	MinCache = 0x6de7,
};

/* A header that the tables below change in one place. */
struct shape {
	uint64_t scale;
	uint64_t number, uid, type; /* of the first track */
	const char *codec, *private, *name, *language;
	unsigned width, rate;
	bool second, swapped; /* another track; its number first in the file */
	bool shuffled;	      /* the elements of the first track */
	unsigned default_ns;
	bool delay;
	bool no_tracks, no_cluster, known;
	size_t private_bytes;
};
static const struct shape plain = {
	.scale = 1000000,
	.number = 1,
	.uid = 1,
	.type = 1,
	.codec = "V_MPEG4/ISO/AVC",
	.private = "abc",
	.width = 640,
	.default_ns = 40000000,
};

static void put_video(GByteArray *o, const struct shape *s)
{
	GByteArray *v = g_byte_array_new();

	put_uint(v, PixelWidth, s->width, 2);
	put_master(o, Video, v);
}

static void put_first(GByteArray *o, const struct shape *s)
{
	GByteArray *t = g_byte_array_new();

	if (s->shuffled)
		put_video(t, s);
	put_uint(t, TrackNumber, s->number, 2);
	put_uint(t, TrackUID, s->uid, 1);
	put_uint(t, TrackType, s->type, 1);
	put_text(t, CodecID, s->codec);
	if (s->private_bytes)
		put_zeros(t, CodecPrivate, s->private_bytes);
	else
		put_text(t, CodecPrivate, s->private);
	if (s->name)
		put_text(t, Name, s->name);
	if (s->language)
		put_text(t, Language, s->language);
	if (s->default_ns)
		put_uint(t, DefaultDuration, s->default_ns, 4);
	if (s->delay)
		put_uint(t, CodecDelay, 6500000, 4);
	if (!s->shuffled)
		put_video(t, s);
	put_master(o, TrackEntry, t);
}

static void put_second(GByteArray *o, const struct shape *s)
{
	GByteArray *t = g_byte_array_new(), *a = g_byte_array_new();

	put_uint(t, TrackNumber, 2, 1);
	put_uint(t, TrackUID, 2, 1);
	put_uint(t, TrackType, 2, 1);
	put_text(t, CodecID, "A_AAC");
	put_float(a, SamplingFrequency, s->rate ? s->rate : 8000);
	put_master(t, Audio, a);
	put_master(o, TrackEntry, t);
}

static GByteArray *file_of(const struct shape *s)
{
	GByteArray *o = g_byte_array_new(), *info = g_byte_array_new();
	GByteArray *tracks = g_byte_array_new(), *body = g_byte_array_new();
	GByteArray *cluster = g_byte_array_new();

	put_uint(info, TimestampScale, s->scale, 5);
	put_master(body, Info, info);
	if (s->second && s->swapped)
		put_second(tracks, s);
	put_first(tracks, s);
	if (s->second && !s->swapped)
		put_second(tracks, s);
	if (s->no_tracks)
		g_byte_array_unref(tracks);
	else
		put_master(body, Tracks, tracks);
	put_uint(cluster, Timestamp, 0, 1);
	put_block(cluster, 0, 30);
	if (s->no_cluster)
		g_byte_array_unref(cluster);
	else
		put_master(body, Cluster, cluster);
	put_zeros(body, Void, 100);
	put_ebml(o);
	if (s->known)
		put_head(o, Segment, body->len, 8);
	else
		put_unknown(o, Segment, 8);
	put_all(o, body);
	g_byte_array_unref(body);
	return o;
}

static int read_bytes(const uint8_t *bytes, size_t n, int reads,
		      struct mkv_format **ret_format)
{
	struct bytes_source b = {bytes, (int64_t)n, reads};
	struct mkv_source s = bytes_source(&b);

	return mkv_format_read(&s, ret_format);
}

static int read_shape(const struct shape *s, struct mkv_format **ret_format)
{
	g_autoptr(GByteArray) o = file_of(s);

	return read_bytes(o->data, o->len, 1000, ret_format);
}

static struct mkv_format *format_of(const struct shape *s)
{
	struct mkv_format *f = NULL;

	assert_int_equal(read_shape(s, &f), 0);
	return f;
}

static void test_what_it_says(void **state)
{
	static const struct {
		struct shape s;
		uint64_t cue, free;
	} cases[] = {
		{{.number = 1, .type = 1}, 1, 2},
		{{.number = 1, .type = 1, .second = true}, 1, 3},
		{{.number = 3, .type = 1, .second = true, .swapped = true},
		 3,
		 1},
		{{.number = 3, .type = 17, .second = true}, 2, 1},
		{{.number = 1, .type = 17}, 1, 2},
		{{.number = 126, .type = 2, .second = true}, 126, 1},
		{{.number = 1, .type = 1, .known = true}, 1, 2},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct shape s = plain;
		struct mkv_format *f;

		s.number = cases[i].s.number;
		s.type = cases[i].s.type;
		s.second = cases[i].s.second;
		s.swapped = cases[i].s.swapped;
		s.known = cases[i].s.known;
		f = format_of(&s);
		assert_int_equal(f->scale_ns, 1000000);
		assert_int_equal(f->cue_track, cases[i].cue);
		assert_int_equal(f->free_track, cases[i].free);
		assert_true(f->id > 0 && f->decoder_id > 0);
		mkv_format_free(f);
	}
}

static void test_alike(void **state)
{
	static const struct shape first = {.scale = 1000000,
					   .number = 1,
					   .uid = 1,
					   .type = 1,
					   .codec = "V_X",
					   .private = "abc",
					   .width = 640,
					   .default_ns = 4e7,
					   .second = true};
	struct {
		const char *what;
		bool alike;
		struct shape s;
	} cases[] = {
		{"nothing", true, first},
		{"UID", true, first},
		{"language", true, first},
		{"frame", true, first},
		{"order in a track", true, first},
		{"order", true, first},
		{"the Segment's size", true, first},
		{"scale", false, first},
		{"number", false, first},
		{"type", false, first},
		{"codec", false, first},
		{"private", false, first},
		{"name", false, first},
		{"width", false, first},
		{"rate", false, first},
		{"delay", false, first},
		{"a track less", false, first},
	};
	struct mkv_format *f = format_of(&first);

	cases[1].s.uid = 9;
	cases[2].s.language = "ger";
	cases[3].s.default_ns = 33333333;
	cases[4].s.shuffled = true;
	cases[5].s.swapped = true;
	cases[6].s.known = true;
	cases[7].s.scale = 100000;
	cases[8].s.number = 5;
	cases[9].s.type = 2;
	cases[10].s.codec = "V_Y";
	cases[11].s.private = "abd";
	cases[12].s.name = "AUDIO_FROM_CUSTOMER";
	cases[13].s.width = 642;
	cases[14].s.rate = 16000;
	cases[15].s.delay = true;
	cases[16].s.second = false;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct mkv_format *g = format_of(&cases[i].s);

		if ((f->decoder_id == g->decoder_id) != cases[i].alike)
			fail_msg("%s", cases[i].what);
		/* The very same bytes, or not. */
		assert_true((f->id == g->id) == (i == 0 || i == 6));
		mkv_format_free(g);
	}
	mkv_format_free(f);
}

static void test_refused(void **state)
{
	struct {
		int rc;
		struct shape s;
	} cases[] = {{-EPROTO, plain}, {-EPROTO, plain}, {-EPROTO, plain},
		     {-EPROTO, plain}, {-EPROTO, plain}, {-EPROTO, plain},
		     {-ENODATA, plain}};

	cases[0].s.no_tracks = true;
	cases[1].s.number = 127;
	cases[2].s.number = 0;
	cases[3].s.scale = 1000000001;
	cases[4].s.private_bytes = MKV_FORMAT_TRACKS_MAX_BYTES;
	cases[5].s.number = 300;
	cases[6].s.no_cluster = true;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct mkv_format *f = NULL;

		assert_int_equal(read_shape(&cases[i].s, &f), cases[i].rc);
		assert_null(f);
	}
}

static void test_every_cut(void **state)
{
	g_autoptr(GByteArray) o = file_of(&plain);

	for (guint n = 0; n < o->len; n++) {
		g_autofree uint8_t *part = g_memdup2(o->data, n);
		struct mkv_format *f = NULL;
		int rc = read_bytes(part, n, 1000, &f);

		assert_true(rc == 0 || rc == -EBADMSG || rc == -ENODATA);
		assert_true((rc == 0) == (f != NULL));
		mkv_format_free(f);
	}
	for (int reads = 0; reads < 2; reads++) {
		struct mkv_format *f = NULL;

		assert_int_equal(read_bytes(o->data, o->len, reads, &f), -EIO);
	}
}

static void test_packed(void **state)
{
	struct mkv_format *f = format_of(&plain), *g = NULL;
	g_autoptr(GBytes) packed = mkv_format_pack(f);
	gsize n;
	const uint8_t *bytes = g_bytes_get_data(packed, &n);

	assert_int_equal(mkv_format_unpack(bytes, n, &g), 0);
	assert_int_equal(g->id, f->id);
	assert_int_equal(g->decoder_id, f->decoder_id);
	assert_int_equal(g->scale_ns, f->scale_ns);
	assert_int_equal(g->frame_ns, 40000000);
	assert_int_equal(g->cue_track, f->cue_track);
	assert_int_equal(g->free_track, f->free_track);
	assert_true(g_bytes_equal(g->tracks, f->tracks));
	mkv_format_free(g);
	for (gsize cut = 0; cut < n; cut++) {
		g_autofree uint8_t *part = g_memdup2(bytes, cut);

		assert_int_equal(mkv_format_unpack(part, cut, &g), -EBADMSG);
	}
	mkv_format_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_says),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
