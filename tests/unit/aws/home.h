/* SPDX-License-Identifier: MIT */
/* home: a folder with profile files of a test's own, and an environment. */
#ifndef KVSFS_TESTS_AWS_HOME_H
#define KVSFS_TESTS_AWS_HOME_H

#include <glib.h>
#include <glib/gstdio.h>

#include <string.h>

struct home {
	char *dir, *config, *credentials;
	char **env;
};

static inline void home_open(struct home *h)
{
	g_autofree char *aws = NULL;

	h->dir = g_dir_make_tmp("kvsfs-aws-XXXXXX", NULL);
	aws = g_build_filename(h->dir, ".aws", NULL);
	g_mkdir(aws, 0700);
	h->config = g_build_filename(aws, "config", NULL);
	h->credentials = g_build_filename(aws, "credentials", NULL);
	h->env = g_environ_setenv(g_new0(char *, 1), "HOME", h->dir, TRUE);
}

static inline void home_close(struct home *h)
{
	g_autofree char *aws = g_build_filename(h->dir, ".aws", NULL);

	g_unlink(h->config);
	g_unlink(h->credentials);
	g_rmdir(aws);
	g_rmdir(h->dir);
	g_strfreev(h->env);
	g_free(h->config);
	g_free(h->credentials);
	g_free(h->dir);
}

/* text NULL: no such file. */
static inline void home_write(const char *path, const char *text)
{
	if (text)
		g_file_set_contents(path, text, -1, NULL);
	else
		g_unlink(path);
}

/* "A=1 B=2": '@' stands for the folder. */
static inline void home_setenv(struct home *h, const char *variables)
{
	g_auto(GStrv) words = g_strsplit(variables, " ", -1);

	for (char **w = words; *w; w++) {
		char *value = strchr(*w, '=');
		g_auto(GStrv) parts = NULL;
		g_autofree char *full = NULL;

		if (!value)
			continue;
		*value++ = '\0';
		parts = g_strsplit(value, "@", -1);
		full = g_strjoinv(h->dir, parts);
		h->env = g_environ_setenv(h->env, *w, full, TRUE);
	}
}

#endif
