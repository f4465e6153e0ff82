/* SPDX-License-Identifier: MIT */
/*
 * resized: before a reader meets the end of a file that had to grow, the
 * kernel forgets the old size, or the reader would stop there and have lost
 * the rest.
 *
 * The file may have grown in another process that shares the cache, after this
 * one had shown the old size.  So it is told at this process's first read of
 * each such file, whoever made it grow.
 */
#include "fs/archive/internal.h"
#include "fs/archive/slack.h"

/* Files that grew are few; when this overflows some are told of again. */
#define TOLD_MAX 4096

struct telling {
	struct archive *a;
	int64_t fragment;
	void (*fn)(void *arg);
	void *arg;
};

bool resized_untold(struct archive *a, const struct fragment *f)
{
	auto_unlock pthread_mutex_t *held = NULL;

	if (f->payload_bytes < 0 ||
	    f->file_bytes != slack_grown(f->payload_bytes))
		return false;
	held = base_lock(&a->lock);
	return !g_hash_table_contains(a->told, &f->id);
}

static void told(void *arg)
{
	g_autofree struct telling *t = arg;
	pthread_mutex_t *held = base_lock(&t->a->lock);

	if (g_hash_table_size(t->a->told) >= TOLD_MAX)
		g_hash_table_remove_all(t->a->told);
	g_hash_table_add(t->a->told,
			 g_memdup2(&t->fragment, sizeof(t->fragment)));
	pthread_mutex_unlock(held);
	t->fn(t->arg);
}

static void told_elsewhere(void *arg)
{
	struct telling *t = arg;

	archive_pay(t->a, told, t);
}

void resized_tell(struct archive *a, const struct fragment *f,
		  void (*fn)(void *arg), void *arg)
{
	struct telling *t = g_new(struct telling, 1);

	*t = (struct telling){a, f->id, fn, arg};
	archive_owe(a);
	if (a->events.fragment_resized)
		a->events.fragment_resized(a->events_user, f, told_elsewhere,
					   t);
	else
		told_elsewhere(t);
}
