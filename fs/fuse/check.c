/* SPDX-License-Identifier: MIT */
/*
 * check: why a mount could not be made, told before anything is begun: each a
 * sentence that says what is wrong and how to mend it.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fs/base/base.h"
#include "fs/fuse/internal.h"
#include "fs/fuse/mountinfo.h"

#define FUSE_DEVICE "/dev/fuse"
#define FUSE_CONF   "/etc/fuse.conf"
#define OUR_TYPE    "fuse.kvsfs"

G_GNUC_PRINTF(3, 4)
static int fail(int err, char **ret_error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ret_error = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return -err;
}

static int ended(const char *path, char **ret_error)
{
	return fail(ENOTCONN, ret_error,
		    "%s is a mount whose program has ended: remove it with "
		    "\"fusermount3 -u %s\"",
		    path, path);
}

static int check_stat(const char *path, char **ret_error)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		return fail(ENOTDIR, ret_error,
			    "%s is not a folder: name a folder to mount on",
			    path);
	}
	switch (errno) {
	case ENOENT:
		return fail(ENOENT, ret_error,
			    "%s does not exist: make it with \"mkdir -p %s\"",
			    path, path);
	case ENOTCONN:
		return ended(path, ret_error);
	default:
		return fail(errno, ret_error,
			    "%s cannot be mounted on: %s: check the path and "
			    "the permissions of its folders",
			    path, g_strerror(errno));
	}
}

static int check_mountpoint(const char *path, char **ret_error)
{
	g_autofree char *text = NULL, *type = NULL;
	struct statfs fs;
	char *absolute;
	int rc = check_stat(path, ret_error);

	if (rc < 0)
		return rc;
	absolute = realpath(path, NULL);
	if (!absolute)
		return fail(errno, ret_error,
			    "%s cannot be mounted on: %s: name it by an "
			    "absolute path",
			    path, g_strerror(errno));
	/* Without /proc it is not known, and the mount itself will tell. */
	if (g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL))
		type = mountinfo_type(text, absolute);
	free(absolute);
	/* stat() of a dead mount may still be answered by the kernel's cache.
	 */
	if (g_strcmp0(type, OUR_TYPE) == 0 && statfs(path, &fs) < 0 &&
	    errno == ENOTCONN)
		return ended(path, ret_error);
	if (g_strcmp0(type, OUR_TYPE) == 0)
		return fail(EBUSY, ret_error,
			    "%s is a kvsfs mount already: unmount it first "
			    "with \"fusermount3 -u %s\"",
			    path, path);
	if (geteuid() != 0 && access(path, W_OK) < 0)
		return fail(EACCES, ret_error,
			    "%s is not yours to mount on: choose a folder "
			    "that you may write to",
			    path);
	return 0;
}

static int check_device(char **ret_error)
{
	auto_close int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return 0;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return fail(ENODEV, ret_error,
			    FUSE_DEVICE " is missing: load it with "
					"\"modprobe fuse\" (in a container: "
					"--device " FUSE_DEVICE ")");
	default:
		return fail(errno, ret_error,
			    FUSE_DEVICE " may not be opened: %s: ask for "
					"permission to it (in a container: "
					"--device " FUSE_DEVICE
					" --cap-add SYS_ADMIN)",
			    g_strerror(errno));
	}
}

/* libfuse looks where it was installed, then in PATH. */
static int check_fusermount(char **ret_error)
{
	static const char *const places[] = {"/usr/bin/fusermount3",
					     "/bin/fusermount3",
					     "/usr/local/bin/fusermount3"};
	g_autofree char *found = g_find_program_in_path("fusermount3");

	if (geteuid() == 0 || found)
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		if (access(places[i], X_OK) == 0)
			return 0;
	return fail(ENOENT, ret_error,
		    "fusermount3 is missing: install the package fuse3");
}

static bool user_allow_other(void)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(FUSE_CONF, &text, NULL, NULL))
		return false;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (g_str_equal(g_strstrip(*line), "user_allow_other"))
			return true;
	return false;
}

static bool wants_others(const struct fuse_mount_options *o)
{
	if (o->allow_other)
		return true;
	for (size_t i = 0; o->fuse_options && o->fuse_options[i]; i++)
		if (g_str_equal(o->fuse_options[i], "allow_other") ||
		    g_str_equal(o->fuse_options[i], "allow_root"))
			return true;
	return false;
}

int fuse_mount_check(const struct fuse_mount_options *o, char **ret_error)
{
	int rc = check_mountpoint(o->mountpoint, ret_error);

	if (rc == 0)
		rc = check_device(ret_error);
	if (rc == 0)
		rc = check_fusermount(ret_error);
	if (rc == 0 && geteuid() != 0 && wants_others(o) && !user_allow_other())
		rc = fail(EPERM, ret_error,
			  "allow_other is not permitted: add a line "
			  "\"user_allow_other\" to " FUSE_CONF
			  ", or mount as root");
	return rc;
}

/* ---- the kernel's own deadline ------------------------------------------ */

static int64_t sysctl_seconds(const char *name)
{
	g_autofree char *path = g_strdup_printf("/proc/sys/fs/fuse/%s", name);
	g_autofree char *text = NULL;

	/* Kernels before 6.15 do not have it. */
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	return g_ascii_strtoll(text, NULL, 10);
}

int64_t check_deadline_ms(int64_t wanted_ms, int64_t default_s, int64_t max_s)
{
	if (default_s > 0)
		wanted_ms = MIN(wanted_ms, default_s * 1000 / 2);
	if (max_s > 0)
		wanted_ms = MIN(wanted_ms, max_s * 1000 / 2);
	return wanted_ms;
}

int64_t fuse_mount_deadline_ms(int64_t wanted_ms)
{
	return check_deadline_ms(wanted_ms,
				 sysctl_seconds("default_request_timeout"),
				 sysctl_seconds("max_request_timeout"));
}
