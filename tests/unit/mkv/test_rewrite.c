/* SPDX-License-Identifier: MIT */
/* The header written anew: what it says, in words. */
#include "build.h"
#include "collect.h"
#include "dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EBML_LINES             \
	"EBML\n"               \
	" EBMLVersion 1\n"     \
	" EBMLReadVersion 1\n" \
	" EBMLMaxIDLength 4\n" \
	" EBMLMaxSizeLength 8\n"
#define MATROSKA_LINES            \
	EBML_LINES                \
	" DocType \"matroska\"\n" \
	" DocTypeVersion 4\n"     \
	" DocTypeReadVersion 2\n" \
	"Segment ?\n"
#define BARE_INFO                    \
	" Info\n"                    \
	"  TimestampScale 1000000\n" \
	"  MuxingApp \"kvsfs\"\n"    \
	"  WritingApp \"kvsfs\"\n"
#define AWS_LINES                                               \
	"  Tag\n"                                               \
	"   SimpleTag\n"                                        \
	"    TagName \"AWS_KINESISVIDEO_FRAGMENT_NUMBER\"\n"    \
	"    TagString \"7\"\n"                                 \
	"   SimpleTag\n"                                        \
	"    TagName \"AWS_KINESISVIDEO_SERVER_TIMESTAMP\"\n"   \
	"    TagString \"1511852109.126\"\n"                    \
	"   SimpleTag\n"                                        \
	"    TagName \"AWS_KINESISVIDEO_PRODUCER_TIMESTAMP\"\n" \
	"    TagString \"1511852108.513\"\n"

/* The rewritten bytes of the one document in o. */
static GByteArray *rewrite(const GByteArray *o, int64_t length_ms)
{
	GByteArray *bytes;
	struct collect c;

	collect_init(&c);
	c.length_ms = length_ms;
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	assert_int_equal(c.documents->len, 1);
	bytes = g_byte_array_ref(collect_at(&c, 0)->bytes);
	collect_clear(&c);
	return bytes;
}

static void assert_says(const GByteArray *o, int64_t length_ms,
			const char *expected)
{
	g_autoptr(GByteArray) bytes = rewrite(o, length_ms);
	g_autofree char *text = dump(bytes->data, bytes->len);

	assert_string_equal(text, expected);
}

static void put_segment(GByteArray *o)
{
	put_ebml(o);
	put_unknown(o, Segment, 8);
}

static void a_usual_header(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();

	put_start(o, "7");
	put_bytes(o, Cluster, NULL, 0);
	assert_says(o, 1960,
		    MATROSKA_LINES " Info\n"
				   "  TimestampScale 1000000\n"
				   "  Duration 2000\n"
				   "  DateUTC 533544908513000000\n"
				   "  MuxingApp \"Lavf57.71.100\"\n"
				   "  WritingApp \"Lavf57.71.100\"\n"
				   " Tracks\n"
				   "  TrackEntry\n"
				   "   TrackNumber 1\n"
				   "   TrackUID 1\n"
				   "   TrackType 1\n"
				   "   CodecID \"V_MPEG4/ISO/AVC\"\n"
				   "   DefaultDuration 40000000\n"
				   " Tags\n" AWS_LINES " Cluster\n");
}

static void its_bytes_are_pinned(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new(), bytes = NULL;
	g_autofree char *sum = NULL;

	put_start(o, "91343852333181432392682062607743920146159169392");
	put_bytes(o, Cluster, NULL, 0);
	bytes = rewrite(o, 1960);
	sum = sha256(bytes->data, bytes->len);
	assert_string_equal(sum, "aa12b5e7ebff6116ff5d0df8fa8b57bd"
				 "e58b0c0b1f31b2039000794241076674");
}

static void no_length_no_duration(void **state)
{
	static const int64_t lengths[] = {0, -1};

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autoptr(GByteArray) o = g_byte_array_new();

		put_segment(o);
		assert_says(o, lengths[i], MATROSKA_LINES BARE_INFO);
	}
}

static void versions_and_doc_type(void **state)
{
	static const struct {
		const char *type;
		bool padded;
		uint64_t version, read_version;
		const char *expected;
	} cases[] = {
		{"matroska", true, 1, 1,
		 EBML_LINES " DocType \"matroska\"\n DocTypeVersion 4\n"
			    " DocTypeReadVersion 2\nSegment ?\n" BARE_INFO},
		{"webm", false, 4, 2,
		 EBML_LINES " DocType \"webm\"\n DocTypeVersion 4\n"
			    " DocTypeReadVersion 2\nSegment ?\n" BARE_INFO},
		{"webm", true, 5, 4,
		 EBML_LINES " DocType \"webm\"\n DocTypeVersion 5\n"
			    " DocTypeReadVersion 4\nSegment ?\n" BARE_INFO},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) o = g_byte_array_new();
		GByteArray *e = g_byte_array_new();

		if (cases[i].padded)
			put_padded(e, DocType, cases[i].type);
		else
			put_text(e, DocType, cases[i].type);
		put_uint(e, DocTypeVersion, cases[i].version, 1);
		put_uint(e, DocTypeReadVersion, cases[i].read_version, 1);
		put_master(o, EBML, e);
		put_unknown(o, Segment, 8);
		assert_says(o, 0, cases[i].expected);
	}
}

static void info_keeps_what_is_true_of_a_part(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	GByteArray *i = g_byte_array_new();

	put_zeros(i, CRC32, 4);
	put_uint(i, DateUTC, 1, 8);
	put_zeros(i, SegmentUUID, 16);
	put_text(i, NextFilename, "next.mkv");
	put_padded(i, Title, "Yard");
	put_padded(i, MuxingApp, "mux");
	put_text(i, WritingApp, "write");
	put_uint(i, TimestampScale, 100000, 8);
	put_segment(o);
	put_zeros(o, SeekHead, 10);
	put_master(o, Info, i);
	put_info(o); /* only the first counts */
	assert_says(o, 3,
		    MATROSKA_LINES " Info\n"
				   "  TimestampScale 100000\n"
				   "  Duration 30\n"
				   "  Title \"Yard\"\n"
				   "  MuxingApp \"mux\"\n"
				   "  WritingApp \"write\"\n");
}

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

static void what_points_into_the_recording_is_left_out(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();

	put_segment(o);
	put_zeros(o, SeekHead, 10);
	put_zeros(o, CRC32, 4);
	put_zeros(o, Cues, 10);
	put_zeros(o, Chapters, 10);
	put_zeros(o, Attachments, 11);
	put_zeros(o, 0x1abcdef1, 12);
	put_zeros(o, Void, 10);
	assert_says(o, 0,
		    MATROSKA_LINES BARE_INFO " Attachments 11 bytes\n"
					     " 1ABCDEF1 12 bytes\n");
}

static void tags_that_hold_follow_the_services(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	GByteArray *tags = g_byte_array_new(), *tag = g_byte_array_new(),
		   *targets = g_byte_array_new();

	put_segment(o);
	/* a producer that sends on what it once fetched */
	TAGS(o, "AWS_KINESISVIDEO_FRAGMENT_NUMBER", "6", "Yard", "1");
	put_uint(targets, TagTrackUID, 1, 1);
	put_master(tag, Targets, targets);
	put_zeros(tag, CRC32, 4);
	put_simple_tag(tag, "ENCODER", "Elemental");
	put_simple_tag(tag, "DURATION", "00:00:10.000000000");
	put_zeros(tags, CRC32, 4);
	put_master(tags, Tag, tag);
	TAG(tags, "BPS", "1", "NUMBER_OF_FRAMES-eng", "2", "NUMBER_OF_BYTES",
	    "3", "_STATISTICS_TAGS", "BPS DURATION");
	TAG(tags, "BPS_LIMIT", "4", "MY DURATION", "5");
	put_master(o, Tags, tags);
	TAGS(o, "DURATION-eng", "1");
	put_aws_tags(o, "7");
	TAGS(o, "AWS_KINESISVIDEO_CONTINUATION_TOKEN", "8");
	assert_says(o, 0,
		    MATROSKA_LINES " Info\n"
				   "  TimestampScale 1000000\n"
				   "  DateUTC 533544908513000000\n"
				   "  MuxingApp \"kvsfs\"\n"
				   "  WritingApp \"kvsfs\"\n"
				   " Tags\n" AWS_LINES "  Tag\n"
				   "   SimpleTag\n"
				   "    TagName \"Yard\"\n"
				   "    TagString \"1\"\n"
				   "  Tag\n"
				   "   Targets\n"
				   "    TagTrackUID 1\n"
				   "   SimpleTag\n"
				   "    TagName \"ENCODER\"\n"
				   "    TagString \"Elemental\"\n"
				   "  Tag\n"
				   "   SimpleTag\n"
				   "    TagName \"BPS_LIMIT\"\n"
				   "    TagString \"4\"\n"
				   "   SimpleTag\n"
				   "    TagName \"MY DURATION\"\n"
				   "    TagString \"5\"\n");
}

static void no_tag_that_holds_no_tags(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();

	put_segment(o);
	TAGS(o, "DURATION", "1");
	put_bytes(o, Tags, NULL, 0);
	assert_says(o, 0, MATROSKA_LINES BARE_INFO);
}

static void dates_that_do_not_fit_are_left_out(void **state)
{
	static const struct {
		const char *producer, *date;
	} cases[] = {
		{"0.000", "DateUTC -978307200000000000\n"},
		{"978307200.001", "DateUTC 1000000\n"},
		{"10201679236.854", "DateUTC 9223372036854000000\n"},
		{"10201679236.855", NULL},
		{"253402300799.999", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) o = g_byte_array_new(), bytes = NULL;
		g_autofree char *text = NULL;

		put_segment(o);
		TAGS(o, "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP",
		     cases[i].producer);
		bytes = rewrite(o, 0);
		text = dump(bytes->data, bytes->len);
		if (cases[i].date ? !strstr(text, cases[i].date)
				  : !!strstr(text, "DateUTC"))
			fail_msg("%s: %s", cases[i].producer, text);
	}
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

static void pcm_labelled_aac_says_what_it_is(void **state)
{
	static const struct {
		const char *name, *codec, *private;
		bool audio;
		const char *mime;
		unsigned target;
		const char *lines;
	} cases[] = {
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
		GByteArray *tracks = g_byte_array_new(),
			   *t = g_byte_array_new();
		g_autofree char *text = NULL, *expected = NULL;

		put_uint(t, TrackUID, 9, 1);
		put_padded(t, Name, cases[i].name);
		put_padded(t, CodecID, cases[i].codec);
		put_bytes(t, CodecPrivate, cases[i].private, 2);
		if (cases[i].audio) {
			GByteArray *a = g_byte_array_new();

			put_float(a, SamplingFrequency, 16000);
			put_uint(a, Channels, 2, 1);
			put_master(t, Audio, a);
		}
		put_master(tracks, TrackEntry, t);
		put_segment(o);
		put_master(o, Tracks, tracks);
		if (cases[i].mime) {
			GByteArray *tags = g_byte_array_new(),
				   *tag = g_byte_array_new(),
				   *to = g_byte_array_new();

			if (cases[i].target)
				put_uint(to, TagTrackUID, cases[i].target, 1);
			put_master(tag, Targets, to);
			put_simple_tag(tag, "MimeType", cases[i].mime);
			put_master(tags, Tag, tag);
			put_master(o, Tags, tags);
		}
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
		cmocka_unit_test(a_usual_header),
		cmocka_unit_test(its_bytes_are_pinned),
		cmocka_unit_test(no_length_no_duration),
		cmocka_unit_test(versions_and_doc_type),
		cmocka_unit_test(info_keeps_what_is_true_of_a_part),
		cmocka_unit_test(the_last_frame_has_a_length_too),
		cmocka_unit_test(tracks_stay_but_for_padding),
		cmocka_unit_test(what_points_into_the_recording_is_left_out),
		cmocka_unit_test(tags_that_hold_follow_the_services),
		cmocka_unit_test(no_tag_that_holds_no_tags),
		cmocka_unit_test(dates_that_do_not_fit_are_left_out),
		cmocka_unit_test(pcm_labelled_aac_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
