/* SPDX-License-Identifier: MIT */
/*
 * option_table: every option of the program as one row: its name, its kind,
 * where its value goes and what help says of it.
 *
 * Pure; any thread.
 */
#ifndef KVSFS_CLI_OPTION_TABLE_H
#define KVSFS_CLI_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/cli/options.h"

struct option_row;

/* By its name, '-' and '_' being one, or NULL. */
const struct option_row *option_find(enum options_command command,
				     const char *name, size_t name_bytes);
const struct option_row *option_find_letter(enum options_command command,
					    char letter);
bool option_takes_value(const struct option_row *row);

/*
 * Puts the value (NULL for a flag) where it belongs.  0, or -EINVAL with a
 * sentence that calls the option what the user called it.
 */
int option_set(const struct option_row *row, const char *called,
	       const char *value, struct options *o, char **ret_error);

/* The command's names, to suggest one: how many were put in names. */
size_t option_names(enum options_command command, const char **names,
		    size_t max);

#endif
