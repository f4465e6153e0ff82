/* SPDX-License-Identifier: MIT */
/*
 * network_fs: which filesystem types are shared over a network, where neither
 * flock(2) nor SQLite's WAL (shared memory between its readers) can be relied
 * on.  Pure; any thread.  Magic numbers: linux/magic.h and statfs(2).
 */
#ifndef KVSFS_CACHE_NETWORK_FS_H
#define KVSFS_CACHE_NETWORK_FS_H

#include <stdint.h>

/*
 * The name of the network filesystem with this statfs.f_type, NULL where it is
 * none.  FUSE says nothing of what is behind it and counts as local.
 */
const char *network_fs_name(uint32_t f_type);

#endif
