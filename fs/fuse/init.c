/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "fs/base/base.h"
#include "fs/fuse/internal.h"

/* Reads that are on their way at once; a fragment is a few of them. */
#define BACKGROUND_MAX 64
#define READAHEAD_KIB  "1024"

bool init_kernel_drops_dirs(const char *release)
{
	unsigned major = 0, minor = 0;

	/* 6.9 to 6.12 never drop a listing they keep (fixed in 6.13). */
	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return false;
	return major != 6 || minor < 9 || minor > 12;
}

void init_connection(void *userdata, struct fuse_conn_info *conn)
{
	static const unsigned wanted = FUSE_CAP_ASYNC_READ |
				       FUSE_CAP_PARALLEL_DIROPS |
				       FUSE_CAP_READDIRPLUS |
				       FUSE_CAP_READDIRPLUS_AUTO |
				       FUSE_CAP_EXPLICIT_INVAL_DATA;
	/* A size never changes by itself, so pages are not to be dropped for
	   it; spliced pipes lose to a mapped chunk. */
	static const unsigned unwanted = FUSE_CAP_AUTO_INVAL_DATA |
					 FUSE_CAP_SPLICE_READ |
					 FUSE_CAP_SPLICE_WRITE |
					 FUSE_CAP_SPLICE_MOVE |
					 FUSE_CAP_WRITEBACK_CACHE;
	struct fuse_mount *m = userdata;
	struct utsname u;

	conn->want |= conn->capable & wanted;
	conn->want &= ~unwanted;
	conn->max_background = BACKGROUND_MAX;
	m->may_not_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
	m->cache_dirs = uname(&u) == 0 && init_kernel_drops_dirs(u.release);
	notify_mounted(m->notify);
}

/*
 * 128 KiB is the kernel's default for every file system, and may be raised by
 * root only: an ordinary user's mount reads in smaller steps.
 */
static void raise_readahead(dev_t dev)
{
	char path[64];
	auto_close int fd = -1;

	g_snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb",
		   major(dev), minor(dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, READAHEAD_KIB, strlen(READAHEAD_KIB)) < 0)
		g_debug("readahead stays as it is: %s", g_strerror(errno));
}

void init_mounted(struct fuse_mount *m)
{
	struct stat st;

	/* A worker answers this: then the mount works. */
	if (stat(m->mountpoint, &st) < 0) {
		g_warning("%s does not answer: %s", m->mountpoint,
			  g_strerror(errno));
		return;
	}
	raise_readahead(st.st_dev);
	if (m->ready)
		m->ready(m->user);
}
