/* SPDX-License-Identifier: MIT */
#include "fs/fuse/mountinfo.h"

#include <glib.h>

/* Fields of a line, from 0 (proc(5)): the mount point is the fifth, the type
 * follows a field that is "-". */
#define FIELD_PATH 4

static const char *type_of(char **fields)
{
	for (char **f = fields; *f; f++)
		if (g_str_equal(*f, "-"))
			return f[1];
	return NULL;
}

char *mountinfo_type(const char *text, const char *path)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	char *type = NULL;

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, " ", -1);
		g_autofree char *mounted = NULL;
		const char *t;

		if (g_strv_length(fields) <= FIELD_PATH)
			continue;
		/* A space in it is \040. */
		mounted = g_strcompress(fields[FIELD_PATH]);
		t = type_of(fields + FIELD_PATH + 1);
		if (!t || !g_str_equal(mounted, path))
			continue;
		g_free(type);
		type = g_strdup(t);
	}
	return type;
}
