/* SPDX-License-Identifier: MIT */
#include "fs/aws/config.h"

#include <glib.h>
#include <glib/gstdio.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define CONFIG AWS_CONFIG_FILE
#define CREDS  AWS_CREDENTIALS_FILE

/* One look-up each; value NULL: there is none. */
static const struct {
	enum aws_config_kind kind;
	const char *text;
	const char *type, *name, *key, *nested, *value;
} lookups[] = {
	/* sections */
	{CONFIG, "[default]\nregion=a", "profile", "default", "region", NULL,
	 "a"},
	{CONFIG, "[profile x]\nregion=a", "profile", "x", "region", NULL, "a"},
	{CONFIG, "[x]\nregion=a", "profile", "x", "region", NULL, NULL},
	{CONFIG, "[profile x y]\nregion=a", "profile", "x", "region", NULL,
	 NULL},
	{CONFIG, "[profile \"x y\"]\nregion=a", "profile", "x y", "region",
	 NULL, "a"},
	{CONFIG, "[profile 'x]y']\nregion=a", "profile", "x]y", "region", NULL,
	 "a"},
	{CONFIG, "[profile \t x  ] # why\nregion=a", "profile", "x", "region",
	 NULL, "a"},
	{CONFIG, "[ profile x]\nregion=a", "profile", "x", "region", NULL,
	 NULL},
	{CONFIG, "[profile x] ]\nregion=a", "profile", "x", "region", NULL,
	 NULL},
	{CONFIG, "[profile \"x]\nregion=a", "profile", "x", "region", NULL,
	 NULL},
	{CONFIG, "[sso-session s]\nsso_region=a", "sso-session", "s",
	 "sso_region", NULL, "a"},
	/* of all sections */
	{CONFIG, "[DEFAULT]\nregion=a\n[profile x]\nb=1", "profile", "x",
	 "region", NULL, "a"},
	{CONFIG, "[DEFAULT]\nregion=a\n[profile x]\nregion=b", "profile", "x",
	 "region", NULL, "b"},
	{CONFIG, "[DEFAULT]\nregion=a\n[profile x]\nregion=", "profile", "x",
	 "region", NULL, NULL},
	{CONFIG, "[DEFAULT]\nregion=a\n[profile x]\nb=1", "profile", "y",
	 "region", NULL, NULL},
	{CREDS, "[x]\nb=1\n[DEFAULT]\na=2", "profile", "x", "a", NULL, "2"},
	{CONFIG, "[profile default]\nregion=a", "profile", "default", "region",
	 NULL, "a"},
	{CREDS, "[x]\nregion=a", "profile", "x", "region", NULL, "a"},
	{CREDS, "[ x ]\nregion=a", "profile", "x", "region", NULL, NULL},
	{CREDS, "[ x ]\nregion=a", "profile", " x ", "region", NULL, "a"},
	{CREDS, "[x y]\nregion=a", "profile", "x y", "region", NULL, "a"},
	{CREDS, "[profile x]\nregion=a", "profile", "x", "region", NULL, NULL},
	/* two of a kind */
	{CREDS, "[x]\na=1\n[y]\na=2\n[x]\nb=3", "profile", "x", "a", NULL, "1"},
	{CREDS, "[x]\na=1\n[y]\na=2\n[x]\nb=3", "profile", "x", "b", NULL, "3"},
	{CREDS, "[x]\na=1\n[x]\na=2", "profile", "x", "a", NULL, "2"},
	{CREDS, "[x]\na=1\nA=2", "profile", "x", "a", NULL, "2"},
	/* keys and values */
	{CREDS, "[x]\n  Key  =  v w  \n", "profile", "x", "key", NULL, "v w"},
	{CREDS, "[x]\nkey: v", "profile", "x", "key", NULL, "v"},
	{CREDS, "[x]\nkey = a=b:c==", "profile", "x", "key", NULL, "a=b:c=="},
	{CREDS, "[x]\nkey = \"q\"", "profile", "x", "key", NULL, "\"q\""},
	{CREDS, "[x]\nkey = v # w ; u", "profile", "x", "key", NULL,
	 "v # w ; u"},
	{CREDS, "[x]\nkey =\n", "profile", "x", "key", NULL, NULL},
	{CREDS, "[x]\nkey =", "profile", "x", "other", NULL, NULL},
	{CREDS, "[x]\r\nkey = v\r\n\r\nb = w\r\n", "profile", "x", "key", NULL,
	 "v"},
	{CREDS, "\xef\xbb\xbf[x]\nkey=v", "profile", "x", "key", NULL, "v"},
	/* comments */
	{CREDS, "# a\n; b\n  # c\n[x]\n#key=1\n;key=2\nkey=3", "profile", "x",
	 "key", NULL, "3"},
	{CREDS, "[x]\n\n\nkey=v\n# c\n\n", "profile", "x", "key", NULL, "v"},
	/* deeper lines */
	{CREDS, "[x]\nkey = a\n  b\n\n  # c\n  d", "profile", "x", "key", NULL,
	 "a\nb\n\nd"},
	{CREDS, "[x]\rkey = v\r\rb = w", "profile", "x", "b", NULL, "w"},
	{CREDS, "[x]\n\xc2\xa0key\xe3\x80\x80=\x1cv\v", "profile", "x", "key",
	 NULL, "v"},
	{CREDS, "[x]\nkey = a\n  [y]\nb=1", "profile", "x", "b", NULL, "1"},
	{CREDS, "[x]\n  a = 1\n  b = 2\n", "profile", "x", "b", NULL, "2"},
	{CREDS, "[x]\n  a = 1\n [y]\n b = 2\n", "profile", "y", "b", NULL, "2"},
	{CONFIG, "[services s]\nkinesis_video =\n  endpoint_url = http://a\n",
	 "services", "s", "kinesis_video", "endpoint_url", "http://a"},
	{CONFIG, "[services s]\nkinesis_video =\n  endpoint_url = http://a\n",
	 "services", "s", "kinesis_video", NULL, NULL},
	{CONFIG,
	 "[services s]\ns3 =\n\n  # c\n  endpoint_url=http://a\n  b = 1\n"
	 "kinesis_video=\n\tendpoint_url=http://b\nc=1",
	 "services", "s", "kinesis_video", "endpoint_url", "http://b"},
	{CONFIG, "[services s]\nx.endpoint_url = a\nx =\n", "services", "s",
	 "x", "endpoint_url", NULL},
	{CONFIG, "", "profile", "default", "region", NULL, NULL},
};

static void values(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(lookups); i++) {
		g_autofree char *error = NULL;
		struct aws_config *c = NULL;
		const char *value;

		if (aws_config_parse(lookups[i].text, strlen(lookups[i].text),
				     "F", lookups[i].kind, &c, &error))
			fail_msg("%zu: %s", i, error);
		value = aws_config_get(c, lookups[i].type, lookups[i].name,
				       lookups[i].key, lookups[i].nested);
		if (g_strcmp0(value, lookups[i].value))
			fail_msg("%zu: '%s'", i, value ? value : "(none)");
		aws_config_free(c);
	}
}

/* Where and what; and never the text, which may be a secret. */
static const struct {
	enum aws_config_kind kind;
	const char *text, *error;
} refused[] = {
	{CREDS, "[x]\nwJalrXUtnFEMI\n",
	 "F:2: expected 'key = value' or '[section]'"},
	{CREDS, "[x]\n\n# c\n = wJalrXUtnFEMI\n",
	 "F:4: expected 'key = value' or '[section]'"},
	{CREDS, "\nkey = wJalrXUtnFEMI\n[x]\n",
	 "F:2: a key before the first [section]"},
	{CREDS, "[x]\na=1\n[wJalrXUtnFEMI\n",
	 "F:3: expected 'key = value' or '[section]'"},
	{CREDS, "[x]\n[]\n", "F:2: expected 'key = value' or '[section]'"},
	{CREDS, "[x]\n# \xe9t\xe9\n", "F:2: a byte that is not UTF-8"},
	{CONFIG, "[services s]\ns3 =\n  wJalrXUtnFEMI\n",
	 "F:3: expected an indented 'key = value'"},
};

static void refusals(void **state)
{
	static const char nul[] = "[x]\na=1\nb=\0c\n";
	struct aws_config *c = NULL;
	g_autofree char *nul_error = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_autofree char *error = NULL;

		assert_int_equal(aws_config_parse(refused[i].text,
						  strlen(refused[i].text), "F",
						  refused[i].kind, &c, &error),
				 -EINVAL);
		assert_string_equal(error, refused[i].error);
		assert_null(c);
	}
	assert_int_equal(aws_config_parse(nul, sizeof(nul) - 1, "F", CREDS, &c,
					  &nul_error),
			 -EINVAL);
	assert_string_equal(nul_error, "F:3: a NUL byte: this is no text file");
}

/* Session tokens are longer than many a line buffer. */
static void long_values(void **state)
{
	static const size_t sizes[] = {1023, 1024, 4096, 65536, 500000};

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *token = g_strnfill(sizes[i], 'T');
		g_autofree char *text = g_strdup_printf(
			"[x]\naws_session_token = %s\nb = 1\n", token);
		g_autofree char *error = NULL;
		struct aws_config *c;

		assert_int_equal(aws_config_parse(text, strlen(text), "F",
						  CREDS, &c, &error),
				 0);
		assert_string_equal(aws_config_get(c, "profile", "x",
						   "aws_session_token", NULL),
				    token);
		assert_string_equal(
			aws_config_get(c, "profile", "x", "b", NULL), "1");
		aws_config_free(c);
	}
}

static void files(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("kvsfs-aws-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "f", NULL);
	g_autofree char *below = g_build_filename(path, "g", NULL);
	g_autofree char *much = g_strnfill((64 << 20) + 1, '\n');
	g_autofree char *error = NULL, *too_large = NULL;
	struct aws_config *c = NULL;

	/* not there, or below what is no folder: empty */
	assert_int_equal(aws_config_read(path, CREDS, &c, &error), 0);
	assert_false(aws_config_has(c, "profile", "x"));
	aws_config_free(c);
	g_file_set_contents(path, "[x]\n", -1, NULL);
	assert_int_equal(aws_config_read(below, CREDS, &c, &error), 0);
	aws_config_free(c);

	/* a section without keys is one */
	assert_int_equal(aws_config_read(path, CREDS, &c, &error), 0);
	assert_true(aws_config_has(c, "profile", "x"));
	aws_config_free(c);

	/* a folder; more than any profile file has */
	assert_int_equal(aws_config_read(dir, CREDS, &c, &error), -EINVAL);
	assert_true(g_str_has_prefix(error, dir));
	g_file_set_contents(path, much, -1, NULL);
	assert_int_equal(aws_config_read(path, CREDS, &c, &too_large), -EINVAL);
	assert_true(g_str_has_prefix(too_large, path));
	g_unlink(path);
	g_rmdir(dir);
}

/*
 * `test_config --ask` answers questions, for tests/mount/test_profile_files.py
 * to compare with botocore.  A line of standard input is KIND PATH TYPE NAME
 * KEY NESTED in hexadecimal ("-": none); a line of the answer a value likewise,
 * "-", or "!" and why the file cannot be read.
 */
static char *from_hex(const char *hex)
{
	GString *s = g_string_new(NULL);

	if (!strcmp(hex, "-"))
		return g_string_free(s, TRUE);
	/* "=" is none: an empty text. */
	for (; hex[0] && hex[1]; hex += 2)
		g_string_append_c(s, (char)(g_ascii_xdigit_value(hex[0]) * 16 +
					    g_ascii_xdigit_value(hex[1])));
	return g_string_free(s, FALSE);
}

static void print_hex(const char *s)
{
	for (; *s; s++)
		printf("%02x", (unsigned char)*s);
	printf("\n");
}

static void answer(char **w)
{
	static char *path;
	static struct aws_config *config;
	static char *error;
	const char *value;

	if (g_strcmp0(path, w[1])) {
		g_clear_pointer(&config, aws_config_free);
		g_clear_pointer(&error, g_free);
		g_free(path);
		path = g_strdup(w[1]);
		aws_config_read(path, strcmp(w[0], "config") ? CREDS : CONFIG,
				&config, &error);
	}
	if (error) {
		printf("!%s\n", error);
		return;
	}
	value = aws_config_get(config, w[2], w[3], w[4], w[5]);
	if (value)
		print_hex(value);
	else
		printf("-\n");
}

static int ask(void)
{
	char line[65536];

	while (fgets(line, sizeof(line), stdin)) {
		g_auto(GStrv) hex = g_strsplit(g_strchomp(line), " ", -1);
		char *words[6];

		assert_int_equal(g_strv_length(hex), G_N_ELEMENTS(words));
		for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
			words[i] = from_hex(hex[i]);
		answer(words);
		fflush(stdout);
		for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
			g_free(words[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(refusals),
		cmocka_unit_test(long_values),
		cmocka_unit_test(files),
	};

	if (argc > 1 && !strcmp(argv[1], "--ask"))
		return ask();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
