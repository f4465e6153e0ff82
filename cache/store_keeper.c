/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "cache/index.h"
#include "fs/base/base.h"

#include <signal.h>
#include <time.h>

/*
 * The keeper does what nobody should wait for: it writes down which chunks were
 * used, closes idle ones, keeps some room free and sweeps.  A thread of its
 * own, since a sweep looks at every file and the index's writer must not.
 */
#define TICK_MS	    INT64_C(2000)
#define SWEEP_MS    INT64_C(3600000)
#define IDLE_FOR_MS INT64_C(60000)

/* ---- every two seconds ------------------------------------------------ */

struct headroom {
	struct store *s;
	bool more;
};

static int headroom_write(struct index_conn *conn, void *arg)
{
	struct headroom *h = arg;

	return space_headroom(h->s, conn, &h->more);
}

void store_tick(struct store *s)
{
	struct headroom h = {.s = s};
	bool used;

	pthread_mutex_lock(&s->lock);
	used = s->n_touches > 0;
	pthread_mutex_unlock(&s->lock);
	if (used)
		store_touches_post(s);
	store_table_close_idle(s, IDLE_FOR_MS);
	if (!space_is_short(s))
		return;
	/* A little at a time, so that others' changes get in between. */
	do {
		h.more = false;
	} while (!index_run(s->ix, headroom_write, &h) && h.more &&
		 !keeper_ending(s));
}

/* ---- the thread ------------------------------------------------------- */

bool keeper_ending(struct store *s)
{
	auto_unlock pthread_mutex_t *held = base_lock(&s->lock);

	return s->ending;
}

/* false when it is time to end. */
static bool wait_until(struct store *s, int64_t due_ms)
{
	struct timespec t = {.tv_sec = due_ms / 1000,
			     .tv_nsec = due_ms % 1000 * 1000000};
	auto_unlock pthread_mutex_t *held = base_lock(&s->lock);

	while (!s->ending && clock_monotonic_ms(&clock_system) < due_ms)
		pthread_cond_timedwait(&s->wake, &s->lock, &t);
	return !s->ending;
}

static void *keeper_thread(void *arg)
{
	struct store *s = arg;
	int64_t now_ms = clock_monotonic_ms(&clock_system);
	int64_t sweep_ms = now_ms;

	pthread_setname_np(pthread_self(), "store-keeper");
	while (wait_until(s, now_ms + TICK_MS)) {
		store_tick(s);
		now_ms = clock_monotonic_ms(&clock_system);
		if (now_ms < sweep_ms)
			continue;
		/* What one sweep cannot do, the next one does. */
		store_sweep(s);
		now_ms = clock_monotonic_ms(&clock_system);
		sweep_ms = now_ms + SWEEP_MS;
	}
	return NULL;
}

int keeper_start(struct store *s)
{
	pthread_condattr_t attr;
	sigset_t all, before;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals are the main thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&s->keeper, NULL, keeper_thread, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		pthread_cond_destroy(&s->wake);
	return -err;
}

void keeper_stop(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->keeper, NULL);
	pthread_cond_destroy(&s->wake);
}
