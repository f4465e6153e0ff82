/* SPDX-License-Identifier: MIT */
/*
 * base: what GLib has no macro for.  It gives g_autofree, g_autoptr,
 * g_steal_pointer; this adds the same for file descriptors and pthread mutexes,
 * and reads that are whole.  No state, no policy.
 */
#ifndef KVSFS_BASE_BASE_H
#define KVSFS_BASE_BASE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define KVSFS_LOG_DOMAIN "kvsfs"

static inline void base_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* auto_close int fd = open(...);  closed when the scope ends, errno kept. */
#define auto_close __attribute__((cleanup(base_closep)))

static inline int base_steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void base_unlockp(pthread_mutex_t **lock)
{
	if (*lock)
		pthread_mutex_unlock(*lock);
}

static inline pthread_mutex_t *base_lock(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	return lock;
}

/*
 * All n bytes at offset, which were there: a file that has shrunk is a failing
 * disk.  0 or -EIO.
 */
static inline int base_read_all(int fd, void *bytes, size_t n, int64_t offset)
{
	uint8_t *to = bytes;

	while (n > 0) {
		ssize_t got = pread(fd, to, n, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EIO;
		to += got;
		offset += got;
		n -= (size_t)got;
	}
	return 0;
}

/* auto_unlock pthread_mutex_t *held = base_lock(&x->lock); */
#define auto_unlock __attribute__((cleanup(base_unlockp), unused))

#endif
