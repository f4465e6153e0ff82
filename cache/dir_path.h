/* SPDX-License-Identifier: MIT */
/*
 * dir_path: a directory by its path, made with its parents (0700) where it is
 * missing, but never on a network filesystem.  Belongs to dir.  Any thread.
 *
 * Errors are -errno with a sentence for people in *ret_error.
 */
#ifndef KVSFS_CACHE_DIR_PATH_H
#define KVSFS_CACHE_DIR_PATH_H

int dir_path_open(const char *path, int *ret_fd, char **ret_error);
/* -EOPNOTSUPP where fd is on one. */
int dir_path_refuse_network(const char *path, int fd, char **ret_error);
/* "PATH: what the system says" */
char *dir_path_sentence(const char *path, int rc);

#endif
