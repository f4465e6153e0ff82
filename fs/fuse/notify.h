/* SPDX-License-Identifier: MIT */
/*
 * notify: tells the kernel what to forget.
 *
 * The kernel takes the locks of the folder or pages that it is told of, and a
 * request that waits for us may hold them.  So a thread of its own does it,
 * which holds no lock and serves no request.  What is the same is told once.
 */
#ifndef KVSFS_FUSE_NOTIFY_H
#define KVSFS_FUSE_NOTIFY_H

#include <stdint.h>

#include "fs/view/tree.h"

struct notify;

/* The kernel has forgotten it. */
typedef void (*notify_told_fn)(void *arg);

struct notify_kernel {
	/* All of the node's attributes and contents. */
	void (*forget_node)(void *user, uint64_t node);
	/* Its attributes: never waits for a page that is being read. */
	void (*forget_size)(void *user, uint64_t node);
	void (*forget_name)(void *user, uint64_t parent, const char *name);
	/* Once, after notify_mounted(). */
	void (*mounted)(void *user);
	void *user;
};

/* NULL where there is no thread to be had. */
struct notify *notify_new(const struct notify_kernel *k);

/* Any thread; these never block. */

/* The folders of a fragment that was added, and its names in them. */
void notify_added(struct notify *n, const struct tree_change *c);
/* told(arg) comes on another thread, or from here once it is over. */
void notify_resized(struct notify *n, uint64_t file, notify_told_fn told,
		    void *arg);
/* The node means nothing any more: whoever opens it next must look it up. */
void notify_stale(struct notify *n, uint64_t node);
/* The kernel remembers for long what some name in the folder stands for, or
   that it is not there. */
void notify_kept(struct notify *n, uint64_t parent);
/* What the names of a change stand for is another thing now. */
void notify_names(struct notify *n, const struct tree_change *c);
void notify_mounted(struct notify *n);

/*
 * Drops what is queued, but for told(); the thread ends after the call to the
 * kernel that it is in.  That may need requests to be served: serve() is
 * called, for at most a moment each time, until it has ended.
 */
void notify_stop(struct notify *n, void (*serve)(void *user), void *user);
/* Waits for the thread: after notify_stop(), or before anything is served.
 * NULL is fine. */
void notify_free(struct notify *n);

#endif
