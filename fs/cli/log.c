/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"

#include "fs/cli/log.h"

#include <glib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "fs/base/clock.h"
#include "fs/base/utc.h"

/* Written before there are threads, and by log_to_system(). */
static enum log_level shown = LOG_LEVEL_INFO;
static int to_journal, to_syslog; /* atomic: writers read them */

static enum log_level level_of(GLogLevelFlags flags)
{
	if (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return LOG_LEVEL_ERROR;
	if (flags & G_LOG_LEVEL_WARNING)
		return LOG_LEVEL_WARNING;
	if (flags & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO))
		return LOG_LEVEL_INFO;
	return LOG_LEVEL_DEBUG;
}

char *log_escape(const char *text)
{
	GString *out = g_string_sized_new(strlen(text) + 1);

	while (*text) {
		gunichar c = g_utf8_get_char_validated(text, -1);
		size_t n = 1;

		/* (gunichar)-1 and -2: not UTF-8; byte by byte then. */
		if (c < 0x110000)
			n = (size_t)g_utf8_skip[(guchar)*text];
		if (c == '\n') {
			g_string_append(out, "\\n");
		} else if (c == '\t') {
			g_string_append(out, "\\t");
		} else if (c < 0x110000 && !g_unichar_iscntrl(c) &&
			   c != 0x2028 && c != 0x2029) {
			g_string_append_len(out, text, (gssize)n);
		} else {
			for (size_t i = 0; i < n; i++)
				g_string_append_printf(out, "\\x%02x",
						       (guchar)text[i]);
		}
		text += n;
	}
	return g_string_free(out, FALSE);
}

/* One write(2), so that lines of several processes stay whole. */
static void write_line(const char *line)
{
	size_t n = strlen(line);
	ssize_t written = write(STDERR_FILENO, line, n);

	/* Nobody is left to be told that stderr cannot be written. */
	(void)written;
}

static void to_stderr(enum log_level level, const char *message)
{
	static const char *const names[] = {"error", "warning", "info",
					    "debug"};
	char now[UTC_ISO_SIZE];
	g_autofree char *line = NULL;

	utc_format_iso(clock_realtime_ms(&clock_system), now);
	line = g_strdup_printf("%s %s: %s\n", now, names[level], message);
	write_line(line);
}

static GLogWriterOutput writer(GLogLevelFlags flags, const GLogField *fields,
			       gsize n_fields, gpointer user_data)
{
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO,
					 LOG_DEBUG};
	enum log_level level = level_of(flags);
	g_autofree GLogField *copy = NULL;
	g_autofree char *message = NULL;

	if (level > shown)
		return G_LOG_WRITER_HANDLED;

	copy = g_memdup2(fields, n_fields * sizeof(*fields));
	for (gsize i = 0; i < n_fields; i++) {
		if (strcmp(copy[i].key, "MESSAGE") || message)
			continue;
		message = log_escape(fields[i].value);
		copy[i].value = message;
		copy[i].length = -1;
	}
	if (!message)
		return G_LOG_WRITER_HANDLED;

	if (g_atomic_int_get(&to_journal) &&
	    g_log_writer_journald(flags, copy, n_fields, NULL) ==
		    G_LOG_WRITER_HANDLED)
		return G_LOG_WRITER_HANDLED;
	if (g_atomic_int_get(&to_syslog))
		syslog(priorities[level], "%s", message);
	else
		to_stderr(level, message);
	return G_LOG_WRITER_HANDLED;
}

void log_init(enum log_level level)
{
	shown = level;
	g_atomic_int_set(&to_journal, g_log_writer_is_journald(STDERR_FILENO));
	g_log_set_writer_func(writer, NULL, NULL);
}

void log_to_system(void)
{
	openlog("kvsfs", LOG_PID, LOG_DAEMON);
	g_atomic_int_set(&to_syslog, 1);
	g_atomic_int_set(&to_journal, 1);
}

void log_fail(const char *format, ...)
{
	g_autofree char *text = NULL;
	g_autofree char *escaped = NULL;
	g_autofree char *line = NULL;
	va_list ap;

	va_start(ap, format);
	text = g_strdup_vprintf(format, ap);
	va_end(ap);
	escaped = log_escape(text);
	line = g_strdup_printf("kvsfs: %s\n", escaped);
	write_line(line);
}
