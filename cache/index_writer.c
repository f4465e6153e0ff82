/* SPDX-License-Identifier: MIT */
#include "cache/index_writer.h"

#include "cache/index_conn.h"
#include "fs/base/base.h"
#include "fs/base/clock.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <time.h>

/*
 * Posts in one commit: enough that an fsync is shared by all that wait, few
 * enough that other processes get the write lock in between.
 */
#define BATCH_MAX 256

/*
 * BEGIN waits for other processes as long as the connection's busy timeout, 10
 * s; half a minute in all means that one of them is stopped inside its commit.
 */
#define BEGIN_TRIES 3

struct post {
	struct post *next;
	index_write_fn write;
	index_done_fn done;
	void *arg;
	int rc;
};

struct timer {
	int64_t period_ms, due_ms; /* monotonic */
	void (*fn)(void *arg);
	void *arg;
};

struct index_writer {
	struct index_conn *conn; /* the thread's */
	void (*met_damage)(void *user);
	void *user;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;	    /* CLOCK_MONOTONIC */
	struct post *first, **last; /* lock */
	GArray *timers;		    /* lock; struct timer */
	bool ending;		    /* lock */
};

/* ---- a batch ---------------------------------------------------------- */

static int run_sql(struct index_writer *w, const char *sql)
{
	sqlite3_stmt *stmt = index_prepare(w->conn, sql);

	return stmt ? index_exec(stmt) : -EIO;
}

static int begin(struct index_writer *w)
{
	sqlite3 *db = index_db(w->conn);
	int rc = SQLITE_OK;

	for (int i = 0; i < BEGIN_TRIES; i++) {
		rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
		if ((rc & 0xff) != SQLITE_BUSY)
			break;
	}
	return index_conn_errno(db, rc);
}

/* One post inside the transaction, undone alone when it fails. */
static void write_one(struct index_writer *w, struct post *p)
{
	sqlite3 *db = index_db(w->conn);

	p->rc = run_sql(w, "SAVEPOINT post");
	if (p->rc)
		return;
	p->rc = p->write(w->conn, p->arg);
	if (p->rc && index_conn_damaged(w->conn))
		w->met_damage(w->user);
	/* A full disk may have rolled back everything already. */
	if (sqlite3_get_autocommit(db))
		return;
	if (p->rc && run_sql(w, "ROLLBACK TO post") != 0)
		run_sql(w, "ROLLBACK"); /* never commit half a post */
	else
		run_sql(w, "RELEASE post");
}

/*
 * Runs posts until the batch ends or the transaction is lost; returns the
 * first that was not run.  All before it have their final rc.
 */
static struct post *write_batch(struct index_writer *w, struct post *batch)
{
	sqlite3 *db = index_db(w->conn);
	struct post *p = batch;
	int rc = begin(w);

	while (p && !rc) {
		write_one(w, p);
		if (sqlite3_get_autocommit(db))
			rc = p->rc ? p->rc : -EIO;
		p = p->next;
	}
	if (!rc) {
		rc = run_sql(w, "COMMIT");
		if (rc && !sqlite3_get_autocommit(db))
			run_sql(w, "ROLLBACK");
	} else if (p == batch) {
		p = NULL; /* BEGIN failed: it would for each of them */
	}
	for (struct post *q = batch; rc && q != p; q = q->next)
		q->rc = q->rc ? q->rc : rc;
	return p;
}

static void finish(struct post *from, struct post *end)
{
	struct post *next;

	for (struct post *p = from; p != end; p = next) {
		next = p->next;
		if (p->done)
			p->done(p->arg, p->rc);
		g_free(p);
	}
}

static void run_batch(struct index_writer *w, struct post *batch)
{
	while (batch) {
		struct post *rest = write_batch(w, batch);

		finish(batch, rest);
		batch = rest;
	}
}

/* ---- the thread ------------------------------------------------------- */

/* Holds lock. */
static struct post *take_batch(struct index_writer *w)
{
	struct post *batch = w->first;
	struct post **end = &w->first;

	for (int n = 0; *end && n < BATCH_MAX; n++)
		end = &(*end)->next;
	w->first = *end;
	if (!w->first)
		w->last = &w->first;
	*end = NULL;
	return end == &w->first ? NULL : batch;
}

/* Holds lock; the timer that is due, moved on, or when the next one is. */
static bool due_timer(struct index_writer *w, struct timer *ret_timer,
		      int64_t *ret_next_ms)
{
	int64_t now_ms = clock_monotonic_ms(&clock_system);
	int64_t next_ms = INT64_MAX;

	for (guint i = 0; i < w->timers->len; i++) {
		struct timer *t = &g_array_index(w->timers, struct timer, i);

		if (t->due_ms <= now_ms) {
			t->due_ms = now_ms + t->period_ms;
			*ret_timer = *t;
			return true;
		}
		next_ms = MIN(next_ms, t->due_ms);
	}
	*ret_next_ms = next_ms;
	return false;
}

/* Holds lock. */
static void wait_for_work(struct index_writer *w, int64_t until_ms)
{
	struct timespec t = {.tv_sec = until_ms / 1000,
			     .tv_nsec = until_ms % 1000 * 1000000};

	if (until_ms == INT64_MAX)
		pthread_cond_wait(&w->wake, &w->lock);
	else
		pthread_cond_timedwait(&w->wake, &w->lock, &t);
}

static void *writer_thread(void *arg)
{
	struct index_writer *w = arg;
	struct timer timer;
	struct post *batch;
	int64_t next_ms = INT64_MAX;

	pthread_setname_np(pthread_self(), "index-writer");
	pthread_mutex_lock(&w->lock);
	for (;;) {
		bool due = !w->ending && due_timer(w, &timer, &next_ms);

		batch = take_batch(w);
		if (!due && !batch) {
			if (w->ending)
				break;
			wait_for_work(w, next_ms);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		if (due)
			timer.fn(timer.arg);
		run_batch(w, batch);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Signals are the main thread's business. */
static int start_thread(struct index_writer *w)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, writer_thread, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

/* ---- for everybody ---------------------------------------------------- */

static void release(struct index_writer *w)
{
	index_conn_free(w->conn);
	g_array_unref(w->timers);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	g_free(w);
}

int index_writer_new(struct index_conn *conn, void (*met_damage)(void *user),
		     void *user, struct index_writer **ret_writer)
{
	struct index_writer *w = g_new0(struct index_writer, 1);
	pthread_condattr_t attr;
	int rc;

	w->conn = conn;
	w->met_damage = met_damage;
	w->user = user;
	w->last = &w->first;
	w->timers = g_array_new(FALSE, FALSE, sizeof(struct timer));
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	rc = start_thread(w);
	if (rc) {
		release(w);
		return rc;
	}
	*ret_writer = w;
	return 0;
}

void index_writer_free(struct index_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	release(w);
}

void index_writer_post(struct index_writer *w, index_write_fn write,
		       index_done_fn done, void *arg)
{
	struct post *p = g_new0(struct post, 1);
	auto_unlock pthread_mutex_t *held = NULL;

	p->write = write;
	p->done = done;
	p->arg = arg;
	held = base_lock(&w->lock);
	*w->last = p;
	w->last = &p->next;
	pthread_cond_signal(&w->wake);
}

struct waiter {
	index_write_fn write;
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool finished; /* lock */
	int rc;	       /* lock */
};

static int waiter_write(struct index_conn *conn, void *arg)
{
	struct waiter *wait = arg;

	return wait->write(conn, wait->arg);
}

static void waiter_done(void *arg, int rc)
{
	struct waiter *wait = arg;
	auto_unlock pthread_mutex_t *held = base_lock(&wait->lock);

	wait->rc = rc;
	wait->finished = true;
	pthread_cond_signal(&wait->wake);
}

int index_writer_run(struct index_writer *w, index_write_fn write, void *arg)
{
	struct waiter wait = {.write = write,
			      .arg = arg,
			      .lock = PTHREAD_MUTEX_INITIALIZER,
			      .wake = PTHREAD_COND_INITIALIZER};

	index_writer_post(w, waiter_write, waiter_done, &wait);
	pthread_mutex_lock(&wait.lock);
	while (!wait.finished)
		pthread_cond_wait(&wait.wake, &wait.lock);
	pthread_mutex_unlock(&wait.lock);
	pthread_cond_destroy(&wait.wake);
	pthread_mutex_destroy(&wait.lock);
	return wait.rc;
}

void index_writer_every(struct index_writer *w, int64_t period_ms,
			void (*fn)(void *arg), void *arg)
{
	struct timer t = {.period_ms = period_ms, .fn = fn, .arg = arg};
	auto_unlock pthread_mutex_t *held = base_lock(&w->lock);

	t.due_ms = clock_monotonic_ms(&clock_system) + period_ms;
	g_array_append_val(w->timers, t);
	pthread_cond_signal(&w->wake);
}

bool index_writer_ending(struct index_writer *w)
{
	auto_unlock pthread_mutex_t *held = base_lock(&w->lock);

	return w->ending;
}
