/* SPDX-License-Identifier: MIT */
#include "cache/dir.h"

#include "cache/dir_path.h"
#include "fs/base/base.h"

#include <glib.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/*
 * The first 43 bytes are fixed by https://bford.info/cachedir/; the second line
 * is how we know our own.
 */
#define TAG_NEW	      CACHE_TAG_NAME ".new"
#define TAG_SIGNATURE "Signature: 8a477f597d28d172789f06886806bc55\n"
#define TAG_OURS      "# kvsfs cache, layout "
#define TAG_REST                                                      \
	"# Made by kvsfs, and safe to delete: it is fetched again.\n" \
	"# See https://bford.info/cachedir/\n"
/* The two lines that matter are shorter. */
#define TAG_READ_MAX 256

static const char *const subdirs[] = {"chunks", "tmp", "procs"};
#define N_SUBDIRS (sizeof(subdirs) / sizeof(subdirs[0]))

static int check_private(const char *path, int fd, char **ret_error)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st)) {
		rc = -errno;
		*ret_error = dir_path_sentence(path, rc);
		return rc;
	}
	if (st.st_uid != geteuid()) {
		*ret_error = g_strdup_printf("%s: is owned by another user "
					     "(uid %u); choose a directory of "
					     "your own",
					     path, (unsigned)st.st_uid);
		return -EPERM;
	}
	if (st.st_mode & 077) {
		*ret_error = g_strdup_printf("%s: is open to other users (mode "
					     "%04o); chmod 700 it",
					     path, st.st_mode & 07777U);
		return -EPERM;
	}
	return 0;
}

/*
 * What an unused directory may hold: the root of a new ext4 has lost+found, and
 * a crash while we adopted it leaves the tag under its first name.
 */
static bool is_nothing(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..") ||
	       !strcmp(name, TAG_NEW) || !strcmp(name, "lost+found");
}

static DIR *list_at(int dirfd, const char *name)
{
	int fd = openat(dirfd, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !d)
		base_closep(&fd);
	return d;
}

/* Nothing in it but, where also is given, that.  1, 0 or -errno. */
static int is_unused(int dirfd, const char *also)
{
	DIR *d = list_at(dirfd, ".");
	struct dirent *e;
	int unused = 1;

	if (!d)
		return -errno;
	while (unused && (e = readdir(d)))
		if (!is_nothing(e->d_name) &&
		    (!also || strcmp(e->d_name, also)))
			unused = 0;
	closedir(d);
	return unused;
}

/* 0: ours; -ENOENT: nobody's, may be adopted; -EEXIST, -EPROTO, other. */
static int recognise(int dirfd)
{
	char text[TAG_READ_MAX + 1], *ours;
	ssize_t n;
	auto_close int fd = openat(dirfd, CACHE_TAG_NAME,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
					   O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		int unused = is_unused(dirfd, NULL);

		return unused < 0 ? unused : unused ? -ENOENT : -EEXIST;
	}
	if (fd < 0)
		return errno == ELOOP ? -EEXIST : -errno;
	n = read(fd, text, TAG_READ_MAX);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	ours = text + strlen(TAG_SIGNATURE);
	if (!g_str_has_prefix(text, TAG_SIGNATURE) ||
	    !g_str_has_prefix(ours, TAG_OURS))
		return -EEXIST;
	return strtol(ours + strlen(TAG_OURS), NULL, 10) == CACHE_LAYOUT_VERSION
		       ? 0
		       : -EPROTO;
}

/*
 * Under the directory's exclusive lock.  Synced, since a directory with chunks
 * and an empty tag after a power cut would be taken for somebody else's.
 */
static int adopt(int dirfd)
{
	g_autofree char *text = g_strdup_printf(
		TAG_SIGNATURE TAG_OURS "%d\n" TAG_REST, CACHE_LAYOUT_VERSION);
	size_t n = strlen(text);
	auto_close int fd = openat(
		dirfd, TAG_NEW,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t wrote;

	if (fd < 0)
		return -errno;
	wrote = write(fd, text, n);
	if (wrote < 0)
		return -errno;
	if ((size_t)wrote != n)
		return -ENOSPC;
	if (fsync(fd) || renameat(dirfd, TAG_NEW, dirfd, CACHE_TAG_NAME))
		return -errno;
	return 0;
}

/*
 * Two locks on the directory.  Its flock is held for moments, by whoever makes,
 * clears or mends what is in it.  A read lock of fcntl's lasts as long as the
 * descriptor and says that the directory is in use.
 */
static int lock_dir(int fd, int how)
{
	int rc;

	do
		rc = flock(fd, how);
	while (rc && errno == EINTR);
	return rc ? -errno : 0;
}

static int mark_used(int fd)
{
	struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &l) ? -errno : 0;
}

/* By another descriptor than this one.  1, 0 or -errno. */
static int is_used(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_GETLK, &l))
		return -errno;
	return l.l_type != F_UNLCK;
}

static int recognise_or_adopt(int fd)
{
	int rc = lock_dir(fd, LOCK_EX);

	if (!rc)
		rc = recognise(fd);
	if (rc == -ENOENT)
		rc = adopt(fd);
	for (size_t i = 0; !rc && i < N_SUBDIRS; i++)
		if (mkdirat(fd, subdirs[i], 0700) && errno != EEXIST)
			rc = -errno;
	if (!rc)
		rc = mark_used(fd);
	lock_dir(fd, LOCK_UN);
	return rc;
}

static char *explain(const char *path, int rc)
{
	switch (rc) {
	case -EEXIST:
		return g_strdup_printf("%s: is not empty and not a kvsfs "
				       "cache; choose an empty or new "
				       "directory",
				       path);
	case -EPROTO:
		return g_strdup_printf("%s: holds a cache of another kvsfs "
				       "version; delete it, or choose another "
				       "directory",
				       path);
	default:
		return dir_path_sentence(path, rc);
	}
}

int cache_dir_open(const char *path, int *ret_dirfd, char **ret_error)
{
	auto_close int fd = -1;
	int rc;

	rc = dir_path_open(path, &fd, ret_error);
	if (!rc)
		rc = check_private(path, fd, ret_error);
	if (!rc)
		rc = dir_path_refuse_network(path, fd, ret_error);
	if (rc)
		return rc;

	rc = recognise_or_adopt(fd);
	if (rc) {
		*ret_error = explain(path, rc);
		return rc;
	}
	*ret_dirfd = base_steal_fd(&fd);
	return 0;
}

/* The layout has two levels of directories: chunks/ab. */
#define DEPTH_MAX 2

static int remove_tree(int parent, const char *name, int depth)
{
	DIR *d = list_at(parent, name);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (!rc && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!unlinkat(dirfd(d), e->d_name, 0))
			continue;
		if (errno == EISDIR && depth < DEPTH_MAX)
			rc = remove_tree(dirfd(d), e->d_name, depth + 1);
		else
			rc = -errno;
	}
	closedir(d);
	if (!rc && unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT)
		rc = -errno;
	return rc;
}

/* index.db, its log and shared memory, and damaged ones put aside. */
static int remove_index(int fd)
{
	DIR *d = list_at(fd, ".");
	struct dirent *e;
	int rc = 0;

	if (!d)
		return -errno;
	while (!rc && (e = readdir(d)))
		if (g_str_has_prefix(e->d_name, "index.db") &&
		    unlinkat(fd, e->d_name, 0))
			rc = -errno;
	closedir(d);
	return rc;
}

/*
 * The tag goes last, so that what a crash leaves is still known as ours, and
 * stays where strangers' files would keep us from adopting the rest again.
 */
static int remove_all(int fd)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < N_SUBDIRS; i++)
		rc = remove_tree(fd, subdirs[i], 1);
	if (!rc)
		rc = remove_index(fd);
	if (!rc && is_unused(fd, CACHE_TAG_NAME) == 1 &&
	    unlinkat(fd, CACHE_TAG_NAME, 0))
		rc = -errno;
	return rc;
}

int cache_dir_clear(int dirfd, char **ret_error)
{
	int rc = lock_dir(dirfd, LOCK_EX);

	if (!rc)
		rc = is_used(dirfd);
	if (rc > 0)
		rc = -EBUSY;
	if (!rc)
		rc = recognise(dirfd);
	if (!rc)
		rc = remove_all(dirfd);
	lock_dir(dirfd, LOCK_UN);
	if (rc == -EBUSY)
		*ret_error = g_strdup("the cache is in use; unmount first");
	else if (rc)
		*ret_error = g_strdup_printf("cannot clear the cache: %s",
					     g_strerror(-rc));
	return rc;
}
