/* SPDX-License-Identifier: MIT */
/* Tracks: as sent but for padding and a codec that is not what it says. */
#include "rewritten.h"

static void put_track(GByteArray *tracks, unsigned type, uint64_t frame_ns)
{
	GByteArray *t = g_byte_array_new();

	put_uint(t, TrackType, type, 1);
	if (frame_ns)
		put_uint(t, DefaultDuration, frame_ns, 8);
	put_master(tracks, TrackEntry, t);
}

static void the_last_frame_has_a_length_too(void **state)
{
	static const struct {
		struct {
			unsigned type;
			uint64_t frame_ns;
		} tracks[3];
		const char *duration;
	} cases[] = {
		{{{1, 40000000}, {2, 21000000}}, "Duration 2000\n"},
		{{{2, 20000000}, {1, 40000000}}, "Duration 2000\n"},
		{{{2, 20000000}, {1, 0}}, "Duration 1980\n"},
		{{{2, 20000000}, {17, 30000000}}, "Duration 1980\n"},
		{{{1, 33333333}, {1, 50000000}}, "Duration 1993.333333\n"},
		{{{1, 0}, {2, 0}}, "Duration 1960\n"},
		{{{1, UINT64_MAX}, {0, 0}}, "Duration 1960\n"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) o = g_byte_array_new(), bytes = NULL;
		GByteArray *tracks = g_byte_array_new();
		g_autofree char *text = NULL;

		for (size_t j = 0; j < 3; j++)
			if (cases[i].tracks[j].type)
				put_track(tracks, cases[i].tracks[j].type,
					  cases[i].tracks[j].frame_ns);
		put_segment(o);
		put_master(o, Tracks, tracks);
		bytes = rewrite(o, 1960);
		text = dump(bytes->data, bytes->len);
		if (!strstr(text, cases[i].duration))
			fail_msg("case %zu: no %s in %s", i, cases[i].duration,
				 text);
	}
}

static void tracks_stay_but_for_padding(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	GByteArray *tracks = g_byte_array_new(), *t = g_byte_array_new(),
		   *v = g_byte_array_new();

	put_zeros(v, Void, 2); /* inside Video nothing is touched */
	put_uint(v, PixelWidth, 640, 4);
	put_zeros(t, CRC32, 4);
	put_uint(t, TrackNumber, 3, 8);
	put_padded(t, CodecID, "V_MPEG4/ISO/AVC");
	put_padded(t, Name, "kinesis_video");
	put_padded(t, Language, "eng");
	put_bytes(t, CodecPrivate, "\1\0\0\2", 4);
	put_zeros(t, 0x55ee, 5); /* an element without a name here */
	put_master(t, Video, v);
	put_zeros(t, Void, 9);
	put_zeros(tracks, CRC32, 4);
	put_zeros(tracks, Void, 4);
	put_master(tracks, TrackEntry, t);
	put_track(tracks, 2, 0);
	put_segment(o);
	put_master(o, Tracks, tracks);
	put_tracks(o); /* only the first counts */
	assert_says(o, 0,
		    MATROSKA_LINES BARE_INFO " Tracks\n"
					     "  TrackEntry\n"
					     "   TrackNumber 3\n"
					     "   CodecID \"V_MPEG4/ISO/AVC\"\n"
					     "   Name \"kinesis_video\"\n"
					     "   Language \"eng\"\n"
					     "   CodecPrivate 4 bytes\n"
					     "   55EE 5 bytes\n"
					     "   Video\n"
					     "    Void 2 bytes\n"
					     "    PixelWidth 640\n"
					     "  TrackEntry\n"
					     "   TrackType 2\n");
}

#define PCM(rate, channels)                \
	"   CodecID \"A_PCM/INT/LIT\"\n"   \
	"   Audio\n"                       \
	"    SamplingFrequency " rate "\n" \
	"    Channels " channels "\n"      \
	"    BitDepth 16\n"
#define AAC "   CodecID \"A_AAC\"\n   CodecPrivate 2 bytes\n"
#define AAC_AUDIO                           \
	AAC "   Audio\n"                    \
	    "    SamplingFrequency 16000\n" \
	    "    Channels 2\n"

struct sound {
	const char *name, *codec, *private;
	bool audio; /* there is an Audio master */
	const char
		*mime; /* value of a MimeType tag, for one track or all (0) */
	unsigned target;
	const char *lines; /* of the track, in the end */
};

static void put_sound(GByteArray *o, const struct sound *s)
{
	GByteArray *tracks = g_byte_array_new(), *t = g_byte_array_new();

	put_uint(t, TrackUID, 9, 1);
	put_padded(t, Name, s->name);
	put_padded(t, CodecID, s->codec);
	put_bytes(t, CodecPrivate, s->private, 2);
	if (s->audio) {
		GByteArray *a = g_byte_array_new();

		put_float(a, SamplingFrequency, 16000);
		put_uint(a, Channels, 2, 1);
		put_master(t, Audio, a);
	}
	put_master(tracks, TrackEntry, t);
	put_master(o, Tracks, tracks);
	if (s->mime) {
		GByteArray *tags = g_byte_array_new(),
			   *tag = g_byte_array_new(), *to = g_byte_array_new();

		if (s->target)
			put_uint(to, TagTrackUID, s->target, 1);
		put_master(tag, Targets, to);
		put_simple_tag(tag, "MimeType", s->mime);
		put_master(tags, Tag, tag);
		put_master(o, Tags, tags);
	}
}

static void pcm_labelled_aac_says_what_it_is(void **state)
{
	static const struct sound cases[] = {
		/* Connect, with and without its tag */
		{"AUDIO_FROM_CUSTOMER", "A_AAC", "\x11\x90", false,
		 "audio/L16;rate=8000;channels=1", 0, PCM("8000", "1")},
		{"AUDIO_TO_CUSTOMER", "A_AAC", "\x11\x90", false, NULL, 0,
		 PCM("8000", "1")},
		/* what the tag says counts, whoever sent it */
		{"mic", "A_AAC", "\x12\x10", true,
		 "AUDIO/l16; Rate=44100; channels=2", 0, PCM("44100", "2")},
		{"mic", "A_AAC", "\x12\x10", true, "audio/L16", 0,
		 PCM("16000", "2")},
		{"mic", "A_AAC", "\x12\x10", false,
		 "audio/L16;rate=0;channels=x", 0, PCM("8000", "1")},
		{"mic", "A_AAC", "\x12\x10", false,
		 "audio/L16;rate=999999999999", 0, PCM("8000", "1")},
		{"mic", "A_AAC", "\x12\x10", false, "audio/L16", 9,
		 PCM("8000", "1")},
		/* AAC is AAC */
		{"AUDIO_FROM_CUSTOMER", "A_AAC", "\x12\x10", false, NULL, 0,
		 AAC},
		{"AUDIO_FROM_CUSTOMER", "A_AAC", "\x11\x90", true, NULL, 0,
		 AAC_AUDIO},
		{"mic", "A_AAC", "\x11\x90", false, NULL, 0, AAC},
		{"mic", "A_AAC", "\x12\x10", true, "audio/aac", 0, AAC_AUDIO},
		{"mic", "A_AAC", "\x12\x10", false, "audio/L160", 0, AAC},
		/* the tag is another track's */
		{"mic", "A_AAC", "\x12\x10", false, "audio/L16", 8, AAC},
		{"mic", "A_MS/ACM", "\x12\x10", false, "audio/L16", 0,
		 "   CodecID \"A_MS/ACM\"\n   CodecPrivate 2 bytes\n"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) o = g_byte_array_new(), bytes = NULL;
		g_autofree char *text = NULL, *expected = NULL;

		put_segment(o);
		put_sound(o, &cases[i]);
		bytes = rewrite(o, 0);
		text = dump(bytes->data, bytes->len);
		expected = g_strconcat("   TrackUID 9\n   Name \"",
				       cases[i].name, "\"\n", cases[i].lines,
				       NULL);
		if (!strstr(text, expected))
			fail_msg("case %zu: %s", i, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_frame_has_a_length_too),
		cmocka_unit_test(tracks_stay_but_for_padding),
		cmocka_unit_test(pcm_labelled_aac_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
