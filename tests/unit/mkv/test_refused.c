/* SPDX-License-Identifier: MIT */
/* What is no sequence of Matroska documents, or over a limit. */
#include "build.h"
#include "collect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void known_cluster(GByteArray *o)
{
	GByteArray *c = g_byte_array_new();

	put_start(o, "100");
	put_uint(c, Timestamp, 2000, 2);
	put_block(c, 0, 40);
	put_master(o, Cluster, c);
}

static void known_segment(GByteArray *o)
{
	GByteArray *s = g_byte_array_new();

	put_aws_tags(s, "103");
	put_unknown(s, Cluster, 8);
	put_uint(s, Timestamp, 0, 1);
	put_block(s, 0, 20);
	put_ebml(o);
	put_master(o, Segment, s);
}

static void bad_garbage(GByteArray *o)
{
	put_text(o, 0x4282, "no EBML header");
}

static void bad_html(GByteArray *o)
{
	g_byte_array_append(o, (const uint8_t *)"<html>", 6);
}

static void bad_second(GByteArray *o)
{
	known_segment(o);
	put_tracks(o);
}

static void bad_no_segment(GByteArray *o)
{
	put_ebml(o);
	put_info(o);
}

static void bad_two_ebml(GByteArray *o)
{
	put_ebml(o);
	put_ebml(o);
}

static void bad_two_segments(GByteArray *o)
{
	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_unknown(o, Segment, 8);
}

static void bad_unknown_tags(GByteArray *o)
{
	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_unknown(o, Tags, 8);
}

static void bad_unknown_block(GByteArray *o)
{
	put_start(o, "1");
	put_unknown(o, Cluster, 8);
	put_unknown(o, SimpleBlock, 8);
}

static void bad_child(GByteArray *o)
{
	put_start(o, "1");
	put_head(o, Cluster, 10, 8);
	put_head(o, SimpleBlock, 9, 1); /* 2 + 9 > 10 */
	put_be(o, 0, 8);
	put_be(o, 0, 8);
}

static void bad_head_over_end(GByteArray *o)
{
	put_start(o, "1");
	put_head(o, Cluster, 3, 8);
	put_bytes(o, Void, NULL, 0);
	put_block(o, 0, 10);
}

static void bad_cluster_in_cluster(GByteArray *o)
{
	put_start(o, "1");
	put_head(o, Cluster, 1000, 8);
	put_unknown(o, Cluster, 8);
}

static void bad_ebml_in_known(GByteArray *o)
{
	put_start(o, "1");
	put_head(o, Cluster, 1000, 8);
	put_ebml(o);
}

static void bad_cluster_over_segment(GByteArray *o)
{
	put_ebml(o);
	put_head(o, Segment, 100, 8);
	put_head(o, Cluster, 100, 8);
}

static void bad_id(GByteArray *o)
{
	put_start(o, "1");
	put_unknown(o, Cluster, 8);
	put_be(o, 0x08, 1);
}

static void bad_doc_type(GByteArray *o)
{
	GByteArray *e = g_byte_array_new();

	put_text(e, DocType, "matroskb");
	put_master(o, EBML, e);
	put_unknown(o, Segment, 8);
	put_bytes(o, Cluster, NULL, 0);
}

static void bad_id_length(GByteArray *o)
{
	GByteArray *e = g_byte_array_new();

	put_uint(e, EBMLMaxIDLength, 5, 1);
	put_text(e, DocType, "matroska");
	put_master(o, EBML, e);
	put_unknown(o, Segment, 8);
	put_bytes(o, Cluster, NULL, 0);
}

static void bad_info_inside(GByteArray *o)
{
	GByteArray *i = g_byte_array_new();

	put_head(i, TimestampScale, 4, 1); /* of which 3 are there */
	put_be(i, 1, 3);
	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_master(o, Info, i);
	put_bytes(o, Cluster, NULL, 0);
}

static void bad_scale(GByteArray *o)
{
	GByteArray *i = g_byte_array_new();

	put_zeros(i, TimestampScale, 9);
	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_master(o, Info, i);
	put_bytes(o, Cluster, NULL, 0);
}

static void bad_tag_inside(GByteArray *o)
{
	GByteArray *t = g_byte_array_new();

	put_head(t, SimpleTag, 400, 2);
	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_master(o, Tags, t);
	put_bytes(o, Cluster, NULL, 0);
}

/* Limits: what is over one is refused when its size is seen. */
static void bad_ebml_size(GByteArray *o)
{
	put_head(o, EBML, 4097, 8);
}

static void bad_head_size(GByteArray *o)
{
	put_start(o, "1");
	put_head(o, Attachments, MKV_HEAD_MAX_BYTES, 8);
}

static void bad_block_size(GByteArray *o)
{
	put_start(o, "1");
	put_unknown(o, Cluster, 8);
	put_head(o, SimpleBlock, (64u << 20) + 1, 8);
}

static void bad_vast_block(GByteArray *o)
{
	put_start(o, "1");
	put_unknown(o, Cluster, 8);
	put_head(o, SimpleBlock, (UINT64_C(1) << 56) - 2, 8);
}

static void bad_timestamp_size(GByteArray *o)
{
	put_start(o, "1");
	put_unknown(o, Cluster, 8);
	put_head(o, Timestamp, 9, 1);
}

static void bad_tags_size(GByteArray *o)
{
	known_cluster(o);
	put_head(o, Tags, (1u << 20) + 1, 8);
}

static const struct {
	const char *name;
	void (*build)(GByteArray *);
	bool rewrite_only; /* --raw does not look into it */
} bad[] = {
	{"garbage", bad_garbage, false},
	{"html", bad_html, false},
	{"second", bad_second, false},
	{"no_segment", bad_no_segment, false},
	{"two_ebml", bad_two_ebml, false},
	{"two_segments", bad_two_segments, false},
	{"unknown_tags", bad_unknown_tags, false},
	{"unknown_block", bad_unknown_block, false},
	{"child", bad_child, false},
	{"head_over_end", bad_head_over_end, false},
	{"cluster_in_cluster", bad_cluster_in_cluster, false},
	{"ebml_in_known", bad_ebml_in_known, false},
	{"cluster_over_segment", bad_cluster_over_segment, false},
	{"id", bad_id, false},
	{"doc_type", bad_doc_type, false},
	{"id_length", bad_id_length, false},
	{"info_inside", bad_info_inside, false},
	{"scale", bad_scale, false},
	{"tag_inside", bad_tag_inside, false},
	{"ebml_size", bad_ebml_size, false},
	{"head_size", bad_head_size, false},
	{"block_size", bad_block_size, false},
	{"vast_block", bad_vast_block, false},
	{"timestamp_size", bad_timestamp_size, true},
	{"tags_size", bad_tags_size, true},
};

static int run(const GByteArray *o, bool raw, bool bytewise)
{
	size_t by_one = 1;
	struct collect c;
	int rc;

	collect_init(&c);
	if (bytewise)
		rc = collect_run_steps(&c, raw, o->data, o->len,
				       collect_step_by, &by_one);
	else
		rc = collect_run(&c, raw, o->data, o->len);
	assert_false(c.out_of_order);
	assert_int_equal(rc, -EBADMSG);
	rc = c.feed_rc; /* not only because the body is cut off */
	collect_clear(&c);
	return rc;
}

static void what_is_no_matroska_is_refused(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		for (int raw = 0; raw <= !bad[i].rewrite_only; raw++) {
			g_autoptr(GByteArray) o = g_byte_array_new();
			int rc;

			bad[i].build(o);
			for (int bytewise = 0; bytewise < 2; bytewise++) {
				rc = run(o, raw, bytewise);
				if (rc != -EBADMSG)
					fail_msg("%s: %d", bad[i].name, rc);
			}
		}
	}
}

static void a_limit_holds_what_is_at_it(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct collect c;

	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_zeros(o, Void, MKV_HEAD_MAX_BYTES - o->len - 5);
	assert_int_equal(o->len, MKV_HEAD_MAX_BYTES);
	put_bytes(o, Cluster, NULL, 0);
	put_zeros(o, SimpleBlock, 10); /* has no place in level 1: passed on */
	collect_init(&c);
	assert_int_equal(collect_run(&c, true, o->data, o->len), 0);
	assert_int_equal(collect_at(&c, 0)->bytes->len, o->len);
	collect_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_matroska_is_refused),
		cmocka_unit_test(a_limit_holds_what_is_at_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
