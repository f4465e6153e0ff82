/* SPDX-License-Identifier: MIT */
/*
 * mount: a tree at a mountpoint, through libfuse's low-level API.
 *
 * Operations only decode, call the tree and reply exactly once, from whichever
 * thread has the answer.  No FUSE worker waits for the network.
 */
#ifndef KVSFS_FUSE_MOUNT_H
#define KVSFS_FUSE_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct archive;
struct tree;
struct fuse_mount;

/* How files are opened (README, "The kernel's help"). */
enum fuse_io {
	FUSE_IO_AUTO,
	FUSE_IO_PASSTHROUGH, /* the kernel reads cached files by itself */
	FUSE_IO_NO_OPEN,     /* the kernel opens by itself */
	FUSE_IO_PLAIN,
};

struct fuse_mount_options {
	const char *mountpoint;
	const char *source; /* shown in /proc/mounts, e.g. the stream */
	const char *const *fuse_options; /* "-o" values for libfuse, or NULL */
	bool allow_other;
	/* What this machine does not allow falls back to the next one. */
	enum fuse_io io;
	int64_t metadata_ttl_ms;
	/* Called once, on a thread of the mount, when the kernel's INIT has
	   been answered. */
	void (*ready)(void *user);
	void *user;
};

/*
 * Is this a place where a mount can be made?  Checked before anything else is
 * begun: exists, is a folder, is not a mount of ours already (a dead one is
 * told apart), /dev/fuse may be opened, allow_other is permitted.  0 or -errno
 * with one sentence.
 */
int fuse_mount_check(const struct fuse_mount_options *o, char **ret_error);

/*
 * Can one be made at all?  Makes one for a moment, in a temporary folder.  0 or
 * -errno with one sentence.
 */
int fuse_mount_try(char **ret_error);

/*
 * A fetch's deadline: half of what the kernel gives a request at most
 * (fs.fuse.default_request_timeout, max_request_timeout), where it does.
 */
int64_t fuse_mount_deadline_ms(int64_t wanted_ms);

/* Mounts.  Tree and archive are borrowed until fuse_mount_free(). */
int fuse_mount_new(struct archive *a, struct tree *t,
		   const struct fuse_mount_options *o,
		   struct fuse_mount **ret_mount, char **ret_error);

/*
 * Serves until unmounted or told to stop (SIGINT, SIGTERM, SIGHUP).  Waits
 * still open keep their requests: close the archive before
 * fuse_mount_free().  0 or -errno.
 */
int fuse_mount_serve(struct fuse_mount *m);
/* Unmounts where that is still to be done; called after fuse_mount_serve(). */
void fuse_mount_unmount(struct fuse_mount *m);
void fuse_mount_free(struct fuse_mount *m);

#endif
