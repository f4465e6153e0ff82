/* SPDX-License-Identifier: MIT */
#include "fs/cli/option_table.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "fs/cli/values.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

enum kind {
	KIND_FLAG,
	KIND_STRING,
	KIND_CHOICE,
	KIND_BYTES,
	KIND_DURATION,
	KIND_RATIO,
	KIND_NUMBER,
	KIND_INTEGER,
	KIND_MODE
};

struct choice {
	const char *name; /* NULL ends the list */
	int value;
};

struct option_row {
	const char *name;
	enum kind kind;
	size_t offset;
	unsigned commands;
	char letter;		      /* or 0 */
	const struct choice *choices; /* of KIND_CHOICE */
	int64_t min, max;	      /* of numbers, in the field's unit */
	const char *value;	      /* how help calls it */
	const char *help;
};

static const struct choice views[] = {
	{"fragments", TREE_FRAGMENTS},
	{"movies", TREE_MOVIES},
	{"both", TREE_BOTH},
	{NULL, 0},
};
static const struct choice buckets[] = {
	{"day", TREE_DAY},
	{"hour", TREE_HOUR},
	{"minute", TREE_MINUTE},
	{NULL, 0},
};
static const struct choice timestamps[] = {
	{"producer", CATALOG_PRODUCER},
	{"server", CATALOG_SERVER},
	{NULL, 0},
};
static const struct choice ios[] = {
	{"auto", FUSE_IO_AUTO},
	{"passthrough", FUSE_IO_PASSTHROUGH},
	{"no-open", FUSE_IO_NO_OPEN},
	{"plain", FUSE_IO_PLAIN},
	{NULL, 0},
};
static const struct choice log_levels[] = {
	{"error", LOG_LEVEL_ERROR},
	{"warning", LOG_LEVEL_WARNING},
	{"info", LOG_LEVEL_INFO},
	{"debug", LOG_LEVEL_DEBUG},
	{NULL, 0},
};

#define MOUNT	   (OPTIONS_MOUNT | OPTIONS_MOUNT_HELPER)
#define SERVICE	   (MOUNT | OPTIONS_CHECK)
#define ANY	   (SERVICE | OPTIONS_CACHE)
#define FIELD(f)   offsetof(struct options, f)
#define DAY_MS	   INT64_C(86400000)
#define NUMBER_MAX INT64_C(1000000000)

/* clang-format off */
static const struct option_row rows[] = {
	{"region", KIND_STRING, FIELD(region), SERVICE,
	 .value = "NAME", .help = "AWS region (default: as the AWS CLI finds it)"},
	{"profile", KIND_STRING, FIELD(profile), SERVICE,
	 .value = "NAME", .help = "profile of ~/.aws/config and credentials"},
	{"endpoint-url", KIND_STRING, FIELD(endpoint_url), SERVICE,
	 .value = "URL", .help = "talk to this service instead of AWS's"},
	{"view", KIND_CHOICE, FIELD(view), MOUNT, .choices = views,
	 .help = "folders to show (default both)"},
	{"bucket", KIND_CHOICE, FIELD(bucket), MOUNT, .choices = buckets,
	 .help = "how finely fragments are foldered (default hour)"},
	{"timestamps", KIND_CHOICE, FIELD(timestamps), MOUNT,
	 .choices = timestamps,
	 .help = "whose clock names and folders go by (default producer)"},
	{"cache-dir", KIND_STRING, FIELD(cache_dir), ANY,
	 .value = "DIR", .help = "where what was read is kept (default "
	 "~/.cache/kvsfs, for root /var/cache/kvsfs)"},
	{"cache-size", KIND_BYTES, FIELD(cache_size_bytes), MOUNT,
	 .min = MIB, .max = INT64_MAX,
	 .value = "SIZE", .help = "and how much of it: 500M, 10G (default 10G)"},
	{"cache-min-free", KIND_RATIO, FIELD(cache_min_free_ratio), MOUNT,
	 .value = "SHARE", .help = "of the disk that stays free (default 5%)"},
	{"metadata-ttl", KIND_DURATION, FIELD(metadata_ttl_ms), MOUNT,
	 .max = DAY_MS,
	 .value = "TIME", .help = "how old a growing folder's listing may be "
	 "(default 5s)"},
	{"timeout", KIND_DURATION, FIELD(timeout_ms), MOUNT,
	 .min = 1000, .max = DAY_MS,
	 .value = "TIME", .help = "when a read that waits for the service fails "
	 "(default 60s)"},
	{"readahead", KIND_BYTES, FIELD(readahead_bytes), MOUNT,
	 .max = INT64_MAX,
	 .value = "SIZE", .help = "fetched before it is asked for, for all "
	 "readers that go on (default 256M; 0: nothing)"},
	{"slack", KIND_BYTES, FIELD(slack_bytes), MOUNT, .max = GIB,
	 .value = "SIZE", .help = "room in files beyond the listed size "
	 "(default: measured)"},
	{"io", KIND_CHOICE, FIELD(io), MOUNT, .choices = ios,
	 .help = "how far the kernel reads by itself (default auto: as far as "
	 "it may)"},
	{"raw", KIND_FLAG, FIELD(raw), MOUNT,
	 .help = "fragments as sent, their header not written anew"},
	{"no-clock", KIND_FLAG, FIELD(no_clock), MOUNT,
	 .help = "no text track in movies that shows the time"},
	{"foreground", KIND_FLAG, FIELD(foreground), MOUNT, .letter = 'f',
	 .help = "stay in the foreground and log to stderr"},
	{"log-level", KIND_CHOICE, FIELD(log_level), ANY, .choices = log_levels,
	 .help = "what is logged (default info)"},
	{"allow-other", KIND_FLAG, FIELD(allow_other), MOUNT,
	 .help = "let other users in"},
	{"uid", KIND_INTEGER, FIELD(uid), MOUNT, .max = UINT32_MAX - 1,
	 .value = "N", .help = "owner of everything (default: you)"},
	{"gid", KIND_INTEGER, FIELD(gid), MOUNT, .max = UINT32_MAX - 1,
	 .value = "N", .help = "group of everything (default: yours)"},
	{"umask", KIND_MODE, FIELD(umask), MOUNT, .max = 0777,
	 .value = "OCTAL", .help = "permission bits to take away (default 022)"},
	{"media-calls", KIND_NUMBER, FIELD(media_calls_per_s), MOUNT,
	 .max = NUMBER_MAX, .value = "N",
	 .help = "GetMediaForFragmentList calls per second and stream (default "
	 "5; 0: no limit)"},
	{"media-fragments", KIND_NUMBER, FIELD(media_fragments_per_s), MOUNT,
	 .max = NUMBER_MAX, .value = "N",
	 .help = "fragments per second and stream (default 500; 0: no limit)"},
	{"media-connections", KIND_INTEGER, FIELD(media_connections), MOUNT,
	 .max = 1000, .value = "N",
	 .help = "downloads at a time and stream (default 5; 0: no limit)"},
	{"list-points", KIND_NUMBER, FIELD(list_points_per_s), MOUNT,
	 .max = NUMBER_MAX, .value = "N",
	 .help = "fragments listed per second and stream (default 10000; 0: no "
	 "limit)"},
	{"json", KIND_FLAG, FIELD(json), OPTIONS_CHECK,
	 .help = "the report as JSON"},
	{"help", KIND_FLAG, FIELD(help), ANY, .letter = 'h',
	 .help = "this text"},
};
/* clang-format on */

const struct option_row *option_find(enum options_command command,
				     const char *name, size_t name_bytes)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if ((rows[i].commands & command) &&
		    value_same_name(rows[i].name, name, name_bytes))
			return &rows[i];
	return NULL;
}

const struct option_row *option_find_letter(enum options_command command,
					    char letter)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if ((rows[i].commands & command) && rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

bool option_takes_value(const struct option_row *row)
{
	return row->kind != KIND_FLAG;
}

size_t option_names(enum options_command command, const char **names,
		    size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(rows) && n < max; i++)
		if (rows[i].commands & command)
			names[n++] = rows[i].name;
	return n;
}

/* day|hour|minute */
static char *choice_list(const struct choice *choices, const char *between)
{
	GString *list = g_string_new(NULL);

	for (const struct choice *c = choices; c->name; c++) {
		if (list->len)
			g_string_append(list, between);
		g_string_append(list, c->name);
	}
	return g_string_free(list, FALSE);
}

static bool choose(const struct choice *choices, const char *text, int *ret)
{
	for (const struct choice *c = choices; c->name; c++) {
		if (!strcmp(c->name, text)) {
			*ret = c->value;
			return true;
		}
	}
	return false;
}

static bool in_range(const struct option_row *row, double number)
{
	return number >= (double)row->min && number <= (double)row->max;
}

/* true: text was a value of the row's kind, in its range, and is at field. */
static bool store_value(const struct option_row *row, const char *text,
			void *field)
{
	int64_t number;
	double real;

	switch (row->kind) {
	case KIND_STRING:
		if (!*text)
			return false;
		g_free(*(char **)field);
		*(char **)field = g_strdup(text);
		return true;
	case KIND_CHOICE:
		return choose(row->choices, text, field);
	case KIND_BYTES:
	case KIND_DURATION:
		if (row->kind == KIND_BYTES ? !value_bytes(text, &number)
					    : !value_duration(text, &number))
			return false;
		if (number < row->min || number > row->max)
			return false;
		*(int64_t *)field = number;
		return true;
	case KIND_RATIO:
		return value_ratio(text, field);
	case KIND_NUMBER:
		if (!value_number(text, &real) || !in_range(row, real))
			return false;
		*(double *)field = real;
		return true;
	case KIND_INTEGER:
		return value_integer(text, 10, row->min, row->max, field);
	case KIND_MODE:
		return value_integer(text, 8, row->min, row->max, field);
	case KIND_FLAG:
		break;
	}
	g_assert_not_reached();
}

/* What the row takes, for a sentence: "a size of at least 1M, such as 10G". */
static char *describe(const struct option_row *row)
{
	g_autofree char *list = NULL;

	switch (row->kind) {
	case KIND_CHOICE:
		list = choice_list(row->choices, ", ");
		return g_strdup_printf("one of %s", list);
	case KIND_BYTES:
		return g_strdup_printf("a size from %" PRId64
				       " bytes up, such as 500M or 10G",
				       row->min);
	case KIND_DURATION:
		return g_strdup_printf("a time from %" PRId64 "s to %" PRId64
				       "s, such as 5, 500ms or 2m",
				       row->min / 1000, row->max / 1000);
	case KIND_RATIO:
		return g_strdup("a share below 100%, such as 5% or 0.05");
	case KIND_NUMBER:
	case KIND_INTEGER:
		return g_strdup_printf("a number from %" PRId64 " to %" PRId64,
				       row->min, row->max);
	case KIND_MODE:
		return g_strdup("an octal number from 0 to 777");
	case KIND_STRING:
	case KIND_FLAG:
		break;
	}
	return g_strdup_printf("%s, which cannot be empty", row->value);
}

int option_set(const struct option_row *row, const char *called,
	       const char *value, struct options *o, char **ret_error)
{
	void *field = (char *)o + row->offset;
	g_autofree char *wants = NULL;

	if (row->kind == KIND_FLAG) {
		*(bool *)field = true;
		return 0;
	}
	if (store_value(row, value, field))
		return 0;
	wants = describe(row);
	*ret_error = g_strdup_printf("'%s' is no value for %s: it takes %s",
				     value, called, wants);
	return -EINVAL;
}

void options_print(enum options_command command, FILE *out)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct option_row *row = &rows[i];
		g_autofree char *list = NULL;
		char letter[8] = "    ";
		const char *value;

		if (!(row->commands & command))
			continue;
		if (row->choices)
			list = choice_list(row->choices, "|");
		value = list ? list : row->value;
		if (row->letter)
			g_snprintf(letter, sizeof(letter), "-%c, ",
				   row->letter);
		fprintf(out, "  %s--%s%s%s\n          %s\n", letter, row->name,
			value ? "=" : "", value ? value : "", row->help);
	}
}
