/* SPDX-License-Identifier: MIT */
/* The header written anew: what it says, in words. */
#include "rewritten.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_usual_header),
		cmocka_unit_test(its_bytes_are_pinned),
		cmocka_unit_test(no_length_no_duration),
		cmocka_unit_test(versions_and_doc_type),
		cmocka_unit_test(info_keeps_what_is_true_of_a_part),
		cmocka_unit_test(what_points_into_the_recording_is_left_out),
		cmocka_unit_test(tags_that_hold_follow_the_services),
		cmocka_unit_test(no_tag_that_holds_no_tags),
		cmocka_unit_test(dates_that_do_not_fit_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
