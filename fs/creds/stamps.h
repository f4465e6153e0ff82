/* SPDX-License-Identifier: MIT */
/*
 * stamps: have the profile files been written?  A file system's own answer;
 * blocks on local files; any thread.
 */
#ifndef KVSFS_CREDS_STAMPS_H
#define KVSFS_CREDS_STAMPS_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* As much of a file as tells whether it was replaced or written. */
struct creds_stamp {
	ino_t inode; /* 0: it is not there */
	off_t bytes;
	struct timespec mtime;
};

struct creds_stamps {
	struct creds_stamp credentials, config;
};

void creds_stamps_take(char **env, struct creds_stamps *ret_stamps);
bool creds_stamps_differ(char **env, const struct creds_stamps *since);

#endif
