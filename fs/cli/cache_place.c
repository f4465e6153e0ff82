/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"

#include "fs/cli/cache_place.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "cache/dir.h"
#include "fs/base/base.h"

#define MEMORY_FOLDER	"/dev/shm"
#define MEMORY_PREFIX	"kvsfs-"
#define MEMORY_TEMPLATE MEMORY_FOLDER "/" MEMORY_PREFIX "XXXXXX"
/* It is the machine's memory, not a disk. */
#define MEMORY_BUDGET_BYTES (INT64_C(64) << 20)

static char *first_missing(const char *path)
{
	g_autofree char *p = g_strdup(path);
	char *missing = NULL;

	while (access(p, F_OK) < 0 && errno == ENOENT) {
		char *parent = g_path_get_dirname(p);

		g_free(missing);
		missing = g_steal_pointer(&p);
		p = parent;
	}
	return missing;
}

static bool holds_cache(const char *path)
{
	g_autofree char *tag = g_build_filename(path, CACHE_TAG_NAME, NULL);

	return access(tag, F_OK) == 0;
}

int cache_place_open(const char *path, const struct store_options *o,
		     struct cache_place **ret_place, char **ret_error)
{
	struct cache_place *p = g_new0(struct cache_place, 1);
	int rc;

	p->path = g_strdup(path);
	p->dirfd = -1;
	p->made = first_missing(path);
	p->adopted = p->made || !holds_cache(path);
	rc = cache_dir_open(path, &p->dirfd, ret_error);
	if (rc)
		goto fail;
	rc = index_open(p->dirfd, &p->index, ret_error);
	if (rc)
		goto fail;
	rc = store_open(p->dirfd, p->index, o, &p->store, ret_error);
	if (rc)
		goto fail;
	p->catalog = catalog_new(p->index);
	*ret_place = p;
	return 0;

fail:
	p->remove = true;
	cache_place_close(p);
	return rc;
}

/* A process that was killed could not take its cache away. */
static void sweep_memory(void)
{
	g_autoptr(GDir) dir = g_dir_open(MEMORY_FOLDER, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(MEMORY_FOLDER, name,
							 NULL);
		g_autofree char *error = NULL;
		GStatBuf st;
		auto_close int dirfd = -1;

		if (!g_str_has_prefix(name, MEMORY_PREFIX) ||
		    g_lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) ||
		    st.st_uid != geteuid())
			continue;
		/* One that is in use answers -EBUSY and stays. */
		if (cache_dir_open(path, &dirfd, &error) == 0 &&
		    cache_dir_clear(dirfd, &error) == 0)
			g_rmdir(path);
	}
}

static int open_memory(const struct store_options *o,
		       struct cache_place **ret_place, char **ret_error)
{
	char path[] = MEMORY_TEMPLATE;
	struct store_options small = *o;
	int rc;

	sweep_memory();
	if (!g_mkdtemp(path)) {
		rc = -errno;
		*ret_error = g_strdup_printf("no cache can be made in /dev/shm "
					     "either: %s",
					     g_strerror(-rc));
		return rc;
	}
	small.budget_bytes = MIN(o->budget_bytes, MEMORY_BUDGET_BYTES);
	small.min_free_ratio = 0;
	rc = cache_place_open(path, &small, ret_place, ret_error);
	if (rc) {
		g_rmdir(path);
		return rc;
	}
	(*ret_place)->made = g_strdup(path);
	(*ret_place)->remove = true;
	return 0;
}

int cache_place_open_or_memory(const char *path, const struct store_options *o,
			       struct cache_place **ret_place, char **ret_error)
{
	g_autofree char *error = NULL;
	int rc = cache_place_open(path, o, ret_place, &error);

	if (rc != -ENOSPC && rc != -EDQUOT && rc != -EROFS) {
		*ret_error = g_steal_pointer(&error);
		return rc;
	}
	g_warning("%s; until the next mount what is read is kept in memory "
		  "only",
		  error);
	return open_memory(o, ret_place, ret_error);
}

static void remove_directory(struct cache_place *p)
{
	g_autofree char *error = NULL;
	g_autofree char *path = g_strdup(p->path);
	int rc = cache_dir_clear(p->dirfd, &error);

	/* Another process has begun to use it: it is theirs now. */
	if (rc == -EBUSY)
		return;
	if (rc < 0) {
		g_warning("%s is left behind: %s", p->path, error);
		return;
	}
	/* Up to the first that was made; one in use by now stays. */
	while (p->made && g_rmdir(path) == 0 &&
	       strlen(path) > strlen(p->made)) {
		char *parent = g_path_get_dirname(path);

		g_free(path);
		path = parent;
	}
}

void cache_place_close(struct cache_place *p)
{
	if (!p)
		return;
	catalog_free(p->catalog);
	store_close(p->store);
	index_close(p->index);
	if (p->remove && p->adopted && p->dirfd >= 0)
		remove_directory(p);
	base_closep(&p->dirfd);
	g_free(p->path);
	g_free(p->made);
	g_free(p);
}
