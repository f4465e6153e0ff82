/* SPDX-License-Identifier: MIT */
/* How much one call asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>

#include "fs/archive/share.h"

#define MB INT64_C(1000000)
/* As the service hands out. */
#define OF .connections = 5, .calls = 5, .fragments_max = 500, .bytes_s = 25e6

static void test_shares(void **state)
{
	static const struct {
		const char *what;
		struct share_of of;
		int64_t min_bytes, max_bytes;
		unsigned fragments;
	} cases[] = {
		{"plenty: what a connection brings in a bit over a second",
		 {OF, .bytes = 500 * MB, .more = true},
		 25 * MB,
		 30 * MB,
		 100},
		{"little, but more will come: calls are dear",
		 {OF, .bytes = 8 * MB, .more = true},
		 25 * MB,
		 30 * MB,
		 100},
		{"the end: all connections finish together",
		 {OF, .bytes = 50 * MB},
		 10 * MB,
		 10 * MB,
		 100},
		{"less than is worth a call of its own",
		 {OF, .bytes = 2 * MB},
		 MB,
		 2 * MB,
		 100},
		{"a slow line: none is blocked for long",
		 {.connections = 5,
		  .calls = 5,
		  .fragments_max = 500,
		  .bytes_s = 1e6,
		  .bytes = 500 * MB,
		  .more = true},
		 MB,
		 2 * MB,
		 100},
		{"a fast one: memory and patience end it",
		 {.connections = 5,
		  .calls = 5,
		  .fragments_max = 500,
		  .bytes_s = 1e9,
		  .bytes = 5000 * MB,
		  .more = true},
		 25 * MB,
		 30 * MB,
		 100},
		{"no limits at all",
		 {.bytes_s = 25e6, .bytes = 64 * MB},
		 4 * MB,
		 4 * MB,
		 1000},
		{"fewer calls: more in each",
		 {.connections = 1,
		  .calls = 0.5,
		  .fragments_max = 500,
		  .bytes_s = 25e6,
		  .bytes = 500 * MB},
		 25 * MB,
		 30 * MB,
		 1000},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct share s = share_of(&cases[i].of);

		if (s.bytes < cases[i].min_bytes ||
		    s.bytes > cases[i].max_bytes ||
		    s.fragments != cases[i].fragments)
			fail_msg("%s: %" G_GINT64_FORMAT " bytes, %u fragments",
				 cases[i].what, s.bytes, s.fragments);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
