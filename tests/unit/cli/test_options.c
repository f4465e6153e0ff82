/* SPDX-License-Identifier: MIT */
/* The command line, as tables: what is taken for what, and what is refused. */
#include "fs/cli/options.h"

#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ARGS_MAX 8

static int parse(enum options_command command, const char *const *args,
		 struct options **ret, char **ret_error)
{
	static char *no_environ[] = {NULL};
	char *argv[ARGS_MAX + 3] = {NULL};
	int argc = 0;
	int rc;

	argv[argc++] = g_strdup("kvsfs");
	while (argc <= ARGS_MAX && args[argc - 1]) {
		argv[argc] = g_strdup(args[argc - 1]);
		argc++;
	}
	rc = options_parse(command, argc, argv, no_environ, ret, ret_error);
	for (int i = 0; i < argc; i++)
		g_free(argv[i]);
	return rc;
}

/* One field of the struct as text, so that a table can say what it is. */
static char *field(const struct options *o, const char *name)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{"view", o->view},
		{"bucket", o->bucket},
		{"timestamps", o->timestamps},
		{"cache_size", o->cache_size_bytes},
		{"cache_min_free_ppm",
		 (int64_t)(o->cache_min_free_ratio * 1e6)},
		{"metadata_ttl", o->metadata_ttl_ms},
		{"timeout", o->timeout_ms},
		{"slack", o->slack_bytes},
		{"raw", o->raw},
		{"no-clock", o->no_clock},
		{"foreground", o->foreground},
		{"pretend", o->pretend},
		{"help", o->help},
		{"log_level", o->log_level},
		{"allow_other", o->allow_other},
		{"uid", o->uid},
		{"gid", o->gid},
		{"umask", o->umask},
		{"media_calls_milli", (int64_t)(o->media_calls_per_s * 1e3)},
		{"media_fragments", (int64_t)o->media_fragments_per_s},
		{"media_connections", o->media_connections},
		{"list_points", (int64_t)o->list_points_per_s},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
		if (!strcmp(numbers[i].name, name))
			return g_strdup_printf("%" G_GINT64_FORMAT,
					       (gint64)numbers[i].value);
	if (!strcmp(name, "stream"))
		return g_strdup(o->stream);
	if (!strcmp(name, "mountpoint"))
		return g_strdup(o->mountpoint);
	if (!strcmp(name, "region"))
		return g_strdup(o->region);
	if (!strcmp(name, "endpoint_url"))
		return g_strdup(o->endpoint_url);
	if (!strcmp(name, "cache_dir"))
		return g_strdup(o->cache_dir);
	if (!strcmp(name, "fuse")) {
		GString *all = g_string_new(NULL);

		for (guint i = 0; i < o->fuse_options->len; i++)
			g_string_append_printf(
				all, "%s;", (char *)o->fuse_options->pdata[i]);
		return g_string_free(all, FALSE);
	}
	fail_msg("no field %s", name);
	return NULL;
}

static void takes(void **state)
{
	static const struct {
		enum options_command command;
		const char *args[ARGS_MAX];
		const char *field, *value;
	} cases[] = {
#define M OPTIONS_MOUNT
#define H OPTIONS_MOUNT_HELPER
		/* what holds where nothing is said */
		{M, {"cam", "/"}, "stream", "cam"},
		{M, {"cam", "/"}, "mountpoint", "/"},
		{M, {"cam", "/no/where/../there"}, "mountpoint", "/no/there"},
		{M, {"cam", "/"}, "view", "3"},
		{M, {"cam", "/"}, "bucket", "1"},
		{M, {"cam", "/"}, "timestamps", "0"},
		{M, {"cam", "/"}, "cache_size", "10737418240"},
		{M, {"cam", "/"}, "cache_min_free_ppm", "50000"},
		{M, {"cam", "/"}, "metadata_ttl", "5000"},
		{M, {"cam", "/"}, "timeout", "60000"},
		{M, {"cam", "/"}, "slack", "-1"},
		{M, {"cam", "/"}, "umask", "18"},
		{M, {"cam", "/"}, "log_level", "2"},
		{M, {"cam", "/"}, "foreground", "0"},
		{M, {"cam", "/"}, "media_calls_milli", "5000"},
		{M, {"cam", "/"}, "media_fragments", "500"},
		{M, {"cam", "/"}, "media_connections", "5"},
		{M, {"cam", "/"}, "list_points", "10000"},
		/* each way to write one */
		{M, {"--region=eu-west-1", "cam", "/"}, "region", "eu-west-1"},
		{M,
		 {"cam", "/", "--region", "eu-west-1"},
		 "region",
		 "eu-west-1"},
		{M,
		 {"cam", "-o", "region=eu-west-1", "/"},
		 "region",
		 "eu-west-1"},
		{M, {"cam", "-oregion=eu-west-1", "/"}, "region", "eu-west-1"},
		{M, {"--region=a", "--region=b", "cam", "/"}, "region", "b"},
		{M,
		 {"--cache-size=500M", "cam", "/"},
		 "cache_size",
		 "524288000"},
		{M,
		 {"--cache_size=500M", "cam", "/"},
		 "cache_size",
		 "524288000"},
		{M,
		 {"-o", "cache-size=1M", "cam", "/"},
		 "cache_size",
		 "1048576"},
		{M,
		 {"-o", "raw,cache_size=1M,ro", "cam", "/"},
		 "cache_size",
		 "1048576"},
		{M, {"-o", "raw", "cam", "/"}, "raw", "1"},
		{M, {"-f", "cam", "/"}, "foreground", "1"},
		{M, {"--", "-f", "/"}, "stream", "-f"},
		{M,
		 {"-o", "endpoint_url=http://x/a\\,b", "cam", "/"},
		 "endpoint_url",
		 "http://x/a,b"},
		/* values */
		{M, {"--view=movies", "cam", "/"}, "view", "2"},
		{M, {"--bucket=minute", "cam", "/"}, "bucket", "2"},
		{M, {"--timestamps=server", "cam", "/"}, "timestamps", "1"},
		{M,
		 {"--cache-min-free=0", "cam", "/"},
		 "cache_min_free_ppm",
		 "0"},
		{M,
		 {"--cache-min-free=2.5%", "cam", "/"},
		 "cache_min_free_ppm",
		 "25000"},
		{M, {"--metadata-ttl=0", "cam", "/"}, "metadata_ttl", "0"},
		{M,
		 {"--metadata-ttl=500ms", "cam", "/"},
		 "metadata_ttl",
		 "500"},
		{M, {"--timeout=2m", "cam", "/"}, "timeout", "120000"},
		{M, {"--slack=0", "cam", "/"}, "slack", "0"},
		{M, {"--umask=077", "cam", "/"}, "umask", "63"},
		{M, {"--uid=4294967294", "cam", "/"}, "uid", "4294967294"},
		{M,
		 {"--media-calls=0.5", "cam", "/"},
		 "media_calls_milli",
		 "500"},
		{M,
		 {"--media-connections=0", "cam", "/"},
		 "media_connections",
		 "0"},
		{M, {"--cache-dir=/a/./b", "cam", "/"}, "cache_dir", "/a/b"},
		/* not ours */
		{M, {"-o", "allow_other", "cam", "/"}, "allow_other", "1"},
		{M,
		 {"-o", "nosuid,auto_unmount", "cam", "/"},
		 "fuse",
		 "nosuid;auto_unmount;"},
		{M,
		 {"-o", "context=a\\,b,ro", "cam", "/"},
		 "fuse",
		 "context=a\\,b;ro;"},
		{M,
		 {"-o", "defaults,,x-systemd.idle-timeout=1min", "a", "/"},
		 "fuse",
		 ""},
		/* as mount(8) asks */
		{H,
		 {"cam", "/", "-o", "rw,_netdev,nofail,noauto,user,raw"},
		 "raw",
		 "1"},
		{H, {"cam", "/", "-n", "-o", "rw"}, "pretend", "0"},
		{H, {"cam", "/", "-sfv", "-o", "rw"}, "pretend", "1"},
		{H, {"cam", "/", "-f"}, "foreground", "0"},
		{H, {"cam", "/", "-o", "foreground"}, "foreground", "1"},
		{H, {"cam", "/", "-t", "kvsfs"}, "mountpoint", "/"},
		/* help asks for nothing else */
		{M, {"--help"}, "help", "1"},
		{OPTIONS_CACHE, {"-h"}, "help", "1"},
		{OPTIONS_CACHE, {"info", "--cache-dir=/a"}, "cache_dir", "/a"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct options *o = NULL;
		char *error = NULL;
		char *value;

		if (parse(cases[i].command, cases[i].args, &o, &error))
			fail_msg("case %zu: %s", i, error);
		value = field(o, cases[i].field);
		if (g_strcmp0(value, cases[i].value))
			fail_msg("case %zu: %s is %s, not %s", i,
				 cases[i].field, value, cases[i].value);
		g_free(value);
		options_free(o);
	}
}

static void refuses(void **state)
{
	static const struct {
		enum options_command command;
		const char *args[ARGS_MAX];
		const char *says; /* among the rest */
	} cases[] = {
		{M, {NULL}, "the stream is missing"},
		{M, {"cam"}, "the mountpoint is missing"},
		{M, {"cam", "/", "/x"}, "'/x' is one argument too many"},
		{M, {"", "/"}, "empty"},
		{M, {"--regoin=x", "cam", "/"}, "did you mean --region?"},
		{M,
		 {"--cachesize=1G", "cam", "/"},
		 "did you mean --cache-size"},
		{M, {"--zzzzzzzzz", "cam", "/"}, "kvsfs mount --help"},
		{M, {"-o", "allow_othr", "cam", "/"}, "did you mean -o allow"},
		{M, {"-o", "auto_umount", "c", "/"}, "-o auto_unmount?"},
		{M, {"-o", "quux", "cam", "/"}, "unknown option -o quux"},
		{M, {"-x", "cam", "/"}, "unknown option -x"},
		{M, {"-fx", "cam", "/"}, "unknown option -fx"},
		{M, {"cam", "/", "-o"}, "-o needs a list"},
		{M, {"cam", "/", "--region"}, "--region needs a value"},
		{M, {"--region=", "cam", "/"}, "cannot be empty"},
		{M, {"-o", "region", "cam", "/"}, "-o region needs a value"},
		{M, {"--raw=1", "cam", "/"}, "--raw takes no value"},
		{M, {"-o", "raw=1", "cam", "/"}, "-o raw takes no value"},
		{M, {"--view=films", "cam", "/"}, "fragments, movies, both"},
		{M, {"--bucket=week", "cam", "/"}, "day, hour, minute"},
		{M, {"--cache-size=ten", "cam", "/"}, "'ten' is no value for"},
		{M, {"--cache-size=1K", "cam", "/"}, "from 1048576 bytes up"},
		{M, {"--cache-size=-1", "cam", "/"}, "no value"},
		{M, {"--cache-size=99999999999T", "cam", "/"}, "no value"},
		{M, {"--cache-min-free=100%", "cam", "/"}, "below 100%"},
		{M, {"--timeout=0", "cam", "/"}, "from 1s"},
		{M, {"--timeout=forever", "cam", "/"}, "500ms or 2m"},
		{M, {"--metadata-ttl=-1", "cam", "/"}, "no value"},
		{M, {"--uid=root", "cam", "/"}, "a number from 0"},
		{M, {"--uid=4294967295", "cam", "/"}, "no value"},
		{M, {"--umask=9", "cam", "/"}, "octal"},
		{M, {"--umask=1777", "cam", "/"}, "octal"},
		{M, {"--media-calls=nan", "cam", "/"}, "a number"},
		{M, {"--media-connections=-1", "cam", "/"}, "a number"},
		{H, {"cam", "/", "-o", "rw,regoin=x"}, "-o region?"},
		{H, {"cam", "/", "-x"}, "unknown option -x"},
		{OPTIONS_CACHE, {NULL}, "info, verify, clear"},
		{OPTIONS_CACHE, {"info", "verify"}, "one of"},
		{OPTIONS_CACHE, {"info", "--region=x"}, "unknown option"},
		{OPTIONS_CACHE, {"info", "-o", "raw"}, "unknown option -o"},
#undef M
#undef H
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct options *o = NULL;
		char *error = NULL;

		if (parse(cases[i].command, cases[i].args, &o, &error) !=
		    -EINVAL)
			fail_msg("case %zu was taken", i);
		assert_null(o);
		if (!strstr(error, cases[i].says))
			fail_msg("case %zu: \"%s\" without \"%s\"", i, error,
				 cases[i].says);
		g_free(error);
	}
}

static void finds_the_cache(void **state)
{
	static const struct {
		const char *service, *xdg, *home, *dir;
	} cases[] = {
		{"/var/cache/kvsfs", "/x", "/h", "/var/cache/kvsfs"},
		{"/a:/b", NULL, "/h", "/a"},
		{NULL, "/x", "/h", "/x/kvsfs"},
		{NULL, "relative", "/h", NULL},
		{NULL, NULL, "/h", NULL},
	};
	char *argv[] = {(char[]){"mount"}, (char[]){"cam"}, (char[]){"/"}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *dir = cases[i].dir;
		struct options *o = NULL;
		char *error = NULL;
		char **environ = NULL;

		environ = g_environ_setenv(environ, "HOME", cases[i].home, 1);
		if (cases[i].service)
			environ = g_environ_setenv(environ, "CACHE_DIRECTORY",
						   cases[i].service, 1);
		if (cases[i].xdg)
			environ = g_environ_setenv(environ, "XDG_CACHE_HOME",
						   cases[i].xdg, 1);
		assert_int_equal(options_parse(OPTIONS_MOUNT, 3, argv, environ,
					       &o, &error),
				 0);
		if (!dir)
			dir = geteuid() ? "/h/.cache/kvsfs"
					: "/var/cache/kvsfs";
		assert_string_equal(o->cache_dir, dir);
		options_free(o);
		g_strfreev(environ);
	}
}

/* What help lists is what can be given. */
static void prints_every_option(void **state)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	options_print(OPTIONS_MOUNT, out);
	fclose(out);
	assert_non_null(strstr(text, "--view=fragments|movies|both"));
	assert_non_null(strstr(text, "-f, --foreground"));
	assert_non_null(strstr(text, "--cache-size=SIZE"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(finds_the_cache),
		cmocka_unit_test(prints_every_option),
	};

	return cmocka_run_group_tests_name("cli options", tests, NULL, NULL);
}
