/* SPDX-License-Identifier: MIT */
#include "fs/view/path.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "fs/base/utc.h"

#define N47 "91343852333181432392682062607743920146159169392"

static int64_t ms_of(int year, int month, int day, int hour, int minute,
		     int second, int ms)
{
	struct utc u = {year, month, day, hour, minute, second, ms};
	int64_t t_ms;

	assert_true(utc_to_ms(&u, &t_ms));
	return t_ms;
}

static void test_every_day_and_back(void **state)
{
	char name[PATH_NAME_SIZE], before[PATH_NAME_SIZE] = "";
	int64_t back_ms;

	for (int64_t t = PATH_FIRST_MS; t < PATH_END_MS; t += UTC_DAY_MS) {
		assert_int_equal(path_bucket(PATH_DAY, t, name), 10);
		assert_true(strcmp(before, name) < 0);
		assert_true(path_parse_bucket(PATH_DAY, 0, name, &back_ms));
		assert_int_equal(back_ms, t);
		memcpy(before, name, 11);
	}
	assert_string_equal(name, "9999-12-31");
}

static void test_every_hour_and_minute(void **state)
{
	int64_t day_ms = ms_of(2026, 11, 22, 0, 0, 0, 0), back_ms;
	char name[PATH_NAME_SIZE];

	for (int h = 0; h < 24; h++) {
		int64_t hour_ms = day_ms + h * UTC_HOUR_MS;

		assert_int_equal(path_bucket(PATH_HOUR, hour_ms, name), 2);
		assert_true(
			path_parse_bucket(PATH_HOUR, day_ms, name, &back_ms));
		assert_int_equal(back_ms, hour_ms);
		for (int m = 0; m < 60; m++) {
			path_bucket(PATH_MINUTE, hour_ms + m * UTC_MINUTE_MS,
				    name);
			assert_true(path_parse_bucket(PATH_MINUTE, hour_ms,
						      name, &back_ms));
			assert_int_equal(back_ms, hour_ms + m * UTC_MINUTE_MS);
		}
	}
}

static void test_what_is_no_bucket(void **state)
{
	static const struct {
		enum path_unit unit;
		const char *name;
	} cases[] = {
		{PATH_DAY, ""},
		{PATH_DAY, "2026-11-2"},
		{PATH_DAY, "2026-11-222"},
		{PATH_DAY, "2026-02-30"},
		{PATH_DAY, "2026-13-01"},
		{PATH_DAY, "2026-00-01"},
		{PATH_DAY, "2026-01-00"},
		{PATH_DAY, "0000-01-01"},
		{PATH_DAY, "2025-02-29"},
		{PATH_DAY, "2026-1-22"},
		{PATH_DAY, "+026-11-22"},
		{PATH_DAY, " 2026-11-22"},
		{PATH_DAY, "2026-11-22 "},
		{PATH_DAY, "2026/11/22"},
		{PATH_DAY, "2026-11-22T"},
		{PATH_DAY, "2026:11:22"},
		{PATH_HOUR, ""},
		{PATH_HOUR, "1"},
		{PATH_HOUR, "24"},
		{PATH_HOUR, "013"},
		{PATH_HOUR, "-1"},
		{PATH_HOUR, "1 "},
		{PATH_HOUR, "1a"},
		{PATH_HOUR, "13.mkv"},
		{PATH_MINUTE, "60"},
		{PATH_MINUTE, "5"},
		{PATH_MINUTE, "99"},
		{PATH_MINUTE, ".."},
	};
	int64_t t_ms = 7;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		if (path_parse_bucket(cases[i].unit, 0, cases[i].name, &t_ms))
			fail_msg("'%s' is a bucket", cases[i].name);
	assert_int_equal(t_ms, 7);
}

static void test_fragment_names(void **state)
{
	char name[PATH_NAME_SIZE], number[CATALOG_NUMBER_MAX + 1];
	int64_t t_ms = ms_of(2026, 11, 22, 13, 5, 2, 513), back_ms;

	assert_int_equal(path_fragment(t_ms, N47, name), 25 + 47 + 4);
	assert_string_equal(name, "2026-11-22T13-05-02.513Z_" N47 ".mkv");
	assert_true(path_parse_fragment(name, &back_ms, number));
	assert_int_equal(back_ms, t_ms);
	assert_string_equal(number, N47);
}

static void test_fragment_times(void **state)
{
	static const int64_t edges[] = {PATH_FIRST_MS,
					-1,
					0,
					1,
					999,
					1000,
					951782400000 /* 29 Feb */,
					1705489836421,
					4102444800000,
					PATH_END_MS - 1};
	char name[PATH_NAME_SIZE], number[CATALOG_NUMBER_MAX + 1];
	int64_t back_ms;

	for (size_t i = 0; i < G_N_ELEMENTS(edges); i++) {
		assert_true(path_fragment(edges[i], "1", name) > 0);
		assert_null(strchr(name, ':'));
		assert_true(path_parse_fragment(name, &back_ms, number));
		assert_int_equal(back_ms, edges[i]);
	}
	assert_int_equal(path_fragment(PATH_FIRST_MS - 1, "1", name), 0);
	assert_int_equal(path_fragment(PATH_END_MS, "1", name), 0);
	assert_int_equal(path_fragment(INT64_MAX, "1", name), 0);
	assert_int_equal(path_fragment(INT64_MIN, "1", name), 0);
}

static void test_numbers(void **state)
{
	char digits[CATALOG_NUMBER_MAX + 2], name[PATH_NAME_SIZE];
	char number[CATALOG_NUMBER_MAX + 1];
	int64_t t_ms;
	static const char *const bad[] = {"",	 "-1",	 "1a",	     "../../x",
					  "1/2", " 1",	 "1 ",	     "+1",
					  "1.0", "0x10", "\xd9\xa1", "1\n"};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		assert_false(path_number_ok(bad[i]));
		assert_int_equal(path_fragment(0, bad[i], name), 0);
	}
	memset(digits, '9', sizeof(digits));
	digits[CATALOG_NUMBER_MAX + 1] = '\0';
	assert_false(path_number_ok(digits));
	digits[CATALOG_NUMBER_MAX] = '\0';
	assert_true(path_number_ok(digits));
	assert_int_equal(path_fragment(0, digits, name), 25 + 128 + 4);
	assert_true(path_parse_fragment(name, &t_ms, number));
	assert_string_equal(number, digits);
	assert_true(path_number_ok("0"));
	assert_true(path_number_ok("000"));
}

static void test_what_is_no_fragment(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"2026-11-22T13-05-02.513Z_.mkv",
		"2026-11-22T13-05-02.513Z_1",
		"2026-11-22T13-05-02.513Z_1.mk",
		"2026-11-22T13-05-02.513Z_1.MKV",
		"2026-11-22T13-05-02.513Z_1.mkv.part",
		"2026-11-22T13-05-02.513Z_1 .mkv",
		"2026-11-22T13-05-02.513_1.mkv",
		"2026-11-22T13-05-02.51Z_1.mkv",
		"2026-11-22T13-05-02Z_1.mkv",
		"2026-11-22T13:05:02.513Z_1.mkv",
		"2026-11-22T24-00-00.000Z_1.mkv",
		"2026-11-22T13-60-00.000Z_1.mkv",
		"2026-11-22T13-05-60.000Z_1.mkv",
		"2026-02-30T13-05-02.513Z_1.mkv",
		"2026-11-22t13-05-02.513Z_1.mkv",
		"2026-11-22T13-05-02.513Z-1.mkv",
		"2026-11-22T13-05-02.513Z_-1.mkv",
		".2026-11-22T13-05-02.513Z_1.mkv.X2c",
	};
	char number[CATALOG_NUMBER_MAX + 1];
	char huge[4096];
	int64_t t_ms;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		if (path_parse_fragment(bad[i], &t_ms, number))
			fail_msg("'%s' is a fragment", bad[i]);
	memset(huge, '1', sizeof(huge));
	memcpy(huge, "2026-11-22T13-05-02.513Z_", 25);
	memcpy(huge + sizeof(huge) - 5, ".mkv", 5);
	assert_false(path_parse_fragment(huge, &t_ms, number));
}

/* No cut or change of one byte is taken for another name. */
static void test_one_spelling(void **state)
{
	const char *good = "2026-11-22T13-05-02.513Z_12345.mkv";
	char name[64], again[PATH_NAME_SIZE], number[CATALOG_NUMBER_MAX + 1];
	int64_t t_ms;

	for (size_t i = 0; i < strlen(good); i++) {
		for (int c = 1; c < 256; c++) {
			memcpy(name, good, strlen(good) + 1);
			name[i] = (char)c;
			if (!path_parse_fragment(name, &t_ms, number))
				continue;
			path_fragment(t_ms, number, again);
			assert_string_equal(again, name);
		}
	}
}

static void test_streams(void **state)
{
	static const struct {
		const char *stream, *name;
	} cases[] = {
		{"front-door", "front-door"},
		{"a.b_c-D.9", "a.b_c-D.9"},
		{".", "%2E"},
		{"..", "%2E%2E"},
		{"...", "..."},
		{".hidden", ".hidden"},
		{"a/b", "a%2Fb"},
		{"../../x", "..%2F..%2Fx"},
		{"%2E", "%252E"},
		{"", ""},
	};
	char out[PATH_NAME_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		assert_int_equal(path_stream(cases[i].stream, out),
				 strlen(cases[i].name));
		assert_string_equal(out, cases[i].name);
	}
}

static void test_long_streams(void **state)
{
	char stream[257], other[257], out[PATH_NAME_SIZE], out2[PATH_NAME_SIZE];
	g_autofree char *want = NULL;

	memset(stream, 'a', 256);
	stream[256] = '\0';
	memcpy(other, stream, 257);
	other[255] = 'b';
	/* printf 'a%.0s' {1..256} | sha256sum */
	want = g_strdup_printf("%.200s%%%s", stream, "02d7160d77e18c64");
	assert_int_equal(path_stream(stream, out), 217);
	assert_string_equal(out, want);
	assert_int_equal(path_stream(other, out2), 217);
	assert_string_not_equal(out, out2);
	stream[255] = '\0';
	assert_int_equal(path_stream(stream, out), 255);
	assert_string_equal(out, stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_day_and_back),
		cmocka_unit_test(test_every_hour_and_minute),
		cmocka_unit_test(test_what_is_no_bucket),
		cmocka_unit_test(test_fragment_names),
		cmocka_unit_test(test_fragment_times),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_what_is_no_fragment),
		cmocka_unit_test(test_one_spelling),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_long_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
