/* SPDX-License-Identifier: MIT */
/*
 * mountinfo: what /proc/self/mountinfo says of a folder.  Pure; any thread.
 */
#ifndef KVSFS_FUSE_MOUNTINFO_H
#define KVSFS_FUSE_MOUNTINFO_H

/*
 * The type of what is mounted on exactly this absolute path, the topmost of
 * several; NULL where nothing is.  g_free() it.
 */
char *mountinfo_type(const char *text, const char *path);

#endif
