/* SPDX-License-Identifier: MIT */
#include "cache/dir_path.h"

#include "cache/network_fs.h"
#include "fs/base/base.h"

#include <glib.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static const char *how_to_mend(int rc)
{
	return rc == -EACCES || rc == -EPERM
		       ? "; choose another with --cache-dir, or make it yours "
			 "with mode 700"
		       : "";
}

char *dir_path_sentence(const char *path, int rc)
{
	return g_strdup_printf("%s: %s%s", path, g_strerror(-rc),
			       how_to_mend(rc));
}

int dir_path_refuse_network(const char *path, int fd, char **ret_error)
{
	struct statfs fs;
	const char *name;

	if (fstatfs(fd, &fs)) {
		int rc = -errno;

		*ret_error = dir_path_sentence(path, rc);
		return rc;
	}
	name = network_fs_name((uint32_t)fs.f_type);
	if (!name)
		return 0;
	*ret_error = g_strdup_printf("%s: is on a network filesystem (%s), "
				     "which a cache cannot be on; choose a "
				     "directory on a local disk",
				     path, name);
	return -EOPNOTSUPP;
}

/* One step down the path, made where it is missing. */
static int step_into(const char *path, int parent, const char *name,
		     int *ret_fd, char **ret_error)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	int fd = openat(parent, name, flags);
	int rc;

	if (fd < 0 && errno == ENOENT) {
		rc = dir_path_refuse_network(path, parent, ret_error);
		if (rc)
			return rc;
		if (mkdirat(parent, name, 0700) && errno != EEXIST) {
			rc = -errno;
			*ret_error = g_strdup_printf(
				"%s: cannot make '%s': %s%s", path, name,
				g_strerror(-rc), how_to_mend(rc));
			return rc;
		}
		fd = openat(parent, name, flags);
	}
	if (fd < 0) {
		rc = -errno;
		*ret_error = g_strdup_printf("%s: '%s': %s%s", path, name,
					     g_strerror(-rc), how_to_mend(rc));
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

int dir_path_open(const char *path, int *ret_fd, char **ret_error)
{
	g_auto(GStrv) names = g_strsplit(path, "/", -1);
	auto_close int at = open(path[0] == '/' ? "/" : ".",
				 O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc, fd = -1;

	if (at < 0 || !path[0]) {
		rc = path[0] ? -errno : -ENOENT;
		*ret_error = dir_path_sentence(path, rc);
		return rc;
	}
	for (size_t i = 0; names[i]; i++) {
		if (!names[i][0])
			continue;
		rc = step_into(path, at, names[i], &fd, ret_error);
		if (rc)
			return rc;
		close(at);
		at = fd;
	}
	fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		*ret_error = dir_path_sentence(path, rc);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}
