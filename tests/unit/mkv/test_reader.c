/* SPDX-License-Identifier: MIT */
/* Where documents begin and end, at every cut, and who stops the reader. */
#include "build.h"
#include "collect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void one_cluster(GByteArray *o)
{
	GByteArray *c = g_byte_array_new();

	put_uint(c, Timestamp, 2000, 2);
	put_block(c, 0, 40);
	put_block(c, 40, 300);
	put_master(o, Cluster, c);
}

static void known_cluster(GByteArray *o)
{
	put_start(o, "100");
	one_cluster(o);
}

static void unknown_cluster(GByteArray *o)
{
	put_start(o, "101");
	put_unknown(o, Cluster, 1);
	put_uint(o, Timestamp, 2000, 2);
	put_block(o, 0, 200);
}

static void unknown_then_tags(GByteArray *o)
{
	unknown_cluster(o);
	put_zeros(o, Void, 3);
	TAGS(o, "ContactId", "4711");
}

static void several_clusters(GByteArray *o)
{
	put_start(o, "102");
	one_cluster(o);
	put_unknown(o, Cluster, 8);
	put_uint(o, Timestamp, 4000, 8);
	put_block(o, 0, 5);
	put_unknown(o, Cluster, 4);
	put_uint(o, Timestamp, 6000, 3);
	put_zeros(o, 0x5854, 6); /* SilentTracks */
	one_cluster(o);
	put_zeros(o, Cues, 150);
	TAGS(o, "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", "0");
}

static void known_segment(GByteArray *o)
{
	GByteArray *s = g_byte_array_new();

	put_info(s);
	put_aws_tags(s, "103");
	put_unknown(s, Cluster, 8);
	put_uint(s, Timestamp, 0, 1);
	put_block(s, 0, 20);
	put_ebml(o);
	put_zeros(o, Void, 4);
	put_master(o, Segment, s);
	put_zeros(o, Void, 4);
}

static void empty_parts(GByteArray *o)
{
	GByteArray *s = g_byte_array_new();

	put_ebml(o);
	put_unknown(o, Segment, 1);
	put_bytes(o, Info, NULL, 0);
	put_bytes(o, Tracks, NULL, 0);
	put_bytes(o, Tags, NULL, 0);
	put_bytes(o, Cluster, NULL, 0);
	put_bytes(s, Timestamp, NULL, 0);
	put_bytes(s, SimpleBlock, NULL, 0);
	put_master(o, Cluster, s);
	put_bytes(o, Tags, NULL, 0);
}

static void empty_segment(GByteArray *o)
{
	put_ebml(o);
	put_bytes(o, Segment, NULL, 0);
}

static void error_document(GByteArray *o)
{
	put_ebml(o);
	put_unknown(o, Segment, 8);
	TAGS(o, "AWS_KINESISVIDEO_FRAGMENT_NUMBER", "104",
	     "AWS_KINESISVIDEO_ERROR_ID", "3000", "AWS_KINESISVIDEO_ERROR_CODE",
	     "FRAGMENT_NOT_FOUND");
}

static void tags_first(GByteArray *o)
{
	put_ebml(o);
	put_unknown(o, Segment, 5);
	put_aws_tags(o, "105");
	put_zeros(o, CRC32, 4);
	put_tracks(o);
	put_info(o);
	one_cluster(o);
}

static void (*const shapes[])(GByteArray *) = {
	known_cluster,	  unknown_cluster, unknown_then_tags,
	several_clusters, known_segment,   empty_parts,
	empty_segment,	  error_document,  tags_first,
};

static void body_of_all(GByteArray *o)
{
	for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++)
		shapes[i](o);
}

static void the_body_is_cut_into_its_documents(void **state)
{
	g_autoptr(GByteArray) body = g_byte_array_new();
	struct collect c;

	body_of_all(body);
	collect_init(&c);
	assert_int_equal(collect_run(&c, true, body->data, body->len), 0);
	assert_false(c.out_of_order);
	assert_int_equal(c.documents->len, G_N_ELEMENTS(shapes));
	for (guint i = 0; i < c.documents->len; i++) {
		g_autoptr(GByteArray) sent = g_byte_array_new();
		struct collected *d = collect_at(&c, i);

		shapes[i](sent);
		assert_true(d->ended);
		assert_int_equal(d->bytes->len, sent->len);
		assert_memory_equal(d->bytes->data, sent->data, sent->len);
	}
	collect_clear(&c);
}

static void nothing_is_no_document(void **state)
{
	struct collect c;

	collect_init(&c);
	assert_int_equal(collect_run(&c, false, NULL, 0), 0);
	assert_int_equal(c.documents->len, 0);
	collect_clear(&c);
}

static void assert_same(const struct collect *a, const struct collect *b)
{
	assert_false(b->out_of_order);
	assert_int_equal(a->documents->len, b->documents->len);
	for (guint i = 0; i < a->documents->len; i++) {
		struct collected *x = collect_at(a, i), *y = collect_at(b, i);

		assert_memory_equal(&x->document, &y->document,
				    sizeof(x->document));
		assert_int_equal(x->ended, y->ended);
		assert_int_equal(x->bytes->len, y->bytes->len);
		assert_memory_equal(x->bytes->data, y->bytes->data,
				    x->bytes->len);
	}
}

static void check_steps(const GByteArray *body, bool raw,
			const struct collect *whole,
			size_t (*step)(void *, size_t), void *arg)
{
	struct collect c;

	collect_init(&c);
	assert_int_equal(
		collect_run_steps(&c, raw, body->data, body->len, step, arg),
		0);
	assert_same(whole, &c);
	collect_clear(&c);
}

static void every_cut_gives_the_same(void **state)
{
	g_autoptr(GByteArray) body = g_byte_array_new();
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);

	body_of_all(body);
	for (int raw = 0; raw < 2; raw++) {
		struct collect whole;

		collect_init(&whole);
		assert_int_equal(
			collect_run(&whole, raw, body->data, body->len), 0);
		for (size_t cut = 0; cut < body->len; cut++)
			check_steps(body, raw, &whole, collect_step_cut, &cut);
		for (size_t n = 1; n < 20; n++)
			check_steps(body, raw, &whole, collect_step_by, &n);
		for (int i = 0; i < 50; i++)
			check_steps(body, raw, &whole, collect_step_random,
				    rand);
		collect_clear(&whole);
	}
}

/* Where a body may end: after each of these, and nowhere else. */
static GArray *borders_of_known_cluster(size_t *ret_len)
{
	GArray *borders = g_array_new(FALSE, FALSE, sizeof(size_t));
	g_autoptr(GByteArray) o = g_byte_array_new();
	void (*const parts[])(GByteArray *) = {put_info, put_tracks,
					       one_cluster};
	size_t at = 0;

	g_array_append_val(borders, at);
	put_ebml(o);
	put_unknown(o, Segment, 8);
	at = o->len;
	g_array_append_val(borders, at);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		parts[i](o);
		at = o->len;
		g_array_append_val(borders, at);
	}
	*ret_len = o->len;
	return borders;
}

static void a_body_ends_between_elements_only(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	g_autoptr(GArray) borders = NULL;
	size_t len;
	guint next = 0;

	borders = borders_of_known_cluster(&len);
	put_ebml(o);
	put_unknown(o, Segment, 8);
	put_info(o);
	put_tracks(o);
	one_cluster(o);
	assert_int_equal(o->len, len);
	for (size_t n = 0; n <= o->len; n++) {
		bool border = next < borders->len &&
			      g_array_index(borders, size_t, next) == n;
		struct collect c;
		int rc;

		if (border)
			next++;
		collect_init(&c);
		rc = collect_run(&c, false, o->data, n);
		if (rc != (border ? 0 : -EBADMSG))
			fail_msg("a body of %zu bytes: %d", n, rc);
		for (guint i = 0; i < c.documents->len; i++)
			assert_int_equal(collect_at(&c, i)->ended, border);
		collect_clear(&c);
	}
	assert_int_equal(next, borders->len);
}

static void an_unknown_cluster_ends_between_its_blocks(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct collect c;
	size_t before;

	put_start(o, "1");
	put_unknown(o, Cluster, 8);
	put_uint(o, Timestamp, 0, 1);
	before = o->len;
	put_block(o, 0, 50);
	for (size_t n = before; n <= o->len; n++) {
		bool border = n == before || n == o->len;
		int rc;

		collect_init(&c);
		rc = collect_run(&c, false, o->data, n);
		assert_int_equal(rc, border ? 0 : -EBADMSG);
		collect_clear(&c);
	}
}

static void the_caller_stops_or_skips(void **state)
{
	static const struct {
		int begin_rc, data_rc, end_rc, rc;
		guint documents;
		bool last_ended;
	} cases[] = {
		{0, 0, 0, 0, 9, true},
		{1, 0, 0, 0, 9, true},
		{-ENOSPC, 0, 0, -ENOSPC, 3, false},
		{0, -ENOSPC, 0, -ENOSPC, 3, false},
		{0, 0, -ENOSPC, -ENOSPC, 3, true},
	};
	g_autoptr(GByteArray) body = g_byte_array_new();

	body_of_all(body);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		for (int raw = 0; raw < 2; raw++) {
			struct collect c;

			collect_init(&c);
			c.fail_at = 2;
			c.begin_rc = cases[i].begin_rc;
			c.data_rc = cases[i].data_rc;
			c.end_rc = cases[i].end_rc;
			assert_int_equal(
				collect_run(&c, raw, body->data, body->len),
				cases[i].rc);
			assert_false(c.out_of_order);
			assert_int_equal(c.documents->len, cases[i].documents);
			assert_int_equal(
				collect_at(&c, c.documents->len - 1)->ended,
				cases[i].last_ended);
			if (cases[i].begin_rc > 0)
				assert_int_equal(collect_at(&c, 2)->bytes->len,
						 0);
			collect_clear(&c);
		}
	}
}

static void media_is_passed_on_as_it_arrives(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct mkv_reader *r;
	struct collect c;
	guint before;
	uint8_t part[100] = {0};

	put_start(o, "1");
	put_unknown(o, Cluster, 8);
	put_uint(o, Timestamp, 0, 1);
	put_head(o, SimpleBlock, 1 << 20, 4);
	for (int raw = 0; raw < 2; raw++) {
		collect_init(&c);
		r = mkv_reader_new(&collect_ops, raw, &c);
		assert_int_equal(mkv_reader_feed(r, o->data, o->len), 0);
		for (int i = 0; i < 5; i++) {
			before = collect_at(&c, 0)->bytes->len;
			assert_int_equal(mkv_reader_feed(r, part, 100), 0);
			assert_int_equal(collect_at(&c, 0)->bytes->len,
					 before + 100);
		}
		assert_int_equal(mkv_reader_finish(r), -EBADMSG);
		assert_false(collect_at(&c, 0)->ended);
		mkv_reader_free(r);
		collect_clear(&c);
	}
	mkv_reader_free(NULL);
}

/* A buffer that was fed at once comes out in a few large pieces. */
static void untouched_media_is_not_chopped(void **state)
{
	g_autoptr(GByteArray) o = g_byte_array_new();
	struct collect c;

	put_start(o, "1");
	put_unknown(o, Cluster, 8);
	put_uint(o, Timestamp, 0, 1);
	for (int16_t i = 0; i < 1000; i++)
		put_block(o, i, 100);
	collect_init(&c);
	assert_int_equal(collect_run(&c, false, o->data, o->len), 0);
	assert_true(c.data_calls <= 4);
	assert_true(c.largest > 1000 * 100);
	collect_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_body_is_cut_into_its_documents),
		cmocka_unit_test(nothing_is_no_document),
		cmocka_unit_test(every_cut_gives_the_same),
		cmocka_unit_test(a_body_ends_between_elements_only),
		cmocka_unit_test(an_unknown_cluster_ends_between_its_blocks),
		cmocka_unit_test(the_caller_stops_or_skips),
		cmocka_unit_test(media_is_passed_on_as_it_arrives),
		cmocka_unit_test(untouched_media_is_not_chopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
