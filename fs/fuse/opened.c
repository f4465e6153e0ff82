/* SPDX-License-Identifier: MIT */
#include "fs/fuse/opened.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

#include "cache/store.h"
#include "fs/base/base.h"
#include "fs/fuse/backing.h"

/* Descriptors that are left for all else. */
#define SPARE_DIVISOR 2

struct file {
	uint64_t node;
	unsigned count;		   /* lock */
	struct store_chunk *chunk; /* NULL: it is read from here */
	int backing_id;		   /* with chunk */
};

struct opened {
	struct tree *t;
	unsigned held_max;

	pthread_mutex_t lock; /* guards the rest; nothing is called under it */
	GHashTable *files;    /* node -> struct file */
	unsigned held;	      /* chunks, and descriptors with them */
};

/*
 * A chunk that is held is a descriptor, and somebody may have ten thousand
 * files open.
 */
static unsigned descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	return (unsigned)MIN(l.rlim_cur, G_MAXINT);
}

struct opened *opened_new(struct tree *t)
{
	struct opened *all = g_new0(struct opened, 1);

	all->t = t;
	all->held_max = descriptors() / SPARE_DIVISOR;
	pthread_mutex_init(&all->lock, NULL);
	all->files = g_hash_table_new(g_int64_hash, g_int64_equal);
	return all;
}

static void file_free(void *p)
{
	struct file *f = p;

	store_chunk_unref(f->chunk);
	g_free(f);
}

void opened_free(struct opened *all)
{
	GHashTableIter it;
	void *f;

	if (!all)
		return;
	g_hash_table_iter_init(&it, all->files);
	while (g_hash_table_iter_next(&it, NULL, &f))
		file_free(f);
	g_hash_table_unref(all->files);
	pthread_mutex_destroy(&all->lock);
	g_free(all);
}

bool opened_try(int device, int fd)
{
	int id = backing_open(device, fd);

	if (id > 0)
		backing_close(device, id);
	return id > 0;
}

/* ---- open --------------------------------------------------------------- */

static struct file *again(struct opened *all, uint64_t node)
{
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);
	struct file *f = g_hash_table_lookup(all->files, &node);

	if (f)
		f->count++;
	return f;
}

static bool take_place(struct opened *all)
{
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);

	if (all->held >= all->held_max)
		return false;
	all->held++;
	return true;
}

static void drop(struct opened *all, int device, struct file *f)
{
	if (f->chunk) {
		auto_unlock pthread_mutex_t *held = base_lock(&all->lock);

		all->held--;
	}
	if (f->backing_id)
		backing_close(device, f->backing_id);
	file_free(f);
}

/* -ESTALE, or 0 and a file that nobody else knows of yet. */
static int file_new(struct opened *all, int device, uint64_t node,
		    struct file **ret_file)
{
	struct file *f = g_new0(struct file, 1);
	int rc = -ENOENT;

	f->node = node;
	f->count = 1;
	if (take_place(all)) {
		rc = tree_pin(all->t, node, &f->chunk);
		if (rc == 0)
			f->backing_id = backing_open(device,
						     store_chunk_fd(f->chunk));
		if (rc < 0 || f->backing_id <= 0) {
			f->backing_id = 0;
			store_chunk_unref(g_steal_pointer(&f->chunk));
			auto_unlock pthread_mutex_t *held =
				base_lock(&all->lock);

			all->held--;
		}
	}
	if (rc == -ESTALE) {
		g_free(f);
		return rc;
	}
	*ret_file = f;
	return 0;
}

/* f, or who was faster. */
static struct file *publish(struct opened *all, int device, struct file *f)
{
	pthread_mutex_t *held = base_lock(&all->lock);
	struct file *other = g_hash_table_lookup(all->files, &f->node);

	if (other)
		other->count++;
	else
		g_hash_table_insert(all->files, &f->node, f);
	pthread_mutex_unlock(held);
	if (!other)
		return f;
	drop(all, device, f);
	return other;
}

static void close_once(struct opened *all, int device, struct file *f)
{
	pthread_mutex_t *held = base_lock(&all->lock);
	bool last = --f->count == 0;

	if (last)
		g_hash_table_remove(all->files, &f->node);
	pthread_mutex_unlock(held);
	if (last)
		drop(all, device, f);
}

void opened_open(struct opened *all, fuse_req_t req, int device, uint64_t node)
{
	struct file *f = again(all, node);
	int rc = 0;

	if (!f) {
		rc = file_new(all, device, node, &f);
		if (rc == 0)
			f = publish(all, device, f);
	}
	/* At ESTALE the kernel looks the name up again, and opens that. */
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else if (backing_reply_open(req, (uint64_t)(uintptr_t)f,
				    f->backing_id) < 0)
		/* Interrupted: the kernel will not close what it lacks. */
		close_once(all, device, f);
}

void opened_release(struct opened *all, int device,
		    const struct fuse_file_info *fi)
{
	close_once(all, device, (struct file *)(uintptr_t)fi->fh);
}
