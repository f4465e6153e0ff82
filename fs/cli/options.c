/* SPDX-License-Identifier: MIT */
#include "fs/cli/options.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/cli/fuse_options.h"
#include "fs/cli/option_table.h"
#include "fs/cli/values.h"

/* What an error may suggest at most: our own names and libfuse's. */
#define NAMES_MAX 96

#define NO_NAME                                                             \
	"the stream's name is empty: give a name, a prefix as 'cam-*', or " \
	"'*'"

/* Where the arguments have got to. */
struct cursor {
	enum options_command command;
	int argc, i;
	char **argv;
	bool only_operands; /* after "--" */
	GPtrArray *operands;
};

static int fail(char **ret_error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static int fail(char **ret_error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	*ret_error = g_strdup_vprintf(format, ap);
	va_end(ap);
	return -EINVAL;
}

static const char *command_name(enum options_command command)
{
	switch (command) {
	case OPTIONS_CACHE:
		return "kvsfs cache";
	case OPTIONS_CHECK:
		return "kvsfs check";
	default:
		return "kvsfs mount";
	}
}

/* dashes: how the user wrote it, "--" or "-o ". */
static int unknown(enum options_command command, const char *dashes,
		   const char *name, bool list, char **ret_error)
{
	const char *names[NAMES_MAX];
	size_t n = option_names(command, names, NAMES_MAX);
	const char *nearest;

	if (list) {
		size_t n_fuse;
		const char *const *fuse = fuse_option_names(&n_fuse);

		for (size_t i = 0; i < n_fuse && n < NAMES_MAX; i++)
			names[n++] = fuse[i];
	}
	nearest = value_nearest(name, names, n);
	if (nearest)
		return fail(ret_error,
			    "unknown option %s%s: did you mean %s%s?", dashes,
			    name, dashes, nearest);
	return fail(ret_error,
		    "unknown option %s%s: '%s --help' lists what there is",
		    dashes, name, command_name(command));
}

/* name or name=value of a -o list, escapes resolved. */
static int set_listed(enum options_command command, const char *raw,
		      const char *text, struct options *o, char **ret_error)
{
	size_t n = strcspn(text, "=");
	const char *value = text[n] ? text + n + 1 : NULL;
	g_autofree char *name = g_strndup(text, n);
	g_autofree char *called = g_strdup_printf("-o %s", name);
	const struct option_row *row = option_find(command, text, n);

	if (row && option_takes_value(row) && !value)
		return fail(ret_error, "%s needs a value: %s=...", called,
			    called);
	if (row && !option_takes_value(row) && value)
		return fail(ret_error, "%s takes no value", called);
	if (row)
		return option_set(row, called, value, o, ret_error);

	switch (fuse_option_kind(text)) {
	case FUSE_OPTION_PASS:
		g_ptr_array_add(o->fuse_options, g_strdup(raw));
		return 0;
	case FUSE_OPTION_IGNORE:
		return 0;
	case FUSE_OPTION_UNKNOWN:
		break;
	}
	return unknown(command, "-o ", name, true, ret_error);
}

/* Commas part the list; "\," is a comma in a value (as libfuse has it). */
static int set_list(enum options_command command, const char *list,
		    struct options *o, char **ret_error)
{
	while (*list) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_autofree char *raw = NULL;
		const char *p = list;
		int rc;

		for (; *p && *p != ','; p++) {
			if (*p == '\\' && p[1])
				p++;
			g_string_append_c(text, *p);
		}
		raw = g_strndup(list, (gsize)(p - list));
		if (text->len) {
			rc = set_listed(command, raw, text->str, o, ret_error);
			if (rc)
				return rc;
		}
		list = *p ? p + 1 : p;
	}
	return 0;
}

/* The argument after this one, or NULL. */
static const char *next_argument(struct cursor *c)
{
	return c->i + 1 < c->argc ? c->argv[++c->i] : NULL;
}

static int parse_long(struct cursor *c, const char *text, struct options *o,
		      char **ret_error)
{
	size_t n = strcspn(text, "=");
	const char *value = text[n] ? text + n + 1 : NULL;
	g_autofree char *name = g_strndup(text, n);
	g_autofree char *called = g_strdup_printf("--%s", name);
	const struct option_row *row = option_find(c->command, text, n);

	if (!row)
		return unknown(c->command, "--", name, false, ret_error);
	if (!option_takes_value(row) && value)
		return fail(ret_error, "%s takes no value", called);
	if (option_takes_value(row) && !value)
		value = next_argument(c);
	if (option_takes_value(row) && !value)
		return fail(ret_error, "%s needs a value: %s=...", called,
			    called);
	return option_set(row, called, value, o, ret_error);
}

/*
 * What mount(8) gives its helpers: -f pretends, -n and -s and -v say nothing
 * to us, -t TYPE says what we know.  true: it was one of them.
 */
static bool parse_helper(struct cursor *c, const char *arg, struct options *o)
{
	if (!strcmp(arg, "-t")) {
		next_argument(c);
		return true;
	}
	if (strspn(arg + 1, "fnsv") != strlen(arg + 1))
		return false;
	if (strchr(arg, 'f'))
		o->pretend = true;
	return true;
}

static bool takes_list(enum options_command command)
{
	return command == OPTIONS_MOUNT || command == OPTIONS_MOUNT_HELPER;
}

static int parse_short(struct cursor *c, const char *arg, struct options *o,
		       char **ret_error)
{
	const struct option_row *row;

	if (arg[1] == 'o' && takes_list(c->command)) {
		const char *list = arg[2] ? arg + 2 : next_argument(c);

		if (!list)
			return fail(ret_error, "-o needs a list: -o ...");
		return set_list(c->command, list, o, ret_error);
	}
	if (c->command == OPTIONS_MOUNT_HELPER && parse_helper(c, arg, o))
		return 0;
	row = arg[2] ? NULL : option_find_letter(c->command, arg[1]);
	if (!row)
		return unknown(c->command, "-", arg + 1, false, ret_error);
	return option_set(row, arg, NULL, o, ret_error);
}

static int parse_arguments(struct cursor *c, struct options *o,
			   char **ret_error)
{
	for (; c->i < c->argc; c->i++) {
		char *arg = c->argv[c->i];
		int rc = 0;

		if (c->only_operands || arg[0] != '-' || !arg[1])
			g_ptr_array_add(c->operands, arg);
		else if (!strcmp(arg, "--"))
			c->only_operands = true;
		else if (arg[1] == '-')
			rc = parse_long(c, arg + 2, o, ret_error);
		else
			rc = parse_short(c, arg, o, ret_error);
		if (rc)
			return rc;
	}
	return 0;
}

static char *default_cache_dir(char **environ)
{
	const char *service = g_environ_getenv(environ, "CACHE_DIRECTORY");
	const char *xdg = g_environ_getenv(environ, "XDG_CACHE_HOME");
	const char *home = g_environ_getenv(environ, "HOME");

	/* systemd lists several with ':' (systemd.exec(5)). */
	if (service && *service == '/')
		return g_strndup(service, strcspn(service, ":"));
	/* Relative ones are to be ignored (XDG base directories). */
	if (xdg && *xdg == '/')
		return g_build_filename(xdg, "kvsfs", NULL);
	if (geteuid() == 0)
		return g_strdup("/var/cache/kvsfs");
	if (!home || *home != '/')
		home = g_get_home_dir();
	return g_build_filename(home, ".cache", "kvsfs", NULL);
}

/*
 * A daemon leaves the folder it was started in.  Where the path cannot be
 * resolved it is whoever uses it who says so.
 */
static char *absolute(const char *path)
{
	char *resolved = realpath(path, NULL);
	char *copy;

	if (!resolved)
		return g_canonicalize_filename(path, NULL);
	copy = g_strdup(resolved);
	free(resolved);
	return copy;
}

static int take_stream(GPtrArray *operands, struct options *o, char **ret_error)
{
	if (operands->len > 1)
		return fail(ret_error,
			    "'%s' is one argument too many: kvsfs check "
			    "[options] [STREAM] (quote a pattern)",
			    (char *)operands->pdata[1]);
	if (operands->len && !*(char *)operands->pdata[0])
		return fail(ret_error, NO_NAME);
	o->stream = operands->len ? g_strdup(operands->pdata[0]) : NULL;
	return 0;
}

static int take_operands(enum options_command command, GPtrArray *operands,
			 struct options *o, char **ret_error)
{
	if (command == OPTIONS_CACHE) {
		if (operands->len != 1)
			return fail(ret_error,
				    "kvsfs cache takes one of info, verify, "
				    "clear");
		o->action = g_strdup(operands->pdata[0]);
		return 0;
	}
	if (command == OPTIONS_CHECK)
		return take_stream(operands, o, ret_error);
	if (operands->len < 2)
		return fail(ret_error,
			    "%s is missing: kvsfs mount [options] STREAM "
			    "MOUNTPOINT",
			    operands->len ? "the mountpoint" : "the stream");
	if (operands->len > 2)
		return fail(ret_error,
			    "'%s' is one argument too many: kvsfs mount "
			    "[options] STREAM MOUNTPOINT (quote a pattern)",
			    (char *)operands->pdata[2]);
	if (!*(char *)operands->pdata[0])
		return fail(ret_error, NO_NAME);
	o->stream = g_strdup(operands->pdata[0]);
	o->mountpoint = absolute(operands->pdata[1]);
	return 0;
}

static struct options *options_new(void)
{
	struct options *o = g_new0(struct options, 1);

	o->view = TREE_BOTH;
	o->bucket = TREE_HOUR;
	o->timestamps = CATALOG_PRODUCER;
	o->cache_size_bytes = INT64_C(10) << 30;
	o->cache_min_free_ratio = 0.05;
	o->metadata_ttl_ms = 5000;
	o->timeout_ms = 60000;
	o->readahead_bytes = INT64_C(256) << 20;
	o->slack_bytes = -1;
	o->log_level = LOG_LEVEL_INFO;
	o->uid = getuid();
	o->gid = getgid();
	o->umask = 022;
	/* The service's own limits per stream. */
	o->media_calls_per_s = 5;
	o->media_fragments_per_s = 500;
	o->media_connections = 5;
	o->list_points_per_s = 10000;
	o->fuse_options = g_ptr_array_new_with_free_func(g_free);
	return o;
}

int options_parse(enum options_command command, int argc, char **argv,
		  char **environ, struct options **ret_options,
		  char **ret_error)
{
	g_autoptr(GPtrArray) operands = g_ptr_array_new();
	struct cursor c = {
		.command = command,
		.argc = argc,
		.argv = argv,
		.i = 1,
		.operands = operands,
	};
	struct options *o = options_new();
	char *given;
	int rc;

	rc = parse_arguments(&c, o, ret_error);
	if (!rc && !o->help)
		rc = take_operands(command, operands, o, ret_error);
	if (rc) {
		options_free(o);
		return rc;
	}
	given = o->cache_dir;
	o->cache_dir = given ? absolute(given) : default_cache_dir(environ);
	g_free(given);
	*ret_options = o;
	return 0;
}

void options_free(struct options *o)
{
	if (!o)
		return;
	g_free(o->stream);
	g_free(o->mountpoint);
	g_free(o->action);
	g_free(o->region);
	g_free(o->profile);
	g_free(o->endpoint_url);
	g_free(o->cache_dir);
	g_ptr_array_unref(o->fuse_options);
	g_free(o);
}
