/* SPDX-License-Identifier: MIT */
/*
 * daemon: go to the background once the work is ready, not before.
 *
 * daemon_fork() comes before the first thread.  The child does all the work,
 * errors on stderr included; the parent waits until it is ready or has ended.
 */
#ifndef KVSFS_CLI_DAEMON_H
#define KVSFS_CLI_DAEMON_H

/*
 * 0 in the child, with *ret_fd for daemon_ready().  1 in the parent, once the
 * child is ready or has ended: *ret_status is what to exit with.  -errno where
 * there is no child.
 */
int daemon_fork(int *ret_fd, int *ret_status);

/*
 * Any thread of the child: it leaves its session and stderr, and the parent
 * ends.  -EPIPE where the parent is gone: nobody waits for this any more.
 */
int daemon_ready(int fd);

#endif
