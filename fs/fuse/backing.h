/* SPDX-License-Identifier: MIT */
/*
 * backing: FUSE passthrough (Linux 6.9): the kernel reads a file of ours by
 * itself, from a file on disk that it was given.
 *
 * The replies are made here and not by libfuse, which knows of this from 3.17
 * on only.  Facts: include/uapi/linux/fuse.h (protocol 7.40) and
 * Documentation/filesystems/fuse-passthrough.rst of Linux.
 *
 * Any thread.
 */
#ifndef KVSFS_FUSE_BACKING_H
#define KVSFS_FUSE_BACKING_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* fuse_init_out as of protocol 7.40 */
struct backing_init {
	uint32_t before[3];
	uint32_t flags;
	uint32_t between[4];
	uint32_t flags2;
	uint32_t max_stack_depth;
	uint32_t after[6];
};

/*
 * Asks for it in a reply to INIT, and that what is opened past the page cache
 * may be mapped all the same; a kernel without them takes no notice.
 */
void backing_ask(struct backing_init *init, bool passthrough);
/*
 * Makes a file known to the kernel.  An id, or -errno: no CAP_SYS_ADMIN, an
 * old kernel, a file on a stacked file system such as overlayfs.
 */
int backing_open(int device, int fd);
void backing_close(int device, int id);

/*
 * Replies to OPEN: with an id the kernel reads by itself; with 0 it reads from
 * here, and keeps what it has read.  As fuse_reply_open().
 */
int backing_reply_open(fuse_req_t req, uint64_t fh, int id);

#endif
