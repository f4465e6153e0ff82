/* SPDX-License-Identifier: MIT */
#include "fs/net/internal.h"

#include <limits.h>

struct net_timer {
	struct net_timers *owner;
	int64_t due_us; /* monotonic */
	uint64_t serial;
	void (*fn)(void *arg);
	void *arg;
};

static int by_due(const void *a, const void *b, void *unused)
{
	const struct net_timer *x = a, *y = b;

	if (x->due_us != y->due_us)
		return x->due_us < y->due_us ? -1 : 1;
	if (x->serial != y->serial)
		return x->serial < y->serial ? -1 : 1;
	return 0;
}

static struct net_timer *first(const struct net_timers *t)
{
	GTreeNode *node = g_tree_node_first(t->by_due);

	return node ? g_tree_node_value(node) : NULL;
}

void net_timers_init(struct net_timers *t)
{
	t->by_due = g_tree_new_full(by_due, NULL, NULL, g_free);
	t->started = 0;
}

void net_timers_release(struct net_timers *t)
{
	g_tree_unref(t->by_due);
}

struct net_timer *net_timer_start(struct net_loop *l, int64_t delay_ms,
				  void (*fn)(void *arg), void *arg)
{
	struct net_timer *t = g_new(struct net_timer, 1);

	*t = (struct net_timer){
		.owner = &l->timers,
		.due_us = g_get_monotonic_time() +
			  CLAMP(delay_ms, 0, INT64_MAX / 4000) * 1000,
		.serial = l->timers.started++,
		.fn = fn,
		.arg = arg,
	};
	g_tree_insert(l->timers.by_due, t, t);
	return t;
}

void net_timer_cancel(struct net_timer *t)
{
	g_tree_remove(t->owner->by_due, t);
}

void net_timers_run(struct net_timers *t)
{
	int64_t now_us = g_get_monotonic_time();
	uint64_t before = t->started;
	struct net_timer *next;

	/* A timer of 0 ms that starts itself again must not stop the rest. */
	while ((next = first(t)) && next->due_us <= now_us &&
	       next->serial < before) {
		void (*fn)(void *arg) = next->fn;
		void *arg = next->arg;

		net_timer_cancel(next);
		fn(arg);
	}
}

int64_t net_timers_wait_ms(const struct net_timers *t)
{
	const struct net_timer *next = first(t);
	int64_t left_us;

	if (!next)
		return -1;
	left_us = next->due_us - g_get_monotonic_time();
	return left_us <= 0 ? 0 : (left_us + 999) / 1000;
}
