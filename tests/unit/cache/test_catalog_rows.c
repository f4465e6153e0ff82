/* SPDX-License-Identifier: MIT */
/* What a row takes of the disk, and that its number is found again. */
#include "tests/unit/cache/catalog_room.h"

#include "cache/catalog_number.h"

#define T0 INT64_C(1764000000000)

/* As the service numbers them; they arrive a while after they begin. */
static struct fragment real(int i, int64_t spacing_ms)
{
	int64_t ms = T0 + i * spacing_ms;
	struct fragment f = frag("", ms, ms + 150 + i * 37 % 250,
				 100000 + i * 7919 % 1000);

	number_of_code(((int64_t)(7000 + i) << 28) |
			       (i * INT64_C(2654435761) & 0xfffffff),
		       f.server_ms, f.number);
	return f;
}

/* Pages as listings have them: 1000 of an hour, in no order. */
static void fill_real(struct room *r, uint32_t s, int n)
{
	g_autofree struct fragment *f = g_new(struct fragment, 1800);

	for (int hour = 0; hour < n; hour += 1800) {
		struct catalog_listing l = {.stream = s, .fragments = f};
		size_t in_hour = (size_t)MIN(1800, n - hour);

		for (size_t i = 0; i < in_hour; i++)
			f[i * 1117 % in_hour] = real(hour + (int)i, 2000);
		l.n = MIN(in_hour, 1000);
		catalog_put_listing(r->c, &l, NULL, NULL);
		l.fragments += l.n;
		l.n = in_hour - l.n;
		catalog_put_listing(r->c, &l, NULL, NULL);
	}
	settle(r);
}

static void test_rows_are_small(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	const char *size = g_getenv("KVSFS_ROWS");
	int n = (size ? atoi(size) : 100) * 1000 / 1800 * 1800;
	int64_t t0 = g_get_monotonic_time(), t1;
	int64_t before = query(r, "SELECT page_count * page_size FROM"
				  " pragma_page_count, pragma_page_size");
	int64_t each;

	fill_real(r, s, n);
	t1 = g_get_monotonic_time();
	catalog_show(r->c, s, CATALOG_PRODUCER, 0, INT64_MAX, 4096);
	settle(r);
	each = (query(r, "SELECT page_count * page_size FROM"
			 " pragma_page_count, pragma_page_size") -
		before) /
	       n;
	print_message("%d fragments: %" PRId64 " bytes each, put in %.2f us\n",
		      n, each, (double)(t1 - t0) / n);
	assert_in_range(each, 1, 75);
	assert_int_equal(query(r, "SELECT count(*) FROM fragments"), n);
	assert_int_equal(query(r, "SELECT count(*) FROM runs"), 1);
	for (int i = 0; i < n; i += 97) {
		struct fragment want = real(i, 2000);
		struct fragment got = find(r, s, want.number);

		assert_string_equal(got.number, want.number);
		assert_int_equal(got.producer_ms, want.producer_ms);
		assert_int_equal(got.server_ms, want.server_ms);
		assert_int_equal(got.file_bytes, want.size_bytes + 4096);
	}
}

/* The service corrects times and sizes: the same row, and what was shown. */
static void test_corrected(void **state)
{
	static const struct {
		int64_t server_off, producer_off, size_off;
	} cases[] = {
		{5, 0, 0}, {0, -7, 0}, {0, 0, 100}, {-5, 7, -100}, {0, 0, 0},
	};
	struct room *r = *state;
	uint32_t s = any_stream(r);
	struct fragment f = real(1, 2000), was, now;

	put_fragments(r, s, &f, 1);
	catalog_show(r->c, s, CATALOG_PRODUCER, 0, INT64_MAX, 4096);
	settle(r);
	was = find(r, s, f.number);
	catalog_set_payload(r->c, was.id, f.size_bytes + 300, -1, NULL, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct fragment c = f;

		c.server_ms += cases[i].server_off;
		c.producer_ms += cases[i].producer_off;
		c.size_bytes += cases[i].size_off;
		put_fragments(r, s, &c, 1);
		now = find(r, s, f.number);
		assert_int_equal(now.id, was.id);
		assert_string_equal(now.number, f.number);
		assert_int_equal(now.server_ms, c.server_ms);
		assert_int_equal(now.producer_ms, c.producer_ms);
		assert_int_equal(now.size_bytes, c.size_bytes);
		assert_int_equal(now.file_bytes, f.size_bytes + 4096);
		assert_int_equal(now.payload_bytes, f.size_bytes + 300);
		assert_int_equal(stream_row(r, s).total_bytes, c.size_bytes);
		assert_int_equal(stream_row(r, s).fragments, 1);
	}
}

/* Several streams take turns; each hears of its own, in order, once. */
static void test_since_of_several_streams(void **state)
{
	struct room *r = *state;
	uint32_t s[3] = {put_stream(r, "", "arn:a", "a"),
			 put_stream(r, "", "arn:b", "b"),
			 put_stream(r, "", "arn:c", "c")};
	struct fragment f[10], got[100];
	int64_t after = 0;
	int n;

	for (int turn = 0; turn < 30; turn++) {
		for (int i = 0; i < 10; i++)
			f[i] = real(turn * 10 + i, 2000);
		put_fragments(r, s[turn % 2], f, 10);
	}
	assert_int_equal(query(r, "SELECT count(*) FROM runs"), 30);
	for (int i = 0; i < 2; i++) {
		int total = 0;

		after = 0;
		while ((n = catalog_since(r->c, s[i], after, got, 7)) > 0) {
			for (int k = 0; k < n; k++) {
				assert_int_equal(got[k].stream, s[i]);
				assert_true(got[k].id > after);
				after = got[k].id;
			}
			total += n;
		}
		assert_int_equal(total, 150);
	}
	assert_int_equal(catalog_since(r->c, s[2], 0, got, 7), 0);
	/* From the middle of another's run, and of one's own. */
	assert_int_equal(catalog_since(r->c, s[0], 10, got, 1), 1);
	assert_int_equal(got[0].id, 21);
	assert_int_equal(catalog_since(r->c, s[0], 25, got, 1), 1);
	assert_int_equal(got[0].id, 26);
	/* With its fragments a run goes. */
	catalog_expire(r->c, s[0], T0 + 155 * 2000);
	for (int i = 0; i < 4; i++)
		settle(r);
	assert_int_equal(stream_row(r, s[0]).fragments, 70);
	assert_int_equal(query(r, "SELECT count(*) FROM runs"), 15 + 7);
	assert_int_equal(catalog_since(r->c, s[0], 0, got, 100), 70);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_rows_are_small),
		T(test_corrected),
		T(test_since_of_several_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
