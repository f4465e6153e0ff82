/* SPDX-License-Identifier: MIT */
#include "fs/aws/words.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Python 3.11's shlex.split() of each, joined by '|'; NULL: ValueError. */
static const struct {
	const char *line, *words;
} cases[] = {
	{"", ""},
	{" \t\r\n", ""},
	{"a", "a"},
	{" a  b\tc\n", "a|b|c"},
	{"'a b' \"c d\"", "a b|c d"},
	{"''", ""},
	{"'' x \"\"", "|x|"},
	{"a'b c'd\"e f\"g", "ab cde fg"},
	{"\\a\\ b", "a b"},
	{"'\\a'", "\\a"},
	{"\"\\a\\$\\\"\\\\\"", "\\a\\$\"\\"},
	{"#a b # c", "#a|b|#|c"},
	{"$HOME ~ * | & ; `x`", "$HOME|~|*|||&|;|`x`"},
	{"a\vb\fc", "a\vb\fc"},
	{"\"a'b\" 'c\"d'", "a'b|c\"d"},
	{"'a", NULL},
	{"a \"b", NULL},
	{"a\\", NULL},
	{"\"a\\", NULL},
};

static void table(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char **words = aws_words(cases[i].line);
		g_autofree char *joined = words ? g_strjoinv("|", words) : NULL;

		if (g_strcmp0(joined, cases[i].words))
			fail_msg("%zu: %s", i, joined ? joined : "(none)");
		aws_words_free(words);
	}
	aws_words_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
