/* SPDX-License-Identifier: MIT */
#include "cache/chunk_file.h"

#include "fs/base/base.h"

#include <glib.h>
#include <xxhash.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#define ID_DIGITS 16

/* Large enough that the system call is nothing, small enough for L2. */
#define READ_BYTES 65536

static const uint8_t zeros[64 * 1024];

/* ---- names ------------------------------------------------------------ */

/* The ends are left for "none" and "all". */
static bool is_id(uint64_t id)
{
	return id > 0 && id < INT64_MAX;
}

/*
 * Random and not from a sequence: an index that is begun anew would hand out
 * the numbers of files that are still there.
 */
int64_t chunk_id_new(void)
{
	uint64_t r;

	do {
		if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
			r = ((uint64_t)g_random_int() << 32) | g_random_int();
		r >>= 1;
	} while (!is_id(r));
	return (int64_t)r;
}

void chunk_path(int64_t id, char out[CHUNK_PATH_SIZE])
{
	snprintf(out, CHUNK_PATH_SIZE, "chunks/%02x/%016" PRIx64,
		 (unsigned)((uint64_t)id >> 56), (uint64_t)id);
}

void chunk_tmp_path(int64_t id, char out[CHUNK_PATH_SIZE])
{
	snprintf(out, CHUNK_PATH_SIZE, "tmp/%016" PRIx64, (uint64_t)id);
}

void chunk_fanout_path(unsigned index, char out[CHUNK_PATH_SIZE])
{
	snprintf(out, CHUNK_PATH_SIZE, "chunks/%02x", index % CHUNK_FANOUT);
}

bool chunk_id_parse(const char *name, int64_t *ret_id)
{
	size_t n = strspn(name, "0123456789abcdef");
	uint64_t id;

	if (n != ID_DIGITS || name[n])
		return false;
	id = g_ascii_strtoull(name, NULL, 16);
	if (!is_id(id))
		return false;
	*ret_id = (int64_t)id;
	return true;
}

/* ---- files ------------------------------------------------------------ */

int chunk_file_open(int dirfd, const char *path, int *ret_fd,
		    int64_t *ret_size_bytes)
{
	auto_close int fd = openat(
		dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	/* Between open and flock somebody may have removed it. */
	if (!st.st_nlink)
		return -ENOENT;
	*ret_size_bytes = st.st_size;
	*ret_fd = base_steal_fd(&fd);
	return 0;
}

int chunk_file_check(int fd, int64_t size_bytes,
		     const uint8_t hash[CHUNK_HASH_SIZE])
{
	uint8_t buf[READ_BYTES];
	struct chunk_hash *h = chunk_hash_new();
	uint8_t found[CHUNK_HASH_SIZE];
	int64_t at = 0;
	ssize_t n;

	/* One byte beyond is asked for, to see a file that is too long. */
	while ((n = pread(fd, buf, READ_BYTES, at)) > 0 && at <= size_bytes) {
		chunk_hash_append(h, buf, (size_t)n);
		at += n;
	}
	chunk_hash_end(h, found);
	chunk_hash_free(h);
	return n >= 0 && at == size_bytes &&
			       !memcmp(found, hash, CHUNK_HASH_SIZE)
		       ? 0
		       : -EBADMSG;
}

int chunk_file_remove(int dirfd, int64_t id)
{
	char path[CHUNK_PATH_SIZE];
	auto_close int fd = -1;

	chunk_path(id, path);
	fd = openat(dirfd, path,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno != ELOOP)
		return errno == ENOENT ? 0 : -errno;
	/* A link is not ours, and nobody holds it. */
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (unlinkat(dirfd, path, 0) && errno != ENOENT)
		return -errno;
	return 0;
}

/* ---- checksum --------------------------------------------------------- */

struct chunk_hash {
	XXH3_state_t *state;
};

struct chunk_hash *chunk_hash_new(void)
{
	struct chunk_hash *h = g_new0(struct chunk_hash, 1);

	h->state = XXH3_createState();
	if (!h->state)
		g_error("out of memory");
	XXH3_128bits_reset(h->state);
	return h;
}

void chunk_hash_free(struct chunk_hash *h)
{
	if (!h)
		return;
	XXH3_freeState(h->state);
	g_free(h);
}

void chunk_hash_append(struct chunk_hash *h, const void *bytes, size_t n)
{
	XXH3_128bits_update(h->state, bytes, n);
}

void chunk_hash_append_zeros(struct chunk_hash *h, int64_t n)
{
	while (n > 0) {
		size_t part = (size_t)MIN(n, (int64_t)sizeof(zeros));

		chunk_hash_append(h, zeros, part);
		n -= (int64_t)part;
	}
}

void chunk_hash_end(const struct chunk_hash *h, uint8_t out[CHUNK_HASH_SIZE])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(h->state));
	memcpy(out, canonical.digest, CHUNK_HASH_SIZE);
}
