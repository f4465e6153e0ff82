/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is told, in which order, and who hears that it was: once,
 * whatever happens.  A kernel that stands still at a gate makes what is queued
 * meanwhile one batch, with nobody waiting by the clock.
 */
#include "fs/fuse/notify.h"

#include <glib.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WAIT_US (G_USEC_PER_SEC * 30)

struct kernel {
	GMutex lock;
	GCond changed;
	GString *heard; /* "node 5, size 7, ..." */
	int passes;	/* so many calls may still leave */
	struct notify *n;
};

/* One of those who wait for a new size. */
struct waiter {
	struct kernel *k;
	const char *name;
	int told;
};

static void hear(struct kernel *k, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void hear(struct kernel *k, const char *format, ...)
{
	va_list args;

	g_mutex_lock(&k->lock);
	if (k->heard->len)
		g_string_append(k->heard, ", ");
	va_start(args, format);
	g_string_append_vprintf(k->heard, format, args);
	va_end(args);
	g_cond_broadcast(&k->changed);
	g_mutex_unlock(&k->lock);
}

static void gate(struct kernel *k)
{
	g_mutex_lock(&k->lock);
	while (k->passes == 0)
		g_cond_wait(&k->changed, &k->lock);
	k->passes--;
	g_mutex_unlock(&k->lock);
}

static void gate_let(struct kernel *k, int passes)
{
	g_mutex_lock(&k->lock);
	k->passes = passes;
	g_cond_broadcast(&k->changed);
	g_mutex_unlock(&k->lock);
}

static void gate_open(struct kernel *k)
{
	gate_let(k, INT_MAX);
}

static void on_node(void *user, uint64_t node)
{
	hear(user, "node %" G_GUINT64_FORMAT, node);
	gate(user);
}

static void on_size(void *user, uint64_t node)
{
	hear(user, "size %" G_GUINT64_FORMAT, node);
	gate(user);
}

static void on_name(void *user, uint64_t parent, const char *name)
{
	hear(user, "name %" G_GUINT64_FORMAT "/%s", parent, name);
	gate(user);
}

static void on_mounted(void *user)
{
	hear(user, "mounted");
	gate(user);
}

static void on_told(void *arg)
{
	struct waiter *w = arg;

	w->told++;
	hear(w->k, "told %s", w->name);
}

/* What was heard since, once it is that long. */
static char *heard(struct kernel *k, size_t length)
{
	gint64 until = g_get_monotonic_time() + WAIT_US;
	char *all;

	g_mutex_lock(&k->lock);
	while (k->heard->len < length &&
	       g_cond_wait_until(&k->changed, &k->lock, until))
		continue;
	all = g_strdup(k->heard->str);
	g_string_truncate(k->heard, 0);
	g_mutex_unlock(&k->lock);
	return all;
}

static void assert_heard(struct kernel *k, const char *want)
{
	g_autofree char *all = heard(k, strlen(want));

	assert_string_equal(all, want);
}

/* With the thread in the gate. */
static int setup(void **state)
{
	struct kernel *k = g_new0(struct kernel, 1);
	const struct notify_kernel ops = {
		.forget_node = on_node,
		.forget_size = on_size,
		.forget_name = on_name,
		.mounted = on_mounted,
		.user = k,
	};

	g_mutex_init(&k->lock);
	g_cond_init(&k->changed);
	k->heard = g_string_new(NULL);
	k->n = notify_new(&ops);
	assert_non_null(k->n);
	notify_mounted(k->n);
	assert_heard(k, "mounted");
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kernel *k = *state;

	gate_open(k);
	notify_free(k->n);
	g_string_free(k->heard, TRUE);
	g_cond_clear(&k->changed);
	g_mutex_clear(&k->lock);
	g_free(k);
	return 0;
}

/* A last word, after which nothing of the batch before it can come. */
static void assert_silent(struct kernel *k)
{
	notify_stale(k->n, 99);
	assert_heard(k, "size 99");
}

/* No thread is left that could say something. */
static void assert_silent_for_ever(struct kernel *k)
{
	notify_free(g_steal_pointer(&k->n));
	assert_int_equal(k->heard->len, 0);
}

static struct tree_change change(uint64_t bucket, const char *name,
				 uint64_t file)
{
	struct tree_change c = {.nodes = {bucket}, .n_nodes = 1, .file = file};

	c.n_names = 1;
	c.names[0].parent = bucket;
	g_strlcpy(c.names[0].name, name, sizeof(c.names[0].name));
	return c;
}

static void sizes_then_names_then_folders(void **state)
{
	struct kernel *k = *state;
	struct tree_change c = change(5, "a.mkv", 70);
	struct waiter w = {k, "w", 0};

	notify_kept(k->n, 5);
	notify_added(k->n, &c);
	notify_resized(k->n, 71, on_told, &w);
	notify_stale(k->n, 72);
	gate_open(k);
	assert_heard(k, "size 71, told w, size 72, name 5/a.mkv, node 5");
	assert_silent(k);
	assert_int_equal(w.told, 1);
}

static void each_folder_once(void **state)
{
	struct kernel *k = *state;

	for (int i = 0; i < 100; i++) {
		struct tree_change c = change(5, "a.mkv", 70);

		notify_added(k->n, &c);
	}
	gate_open(k);
	assert_heard(k, "node 5");
	assert_silent(k);
	/* And once more when it has changed again. */
	notify_added(k->n, &(struct tree_change){.nodes = {5}, .n_nodes = 1});
	assert_heard(k, "node 5");
	assert_silent(k);
}

static void parents_but_not_the_unknown(void **state)
{
	struct kernel *k = *state;
	/* 0: the view has no such folder. */
	const struct tree_change c = {.nodes = {5, 0, 4}, .n_nodes = 3};
	g_autofree char *all = NULL;

	notify_added(k->n, &c);
	gate_open(k);
	all = heard(k, strlen("node 5, node 4"));
	/* Folders come in any order. */
	if (strcmp(all, "node 5, node 4") != 0)
		assert_string_equal(all, "node 4, node 5");
	assert_silent(k);
}

/* A name takes the folder's lock: only where the kernel may remember it. */
static void names_where_one_is_kept(void **state)
{
	struct kernel *k = *state;
	struct tree_change c = change(5, "a.mkv", 70);

	gate_open(k);
	notify_added(k->n, &c);
	assert_heard(k, "node 5");
	notify_kept(k->n, 5);
	notify_added(k->n, &c);
	assert_heard(k, "name 5/a.mkv, node 5");
	assert_silent(k);
}

static void whoever_waits_is_told_once(void **state)
{
	struct kernel *k = *state;
	struct waiter one = {k, "one", 0}, two = {k, "two", 0};

	/* The same file twice: two who wait. */
	notify_resized(k->n, 7, on_told, &one);
	notify_resized(k->n, 7, on_told, &two);
	gate_open(k);
	assert_heard(k, "size 7, told one, size 7, told two");
	assert_silent(k);
	assert_int_equal(one.told, 1);
	assert_int_equal(two.told, 1);
}

/* The thread is in the kernel, where it stays until a request is served. */
static void serve(void *user)
{
	struct kernel *k = user;

	gate_open(k);
	g_thread_yield();
}

static void a_stop_tells_those_who_wait_alone(void **state)
{
	struct kernel *k = *state;
	struct tree_change c = change(5, "a.mkv", 70);
	struct waiter one = {k, "one", 0}, two = {k, "two", 0};

	notify_kept(k->n, 5);
	notify_added(k->n, &c);
	notify_resized(k->n, 7, on_told, &one);
	notify_stale(k->n, 8);
	notify_resized(k->n, 9, on_told, &two);
	gate_let(k, 1); /* out of mounted(), into the first of these */
	assert_heard(k, "size 7");
	notify_stop(k->n, serve, k);
	assert_heard(k, "told one, told two");
	assert_silent_for_ever(k);
	assert_int_equal(one.told, 1);
	assert_int_equal(two.told, 1);
}

static void what_comes_after_the_stop(void **state)
{
	struct kernel *k = *state;
	struct tree_change c = change(5, "a.mkv", 70);
	struct waiter before = {k, "before", 0}, after = {k, "after", 0};

	/* Queued while the thread was elsewhere. */
	notify_resized(k->n, 7, on_told, &before);
	notify_stop(k->n, serve, k);
	assert_heard(k, "told before");
	notify_resized(k->n, 7, on_told, &after);
	assert_int_equal(after.told, 1); /* from here */
	notify_added(k->n, &c);
	notify_stale(k->n, 8);
	assert_heard(k, "told after");
	assert_silent_for_ever(k);
	assert_int_equal(before.told, 1);
	assert_int_equal(after.told, 1);
}

static void freed_before_anything_was_served(void **state)
{
	struct kernel *k = *state;
	struct waiter w = {k, "w", 0};

	notify_resized(k->n, 7, on_told, &w);
	gate_open(k);
	notify_free(g_steal_pointer(&k->n));
	assert_int_equal(w.told, 1);
	notify_free(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(sizes_then_names_then_folders),
		T(each_folder_once),
		T(parents_but_not_the_unknown),
		T(names_where_one_is_kept),
		T(whoever_waits_is_told_once),
		T(a_stop_tells_those_who_wait_alone),
		T(what_comes_after_the_stop),
		T(freed_before_anything_was_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
