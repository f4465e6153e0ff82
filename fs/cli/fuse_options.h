/* SPDX-License-Identifier: MIT */
/*
 * fuse_options: the names in -o lists that are not ours: those that libfuse or
 * the kernel take, and those that only mean something to mount(8) and systemd.
 *
 * Pure; any thread.
 */
#ifndef KVSFS_CLI_FUSE_OPTIONS_H
#define KVSFS_CLI_FUSE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum fuse_option {
	FUSE_OPTION_UNKNOWN,
	FUSE_OPTION_PASS,   /* libfuse's */
	FUSE_OPTION_IGNORE, /* says nothing to us: _netdev, x-systemd.*, rw */
};

/* Of name[=value]. */
enum fuse_option fuse_option_kind(const char *text);

/* Names to suggest: *ret_n of them. */
const char *const *fuse_option_names(size_t *ret_n);

#endif
