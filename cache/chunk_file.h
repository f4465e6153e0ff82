/* SPDX-License-Identifier: MIT */
/*
 * chunk_file: a chunk on disk: its names, its lock, its checksum.  Belongs to
 * store.
 *
 * A chunk's id is random, 63 bits, and names both files: tmp/ID while it is
 * written, chunks/AB/ID (AB: the first two of 16 hex digits) when it is sealed.
 * An id never comes again, so a file can be matched with its row by id alone.
 *
 * Whoever uses a sealed file holds flock(LOCK_SH) on it; whoever removes one
 * holds LOCK_EX.  Any thread.
 */
#ifndef KVSFS_CACHE_CHUNK_FILE_H
#define KVSFS_CACHE_CHUNK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_FANOUT	128 /* directories under chunks/: 00 to 7f */
#define CHUNK_PATH_SIZE 32
#define CHUNK_HASH_SIZE 16

int64_t chunk_id_new(void);
void chunk_path(int64_t id, char out[CHUNK_PATH_SIZE]);
void chunk_tmp_path(int64_t id, char out[CHUNK_PATH_SIZE]);
/* "chunks/AB": index 0 to CHUNK_FANOUT - 1. */
void chunk_fanout_path(unsigned index, char out[CHUNK_PATH_SIZE]);
/* A file's name back to its id; false where it is none. */
bool chunk_id_parse(const char *name, int64_t *ret_id);

/*
 * Opens path for reading, locked shared: 0, -ENOENT (not there, or unlinked
 * meanwhile), -EBUSY (being removed), -EBADMSG (not a file), -errno.
 */
int chunk_file_open(int dirfd, const char *path, int *ret_fd,
		    int64_t *ret_size_bytes);

/*
 * 0, or -EBADMSG: length or content differ, or a sector cannot be read, which
 * will not get better.
 */
int chunk_file_check(int fd, int64_t size_bytes,
		     const uint8_t hash[CHUNK_HASH_SIZE]);

/* 0 (gone, also when it was), -EBUSY (somebody uses it), -errno. */
int chunk_file_remove(int dirfd, int64_t id);

/* XXH3, 128 bits, big endian ("canonical"), of the whole file. */
struct chunk_hash;
struct chunk_hash *chunk_hash_new(void);
void chunk_hash_free(struct chunk_hash *h);
void chunk_hash_append(struct chunk_hash *h, const void *bytes, size_t n);
void chunk_hash_append_zeros(struct chunk_hash *h, int64_t n);
void chunk_hash_end(const struct chunk_hash *h, uint8_t out[CHUNK_HASH_SIZE]);

#endif
