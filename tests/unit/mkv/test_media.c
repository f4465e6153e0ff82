/* SPDX-License-Identifier: MIT */
/* From the first Cluster on: what changes in place and what does not. */
#include "build.h"
#include "collect.h"
#include "dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The rewritten media after a header, which is as long as what was sent. */
static GByteArray *through(const GByteArray *media)
{
	g_autoptr(GByteArray) o = g_byte_array_new(), head = NULL, all = NULL;
	GByteArray *out = g_byte_array_new();
	struct collect c;
	size_t head_n;

	put_start(o, "7");
	for (int with_media = 0; with_media < 2; with_media++) {
		if (with_media)
			put_all(o, media);
		collect_init(&c);
		assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
		assert_int_equal(c.documents->len, 1);
		if (with_media)
			all = g_byte_array_ref(collect_at(&c, 0)->bytes);
		else
			head = g_byte_array_ref(collect_at(&c, 0)->bytes);
		collect_clear(&c);
	}
	head_n = head->len;
	assert_true(all->len > head_n);
	assert_memory_equal(all->data, head->data, head_n);
	g_byte_array_append(out, all->data + head_n,
			    (guint)(all->len - head_n));
	assert_int_equal(out->len, media->len);
	return out;
}

static void assert_becomes(const GByteArray *media, const char *expected)
{
	g_autoptr(GByteArray) out = through(media);
	g_autofree char *text = dump(out->data, out->len);

	assert_string_equal(text, expected);
}

/* The media comes out as it went in. */
static void assert_stays(const GByteArray *media)
{
	g_autoptr(GByteArray) out = through(media);

	assert_memory_equal(out->data, media->data, media->len);
}

static void the_first_timestamp_is_zero_and_deltas_stay(void **state)
{
	static const struct {
		struct {
			uint64_t sent;
			unsigned n;
			uint64_t expected;
		} clusters[3];
	} cases[] = {
		{{{0, 1, 0}, {2000, 2, 2000}, {4000, 2, 4000}}},
		{{{2000, 2, 0}, {4000, 4, 2000}, {6000, 8, 4000}}},
		/* the epoch */
		{{{1511852108513, 8, 0},
		  {1511852110513, 6, 2000},
		  {1511852110513, 8, 2000}}},
		/* back before the first */
		{{{2000, 2, 0}, {1000, 2, 0}, {2500, 2, 500}}},
		{{{UINT64_MAX, 8, 0}, {0, 0, 0}, {1, 1, 0}}},
		{{{0, 0, 0}, {7, 1, 7}, {UINT64_MAX, 8, UINT64_MAX}}},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) media = g_byte_array_new();
		g_autoptr(GByteArray) expected = g_byte_array_new();
		g_autoptr(GByteArray) out = NULL;

		for (size_t j = 0; j < 3; j++) {
			GByteArray *sent = j == 1 ? media : g_byte_array_new();
			GByteArray *want = j == 1 ? expected
						  : g_byte_array_new();

			if (j == 1) {
				put_unknown(sent, Cluster, 8);
				put_unknown(want, Cluster, 8);
			}
			put_uint(sent, Timestamp, cases[i].clusters[j].sent,
				 cases[i].clusters[j].n);
			put_uint(want, Timestamp, cases[i].clusters[j].expected,
				 cases[i].clusters[j].n);
			put_block(sent, 5, 30);
			put_block(want, 5, 30);
			if (j != 1) {
				put_master(media, Cluster, sent);
				put_master(expected, Cluster, want);
			}
		}
		out = through(media);
		assert_memory_equal(out->data, expected->data, expected->len);
	}
}

static void every_document_starts_at_zero(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct collect c;

	for (unsigned i = 0; i < 3; i++) {
		put_start(o, "7");
		put_unknown(o, Cluster, 8);
		put_uint(o, Timestamp, 5000 - 2000 * i, 2);
	}
	collect_init(&c);
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	assert_int_equal(c.documents->len, 3);
	for (guint i = 0; i < 3; i++) {
		GByteArray *b = collect_at(&c, i)->bytes;
		g_autofree char *text = dump(b->data, b->len);

		assert_non_null(strstr(text, " Cluster ?\n  Timestamp 0\n"));
	}
	collect_clear(&c);
}

static void a_timestamp_may_come_late(void **state)
{
	g_autoptr(GByteArray) media = g_byte_array_new();

	put_unknown(media, Cluster, 8);
	put_block(media, 0, 10);
	put_uint(media, Timestamp, 3000, 2);
	put_block(media, 40, 10);
	put_unknown(media, Cluster, 8);
	put_uint(media, Timestamp, 3500, 2);
	assert_becomes(media, "Cluster ?\n"
			      " SimpleBlock 14 bytes\n"
			      " Timestamp 0\n"
			      " SimpleBlock 14 bytes\n"
			      " Cluster ?\n"
			      "  Timestamp 500\n");
}

static void what_a_cluster_says_of_its_place_is_void(void **state)
{
	g_autoptr(GByteArray) media = g_byte_array_new();
	GByteArray *c = g_byte_array_new(), *g = g_byte_array_new();

	put_zeros(c, CRC32, 4);
	put_uint(c, Timestamp, 0, 1);
	put_uint(c, Position, 3434, 3);
	put_head(c, PrevSize, 3, 8); /* a size field longer than it has to be */
	put_be(c, 1234, 3);
	put_zeros(c, Void, 6);
	put_zeros(c, 0x5854, 7);
	put_block(c, 0, 10);
	put_zeros(g, CRC32, 4); /* inside a BlockGroup nothing is touched */
	put_zeros(g, Block, 20);
	put_master(c, BlockGroup, g);
	put_master(media, Cluster, c);
	assert_becomes(media, "Cluster\n"
			      " Void 4 bytes\n"
			      " Timestamp 0\n"
			      " Void 3 bytes\n"
			      " Void 10 bytes\n"
			      " Void 6 bytes\n"
			      " 5854 7 bytes\n"
			      " SimpleBlock 14 bytes\n"
			      " BlockGroup 28 bytes\n");
}

static void blocks_and_what_has_no_name_stay(void **state)
{
	g_autoptr(GByteArray) media = g_byte_array_new();
	GByteArray *c = g_byte_array_new();

	put_uint(c, Timestamp, 0, 1);
	put_block(c, -5, 1000);
	put_zeros(c, BlockGroup, 300);
	put_zeros(c, 0xaf, 50); /* EncryptedBlock */
	put_zeros(c, 0x6abc, 50);
	put_master(media, Cluster, c);
	put_zeros(media, Void, 30);
	put_zeros(media, Attachments, 40);
	put_zeros(media, 0x1abcdef1, 12);
	TAGS(media, "ContactId", "4711");
	put_bytes(media, Tags, NULL, 0);
	assert_stays(media);
}

static void what_follows_the_media_of_a_part_is_void(void **state)
{
	g_autoptr(GByteArray) media = g_byte_array_new();

	put_bytes(media, Cluster, NULL, 0);
	put_zeros(media, CRC32, 4);
	put_zeros(media, SeekHead, 60);
	put_head(media, Cues, 5, 8);
	put_be(media, 1, 5);
	put_zeros(media, Chapters, 300);
	put_info(media);
	put_tracks(media);
	TAGS(media, "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", "0",
	     "AWS_KINESISVIDEO_CONTINUATION_TOKEN", "7");
	put_zeros(media, Cues, 126);
	put_zeros(media, Cues, 20000);
	assert_becomes(media, "Cluster\n"
			      "Void 4 bytes\n"
			      "Void 63 bytes\n"
			      "Void 15 bytes\n"
			      "Void 303 bytes\n"
			      "Void 72 bytes\n"
			      "Void 40 bytes\n"
			      "Void 95 bytes\n"
			      "Void 128 bytes\n"
			      "Void 20003 bytes\n");
}

/* They are all there is, so they are needed. */
static void a_first_info_after_the_media_stays(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct collect c;

	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_bytes(o, Cluster, NULL, 0);
	put_info(o);
	put_tracks(o);
	collect_init(&c);
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	g_autofree char *text = dump(collect_at(&c, 0)->bytes->data,
				     collect_at(&c, 0)->bytes->len);
	assert_non_null(strstr(text, " Cluster\n Info\n"));
	assert_non_null(strstr(text, " Tracks\n"));
	collect_clear(&c);
}

static void tags_are_voided_one_by_one(void **state)
{
	g_autoptr(GByteArray) media = g_byte_array_new();
	GByteArray *tags = g_byte_array_new(), *tag = g_byte_array_new(),
		   *crc = g_byte_array_new();

	put_bytes(media, Cluster, NULL, 0);
	put_zeros(tags, CRC32, 4);
	TAG(tags, "BPS", "1");
	put_zeros(crc, CRC32, 4);
	put_zeros(crc, Targets, 0);
	put_simple_tag(crc, "ENCODER", "x");
	put_simple_tag(crc, "DURATION", "1");
	put_master(tags, Tag, crc);
	put_zeros(tag, CRC32, 4); /* of a Tag that does not change */
	put_simple_tag(tag, "ContactId", "4711");
	put_master(tags, Tag, tag);
	put_master(media, Tags, tags);
	assert_becomes(media, "Cluster\n"
			      "Tags\n"
			      " Void 4 bytes\n"
			      " Void 14 bytes\n"
			      " Tag\n"
			      "  Void 4 bytes\n"
			      "  Targets\n"
			      "  SimpleTag\n"
			      "   TagName \"ENCODER\"\n"
			      "   TagString \"x\"\n"
			      "  Void 16 bytes\n"
			      " Tag\n"
			      "  CRC32 4 bytes\n"
			      "  SimpleTag\n"
			      "   TagName \"ContactId\"\n"
			      "   TagString \"4711\"\n");
}

static void void_is_zeros(void **state)
{
	g_autoptr(GByteArray) media = g_byte_array_new(), out = NULL;
	g_autofree uint8_t *cues = g_malloc(40000);
	size_t at;

	memset(cues, 0x5a, 40000);
	put_bytes(media, Cluster, NULL, 0);
	at = media->len;
	put_bytes(media, Cues, cues, 40000);
	out = through(media);
	for (size_t i = at + 4; i < out->len; i++)
		if (out->data[i])
			fail_msg("byte %zu of %u: %02x", i, out->len,
				 out->data[i]);
}

static void its_bytes_are_pinned(void **state)
{
	g_autoptr(GByteArray) media = g_byte_array_new(), out = NULL;
	g_autofree char *sum = NULL;
	GByteArray *c = g_byte_array_new();

	put_zeros(c, CRC32, 4);
	put_uint(c, Timestamp, 1511852108513, 8);
	put_uint(c, Position, 5, 8);
	for (int16_t i = 0; i < 50; i++)
		put_block(c, (int16_t)(i * 40), (size_t)i * 37);
	put_master(media, Cluster, c);
	put_zeros(media, Cues, 300);
	TAGS(media, "ContactId", "4711", "DURATION", "10");
	out = through(media);
	sum = sha256(out->data, out->len);
	assert_string_equal(sum, "f5edc52b1cbb5a27fbee4155cba99403"
				 "fd0b607d93e0cad08b8dac5679793c39");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_timestamp_is_zero_and_deltas_stay),
		cmocka_unit_test(every_document_starts_at_zero),
		cmocka_unit_test(a_timestamp_may_come_late),
		cmocka_unit_test(what_a_cluster_says_of_its_place_is_void),
		cmocka_unit_test(blocks_and_what_has_no_name_stay),
		cmocka_unit_test(what_follows_the_media_of_a_part_is_void),
		cmocka_unit_test(a_first_info_after_the_media_stays),
		cmocka_unit_test(tags_are_voided_one_by_one),
		cmocka_unit_test(void_is_zeros),
		cmocka_unit_test(its_bytes_are_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
