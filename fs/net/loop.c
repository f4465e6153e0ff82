/* SPDX-License-Identifier: MIT */
#include "fs/net/internal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

#define CONNECT_TIMEOUT_DEFAULT_MS 10000
/* Idle connections kept; curl's own choice shrinks with the open requests. */
#define IDLE_CONNECTIONS 64L
/* Nothing to wait for: any wakeup ends the sleep, so its length is free. */
#define SLEEP_MAX_MS 3600000

static __thread const struct net_loop *this_loop;

bool net_loop_on_thread(const struct net_loop *l)
{
	return this_loop == l;
}

static void add(GArray *list, void (*fn)(void *arg), void *arg)
{
	struct net_post p = {fn, arg};

	g_array_append_val(list, p);
}

bool net_loop_post(struct net_loop *l, void (*fn)(void *arg), void *arg)
{
	auto_unlock pthread_mutex_t *held = base_lock(&l->lock);

	if (l->ending)
		return false;
	add(l->posted, fn, arg);
	/* Writes to a socket that never blocks; under the lock, so that the
	   multi handle cannot go away meanwhile. */
	if (l->posted->len == 1 && this_loop != l)
		curl_multi_wakeup(l->multi);
	return true;
}

void net_loop_at_end(struct net_loop *l, void (*fn)(void *arg), void *arg)
{
	auto_unlock pthread_mutex_t *held = base_lock(&l->lock);

	add(l->at_end, fn, arg);
}

static GArray *new_list(void)
{
	return g_array_new(FALSE, FALSE, sizeof(struct net_post));
}

static void run_list(struct net_loop *l, GArray **list)
{
	g_autoptr(GArray) taken = NULL;

	pthread_mutex_lock(&l->lock);
	taken = *list;
	*list = new_list();
	pthread_mutex_unlock(&l->lock);
	for (guint i = 0; i < taken->len; i++) {
		struct net_post p = g_array_index(taken, struct net_post, i);

		p.fn(p.arg);
	}
}

static bool is_ending(struct net_loop *l)
{
	auto_unlock pthread_mutex_t *held = base_lock(&l->lock);

	return l->ending;
}

static void check(struct net_loop *l, CURLMcode code)
{
	if (code)
		net_requests_fail(l, -EIO, curl_multi_strerror(code));
}

static void turn(struct net_loop *l)
{
	int running;
	CURLMcode code;

	run_list(l, &l->posted);
	net_timers_run(&l->timers);
	net_requests_admit(l);
	l->in_curl = true;
	code = curl_multi_perform(l->multi, &running);
	l->in_curl = false;
	net_requests_reap(l);
	check(l, code);
}

static int sleep_ms(struct net_loop *l)
{
	auto_unlock pthread_mutex_t *held = base_lock(&l->lock);
	int64_t timer_ms = net_timers_wait_ms(&l->timers);

	if (l->posted->len > 0 || l->starting.length > 0 || l->ending)
		return 0;
	if (timer_ms < 0 || timer_ms > SLEEP_MAX_MS)
		return SLEEP_MAX_MS;
	return (int)timer_ms;
}

static void *loop_main(void *arg)
{
	struct net_loop *l = arg;
	bool last;

	this_loop = l;
	pthread_setname_np(pthread_self(), "kvsfs-net");
	do {
		/* Before the turn, so that the last one runs all that was
		   posted. */
		last = is_ending(l);
		turn(l);
		if (!last)
			check(l, curl_multi_poll(l->multi, NULL, 0, sleep_ms(l),
						 NULL));
	} while (!last);
	run_list(l, &l->at_end);
	while (l->starting.length + l->running.length > 0)
		net_requests_fail(l, -ECANCELED, "The network loop ended");
	return NULL;
}

static void destroy(struct net_loop *l)
{
	net_timers_release(&l->timers);
	g_array_unref(l->posted);
	g_array_unref(l->at_end);
	if (l->multi)
		curl_multi_cleanup(l->multi);
	/* After the multi handle, whose connections leave their sessions. */
	if (l->share)
		curl_share_cleanup(l->share);
	pthread_mutex_destroy(&l->lock);
	g_free(l->ca_bundle);
	g_free(l->user_agent);
	g_free(l->proxy);
	g_free(l->no_proxy);
	g_free(l);
}

static CURLcode global_rc;

static void global_init(void)
{
	global_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Signals are for the program's other threads, SIGPIPE for nobody. */
static int start_thread(struct net_loop *l)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&l->thread, NULL, loop_main, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

int net_loop_new(const struct net_loop_options *o, struct net_loop **ret_loop)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct net_loop *l;
	int rc = -ENOMEM;

	pthread_once(&once, global_init);
	if (global_rc)
		return -ENOMEM;
	l = g_new0(struct net_loop, 1);
	pthread_mutex_init(&l->lock, NULL);
	l->posted = new_list();
	l->at_end = new_list();
	l->ca_bundle = g_strdup(o->ca_bundle);
	l->user_agent = g_strdup(o->user_agent);
	l->proxy = g_strdup(o->proxy);
	l->no_proxy = g_strdup(o->no_proxy);
	l->connect_timeout_ms = o->connect_timeout_ms > 0
					? o->connect_timeout_ms
					: CONNECT_TIMEOUT_DEFAULT_MS;
	net_timers_init(&l->timers);
	l->multi = curl_multi_init();
	l->share = curl_share_init();
	if (!l->multi || !l->share ||
	    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS,
			      IDLE_CONNECTIONS) ||
	    curl_share_setopt(l->share, CURLSHOPT_SHARE,
			      CURL_LOCK_DATA_SSL_SESSION))
		goto fail;
	rc = start_thread(l);
	if (rc)
		goto fail;
	*ret_loop = l;
	return 0;
fail:
	destroy(l);
	return rc;
}

void net_loop_stop(struct net_loop *l)
{
	if (l->joined)
		return;
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	curl_multi_wakeup(l->multi);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	l->joined = true;
}

void net_loop_free(struct net_loop *l)
{
	if (!l)
		return;
	net_loop_stop(l);
	destroy(l);
}
