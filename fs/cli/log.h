/* SPDX-License-Identifier: MIT */
/*
 * log: where messages go.  Everything is logged with GLib's g_warning() and
 * kin; this decides what is shown and writes one line each, control characters
 * escaped, since stream names and answers of the service end up in them.
 *
 * Any thread, but log_init() comes before the first thread.
 */
#ifndef KVSFS_CLI_LOG_H
#define KVSFS_CLI_LOG_H

#include <glib.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO, /* g_message() and g_info() */
	LOG_LEVEL_DEBUG
};

/*
 * To stderr, with time and level; to the journal where stderr is connected to
 * it (a service).
 */
void log_init(enum log_level level);

/* From now on stderr is nobody's: to the journal, or syslog without one. */
void log_to_system(void);

/* "kvsfs: ..." on stderr, in one line: what a failed command says. */
void log_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Text with everything that is not printable UTF-8 as \n, \t or \xNN. */
char *log_escape(const char *text);

#endif
