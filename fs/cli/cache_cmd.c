/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"

#include "fs/cli/command.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache/dir.h"
#include "fs/base/base.h"
#include "fs/base/clock.h"
#include "fs/cli/cache_place.h"
#include "fs/cli/log.h"
#include "fs/cli/options.h"
#include "fs/cli/values.h"

static int info(struct cache_place *p)
{
	struct store_stats stats;
	g_autofree char *used = NULL;
	g_autofree char *index = NULL;
	int rc = store_stats(p->store, &stats);

	if (rc) {
		log_fail("%s cannot be read: %s", p->path, g_strerror(-rc));
		return 1;
	}
	used = g_format_size_full(stats.used_bytes, G_FORMAT_SIZE_IEC_UNITS);
	index = g_format_size_full(index_bytes(p->index),
				   G_FORMAT_SIZE_IEC_UNITS);
	printf("directory  %s\n", p->path);
	printf("fragments  %" PRId64 ", %s\n", stats.chunks, used);
	printf("index      %s\n", index);
	return 0;
}

static int verify(struct cache_place *p)
{
	int64_t checked, dropped;
	int rc = store_verify(p->store, &checked, &dropped);

	if (rc) {
		log_fail("%s cannot be verified: %s", p->path, g_strerror(-rc));
		return 1;
	}
	printf("%" PRId64 " fragments checked, %" PRId64 " damaged%s\n",
	       checked, dropped,
	       dropped ? " and dropped; they are fetched again when read" : "");
	return dropped ? 1 : 0;
}

static int clear(const char *path)
{
	auto_close int dirfd = -1;
	g_autofree char *error = NULL;

	if (cache_dir_open(path, &dirfd, &error) < 0 ||
	    cache_dir_clear(dirfd, &error) < 0) {
		log_fail("%s", error);
		return 1;
	}
	printf("%s: cleared\n", path);
	return 0;
}

static int with_place(const char *path, int (*fn)(struct cache_place *p))
{
	/* Whose budget it is, a mount says: nothing is evicted here. */
	const struct store_options o = {
		.budget_bytes = INT64_MAX,
		.clock = &clock_system,
	};
	struct cache_place *p;
	g_autofree char *error = NULL;
	int status;

	if (cache_place_open(path, &o, &p, &error) < 0) {
		log_fail("%s", error);
		return 1;
	}
	status = fn(p);
	cache_place_close(p);
	return status;
}

static int run(const struct options *o)
{
	static const char *const actions[] = {"info", "verify", "clear"};
	int (*fn)(struct cache_place * p) = NULL;

	if (!strcmp(o->action, "info"))
		fn = info;
	else if (!strcmp(o->action, "verify"))
		fn = verify;
	else if (strcmp(o->action, "clear")) {
		const char *nearest = value_nearest(o->action, actions,
						    G_N_ELEMENTS(actions));

		log_fail("'%s' cannot be done with a cache: %s%s", o->action,
			 nearest ? "did you mean " : "info, verify or clear",
			 nearest ? nearest : "");
		return 1;
	}
	/* Looking makes nothing. */
	if (access(o->cache_dir, F_OK) < 0 && errno == ENOENT) {
		printf("%s: no cache yet\n", o->cache_dir);
		return 0;
	}
	return fn ? with_place(o->cache_dir, fn) : clear(o->cache_dir);
}

int cache_command(int argc, char **argv)
{
	g_auto(GStrv) environ = g_get_environ();
	g_autofree char *error = NULL;
	struct options *o;
	int status = 0;

	if (options_parse(OPTIONS_CACHE, argc, argv, environ, &o, &error)) {
		log_fail("%s", error);
		return 1;
	}
	log_init((enum log_level)o->log_level);
	if (o->help) {
		puts("kvsfs cache info     what is kept, and how much\n"
		     "kvsfs cache verify   check every fragment against its "
		     "checksum\n"
		     "kvsfs cache clear    remove everything that is kept\n");
		options_print(OPTIONS_CACHE, stdout);
	} else {
		status = run(o);
	}
	options_free(o);
	return status;
}
