/* SPDX-License-Identifier: MIT */
#include "fs/cli/values.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fs/cli/log.h"

#define NOT INT64_MIN

static void reads_bytes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
		{"0", 0},
		{"4096", 4096},
		{"4096B", 4096},
		{"64K", 65536},
		{"64k", 65536},
		{"64KiB", 65536},
		{"64KB", 65536},
		{"1.5M", 1572864},
		{"10G", INT64_C(10) << 30},
		{"2T", INT64_C(2) << 40},
		{"9007199254740992", INT64_C(1) << 53},
		{"9007199254740994", NOT},
		{"9P", NOT},
		{"1e400", NOT},
		{"", NOT},
		{"K", NOT},
		{"-1", NOT},
		{"+1", NOT},
		{" 1", NOT},
		{"1 ", NOT},
		{"1X", NOT},
		{"0x10", NOT},
		{"inf", NOT},
		{"1KiBB", NOT},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t bytes = NOT;

		value_bytes(cases[i].text, &bytes);
		if (bytes != cases[i].bytes)
			fail_msg("%s is %lld", cases[i].text, (long long)bytes);
	}
}

static void reads_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"5", 5000},	{"0.5", 500},	 {"500ms", 500},   {"5s", 5000},
		{"2m", 120000}, {"1h", 3600000}, {"1d", 86400000}, {"5 s", NOT},
		{"5sec", NOT},	{"-5", NOT},	 {"", NOT},	   {"1e3", NOT},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t ms = NOT;

		value_duration(cases[i].text, &ms);
		if (ms != cases[i].ms)
			fail_msg("%s is %lld", cases[i].text, (long long)ms);
	}
}

static void reads_ratios(void **state)
{
	static const struct {
		const char *text;
		double ratio;
	} cases[] = {
		{"5%", 0.05}, {"0.05", 0.05}, {"0", 0},	    {"99.9%", 0.999},
		{"100%", -1}, {"1", -1},      {"5", -1},    {"-5%", -1},
		{"5%%", -1},  {"%", -1},      {"half", -1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		double ratio = -1;

		value_ratio(cases[i].text, &ratio);
		if (ratio < cases[i].ratio - 1e-9 ||
		    ratio > cases[i].ratio + 1e-9)
			fail_msg("%s is %f", cases[i].text, ratio);
	}
}

static void suggests(void **state)
{
	static const char *const names[] = {
		"region", "profile",  "cache-dir", "cache-size",
		"raw",	  "no-clock", "umask",
	};
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{"regoin", "region"},
		{"region", "region"},
		{"cache_dri", "cache-dir"},
		{"cachesize", "cache-size"},
		{"rwa", NULL},
		{"ra", "raw"},
		{"x", NULL},
		{"", NULL},
		{"completely-different", NULL},
		{"cache-size-cache-size-cache-size-cache-size-cache", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *nearest = value_nearest(cases[i].word, names,
						    G_N_ELEMENTS(names));

		if (g_strcmp0(nearest, cases[i].nearest))
			fail_msg("%s: %s", cases[i].word, nearest);
	}
}

static void escapes(void **state)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
		{"plain", "plain"},
		{"Küche 庭", "Küche 庭"},
		{"a\nb\tc", "a\\nb\\tc"},
		{"\x1b[31mred\r", "\\x1b[31mred\\x0d"},
		{"\xff\xfe", "\\xff\\xfe"},
		{"cut \xe5\xba", "cut \\xe5\\xba"},
		/* C1 controls and line separators end lines too */
		{"\xc2\x85\xe2\x80\xa8", "\\xc2\\x85\\xe2\\x80\\xa8"},
		{"", ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char *line = log_escape(cases[i].text);

		assert_string_equal(line, cases[i].line);
		g_free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_bytes),
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(reads_ratios),
		cmocka_unit_test(suggests),
		cmocka_unit_test(escapes),
	};

	return cmocka_run_group_tests_name("cli values", tests, NULL, NULL);
}
