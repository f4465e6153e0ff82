/* SPDX-License-Identifier: MIT */
/*
 * opened: the files that are open, where the kernel may read some by itself.
 *
 * The kernel refuses (EIO) to open a file that it reads by itself in another
 * way or from another backing file than it is open already, and the other way
 * round.  So how the first open of a file was answered goes for all until the
 * last close: from its chunk, which is held, or from here, where the chunk was
 * not there yet.  The kernel counts a close before it tells of it: it never
 * has a file open that is not in this table.
 *
 * Any thread.
 */
#ifndef KVSFS_FUSE_OPENED_H
#define KVSFS_FUSE_OPENED_H

#include <fuse_lowlevel.h>

#include "fs/view/tree.h"

struct opened;

struct opened *opened_new(struct tree *t);
/* Chunks that are still held are let go.  NULL is fine. */
void opened_free(struct opened *all);

/* Does the kernel read by itself what lies where this file does? */
bool opened_try(int device, int fd);

/* Replies. */
void opened_open(struct opened *all, fuse_req_t req, int device, uint64_t node);
/* fi as given by the reply to OPEN; does not reply. */
void opened_release(struct opened *all, int device,
		    const struct fuse_file_info *fi);

#endif
