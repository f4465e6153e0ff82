/* SPDX-License-Identifier: MIT */
/*
 * try: a mount for a moment, on a folder of its own, to see whether it can be
 * done at all.  Nobody looks at it, so nothing needs to answer.
 */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "fs/fuse/internal.h"

static int mount_on(const char *path, char **ret_error)
{
	static const struct fuse_lowlevel_ops none = {.init = NULL};
	char name[] = "kvsfs", option[] = "-o", ro[] = "ro,subtype=kvsfs";
	char *argv[] = {name, option, ro, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *se;
	g_autofree char *said = NULL;
	int rc;

	message_install();
	message_begin();
	se = fuse_session_new(&args, &none, sizeof(none), NULL);
	rc = se ? fuse_session_mount(se, path) : -1;
	said = message_end();
	fuse_opt_free_args(&args);
	if (rc == 0)
		fuse_session_unmount(se);
	if (se)
		fuse_session_destroy(se);
	if (rc == 0)
		return 0;
	*ret_error = g_strdup_printf(
		"a mount cannot be made: %s: fusermount3 has to be setuid root "
		"(in a container: --device /dev/fuse --cap-add SYS_ADMIN)",
		said ? said : "libfuse does not say why");
	return -EPERM;
}

int fuse_mount_try(char **ret_error)
{
	g_autofree char *path = g_dir_make_tmp("kvsfs-check-XXXXXX", NULL);
	struct fuse_mount_options o = {.mountpoint = path};
	int rc;

	if (!path) {
		*ret_error = g_strdup_printf("no temporary folder can be made: "
					     "%s",
					     g_strerror(errno));
		return -EACCES;
	}
	rc = fuse_mount_check(&o, ret_error);
	if (!rc)
		rc = mount_on(path, ret_error);
	g_rmdir(path);
	return rc;
}
