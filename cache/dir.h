/* SPDX-License-Identifier: MIT */
/*
 * dir: the cache directory: made, recognised, refused.
 *
 *   CACHEDIR.TAG   the cache directory tag (backup tools skip it), with our
 *                  name and the layout's version in its second line
 *   index.db       SQLite: catalog and store rows
 *   chunks/ab/...  sealed chunks
 *   tmp/           chunks being written
 *   procs/         one locked file per process that uses the directory
 *
 * Any thread.  Blocks on local disk only.
 */
#ifndef KVSFS_CACHE_DIR_H
#define KVSFS_CACHE_DIR_H

#define CACHE_LAYOUT_VERSION 1
#define CACHE_TAG_NAME	     "CACHEDIR.TAG"

/*
 * Opens (and makes, 0700, with missing parents) the cache directory.  Writes
 * nothing unless the directory is ours or empty.  0, or -errno with a sentence
 * for people in *ret_error that says what and how to mend it (g_free()):
 *   -EPERM     owned by somebody else, or open to others
 *   -EEXIST    not empty and not a kvsfs cache: never touched
 *   -EOPNOTSUPP on a network filesystem (SQLite's WAL cannot be shared there)
 *   -EPROTO    another layout version
 *   other      as the system said (not a directory, not readable, ...)
 */
int cache_dir_open(const char *path, int *ret_dirfd, char **ret_error);

/*
 * Removes all that the layout above names, and nothing else.  The directory
 * itself stays.  -EBUSY while a process uses it.
 */
int cache_dir_clear(int dirfd, char **ret_error);

#endif
