/* SPDX-License-Identifier: MIT */
/*
 * options: the command line as one table, parsed once into a struct that
 * nobody changes.  Each option is --name VALUE, --name=VALUE and, for mount,
 * -o name=value with '-' or '_'.
 *
 * Reads the arguments and the environment it is given; of files only the paths
 * that it makes absolute.
 */
#ifndef KVSFS_CLI_OPTIONS_H
#define KVSFS_CLI_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "cache/catalog.h"
#include "fs/cli/log.h"
#include "fs/fuse/mount.h"
#include "fs/view/tree.h"

enum options_command {
	OPTIONS_MOUNT = 1,	  /* STREAM MOUNTPOINT */
	OPTIONS_MOUNT_HELPER = 2, /* the same, as mount(8) calls its helpers */
	OPTIONS_CACHE = 4,	  /* ACTION */
	OPTIONS_CHECK = 8,	  /* [STREAM] */
};

struct options {
	/* What is not an option: stream and mountpoint, or the action. */
	char *stream, *mountpoint, *action;
	bool help;
	bool json;    /* of check */
	bool pretend; /* mount -f: check, but do not mount */

	char *region, *profile, *endpoint_url; /* or NULL */
	int view, bucket, timestamps; /* enum tree_view, ..., catalog_axis */
	char *cache_dir;	      /* absolute */
	int64_t cache_size_bytes;
	double cache_min_free_ratio;
	int64_t metadata_ttl_ms, timeout_ms;
	int64_t readahead_bytes;
	int64_t slack_bytes; /* -1: calibrate */
	int io;		     /* enum fuse_io */
	bool raw, no_clock;
	bool foreground;
	int log_level; /* enum log_level */
	bool allow_other;
	int64_t uid, gid, umask;

	/* Quotas per stream; 0: no limit. */
	double media_calls_per_s, media_fragments_per_s, list_points_per_s;
	int64_t media_connections;

	GPtrArray *fuse_options; /* char *; "-o" values for libfuse */
};

/*
 * 0, or -EINVAL with one sentence that names the mistake and its remedy in
 * *ret_error (g_free()).  argv[0] is skipped.  With help set, nothing else was
 * checked.
 */
int options_parse(enum options_command command, int argc, char **argv,
		  char **environ, struct options **ret_options,
		  char **ret_error);
void options_free(struct options *o);

/* The command's options, one line or two each. */
void options_print(enum options_command command, FILE *out);

#endif
