/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include <fuse_log.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "fs/base/base.h"
#include "fs/fuse/internal.h"

/* While a mount is being made: libfuse's log, and what it and fusermount3
 * print on standard error. */
static struct {
	pthread_mutex_t lock; /* guards said */
	GString *said;	      /* NULL: to the log */
	int stderr_fd;	      /* the real one, while it is turned aside */
	int memory_fd;
} capture = {PTHREAD_MUTEX_INITIALIZER, NULL, -1, -1};

static bool kept(const char *text)
{
	auto_unlock pthread_mutex_t *held = base_lock(&capture.lock);

	if (!capture.said)
		return false;
	g_string_append_printf(capture.said, "%s\n", text);
	return true;
}

static void on_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
	g_autofree char *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	text = g_strdup_vprintf(fmt, ap);
#pragma GCC diagnostic pop
	g_strchomp(text);
	if (level <= FUSE_LOG_WARNING && kept(text))
		return;
	if (level <= FUSE_LOG_WARNING)
		g_warning("%s", text);
	else if (level <= FUSE_LOG_INFO)
		g_info("%s", text);
	else
		g_debug("%s", text);
}

void message_install(void)
{
	fuse_set_log_func(on_log);
}

void message_begin(void)
{
	pthread_mutex_t *held = base_lock(&capture.lock);

	capture.said = g_string_new(NULL);
	pthread_mutex_unlock(held);
	/* fusermount3 is a child: it says nothing through the log. */
	capture.memory_fd = memfd_create("kvsfs-messages", MFD_CLOEXEC);
	capture.stderr_fd = dup(STDERR_FILENO);
	if (capture.memory_fd >= 0 && capture.stderr_fd >= 0)
		dup2(capture.memory_fd, STDERR_FILENO);
}

static void read_memory(GString *said)
{
	char part[512];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(capture.memory_fd, part, sizeof(part), at)) > 0) {
		g_string_append_len(said, part, n);
		at += n;
	}
}

/* "fuse: a\nfusermount3: b\n" -> "a; b" */
static char *one_line(const char *said)
{
	static const char *const prefixes[] = {
		"fuse: ", "fusermount3: ", "error: "};
	g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
	GString *out = g_string_new(NULL);

	for (char **line = lines; *line; line++) {
		const char *text = g_strstrip(*line);

		for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
			if (g_str_has_prefix(text, prefixes[i]))
				text += strlen(prefixes[i]);
		if (*text && !strstr(out->str, text))
			g_string_append_printf(out, "%s%s",
					       out->len ? "; " : "", text);
	}
	return g_string_free(out, FALSE);
}

char *message_end(void)
{
	pthread_mutex_t *held;
	GString *said;
	char *line;

	if (capture.stderr_fd >= 0)
		dup2(capture.stderr_fd, STDERR_FILENO);
	held = base_lock(&capture.lock);
	said = g_steal_pointer(&capture.said);
	pthread_mutex_unlock(held);
	if (capture.memory_fd >= 0)
		read_memory(said);
	base_closep(&capture.memory_fd);
	base_closep(&capture.stderr_fd);
	line = said->len > 0 ? one_line(said->str) : NULL;
	g_string_free(said, TRUE);
	return line;
}
