/* SPDX-License-Identifier: MIT */
#include "fs/fuse/notify.h"

#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "fs/base/base.h"

/* One bit for many folders: a name too many is told of at times. */
#define KEPT_BITS 32768

struct name {
	uint64_t parent;
	char *name;
};

struct size {
	uint64_t file;
	notify_told_fn told;
	void *arg;
};

struct notify {
	struct notify_kernel k;
	pthread_t thread;
	bool started;
	_Atomic uint32_t kept[KEPT_BITS / 32];

	pthread_mutex_t lock; /* guards the rest; nothing is called under it */
	pthread_cond_t wake;
	GHashTable *nodes; /* set of uint64_t: folders and files */
	GPtrArray *names;  /* struct name */
	GArray *sizes;	   /* struct size */
	bool mounted, stop, ended;
};

static void name_free(void *p)
{
	struct name *n = p;

	g_free(n->name);
	g_free(n);
}

static GHashTable *nodes_new(void)
{
	return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

static GArray *sizes_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(struct size));
}

static GPtrArray *names_new(void)
{
	return g_ptr_array_new_with_free_func(name_free);
}

/* ---- what is queued ----------------------------------------------------- */

static void add_node(struct notify *n, uint64_t node)
{
	if (node)
		g_hash_table_add(n->nodes, g_memdup2(&node, sizeof(node)));
}

static _Atomic uint32_t *kept_word(struct notify *n, uint64_t parent,
				   uint32_t *ret_bit)
{
	uint64_t h = parent * UINT64_C(0x9e3779b97f4a7c15) >> 49;

	*ret_bit = UINT32_C(1) << (h % 32);
	return &n->kept[h / 32 % G_N_ELEMENTS(n->kept)];
}

void notify_kept(struct notify *n, uint64_t parent)
{
	uint32_t bit;
	_Atomic uint32_t *word = kept_word(n, parent, &bit);

	atomic_fetch_or(word, bit);
}

static bool some_kept(struct notify *n, uint64_t parent)
{
	uint32_t bit;
	_Atomic uint32_t *word = kept_word(n, parent, &bit);

	return atomic_load(word) & bit;
}

/*
 * A name takes the folder's lock in the kernel, which a slow request may hold:
 * only where the kernel may have it.
 */
static void add_names(struct notify *n, const struct tree_change *c)
{
	for (unsigned i = 0; i < c->n_names; i++) {
		struct name *name;

		if (!some_kept(n, c->names[i].parent))
			continue;
		name = g_new(struct name, 1);
		name->parent = c->names[i].parent;
		name->name = g_strdup(c->names[i].name);
		g_ptr_array_add(n->names, name);
	}
}

void notify_added(struct notify *n, const struct tree_change *c)
{
	auto_unlock pthread_mutex_t *held = base_lock(&n->lock);

	for (unsigned i = 0; i < c->n_nodes; i++)
		add_node(n, c->nodes[i]);
	add_names(n, c);
	pthread_cond_broadcast(&n->wake);
}

void notify_names(struct notify *n, const struct tree_change *c)
{
	auto_unlock pthread_mutex_t *held = base_lock(&n->lock);

	add_names(n, c);
	pthread_cond_broadcast(&n->wake);
}

void notify_resized(struct notify *n, uint64_t file, notify_told_fn told,
		    void *arg)
{
	struct size size = {file, told, arg};
	pthread_mutex_t *held = base_lock(&n->lock);
	bool over = n->stop;

	if (!over)
		g_array_append_val(n->sizes, size);
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(held);
	if (over)
		told(arg);
}

void notify_stale(struct notify *n, uint64_t node)
{
	struct size size = {.file = node};
	auto_unlock pthread_mutex_t *held = base_lock(&n->lock);

	if (n->stop)
		return;
	g_array_append_val(n->sizes, size);
	pthread_cond_broadcast(&n->wake);
}

void notify_mounted(struct notify *n)
{
	auto_unlock pthread_mutex_t *held = base_lock(&n->lock);

	n->mounted = true;
	pthread_cond_broadcast(&n->wake);
}

/* ---- the thread --------------------------------------------------------- */

struct batch {
	GHashTable *nodes;
	GPtrArray *names;
	GArray *sizes;
	bool mounted;
};

/* false: it is over. */
static bool take(struct notify *n, struct batch *ret_batch)
{
	auto_unlock pthread_mutex_t *held = base_lock(&n->lock);

	while (!n->stop && !n->mounted && n->names->len == 0 &&
	       n->sizes->len == 0 && g_hash_table_size(n->nodes) == 0)
		pthread_cond_wait(&n->wake, &n->lock);
	if (n->stop)
		return false;
	ret_batch->nodes = n->nodes;
	ret_batch->names = n->names;
	ret_batch->sizes = n->sizes;
	ret_batch->mounted = n->mounted;
	n->nodes = nodes_new();
	n->names = names_new();
	n->sizes = sizes_new();
	n->mounted = false;
	return true;
}

static bool stopped(struct notify *n)
{
	auto_unlock pthread_mutex_t *held = base_lock(&n->lock);

	return n->stop;
}

static void tell_sizes(struct notify *n, const GArray *sizes)
{
	for (guint i = 0; i < sizes->len; i++) {
		const struct size *s = &g_array_index(sizes, struct size, i);

		if (!stopped(n))
			n->k.forget_size(n->k.user, s->file);
		if (s->told)
			s->told(s->arg);
	}
}

static void tell(struct notify *n, const struct batch *b)
{
	GHashTableIter it;
	void *node;

	if (b->mounted)
		n->k.mounted(n->k.user);
	/* Readers wait for these. */
	tell_sizes(n, b->sizes);
	/* Names first: a listing read anew must not meet the old absence. */
	for (guint i = 0; i < b->names->len && !stopped(n); i++) {
		const struct name *name = b->names->pdata[i];

		n->k.forget_name(n->k.user, name->parent, name->name);
	}
	g_hash_table_iter_init(&it, b->nodes);
	while (!stopped(n) && g_hash_table_iter_next(&it, &node, NULL))
		n->k.forget_node(n->k.user, *(uint64_t *)node);
}

static void *run(void *arg)
{
	struct notify *n = arg;
	struct batch b;
	pthread_mutex_t *held;

	while (take(n, &b)) {
		tell(n, &b);
		g_hash_table_unref(b.nodes);
		g_ptr_array_unref(b.names);
		g_array_unref(b.sizes);
	}
	/* Nothing is added any more. */
	tell_sizes(n, n->sizes);
	held = base_lock(&n->lock);
	n->ended = true;
	pthread_mutex_unlock(held);
	return NULL;
}

/* ---- begin and end ------------------------------------------------------ */

struct notify *notify_new(const struct notify_kernel *k)
{
	struct notify *n = g_new0(struct notify, 1);
	sigset_t all, before;
	int rc;

	n->k = *k;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->wake, NULL);
	n->nodes = nodes_new();
	n->names = names_new();
	n->sizes = sizes_new();
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&n->thread, NULL, run, n);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	n->started = rc == 0;
	if (!n->started) {
		notify_free(n);
		return NULL;
	}
	return n;
}

void notify_stop(struct notify *n, void (*serve)(void *user), void *user)
{
	pthread_mutex_t *held = base_lock(&n->lock);
	bool ended;

	n->stop = true;
	pthread_cond_broadcast(&n->wake);
	do {
		ended = n->ended;
		pthread_mutex_unlock(held);
		if (!ended)
			serve(user);
		held = base_lock(&n->lock);
	} while (!ended);
	pthread_mutex_unlock(held);
}

void notify_free(struct notify *n)
{
	pthread_mutex_t *held;

	if (!n)
		return;
	if (n->started) {
		held = base_lock(&n->lock);
		n->stop = true;
		pthread_cond_broadcast(&n->wake);
		pthread_mutex_unlock(held);
		pthread_join(n->thread, NULL);
	}
	g_hash_table_unref(n->nodes);
	g_ptr_array_unref(n->names);
	g_array_unref(n->sizes);
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->lock);
	g_free(n);
}
