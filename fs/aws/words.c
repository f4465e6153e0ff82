/* SPDX-License-Identifier: MIT */
#include "fs/aws/words.h"

#include <glib.h>
#include <string.h>

#include "fs/aws/credentials.h"

/* Copies what a quote at *s encloses; past its end, or NULL. */
static const char *quoted(const char *s, char **to)
{
	char quote = *s++;

	for (; *s != quote; s++) {
		if (quote == '"' && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		if (!*s)
			return NULL;
		*(*to)++ = *s;
	}
	return s + 1;
}

/* One word; past its end, or NULL. */
static const char *word(const char *s, char *to)
{
	while (s && *s && !strchr(" \t\r\n", *s)) {
		if (*s == '"' || *s == '\'') {
			s = quoted(s, &to);
			continue;
		}
		if (*s == '\\' && !*++s)
			return NULL;
		*to++ = *s++;
	}
	*to = '\0';
	return s;
}

char **aws_words(const char *line)
{
	GPtrArray *words =
		g_ptr_array_new_with_free_func((GDestroyNotify)aws_wipe_free);
	/* No word is longer than the line. */
	char *room = g_malloc0(strlen(line) + 1);

	for (line += strspn(line, " \t\r\n"); line && *line;
	     line = line ? line + strspn(line, " \t\r\n") : NULL) {
		line = word(line, room);
		g_ptr_array_add(words, g_strdup(room));
	}
	aws_wipe_free(room);
	if (!line) {
		g_ptr_array_unref(words);
		return NULL;
	}
	g_ptr_array_add(words, NULL);
	g_ptr_array_set_free_func(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

void aws_words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		aws_wipe_free(*w);
	g_free(words);
}
