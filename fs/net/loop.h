/* SPDX-License-Identifier: MIT */
/*
 * loop: the one thread that owns libcurl: its multi handle, timers, and the
 * queue of what others post to it.
 *
 * Only net_loop_new(), _stop(), _free(), _post(), _at_end() and _on_thread()
 * may be called from any thread; all else, and every callback, is on the loop's
 * own thread, so what lives there needs no locks.
 */
#ifndef KVSFS_NET_LOOP_H
#define KVSFS_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_loop;
struct net_timer;
struct net_request;

struct net_loop_options {
	const char *ca_bundle;	/* NULL: the system's; copied */
	const char *user_agent; /* copied */
	/*
	 * For https:// URLs, as curl takes it, and the hosts that are asked
	 * without it (curl's NO_PROXY).  NULL: none; the environment is not
	 * looked at.  Copied; the proxy's may hold a password.
	 */
	const char *proxy, *no_proxy;
	int64_t connect_timeout_ms; /* 0: 10 s */
};

/* Starts the thread.  0, -ENOMEM or -EAGAIN. */
int net_loop_new(const struct net_loop_options *o, struct net_loop **ret_loop);

/*
 * Runs what is already posted, then what net_loop_at_end() was given, ends
 * every request still open with -ECANCELED (its done() is called) and joins the
 * thread.  Not from the loop's thread; a second time does nothing.  What is
 * posted after this began is refused.
 */
void net_loop_stop(struct net_loop *l);
/* Stops it, where it was not, and drops the timers.  NULL is fine. */
void net_loop_free(struct net_loop *l);

/* For those who wait by timer: fn(arg) on the loop's thread when it ends. */
void net_loop_at_end(struct net_loop *l, void (*fn)(void *arg), void *arg);

/*
 * Run fn(arg) on the loop's thread, in order of posting.  false: the loop is
 * stopping, and fn will never be called.
 */
bool net_loop_post(struct net_loop *l, void (*fn)(void *arg), void *arg);

bool net_loop_on_thread(const struct net_loop *l);

/*
 * Call fn(arg) once after delay_ms (>= 0).  The timer is gone when fn is
 * called; until then net_timer_cancel() may end it.
 */
struct net_timer *net_timer_start(struct net_loop *l, int64_t delay_ms,
				  void (*fn)(void *arg), void *arg);
void net_timer_cancel(struct net_timer *t);

struct net_request_spec {
	const char *method;	    /* "POST", "GET" */
	const char *url;	    /* http:// or https:// only */
	const char *const *headers; /* "Name: value", NULL-terminated; copied,
				       and wiped after use, as the body is */
	const void *body;	    /* copied */
	size_t body_bytes;
	int64_t deadline_ms; /* for the whole exchange, from now; > 0 */
	int64_t stall_ms;    /* no byte for so long: -ETIMEDOUT; 0: 20 s */
	bool direct;	     /* never through the proxy */
};

/* What the answer's head said.  Valid in the callbacks only. */
struct net_response {
	int http_status; /* 0 where no answer came */
	/* Header's value by case-insensitive name, or NULL. */
	const char *(*header)(const struct net_response *r, const char *name);
	int64_t server_date_ms; /* from Date, whole seconds; -1 where absent */
};

struct net_request_ops {
	/*
	 * n body bytes.  Return 0 to go on or -errno to end the request with
	 * that errno.
	 */
	int (*body)(void *user, const struct net_response *r, const void *bytes,
		    size_t n);
	/*
	 * The exchange is over: rc 0 (an answer came, whatever its status) or
	 * -errno (net/errors.c maps CURLcode), with curl's sentence in text.
	 * Called exactly once, never from inside net_request_start().
	 */
	void (*done)(void *user, int rc, const struct net_response *r,
		     const char *text);
};

/* Never NULL: what fails at once is told through done(). */
struct net_request *net_request_start(struct net_loop *l,
				      const struct net_request_spec *spec,
				      const struct net_request_ops *ops,
				      void *user);

/* Ends it without done().  Not after done() was called. */
void net_request_cancel(struct net_request *r);

#endif
