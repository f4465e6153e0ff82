/* SPDX-License-Identifier: MIT */
#include "fs/creds/stamps.h"

#include <glib.h>
#include <sys/stat.h>

#include "fs/aws/profiles.h"

static struct creds_stamp take(const char *path)
{
	struct creds_stamp stamp = {0};
	struct stat st;

	if (!stat(path, &st)) {
		stamp.inode = st.st_ino;
		stamp.bytes = st.st_size;
		stamp.mtime = st.st_mtim;
	}
	return stamp;
}

static bool differ(const struct creds_stamp *a, const struct creds_stamp *b)
{
	return a->inode != b->inode || a->bytes != b->bytes ||
	       a->mtime.tv_sec != b->mtime.tv_sec ||
	       a->mtime.tv_nsec != b->mtime.tv_nsec;
}

void creds_stamps_take(char **env, struct creds_stamps *ret_stamps)
{
	g_autofree char *credentials = NULL;
	g_autofree char *config = NULL;

	aws_profiles_paths(env, &credentials, &config);
	ret_stamps->credentials = take(credentials);
	ret_stamps->config = take(config);
}

bool creds_stamps_differ(char **env, const struct creds_stamps *since)
{
	struct creds_stamps now;

	creds_stamps_take(env, &now);
	return differ(&now.credentials, &since->credentials) ||
	       differ(&now.config, &since->config);
}
